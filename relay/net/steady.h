/*
 * steady -- the time of day that ages are measured in: like the wall clock, but
 * it does not jump.
 *
 * It goes at the pace of the monotonic clock.  Small corrections of the wall
 * clock (less than an hour: an adjustment, a leap second) are followed; a jump
 * is not, until the owner has moved what it keeps by as much (queue_rebase()):
 * so a clock that is set a year ahead expires nothing, and one that is set back
 * makes nothing wait for the old time to come again.  A machine that sleeps
 * looks the same, and its mail does not age in its sleep.
 *
 * Pure; the process has one, behind steady_now_ms() in loop.h.
 */
#ifndef RELAY_NET_STEADY_H
#define RELAY_NET_STEADY_H

#include <stdint.h>

enum { STEADY_JUMP_MS = 3600 * 1000 }; /* smaller ones are none */

struct steady {
	int64_t offset; /* of the time of day, from the monotonic clock */
};

void steady_start(struct steady *steady, int64_t wall_ms, int64_t mono_ms);
int64_t steady_at(const struct steady *steady, int64_t mono_ms);
/* Follow the wall clock.  Returns by how much it has jumped, and all that is
 * measured in steady time has to be moved; or 0. */
int64_t steady_follow(struct steady *steady, int64_t wall_ms, int64_t mono_ms);

#endif
