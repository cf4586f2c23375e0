/*
 * intake_private -- what intake.c and intake_fields.c share.
 */
#ifndef RELAY_INBOUND_INTAKE_PRIVATE_H
#define RELAY_INBOUND_INTAKE_PRIVATE_H

#include "proto/rfc5322.h"
#include "relay/inbound/hops.h"
#include "relay/inbound/intake.h"

/* The fields that are looked at; those before INTAKE_BCC stand once (RFC 5322
 * 3.6, RFC 2045 3). */
enum intake_field {
	INTAKE_DATE,
	INTAKE_MESSAGE_ID,
	INTAKE_FROM,
	INTAKE_SENDER,
	INTAKE_REPLY_TO,
	INTAKE_TO,
	INTAKE_CC,
	INTAKE_SUBJECT,
	INTAKE_IN_REPLY_TO,
	INTAKE_REFERENCES,
	INTAKE_MIME_VERSION,
	INTAKE_CONTENT_TYPE,
	INTAKE_CONTENT_TRANSFER_ENCODING,
	INTAKE_BCC,
	INTAKE_RESENT_BCC,
	INTAKE_RETURN_PATH,
	INTAKE_DKIM_SIGNATURE,
	INTAKE_OTHER,
};

struct intake {
	struct intake_settings settings;
	struct envelope *envelope;
	struct rfc5322 reader;
	struct mime_scan *scan;
	struct mime_facts facts; /* plan is the envelope's */
	uint64_t emitted;
	unsigned n_fields;
	struct hops hops;
	unsigned seen;      /* 1 << enum intake_field: in what is stored */
	bool has_mime;      /* some Content-* field */
	bool ended;
	const char *error;
	unsigned repairs;
};

/* Store a field as it is, or mended. */
void intake_keep(struct intake *intake, const struct rfc5322_field *field);
/* Store "name: value", one line of text, folded and encoded as it must be. */
void intake_put(struct intake *intake, const char *name, struct text value);

/* One field of the section, as the device sent it. */
void intake_take(struct intake *intake, const struct rfc5322_field *field);
/* What the section lacks, at its end. */
void intake_complete(struct intake *intake);

#endif
