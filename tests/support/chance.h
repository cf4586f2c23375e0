/*
 * chance -- random numbers that are the same each time: a walk that fails can
 * be walked again.
 */
#ifndef TESTS_SUPPORT_CHANCE_H
#define TESTS_SUPPORT_CHANCE_H

#include <stdbool.h>
#include <stdint.h>

struct chance {
	uint64_t state;
};

static inline struct chance chance_of(uint64_t seed)
{
	return (struct chance){ seed * 2654435761u + 1 };
}

/* From 0 to below - 1. */
static inline unsigned chance_below(struct chance *chance, unsigned below)
{
	chance->state = chance->state * 6364136223846793005u +
	                1442695040888963407u;
	return (unsigned)(chance->state >> 33) % below;
}

static inline bool chance_one_in(struct chance *chance, unsigned n)
{
	return chance_below(chance, n) == 0;
}

#endif
