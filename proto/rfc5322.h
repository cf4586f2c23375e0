/*
 * rfc5322 -- a message's header section, read as it streams by.
 *
 * Push bytes, pull items: whole fields as they stand (folded lines and CRLFs
 * kept), the end of the header section, then the body as it comes.  One field
 * is held at a time.  Line ends are CRLF (smtp_data.h has seen to that).
 *
 * A line that can be no field ends the section and begins the body; separated
 * is then false at the end of the section.  If it is the first line, the
 * message has no header.
 *
 * The line that a mailbox file puts before a message ("From sender date", and
 * ">From " before that) is passed over where a field follows; with none it is
 * the body's first line like any other.
 *
 * RFC 5322 2.2, 3.6.  rfc5322_unfold and friends read a single field.
 */
#ifndef PROTO_RFC5322_H
#define PROTO_RFC5322_H

#include "proto/buf.h"

enum rfc5322_item {
	RFC5322_NONE,     /* push more */
	RFC5322_FIELD,    /* one field, complete */
	RFC5322_END,      /* the section is over; see separated */
	RFC5322_BODY,     /* a piece of the body */
	RFC5322_TOO_BIG,  /* once: the section passed its limit; nothing follows */
};

struct rfc5322_field {
	struct text raw;   /* as it stands, final CRLF included */
	struct text name;  /* "Subject" */
	struct text value; /* raw behind the colon, final CRLF excluded */
};

struct rfc5322 {
	enum { RFC5322_IN_HEADER, RFC5322_IN_BODY, RFC5322_FAILED } state;
	enum {
		RFC5322_LINE_BEGIN, /* no byte of the line was read */
		RFC5322_LINE_NAME,  /* in what may be a field name */
		RFC5322_LINE_BLANK, /* in the space between name and colon */
		RFC5322_LINE_FIELD, /* behind the colon, or folded */
		RFC5322_LINE_EMPTY, /* after CR at the beginning */
		RFC5322_LINE_MBOX,  /* in "From ", before any field */
	} line;
	bool separated;    /* at END: an empty line closed the section */
	bool finished;     /* rfc5322_finish() was called */
	bool drop_held;    /* what held has was handed out by the last next() */
	bool mbox;         /* a mailbox file's line was passed over */
	bool any;          /* field was handed out */
	struct buf held;   /* the field, or undecided line, being gathered */
	struct buf mbox_held; /* such lines, until a field follows */
	struct text input; /* what rfc5322_push() was given */
	size_t seen;       /* octets of the section so far */
	size_t limit;
};

/* limit: octets of the whole section; beyond it comes TOO_BIG. */
void rfc5322_init(struct rfc5322 *reader, size_t limit);
void rfc5322_free(struct rfc5322 *reader);
/* data stays in place until next() has returned NONE. */
void rfc5322_push(struct rfc5322 *reader, struct text data);
void rfc5322_finish(struct rfc5322 *reader); /* no more bytes will come */
/* Views in *field_r and *body_r are valid until the next call. */
enum rfc5322_item rfc5322_next(struct rfc5322 *reader,
                               struct rfc5322_field *field_r,
                               struct text *body_r);

/* The field that these bytes are: a colon must be among them. */
void rfc5322_field_make(struct rfc5322_field *field_r, struct text raw);
bool rfc5322_field_is(const struct rfc5322_field *field, const char *name);
/* The value on one line: folds become one space, ends are trimmed. */
void rfc5322_unfold(struct buf *out, struct text value);

/* "Sat, 21 Nov 2026 02:20:55 +0000": time and offset are arguments. */
void rfc5322_date(char out[40], int64_t unix_seconds, int offset_minutes);

#endif
