#include <stdlib.h>
#include <string.h>

#include "proto/date.h"
#include "proto/field_lex.h"
#include "proto/field_text.h"
#include "proto/mailbox.h"
#include "proto/smtp_syntax.h"
#include "proto/utf8.h"
#include "proto/xalloc.h"
#include "relay/inbound/intake_from.h"
#include "relay/inbound/intake_private.h"

enum {
	SUBJECT_MAX = 200,
	ORIGINAL_MAX = 200, /* of a value that was replaced */
	MAILBOX_MAX = 4096,
	DAY_SECONDS = 24 * 60 * 60,
};

/* 2024: a clock before that was never set, and judges nobody's. */
#define CLOCK_IS_SET_SECONDS INT64_C(1704067200)

static bool has(const struct intake *intake, enum intake_field which)
{
	return (intake->seen & 1u << which) != 0;
}

/* The value as a line of UTF-8. */
static struct buf line_of(const struct intake *intake,
                          const struct rfc5322_field *field)
{
	struct buf line = BUF_INIT(8 * field->value.len + 1);

	field_text(&line, field->value, intake->settings.charset);
	return line;
}

/* At most max octets, tabs as blanks. */
static char *shown(struct text line, size_t max)
{
	char *copy = text_dup(utf8_cut(line, max)), *c;

	for (c = copy; *c != '\0'; c++) {
		if (*c == '\t')
			*c = ' ';
	}
	return copy;
}

static void put_original(struct intake *intake, const char *name,
                         struct text line)
{
	if (line.len > 0)
		intake_put(intake, name, utf8_cut(line, ORIGINAL_MAX));
}

/* ---- Date ---- */

static void put_date(struct intake *intake, int64_t seconds, int offset_minutes)
{
	char date[40];

	rfc5322_date(date, seconds, offset_minutes);
	intake_put(intake, "Date", text_of(date));
}

static void put_date_now(struct intake *intake)
{
	put_date(intake, intake->settings.now_ms / 1000,
	         intake->settings.offset_minutes);
}

static bool is_plausible(const struct intake *intake, const struct date *date)
{
	int64_t now = intake->settings.now_ms / 1000;

	return now < CLOCK_IS_SET_SECONDS ||
	       (date->seconds >= now - DAY_SECONDS &&
	        date->seconds <= now + DAY_SECONDS);
}

static void replace_date(struct intake *intake,
                         const struct rfc5322_field *field)
{
	struct buf line = line_of(intake, field);

	put_date_now(intake);
	put_original(intake, "X-Original-Date", buf_text(&line));
	intake->repairs |= INTAKE_REPAIR(DATE_REPLACED);
	buf_free(&line);
}

static bool take_date(struct intake *intake, const struct rfc5322_field *field)
{
	bool is_signed = has(intake, INTAKE_DKIM_SIGNATURE);
	struct date date;

	if (!date_parse(field->value, intake->settings.offset_minutes, &date) ||
	    !(is_signed || is_plausible(intake, &date))) {
		replace_date(intake, field);
	} else if (date.well_formed || is_signed) {
		intake_keep(intake, field);
	} else {
		put_date(intake, date.seconds, date.offset_minutes);
		intake->repairs |= INTAKE_REPAIR(DATE_FORM);
	}
	return true;
}

/* ---- Message-ID ---- */

static void put_message_id(struct intake *intake)
{
	char id[MESSAGE_ID_TEXT];

	message_id_print(intake->envelope->id, id);
	free(intake->envelope->header_id);
	intake->envelope->header_id =
		xasprintf("<%s@%s>", id, intake->settings.hostname);
	intake_put(intake, "Message-ID",
	           text_of(intake->envelope->header_id));
}

/* RFC 5322 3.6.4:  msg-id = "<" id-left "@" id-right ">"
 * and the comment that some put behind it.  What stands between the brackets is
 * free, as long as nobody can read it as two things. */
static struct text valid_message_id(struct text line)
{
	const char *end = line.len > 0 ? memchr(line.data, '>', line.len) : NULL;
	size_t len = end != NULL ? (size_t)(end - line.data) + 1 : 0, i;
	struct text rest = text_trim(text_skip(line, len)), none = text_of("");
	const char *at;

	if (len < 5 || len > FIELD_WORD_MAX || line.data[0] != '<' ||
	    (rest.len > 0 && rest.data[0] != '('))
		return none;
	for (i = 1; i < len - 1; i++) {
		unsigned char c = (unsigned char)line.data[i];

		if (c <= ' ' || c >= 127 || c == '<')
			return none;
	}
	at = memchr(line.data, '@', len);
	if (at == NULL || at == line.data + 1 || at == line.data + len - 2)
		return none;
	return text_make(line.data, len);
}

static bool take_message_id(struct intake *intake,
                            const struct rfc5322_field *field)
{
	struct buf line = line_of(intake, field);
	struct text id = valid_message_id(buf_text(&line));

	if (id.len > 0) {
		intake_keep(intake, field);
		intake->envelope->header_id = text_dup(id);
	} else {
		put_message_id(intake);
		put_original(intake, "X-Original-Message-ID", buf_text(&line));
		intake->repairs |= INTAKE_REPAIR(MESSAGE_ID_REPLACED);
	}
	buf_free(&line);
	return true;
}

/* ---- From ---- */

static void put_from(struct intake *intake, struct text name,
                     struct text address)
{
	struct buf mailbox = BUF_INIT(MAILBOX_MAX);

	mailbox_print(&mailbox, name, address);
	intake_put(intake, "From", buf_text(&mailbox));
	intake->envelope->header_from = text_dup(address);
	buf_free(&mailbox);
}

/* Does it still hold an address when what is 8-bit in it is encoded? */
static bool survives(const struct intake *intake,
                     const struct rfc5322_field *field)
{
	struct buf mended = BUF_INIT(FIELD_REPAIR_GROWTH * field->raw.len +
	                             FIELD_LINE_MAX);
	struct rfc5322_field copy;
	struct mailbox mailbox;
	bool is_so;

	if (field_needs(field) == 0)
		return true;
	field_repair(&mended, field, intake->settings.charset);
	rfc5322_field_make(&copy, buf_text(&mended));
	mailbox_init(&mailbox);
	is_so = mailbox_parse(&mailbox, copy.value);
	mailbox_free(&mailbox);
	buf_free(&mended);
	return is_so;
}

static void take_from_line(struct intake *intake,
                           const struct rfc5322_field *field, struct text line)
{
	bool can_replace = intake->settings.from != NULL;
	struct intake_from from;

	intake_from_read(&from, line);
	if (from.kind == INTAKE_FROM_GOOD && !survives(intake, field))
		from.kind = INTAKE_FROM_MENDED;
	if (from.kind == INTAKE_FROM_MENDED) {
		put_from(intake, buf_text(&from.name), buf_text(&from.address));
		put_original(intake, "X-Original-From", line);
		intake->repairs |= INTAKE_REPAIR(FROM_FORM);
	} else if (from.kind == INTAKE_FROM_NONE && can_replace) {
		put_from(intake, buf_text(&from.name),
		         text_of(intake->settings.from));
		put_original(intake, "X-Original-From", line);
		intake->repairs |= INTAKE_REPAIR(FROM_REPLACED);
	} else {
		intake_keep(intake, field);
		if (buf_len(&from.address) > 0)
			intake->envelope->header_from =
				text_dup(buf_text(&from.address));
	}
	intake_from_free(&from);
}

static bool take_from(struct intake *intake, const struct rfc5322_field *field)
{
	struct buf line = line_of(intake, field);

	take_from_line(intake, field, buf_text(&line));
	buf_free(&line);
	return true;
}

/* ---- the others ---- */

static bool take_subject(struct intake *intake,
                         const struct rfc5322_field *field)
{
	struct buf line = line_of(intake, field);

	intake->envelope->subject = shown(buf_text(&line), SUBJECT_MAX);
	intake_keep(intake, field);
	buf_free(&line);
	return true;
}

/* Fields whose grammar wants at least a word. */
static bool take_list(struct intake *intake, const struct rfc5322_field *field)
{
	if (!field_has_words(field->value)) {
		intake->repairs |= INTAKE_REPAIR(EMPTY);
		return false;
	}
	intake_keep(intake, field);
	return true;
}

static bool take_other(struct intake *intake, const struct rfc5322_field *field)
{
	intake_keep(intake, field);
	return true;
}

/* Who gets a blind copy is nobody's business (RFC 5322 3.6.3); Return-Path is
 * added at the end of the way (RFC 5321 4.4). */
static bool drop_bcc(struct intake *intake, const struct rfc5322_field *field)
{
	intake->repairs |= INTAKE_REPAIR(BCC);
	return false;
}

static bool drop_return_path(struct intake *intake,
                             const struct rfc5322_field *field)
{
	intake->repairs |= INTAKE_REPAIR(RETURN_PATH);
	return false;
}

#define NAMED(string) { string, sizeof(string) - 1 }

/* take: true when the field, or another in its place, was stored. */
static const struct {
	struct text name;
	bool (*take)(struct intake *intake, const struct rfc5322_field *field);
} fields[INTAKE_OTHER + 1] = {
	[INTAKE_DATE] = { NAMED("Date"), take_date },
	[INTAKE_MESSAGE_ID] = { NAMED("Message-ID"), take_message_id },
	[INTAKE_FROM] = { NAMED("From"), take_from },
	[INTAKE_SENDER] = { NAMED("Sender"), take_list },
	[INTAKE_REPLY_TO] = { NAMED("Reply-To"), take_list },
	[INTAKE_TO] = { NAMED("To"), take_list },
	[INTAKE_CC] = { NAMED("Cc"), take_list },
	[INTAKE_SUBJECT] = { NAMED("Subject"), take_subject },
	[INTAKE_IN_REPLY_TO] = { NAMED("In-Reply-To"), take_list },
	[INTAKE_REFERENCES] = { NAMED("References"), take_list },
	[INTAKE_MIME_VERSION] = { NAMED("MIME-Version"), take_list },
	[INTAKE_CONTENT_TYPE] = { NAMED("Content-Type"), take_list },
	[INTAKE_CONTENT_TRANSFER_ENCODING] = {
		NAMED("Content-Transfer-Encoding"), take_list },
	[INTAKE_BCC] = { NAMED("Bcc"), drop_bcc },
	[INTAKE_RESENT_BCC] = { NAMED("Resent-Bcc"), drop_bcc },
	[INTAKE_RETURN_PATH] = { NAMED("Return-Path"), drop_return_path },
	[INTAKE_DKIM_SIGNATURE] = { NAMED("DKIM-Signature"), take_other },
	[INTAKE_OTHER] = { NAMED(""), take_other },
};

static enum intake_field which_field(struct text name)
{
	enum intake_field which = INTAKE_DATE;

	while (which < INTAKE_OTHER &&
	       !text_equal_nocase(name, fields[which].name))
		which++;
	return which;
}

void intake_take(struct intake *intake, const struct rfc5322_field *field)
{
	enum intake_field which = which_field(field->name);

	if (which < INTAKE_BCC && has(intake, which)) {
		intake->repairs |= INTAKE_REPAIR(DUPLICATE);
		return;
	}
	if (!fields[which].take(intake, field))
		return;
	intake->seen |= 1u << which;
	if (text_starts(field->name, "Content-"))
		intake->has_mime = true;
}

/* ---- what is missing ---- */

static void add_from(struct intake *intake)
{
	if (intake->settings.from == NULL) {
		intake->repairs |= INTAKE_REPAIR(FROM);
		return;
	}
	put_from(intake, text_of(""), text_of(intake->settings.from));
	intake->repairs |= INTAKE_REPAIR(FROM_ADDED);
}

void intake_complete(struct intake *intake)
{
	if (!has(intake, INTAKE_DATE)) {
		put_date_now(intake);
		intake->repairs |= INTAKE_REPAIR(DATE);
	}
	if (!has(intake, INTAKE_MESSAGE_ID)) {
		put_message_id(intake);
		intake->repairs |= INTAKE_REPAIR(MESSAGE_ID);
	}
	if (!has(intake, INTAKE_FROM))
		add_from(intake);
	if (!has(intake, INTAKE_TO) && !has(intake, INTAKE_CC)) {
		intake_put(intake, "To", text_of("undisclosed-recipients:;"));
		intake->repairs |= INTAKE_REPAIR(TO);
	}
	if (intake->has_mime && !has(intake, INTAKE_MIME_VERSION)) {
		intake_put(intake, "MIME-Version", text_of("1.0"));
		intake->repairs |= INTAKE_REPAIR(MIME_VERSION);
	}
}
