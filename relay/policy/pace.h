/*
 * pace -- what a provider that throttles teaches: half as fast for a while,
 * then step by step as before.
 *
 * A refusal halves messages a minute and connections.  After ten minutes
 * without another the pace doubles, and again after ten more, until it is what
 * it was.  Refusals that come within a minute of one that halved the pace are
 * of messages that were sent before it was heard of: they only begin the ten
 * minutes anew.  Ten messages a minute, or the limit if that is less, by one
 * connection are always left: slower than that is not what a provider means,
 * and its waits are kept besides.
 *
 * An account without a limit learns one: what it had sent in the minute before
 * the refusal.  A wait that the provider announces is not kept here.
 *
 * Pure: time (monotonic milliseconds) is an argument.  Zero bytes are a pace
 * that nothing has slowed.
 */
#ifndef RELAY_POLICY_PACE_H
#define RELAY_POLICY_PACE_H

#include <stdbool.h>
#include <stdint.h>

enum { PACE_STEP_MS = 600000, PACE_HEARD_MS = 60000, PACE_LEAST = 10 };

struct pace {
	unsigned halvings;
	unsigned learnt;       /* messages a minute before the first */
	uint64_t halved_at, refused_at;
};

/* limit: messages a minute as configured, 0: none; sent: in the last minute. */
void pace_slow_down(struct pace *pace, unsigned limit, unsigned sent,
                    uint64_t now_ms);
/* Messages a minute now; 0: no limit. */
unsigned pace_messages(const struct pace *pace, unsigned limit,
                       uint64_t now_ms);
unsigned pace_connections(const struct pace *pace, unsigned configured,
                          uint64_t now_ms);
bool pace_is_slow(const struct pace *pace, uint64_t now_ms);
/* Until it is a step faster; 0: it is not slow. */
uint64_t pace_wait(const struct pace *pace, uint64_t now_ms);

#endif
