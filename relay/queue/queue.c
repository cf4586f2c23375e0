#include "relay/queue/queue.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "proto/xalloc.h"
#include "relay/net/loop.h"
#include "relay/queue/heap.h"

enum {
	BUCKETS = 4096,                    /* of the table of resident ids */
	KEPT_BYTES_MAX = 32 * 1024 * 1024, /* bodies kept for a first attempt */
	LOOK_AGAIN_MS = 60 * 1000          /* for what is due in the store */
};

enum list { LIST_READY, LIST_ACTIVE, LIST_SAVING, LIST_WAITING };

struct message {
	struct envelope *envelope;
	char *bytes;
	enum list list;
	struct lane *lane;
	unsigned told_outage;
	TAILQ_ENTRY(message) link;      /* READY and SAVING */
	struct heap_node due;           /* WAITING, monotonic ms */
	struct message *same_bucket;
	struct queue *queue;
};

TAILQ_HEAD(message_list, message);

/* The ready messages of one account. */
struct lane {
	char *account;
	struct message_list ready;
	size_t n;
	bool gained;                    /* and nobody has been told */
};

struct queue {
	struct services *services;
	const struct queue_callbacks *callbacks;
	void *ctx;
	struct lane **lanes;
	size_t n_lanes;
	struct heap waiting;
	struct message_list saving;     /* those the disk refused */
	struct message *buckets[BUCKETS];
	size_t resident;
	uint64_t kept_bytes;
	struct timer *timer;
	bool more_in_store, loading;
	uint64_t look_again_ms;         /* not before */
};

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

static bool is_resident(struct queue *queue, message_id id)
{
	struct message *message = *bucket(queue, id);

	while (message != NULL && message->envelope->id != id)
		message = message->same_bucket;
	return message != NULL;
}

static struct message *admit(struct queue *queue, struct envelope **envelope)
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

static void drop_bytes(struct message *message)
{
	if (message->bytes == NULL)
		return;
	message->queue->kept_bytes -= message->envelope->size;
	free(message->bytes);
	message->bytes = NULL;
}

static void dismiss(struct message *message)
{
	struct queue *queue = message->queue;
	struct message **at = bucket(queue, message->envelope->id);

	while (*at != message)
		at = &(*at)->same_bucket;
	*at = message->same_bucket;
	queue->resident--;
	drop_bytes(message);
	envelope_free(&message->envelope);
	free(message);
}

/* ---- lanes ---- */

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

static void leave_lane(struct message *message)
{
	TAILQ_REMOVE(&message->lane->ready, message, link);
	message->lane->n--;
	message->list = LIST_ACTIVE;
}

static void make_ready(struct message *message, bool in_front)
{
	struct queue *queue = message->queue;

	enter_lane(message, lane_of(queue, queue_route(queue,
	                                               message->envelope)),
	           in_front);
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
		leave_lane(message);
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

/* ---- waiting ---- */

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

static void make_due(struct message *message)
{
	struct queue *queue = message->queue;

	make_ready(message, false);
	queue->callbacks->on_ready(queue->ctx, message->lane->account);
}

/* Waits are monotonic, so that a clock that jumps wakes nobody; what was
 * stored as wall time is bounded by the expiry when it is read back.  What is
 * due stays out of the heap, which keeps no order among equals. */
static void make_waiting(struct message *message)
{
	struct queue *queue = message->queue;
	int64_t wait = message->envelope->next_attempt_ms - wall_now_ms();
	int64_t most = message->envelope->expires_ms -
	               message->envelope->received_ms;

	if (wait > most)
		wait = most;
	if (wait <= 0) {
		make_due(message);
		return;
	}
	message->list = LIST_WAITING;
	message->due.key = loop_now_ms(queue->services->loop) + (uint64_t)wait;
	heap_push(&queue->waiting, &message->due);
	arm_timer(queue);
}

static void wake(struct queue *queue, struct message *message)
{
	heap_remove(&queue->waiting, &message->due);
	make_due(message);
}

static void load_more(struct queue *queue);

static void on_timer(void *ctx)
{
	struct queue *queue = ctx;
	uint64_t now = loop_now_ms(queue->services->loop);
	struct heap_node *top;

	while ((top = heap_top(&queue->waiting)) != NULL && top->key <= now)
		wake(queue, message_of(top));
	arm_timer(queue);
	if (queue->more_in_store && now >= queue->look_again_ms)
		load_more(queue);
}

static int compare_age(const void *a, const void *b)
{
	const struct message *x = *(struct message *const *)a;
	const struct message *y = *(struct message *const *)b;

	return x->envelope->id < y->envelope->id ? -1 : 1;
}

void queue_hurry(struct queue *queue, const char *account)
{
	struct message **found = xcalloc(queue->waiting.n + 1, sizeof *found);
	size_t i, n = 0;

	for (i = 1; i <= queue->waiting.n; i++) {
		struct message *message = message_of(queue->waiting.nodes[i]);

		if (strcmp(queue_route(queue, message->envelope), account) == 0)
			found[n++] = message;
	}
	qsort(found, n, sizeof *found, compare_age);
	for (i = 0; i < n; i++)
		wake(queue, found[i]);
	free(found);
	arm_timer(queue);
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
	queue->timer = timer_new(services->loop, on_timer, queue);
	return queue;
}

void queue_free(struct queue **queue_p)
{
	struct queue *queue = *queue_p;
	size_t i;

	if (queue == NULL)
		return;
	for (i = 0; i < BUCKETS; i++) {
		while (queue->buckets[i] != NULL)
			dismiss(queue->buckets[i]);
	}
	for (i = 0; i < queue->n_lanes; i++) {
		free(queue->lanes[i]->account);
		free(queue->lanes[i]);
	}
	free(queue->lanes);
	heap_free(&queue->waiting);
	timer_free(&queue->timer);
	free(queue);
	*queue_p = NULL;
}

/* ---- what does not fit in memory ---- */

/* Room for one that is due then: if there is none, one that waits for longer
 * goes back to the store.  The heap's last leaf is never the next one. */
static bool make_room(struct queue *queue, int64_t due_ms)
{
	struct message *last;

	if (queue->resident < QUEUE_RESIDENT_MAX)
		return true;
	queue->more_in_store = true;
	if (queue->waiting.n == 0)
		return false;
	last = message_of(queue->waiting.nodes[queue->waiting.n]);
	if (last->envelope->next_attempt_ms <= due_ms)
		return false;
	heap_remove(&queue->waiting, &last->due);
	dismiss(last);
	return true;
}

static void admit_loaded(struct queue *queue, struct envelope **envelope)
{
	if (is_resident(queue, (*envelope)->id) ||
	    !make_room(queue, (*envelope)->next_attempt_ms))
		envelope_free(envelope);
	else
		make_waiting(admit(queue, envelope));
}

static void on_loaded(void *ctx, struct envelope **envelopes, size_t n,
                      const char *error)
{
	struct queue *queue = ctx;
	size_t i;

	queue->loading = false;
	queue->more_in_store = error != NULL || n >= QUEUE_RESIDENT_MAX;
	for (i = 0; i < n; i++)
		admit_loaded(queue, &envelopes[i]);
}

static void load_more(struct queue *queue)
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
	load_more(queue);
}

/* ---- the way of a message ---- */

void queue_add(struct queue *queue, struct envelope **envelope, char *bytes)
{
	struct message *message;

	if (!make_room(queue, (*envelope)->next_attempt_ms)) {
		envelope_free(envelope);
		free(bytes);
		return;
	}
	message = admit(queue, envelope);
	if (queue->kept_bytes + message->envelope->size > KEPT_BYTES_MAX) {
		free(bytes);
		bytes = NULL;
	}
	message->bytes = bytes;
	if (bytes != NULL)
		queue->kept_bytes += message->envelope->size;
	make_due(message);
}

struct message *queue_take(struct queue *queue, const char *account)
{
	struct lane *lane = lane_of(queue, account);
	struct message *message = TAILQ_FIRST(&lane->ready);

	if (message != NULL)
		leave_lane(message);
	return message;
}

void queue_put_back(struct queue *queue, struct message *message)
{
	struct lane *before = message->lane;

	make_ready(message, true);
	if (message->lane != before)
		queue->callbacks->on_ready(queue->ctx, message->lane->account);
}

size_t queue_ready(const struct queue *queue, const char *account)
{
	return lane_of((struct queue *)queue, account)->n;
}

size_t queue_total(const struct queue *queue)
{
	return queue->resident;
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
				leave_lane(message);
				return message;
			}
		}
	}
	return NULL;
}

/* ---- settling ---- */

static void update_envelope(struct envelope *envelope,
                            const struct outcome *outcome)
{
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
	}
}

static void saved(struct message *message)
{
	struct queue *queue = message->queue;

	if (message->envelope->notice == NOTICE_DUE &&
	    queue->callbacks->on_notice_due != NULL)
		queue->callbacks->on_notice_due(queue->ctx);
	if (message->envelope->state == MESSAGE_QUEUED) {
		make_waiting(message);
		return;
	}
	dismiss(message);
	if (queue->more_in_store && queue->resident < QUEUE_RESIDENT_MAX / 2)
		load_more(queue);
}

static void on_saved(void *ctx, const char *error, bool full)
{
	struct message *message = ctx;

	if (error != NULL)
		TAILQ_INSERT_TAIL(&message->queue->saving, message, link);
	else
		saved(message);
}

void queue_settle(struct queue *queue, struct message *message,
                  struct outcome **outcome)
{
	drop_bytes(message);
	message->list = LIST_SAVING;
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
	outcome->drop_body = envelope->state == MESSAGE_DELIVERED;
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
		load_more(queue);
}
