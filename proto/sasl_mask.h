/*
 * sasl_mask -- what a server said, without the secret: some echo what they
 * refuse, as it came or decoded.
 */
#ifndef PROTO_SASL_MASK_H
#define PROTO_SASL_MASK_H

#include "proto/sasl.h"

/* Append said with "(masked)" for the secret, in any case: as it is, and as
 * LOGIN and PLAIN send it.  One of less than three octets is in too many words
 * to be masked. */
void sasl_mask_secrets(const struct sasl_credentials *who, struct buf *out,
                       struct text said);

#endif
