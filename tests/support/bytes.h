/*
 * bytes -- literals with NUL inside, and comparison that shows both sides.
 */
#ifndef TESTS_SUPPORT_BYTES_H
#define TESTS_SUPPORT_BYTES_H

#include "proto/text.h"

/* A struct text from a literal, its NULs counted. */
#define BYTES(literal) { literal, sizeof(literal) - 1 }
#define TEXT(literal) ((struct text)BYTES(literal))
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Fail with both, escaped, and the name of the case, unless they are equal. */
void assert_bytes(const char *name, struct text actual, struct text expected);

#endif
