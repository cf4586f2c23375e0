#include "relay/queue/queue_private.h"

#include <stdlib.h>
#include <string.h>

#include "proto/xalloc.h"
#include "relay/net/loop.h"
#include "relay/queue/verdict.h"

struct envelope *message_envelope(struct message *message)
{
	return message->envelope;
}

bool message_bytes(const struct message *message, struct text *bytes_r)
{
	*bytes_r = text_make(message->bytes, message->envelope->size);
	return message->bytes != NULL;
}

bool message_tell_once(struct message *message, unsigned outage)
{
	bool first = message->told_outage != outage;

	message->told_outage = outage;
	return first;
}

/* ---- the table of resident messages ---- */

static struct message **bucket(struct queue *queue, message_id id)
{
	return &queue->buckets[(id ^ id >> 20) % BUCKETS];
}

size_t queue_total(const struct queue *queue)
{
	return queue->resident;
}

struct message *queue_find(struct queue *queue, message_id id)
{
	struct message *message = *bucket(queue, id);

	while (message != NULL && message->envelope->id != id)
		message = message->same_bucket;
	return message;
}

struct message *message_admit(struct queue *queue, struct envelope **envelope)
{
	struct message *message = xcalloc(1, sizeof *message);
	struct message **head = bucket(queue, (*envelope)->id);

	message->envelope = *envelope;
	message->queue = queue;
	message->same_bucket = *head;
	*head = message;
	*envelope = NULL;
	queue->resident++;
	return message;
}

void message_keep_bytes(struct message *message, char *bytes)
{
	struct queue *queue = message->queue;

	if (bytes == NULL ||
	    queue->kept_bytes + message->envelope->size > KEPT_BYTES_MAX) {
		free(bytes);
		return;
	}
	message->bytes = bytes;
	queue->kept_bytes += message->envelope->size;
}

void message_drop_bytes(struct message *message)
{
	if (message->bytes == NULL)
		return;
	message->queue->kept_bytes -= message->envelope->size;
	free(message->bytes);
	message->bytes = NULL;
}

void message_dismiss(struct message *message)
{
	struct queue *queue = message->queue;
	struct message **at = bucket(queue, message->envelope->id);

	while (*at != message)
		at = &(*at)->same_bucket;
	*at = message->same_bucket;
	queue->resident--;
	message_drop_bytes(message);
	change_free(&message->change);
	envelope_free(&message->envelope);
	free(message);
}

void message_leave(struct message *message)
{
	struct queue *queue = message->queue;

	message_dismiss(message);
	if (queue->more_in_store && queue->resident < QUEUE_RESIDENT_MAX / 2)
		queue_load_more(queue);
}

/* ---- life ---- */

struct queue *queue_new(struct services *services,
                        const struct queue_callbacks *callbacks, void *ctx)
{
	struct queue *queue = xcalloc(1, sizeof *queue);

	queue->services = services;
	queue->callbacks = callbacks;
	queue->ctx = ctx;
	TAILQ_INIT(&queue->saving);
	queue->timer = timer_new(services->loop, queue_on_timer, queue);
	return queue;
}

void queue_free(struct queue **queue_p)
{
	struct queue *queue = *queue_p;
	size_t i;

	if (queue == NULL)
		return;
	queue_free_lanes(queue);
	for (i = 0; i < BUCKETS; i++) {
		while (queue->buckets[i] != NULL)
			message_dismiss(queue->buckets[i]);
	}
	heap_free(&queue->waiting);
	timer_free(&queue->timer);
	free(queue);
	*queue_p = NULL;
}

/* ---- what does not fit in memory ---- */

/* Room for this one: if there is none, one that waits for longer goes back to
 * the store, or one of a client that has many more. */
static bool make_room(struct queue *queue, const struct envelope *envelope)
{
	struct message *other;

	if (queue->resident < QUEUE_RESIDENT_MAX)
		return true;
	queue->more_in_store = true;
	other = queue_last_waiting(queue);
	if (other != NULL &&
	    other->envelope->next_attempt_ms > envelope->next_attempt_ms) {
		message_stop_waiting(other);
		message_dismiss(other);
		return true;
	}
	other = queue_crowding_out(queue, envelope);
	if (other == NULL)
		return false;
	message_leave_lane(other);
	message_dismiss(other);
	return true;
}

void queue_admit(struct queue *queue, struct envelope **envelope)
{
	if (change_adopts(queue, envelope, NULL))
		return;
	if (queue_find(queue, (*envelope)->id) != NULL ||
	    !make_room(queue, *envelope))
		envelope_free(envelope);
	else
		message_make_waiting(message_admit(queue, envelope));
}

static void load_again(struct queue *queue, struct envelope **envelopes,
                       size_t n)
{
	size_t i;

	queue->outdated = false;
	for (i = 0; i < n; i++)
		envelope_free(&envelopes[i]);
	queue_load_more(queue);
}

static void on_loaded(void *ctx, struct envelope **envelopes, size_t n,
                      const char *error)
{
	struct queue *queue = ctx;
	size_t i;

	queue->loading = false;
	if (queue->outdated) {
		load_again(queue, envelopes, n);
		return;
	}
	queue->more_in_store = error != NULL || n >= QUEUE_RESIDENT_MAX;
	for (i = 0; i < n; i++)
		queue_admit(queue, &envelopes[i]);
}

void queue_load_more(struct queue *queue)
{
	if (queue->loading)
		return;
	queue->loading = true;
	queue->look_again_ms =
		loop_now_ms(queue->services->loop) + LOOK_AGAIN_MS;
	store_load_due(queue->services->store, QUEUE_RESIDENT_MAX, on_loaded,
	               queue);
}

void queue_start(struct queue *queue)
{
	queue_load_more(queue);
}

/* ---- a clock that jumps ---- */

void envelope_shift(struct envelope *envelope, int64_t by_ms)
{
	envelope->expires_ms += by_ms;
	if (envelope->next_attempt_ms != 0)
		envelope->next_attempt_ms += by_ms;
}

void queue_rebase(struct queue *queue, int64_t by_ms)
{
	struct message *message;
	size_t i;

	for (i = 0; i < BUCKETS; i++) {
		message = queue->buckets[i];
		for (; message != NULL; message = message->same_bucket) {
			envelope_shift(message->envelope, by_ms);
			message->moved_ms += by_ms;
			if (message->change != NULL)
				message->change->moved_ms += by_ms;
		}
	}
	queue->outdated = queue->loading;
	store_rebase(queue->services->store, by_ms);
}

/* ---- the way of a message ---- */

void queue_add(struct queue *queue, struct envelope **envelope, char *bytes)
{
	struct message *message;

	if (change_adopts(queue, envelope, bytes))
		return;
	if (!make_room(queue, *envelope)) {
		envelope_free(envelope);
		free(bytes);
		return;
	}
	message = message_admit(queue, envelope);
	message_keep_bytes(message, bytes);
	message_make_due(message);
}

/* ---- settling ---- */

static void update_envelope(struct envelope *envelope,
                            const struct outcome *outcome)
{
	unsigned attempt = envelope->attempts + (outcome->started_ms != 0);
	size_t i;

	envelope->state = outcome->state;
	envelope->next_attempt_ms = outcome->next_attempt_ms;
	envelope->finished_ms = outcome->finished_ms;
	envelope->attempts = outcome->attempts;
	envelope->notice = outcome->notice;
	free(envelope->reason);
	envelope->reason = xstrdup(outcome->reason);
	for (i = 0; i < outcome->n_recipients; i++) {
		struct recipient *recipient =
			&envelope->recipients[outcome->recipients[i].index];

		recipient->state = outcome->recipients[i].state;
		free(recipient->reply);
		recipient->reply = xstrdup(outcome->recipients[i].reply);
		free(recipient->reason);
		recipient->reason = xstrdup(outcome->recipients[i].reason);
		recipient->finished_ms = outcome->recipients[i].finished_ms;
		recipient->tried = attempt;
	}
}

static void saved(struct message *message)
{
	const struct queue *queue = message->queue;

	if (message->envelope->notice == NOTICE_DUE &&
	    queue->callbacks->on_notice_due != NULL)
		queue->callbacks->on_notice_due(queue->ctx);
	if (message->envelope->state == MESSAGE_QUEUED) {
		message_make_waiting(message);
		return;
	}
	if (message->envelope->state == MESSAGE_REFUSED)
		verdict_saved(queue->services->verdicts,
		              message->envelope->id);
	message_leave(message);
}

static void on_saved(void *ctx, const char *error, bool full)
{
	struct message *message = ctx;

	if (error != NULL)
		TAILQ_INSERT_TAIL(&message->queue->saving, message, link);
	else
		saved(message);
}

/* When its time is over it has its last attempt, and is not left waiting for
 * one that would come later. */
static void bound_wait(const struct envelope *envelope,
                       struct outcome *outcome)
{
	if (outcome->state == MESSAGE_QUEUED &&
	    outcome->next_attempt_ms > envelope->expires_ms)
		outcome->next_attempt_ms = envelope->expires_ms;
}

void queue_settle(struct queue *queue, struct message *message,
                  struct outcome **outcome)
{
	message_drop_bytes(message);
	message->list = LIST_SAVING;
	bound_wait(message->envelope, *outcome);
	update_envelope(message->envelope, *outcome);
	store_outcome(queue->services->store, outcome, on_saved, message);
}

/* All that is known of a message, for a second try at saving it. */
static struct outcome *whole_outcome(const struct envelope *envelope)
{
	struct outcome *outcome = outcome_new(envelope->id);
	size_t i;

	outcome->state = envelope->state;
	outcome->next_attempt_ms = envelope->next_attempt_ms;
	outcome->finished_ms = envelope->finished_ms;
	outcome->attempts = envelope->attempts;
	outcome->reason = xstrdup(envelope->reason);
	outcome->notice = envelope->notice;
	outcome->drop_body = envelope->state == MESSAGE_DELIVERED ||
	                     envelope->state == MESSAGE_REFUSED;
	for (i = 0; i < envelope->n_recipients; i++)
		outcome_add(outcome, i, envelope->recipients[i].state,
		            envelope->recipients[i].reply,
		            envelope->recipients[i].reason,
		            envelope->recipients[i].finished_ms);
	return outcome;
}

void queue_save_again(struct queue *queue)
{
	struct message_list again = TAILQ_HEAD_INITIALIZER(again);
	struct message *message;

	TAILQ_CONCAT(&again, &queue->saving, link);
	while ((message = TAILQ_FIRST(&again)) != NULL) {
		struct outcome *outcome = whole_outcome(message->envelope);

		TAILQ_REMOVE(&again, message, link);
		store_outcome(queue->services->store, &outcome, on_saved,
		              message);
	}
	if (queue->more_in_store)
		queue_load_more(queue);
}
