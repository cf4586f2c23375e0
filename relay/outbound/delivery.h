/*
 * delivery -- one attempt to hand one message to the provider.
 *
 *     new -> prepare --(disk)--> on_prepared -> job on an upstream -> on_end
 *
 * Preparing fetches the header section and rewrites it for the account, so
 * that SIZE is known before the first command; the body is then streamed from
 * memory or disk at the pace of the connection, and its checksum is verified
 * before the final dot.  The end is settled here (settlement.h).
 *
 * A sender that the provider has refused before (refused.h) is the account
 * itself from the start; one that it refuses now goes there, and the message is
 * sent once more.
 */
#ifndef RELAY_OUTBOUND_DELIVERY_H
#define RELAY_OUTBOUND_DELIVERY_H

#include "relay/outbound/settlement.h"
#include "relay/outbound/upstream.h"

struct delivery;

/* How an attempt ended, for the pool. */
enum delivery_end {
	/* its outcome is with the queue: */
	DELIVERY_DELIVERED, /* to some, at least */
	DELIVERY_FAILED,    /* for some, and to nobody */
	DELIVERY_DEFERRED,
	DELIVERY_UNTRIED,   /* a stale connection: try at once on another */
};

struct delivery_callbacks {
	/* May come from inside delivery_prepare(). */
	void (*on_prepared)(void *ctx, struct delivery *delivery);
	/* The provider's words are about the account (PAUSE, WAIT, REST), or
	 * about a sender that is refused from now on (REWRITE): it concerns others too.
	 * Comes before the attempt is settled. */
	void (*on_trouble)(void *ctx, struct delivery *delivery,
	                   const struct disposition *trouble,
	                   const char *reply);
	/* The owner frees it.  Never from inside delivery_prepare(), unless
	 * the message could not be read. */
	void (*on_end)(void *ctx, struct delivery *delivery,
	               enum delivery_end end);
};

/* To how many recipients the next attempt goes: most at a time (0: all), those
 * that have never been tried before those that are tried again.  All get their
 * turn in an attempt; its parts follow each other at once. */
size_t delivery_share(const struct envelope *envelope, size_t most);

/* The message is ACTIVE and comes back to the queue by on_end.  share: as
 * delivery_share() says. */
struct delivery *delivery_new(struct services *services, struct config *config,
                              const struct account_config *account,
                              struct message *message, size_t share,
                              const struct delivery_callbacks *callbacks,
                              void *ctx);
void delivery_prepare(struct delivery *delivery);
/* The job for upstream_begin(); host: for the log. */
struct upstream_job *delivery_job(struct delivery *delivery, const char *host);
/* The connection it waited for failed before it could begin; dialogue: what
 * was said on it. */
void delivery_fail(struct delivery *delivery,
                   const struct upstream_failure *failure,
                   const char *dialogue);
struct message *delivery_message(struct delivery *delivery);
void delivery_free(struct delivery **delivery);

#endif
