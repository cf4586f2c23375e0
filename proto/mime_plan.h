/*
 * mime_plan -- what has to be done about each part of a body, as a short text
 * that is kept with the message: "1:8,3:LH,c=windows-1252".
 *
 *     plan = item *("," item)
 *     item = part ":" 1*letter / "c=" charset
 *
 * Parts are numbered as mime_walk.h does; one that is not named needs nothing.
 * Letters and items that a reader does not know are passed over.
 */
#ifndef PROTO_MIME_PLAN_H
#define PROTO_MIME_PLAN_H

#include "proto/mime_walk.h"

enum { MIME_CHARSET_MAX = 40 };

/* Letter, whether it is for every provider or only for one without 8BITMIME,
 * and what it says. */
#define MIME_NEED_MAP(X)                                                      \
	X(LINES,       'L', true)  /* content: long lines, or labelled binary */ \
	X(EIGHT_BIT,   '8', false) /* content: octets above 127 */            \
	X(HEADER,      'H', true)  /* its header: see field_repair.h */       \
	X(DECLARE,     'U', true)  /* the message: 8-bit text, not declared */ \
	X(BINARY,      'B', true)  /* a container labelled binary */          \
	X(LABEL,       'C', false) /* a container labelled 8bit */            \
	X(FRAME_LINES, 'G', true)  /* between parts: long lines */            \
	X(FRAME_8BIT,  'F', false) /* between parts: octets above 127 */      \
	X(FIXED,       'X', false) /* octets above 127 that have to stay */

enum mime_need_bit {
#define X(name, letter, always) MIME_NEED_BIT_##name,
	MIME_NEED_MAP(X)
#undef X
};
#define MIME_NEED(name) (1u << MIME_NEED_BIT_##name)

struct mime_plan {
	uint16_t parts[MIME_PARTS_MAX + 1]; /* MIME_NEED() bits */
	char charset[MIME_CHARSET_MAX + 1]; /* "": none */
};

/* Is it something that may stand in a header as it is? */
bool mime_is_charset(struct text charset);

void mime_plan_clear(struct mime_plan *plan);
/* A new string; NULL when nothing is to be done. */
char *mime_plan_print(const struct mime_plan *plan);
void mime_plan_parse(struct mime_plan *plan, const char *text);
/* What of the needs is to be done. */
unsigned mime_needs_now(unsigned needs, bool to_7bit);

#endif
