/*
 * gateway -- the container's way out, which is also how strangers come in.
 *
 * Behind a published port of a container every client may seem to come from
 * the gateway of the container's network: a private address that stands for
 * anybody.  So inside a container the gateway is no private client.
 */
#ifndef RELAY_NET_GATEWAY_H
#define RELAY_NET_GATEWAY_H

#include "relay/net/address.h"

enum { GATEWAYS_MAX = 4 };

struct gateways {
	struct address addresses[GATEWAYS_MAX];
	size_t n;
};

/* Is this process in a container? (Docker, Podman, Kubernetes) */
bool in_container(void);
/* The gateways of the default routes; none outside a container. */
void gateways_find(struct gateways *gateways_r);

#endif
