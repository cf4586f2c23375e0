/* A header section: whatever it holds, one From with our address comes out, all
 * that goes is gone, the rest is as it was, and once more changes nothing. */
#include <string.h>

#include "proto/mailbox.h"
#include "proto/rfc5322.h"
#include "relay/policy/rewrite.h"
#include "tests/fuzz/fuzz.h"

#define ME "relay@contoso.com"

/* Longer names are cut, each time anew. */
enum { ROOM = 1 << 22, SHORT_FROM = 300 };

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

static bool goes_with_from(const struct rfc5322_field *field)
{
	static const char *const names[] = {
		"Sender", "DKIM-Signature", "ARC-Seal",
		"ARC-Message-Signature", "ARC-Authentication-Results",
		"Authentication-Results", "Disposition-Notification-To",
		"Return-Receipt-To", "Errors-To", NULL
	};

	return is_one_of(field, names);
}

struct parts {
	struct buf kept;
	unsigned n_from, n_reply_to;
	size_t from_len;
};

static void check_from(const struct rfc5322_field *field)
{
	struct mailbox mailbox;

	mailbox_init(&mailbox);
	must(mailbox_parse(&mailbox, field->value));
	must(mailbox.count == 1);
	must(text_equal(buf_text(&mailbox.address), text_of(ME)));
	mailbox_free(&mailbox);
	must(field->raw.len <= 1000);
	for (size_t i = 0; i + 2 < field->raw.len; i++)
		must((unsigned char)field->raw.data[i] >= ' ' &&
		     (unsigned char)field->raw.data[i] < 127);
}

static void sort_field(struct parts *parts, const struct rfc5322_field *field,
                       bool is_output, bool with_from)
{
	if (is_output)
		must(!goes_always(field) &&
		     !(with_from && goes_with_from(field)));
	if (with_from && rfc5322_field_is(field, "From")) {
		parts->n_from++;
		parts->from_len = field->raw.len;
		if (is_output)
			check_from(field);
	} else if (with_from && rfc5322_field_is(field, "Reply-To")) {
		parts->n_reply_to++;
	} else if (!goes_always(field) &&
	           !(with_from && goes_with_from(field))) {
		buf_text_append(&parts->kept, field->raw);
	}
}

/* Returns whether it is a section and no more. */
static bool take_apart(struct parts *parts, struct text header, bool is_output,
                       bool with_from)
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
	while ((item = rfc5322_next(&reader, &field, &body)) == RFC5322_FIELD)
		sort_field(parts, &field, is_output, with_from);
	whole = item == RFC5322_END && reader.separated &&
	        rfc5322_next(&reader, &field, &body) == RFC5322_NONE;
	rfc5322_free(&reader);
	return whole;
}

static void check_once_more(struct text output, const char *from)
{
	struct rewrite settings = { .from = from };
	struct buf again = BUF_INIT(ROOM);

	must(rewrite_header(&again, output, &settings));
	must(text_equal(buf_text(&again), output));
	buf_free(&again);
}

static void check(struct text header, const char *from)
{
	struct rewrite settings = { .from = from };
	struct buf out = BUF_INIT(ROOM);
	struct parts before, behind;

	if (take_apart(&before, header, false, from != NULL)) {
		must(rewrite_header(&out, header, &settings));
		must(take_apart(&behind, buf_text(&out), true, from != NULL));
		must(text_equal(buf_text(&behind.kept),
		                buf_text(&before.kept)));
		if (from != NULL) {
			must(behind.n_from == 1);
			must(before.n_reply_to > 0
			             ? behind.n_reply_to == before.n_reply_to
			             : behind.n_reply_to <= 1);
		}
		if (behind.from_len < SHORT_FROM)
			check_once_more(buf_text(&out), from);
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

		check(text, ME);
		check(text, NULL);
	}
	buf_free(&header);
	return 0;
}
