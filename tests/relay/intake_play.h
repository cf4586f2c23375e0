/*
 * intake_play -- one message taken in, for the tests of intake.
 */
#ifndef TESTS_RELAY_INTAKE_PLAY_H
#define TESTS_RELAY_INTAKE_PLAY_H

#include <string.h>

#include "proto/rfc5322.h"
#include "proto/xalloc.h"
#include "relay/inbound/intake.h"
#include "tests/support/bytes.h"
#include "tests/support/guarded.h"

#define HOST "relay.contoso.com"
#define NOW_MS INT64_C(1795228855000) /* Sat, 21 Nov 2026 02:40:55 +0000 */
#define DATE_UTC "Sat, 21 Nov 2026 02:40:55 +0000"

enum { ROOM = 16 * 1024 * 1024 };

/* What is as good as a message needs to be. */
#define GOOD                                            \
	"Date: Fri, 20 Nov 2026 12:00:00 +0100\r\n"     \
	"Message-ID: <1@scanner.example>\r\n"           \
	"From: Scanner <scan@scanner.example>\r\n"      \
	"To: a@b.example\r\n"                          \
	"Subject: Scan 1\r\n"

/* Parts of one, for what is wrong with another. */
#define A_DATE "Date: Fri, 20 Nov 2026 12:00:00 +0100\r\n"
#define AN_ID "Message-ID: <1@x>\r\n"
#define A_FROM "From: a@b.example\r\n"
#define A_TO "To: a@b.example\r\n"
#define OUR_FROM "relay@contoso.com"

/* One message taken in. */
struct play {
	struct envelope *envelope;
	struct intake *intake;
	struct buf out;
	bool pushed, finished;
	unsigned repairs;
};

static inline void emit(void *ctx, const void *data, size_t len)
{
	struct play *play = ctx;

	assert_true(buf_append(&play->out, data, len));
}

static inline void push(void *ctx, struct text piece)
{
	struct play *play = ctx;

	play->pushed = intake_push(play->intake, piece) && play->pushed;
}

static inline struct envelope *envelope_from(const char *client, const char *helo)
{
	struct envelope *envelope = envelope_new();

	envelope->id = (message_id)NOW_MS << 20 | 4711;
	envelope->client = xstrdup(client);
	envelope->helo = xstrdup(helo);
	envelope->reverse_path = xstrdup("scan@scanner.example");
	return envelope;
}

static inline void play_begin(struct play *play, const char *client, const char *helo)
{
	struct intake_settings settings = { .hostname = HOST,
		                            .protocol = "ESMTP",
		                            .charset = "windows-1252",
		                            .from = OUR_FROM,
		                            .now_ms = NOW_MS,
		                            .emit = emit,
		                            .ctx = play };

	memset(play, 0, sizeof(*play));
	play->out = BUF_INIT(ROOM);
	play->pushed = true;
	play->envelope = envelope_from(client, helo);
	play->intake = intake_new(&settings, play->envelope);
}

static inline void play_finish(struct play *play)
{
	play->finished = play->pushed && intake_finish(play->intake);
	play->repairs = intake_repairs(play->intake);
	intake_free(&play->intake);
	assert_null(play->intake);
}

static inline void play_free(struct play *play)
{
	envelope_free(&play->envelope);
	buf_free(&play->out);
}

static inline struct play take_in(struct text content)
{
	struct guarded copy = guarded_copy(content);
	struct play play;

	play_begin(&play, "192.0.2.7", "scanner.example");
	push(&play, copy.text);
	guarded_free(&copy);
	play_finish(&play);
	return play;
}

/* The stored message without the Received field that it must begin with. */
static inline struct text behind_received(const struct play *play)
{
	struct rfc5322_field field;
	struct rfc5322 reader;
	struct text body, rest;

	rfc5322_init(&reader, ROOM);
	rfc5322_push(&reader, buf_text(&play->out));
	assert_int_equal(rfc5322_next(&reader, &field, &body), RFC5322_FIELD);
	assert_true(rfc5322_field_is(&field, "Received"));
	rest = text_skip(buf_text(&play->out), field.raw.len);
	rfc5322_free(&reader);
	return rest;
}
static inline void assert_same(const char *name, const char *a, const char *b)
{
	if ((a == NULL) != (b == NULL) || (a && strcmp(a, b) != 0))
		fail_msg("%s: %s is not %s", name, a, b);
}

static inline void fill(struct buf *out, const char *line, size_t len)
{
	while (buf_len(out) + strlen(line) <= len)
		buf_puts(out, line);
}

#endif
