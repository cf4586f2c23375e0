/*
 * rewrite -- a stored header section as it goes to the provider.
 *
 * The spool keeps what was accepted; each attempt writes the header afresh for
 * the account it goes through, so the same attempt always yields the same
 * bytes.  Work is done by fields: a field is kept as it stands, dropped, or
 * replaced by one written here from parsed parts; no text of a device is ever
 * pasted into another field.
 *
 *   always       Bcc, Resent-Bcc and Return-Path go (RFC 5322 3.6.3 and
 *                3.6.6, RFC 5321 4.4)
 *   with a from  From becomes "old name <from>", one field and one address;
 *                Sender goes; Reply-To is added with the old From where there
 *                was none and the old From can be answered; signatures and
 *                receipts that the change breaks go (DKIM, ARC; RFC 6376 5.4)
 *   with a sender  Sender becomes it, and the signatures go as well
 */
#ifndef RELAY_POLICY_REWRITE_H
#define RELAY_POLICY_REWRITE_H

#include "proto/buf.h"
#include "relay/config/config.h"

struct rewrite {
	const char *from;      /* the new address in From; NULL: keep From */
	const char *from_name; /* and its name; NULL: the device's */
	const char *sender;    /* the new Sender; NULL: none of ours */
	const char *identity;  /* the account's: a Sender of the device's stays
	                          if it is this or From, and it is the Sender
	                          of a From that stays with several addresses;
	                          NULL: none */
	bool any_sender;       /* a Sender of the device's may stay */
	struct reply_to_value reply_to; /* when From changes, or it is an
	                                   address */
};

/* header: the section with its closing empty line.  Returns false when out is
 * full.  Linear in the header's length. */
bool rewrite_header(struct buf *out, struct text header,
                    const struct rewrite *rewrite);

#endif
