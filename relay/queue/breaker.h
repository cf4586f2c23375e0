/*
 * breaker -- one per account: whether connections are worth trying now.
 *
 * Four troubles open it.  A login that was refused must not be hammered, or the
 * provider locks the account: the next probe is due after 30 min, 2 h, 6 h,
 * then every 12 h, and no sooner than the provider's words say.  A provider
 * that cannot be reached gets one probe per step of the retry schedule, not one
 * per message.  One that throttles, or whose quota is used up, gets the rest it
 * asked for; short rests become longer when they did not help.  And what a
 * person has held stays held until a person says otherwise.
 *
 * While it is open nothing is tried; when the time has come it is half-open:
 * one probe is let through, and what becomes of that decides.
 *
 *     CLOSED --trouble--> OPEN --time--> HALF_OPEN --success--> CLOSED
 *                          ^------------trouble------'
 *
 * Pure: time (monotonic milliseconds) is an argument.
 */
#ifndef RELAY_QUEUE_BREAKER_H
#define RELAY_QUEUE_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

/* The numbers are on disk (store.h, account_record): their order is fixed. */
enum breaker_trouble {
	BREAKER_NONE,
	BREAKER_LOGIN,        /* refused */
	BREAKER_UNREACHABLE,  /* the provider */
	BREAKER_REST,         /* throttled, or a quota is used up */
	BREAKER_OPERATOR      /* held by a person */
};

#define BREAKER_NEVER UINT64_MAX

struct breaker {
	enum breaker_state state;
	enum breaker_trouble trouble; /* NONE while CLOSED */
	unsigned failures;      /* of this trouble in a row */
	uint64_t retry_at;      /* when OPEN becomes HALF_OPEN, or NEVER */
};

/* May a connection be opened now?  Turns OPEN into HALF_OPEN when it is time:
 * the caller that hears true then is the probe. */
bool breaker_allows(struct breaker *breaker, uint64_t now_ms);
void breaker_success(struct breaker *breaker);
/* wait_ms: for UNREACHABLE, what the retry schedule says; for REST, how long
 * the provider wants to be left alone, 0: it did not say; for LOGIN, what its
 * words say, 0: the waits above. */
void breaker_failure(struct breaker *breaker, enum breaker_trouble trouble,
                     uint64_t now_ms, uint64_t wait_ms);
void breaker_hold(struct breaker *breaker);  /* OPERATOR, until it is ended */
/* What it was, before a restart. */
void breaker_restore(struct breaker *breaker, enum breaker_trouble trouble,
                     unsigned failures, uint64_t now_ms, uint64_t wait_ms);
/* Something was mended: the next one is the probe, and counts as the first. */
void breaker_hurry(struct breaker *breaker, uint64_t now_ms);
/* The probe never came to a verdict (its connection was given up). */
void breaker_probe_lost(struct breaker *breaker, uint64_t now_ms);

#endif
