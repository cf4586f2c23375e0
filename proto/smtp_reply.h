/*
 * smtp_reply -- an SMTP reply as a value: what everything here speaks.
 *
 * A reply has a code of three digits, maybe an enhanced status code (RFC 3463)
 * and text; the text's lines are separated by '\n' and carry neither code nor
 * status.  Printing adds both to each line (RFC 2034 4).  A status whose class
 * contradicts the code is no status: it stays in the text.
 */
#ifndef PROTO_SMTP_REPLY_H
#define PROTO_SMTP_REPLY_H

#include "proto/buf.h"

struct smtp_status {
	unsigned class, subject, detail; /* class 0: none */
};

struct smtp_reply {
	int code;                  /* 200..599; 0: no reply */
	struct smtp_status status;
	struct text text;          /* lines separated by '\n' */
};

enum { SMTP_REPLY_LINE_MAX = 512 }; /* RFC 5321 4.5.3.1.5, CRLF counted */

struct smtp_reply smtp_reply_make(int code, const char *status,
                                  const char *text); /* status: "5.7.1" or NULL */
int  smtp_reply_class(const struct smtp_reply *reply);   /* 2, 3, 4, 5 */
bool smtp_reply_positive(const struct smtp_reply *reply); /* 2xx */
bool smtp_reply_transient(const struct smtp_reply *reply); /* 4xx */
bool smtp_reply_permanent(const struct smtp_reply *reply); /* 5xx */

/* Read "5.7.1" at the start of text; returns its length with the space behind
 * it, or 0 when there is none. */
size_t smtp_status_parse(struct text text, struct smtp_status *status_r);
bool smtp_status_is(const struct smtp_status *status, const char *dotted);
/* "5.7.1" or "" */
const char *smtp_status_string(const struct smtp_status *status, char out[16]);

/* The wire form, CRLF at each line; lines are cut at 512 octets and bytes that
 * may not stand in a reply become '?'. */
void smtp_reply_print(struct buf *out, const struct smtp_reply *reply);
/* One line for logs: "535 5.7.3 Authentication unsuccessful", lines joined by
 * a space. */
void smtp_reply_line(struct buf *out, const struct smtp_reply *reply);

#endif
