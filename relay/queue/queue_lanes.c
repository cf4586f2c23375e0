#include "relay/queue/queue_private.h"

#include <stdlib.h>
#include <string.h>

#include "proto/xalloc.h"

static struct lane *lane_of(struct queue *queue, const char *account)
{
	struct lane *lane;
	size_t i;

	for (i = 0; i < queue->n_lanes; i++) {
		if (strcmp(queue->lanes[i]->account, account) == 0)
			return queue->lanes[i];
	}
	lane = xcalloc(1, sizeof *lane);
	lane->account = xstrdup(account);
	TAILQ_INIT(&lane->ready);
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

static void enter_lane(struct message *message, struct lane *lane,
                       bool in_front)
{
	message->list = LIST_READY;
	message->lane = lane;
	if (in_front)
		TAILQ_INSERT_HEAD(&lane->ready, message, link);
	else
		TAILQ_INSERT_TAIL(&lane->ready, message, link);
	lane->n++;
}

void message_leave_lane(struct message *message)
{
	TAILQ_REMOVE(&message->lane->ready, message, link);
	message->lane->n--;
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
static void divert_lane(struct queue *queue, struct lane *lane)
{
	struct message *message = TAILQ_FIRST(&lane->ready), *next;

	for (; message != NULL; message = next) {
		struct lane *now = lane_of(
			queue, queue_route(queue, message->envelope));

		next = TAILQ_NEXT(message, link);
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

struct message *queue_take(struct queue *queue, const char *account)
{
	struct lane *lane = lane_of(queue, account);
	struct message *message = TAILQ_FIRST(&lane->ready);

	if (message != NULL)
		message_leave_lane(message);
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
	struct lane *before = message->lane;

	message_make_ready(message, true);
	if (message->lane != before)
		queue->callbacks->on_ready(queue->ctx, message->lane->account);
}

size_t queue_ready(const struct queue *queue, const char *account)
{
	return lane_of((struct queue *)queue, account)->n;
}

void queue_each_ready(struct queue *queue, const char *account,
                      void (*each)(void *ctx, struct message *message),
                      void *ctx)
{
	struct message *message;

	TAILQ_FOREACH(message, &lane_of(queue, account)->ready, link)
		each(ctx, message);
}

struct message *queue_newest_ready(struct queue *queue, const char *account)
{
	return TAILQ_LAST(&lane_of(queue, account)->ready, message_list);
}

struct message *queue_take_expired(struct queue *queue, int64_t now_ms)
{
	struct message *message;
	size_t i;

	for (i = 0; i < queue->n_lanes; i++) {
		TAILQ_FOREACH(message, &queue->lanes[i]->ready, link) {
			if (message->envelope->expires_ms <= now_ms) {
				message_leave_lane(message);
				return message;
			}
		}
	}
	return NULL;
}
