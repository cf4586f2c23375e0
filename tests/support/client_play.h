/*
 * client_play -- the client engine with someone beside it who takes the
 * output, keeps a record, and minds the rules.
 *
 *     play = client_play_new(&settings);
 *     client_play_feed(play, bytes); ...
 *
 * The event callback may call begin(), body() and the rest, as a caller would
 * inside its loop.  Events are named by stage and transaction:
 *
 *     E: RECIPIENT a 0 250 2.1.5 Ok      E: DONE a DATA_END 250 2.0.0 Ok
 */
#ifndef TESTS_SUPPORT_CLIENT_PLAY_H
#define TESTS_SUPPORT_CLIENT_PLAY_H

#include "tests/support/client_rules.h"
#include "tests/support/record.h"

struct client_play;

struct client_play_settings {
	struct smtp_client_settings engine;
	/* May be NULL. */
	void (*event)(void *ctx, struct client_play *play,
	              const struct smtp_client_event *event);
	/* May be NULL.  Gets each byte of output. */
	void (*output)(void *ctx, struct text bytes);
	void *ctx;
	bool sips;      /* take the output, and give bodies, byte by byte */
};

struct client_play *
client_play_new(const struct client_play_settings *settings);
void client_play_free(struct client_play **play);

void client_play_feed(struct client_play *play, struct text bytes);
void client_play_tls_established(struct client_play *play);
/* owner is a C string: the transaction's name in the record. */
void client_play_begin(struct client_play *play,
                       const struct smtp_transaction *transaction);
void client_play_body(struct client_play *play, struct text bytes, bool last);
void client_play_quit(struct client_play *play);

struct smtp_client *client_play_engine(struct client_play *play);
struct record *client_play_record(struct client_play *play);
/* The first rule that was broken; NULL: none. */
const char *client_play_broken(const struct client_play *play);
/* FAILED or CLOSED was told. */
bool client_play_is_over(const struct client_play *play);
/* The dialogue as the engine's trace told it. */
struct text client_play_trace(const struct client_play *play);

#endif
