/*
 * outage -- an account that cannot work for now: why, until when, and who has
 * been told.
 *
 * Around the breaker (queue/breaker.h) it keeps the words: what happened is
 * told once for the account (account-paused for a refused login,
 * upstream-failed for a provider that cannot be used), once for the account
 * that sends in its place, and once for each message that has to wait because
 * of it (deferred).
 *
 * Where it begins and where it ends the queue is asked to divert: its messages
 * go by another account meanwhile, if there is one.
 */
#ifndef RELAY_OUTBOUND_OUTAGE_H
#define RELAY_OUTBOUND_OUTAGE_H

#include "relay/outbound/disposition.h"
#include "relay/queue/breaker.h"
#include "relay/queue/queue.h"

struct outage {
	struct queue *queue;
	const char *account;        /* name; the owner's */
	struct breaker breaker;
	struct disposition trouble; /* of the present or the last outage: a
	                               copy, with its fix filled in */
	char *reply;                /* the provider's words, or the system's */
	unsigned number;            /* counts outages; see message_tell_once() */
	bool untold;                /* who waits has not heard of it */
	char *failover;             /* that was told to send in its place */
};

void outage_init(struct outage *outage, struct queue *queue,
                 const char *account);
void outage_free(struct outage *outage);

/* Trouble has come, or come again at a probe; that of other connections in the
 * same outage is no news.  trouble is copied; username: for its fix.  wait_ms:
 * to the next probe, unless it is a refused login, which has its own waits.
 * host, waiting: for the log. */
void outage_begin(struct outage *outage, const struct disposition *trouble,
                  const char *username, const char *reply, const char *host,
                  size_t waiting, uint64_t now_ms, uint64_t wait_ms);
/* A login has succeeded, or the configuration is another: account-resumed, and
 * what waits is ready.  Nothing happens when there was no outage. */
void outage_end(struct outage *outage, size_t waiting);

bool outage_lasts(const struct outage *outage);
/* Mail goes by that account meanwhile: said once. */
void outage_tell_failover(struct outage *outage, const char *account);
/* Some came back to wait, and may not have heard of it. */
void outage_untold(struct outage *outage);

/* May connections be opened?  A true that follows an outage is the probe. */
bool outage_is_over(struct outage *outage, uint64_t now_ms);
bool outage_is_probing(const struct outage *outage);
/* Tell the messages that are ready and cannot go; returns how many
 * milliseconds are left to the next probe. */
uint64_t outage_tell(struct outage *outage, uint64_t now_ms);

#endif
