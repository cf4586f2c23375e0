/*
 * plain -- text from anywhere as one line that may be shown to people.
 *
 * Providers, devices and users write what ends in a notice: control characters
 * that move a cursor, line ends, marks that turn the direction of writing,
 * octets that are no characters, 100 KB of it.
 */
#ifndef PROTO_PLAIN_H
#define PROTO_PLAIN_H

#include "proto/buf.h"

/* Append text in UTF-8 (what is not that is read as windows-1252) on one line:
 * blanks for control characters and line ends, one for several, none at the
 * ends; nothing for what only steers.  What is longer than max octets is cut
 * between characters and ends in "...". */
void plain_line(struct buf *out, struct text text, size_t max);
/* A new C string of it. */
char *plain_dup(const char *string, size_t max); /* NULL gives NULL */

#endif
