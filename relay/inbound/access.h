/*
 * access -- who may submit: a listener's `allow` and `deny` lists.
 *
 * deny wins over allow.  Pure; an address is asked after it was normalised
 * (address.h), so ::ffff:192.168.1.5 is 192.168.1.5 here.
 */
#ifndef RELAY_INBOUND_ACCESS_H
#define RELAY_INBOUND_ACCESS_H

#include "relay/config/config.h"

enum access_verdict {
	ACCESS_ALLOWED,
	ACCESS_NOT_ALLOWED,  /* no network in `allow` holds it */
	ACCESS_DENIED,       /* a network in `deny` holds it */
};

enum access_verdict access_check(const struct listener_config *listener,
                                 const struct address *client);

#endif
