/*
 * repairs -- all that was forgiven or mended about one message, for the log's
 * one `repaired` line, or for the refusal of a listener that is strict.
 */
#ifndef RELAY_INBOUND_REPAIRS_H
#define RELAY_INBOUND_REPAIRS_H

#include "proto/buf.h"
#include "relay/inbound/intake.h"

struct repairs {
	unsigned quirks;      /* SMTP_QUIRK() bits: of the dialogue */
	unsigned path;        /* SMTP_PATH_REPAIR() bits: of the addresses */
	bool completed;       /* a recipient was given a domain */
	unsigned intake;      /* INTAKE_REPAIR() bits: of the header */
	const struct mime_facts *content; /* of the body */
};

/* "empty lines between commands, Date added", in the order of the dialogue;
 * nothing when there was none.  No words hold a comma. */
void repairs_list(struct buf *out, const struct repairs *repairs);
/* Is there anything that a careful sender would not have sent? */
bool repairs_are_faults(const struct repairs *repairs);

#endif
