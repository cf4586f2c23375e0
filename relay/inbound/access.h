/*
 * access -- who may submit: a listener's `allow` and `deny` lists.
 *
 * deny wins over allow.  Pure; an address is asked after it was normalised
 * (address.h), so ::ffff:192.168.1.5 is 192.168.1.5 here.
 */
#ifndef RELAY_INBOUND_ACCESS_H
#define RELAY_INBOUND_ACCESS_H

#include "relay/config/config.h"
#include "relay/net/gateway.h"

enum access_verdict {
	ACCESS_ALLOWED,
	ACCESS_NOT_ALLOWED,  /* no network in `allow` holds it */
	ACCESS_DENIED,       /* a network in `deny` holds it */
	ACCESS_GATEWAY,      /* the container's gateway, and nothing but the
	                        word `private` holds it */
};

enum access_verdict access_check(const struct listener_config *listener,
                                 const struct address *client);
/* The same inside a container: a gateway is admitted only by a network that is
 * written out in `allow` (gateway.h). */
enum access_verdict access_check_behind(const struct listener_config *listener,
                                        const struct address *client,
                                        const struct gateways *gateways);

#endif
