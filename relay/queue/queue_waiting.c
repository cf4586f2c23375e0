#include "relay/queue/queue_private.h"

#include <stdlib.h>
#include <string.h>

#include "proto/xalloc.h"
#include "relay/net/loop.h"

static void arm_timer(struct queue *queue)
{
	struct heap_node *top = heap_top(&queue->waiting);
	uint64_t now = loop_now_ms(queue->services->loop);

	if (top == NULL)
		timer_stop(queue->timer);
	else
		timer_start(queue->timer, top->key > now ? top->key - now : 0);
}

static struct message *message_of(struct heap_node *node)
{
	return (struct message *)((char *)node -
	                          offsetof(struct message, due));
}

/* Waits are monotonic, so that a clock that jumps wakes nobody; what was
 * stored is bounded by the expiry when it is read back.  What is
 * due stays out of the heap, which keeps no order among equals. */
void message_make_waiting(struct message *message)
{
	struct queue *queue = message->queue;
	int64_t now = steady_now_ms();
	int64_t wait = message->envelope->next_attempt_ms - now;
	int64_t most = message->envelope->expires_ms - now;

	if (wait > most)
		wait = most;
	if (wait <= 0) {
		message_make_due(message);
		return;
	}
	message->list = LIST_WAITING;
	message->due.key = loop_now_ms(queue->services->loop) + (uint64_t)wait;
	heap_push(&queue->waiting, &message->due);
	arm_timer(queue);
}

void message_stop_waiting(struct message *message)
{
	heap_remove(&message->queue->waiting, &message->due);
}

static void wake(struct message *message)
{
	message_stop_waiting(message);
	message_make_due(message);
}

/* The heap's last leaf. */
struct message *queue_last_waiting(struct queue *queue)
{
	return queue->waiting.n == 0
	               ? NULL
	               : message_of(queue->waiting.nodes[queue->waiting.n]);
}

void queue_on_timer(void *ctx)
{
	struct queue *queue = ctx;
	uint64_t now = loop_now_ms(queue->services->loop);
	struct heap_node *top;

	while ((top = heap_top(&queue->waiting)) != NULL && top->key <= now)
		wake(message_of(top));
	arm_timer(queue);
	if (queue->more_in_store && now >= queue->look_again_ms)
		queue_load_more(queue);
}

static int compare_age(const void *a, const void *b)
{
	const struct message *x = *(struct message *const *)a;
	const struct message *y = *(struct message *const *)b;

	return x->envelope->id < y->envelope->id ? -1 : 1;
}

/* Oldest first.  account NULL: for any. */
static size_t wake_all(struct queue *queue, const char *account)
{
	struct message **found = xcalloc(queue->waiting.n + 1, sizeof *found);
	size_t i, n = 0;

	for (i = 1; i <= queue->waiting.n; i++) {
		struct message *message = message_of(queue->waiting.nodes[i]);

		if (account == NULL ||
		    strcmp(queue_route(queue, message->envelope), account) == 0)
			found[n++] = message;
	}
	qsort(found, n, sizeof *found, compare_age);
	for (i = 0; i < n; i++)
		wake(found[i]);
	free(found);
	arm_timer(queue);
	return n;
}

void queue_hurry(struct queue *queue, const char *account)
{
	wake_all(queue, account);
}

static void on_hurried(void *ctx, const char *error, bool full)
{
	struct queue *queue = ctx;

	(void)error;
	(void)full;
	if (queue->more_in_store)
		queue_load_more(queue);
}

size_t queue_retry_all(struct queue *queue)
{
	store_hurry(queue->services->store, steady_now_ms(), on_hurried, queue);
	return wake_all(queue, NULL);
}

/* ---- counting ---- */

/* Whoever is to send it, or is about to. */
static bool is_for(const struct message *message, const char *account)
{
	const struct queue *queue = message->queue;

	if (account == NULL)
		return true;
	if (message->list == LIST_WAITING || message->lane == NULL)
		return strcmp(queue_route(queue, message->envelope),
		              account) == 0;
	return strcmp(message->lane->account, account) == 0;
}

static void count(struct queue_waiting *out, const struct message *message,
                  int64_t before_ms)
{
	const struct envelope *envelope = message->envelope;
	int64_t received_ms = envelope->received_ms + message->moved_ms;

	if (out->n == 0 || received_ms < out->received_ms)
		out->received_ms = received_ms;
	if (out->n == 0 || envelope->expires_ms < out->expires_ms)
		out->expires_ms = envelope->expires_ms;
	if (envelope->expires_ms < before_ms)
		out->n_expiring++;
	out->n++;
}

void queue_waiting(const struct queue *queue, const char *account,
                   int64_t expiring_before_ms, struct queue_waiting *out)
{
	const struct message *message;
	size_t i;

	*out = (struct queue_waiting){ 0 };
	for (i = 0; i < BUCKETS; i++) {
		for (message = queue->buckets[i]; message != NULL;
		     message = message->same_bucket) {
			if (message->list != LIST_CHANGING &&
			    message->envelope->state == MESSAGE_QUEUED &&
			    is_for(message, account))
				count(out, message, expiring_before_ms);
		}
	}
}
