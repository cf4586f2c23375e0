#include "relay/policy/rewrite_plan.h"

#include "proto/smtp_path.h"

/* Fields that do not simply go on as they are. */
static const struct {
	const char *name;
	enum field_kind kind;
} fields[] = {
	{ "Bcc", FIELD_HIDDEN },
	{ "Resent-Bcc", FIELD_HIDDEN },
	{ "Return-Path", FIELD_HIDDEN },
	{ "From", FIELD_FROM },
	{ "Sender", FIELD_SENDER },
	{ "Reply-To", FIELD_REPLY_TO },
	{ "Disposition-Notification-To", FIELD_RECEIPT },
	{ "Return-Receipt-To", FIELD_RECEIPT },
	{ "X-Confirm-Reading-To", FIELD_RECEIPT },
	{ "Errors-To", FIELD_RECEIPT },
	{ "DKIM-Signature", FIELD_SIGNATURE },
	{ "DomainKey-Signature", FIELD_SIGNATURE },
	{ "X-Google-DKIM-Signature", FIELD_SIGNATURE },
	{ "ARC-Seal", FIELD_SIGNATURE },
	{ "ARC-Message-Signature", FIELD_SIGNATURE },
	{ "ARC-Authentication-Results", FIELD_SIGNATURE },
	{ "Authentication-Results", FIELD_SIGNATURE },
};

enum field_kind field_kind_of(const struct rfc5322_field *field)
{
	size_t i;

	for (i = 0; i < sizeof fields / sizeof *fields; i++) {
		if (rfc5322_field_is(field, fields[i].name))
			return fields[i].kind;
	}
	return FIELD_OTHER;
}

void section_begin(struct rfc5322 *reader, struct text header)
{
	rfc5322_init(reader, header.len + 1);
	rfc5322_push(reader, header);
	rfc5322_finish(reader);
}

/* ---- what stands there ---- */

static void found_init(struct found *found, size_t max)
{
	*found = (struct found){ .from_value = BUF_INIT(max) };
	mailbox_init(&found->from.mailbox);
	mailbox_init(&found->sender.mailbox);
	mailbox_init(&found->reply_to.mailbox);
}

/* Returns whether this field is the one that speaks, for now. */
static bool seen_add(struct seen *seen, struct text value)
{
	seen->fields++;
	if (seen->mailbox.count > 0)
		return false;
	if (!mailbox_parse(&seen->mailbox, value) && seen->fields > 1)
		return false;
	seen->place = seen->fields;
	return true;
}

static struct text address_of(const struct seen *seen)
{
	return buf_text(&seen->mailbox.address);
}

/* One field, and nothing in it but the address? */
static bool is_sole(const struct seen *seen, struct text address)
{
	return seen->fields == 1 && seen->mailbox.count == 1 &&
	       text_equal_nocase(address_of(seen), address);
}

static void look_at(struct found *found, const struct rfc5322_field *field)
{
	enum field_kind kind = field_kind_of(field);

	if (kind == FIELD_FROM && seen_add(&found->from, field->value)) {
		buf_clear(&found->from_value);
		buf_text_append(&found->from_value, field->value);
	} else if (kind == FIELD_SENDER) {
		seen_add(&found->sender, field->value);
	} else if (kind == FIELD_REPLY_TO) {
		seen_add(&found->reply_to, field->value);
	}
}

static void look_through(struct found *found, struct text header)
{
	struct rfc5322_field field;
	struct rfc5322 reader;
	struct text body;

	section_begin(&reader, header);
	while (rfc5322_next(&reader, &field, &body) == RFC5322_FIELD)
		look_at(found, &field);
	rfc5322_free(&reader);
}

/* ---- what is to be done ---- */

/* "192.168.1.5" without brackets is no domain, but devices write it. */
static bool is_number(struct text domain)
{
	struct text label = { NULL, 0 };
	uint64_t number;

	while (text_token(&domain, '.', &label))
		continue;
	return text_to_u64(label, &number);
}

bool address_is_answerable(struct text address)
{
	static const char *const unreachable[] = {
		"*@*.local", "*@*.lan", "*@*.internal", "*@*.localdomain",
		"*@*.localhost", "*@*.home.arpa", "*@*.home", "*@*.corp",
		"*@*.intranet", "*@*.invalid", "*@[*]"
	};
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

/* Printable ASCII, and folds: CR and LF stand together. */
static bool is_clean(struct text value)
{
	size_t i;

	for (i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.data[i];

		if (c == '\r' && i + 1 < value.len && value.data[i + 1] == '\n')
			i++;
		else if ((c < ' ' && c != '\t') || c >= 127)
			return false;
	}
	return true;
}

/* As it is to be, to the letter: a signature may hang on it. */
static bool from_is_right(const struct plan *plan)
{
	const struct found *found = &plan->found;
	const char *name = plan->rewrite->from_name;

	return is_clean(buf_text(&found->from_value)) &&
	       is_sole(&found->from, plan->from) &&
	       text_equal(address_of(&found->from), plan->from) &&
	       (name == NULL || text_equal(buf_text(&found->from.mailbox.name),
	                                   text_of(name)));
}

/* The first address has been asked about; the others would slip through
 * beside it. */
static bool may_send_as_all(const struct rewrite *rewrite, struct text value)
{
	struct mailbox mailbox;
	bool may = true;

	mailbox_init(&mailbox);
	while (may && mailbox_next(&mailbox, &value))
		may = rewrite->may_send_as(rewrite->account,
		                           buf_string(&mailbox.address));
	mailbox_free(&mailbox);
	return may;
}

static struct text from_to_be(const struct plan *plan)
{
	const struct rewrite *rewrite = plan->rewrite;
	const struct seen *from = &plan->found.from;

	if (rewrite->from != NULL)
		return text_of(rewrite->from);
	if (rewrite->may_send_as != NULL && from->mailbox.count > 1 &&
	    !may_send_as_all(rewrite, buf_text(&plan->found.from_value)))
		return address_of(from);
	return text_of("");
}

static void plan_from(struct plan *plan)
{
	const struct seen *from = &plan->found.from;

	plan->from = from_to_be(plan);
	if (plan->from.len == 0 || from_is_right(plan))
		return;
	plan->writes_from = true;
	plan->moves = from->mailbox.count > 0 && !is_sole(from, plan->from);
}

static bool sender_may_stay(const struct plan *plan)
{
	const struct rewrite *rewrite = plan->rewrite;
	const struct seen *sender = &plan->found.sender;
	const struct seen *from = &plan->found.from;

	if (rewrite->sender != NULL)
		return is_sole(sender, text_of(rewrite->sender));
	if (plan->writes_from)
		return false;
	return rewrite->any_sender ||
	       (rewrite->identity != NULL &&
	        is_sole(sender, text_of(rewrite->identity))) ||
	       (from->mailbox.count == 1 && is_sole(sender, address_of(from)));
}

/* RFC 5322 3.6.2:  several addresses in From want a Sender. */
static void plan_sender(struct plan *plan)
{
	const struct found *found = &plan->found;

	plan->keeps_sender = found->sender.fields > 0 && sender_may_stay(plan);
	if (plan->keeps_sender)
		return;
	plan->sender = plan->rewrite->sender;
	if (plan->sender == NULL && !plan->writes_from &&
	    found->from.mailbox.count > 1)
		plan->sender = plan->rewrite->identity;
}

static void plan_reply_to(struct plan *plan)
{
	const struct reply_to_value *reply_to = &plan->rewrite->reply_to;
	const struct seen *old = &plan->found.reply_to;

	switch (reply_to->kind) {
	case REPLY_TO_ADDRESS:
		plan->keeps_reply_to = is_sole(old, text_of(reply_to->address));
		plan->writes_reply_to = !plan->keeps_reply_to;
		break;
	case REPLY_TO_NONE:
		plan->keeps_reply_to = !plan->moves;
		break;
	case REPLY_TO_ORIGINAL:
		plan->keeps_reply_to = !plan->moves || old->mailbox.count > 0;
		plan->writes_reply_to = !plan->keeps_reply_to;
		break;
	}
}

void plan_make(struct plan *plan, struct text header,
               const struct rewrite *rewrite)
{
	const struct found *found = &plan->found;

	*plan = (struct plan){ .rewrite = rewrite };
	found_init(&plan->found, header.len + 1);
	look_through(&plan->found, header);
	plan_from(plan);
	plan_sender(plan);
	plan_reply_to(plan);
	plan->keeps_signatures =
		!plan->writes_from && found->from.fields <= 1 &&
		plan->sender == NULL && !plan->writes_reply_to &&
		(found->sender.fields == 0 || plan->keeps_sender) &&
		(found->reply_to.fields == 0 || plan->keeps_reply_to);
}

void plan_free(struct plan *plan)
{
	struct found *found = &plan->found;

	mailbox_free(&found->from.mailbox);
	mailbox_free(&found->sender.mailbox);
	mailbox_free(&found->reply_to.mailbox);
	buf_free(&found->from_value);
}
