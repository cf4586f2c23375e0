/*
 * terminal -- what commands write for people: text from devices and providers
 * made harmless (proto/printable.h) and bounded, times as the clock on the
 * wall has them, paragraphs.  And JSON, in ASCII alone, so that it is harmless
 * as well.
 */
#ifndef RELAY_CLI_TERMINAL_H
#define RELAY_CLI_TERMINAL_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include "proto/buf.h"

enum {
	TERMINAL_WIDTH = 79,
	TERMINAL_TEXT_MAX = 1000   /* octets of one text, then "..." */
};

/* On one line; NULL as "-". */
void terminal_print(FILE *out, const char *text);
void terminal_append(struct buf *out, const char *text, size_t max);

/* A member of an object as a string; NULL: there is none, or null. */
const char *member_text(json_t *object, const char *key);
int64_t member_number(json_t *object, const char *key);

/* RFC 3339 as the API has it in local time, "2026-11-21 09:14:07" or, when
 * that is today, "09:14:07"; NULL as "-".  now_s: seconds since 1970. */
void terminal_time(struct buf *out, const char *rfc3339, int64_t now_s);
/* "3 days", "2 hours", "15 min", "4.2 s". */
void terminal_duration(struct buf *out, int64_t ms);
/* "1.2 MB" */
void terminal_octets(struct buf *out, int64_t octets);

/* The label, then text broken at spaces, indented behind it by that many
 * columns; nothing when text is NULL. */
void terminal_paragraph(FILE *out, int indent, const char *label,
                        const char *text);

/* The label and the beginning of the text, on one line; it is escaped
 * already. */
void terminal_line(FILE *out, const char *label, const char *text);

void terminal_json(json_t *value);

#endif
