/*
 * breaker -- one per account: whether connections are worth trying now.
 *
 * Two troubles open it.  A login that was refused must not be hammered, or the
 * provider locks the account: the next probe is due after 30 min, 2 h, 6 h,
 * then every 12 h.  A provider that cannot be reached gets one probe per step
 * of the retry schedule, not one per message.  While it is open nothing is
 * tried; when the time has come it is half-open: one connection is let
 * through, and what becomes of that decides.
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
enum breaker_trouble { BREAKER_LOGIN, BREAKER_UNREACHABLE };

struct breaker {
	enum breaker_state state;
	enum breaker_trouble trouble;
	unsigned failures;      /* of this trouble in a row */
	uint64_t retry_at;      /* when OPEN becomes HALF_OPEN */
};

/* May a connection be opened now?  Turns OPEN into HALF_OPEN when it is time:
 * the caller that hears true then is the probe. */
bool breaker_allows(struct breaker *breaker, uint64_t now_ms);
void breaker_success(struct breaker *breaker);
/* wait_ms: for UNREACHABLE, what the retry schedule says; LOGIN has its own. */
void breaker_failure(struct breaker *breaker, enum breaker_trouble trouble,
                     uint64_t now_ms, uint64_t wait_ms);
/* The probe never came to a verdict (its connection was given up). */
void breaker_probe_lost(struct breaker *breaker, uint64_t now_ms);

#endif
