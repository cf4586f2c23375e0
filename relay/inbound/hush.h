/*
 * hush -- a flood in the log: a line for the first, then one a minute that says
 * how many more there were.
 *
 *     hush_first() -> true: write the line
 *                     false: it was counted
 *     hush_sweep(), a minute later: what was counted, each with its client
 *
 * Clients are addresses; at most HUSH_MAX are told apart at a time, the rest
 * are only counted, as one (client NULL).  A client is forgotten by the first
 * sweep that finds nothing new of it.  Pure: minutes are whatever lies between two sweeps.
 */
#ifndef RELAY_INBOUND_HUSH_H
#define RELAY_INBOUND_HUSH_H

#include <stddef.h>
#include "relay/net/address.h"

enum { HUSH_MAX = 64, HUSH_KINDS = 4 };

/* Zeroes: nothing has happened. */
struct hush {
	struct hush_entry {
		bool used;
		struct address client;
		unsigned kind;
		uint64_t more;       /* since the line, or the last sweep */
	} entries[HUSH_MAX];
	uint64_t rest[HUSH_KINDS];
};

/* kind: what happened, below HUSH_KINDS. */
bool hush_first(struct hush *hush, const struct address *client, unsigned kind);
/* Returns false when nothing is left to sweep. */
bool hush_sweep(struct hush *hush,
                void (*tell)(void *ctx, const struct address *client, unsigned kind,
                             uint64_t more),
                void *ctx);

#endif
