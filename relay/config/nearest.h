/*
 * nearest -- the known name a mistyped one was probably meant to be.
 *
 *     struct nearest nearest;
 *     nearest_begin(&nearest, word);
 *     for each known name: nearest_try(&nearest, name);
 *     if (nearest.best) ... did you mean nearest.best ...
 *
 * Near means: a third of the letters at most are missing, wrong, too many or
 * swapped with their neighbour (Damerau and Levenshtein); case does not count.
 */
#ifndef RELAY_CONFIG_NEAREST_H
#define RELAY_CONFIG_NEAREST_H

#include "proto/text.h"

struct nearest {
	struct text word;
	const char *best;  /* as given to nearest_try(); NULL: none is near */
	unsigned distance; /* of the best */
};

void nearest_begin(struct nearest *nearest, struct text word);
void nearest_try(struct nearest *nearest, const char *name);

#endif
