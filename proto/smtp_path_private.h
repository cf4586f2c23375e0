/*
 * smtp_path_private -- what the files of smtp_path share, and nobody else
 * includes: smtp_path.c (the grammar), smtp_path_words.c (addresses among other
 * words), smtp_path_list.c (several in one).
 */
#ifndef PROTO_SMTP_PATH_PRIVATE_H
#define PROTO_SMTP_PATH_PRIVATE_H

#include "proto/smtp_path.h"

/* Where what begins at text[i] ends: a quoted string and a comment are one
 * unit, any other byte is its own.  SIZE_MAX: it does not end. */
size_t path_unit_end(struct text text, size_t i);
/* Where one of the stop bytes stands outside of both; text.len: nowhere. */
size_t path_find(struct text text, const char *stop);
bool path_is_blank(char c);
/* A parameter stands there: "SIZE=". */
bool path_is_param(struct text text);

/* The address among the words of arg, and what follows them; false where it
 * is not clear which one is meant. */
bool path_among_words(struct text arg, struct text *address_r,
                      struct text *rest_r);
/* arg begins with words and goes on with a bracket, as in "John <a@b>". */
bool path_is_phrase(struct text arg);
/* "'a@b'" or "\"a@b\"": what is inside the quotes, else the text itself. */
struct text path_unquote(struct text text);
/* Without the comments at its front; false when one does not end. */
bool path_skip_comments(struct text *text);

#endif
