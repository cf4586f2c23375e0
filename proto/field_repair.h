/*
 * field_repair -- a header field as a device wrote it, made fit to travel.
 *
 * Raw 8-bit text becomes encoded words (RFC 2047) in unstructured fields,
 * phrases and comments, and extended parameters (RFC 2231) in file names; it is
 * UTF-8 where it reads as such, else the device's charset, and goes out as
 * UTF-8.  A line over 998 octets is folded where white space allows, else
 * wrapped (RFC 5322 2.1.1).  Control characters go.  A field that needs nothing
 * is not copied.  Nothing in a value can begin another field.
 *
 * What 8-bit text cannot be mended:
 *   - an address (RFC 6532 needs SMTPUTF8).  The element of To, Cc ... becomes
 *     an empty group (RFC 5322 3.4) whose name is what it said, so that it is
 *     still read and nobody is written to; inside a group it is left out.
 *   - ids, dates, types, names of parameters: "?" for each character.
 */
#ifndef PROTO_FIELD_REPAIR_H
#define PROTO_FIELD_REPAIR_H

#include "proto/rfc5322.h"

#define FIELD_REPAIR_MAP(X)                                           \
	X(EIGHT_BIT, "8-bit header text encoded")                     \
	X(LONG, "long header line folded")                            \
	X(CONTROL, "control characters in the header dropped")        \
	X(SEMICOLON, "semicolons between addresses made commas")      \
	X(BLANK, "blank line inside a field or before its colon dropped")

enum field_repair {
#define X(name, text) FIELD_REPAIR_BIT_##name,
	FIELD_REPAIR_MAP(X)
#undef X
	FIELD_REPAIRS
};
#define FIELD_REPAIR(name) (1u << FIELD_REPAIR_BIT_##name)

/* Does the field need anything?  0, or the FIELD_REPAIR() bits. */
unsigned field_needs(const struct rfc5322_field *field);
/* Append the whole field, name and CRLF included, mended: at most
 * FIELD_REPAIR_GROWTH times its length and a line.  charset: of text that is
 * not UTF-8; iconv's name for it. */
void field_repair(struct buf *out, const struct rfc5322_field *field,
                  const char *charset);
enum { FIELD_REPAIR_GROWTH = 32 };

/* Comments in a structured field that nest deeper than anybody writes them:
 * readers that recur would fall over. */
bool field_is_bomb(const struct rfc5322_field *field);
enum { FIELD_COMMENTS_DEEP = 50 };

#endif
