#include "relay/policy/rewrite_plan.h"

#include "proto/field_text.h"
#include "proto/smtp_path.h"

/* More addresses of an old From than anybody answers to. */
enum { REPLY_TO_MAX = 50, FIELD_MAX = 128 * 1024 };

/* ---- fields of ours ---- */

static bool write_field(struct buf *out, struct text field, struct text name,
                        struct text address)
{
	struct buf value = BUF_INIT(FIELD_MAX), folded = BUF_INIT(FIELD_MAX);
	bool ok;

	mailbox_print(&value, name, address);
	field_fold(&folded, field, buf_text(&value));
	ok = buf_text_append(out, buf_text(&folded));
	buf_free(&value);
	buf_free(&folded);
	return ok;
}

/* Without its quotes. */
static struct text bare_local(const struct smtp_path *path)
{
	struct text local = smtp_path_local(path);

	if (local.data[0] == '"')
		local = text_make(local.data + 1, local.len - 2);
	return local;
}

/* The name people see: the rule's, else the old display name, else the old
 * local part. */
static struct text shown_name(const struct plan *plan)
{
	const struct mailbox *old = &plan->found.from.mailbox;
	struct text address = buf_text(&old->address);
	struct smtp_path path;

	if (plan->rewrite->from_name != NULL)
		return text_of(plan->rewrite->from_name);
	if (buf_len(&old->name) > 0)
		return buf_text(&old->name);
	if (text_equal_nocase(address, plan->from))
		return text_of("");
	if (smtp_address_parse(address, &path))
		return bare_local(&path);
	return address;
}

static bool write_from(struct buf *out, const struct plan *plan)
{
	return write_field(out, text_of("From"), shown_name(plan),
	                   plan->from);
}

/* Those of the old From that can be answered; several stand one a line. */
static bool write_old_from(struct buf *out, struct text value)
{
	struct buf list = BUF_INIT(FIELD_MAX), field = BUF_INIT(FIELD_MAX);
	struct mailbox mailbox;
	unsigned n = 0;
	bool ok;

	mailbox_init(&mailbox);
	while (n < REPLY_TO_MAX && mailbox_next(&mailbox, &value)) {
		if (!address_is_answerable(buf_text(&mailbox.address)))
			continue;
		buf_puts(&list, n++ == 0 ? "" : ",\r\n ");
		mailbox_print(&list, buf_text(&mailbox.name),
		              buf_text(&mailbox.address));
	}
	if (n == 1)
		field_fold(&field, text_of("Reply-To"), buf_text(&list));
	else if (n > 1)
		buf_printf(&field, "Reply-To: %s\r\n", buf_string(&list));
	ok = buf_text_append(out, buf_text(&field));
	mailbox_free(&mailbox);
	buf_free(&list);
	buf_free(&field);
	return ok;
}

static bool write_reply_to(struct buf *out, const struct plan *plan)
{
	const struct reply_to_value *reply_to = &plan->rewrite->reply_to;

	if (reply_to->kind == REPLY_TO_ADDRESS)
		return write_field(out, text_of("Reply-To"), text_of(""),
		                   text_of(reply_to->address));
	return write_old_from(out, buf_text(&plan->found.from_value));
}

/* ---- the copy ---- */

/* A receipt for the old From goes where answers go; one that cannot arrive is
 * not asked for. */
static bool copy_receipt(struct buf *out, const struct plan *plan,
                         const struct rfc5322_field *field)
{
	const struct reply_to_value *reply_to = &plan->rewrite->reply_to;
	struct mailbox to;
	bool is_his, arrives, ok = true;

	mailbox_init(&to);
	mailbox_parse(&to, field->value);
	is_his = text_equal_nocase(buf_text(&to.address),
	                           buf_text(&plan->found.from.mailbox.address));
	arrives = address_is_answerable(buf_text(&to.address)) &&
	          !(is_his && reply_to->kind == REPLY_TO_NONE);
	if (is_his && reply_to->kind == REPLY_TO_ADDRESS)
		ok = write_field(out, field->name, text_of(""),
		                 text_of(reply_to->address));
	else if (arrives)
		ok = buf_text_append(out, field->raw);
	mailbox_free(&to);
	return ok;
}

/* From is written where it stood. */
static bool copy_from(struct buf *out, const struct plan *plan,
                      const struct rfc5322_field *field, unsigned place)
{
	if (place != plan->found.from.place)
		return true;
	if (plan->writes_from)
		return write_from(out, plan);
	return buf_text_append(out, field->raw);
}

static bool stays(const struct plan *plan, enum field_kind kind)
{
	switch (kind) {
	case FIELD_SENDER:
		return plan->keeps_sender;
	case FIELD_REPLY_TO:
		return plan->keeps_reply_to;
	case FIELD_SIGNATURE:
		return plan->keeps_signatures;
	case FIELD_HIDDEN:
		return false;
	case FIELD_FROM:
	case FIELD_RECEIPT:
	case FIELD_OTHER:
		break;
	}
	return true;
}

static bool copy_fields(struct buf *out, struct text header,
                        const struct plan *plan)
{
	struct rfc5322_field field;
	struct rfc5322 reader;
	struct text body;
	unsigned n_from = 0;
	bool ok = true;

	section_begin(&reader, header);
	while (ok && rfc5322_next(&reader, &field, &body) == RFC5322_FIELD) {
		enum field_kind kind = field_kind_of(&field);

		if (kind == FIELD_FROM)
			ok = copy_from(out, plan, &field, ++n_from);
		else if (kind == FIELD_RECEIPT && plan->moves)
			ok = copy_receipt(out, plan, &field);
		else if (stays(plan, kind))
			ok = buf_text_append(out, field.raw);
	}
	rfc5322_free(&reader);
	return ok;
}

/* Last, so that the trace fields stay in front. */
static bool add_fields(struct buf *out, const struct plan *plan)
{
	if (plan->writes_from && plan->found.from.fields == 0 &&
	    !write_from(out, plan))
		return false;
	if (plan->sender != NULL &&
	    !write_field(out, text_of("Sender"), text_of(""), text_of(plan->sender)))
		return false;
	return !plan->writes_reply_to || write_reply_to(out, plan);
}

bool rewrite_header(struct buf *out, struct text header,
                    const struct rewrite *rewrite)
{
	struct plan plan;
	bool ok;

	plan_make(&plan, header, rewrite);
	ok = copy_fields(out, header, &plan) && add_fields(out, &plan) &&
	     buf_puts(out, "\r\n");
	plan_free(&plan);
	return ok;
}
