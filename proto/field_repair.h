/*
 * field_repair -- a header field as a device wrote it, made fit to travel.
 *
 * Raw 8-bit text becomes encoded words (RFC 2047) in unstructured fields,
 * phrases and comments, and extended parameters (RFC 2231) in file names; it is
 * UTF-8 where it reads as such, else the device's charset, and goes out as
 * UTF-8.  A line over 998 octets is folded where white space allows, else
 * wrapped (RFC 5322 2.1.1).  Control characters go.  A field that needs nothing
 * is not copied.  Nothing in a value can begin another field.
 */
#ifndef PROTO_FIELD_REPAIR_H
#define PROTO_FIELD_REPAIR_H

#include "proto/rfc5322.h"

#define FIELD_REPAIR_MAP(X)                                  \
	X(EIGHT_BIT, "8-bit header text encoded")            \
	X(LONG, "long header line folded")                   \
	X(CONTROL, "control characters in the header dropped")

enum field_repair {
#define X(name, text) FIELD_REPAIR_BIT_##name,
	FIELD_REPAIR_MAP(X)
#undef X
	FIELD_REPAIRS
};
#define FIELD_REPAIR(name) (1u << FIELD_REPAIR_BIT_##name)

/* Does the field need anything?  0, or the FIELD_REPAIR() bits. */
unsigned field_needs(const struct rfc5322_field *field);
/* Append the whole field, name and CRLF included, mended.  charset: of text
 * that is not UTF-8; iconv's name for it. */
void field_repair(struct buf *out, const struct rfc5322_field *field,
                  const char *charset);

#endif
