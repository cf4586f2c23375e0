/*
 * client_pace -- how many messages a minute a client may send
 * (messages_per_minute_per_client).
 *
 *     reserve (at MAIL) -> count (answered 250) | give_back (anything else)
 *
 * Never more than the limit in any minute, wherever it begins: a message counts
 * from the moment it is accepted, and what is reserved counts too, so that
 * parallel sessions cannot pass together what each may alone.  What is refused
 * or given up costs nothing.  A full second is counted as its end
 * (policy/window.h), so a client waits up to a second longer than it must.
 *
 * A client is an address.  Whoever has a whole IPv6 network may take a new
 * address for each message: of one /64 the first CLIENT_PACE_HOSTS that are
 * active at a time are clients of their own, so that an office is not one
 * client, and the others are one together.  At most CLIENT_PACE_MAX are
 * remembered, each for a minute; those who come when all places are taken share
 * the last one.  So memory is bounded, and the limit is never exceeded by lack
 * of room.
 *
 * Pure: time (monotonic milliseconds) is an argument.
 */
#ifndef RELAY_INBOUND_CLIENT_PACE_H
#define RELAY_INBOUND_CLIENT_PACE_H

#include <stddef.h>
#include "relay/net/address.h"

enum {
	CLIENT_PACE_MAX = 4096,
	CLIENT_PACE_HOSTS = 16,
	CLIENT_PACE_PREFIX = 64,
};

struct client_pace;
struct client_record;

struct client_pace *client_pace_new(void);
/* Every hold was counted or given back. */
void client_pace_free(struct client_pace **pace);

/* A place for one message; zeroes: none. */
struct client_hold {
	struct client_pace *pace;
	struct client_record *record;
};

/* 0: reserved.  Else nothing is, and so many milliseconds pass until there is
 * room again; a minute when open transactions take all of it. */
uint64_t client_pace_reserve(struct client_pace *pace,
                             const struct address *client, unsigned limit,
                             uint64_t now_ms, struct client_hold *hold_r);
/* Both clear the hold, and do nothing to one that is clear. */
void client_pace_count(struct client_hold *hold, uint64_t now_ms);
void client_pace_give_back(struct client_hold *hold);

/* How many are remembered. */
size_t client_pace_clients(const struct client_pace *pace);

#endif
