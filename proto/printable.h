/*
 * printable -- text from a peer, made harmless for whoever reads it.
 *
 * Control characters, those that hide or turn a line around, and bytes that
 * are no UTF-8 are escaped; letters of all languages stay.
 */
#ifndef PROTO_PRINTABLE_H
#define PROTO_PRINTABLE_H

#include "proto/buf.h"

enum printable {
	PRINTABLE_PLAIN,  /* a character that may stand as it is */
	PRINTABLE_CODE,   /* one that must not */
	PRINTABLE_BYTE,   /* a byte that is no UTF-8 */
};

/* What the text, which is not empty, begins with: its octets, and the code
 * point unless it is a BYTE. */
enum printable printable_next(struct text text, size_t *len_r,
                              uint32_t *code_r);
/* "\n", "\r", "\t" or "\u001b", as JSON has it. */
void printable_code(struct buf *out, uint32_t code);

/* Append it for a terminal: on one line, at most max octets of it and then
 * "...".  A byte becomes "\xfc". */
void printable_append(struct buf *out, struct text text, size_t max);

#endif
