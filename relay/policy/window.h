/*
 * window -- how much has happened in the last minute, or the last day.
 *
 * The span is cut into slots.  What happens in one counts until the span has
 * passed since its END: so never less is counted than in any span of that
 * length, wherever it begins, and at most one slot's time too much.  Memory is
 * four octets a slot, however much happens.
 *
 *     window_init(&w, 250, 240);      a minute in slots of 250 ms
 *     window_add(&w, 1, now);
 *     window_used(&w, now)
 *     window_wait(&w, 29, now)        ms until at most 29 are counted
 *
 * Pure: time (monotonic milliseconds) is an argument; one that goes back is
 * taken for one that stands still.
 */
#ifndef RELAY_POLICY_WINDOW_H
#define RELAY_POLICY_WINDOW_H

#include <stddef.h>
#include <stdint.h>

struct window {
	uint64_t slot_ms, span_ms;
	unsigned slots;        /* in a span; one more is kept */
	uint64_t newest;       /* number of the slot that time has come to */
	uint64_t used;         /* in all that are kept */
	uint32_t *counts;      /* of slot i at i modulo slots + 1 */
};

void window_init(struct window *window, uint64_t slot_ms, unsigned slots);
void window_clear(struct window *window); /* frees */

void window_add(struct window *window, size_t n, uint64_t now_ms);
/* What happened so long ago, before a restart; nothing if that is longer than
 * the span. */
void window_add_past(struct window *window, size_t n, uint64_t age_ms,
                     uint64_t now_ms);
uint64_t window_used(struct window *window, uint64_t now_ms);
/* Until no more than so many are counted, if nothing happens meanwhile; 0:
 * that is so now. */
uint64_t window_wait(struct window *window, uint64_t at_most, uint64_t now_ms);

#endif
