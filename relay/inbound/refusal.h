/*
 * refusal -- the reply to what cannot be accepted.
 */
#ifndef RELAY_INBOUND_REFUSAL_H
#define RELAY_INBOUND_REFUSAL_H

#include "proto/smtp_reply.h"

/* Fill in the reply and return false.  The words are cut to fit a reply line
 * of 512 octets (RFC 5321 4.5.3.1.5), stand in static memory, and last until
 * the next refusal: it is said in the same turn. */
bool refuse(struct smtp_reply *refusal_r, int code, const char *status,
            const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
