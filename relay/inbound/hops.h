/*
 * hops -- has a message gone in a circle?  What its Received fields say.
 *
 * lanpost writes "by HOSTNAME (lanpost) with PROTOCOL id ID" (intake.c).  A
 * message that carries two such fields of this hostname has been here twice,
 * and comes for the third time.  Once is no proof: two lanposts of one name may
 * stand in a row, a sidecar before the office's relay.  Nor is the name alone:
 * another mail server on the same host has it too.  More than HOPS_MAX fields
 * are a circle whoever wrote them (RFC 5321 6.3).
 */
#ifndef RELAY_INBOUND_HOPS_H
#define RELAY_INBOUND_HOPS_H

#include "proto/rfc5322.h"

enum { HOPS_MAX = 100, HOPS_OURS_MAX = 1 };

/* Zeroes: none so far. */
struct hops {
	unsigned all, ours;
};

/* Any field of the header, in order. */
void hops_count(struct hops *hops, const struct rfc5322_field *field,
                const char *hostname);
/* A sentence for the device, with what to do; NULL: it may pass. */
const char *hops_error(const struct hops *hops);

#endif
