#include "relay/policy/window.h"

#include <stdlib.h>
#include "proto/xalloc.h"

void window_init(struct window *window, uint64_t slot_ms, unsigned slots)
{
	*window = (struct window){
		.slot_ms = slot_ms,
		.span_ms = slot_ms * slots,
		.slots = slots,
		.counts = xcalloc(slots + 1, sizeof(uint32_t)),
	};
}

void window_clear(struct window *window)
{
	free(window->counts);
	*window = (struct window){ 0 };
}

/* Slots are counted from a span before time began, so that there is a past. */
static uint64_t slot_at(const struct window *window, uint64_t ms)
{
	return ms / window->slot_ms + window->slots;
}

static uint32_t *count_at(struct window *window, uint64_t slot)
{
	return &window->counts[slot % (window->slots + 1)];
}

/* Bring time forward: slots that come anew begin empty. */
static void move_on(struct window *window, uint64_t now_ms)
{
	uint64_t slot = slot_at(window, now_ms);

	if (slot > window->newest + window->slots)
		window->newest = slot - window->slots - 1;
	while (window->newest < slot) {
		uint32_t *count = count_at(window, ++window->newest);

		window->used -= *count;
		*count = 0;
	}
}

static void add_to(struct window *window, uint64_t slot, size_t n)
{
	uint32_t *count = count_at(window, slot);
	uint32_t room = UINT32_MAX - *count;
	uint32_t more = n < room ? (uint32_t)n : room;

	*count += more;
	window->used += more;
}

void window_add(struct window *window, size_t n, uint64_t now_ms)
{
	move_on(window, now_ms);
	add_to(window, window->newest, n);
}

void window_add_past(struct window *window, size_t n, uint64_t age_ms,
		     uint64_t now_ms)
{
	/* Perhaps one more; the later slot is the safe one. */
	uint64_t slots_ago = age_ms / window->slot_ms;

	move_on(window, now_ms);
	if (slots_ago <= window->slots)
		add_to(window, window->newest - slots_ago, n);
}

uint64_t window_used(struct window *window, uint64_t now_ms)
{
	move_on(window, now_ms);
	return window->used;
}

/* When slot number s no longer counts, as time is told. */
static uint64_t end_of(const struct window *window, uint64_t slot)
{
	return (slot + 1) * window->slot_ms;
}

uint64_t window_wait(struct window *window, uint64_t at_most, uint64_t now_ms)
{
	uint64_t slot, left;

	move_on(window, now_ms);
	left = window->used;
	slot = window->newest - window->slots;
	while (left > at_most)
		left -= *count_at(window, slot++);
	if (left == window->used)
		return 0;
	/* The last that had to go: numbered a span too high, it ends a span
	 * too late, which is when it stops to count. */
	return end_of(window, slot - 1) - now_ms;
}
