/*
 * text -- a view of bytes: where they begin and how many they are.
 *
 * A view owns nothing and need not end in NUL; whoever hands one out says how
 * long it stays valid.  Comparison is for ASCII, as SMTP's is (RFC 5321 2.4).
 */
#ifndef PROTO_TEXT_H
#define PROTO_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
	const char *data;
	size_t len;
};

/* For printf's "%.*s". */
#define TEXT_ARG(t) (int)(t).len, (t).data

struct text text_of(const char *string);     /* NULL gives the empty text */
struct text text_make(const char *data, size_t len);
char *text_dup(struct text text);            /* a new C string, caller frees */

bool text_equal(struct text a, struct text b);
bool text_equal_nocase(struct text a, struct text b);
bool text_is(struct text a, const char *b);  /* ignoring case */
bool text_starts(struct text text, const char *prefix); /* ignoring case */
/* Where needle begins in text, ignoring case; -1: nowhere. */
ptrdiff_t text_find_nocase(struct text text, struct text needle);

struct text text_skip(struct text text, size_t n); /* without the first n */
struct text text_trim(struct text text);     /* without SP and HT at the ends */
/* Take the next token up to a separator byte out of *rest; false at the end. */
bool text_token(struct text *rest, char separator, struct text *token_r);

/* Decimal digits only, no sign, no overflow. */
bool text_to_u64(struct text text, uint64_t *value_r);

/* Glob with '*' for any run of bytes, ignoring case; linear in practice and
 * never exponential. */
bool text_glob(struct text pattern, struct text text);

#endif
