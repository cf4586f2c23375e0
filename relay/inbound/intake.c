#include "relay/inbound/intake.h"

#include <stdlib.h>
#include <string.h>

#include "proto/mailbox.h"
#include "proto/rfc5322.h"
#include "proto/smtp_syntax.h"
#include "proto/utf8.h"
#include "proto/xalloc.h"

enum { SUBJECT_MAX = 200, ADDRESS_MAX = 320, MESSAGE_ID_MAX = 998 };

struct intake {
	struct intake_settings settings;
	struct envelope *envelope;
	struct rfc5322 reader;
	uint64_t emitted;
	bool has_date, has_message_id, has_from, ended;
	unsigned repairs;
};

const char *intake_repair_text(enum intake_repair repair)
{
	static const char *const texts[] = {
#define X(name, text) text,
		INTAKE_REPAIR_MAP(X)
#undef X
	};

	return texts[repair];
}

static void emit(struct intake *intake, struct text bytes)
{
	if (bytes.len == 0)
		return;
	intake->emitted += bytes.len;
	intake->settings.emit(intake->settings.ctx, bytes.data, bytes.len);
}

static void date_now(const struct intake *intake, char out[40])
{
	rfc5322_date(out, intake->settings.now_ms / 1000,
	             intake->settings.offset_minutes);
}

/* HELO names are whatever a device makes of them; only a harmless one stands
 * in a header field. */
static const char *harmless_helo(const struct intake *intake)
{
	struct text helo = text_of(intake->envelope->helo);

	if (smtp_is_domain(helo) || smtp_is_address_literal(helo))
		return intake->envelope->helo;
	return "unknown";
}

static void emit_received(struct intake *intake)
{
	const struct envelope *envelope = intake->envelope;
	const char *family = strchr(envelope->client, ':') ? "IPv6:" : "";
	int client_len = (int)strcspn(envelope->client, "%"); /* no zone */
	struct buf field = BUF_INIT(4096);
	char id[MESSAGE_ID_TEXT], date[40];

	date_now(intake, date);
	buf_printf(&field,
	           "Received: from %s ([%s%.*s])\r\n"
	           "\tby %s (lanpost) with %s id %s;\r\n\t%s\r\n",
	           harmless_helo(intake), family, client_len, envelope->client,
	           intake->settings.hostname, intake->settings.protocol,
	           message_id_print(envelope->id, id), date);
	emit(intake, buf_text(&field));
	buf_free(&field);
}

struct intake *intake_new(const struct intake_settings *settings,
                          struct envelope *envelope)
{
	struct intake *intake = xcalloc(1, sizeof *intake);

	intake->settings = *settings;
	intake->envelope = envelope;
	rfc5322_init(&intake->reader, INTAKE_HEADER_MAX);
	emit_received(intake);
	return intake;
}

void intake_free(struct intake **intake)
{
	if (*intake == NULL)
		return;
	rfc5322_free(&(*intake)->reader);
	free(*intake);
	*intake = NULL;
}

unsigned intake_repairs(const struct intake *intake)
{
	return intake->repairs;
}

/* ---- what the header says ---- */

/* The value on one line, cut at max octets, for log and history. */
static char *shown(struct text value, size_t max)
{
	struct buf line = BUF_INIT(INTAKE_HEADER_MAX);
	char *copy, *c;
	size_t len;

	rfc5322_unfold(&line, value);
	len = utf8_cut(buf_text(&line), max).len;
	copy = xmemdup0(buf_text(&line).data, len);
	for (c = copy; c < copy + len; c++) {
		if (smtp_has_control(text_make(c, 1)))
			*c = ' ';
	}
	buf_free(&line);
	return copy;
}

static void note_from(struct intake *intake, struct text value)
{
	struct mailbox from;

	intake->has_from = true;
	mailbox_init(&from);
	if (intake->envelope->header_from == NULL &&
	    mailbox_parse(&from, value) &&
	    buf_len(&from.address) <= ADDRESS_MAX &&
	    !smtp_has_control(buf_text(&from.address)))
		intake->envelope->header_from = text_dup(buf_text(&from.address));
	mailbox_free(&from);
}

static void note_field(struct intake *intake, const struct rfc5322_field *field)
{
	struct envelope *envelope = intake->envelope;

	if (rfc5322_field_is(field, "Date")) {
		intake->has_date = true;
	} else if (rfc5322_field_is(field, "From")) {
		note_from(intake, field->value);
	} else if (rfc5322_field_is(field, "Message-ID")) {
		intake->has_message_id = true;
		if (envelope->header_id == NULL)
			envelope->header_id = shown(field->value, MESSAGE_ID_MAX);
	} else if (rfc5322_field_is(field, "Subject")) {
		if (envelope->subject == NULL)
			envelope->subject = shown(field->value, SUBJECT_MAX);
	}
}

/* ---- what it lacks ---- */

static void add_date(struct intake *intake)
{
	struct buf field = BUF_INIT(256);
	char date[40];

	date_now(intake, date);
	buf_printf(&field, "Date: %s\r\n", date);
	emit(intake, buf_text(&field));
	buf_free(&field);
	intake->repairs |= INTAKE_REPAIR(DATE);
}

static void add_message_id(struct intake *intake)
{
	struct buf field = BUF_INIT(1024);
	char id[MESSAGE_ID_TEXT];

	message_id_print(intake->envelope->id, id);
	free(intake->envelope->header_id);
	intake->envelope->header_id =
		xasprintf("<%s@%s>", id, intake->settings.hostname);
	buf_printf(&field, "Message-ID: %s\r\n", intake->envelope->header_id);
	emit(intake, buf_text(&field));
	buf_free(&field);
	intake->repairs |= INTAKE_REPAIR(MESSAGE_ID);
}

static void end_header(struct intake *intake)
{
	if (!intake->has_date)
		add_date(intake);
	if (!intake->has_message_id)
		add_message_id(intake);
	if (!intake->has_from)
		intake->repairs |= INTAKE_REPAIR(FROM);
	if (!intake->reader.separated)
		intake->repairs |= INTAKE_REPAIR(HEADER);
	emit(intake, text_of("\r\n"));
	intake->envelope->header_size = (uint32_t)intake->emitted;
	intake->ended = true;
}

static bool drain(struct intake *intake)
{
	struct rfc5322_field field;
	struct text body;

	for (;;) {
		switch (rfc5322_next(&intake->reader, &field, &body)) {
		case RFC5322_NONE:
			return intake->reader.state != RFC5322_FAILED;
		case RFC5322_FIELD:
			note_field(intake, &field);
			emit(intake, field.raw);
			break;
		case RFC5322_END:
			end_header(intake);
			break;
		case RFC5322_BODY:
			emit(intake, body);
			break;
		case RFC5322_TOO_BIG:
			return false;
		}
	}
}

bool intake_push(struct intake *intake, struct text content)
{
	rfc5322_push(&intake->reader, content);
	return drain(intake);
}

bool intake_finish(struct intake *intake)
{
	rfc5322_finish(&intake->reader);
	if (!drain(intake))
		return false;
	if (!intake->ended)
		end_header(intake);
	return true;
}
