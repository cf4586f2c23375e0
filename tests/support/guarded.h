/*
 * guarded -- bytes whose last one lies before an unmapped page: whoever reads
 * further ends the test on the spot, whatever the build.
 */
#ifndef TESTS_SUPPORT_GUARDED_H
#define TESTS_SUPPORT_GUARDED_H

#include "proto/text.h"

struct guarded {
	struct text text; /* the copy */
	void *map;
	size_t size;
};

struct guarded guarded_copy(struct text text);
void guarded_free(struct guarded *guarded);

/* The ways to feed text to a streaming parser: in two pieces, cut before each
 * byte and at the end, and at last byte by byte. */
size_t guarded_ways(struct text text);

/* Feed text in one of these ways.  Each piece is a guarded copy that is gone
 * when feed returns. */
void guarded_feed(struct text text, size_t way,
                  void (*feed)(void *ctx, struct text piece), void *ctx);

#endif
