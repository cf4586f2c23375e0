/*
 * field_lex -- the words of a structured header field (RFC 5322 3.2).
 *
 * Comments and quoted strings are one token each, however deep, however long;
 * whatever stands there, the tokens put together again are the text.  The text
 * is one line of octets; those beyond ASCII belong to atoms.
 */
#ifndef PROTO_FIELD_LEX_H
#define PROTO_FIELD_LEX_H

#include "proto/text.h"

enum field_token_kind {
	FIELD_SPACE,
	FIELD_ATOM,    /* with "." and "@" and whatever is nothing else */
	FIELD_QUOTED,  /* with its quotes */
	FIELD_COMMENT, /* with its parentheses and those inside */
	FIELD_LITERAL, /* "[192.0.2.1]" */
	FIELD_SPECIAL, /* one of <>:;, or a bracket that closes nothing */
};

struct field_token {
	enum field_token_kind kind;
	struct text text;
	size_t open;   /* quotes or parentheses that were not closed */
};

/* Take the next token off *rest; false at the end. */
bool field_lex(struct text *rest, struct field_token *token_r);
bool field_token_is(const struct field_token *token, char special);

/* Of the comment that text begins with, its parentheses and those inside; 0:
 * it is not closed. */
size_t field_comment_length(struct text text);

/* Is there anything but blanks, brackets, commas, comments, empty quotes and
 * control characters? */
bool field_has_words(struct text text);

/* How deep the comments nest; 0: there are none. */
size_t field_comment_depth(struct text text);

#endif
