#include "relay/policy/rewrite.h"

#include "proto/mailbox.h"
#include "proto/rfc5322.h"
#include "proto/smtp_path.h"

/* Fields that do not go on as they are. */
static const struct {
	const char *name;
	bool always;         /* else only where From changes */
} dropped[] = {
	{ "Bcc", true },
	{ "Resent-Bcc", true },
	{ "Return-Path", true },
	{ "From", false },
	{ "Sender", false },
	{ "DKIM-Signature", false },
	{ "ARC-Seal", false },
	{ "ARC-Message-Signature", false },
	{ "ARC-Authentication-Results", false },
	{ "Authentication-Results", false },
	{ "Disposition-Notification-To", false },
	{ "Return-Receipt-To", false },
	{ "Errors-To", false },
};

static bool goes_away(const struct rfc5322_field *field, bool from_changes)
{
	size_t i;

	for (i = 0; i < sizeof dropped / sizeof *dropped; i++) {
		if (rfc5322_field_is(field, dropped[i].name))
			return dropped[i].always || from_changes;
	}
	return false;
}

/* "192.168.1.5" without brackets is no domain, but devices write it. */
static bool is_number(struct text domain)
{
	struct text label = { NULL, 0 };
	uint64_t number;

	while (text_token(&domain, '.', &label))
		continue;
	return text_to_u64(label, &number);
}

/* Can the old From be answered from outside?  A bare host, .local or .lan
 * cannot. */
static bool is_answerable(struct text address)
{
	static const char *const unreachable[] = { "*@*.local", "*@*.lan",
		"*@*.internal", "*@*.localdomain", "*@*.home.arpa", "*@[*]" };
	struct smtp_path path;
	size_t i;

	if (!smtp_address_parse(address, &path) ||
	    !text_glob(text_of("*@*.*"), address) ||
	    is_number(smtp_path_domain(&path)))
		return false;
	for (i = 0; i < sizeof unreachable / sizeof *unreachable; i++) {
		if (text_glob(text_of(unreachable[i]), address))
			return false;
	}
	return true;
}

/* The name people see: the old display name, else the old local part. */
static struct text shown_name(struct mailbox *old)
{
	struct text name = buf_text(&old->name);
	struct smtp_path path;

	if (name.len > 0)
		return name;
	if (smtp_address_parse(buf_text(&old->address), &path))
		return smtp_path_local(&path);
	return buf_text(&old->address);
}

static bool write_from(struct buf *out, struct mailbox *old,
                       const char *address)
{
	if (text_is(buf_text(&old->address), address))
		old->address.start = old->address.end; /* no name of its own */
	buf_puts(out, "From: ");
	mailbox_print(out, shown_name(old), text_of(address));
	return buf_puts(out, "\r\n");
}

static void write_reply_to(struct buf *out, struct mailbox *old)
{
	if (!is_answerable(buf_text(&old->address)))
		return;
	buf_puts(out, "Reply-To: ");
	mailbox_print(out, buf_text(&old->name), buf_text(&old->address));
	buf_puts(out, "\r\n");
}

/* What the first pass learns. */
struct found {
	struct mailbox from;
	bool has_from, has_reply_to;
};

static void look_at(struct found *found, const struct rfc5322_field *field)
{
	if (rfc5322_field_is(field, "From") && !found->has_from) {
		found->has_from = true;
		mailbox_parse(&found->from, field->value);
	} else if (rfc5322_field_is(field, "Reply-To")) {
		found->has_reply_to = true;
	}
}

static void look_through(struct found *found, struct text header)
{
	struct rfc5322_field field;
	struct rfc5322 reader;
	struct text body;

	rfc5322_init(&reader, header.len + 1);
	rfc5322_push(&reader, header);
	rfc5322_finish(&reader);
	while (rfc5322_next(&reader, &field, &body) == RFC5322_FIELD)
		look_at(found, &field);
	rfc5322_free(&reader);
}

/* From is written where it stood, or last where there was none: the trace
 * fields stay in front. */
static bool copy_fields(struct buf *out, struct text header,
                        const struct rewrite *rewrite, struct found *found)
{
	bool from_due = rewrite->from != NULL, ok = true;
	struct rfc5322_field field;
	struct rfc5322 reader;
	struct text body;

	rfc5322_init(&reader, header.len + 1);
	rfc5322_push(&reader, header);
	rfc5322_finish(&reader);
	while (ok && rfc5322_next(&reader, &field, &body) == RFC5322_FIELD) {
		if (from_due && rfc5322_field_is(&field, "From")) {
			ok = write_from(out, &found->from, rewrite->from);
			from_due = false;
		} else if (!goes_away(&field, rewrite->from != NULL)) {
			ok = buf_text_append(out, field.raw);
		}
	}
	rfc5322_free(&reader);
	if (ok && from_due)
		ok = write_from(out, &found->from, rewrite->from);
	return ok;
}

bool rewrite_header(struct buf *out, struct text header,
                    const struct rewrite *rewrite)
{
	struct found found = { .has_from = false };
	bool ok;

	mailbox_init(&found.from);
	if (rewrite->from != NULL)
		look_through(&found, header);
	ok = copy_fields(out, header, rewrite, &found);
	if (rewrite->from != NULL && !found.has_reply_to &&
	    !text_is(buf_text(&found.from.address), rewrite->from))
		write_reply_to(out, &found.from);
	mailbox_free(&found.from);
	return ok && buf_puts(out, "\r\n");
}
