/*
 * announced -- when to come again, as a provider's own words have it.
 *
 *     "451 4.7.1 Greylisted, try again in 300 seconds"      300 s
 *     "550 Relay quota will reset in 2.23 hours."           2 h 13 min 48 s
 *     "421 Too many messages. Retry-After: 90"              90 s
 *
 * A number counts behind words that announce it and before a unit; only behind
 * Retry-After, which HTTP has made known (RFC 9110 10.2.3), seconds need none.
 * Pure.
 */
#ifndef RELAY_POLICY_ANNOUNCED_H
#define RELAY_POLICY_ANNOUNCED_H

#include <stdint.h>
#include "proto/text.h"

/* A second at least, and a day at most, whatever was said: who says more is
 * asked again after a day.  0: nothing is announced. */
int64_t announced_wait(struct text reply);

#endif
