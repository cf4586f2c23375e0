/*
 * rewrite -- a stored header section as it goes to the provider.
 *
 * The spool keeps what was accepted; each attempt writes the header afresh for
 * the account it goes through, so the same attempt always yields the same
 * bytes.  Work is done by fields: a field is kept as it stands, dropped, or
 * replaced by one written here from parsed parts; no text of a device is ever
 * pasted into another field.
 *
 *   always        Bcc, Resent-Bcc and Return-Path go (RFC 5322 3.6.3 and
 *                 3.6.6, RFC 5321 4.4); one From field stays
 *   with a from   From becomes "old name <from>", one address; Sender goes.
 *                 Where that changes who it is from, Reply-To is added with
 *                 those of the old From that can be answered, if none was
 *                 there; receipts the old From asked for go where answers go,
 *                 or are not asked for
 *   with a sender Sender becomes it
 *   with may_send_as  a From that stays keeps several addresses only if it says
 *                 yes to each; else the first, about which the decision was,
 *                 is all that stays, and Reply-To is added as above
 *
 * Signatures (DKIM, ARC) and Authentication-Results stay as long as none of
 * From, Sender and Reply-To changes, and go with the first change (RFC 6376
 * 5.4).  A From that is right already, to the letter, is not written anew.
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
	bool (*may_send_as)(const struct account_config *account,
	                    const char *address); /* NULL: all may */
	const struct account_config *account;
	struct reply_to_value reply_to; /* an address: always.  Original, none:
	                                   where it changes who it is from;
	                                   with none the device's goes too */
};

/* header: the section with its closing empty line.  Returns false when out is
 * full.  Linear in the header's length. */
bool rewrite_header(struct buf *out, struct text header,
                    const struct rewrite *rewrite);

#endif
