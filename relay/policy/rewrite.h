/*
 * rewrite -- the header section as the provider is to see it.
 *
 * The spool keeps what the device sent; each attempt rewrites afresh for the
 * account it goes through, so the same attempt always yields the same bytes.
 * Work is done by fields: a field is kept as it stands, dropped, or replaced
 * by one written here from parsed parts; no text of a device is ever pasted
 * into another field.
 *
 *   always       Bcc, Resent-Bcc and Return-Path go (RFC 5322 3.6.3 and
 *                3.6.6, RFC 5321 4.4)
 *   with a from  From becomes "old name <from>", one field and one address;
 *                Sender goes; Reply-To is added with the old From where there
 *                was none and the old From can be answered; signatures and
 *                receipts that the change breaks go (DKIM, ARC; RFC 6376 5.4)
 */
#ifndef RELAY_POLICY_REWRITE_H
#define RELAY_POLICY_REWRITE_H

#include "proto/buf.h"

struct rewrite {
	const char *from;    /* the new address in From; NULL: keep From */
};

/* header: the section with its closing empty line.  Returns false when out is
 * full.  Linear in the header's length. */
bool rewrite_header(struct buf *out, struct text header,
                    const struct rewrite *rewrite);

#endif
