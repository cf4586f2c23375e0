#include "relay/queue/queue_private.h"

#include <stdlib.h>

#include "proto/xalloc.h"
#include "relay/config/config.h"

/*
 * A message that is being changed stays resident, CHANGING, until the store
 * has answered, if need be with nothing but its id: so no older picture of it
 * that is still on its way from the store is let in and sent.  The store does
 * one thing after the other: a picture that comes later is a newer one.
 */

static const char busy_words[] =
	"it is being sent, or its result written, right now; try again in a "
	"moment";
static const char ready_words[] =
	"it is ready already: it is sent as soon as its account can";

void change_free(struct change **change)
{
	free(*change);
	*change = NULL;
}

bool change_adopts(struct queue *queue, struct envelope **envelope,
                   char *bytes)
{
	struct message *message = queue_find(queue, (*envelope)->id);

	if (message == NULL || message->list != LIST_CHANGING)
		return false;
	if (message->change->is_stub) {
		envelope_free(&message->envelope);
		message->envelope = *envelope;
		message->change->is_stub = false;
		message_keep_bytes(message, bytes);
	} else {
		envelope_free(envelope);
		free(bytes);
	}
	*envelope = NULL;
	return true;
}

/* ---- the answer ---- */

/* Nothing has become of it: back to where it was. */
static void go_back(struct message *message, bool was_ready)
{
	struct queue *queue = message->queue;

	if (!was_ready) {
		message_make_waiting(message);
		return;
	}
	message_make_ready(message, true);
	queue->callbacks->on_ready(queue->ctx, message->lane->account);
}

/* The store holds it as queued, like that. */
static void renew(struct message *message, bool is_stub,
                  struct envelope *envelope)
{
	struct queue *queue = message->queue;

	if (is_stub) {
		message_dismiss(message);
		queue_admit(queue, &envelope);
		return;
	}
	envelope_free(&message->envelope);
	message->envelope = envelope;
	message_make_waiting(message);
}

static void on_changed(void *ctx, enum queue_answer answer, const char *words,
                       struct envelope *envelope)
{
	struct message *message = ctx;
	struct change change = *message->change;

	change_free(&message->change);
	if (envelope != NULL) {
		envelope_shift(envelope, change.moved_ms);
		renew(message, change.is_stub, envelope);
	} else if (answer == QUEUE_CHANGED || change.is_stub) {
		message_leave(message);
	} else {
		go_back(message, change.from == LIST_READY);
	}
	change.done(change.ctx, answer, words);
}

/* ---- the question ---- */

static struct message *make_stub(struct queue *queue, message_id id)
{
	struct envelope *envelope = envelope_new();

	envelope->id = id;
	return message_admit(queue, &envelope);
}

static void leave_list(struct message *message)
{
	if (message->list == LIST_READY)
		message_leave_lane(message);
	else
		message_stop_waiting(message);
}

static struct message *begin(struct queue *queue, message_id id)
{
	struct message *message = queue_find(queue, id);
	struct change *change = xcalloc(1, sizeof *change);

	if (message != NULL) {
		change->from = message->list;
		leave_list(message);
	} else {
		change->is_stub = true;
		change->from = LIST_WAITING;
		message = make_stub(queue, id);
	}
	message->list = LIST_CHANGING;
	message->change = change;
	return message;
}

static bool is_at_rest(const struct message *message)
{
	return message->list == LIST_READY || message->list == LIST_WAITING;
}

void queue_change(struct queue *queue, message_id id, enum queue_change what,
                  queue_change_cb done, void *ctx)
{
	struct message *message = queue_find(queue, id);

	if (message != NULL && !is_at_rest(message)) {
		done(ctx, QUEUE_BUSY, busy_words);
		return;
	}
	if (message != NULL && message->list == LIST_READY &&
	    what == QUEUE_RETRY) {
		done(ctx, QUEUE_CHANGED, ready_words);
		return;
	}
	message = begin(queue, id);
	message->change->done = done;
	message->change->ctx = ctx;
	store_change(queue->services->store, id, what,
	             queue->services->config->relay.expire_ms, on_changed,
	             message);
}
