/* A message as a device sends it: stored the same whole and in pieces, header
 * well-formed, Received first, each single field once, in ASCII and lines that
 * may be sent, body untouched, what is told harmless; and taken in again it
 * needs nothing. */
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
		                            .charset = "windows-1252",
		                            .from = "relay@contoso.com",
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

static const struct {
	const char *name;
	unsigned min, max; /* how often it stands there */
} counted[] = {
	{ "Date", 1, 1 },
	{ "Message-ID", 1, 1 },
	{ "From", 1, 1 },
	{ "Sender", 0, 1 },
	{ "Reply-To", 0, 1 },
	{ "To", 0, 1 },
	{ "Cc", 0, 1 },
	{ "Subject", 0, 1 },
	{ "MIME-Version", 0, 1 },
	{ "Content-Type", 0, 1 },
	{ "Content-Transfer-Encoding", 0, 1 },
	{ "In-Reply-To", 0, 1 },
	{ "References", 0, 1 },
	{ "Bcc", 0, 0 },
	{ "Resent-Bcc", 0, 0 },
	{ "Return-Path", 0, 0 },
};

enum { COUNTED = sizeof(counted) / sizeof(*counted) };

static void check_lines(struct text raw)
{
	struct text line;

	while (text_token(&raw, '\n', &line)) {
		must(line.len > 0 && line.data[line.len - 1] == '\r');
		line.len--;
		must(line.len <= 998 && text_trim(line).len > 0);
		for (size_t i = 0; i < line.len; i++)
			must((line.data[i] >= ' ' && line.data[i] < 127) ||
			     line.data[i] == '\t');
	}
}

static void count_field(unsigned counts[COUNTED],
                        const struct rfc5322_field *field)
{
	must(field->raw.data[field->name.len] == ':');
	for (size_t i = 0; i < COUNTED; i++)
		counts[i] += rfc5322_field_is(field, counted[i].name);
}

static void check_header(const struct stored *stored)
{
	struct text header = text_make(buf_text(&stored->bytes).data,
	                               stored->envelope->header_size);
	unsigned fields = 0, counts[COUNTED] = { 0 };
	struct rfc5322_field field;
	struct rfc5322 reader;
	enum rfc5322_item item;
	struct text body;

	rfc5322_init(&reader, ROOM);
	rfc5322_push(&reader, header);
	rfc5322_finish(&reader);
	while ((item = rfc5322_next(&reader, &field, &body)) == RFC5322_FIELD) {
		must(fields++ > 0 || rfc5322_field_is(&field, "Received"));
		check_lines(field.raw);
		count_field(counts, &field);
	}
	must(item == RFC5322_END && reader.separated && !reader.mbox);
	must(rfc5322_next(&reader, &field, &body) == RFC5322_NONE);
	for (size_t i = 0; i < COUNTED; i++)
		must(counts[i] >= counted[i].min &&
		     counts[i] <= counted[i].max);
	must(counts[5] + counts[6] > 0); /* To or Cc */
	rfc5322_free(&reader);
}

/* The body is the message's end. */
static void check_body(const struct stored *stored, struct text message)
{
	struct text body = text_skip(buf_text(&stored->bytes),
	                             stored->envelope->header_size);

	must(body.len <= message.len &&
	     text_equal(body, text_skip(message, message.len - body.len)));
}

static void check_again(const struct stored *stored)
{
	struct text first = buf_text(&stored->bytes), second;
	struct stored again;

	take_in(&again, "scanner", first, 0);
	second = buf_text(&again.bytes);
	must(again.taken && again.repairs == 0 && second.len > first.len);
	must(text_equal(first, text_skip(second, second.len - first.len)));
	must(text_equal(text_of(stored->envelope->header_from),
	                text_of(again.envelope->header_from)));
	must(text_equal(text_of(stored->envelope->content),
	                text_of(again.envelope->content)));
	stored_free(&again);
}

static void check_same(const struct stored *a, const struct stored *b)
{
	must(a->taken == b->taken && a->repairs == b->repairs);
	must(text_equal(buf_text(&a->bytes), buf_text(&b->bytes)));
	must(a->envelope->header_size == b->envelope->header_size);
	must(a->envelope->has_8bit == b->envelope->has_8bit);
	must(text_equal(text_of(a->envelope->content),
	                text_of(b->envelope->content)));
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
		check_body(&whole, message);
		check_again(&whole);
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
