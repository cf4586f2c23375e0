/* A header section, rewritten as each decision may want it: all that goes is
 * gone, one From with one address comes out where it is ours, what is kept is
 * as it was, nothing is new but our three fields, and once more changes
 * nothing. */
#include <string.h>

#include "proto/mailbox.h"
#include "proto/rfc5322.h"
#include "relay/policy/rewrite.h"
#include "tests/fuzz/fuzz.h"

#define ME "relay@contoso.com"
#define DESK "desk@contoso.com"

enum { ROOM = 1 << 22 };

static const struct rewrite hows[] = {
	{ .from = ME, .identity = ME },
	{ .from = ME, .from_name = "Scans \xc3\xa4, 3rd", .identity = ME },
	{ .from = ME, .reply_to = { REPLY_TO_ADDRESS, (char *)DESK } },
	{ .from = ME, .reply_to = { REPLY_TO_NONE, NULL } },
	{ .from = ME, .sender = DESK, .identity = DESK },
	{ .sender = ME, .identity = ME },
	{ .identity = ME },
	{ .identity = ME, .any_sender = true },
	{ .reply_to = { REPLY_TO_ADDRESS, (char *)DESK } },
};

static bool is_one_of(const struct rfc5322_field *field,
                      const char *const *names)
{
	for (; *names != NULL; names++)
		if (rfc5322_field_is(field, *names))
			return true;
	return false;
}

static bool goes_always(const struct rfc5322_field *field)
{
	static const char *const names[] = { "Bcc", "Resent-Bcc", "Return-Path",
		                             NULL };

	return is_one_of(field, names);
}

/* Those that are judged one by one. */
static bool may_change(const struct rfc5322_field *field)
{
	static const char *const names[] = {
		"From", "Sender", "Reply-To", "DKIM-Signature",
		"DomainKey-Signature", "X-Google-DKIM-Signature", "ARC-Seal",
		"ARC-Message-Signature", "ARC-Authentication-Results",
		"Authentication-Results", "Disposition-Notification-To",
		"Return-Receipt-To", "X-Confirm-Reading-To", "Errors-To", NULL
	};

	return is_one_of(field, names);
}

struct parts {
	struct buf kept;
	unsigned n_from, n_sender, n_reply_to;
};

static void check_sole(const struct rfc5322_field *field, const char *address)
{
	struct mailbox mailbox;

	mailbox_init(&mailbox);
	must(mailbox_parse(&mailbox, field->value));
	must(mailbox.count == 1);
	must(text_is(buf_text(&mailbox.address), address));
	mailbox_free(&mailbox);
}

/* What is in the output, by what was asked for. */
static void check_field(const struct rfc5322_field *field,
                        const struct rewrite *how)
{
	must(!goes_always(field));
	if (how->from != NULL && rfc5322_field_is(field, "From"))
		check_sole(field, how->from);
	if (how->sender != NULL && rfc5322_field_is(field, "Sender"))
		check_sole(field, how->sender);
	if (how->reply_to.kind == REPLY_TO_ADDRESS &&
	    rfc5322_field_is(field, "Reply-To"))
		check_sole(field, how->reply_to.address);
}

static void sort_field(struct parts *parts, const struct rfc5322_field *field)
{
	parts->n_from += rfc5322_field_is(field, "From");
	parts->n_sender += rfc5322_field_is(field, "Sender");
	parts->n_reply_to += rfc5322_field_is(field, "Reply-To");
	if (!goes_always(field) && !may_change(field))
		buf_text_append(&parts->kept, field->raw);
}

/* Returns whether it is a section and no more.  how NULL: the input. */
static bool take_apart(struct parts *parts, struct text header,
                       const struct rewrite *how)
{
	struct rfc5322_field field;
	struct rfc5322 reader;
	enum rfc5322_item item;
	struct text body;
	bool whole;

	*parts = (struct parts){ .kept = BUF_INIT(ROOM) };
	rfc5322_init(&reader, ROOM);
	rfc5322_push(&reader, header);
	rfc5322_finish(&reader);
	while ((item = rfc5322_next(&reader, &field, &body)) == RFC5322_FIELD) {
		if (how != NULL)
			check_field(&field, how);
		sort_field(parts, &field);
	}
	whole = item == RFC5322_END && reader.separated &&
	        rfc5322_next(&reader, &field, &body) == RFC5322_NONE;
	rfc5322_free(&reader);
	return whole;
}

static void check_once_more(struct text output, const struct rewrite *how)
{
	struct buf again = BUF_INIT(ROOM);

	must(rewrite_header(&again, output, how));
	must(text_equal(buf_text(&again), output));
	buf_free(&again);
}

static void check_counts(const struct parts *before,
                         const struct parts *behind, const struct rewrite *how)
{
	must(text_equal(buf_text(&behind->kept), buf_text(&before->kept)));
	must(how->from != NULL ? behind->n_from == 1
	                       : behind->n_from == (before->n_from > 0));
	must(how->sender == NULL || behind->n_sender == 1);
	must(behind->n_sender <= before->n_sender ||
	     (behind->n_sender == 1 &&
	      (how->sender != NULL || how->identity != NULL)));
	must(how->reply_to.kind != REPLY_TO_ADDRESS || behind->n_reply_to == 1);
	must(behind->n_reply_to <= before->n_reply_to ||
	     behind->n_reply_to == 1);
}

static void check(struct text header, const struct rewrite *how)
{
	struct buf out = BUF_INIT(ROOM);
	struct parts before, behind;

	if (take_apart(&before, header, NULL)) {
		must(rewrite_header(&out, header, how));
		must(take_apart(&behind, buf_text(&out), how));
		check_counts(&before, &behind, how);
		check_once_more(buf_text(&out), how);
		buf_free(&behind.kept);
	}
	buf_free(&before.kept);
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf header = BUF_INIT(ROOM);

	if (size > ROOM / 4)
		return 0;
	buf_append(&header, data, size);
	buf_puts(&header, "\r\n\r\n");
	for (size_t cut = 0; cut <= 4; cut += 2) {
		/* as it is, with its line ended, and with its section ended */
		struct text text = text_make(buf_text(&header).data, size + cut);

		for (size_t i = 0; i < sizeof hows / sizeof *hows; i++)
			check(text, &hows[i]);
	}
	buf_free(&header);
	return 0;
}
