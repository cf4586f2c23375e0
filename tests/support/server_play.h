/*
 * server_play -- the server engine with someone beside it who answers, takes
 * the output, keeps a record, and minds the rules.
 *
 *     play = server_play_new(&settings);
 *     server_play_settle(play);               the greeting is said
 *     server_play_feed(play, bytes); ...      as often as bytes come
 *     server_play_settle(play);               nothing is open afterwards
 *
 * A prompt play answers at once; a late one only when the engine is full or
 * when settled, and asks next() once more while the question is open.  Both
 * end in the same record.
 */
#ifndef TESTS_SUPPORT_SERVER_PLAY_H
#define TESTS_SUPPORT_SERVER_PLAY_H

#include "tests/support/record.h"
#include "tests/support/server_rules.h"

struct server_play;

struct server_play_settings {
	struct smtp_server_settings engine;
	/* Answer the question, once, with server_play_reply(). */
	void (*answer)(void *ctx, struct server_play *play,
	               enum smtp_server_event_type question);
	/* May be NULL.  Sees each event before it is answered. */
	void (*event)(void *ctx, const struct smtp_server_event *event);
	/* May be NULL.  Gets each byte of output. */
	void (*output)(void *ctx, struct text bytes);
	void *ctx;
	bool late;      /* answer late */
	bool sips;      /* take the output byte by byte */
};

struct server_play *
server_play_new(const struct server_play_settings *settings);
void server_play_free(struct server_play **play);

void server_play_feed(struct server_play *play, struct text bytes);
void server_play_settle(struct server_play *play);
void server_play_reply(struct server_play *play, int code, const char *status,
                       const char *text);
/* Events that other calls made; record what came. */
void server_play_drain(struct server_play *play);

struct smtp_server *server_play_engine(struct server_play *play);
struct record *server_play_record(struct server_play *play);
/* The first rule that was broken; NULL: none. */
const char *server_play_broken(const struct server_play *play);
/* The dialogue as the engine's trace told it. */
struct text server_play_trace(const struct server_play *play);
/* "MAIL", for SMTP_SERVER_EV_MAIL. */
const char *server_play_event_name(enum smtp_server_event_type type);

#endif
