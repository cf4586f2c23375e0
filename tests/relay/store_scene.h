/*
 * store_scene -- a spool, a store and mail for them, for the tests, faults and
 * benches of queue/.  Waiting has a deadline and is for a condition.
 */
#ifndef TESTS_RELAY_STORE_SCENE_H
#define TESTS_RELAY_STORE_SCENE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/xalloc.h"
#include "relay/net/loop.h"
#include "relay/queue/store.h"

struct scene {
	struct loop *loop;
	struct spool *spool;
	struct store *store;
	struct store_recovery recovery;
	const char *error;
	unsigned turned_bad, turned_well;
	unsigned open_questions; /* of mail and of the scene */
};

enum { MAIL_SHARES_MAX = 4 };

/* One message on its way through body and store, and those that share its
 * body: all[0] is the envelope. */
struct mail {
	struct scene *scene;
	struct envelope *envelope;
	struct envelope *all[MAIL_SHARES_MAX];
	size_t n;
	struct body *body;
	struct text bytes;
	size_t appended;
	bool finished, accepted; /* the callback has come ... */
	bool *promise[MAIL_SHARES_MAX]; /* set when it was, or NULL */
	bool failed, full;       /* ... with an error */
	char error[256];
};

/* The bytes that message number n consists of: told apart everywhere. */
static inline char *scene_bytes(unsigned n, size_t len)
{
	char *bytes = xmalloc(len + sizeof(uint64_t));
	uint64_t x = 88172645463325252u + n * 7919u;

	for (size_t i = 0; i < len; i += sizeof(x)) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(bytes + i, &x, sizeof(x));
	}
	bytes[len] = '\0';
	return bytes;
}

static inline void scene_gave_up(void *ctx)
{
	(void)ctx;
	fputs("waited for a minute in vain\n", stderr);
	abort();
}

/* Run the loop until nothing that was asked is open any longer. */
static inline void scene_wait(struct scene *scene)
{
	struct timer *patience = timer_new(scene->loop, scene_gave_up, NULL);

	timer_start(patience, 60000);
	while (scene->open_questions > 0)
		loop_run(scene->loop);
	timer_free(&patience);
}

static inline void scene_tick(void *ctx)
{
	loop_stop(ctx);
}

/* A turn or a few of the loop, for what has no callback of its own. */
static inline void scene_turn(struct scene *scene)
{
	struct timer *tick = timer_new(scene->loop, scene_tick, scene->loop);

	timer_start(tick, 1);
	loop_run(scene->loop);
	timer_free(&tick);
}

static inline void scene_answered(struct scene *scene)
{
	if (--scene->open_questions == 0)
		loop_stop(scene->loop);
}

static inline void scene_on_health(void *ctx, const char *error)
{
	struct scene *scene = ctx;

	if (error)
		scene->turned_bad++;
	else
		scene->turned_well++;
}

static inline bool scene_open(struct scene *scene, const char *folder)
{
	struct spool_settings settings = { .folder = folder };

	memset(scene, 0, sizeof(*scene));
	scene->loop = loop_new();
	if (spool_open(&scene->spool, &settings, &scene->error) != SPOOL_OPEN)
		return false;
	scene->store = store_open(scene->spool, scene->loop, scene_on_health,
				  scene, &scene->recovery, &scene->error);
	return scene->store != NULL;
}

static inline void scene_close(struct scene *scene)
{
	store_close(&scene->store);
	loop_run(scene->loop); /* removals that are under way */
	spool_close(&scene->spool);
	loop_free(&scene->loop);
}

/* For a body whose owner gives it up. */
static inline void scene_drained(void *ctx)
{
	(void)ctx;
}

static inline void scene_finished(void *ctx, const char *error, bool full)
{
	(void)ctx;
	(void)error;
	(void)full;
	abort();
}

/* --- mail --------------------------------------------------------------- */

static inline void mail_note(struct mail *mail, const char *error, bool full)
{
	if (!error)
		return;
	mail->failed = true;
	mail->full = full;
	snprintf(mail->error, sizeof(mail->error), "%s", error);
}

static inline void mail_append(struct mail *mail);

static inline void mail_drained(void *ctx)
{
	mail_append(ctx);
}

static inline void mail_accepted(void *ctx, const char *error, bool full)
{
	struct mail *mail = ctx;

	mail->accepted = true;
	for (size_t i = 0; i < mail->n && !error; i++)
		if (mail->promise[i])
			*mail->promise[i] = true;
	mail_note(mail, error, full);
	scene_answered(mail->scene);
}

static inline void mail_finished(void *ctx, const char *error, bool full)
{
	struct mail *mail = ctx;

	mail->finished = true;
	mail_note(mail, error, full);
	if (error) {
		scene_answered(mail->scene);
		return;
	}
	for (size_t i = 0; i < mail->n; i++) {
		mail->all[i]->size = body_size(mail->body);
		mail->all[i]->checksum = body_checksum(mail->body);
		mail->all[i]->body_in_file = body_is_file(mail->body);
	}
	store_accept(mail->scene->store, mail->all, mail->n, mail->body,
		     mail_accepted, mail);
}

/* As a session does: stop when told to wait. */
static inline void mail_append(struct mail *mail)
{
	size_t step = 60000;
	bool go_on = true;

	while (go_on && mail->appended < mail->bytes.len) {
		size_t left = mail->bytes.len - mail->appended;
		size_t len = left < step ? left : step;

		go_on = body_append(mail->body,
				    mail->bytes.data + mail->appended, len);
		mail->appended += len;
	}
	if (mail->appended == mail->bytes.len && go_on)
		body_finish(mail->body);
}

static inline void mail_fill_envelope(struct envelope *e, unsigned n)
{
	char address[64];

	e->client = xstrdup("192.0.2.7");
	e->listener = xstrdup("default");
	e->helo = xstrdup("scanner");
	e->reverse_path = xasprintf("scan%u@example.com", n);
	e->header_from = xasprintf("scan%u@example.com", n);
	e->subject = xasprintf("Scan %u", n);
	e->header_id = xasprintf("<%u@scanner.example.com>", n);
	e->account = xstrdup("default");
	e->received_ms = message_id_time_ms(e->id);
	e->expires_ms = e->received_ms + 432000000;
	e->next_attempt_ms = e->received_ms;
	e->header_size = 100;
	for (unsigned i = 0; i <= n % 3; i++) {
		snprintf(address, sizeof(address), "to%u@example.net", i);
		envelope_add_recipient(e, text_of(address));
	}
}

/* Starts message number n of len octets; scene_wait() ends it. */
static inline void mail_start(struct mail *mail, struct scene *scene,
			      unsigned n, size_t len)
{
	struct body_callbacks callbacks = { mail_drained, mail_finished };

	memset(mail, 0, sizeof(*mail));
	mail->scene = scene;
	mail->bytes = text_make(scene_bytes(n, len), len);
	mail->envelope = envelope_new();
	mail->envelope->id = message_id_new(wall_now_ms(), random_u32());
	mail_fill_envelope(mail->envelope, n);
	mail->all[mail->n++] = mail->envelope;
	mail->body = body_new(scene->spool, scene->loop, mail->envelope->id,
			      &callbacks, mail);
	scene->open_questions++;
	mail_append(mail);
}

/* After mail_start(): envelope number n is accepted with it. */
static inline struct envelope *mail_share(struct mail *mail, unsigned n)
{
	struct envelope *envelope = envelope_new();

	envelope->id = message_id_new(wall_now_ms(), random_u32());
	mail_fill_envelope(envelope, n);
	mail->all[mail->n++] = envelope;
	return envelope;
}

static inline void mail_end(struct mail *mail)
{
	if (mail->failed)
		body_abort(&mail->body);
	else
		body_free(&mail->body);
	envelope_free(&mail->envelope);
	for (size_t i = 1; i < mail->n; i++)
		envelope_free(&mail->all[i]);
	free((char *)mail->bytes.data);
}

/* Puts message number n into the store and returns its id. */
static inline message_id scene_send(struct scene *scene, unsigned n, size_t len)
{
	struct mail mail;
	message_id id;

	mail_start(&mail, scene, n, len);
	scene_wait(scene);
	id = mail.failed ? 0 : mail.envelope->id;
	mail_end(&mail);
	return id;
}

/* --- asking the store --------------------------------------------------- */

struct loaded {
	struct scene *scene;
	struct envelope **envelopes;
	size_t n;
	char *bytes;
	size_t len;
	bool failed;
};

static inline void loaded_due(void *ctx, struct envelope **envelopes, size_t n,
			      const char *error)
{
	struct loaded *loaded = ctx;

	loaded->failed = error != NULL;
	loaded->envelopes = xcalloc(n, sizeof(*envelopes));
	if (n > 0)
		memcpy(loaded->envelopes, envelopes, n * sizeof(*envelopes));
	loaded->n = n;
	scene_answered(loaded->scene);
}

static inline struct loaded scene_load(struct scene *scene, size_t limit)
{
	struct loaded loaded = { .scene = scene };

	scene->open_questions++;
	store_load_due(scene->store, limit, loaded_due, &loaded);
	scene_wait(scene);
	return loaded;
}

static inline void loaded_body(void *ctx, char *bytes, size_t len,
			       const char *error)
{
	struct loaded *loaded = ctx;

	loaded->failed = error != NULL;
	loaded->bytes = bytes;
	loaded->len = len;
	scene_answered(loaded->scene);
}

static inline void loaded_file(void *ctx, const void *data, size_t len,
			       const char *error)
{
	struct loaded *loaded = ctx;

	loaded->failed = error != NULL;
	if (!error) {
		loaded->bytes = xmemdup0(data, len);
		loaded->len = len;
	}
	scene_answered(loaded->scene);
}

static inline void load_file(struct scene *scene, const struct envelope *e,
			     struct loaded *loaded)
{
	const char *error;
	struct body_file *file = body_file_open(scene->spool, scene->loop,
						e->id, e->size, &error);

	loaded->failed = !file;
	if (!file)
		return;
	scene->open_questions++;
	body_file_read(file, 0, e->size, loaded_file, loaded);
	scene_wait(scene);
	body_file_close(&file);
}

/* The body of this message, wherever it is kept. */
static inline struct loaded scene_load_body(struct scene *scene,
					    const struct envelope *e)
{
	struct loaded loaded = { .scene = scene };

	if (e->body_in_file) {
		load_file(scene, e, &loaded);
		return loaded;
	}
	scene->open_questions++;
	store_load_body(scene->store, e->id, loaded_body, &loaded);
	scene_wait(scene);
	return loaded;
}

static inline void loaded_free(struct loaded *loaded)
{
	for (size_t i = 0; i < loaded->n; i++)
		envelope_free(&loaded->envelopes[i]);
	free(loaded->envelopes);
	free(loaded->bytes);
}

/* --- outcomes ----------------------------------------------------------- */

static inline void outcome_done(void *ctx, const char *error, bool full)
{
	struct scene *scene = ctx;

	(void)full;
	if (error)
		fprintf(stderr, "outcome: %s\n", error);
	scene_answered(scene);
}

/* What a good delivery to n recipients is told as. */
static inline struct outcome *outcome_delivered(message_id id, size_t n)
{
	struct outcome *outcome = outcome_new(id);

	outcome->state = MESSAGE_DELIVERED;
	outcome->finished_ms = outcome->ended_ms = wall_now_ms();
	outcome->started_ms = outcome->ended_ms - 10;
	outcome->attempts = 1;
	outcome->drop_body = true;
	outcome->account = xstrdup("default");
	outcome->host = xstrdup("smtp.example.net [192.0.2.25]:587");
	outcome->stage = xstrdup("end of data");
	outcome->reply = xstrdup("250 2.0.0 Ok: queued as 4XyZ");
	for (size_t i = 0; i < n; i++)
		outcome_add(outcome, i, RECIPIENT_DELIVERED,
			    "250 2.0.0 Ok: queued as 4XyZ", NULL, 0);
	return outcome;
}

static inline void scene_outcome(struct scene *scene, struct outcome *outcome)
{
	scene->open_questions++;
	store_outcome(scene->store, &outcome, outcome_done, scene);
	scene_wait(scene);
}

#endif
