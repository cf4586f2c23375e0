/*
 * intake_from -- what a device's From says, when it is no list of addresses.
 */
#ifndef RELAY_INBOUND_INTAKE_FROM_H
#define RELAY_INBOUND_INTAKE_FROM_H

#include "proto/buf.h"

enum intake_from_kind {
	INTAKE_FROM_GOOD,    /* addresses and nothing else */
	INTAKE_FROM_LOCAL,   /* a name that lacks its domain: "scanner",
	                        "Scanner <mfp>"; add_domain may complete it */
	INTAKE_FROM_MENDED,  /* an address among what is none: 'Doe, John
	                        <j@x>', "John j@x" */
	INTAKE_FROM_NONE,    /* "root (Cron Daemon)", "DAFANG", "MAILER-DAEMON
	                        <>", nothing: a word in capitals alone, or one
	                        that a comment explains, is a name */
};

struct intake_from {
	enum intake_from_kind kind;
	struct buf address; /* the first one; the name without domain of LOCAL;
	                       empty of NONE */
	struct buf name;    /* of MENDED and NONE: the rest of it */
};

/* value: one line of UTF-8, as field_text() makes it. */
void intake_from_read(struct intake_from *from, struct text value);
void intake_from_free(struct intake_from *from);

#endif
