/*
 * queue -- the messages that wait for delivery, in memory.
 *
 * A state is a list, and a message is always in exactly one:
 *
 *     queue_add --> READY --take--> ACTIVE --settle--> SAVING --> gone
 *                     ^ ^             |                   |
 *                     | '--put_back---'                   |
 *                     '------- WAITING (heap by time) <---'
 *
 * READY has a lane for each account, in which turns go round the clients
 * (lane.h).  Which lane a message joins is asked each time it becomes ready
 * (route): its own account's, or that of one that sends in its place.  When an
 * answer may have changed, queue_divert() asks again for all that are ready.
 *
 * SAVING is the time in which the outcome is on its way to the disk; should the
 * disk refuse, the message stays there and is saved again when the store is
 * well.
 *
 * What an operator changes, and be it a message that is not in memory, is in
 * CHANGING until the store has answered: nobody sends it meanwhile.
 *
 * Memory is bounded: at most QUEUE_RESIDENT_MAX messages are held, the rest
 * stay in the store and are loaded as there is room, those due first.  A client
 * that has filled the memory makes room for fresh mail of others.  Bodies of
 * fresh small mail are kept for the first attempt, up to 32 MiB in all.
 */
#ifndef RELAY_QUEUE_QUEUE_H
#define RELAY_QUEUE_QUEUE_H

#include "relay/queue/store.h"
#include "relay/services.h"

enum { QUEUE_RESIDENT_MAX = 20000 };

struct queue;
struct message; /* lane and heap links are the queue's own business */

struct envelope *message_envelope(struct message *message);
/* The stored message, if it is still in memory. */
bool message_bytes(const struct message *message, struct text *bytes_r);

struct queue_callbacks {
	/* The account that is to send this message now. */
	const char *(*route)(void *ctx, const struct envelope *envelope);
	/* A message became ready in the lane of that account. */
	void (*on_ready)(void *ctx, const char *account);
	/* A failure that somebody has to hear of is saved; may be NULL. */
	void (*on_notice_due)(void *ctx);
};

struct queue *queue_new(struct services *services,
                        const struct queue_callbacks *callbacks, void *ctx);
/* Forgets all; what is not delivered is in the store. */
void queue_free(struct queue **queue);

void queue_start(struct queue *queue);      /* load what recovery found */
/* A message that was just committed.  bytes: its body, or NULL. */
void queue_add(struct queue *queue, struct envelope **envelope, char *bytes);

/* What route says. */
const char *queue_route(const struct queue *queue,
                        const struct envelope *envelope);
/* Ready messages change to the lane that route says now, in their order and
 * behind those that wait there. */
void queue_divert(struct queue *queue);

/* The message whose turn it is in the account's lane; NULL when none is. */
struct message *queue_next(struct queue *queue, const char *account);
/* The same, now ACTIVE; NULL when none
 * is. */
struct message *queue_take(struct queue *queue, const char *account);
/* Nothing was tried: back to the front, of another lane if route says so. */
void queue_put_back(struct queue *queue, struct message *message);
/* An attempt is over: the envelope is brought up to date from the outcome,
 * which goes to the store; then the message waits again or is gone. */
void queue_settle(struct queue *queue, struct message *message,
                  struct outcome **outcome);

size_t queue_ready(const struct queue *queue, const char *account);
size_t queue_total(const struct queue *queue); /* resident ones */
/* What is not delivered yet, in its lane or for its time; those that did not
 * fit into memory are not counted. */
struct queue_waiting {
	size_t n;
	int64_t received_ms;     /* of the oldest, by steady time; 0: none
	                            waits */
	int64_t expires_ms;      /* of the first to expire; likewise */
	size_t n_expiring;       /* before the time that was asked about */
};
/* account: that is to send it now; NULL: any.  A walk over all of them: for
 * what happens once an outage or every few seconds, not once a message. */
void queue_waiting(const struct queue *queue, const char *account,
                   int64_t expiring_before_ms, struct queue_waiting *out);
/* Visit the ready messages in an account's lane, as they came. */
void queue_each_ready(struct queue *queue, const char *account,
                      void (*each)(void *ctx, struct message *message),
                      void *ctx);
struct message *queue_newest_ready(struct queue *queue, const char *account);
/* The message of that id, if it is ready in this account's lane. */
struct message *queue_find_ready(struct queue *queue, const char *account,
                                 message_id id);
/* Take this ready one, out of turn; now ACTIVE. */
void queue_take_this(struct queue *queue, struct message *message);
/* Take the next ready message that expired before now_ms, as ACTIVE. */
struct message *queue_take_expired(struct queue *queue, int64_t now_ms);
/* What waits and is for that account is ready at once: after a reload, or a
 * provider's return. */
void queue_hurry(struct queue *queue, const char *account);
/* All that wait are ready now, in memory and in the store; how many did so in
 * memory. */
size_t queue_retry_all(struct queue *queue);
/* The clock has jumped: waits and expiry move by as much, here and in the
 * store. */
void queue_rebase(struct queue *queue, int64_t by_ms);
/* Save again what the disk refused; called when the store is well again. */
void queue_save_again(struct queue *queue);

/* Do as an operator asks with a message, wherever it is: what queue_change and
 * queue_answer say (store.h).  done comes on the loop, perhaps before this
 * returns, and what it tells is durable.  words: a sentence for people about
 * "it", without a capital and a stop; static. */
typedef void (*queue_change_cb)(void *ctx, enum queue_answer answer,
                                const char *words);
void queue_change(struct queue *queue, message_id id, enum queue_change what,
                  queue_change_cb done, void *ctx);

/* A mark for whoever tells of a delay once an outage: true the first time a
 * message is asked about that outage. */
bool message_tell_once(struct message *message, unsigned outage);

#endif
