#include "relay/inbound/intake.h"

#include <stdlib.h>
#include <string.h>

#include "proto/field_text.h"
#include "proto/smtp_syntax.h"
#include "proto/xalloc.h"
#include "relay/inbound/intake_private.h"

_Static_assert(INTAKE_REPAIRS <= 32, "the set of repairs is an unsigned");

const char *intake_repair_text(enum intake_repair repair)
{
	static const char *const texts[] = {
#define X(name, text) text,
		INTAKE_REPAIR_MAP(X)
#undef X
	};

	return texts[repair];
}

/* ---- what is stored ---- */

static void emit(struct intake *intake, struct text bytes)
{
	if (bytes.len == 0)
		return;
	intake->emitted += bytes.len;
	intake->settings.emit(intake->settings.ctx, bytes.data, bytes.len);
}

static void emit_field(struct intake *intake, struct text raw)
{
	struct rfc5322_field field;

	emit(intake, raw);
	rfc5322_field_make(&field, raw);
	mime_scan_field(intake->scan, &field);
	if (intake->emitted > 2 * INTAKE_HEADER_MAX)
		intake->error = "The header of the message is larger than a "
				"megabyte";
}

void intake_keep(struct intake *intake, const struct rfc5322_field *field)
{
	unsigned needs = field_needs(field);
	struct buf mended = BUF_INIT(FIELD_REPAIR_GROWTH * field->raw.len +
	                             FIELD_LINE_MAX);

	if (needs == 0) {
		emit_field(intake, field->raw);
		return;
	}
	intake->repairs |= needs;
	field_repair(&mended, field, intake->settings.charset);
	emit_field(intake, buf_text(&mended));
	buf_free(&mended);
}

void intake_put(struct intake *intake, const char *name, struct text value)
{
	size_t max = FIELD_REPAIR_GROWTH * value.len + FIELD_LINE_MAX;
	struct buf encoded = BUF_INIT(max), field = BUF_INIT(max);

	field_encode(&encoded, value);
	field_fold(&field, text_of(name), buf_text(&encoded));
	emit_field(intake, buf_text(&field));
	buf_free(&encoded);
	buf_free(&field);
}

/* HELO names are whatever a device makes of them; only a harmless one stands
 * in a header field, else the address (RFC 5321 4.4: From-domain). */
static void print_helo(struct buf *field, const struct intake *intake,
                       const char *family, int client_len)
{
	struct text helo = text_of(intake->envelope->helo);

	if (smtp_is_domain(helo) || smtp_is_address_literal(helo))
		buf_puts(field, intake->envelope->helo);
	else
		buf_printf(field, "[%s%.*s]", family, client_len,
		           intake->envelope->client);
}

static void emit_received(struct intake *intake)
{
	const struct envelope *envelope = intake->envelope;
	const char *family = strchr(envelope->client, ':') ? "IPv6:" : "";
	int client_len = (int)strcspn(envelope->client, "%"); /* no zone */
	struct buf field = BUF_INIT(4096);
	char id[MESSAGE_ID_TEXT], date[40];

	rfc5322_date(date, intake->settings.now_ms / 1000,
	             intake->settings.offset_minutes);
	buf_printf(&field, "Received: from ");
	print_helo(&field, intake, family, client_len);
	buf_printf(&field,
	           " ([%s%.*s])\r\n"
	           "\tby %s (lanpost) with %s id %s;\r\n\t%s\r\n",
	           family, client_len, envelope->client,
	           intake->settings.hostname, intake->settings.protocol,
	           message_id_print(envelope->id, id), date);
	emit_field(intake, buf_text(&field));
	buf_free(&field);
}

/* ---- life ---- */

struct intake *intake_new(const struct intake_settings *settings,
                          struct envelope *envelope)
{
	struct intake *intake = xcalloc(1, sizeof *intake);

	intake->settings = *settings;
	intake->envelope = envelope;
	intake->scan = mime_scan_new();
	rfc5322_init(&intake->reader, INTAKE_HEADER_MAX);
	emit_received(intake);
	return intake;
}

void intake_free(struct intake **intake)
{
	if (*intake == NULL)
		return;
	rfc5322_free(&(*intake)->reader);
	mime_scan_free(&(*intake)->scan);
	free(*intake);
	*intake = NULL;
}

unsigned intake_repairs(const struct intake *intake)
{
	return intake->repairs;
}

const struct mime_facts *intake_content(const struct intake *intake)
{
	return &intake->facts;
}

const char *intake_error(const struct intake *intake)
{
	return intake->error;
}

const char *intake_error_status(const struct intake *intake)
{
	return hops_error(&intake->hops) != NULL ? "5.4.6" : "5.6.0";
}

/* ---- the section and the body ---- */

static const char *excess_of(struct intake *intake,
                             const struct rfc5322_field *field)
{
	if (++intake->n_fields > INTAKE_FIELDS_MAX)
		return "The header of the message has more than 2000 fields";
	if (field->raw.len > INTAKE_FIELD_MAX)
		return "A header field of the message is larger than 256 KiB";
	if (field_is_bomb(field))
		return "Comments in the header of the message nest too deep";
	return NULL;
}

static void on_field(struct intake *intake, const struct rfc5322_field *field)
{
	intake->error = excess_of(intake, field);
	if (intake->error != NULL)
		return;
	hops_count(&intake->hops, field, intake->settings.hostname);
	intake->error = hops_error(&intake->hops);
	if (intake->error == NULL)
		intake_take(intake, field);
}

static void end_header(struct intake *intake)
{
	intake_complete(intake);
	if (intake->reader.mbox)
		intake->repairs |= INTAKE_REPAIR(MBOX);
	if (!intake->reader.separated)
		intake->repairs |= INTAKE_REPAIR(HEADER);
	emit(intake, text_of("\r\n"));
	intake->envelope->header_size = (uint32_t)intake->emitted;
	intake->ended = true;
}

/* False: push more. */
static bool next_item(struct intake *intake)
{
	struct rfc5322_field field;
	struct text body;

	switch (rfc5322_next(&intake->reader, &field, &body)) {
	case RFC5322_NONE:
		return false;
	case RFC5322_FIELD:
		on_field(intake, &field);
		break;
	case RFC5322_END:
		end_header(intake);
		break;
	case RFC5322_BODY:
		emit(intake, body);
		mime_scan_body(intake->scan, body);
		break;
	case RFC5322_TOO_BIG:
		intake->error = "The header of the message is larger than a "
				"megabyte";
		break;
	}
	return true;
}

static bool drain(struct intake *intake)
{
	while (intake->error == NULL && next_item(intake))
		continue;
	return intake->error == NULL;
}

bool intake_push(struct intake *intake, struct text content)
{
	if (intake->error != NULL)
		return false;
	rfc5322_push(&intake->reader, content);
	return drain(intake);
}

static void settle_content(struct intake *intake)
{
	const char *charset = intake->settings.charset;
	struct envelope *envelope = intake->envelope;

	mime_scan_finish(intake->scan,
	                 charset != NULL ? charset : "windows-1252",
	                 &intake->facts);
	free(envelope->content);
	envelope->content = intake->facts.plan;
	envelope->has_8bit = intake->facts.has_8bit;
}

bool intake_finish(struct intake *intake)
{
	if (intake->error != NULL)
		return false;
	rfc5322_finish(&intake->reader);
	if (!drain(intake))
		return false;
	if (!intake->ended)
		end_header(intake);
	settle_content(intake);
	return true;
}
