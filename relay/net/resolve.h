/*
 * resolve -- a host name to all its addresses, off the loop.
 *
 * IPv6 and IPv4 come interleaved in the order the system prefers, so that one
 * broken family costs one attempt.  An address literal needs no lookup but is
 * answered the same way.
 */
#ifndef RELAY_NET_RESOLVE_H
#define RELAY_NET_RESOLVE_H

#include <stddef.h>
#include "relay/net/address.h"
#include "relay/net/loop.h"

struct resolve;

struct resolve_result {
	const struct address *addresses; /* valid during the callback */
	size_t count;
	const char *error;       /* NULL, or the resolver's words */
	bool no_such_name;       /* the name does not exist, as opposed to a
	                            resolver that did not answer */
};

typedef void (*resolve_cb)(void *ctx, const struct resolve_result *result);

struct resolve *resolve_start(struct loop *loop, const char *host,
                              uint16_t port, resolve_cb done, void *ctx);
/* No callback follows.  After the callback there is nothing to cancel. */
void resolve_cancel(struct resolve **resolve);

#endif
