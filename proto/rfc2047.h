/*
 * rfc2047 -- encoded words: text beyond ASCII in a header field.
 */
#ifndef PROTO_RFC2047_H
#define PROTO_RFC2047_H

#include "proto/buf.h"

/* Append text as encoded words of at most 75 octets with a space between them
 * (readers drop it); no octet of text reaches out as it is.  What is not
 * UTF-8 is said to be in charset: "windows-1252". */
void rfc2047_encode(struct buf *out, struct text text, const char *charset);

#endif
