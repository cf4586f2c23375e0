/*
 * intake -- a device's message as it is stored: what is settled once, at
 * acceptance, so that every attempt is byte-identical.
 *
 * The Received field comes first (RFC 5321 4.4); missing Date and Message-ID
 * are added at the end of the header section; a message without a header gets
 * one.  On the way the section is read for what the log and the history show:
 * From, Subject, Message-ID.
 *
 * Content goes in by intake_push(), dots gone and CRLF only; what is to be
 * stored comes out through emit, in order; views are valid during that call.
 */
#ifndef RELAY_INBOUND_INTAKE_H
#define RELAY_INBOUND_INTAKE_H

#include "proto/buf.h"
#include "relay/queue/envelope.h"

enum { INTAKE_HEADER_MAX = 1024 * 1024 }; /* octets; beyond it 554 5.6.0 */

#define INTAKE_REPAIR_MAP(X)                        \
	X(DATE, "Date added")                       \
	X(MESSAGE_ID, "Message-ID added")           \
	X(FROM, "From missing")                     \
	X(HEADER, "empty line after the header added") \
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
	const char *charset;      /* of raw 8-bit header text that is not UTF-8 */
	const char *from;         /* address for a From that is missing or
	                             cannot be read; NULL: left to delivery */
	int64_t now_ms;
	int offset_minutes;       /* of the local time zone */
	void (*emit)(void *ctx, const void *data, size_t len);
	void *ctx;
};

/* client, helo and id are read from the envelope; header_from, subject,
 * header_id and header_size are filled in. */
struct intake *intake_new(const struct intake_settings *settings,
                          struct envelope *envelope);
void intake_free(struct intake **intake);

/* False once the header section is too big: nothing more is emitted. */
bool intake_push(struct intake *intake, struct text content);
bool intake_finish(struct intake *intake);
unsigned intake_repairs(const struct intake *intake); /* INTAKE_REPAIR() bits */

#endif
