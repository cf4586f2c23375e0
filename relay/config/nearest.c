#include "relay/config/nearest.h"

#include <string.h>

enum { NAME_MAX_LEN = 64 };

static unsigned lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned)(c - 'A' + 'a')
				    : (unsigned char)c;
}

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/* Row by row; two rows back is what a swap of neighbours needs. */
static unsigned edit_distance(struct text a, struct text b)
{
	unsigned rows[3][NAME_MAX_LEN + 1];
	unsigned *before = rows[0], *last = rows[1], *row = rows[2], *spare;

	for (size_t j = 0; j <= b.len; j++)
		last[j] = (unsigned)j;
	memcpy(before, last, sizeof(rows[0]));
	for (size_t i = 1; i <= a.len; i++) {
		unsigned x = lower(a.data[i - 1]);

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b.len; j++) {
			unsigned y = lower(b.data[j - 1]);

			row[j] = least(last[j] + 1, row[j - 1] + 1,
				       last[j - 1] + (x != y));
			if (i > 1 && j > 1 && lower(a.data[i - 2]) == y &&
			    x == lower(b.data[j - 2]))
				row[j] = least(row[j], row[j],
					       before[j - 2] + 1);
		}
		spare = before;
		before = last;
		last = row;
		row = spare;
	}
	return last[b.len];
}

void nearest_begin(struct nearest *nearest, struct text word)
{
	*nearest = (struct nearest){ .word = word };
}

void nearest_try(struct nearest *nearest, const char *name)
{
	struct text known = text_of(name);
	size_t longer =
		known.len > nearest->word.len ? known.len : nearest->word.len;
	unsigned distance;

	if (longer > NAME_MAX_LEN || nearest->word.len == 0)
		return;
	distance = edit_distance(nearest->word, known);
	if (distance > (longer + 2) / 3)
		return;
	if (nearest->best && distance >= nearest->distance)
		return;
	nearest->best = name;
	nearest->distance = distance;
}
