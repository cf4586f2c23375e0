/*
 * smtp_syntax -- the leaf grammar of RFC 5321 4.1.2 and 4.1.3: what may stand
 * in a domain, an address literal, a keyword, an xtext.
 */
#ifndef PROTO_SMTP_SYNTAX_H
#define PROTO_SMTP_SYNTAX_H

#include "proto/buf.h"

/* Control characters: 0..31 and 127.  None of them may stand in an envelope. */
bool smtp_has_control(struct text text);
bool smtp_has_8bit(struct text text);

/* sub-domain *("." sub-domain), at most 255 octets; an underscore is taken,
 * as the host names of real networks hold it. */
bool smtp_is_domain(struct text text);
bool smtp_is_address_literal(struct text text); /* "[192.0.2.1]", "[IPv6:..]" */
bool smtp_is_dot_string(struct text text);      /* atom *("." atom) */
/* The same with dots anywhere, and one other octet at least. */
bool smtp_is_loose_dot_string(struct text text);
bool smtp_is_quoted_string(struct text text);   /* with both quotes */
bool smtp_is_keyword(struct text text);         /* esmtp-keyword */
bool smtp_is_esmtp_value(struct text text);

/* RFC 3461 4: "+2B" in xtext is "+". */
bool smtp_xtext_decode(struct buf *out, struct text in);

#endif
