/* A message as a device sends it: stored the same whole and in pieces, header
 * well-formed, Received first, body untouched, what is told harmless. */
#include <string.h>

#include "proto/rfc5322.h"
#include "proto/smtp_syntax.h"
#include "proto/xalloc.h"
#include "relay/inbound/intake.h"
#include "tests/fuzz/fuzz.h"

enum { ROOM = 1 << 24 };

struct stored {
	struct envelope *envelope;
	struct buf bytes;
	bool taken;
	unsigned repairs;
};

static void emit(void *ctx, const void *data, size_t len)
{
	struct stored *stored = ctx;

	must(len > 0);
	must(buf_append(&stored->bytes, data, len));
}

static void take_in(struct stored *stored, const char *helo,
                    struct text message, unsigned step)
{
	struct intake_settings settings = { .hostname = "relay.contoso.com",
		                            .protocol = "ESMTP",
		                            .now_ms = 1795228855000,
		                            .emit = emit,
		                            .ctx = stored };
	struct intake *intake;
	struct text piece;

	*stored = (struct stored){ envelope_new(), BUF_INIT(ROOM), true, 0 };
	stored->envelope->id = 4711;
	stored->envelope->client = xstrdup("2001:db8::7");
	stored->envelope->helo = xstrdup(helo);
	intake = intake_new(&settings, stored->envelope);
	while (stored->taken && fuzz_piece(&message, &step, &piece))
		stored->taken = intake_push(intake, piece);
	stored->taken = stored->taken && intake_finish(intake);
	stored->repairs = intake_repairs(intake);
	intake_free(&intake);
}

static void stored_free(struct stored *stored)
{
	envelope_free(&stored->envelope);
	buf_free(&stored->bytes);
}

static void check_string(const char *string, size_t max)
{
	must(string == NULL || strlen(string) <= max);
	must(string == NULL || !smtp_has_control(text_of(string)));
}

/* The section: fields only, each thing that must be there once or more. */
static void check_header(const struct stored *stored)
{
	struct text header = text_make(buf_text(&stored->bytes).data,
	                               stored->envelope->header_size);
	unsigned fields = 0, dates = 0, ids = 0;
	struct rfc5322_field field;
	struct rfc5322 reader;
	enum rfc5322_item item;
	struct text body;

	rfc5322_init(&reader, ROOM);
	rfc5322_push(&reader, header);
	rfc5322_finish(&reader);
	while ((item = rfc5322_next(&reader, &field, &body)) == RFC5322_FIELD) {
		must(fields++ > 0 || rfc5322_field_is(&field, "Received"));
		dates += rfc5322_field_is(&field, "Date");
		ids += rfc5322_field_is(&field, "Message-ID");
	}
	must(item == RFC5322_END && reader.separated);
	must(rfc5322_next(&reader, &field, &body) == RFC5322_NONE);
	must(dates > 0 && ids > 0);
	rfc5322_free(&reader);
}

/* What was sent stands in what is stored: fields in order, then the body. */
static void check_content(const struct stored *stored, struct text message)
{
	struct text bytes = buf_text(&stored->bytes), rest = message;
	struct rfc5322_field field;
	struct rfc5322 reader;
	struct text body;

	bytes = text_skip(bytes, (size_t)((const char *)memmem(
		bytes.data, bytes.len, "+0000\r\n", 7) - bytes.data) + 7);
	rfc5322_init(&reader, ROOM);
	rfc5322_push(&reader, message);
	rfc5322_finish(&reader);
	while (rfc5322_next(&reader, &field, &body) == RFC5322_FIELD) {
		must(bytes.len >= field.raw.len &&
		     memcmp(bytes.data, field.raw.data, field.raw.len) == 0);
		bytes = text_skip(bytes, field.raw.len);
		rest = text_skip(rest, field.raw.len);
	}
	if (reader.separated)
		rest = text_skip(rest, 2);
	rfc5322_free(&reader);
	must(text_equal(rest, text_skip(buf_text(&stored->bytes),
	                                stored->envelope->header_size)));
}

static void check_same(const struct stored *a, const struct stored *b)
{
	must(a->taken == b->taken && a->repairs == b->repairs);
	must(text_equal(buf_text(&a->bytes), buf_text(&b->bytes)));
	must(a->envelope->header_size == b->envelope->header_size);
	must(text_equal(text_of(a->envelope->subject),
	                text_of(b->envelope->subject)));
	must(text_equal(text_of(a->envelope->header_from),
	                text_of(b->envelope->header_from)));
	must(text_equal(text_of(a->envelope->header_id),
	                text_of(b->envelope->header_id)));
}

/* The first line is the name in HELO. */
static char *split_helo(struct text *message)
{
	const char *end = message->len == 0 ? NULL :
		memchr(message->data, '\n', message->len);
	size_t len = end == NULL ? 0 : (size_t)(end - message->data);
	char *helo = xmemdup0(message->data, len);

	for (size_t i = 0; i < len; i++)
		if (smtp_has_control(text_make(helo + i, 1)))
			helo[i] = ' ';
	if (end != NULL)
		*message = text_skip(*message, len + 1);
	return helo;
}

static void check(const char *helo, struct text message, unsigned step)
{
	struct stored whole, split;

	take_in(&whole, helo, message, 0);
	take_in(&split, helo, message, step);
	check_same(&whole, &split);
	check_string(whole.envelope->subject, 200);
	check_string(whole.envelope->header_from, 320);
	check_string(whole.envelope->header_id, 998);
	if (whole.taken) {
		check_header(&whole);
		check_content(&whole, message);
	}
	stored_free(&whole);
	stored_free(&split);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned step = fuzz_step(&data, &size);
	struct text message = text_make((const char *)data, size);
	char *helo = split_helo(&message);
	struct buf ended = BUF_INIT(ROOM);

	/* Mail data is empty or ends in CRLF (smtp_data.h). */
	buf_text_append(&ended, message);
	if (message.len > 0)
		buf_puts(&ended, "\r\n");
	check(helo, buf_text(&ended), step);
	buf_free(&ended);
	free(helo);
	return 0;
}
