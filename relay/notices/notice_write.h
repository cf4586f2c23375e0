/*
 * notice_write -- paragraphs, facts and lists of a text to people, in lines of
 * '\n'.  Words are wrapped at 76 columns; what comes from outside is cleaned
 * and cut here (proto/plain.h).
 */
#ifndef RELAY_NOTICES_NOTICE_WRITE_H
#define RELAY_NOTICES_NOTICE_WRITE_H

#include "proto/buf.h"

struct notice_write {
	struct buf *out;
	int offset_minutes;  /* of the local time zone */
};

/* A line, indented; then one that is empty. */
void notice_write(struct notice_write *write, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void notice_write_end(struct notice_write *write);
/* Wrapped, with an empty line behind it. */
void notice_write_paragraph(struct notice_write *write, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void notice_write_command(struct notice_write *write, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* "    Name:      value"; value NULL or empty: nothing */
void notice_write_fact(struct notice_write *write, const char *name,
                       const char *value);
void notice_write_time(struct notice_write *write, const char *name,
                       int64_t ms);
/* A line of its own, whatever it holds. */
void notice_write_item(struct notice_write *write, const char *words);
/* What somebody else said, wrapped. */
void notice_write_quote(struct notice_write *write, const char *words);
void notice_write_signature(struct notice_write *write, const char *hostname);

/* "5 days", "3 hours", "90 seconds": the largest unit that fits it. */
void notice_write_period(struct buf *out, int64_t ms);

#endif
