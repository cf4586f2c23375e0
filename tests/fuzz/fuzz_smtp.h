/*
 * fuzz_smtp -- the first bytes of the input to the two engines' targets: the
 * step of fuzz_step(), these flags, and where the driver's chances begin (0:
 * it says yes to all).
 */
#ifndef TESTS_FUZZ_FUZZ_SMTP_H
#define TESTS_FUZZ_FUZZ_SMTP_H

#include <stdio.h>

#include "tests/fuzz/fuzz.h"

enum {
	FUZZ_SERVER_AUTH = 1,
	FUZZ_SERVER_STARTTLS = 2,
	FUZZ_SERVER_TIGHT = 4,      /* small limits */
	FUZZ_SERVER_REFUSES = 8,    /* data, at its first chunk */
	FUZZ_SERVER_BARE = 16,      /* offers nothing */
	FUZZ_SERVER_STRICT = 32,
	FUZZ_SERVER_KIND = 64,      /* any login, one line, LF.LF */
	FUZZ_SERVER_REQUIRES = 128, /* TLS where offered, and a login */

	FUZZ_CLIENT_STARTTLS = 1,
	FUZZ_CLIENT_LOGIN = 2,
	FUZZ_CLIENT_PIPELINING = 4,
	FUZZ_CLIENT_EAGER = 8,
	FUZZ_CLIENT_UNSAFE = 16,    /* one recipient may not leave */
};

static inline unsigned char fuzz_byte(const uint8_t **data, size_t *size)
{
	if (*size == 0)
		return 0;
	(*size)--;
	return *(*data)++;
}

/* rule: NULL, or what was broken. */
static inline void must_keep(const char *rule)
{
	if (rule != NULL)
		fprintf(stderr, "broken rule: %s\n", rule);
	must(rule == NULL);
}

#endif
