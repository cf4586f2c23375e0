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

/* "=?charset?B?text?=", the language behind a charset (RFC 2231 5) left out. */
struct rfc2047_word {
	struct text charset, text;
	char encoding;           /* 'B' or 'Q' */
};

/* Is token, all of it, an encoded word?  Of any length. */
bool rfc2047_word_parse(struct text token, struct rfc2047_word *word_r);
/* Append its octets, in its charset; false, and nothing, when it cannot be
 * decoded or out is full. */
bool rfc2047_word_decode(struct buf *out, const struct rfc2047_word *word);

#endif
