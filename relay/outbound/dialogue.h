/*
 * dialogue -- the flight recorder of a connection to a provider: what was
 * said, kept in a bounded memory and read only when an attempt has failed.
 *
 *     * connected to 192.0.2.1:587 after 31 ms
 *     > EHLO relay.example
 *     < 250-smtp.example.com
 *
 * ">" says lanpost, "<" the provider, "*" is what happened besides.  Kept are
 * the session's opening, up to the first transaction or 4 KiB, and behind it
 * the end of what came, 12 KiB; a line that would pass 512 octets is cut.
 * Recording copies a line into its place and allocates nothing.
 *
 *     new -> line, note... -> begin -> line, note... -> text -> begin ...
 */
#ifndef RELAY_OUTBOUND_DIALOGUE_H
#define RELAY_OUTBOUND_DIALOGUE_H

#include "proto/sasl.h"

enum { DIALOGUE_MAX = 16 * 1024 }; /* octets of dialogue_text() */

struct dialogue;

struct dialogue *dialogue_new(void);
void dialogue_free(struct dialogue **dialogue);

void dialogue_line(struct dialogue *dialogue, char side, struct text line);
void dialogue_note(struct dialogue *dialogue, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* A transaction begins: returns where, for dialogue_text(). */
uint64_t dialogue_begin(struct dialogue *dialogue);

/* The opening and what was said since `from` (0: all), with a line that says
 * what was cut, without the secret of who (may be NULL), as UTF-8; control
 * characters are as they came.  Valid until the next call. */
const char *dialogue_text(struct dialogue *dialogue, uint64_t from,
                          const struct sasl_credentials *who);

#endif
