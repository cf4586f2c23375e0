/*
 * queue_private -- what the files of the queue share, and nobody else
 * includes: queue.c (life, the table of residents, the way of a message),
 * queue_lanes.c (READY), queue_waiting.c (WAITING), queue_change.c (CHANGING).
 */
#ifndef RELAY_QUEUE_QUEUE_PRIVATE_H
#define RELAY_QUEUE_QUEUE_PRIVATE_H

#include <sys/queue.h>

#include "relay/queue/heap.h"
#include "relay/queue/lane.h"
#include "relay/queue/queue.h"

enum {
	BUCKETS = 4096,                    /* of the table of resident ids */
	KEPT_BYTES_MAX = 32 * 1024 * 1024, /* bodies kept for a first attempt */
	LOOK_AGAIN_MS = 60 * 1000          /* for what is due in the store */
};

enum list {
	LIST_READY,
	LIST_ACTIVE,
	LIST_SAVING,
	LIST_WAITING,
	LIST_CHANGING,
};

struct message {
	struct envelope *envelope;
	char *bytes;
	enum list list;
	struct account_lane *lane;      /* READY, or where it was last */
	struct lane_entry turn;         /* READY */
	unsigned told_outage;
	int64_t moved_ms;               /* by jumps of the clock */
	TAILQ_ENTRY(message) link;      /* SAVING */
	struct heap_node due;           /* WAITING, monotonic ms */
	struct message *same_bucket;
	struct queue *queue;
	struct change *change;          /* CHANGING */
};

TAILQ_HEAD(message_list, message);

/* An operator's, on its way to the disk and back. */
struct change {
	enum list from;                 /* where the message was */
	bool is_stub;                   /* nothing but its id is in memory */
	int64_t moved_ms;               /* the clock has jumped meanwhile */
	queue_change_cb done;
	void *ctx;
};

/* The ready messages of one account. */
struct account_lane {
	char *account;
	struct lane *ready;
	bool gained;                    /* and nobody has been told */
};

struct queue {
	struct services *services;
	const struct queue_callbacks *callbacks;
	void *ctx;
	struct account_lane **lanes;
	size_t n_lanes;
	struct heap waiting;
	struct message_list saving;     /* those the disk refused */
	struct message *buckets[BUCKETS];
	size_t resident;
	uint64_t kept_bytes;
	struct timer *timer;
	bool more_in_store, loading;
	bool outdated;                  /* what is being loaded: before a jump */
	uint64_t look_again_ms;         /* not before */
};

/* ---- queue.c ---- */

struct message *queue_find(struct queue *queue, message_id id);
/* Resident from now on, in no list yet; takes the envelope. */
struct message *message_admit(struct queue *queue, struct envelope **envelope);
/* No longer resident: what the store says of it counts. */
void message_dismiss(struct message *message);
/* The same; what is left in the store may follow when there is room. */
void message_leave(struct message *message);
void message_keep_bytes(struct message *message, char *bytes);
void message_drop_bytes(struct message *message);
/* What the store holds becomes resident and waits, if there is room; taken in
 * any case. */
void queue_admit(struct queue *queue, struct envelope **envelope);
void queue_load_more(struct queue *queue);
/* Its waits and expiry move. */
void envelope_shift(struct envelope *envelope, int64_t by_ms);

/* ---- queue_lanes.c ---- */

void message_make_ready(struct message *message, bool in_front);
void message_make_due(struct message *message); /* and says so */
void message_leave_lane(struct message *message); /* ACTIVE */
/* A ready one of the client that has most there, if this one's has fewer;
 * NULL: it is the one that crowds. */
struct message *queue_crowding_out(struct queue *queue,
                                   const struct envelope *envelope);
void queue_free_lanes(struct queue *queue);

/* ---- queue_waiting.c ---- */

void message_make_waiting(struct message *message);
void message_stop_waiting(struct message *message);
/* One of the last to be due, never the next; NULL when none waits. */
struct message *queue_last_waiting(struct queue *queue);
void queue_on_timer(void *ctx);

/* ---- queue_change.c ---- */

/* A message that was loaded or accepted meets one of the same id that is being
 * changed: that one keeps it for when the change fails; takes both.  Returns
 * false when there is none. */
bool change_adopts(struct queue *queue, struct envelope **envelope,
                   char *bytes);
void change_free(struct change **change);

#endif
