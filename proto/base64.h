/*
 * base64 -- RFC 4648 section 4, as SASL over SMTP uses it (RFC 4954 4).
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

#endif
