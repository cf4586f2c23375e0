/*
 * verdict -- devices that wait to hear what the provider says (verdict_wait).
 *
 * A message is durable and in the queue before anybody waits for it, and is
 * delivered like any other.  Whoever settles an attempt looks here whether a
 * device still waits:
 *
 *     wait_begin --> tell DELIVERED or QUEUED ---------------> on_verdict
 *                --> claim (REFUSED) --> saved --------------> on_verdict
 *                --> time over, hurry ----- PENDING ---------> on_verdict
 *
 * Never both: a refusal is claimed before its outcome is written, in the same
 * turn of the loop, and from then on neither time nor a hang-up ends the wait;
 * the device hears of it once the outcome is on disk, so that no crash sends
 * the message after all.  Whose time was over before has its message in the
 * queue for good.
 *
 * Recipients under different rules are several messages with one answer: such
 * a message is never given back, since one reply cannot say that a part went.
 *
 * on_verdict comes once, on the loop, never from inside a call.
 */
#ifndef RELAY_QUEUE_VERDICT_H
#define RELAY_QUEUE_VERDICT_H

#include "relay/net/loop.h"
#include "relay/queue/envelope.h"

enum verdict_kind {
	VERDICT_PENDING,    /* none in time */
	VERDICT_DELIVERED,  /* the provider has it, for every recipient */
	VERDICT_QUEUED,     /* not all of it, and the queue goes on */
	VERDICT_REFUSED,    /* for good: the message is the device's again */
};

/* Strings are copied when told, and live as long as the callback when heard;
 * any may be NULL. */
struct verdict {
	enum verdict_kind kind;
	const char *reply;  /* the provider's words, in a line */
	const char *reason, *title, *fix; /* of the catalogue */
};

struct verdicts;     /* all waits; one in a server */
struct verdict_wait;

struct verdicts *verdicts_new(struct loop *loop);
void verdicts_free(struct verdicts **verdicts); /* no wait is left */

/* For the verdict on these messages, ms at most.  ids are copied. */
struct verdict_wait *
verdict_wait_begin(struct verdicts *verdicts, const message_id *ids, size_t n,
                   uint64_t ms,
                   void (*on_verdict)(void *ctx, const struct verdict *verdict),
                   void *ctx);
/* The device has gone, or the server stops: PENDING, unless it is claimed. */
void verdict_wait_hurry(struct verdict_wait *wait);
void verdict_wait_end(struct verdict_wait **wait);

/* ---- for whom settles; verdicts NULL: nobody waits ---- */

bool verdict_is_awaited(const struct verdicts *verdicts, message_id id);
/* Somebody waits, and would be told a refusal. */
bool verdict_may_refuse(const struct verdicts *verdicts, message_id id);
/* DELIVERED or QUEUED; nothing happens where nobody waits. */
void verdict_tell(struct verdicts *verdicts, message_id id,
                  const struct verdict *verdict);
/* REFUSED, after verdict_may_refuse(): the outcome is about to be written. */
void verdict_claim(struct verdicts *verdicts, message_id id,
                   const struct verdict *verdict);
/* It is written. */
void verdict_saved(struct verdicts *verdicts, message_id id);
/* Visit the messages that are awaited; the visitor may tell and claim. */
void verdict_each(struct verdicts *verdicts,
                  void (*each)(void *ctx, message_id id), void *ctx);

#endif
