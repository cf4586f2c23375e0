/*
 * queue_scene -- a queue upon a store scene, and mail that waits in it, for
 * the tests of queue/ and outbound/.
 */
#ifndef TESTS_RELAY_QUEUE_SCENE_H
#define TESTS_RELAY_QUEUE_SCENE_H

#include "relay/config/config.h"
#include "relay/queue/queue.h"
#include "relay/services.h"
#include "tests/relay/store_scene.h"

struct queue_scene {
	struct scene store;
	struct services services;
	struct queue *queue;
	unsigned heard;          /* calls of on_ready */
	char heard_account[64];  /* of the last one */
	/* Whatever is for the first goes by the second, if they are set. */
	const char *out, *instead;
	/* Told of failures, if it is set. */
	void (*notice_due)(void *ctx);
	void *notice_ctx;
	/* of the wait under way */
	bool (*done)(struct queue_scene *scene);
	struct timer *tick;
};

static inline void queue_scene_on_ready(void *ctx, const char *account)
{
	struct queue_scene *scene = ctx;

	scene->heard++;
	snprintf(scene->heard_account, sizeof(scene->heard_account), "%s",
	         account);
}

static inline void queue_scene_on_notice_due(void *ctx)
{
	struct queue_scene *scene = ctx;

	if (scene->notice_due != NULL)
		scene->notice_due(scene->notice_ctx);
}

static inline const char *
queue_scene_route(void *ctx, const struct envelope *envelope)
{
	struct queue_scene *scene = ctx;

	return scene->out != NULL && strcmp(envelope->account, scene->out) == 0
	               ? scene->instead : envelope->account;
}

static inline bool queue_scene_open(struct queue_scene *scene,
                                    const char *folder)
{
	static char *const environment[] = {
		(char *)"LANPOST_ACCOUNT_HOST=127.0.0.1",
		(char *)"LANPOST_ACCOUNT_TLS=none",
		(char *)"LANPOST_ACCOUNT_SENDER_POLICY=pass",
		(char *)"LANPOST_RELAY_HOSTNAME=relay.example", NULL
	};
	static const struct queue_callbacks callbacks = { queue_scene_route,
		queue_scene_on_ready, queue_scene_on_notice_due };
	struct config_error error = { NULL };

	memset(scene, 0, sizeof(*scene));
	if (!scene_open(&scene->store, folder))
		return false;
	scene->services.loop = scene->store.loop;
	scene->services.spool = scene->store.spool;
	scene->services.store = scene->store.store;
	scene->services.config = config_load(NULL, environment, NULL, &error);
	if (scene->services.config == NULL) {
		fprintf(stderr, "%s\n", error.message);
		abort();
	}
	scene->queue = queue_new(&scene->services, &callbacks, scene);
	scene->services.queue = scene->queue;
	return true;
}

static inline void queue_scene_close(struct queue_scene *scene)
{
	queue_free(&scene->queue);
	config_unref(&scene->services.config);
	scene_close(&scene->store);
}

/* --- waiting for a condition -------------------------------------------- */

static inline void queue_scene_tick(void *ctx)
{
	struct queue_scene *scene = ctx;

	if (scene->done(scene))
		loop_stop(scene->store.loop);
	else
		timer_start(scene->tick, 1);
}

/* Run the loop until it holds; a minute at most. */
static inline void queue_scene_until(struct queue_scene *scene,
                                     bool (*done)(struct queue_scene *scene))
{
	struct timer *patience =
		timer_new(scene->store.loop, scene_gave_up, NULL);

	scene->done = done;
	scene->tick = timer_new(scene->store.loop, queue_scene_tick, scene);
	timer_start(scene->tick, 0);
	timer_start(patience, 60000);
	loop_run(scene->store.loop);
	timer_free(&scene->tick);
	timer_free(&patience);
}

static inline bool queue_scene_is_empty(struct queue_scene *scene)
{
	return queue_total(scene->queue) == 0;
}

/* --- mail --------------------------------------------------------------- */

/* What a message may have of its own; zeroes: as mail_fill_envelope() says. */
struct waiting_mail {
	const char *account;
	size_t len;
	int64_t expires_ms, next_attempt_ms;
	unsigned recipients;
};

static inline void queue_scene_adjust(struct envelope *envelope,
                                      const struct waiting_mail *wish)
{
	if (wish->account != NULL) {
		free(envelope->account);
		envelope->account = xstrdup(wish->account);
	}
	if (wish->expires_ms != 0)
		envelope->expires_ms = wish->expires_ms;
	if (wish->next_attempt_ms != 0)
		envelope->next_attempt_ms = wish->next_attempt_ms;
	for (unsigned i = 0; i < wish->recipients; i++) {
		char address[64];

		snprintf(address, sizeof(address), "more%u@example.net", i);
		envelope_add_recipient(envelope, text_of(address));
	}
}

/* Into the store, and from there into the queue as a session does it. */
static inline void queue_scene_finish(struct queue_scene *scene,
                                      struct mail *mail, bool queue_it)
{
	char *bytes;

	if (mail->failed) {
		fprintf(stderr, "%s\n", mail->error);
		abort();
	}
	bytes = body_take_bytes(mail->body);
	body_free(&mail->body);
	if (queue_it)
		queue_add(scene->queue, &mail->envelope, bytes);
	else
		free(bytes);
	mail_end(mail);
}

static inline message_id queue_scene_add(struct queue_scene *scene, unsigned n,
                                         const struct waiting_mail *wish)
{
	struct mail mail;
	message_id id;

	mail_start(&mail, &scene->store, n, wish->len ? wish->len : 1000);
	queue_scene_adjust(mail.envelope, wish);
	scene_wait(&scene->store);
	id = mail.envelope->id;
	queue_scene_finish(scene, &mail, true);
	return id;
}

/* --- outcomes ----------------------------------------------------------- */

/* Of an attempt that delivered to all that were still queued. */
static inline struct outcome *queue_scene_delivered(struct message *message)
{
	const struct envelope *envelope = message_envelope(message);
	struct outcome *outcome = outcome_delivered(envelope->id, 0);

	outcome->attempts = envelope->attempts + 1;
	for (size_t i = 0; i < envelope->n_recipients; i++)
		if (envelope->recipients[i].state == RECIPIENT_QUEUED)
			outcome_add(outcome, i, RECIPIENT_DELIVERED, "250 Ok", NULL, 0);
	return outcome;
}

/* Of one that was put off. */
static inline struct outcome *queue_scene_deferred(struct message *message,
                                                   int64_t next_attempt_ms)
{
	const struct envelope *envelope = message_envelope(message);
	struct outcome *outcome = outcome_new(envelope->id);

	outcome->state = MESSAGE_QUEUED;
	outcome->next_attempt_ms = next_attempt_ms;
	outcome->attempts = envelope->attempts + 1;
	outcome->reason = xstrdup("message-deferred");
	outcome->ended_ms = wall_now_ms();
	outcome->started_ms = outcome->ended_ms - 10;
	outcome->account = xstrdup(envelope->account);
	outcome->host = xstrdup("smtp.example.net");
	outcome->stage = xstrdup("DATA");
	outcome->reply = xstrdup("451 4.3.0 later");
	for (size_t i = 0; i < envelope->n_recipients; i++)
		if (envelope->recipients[i].state == RECIPIENT_QUEUED)
			outcome_add(outcome, i, RECIPIENT_QUEUED, "451 later", NULL, 0);
	return outcome;
}

static inline void queue_scene_settle(struct queue_scene *scene,
                                      struct message *message,
                                      struct outcome *outcome)
{
	queue_settle(scene->queue, message, &outcome);
	if (outcome != NULL)
		abort();
}

#endif
