/*
 * intake -- a device's message as it is stored: what is settled once, at
 * acceptance, so that every attempt is byte-identical.
 *
 * The Received field comes first (RFC 5321 4.4).  What the section lacks or has
 * wrong is mended field by field as it passes, in its place (RFC 6409 8): see
 * INTAKE_REPAIR_MAP and proto/field_repair.h.  What is missing is added at the
 * end of the section; a message without a header gets one.  An original that
 * was replaced is kept, cut and cleaned, in X-Original-Date,
 * X-Original-Message-ID or X-Original-From.  Behind a DKIM-Signature a date
 * that can be read stays as it is written.  Bodies pass untouched.
 *
 * On the way the section is read for what the log and the history show: From,
 * Subject, Message-ID.
 *
 * Content goes in by intake_push(), dots gone and CRLF only; what is to be
 * stored comes out through emit, in order; views are valid during that call.
 */
#ifndef RELAY_INBOUND_INTAKE_H
#define RELAY_INBOUND_INTAKE_H

#include "proto/buf.h"
#include "proto/field_repair.h"
#include "proto/mime_scan.h"
#include "relay/queue/envelope.h"

/* What nobody sends in earnest is refused, 554 5.6.0: it costs whoever reads
 * the message after us more than it costs its sender. */
enum {
	INTAKE_HEADER_MAX = 1024 * 1024, /* octets as they come; twice that as stored */
	INTAKE_FIELD_MAX = 256 * 1024,   /* 5,000 recipients in one To */
	INTAKE_FIELDS_MAX = 2000,        /* real mail has fewer than 200 */
};

#define INTAKE_REPAIR_MAP(X)                                            \
	FIELD_REPAIR_MAP(X)                                             \
	X(DATE, "Date added")                                           \
	X(DATE_REPLACED, "Date replaced (it could not be right)")        \
	X(DATE_FORM, "Date written as it should be")                    \
	X(MESSAGE_ID, "Message-ID added")                               \
	X(MESSAGE_ID_REPLACED, "Message-ID replaced (it was not valid)") \
	X(FROM, "From missing")                                         \
	X(FROM_ADDED, "From added")                                     \
	X(FROM_REPLACED, "From replaced (it held no address)")           \
	X(FROM_FORM, "From written as it should be")                    \
	X(TO, "To: undisclosed-recipients added")                       \
	X(MIME_VERSION, "MIME-Version added")                           \
	X(EMPTY, "empty header fields removed")                         \
	X(DUPLICATE, "repeated header fields removed")                  \
	X(BCC, "Bcc removed")                                           \
	X(RETURN_PATH, "Return-Path removed")                           \
	X(MBOX, "mailbox file's From line removed")                     \
	X(HEADER, "empty line after the header added")                  \
	X(LINE_ENDS, "bare CR or LF made CRLF")

enum intake_repair {
#define X(name, text) INTAKE_REPAIR_BIT_##name,
	INTAKE_REPAIR_MAP(X)
#undef X
	INTAKE_REPAIRS
};
#define INTAKE_REPAIR(name) (1u << INTAKE_REPAIR_BIT_##name)
const char *intake_repair_text(enum intake_repair repair);

struct intake;

struct intake_settings {
	const char *hostname;     /* ours */
	const char *protocol;     /* "SMTP", "ESMTPSA" (RFC 3848) */
	const char *charset;      /* of raw 8-bit header text that is not UTF-8;
	                             NULL: windows-1252 */
	const char *from;         /* address for a From that is missing or
	                             cannot be read; NULL: left to delivery */
	int64_t now_ms;
	int offset_minutes;       /* of the local time zone */
	void (*emit)(void *ctx, const void *data, size_t len);
	void *ctx;
};

/* client, helo and id are read from the envelope; header_from (an address, or a
 * name that still lacks its domain), subject (UTF-8), header_id and header_size
 * are filled in; at the end content and has_8bit. */
struct intake *intake_new(const struct intake_settings *settings,
                          struct envelope *envelope);
void intake_free(struct intake **intake);

/* False once the header section is refused: nothing more is emitted. */
bool intake_push(struct intake *intake, struct text content);
bool intake_finish(struct intake *intake);
/* Why, as a sentence for the device; NULL: it was not.  5.4.6 is a loop
 * (hops.h), anything else 5.6.0. */
const char *intake_error(const struct intake *intake);
const char *intake_error_status(const struct intake *intake);
/* What the body is made of; once it is finished.  plan is the envelope's. */
const struct mime_facts *intake_content(const struct intake *intake);
/* INTAKE_REPAIR() bits, whatever becomes of the message. */
unsigned intake_repairs(const struct intake *intake);

#endif
