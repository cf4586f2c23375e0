/*
 * dsn -- a message of ours: a letter to people, and with a report the notice
 * that a message could not be delivered.
 *
 *     RFC 6522  multipart/report; report-type=delivery-status
 *                 text/plain               for people
 *     RFC 3464    message/delivery-status  for programs
 *                 text/rfc822-headers      what the message's header said
 *
 * The body of a message is never sent back.  All that comes from providers,
 * devices and users is made harmless here, whatever it holds: fields are folded
 * and encoded, text that is not plain ASCII is quoted-printable, long things
 * are cut.  What comes out is 7-bit, in lines of at most 998 octets, and the
 * same for the same arguments: the boundary is the message's id, and another
 * one where a part holds that.
 */
#ifndef PROTO_DSN_H
#define PROTO_DSN_H

#include "proto/buf.h"
#include "proto/smtp_reply.h"

enum {
	DSN_HEADER_MAX = 16 * 1024, /* octets of the header given back */
	DSN_REPLY_MAX = 1000,       /* of a provider's words */
	DSN_RECIPIENTS_MAX = 500,   /* told of; there may be more */
};

struct dsn_letter {
	const char *from_name, *from; /* "lanpost" and an address */
	const char *const *to;        /* addresses */
	size_t n_to;
	const char *subject;
	const char *id;               /* of this letter: what stands before the
	                                 @ in its Message-ID */
	const char *hostname;         /* ours, and what stands behind the @ */
	const char *about;            /* Message-ID of what it is about, brackets
	                                 and all; NULL: nothing */
	const char *auto_submitted;   /* RFC 3834: "auto-replied" */
	int64_t seconds;              /* since 1970 */
	int offset_minutes;           /* of the local time zone */
	const char *text;             /* UTF-8, lines end in '\n' */
};

struct dsn_recipient {
	const char *address;
	const char *original;         /* as it was given first; NULL: the same */
	struct smtp_status status;
	const char *host;             /* that answered; NULL: nobody did */
	const char *reply;            /* its words, or ours; NULL: none */
	int64_t attempt_seconds;      /* the last attempt; 0: none was made */
};

struct dsn_report {
	const char *id;               /* of the message, ours */
	int64_t arrival_seconds;
	const struct dsn_recipient *recipients; /* who failed */
	size_t n_recipients;
	struct text header;           /* section; empty: not known any longer */
};

/* What became of a recipient, by the line that answered, "550 5.1.1 ...": its
 * enhanced code, else the class of its code, 5.0.0.  expired: 4.4.7, whatever
 * the answer was. */
struct smtp_status dsn_status(const char *reply, bool expired);

/* Append the message.  report NULL: a letter alone.  False when out is full. */
bool dsn_print(struct buf *out, const struct dsn_letter *letter,
               const struct dsn_report *report);

#endif
