/*
 * base64 -- RFC 4648 section 4, as SASL over SMTP uses it (RFC 4954 4), and as
 * a body's transfer encoding (RFC 2045 6.8), in lines of 76.
 *
 * Decoding is strict: alphabet, padding and length must be exact, no white
 * space, no unused bits set.
 */
#ifndef PROTO_BASE64_H
#define PROTO_BASE64_H

#include "proto/buf.h"

bool base64_encode(struct buf *out, struct text in);
/* False when in is not base64 or out is full; out is then as it was. */
bool base64_decode(struct buf *out, struct text in);

/* Lines of base64 from octets that stream past: zeroed -> add... -> finish.
 * All return false, with nothing done, when out is full. */
struct base64_lines {
	unsigned char held[3];
	unsigned n_held;
	unsigned column;
};

/* Append at most twice the piece's length and a few octets. */
bool base64_lines_add(struct base64_lines *lines, struct text piece,
                      struct buf *out);
bool base64_lines_finish(struct base64_lines *lines, struct buf *out);

/* Base64 with lines of any length: those over 76 are wrapped; octets above 127
 * and hyphens that begin a line, which no decoder heeds (RFC 2045 6.8), are left
 * out.  *column is 0 at the beginning. */
bool base64_wrap(unsigned *column, struct text piece, struct buf *out);

#endif
