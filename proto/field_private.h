/*
 * field_private -- what field_repair.c, field_address.c and field_params.c
 * share.  All texts are one line of UTF-8, as field_text() makes them; all that
 * is appended is one line of ASCII, to be folded.
 */
#ifndef PROTO_FIELD_PRIVATE_H
#define PROTO_FIELD_PRIVATE_H

#include "proto/buf.h"
#include "proto/field_lex.h"

/* A token of a structured field that may be a comment. */
void field_put_token(struct buf *out, const struct field_token *token);
void field_put_comment(struct buf *out, const struct field_token *token);
/* ASCII as it is, "?" for each other character. */
void field_put_ascii(struct buf *out, struct text text);
/* A phrase: words and quoted strings, encoded where they must be. */
void field_put_phrase(struct buf *out, struct text phrase);

/* To, Cc, Reply-To ... */
void field_put_addresses(struct buf *out, struct text list);
bool field_has_semicolons(struct text list);
/* Content-Type, Content-Disposition */
void field_put_params(struct buf *out, struct text value);

#endif
