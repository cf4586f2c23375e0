/*
 * fuzz -- what the fuzz targets share: a check that cannot be compiled out,
 * and input cut into pieces by the input's own first byte.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdlib.h>

#include "proto/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void must(bool holds)
{
	if (!holds)
		abort();
}

/* Take the first byte off as the step for fuzz_piece(); at least 1. */
static inline unsigned fuzz_step(const uint8_t **data, size_t *size)
{
	if (*size == 0)
		return 1;
	(*size)--;
	return *(*data)++ + 1u;
}

/* The next piece of *input: all of it with a step of 0, else of lengths that
 * change from piece to piece.  False at the end. */
static inline bool fuzz_piece(struct text *input, unsigned *step,
                              struct text *piece_r)
{
	size_t len = *step == 0 ? input->len : *step % 7 + 1;

	if (input->len == 0)
		return false;
	if (len > input->len)
		len = input->len;
	*piece_r = text_make(input->data, len);
	*input = text_skip(*input, len);
	if (*step > 0)
		*step = (*step * 5 + 3) % 1021 + 1;
	return true;
}

#endif
