#include "relay/queue/queue_private.h"

#include <stdlib.h>
#include <string.h>

#include "proto/xalloc.h"

static struct account_lane *lane_of(struct queue *queue, const char *account)
{
	struct account_lane *lane;
	size_t i;

	for (i = 0; i < queue->n_lanes; i++) {
		if (strcmp(queue->lanes[i]->account, account) == 0)
			return queue->lanes[i];
	}
	lane = xcalloc(1, sizeof *lane);
	lane->account = xstrdup(account);
	lane->ready = lane_new();
	queue->lanes = xrealloc(queue->lanes,
	                        (queue->n_lanes + 1) * sizeof *queue->lanes);
	queue->lanes[queue->n_lanes++] = lane;
	return lane;
}

const char *queue_route(const struct queue *queue,
                        const struct envelope *envelope)
{
	return queue->callbacks->route(queue->ctx, envelope);
}

static struct message *message_of(struct lane_entry *entry)
{
	return entry == NULL
	               ? NULL
	               : (struct message *)((char *)entry -
	                                    offsetof(struct message, turn));
}

/* Who waits for turns: a device by its name, anybody else by the address; what
 * lanpost itself writes is a client of its own. */
static const char *client_of(const struct envelope *envelope)
{
	if (envelope->device != NULL)
		return envelope->device;
	return envelope->client != NULL ? envelope->client : "";
}

static void enter_lane(struct message *message, struct account_lane *lane,
                       bool in_front)
{
	const struct envelope *envelope = message->envelope;

	message->list = LIST_READY;
	message->lane = lane;
	(in_front ? lane_give_back : lane_add)(
		lane->ready, &message->turn, client_of(envelope),
		envelope->reverse_path, envelope->id);
}

void message_leave_lane(struct message *message)
{
	lane_remove(message->lane->ready, &message->turn);
	message->list = LIST_ACTIVE;
}

void message_make_ready(struct message *message, bool in_front)
{
	struct queue *queue = message->queue;

	enter_lane(message, lane_of(queue, queue_route(queue,
	                                               message->envelope)),
	           in_front);
}

void message_make_due(struct message *message)
{
	struct queue *queue = message->queue;

	message_make_ready(message, false);
	queue->callbacks->on_ready(queue->ctx, message->lane->account);
}

/* Those that belong elsewhere now; one that comes into a lane that is looked
 * at later gets the same answer there, and stays. */
static void divert_lane(struct queue *queue, struct account_lane *lane)
{
	struct message *message = message_of(lane_first(lane->ready)), *next;

	for (; message != NULL; message = next) {
		struct account_lane *now = lane_of(
			queue, queue_route(queue, message->envelope));

		next = message_of(lane_after(&message->turn));
		if (now == lane)
			continue;
		message_leave_lane(message);
		enter_lane(message, now, false);
		now->gained = true;
	}
}

void queue_divert(struct queue *queue)
{
	size_t i;

	for (i = 0; i < queue->n_lanes; i++)
		divert_lane(queue, queue->lanes[i]);
	for (i = 0; i < queue->n_lanes; i++) {
		if (!queue->lanes[i]->gained)
			continue;
		queue->lanes[i]->gained = false;
		queue->callbacks->on_ready(queue->ctx,
		                           queue->lanes[i]->account);
	}
}

struct message *queue_next(struct queue *queue, const char *account)
{
	return message_of(lane_next(lane_of(queue, account)->ready));
}

struct message *queue_take(struct queue *queue, const char *account)
{
	struct lane *ready = lane_of(queue, account)->ready;
	struct message *message = message_of(lane_take(ready));

	if (message != NULL)
		message->list = LIST_ACTIVE;
	return message;
}

struct message *queue_find_ready(struct queue *queue, const char *account,
                                 message_id id)
{
	struct message *message = queue_find(queue, id);

	return message != NULL && message->list == LIST_READY &&
	                       message->lane == lane_of(queue, account)
	               ? message : NULL;
}

void queue_take_this(struct queue *queue, struct message *message)
{
	message_leave_lane(message);
}

void queue_put_back(struct queue *queue, struct message *message)
{
	struct account_lane *before = message->lane;

	message_make_ready(message, true);
	if (message->lane != before)
		queue->callbacks->on_ready(queue->ctx, message->lane->account);
}

size_t queue_ready(const struct queue *queue, const char *account)
{
	return lane_count(lane_of((struct queue *)queue, account)->ready);
}

void queue_each_ready(struct queue *queue, const char *account,
                      void (*each)(void *ctx, struct message *message),
                      void *ctx)
{
	struct lane_entry *entry = lane_first(lane_of(queue, account)->ready);

	for (; entry != NULL; entry = lane_after(entry))
		each(ctx, message_of(entry));
}

struct message *queue_newest_ready(struct queue *queue, const char *account)
{
	return message_of(lane_newest(lane_of(queue, account)->ready));
}

struct message *queue_take_expired(struct queue *queue, int64_t now_ms)
{
	struct lane_entry *entry;
	struct message *message;
	size_t i;

	for (i = 0; i < queue->n_lanes; i++) {
		entry = lane_first(queue->lanes[i]->ready);
		for (; entry != NULL; entry = lane_after(entry)) {
			message = message_of(entry);
			if (message->envelope->expires_ms <= now_ms) {
				message_leave_lane(message);
				return message;
			}
		}
	}
	return NULL;
}

struct message *queue_crowding_out(struct queue *queue,
                                   const struct envelope *envelope)
{
	struct lane *ready =
		lane_of(queue, queue_route(queue, envelope))->ready;

	return message_of(lane_crowd(
		ready, lane_count_client(ready, client_of(envelope)) + 1));
}

void queue_free_lanes(struct queue *queue)
{
	size_t i;

	for (i = 0; i < queue->n_lanes; i++) {
		lane_free(&queue->lanes[i]->ready);
		free(queue->lanes[i]->account);
		free(queue->lanes[i]);
	}
	free(queue->lanes);
}
