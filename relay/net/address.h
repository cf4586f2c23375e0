/*
 * address -- IP addresses and networks: parse, print, compare, contain.
 *
 * An IPv4 address that came through an IPv6 socket (::ffff:192.0.2.1) is an
 * IPv4 address from here on: address_from_sockaddr() sees to it, so no list
 * is ever asked in the wrong family.
 */
#ifndef RELAY_NET_ADDRESS_H
#define RELAY_NET_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include "proto/text.h"

enum { ADDRESS_TEXT_MAX = 80 }; /* "[fe80::1%eth0]:65535" fits */

struct address {
	bool is_v6;
	uint8_t bytes[16];  /* network order; 4 of them for IPv4 */
	uint32_t scope;     /* of a link-local IPv6 address */
	uint16_t port;
};

struct network {
	struct address base;
	unsigned prefix;    /* bits */
};

bool address_parse(struct text text, struct address *address_r); /* no port */
void address_from_sockaddr(const struct sockaddr *from,
                           struct address *address_r);
/* Returns the length of what it wrote. */
socklen_t address_to_sockaddr(const struct address *address,
                              struct sockaddr_storage *to_r);
/* "192.0.2.1" or "2001:db8::1"; with the port "192.0.2.1:25", "[..]:25". */
const char *address_print(const struct address *address,
                          char out[ADDRESS_TEXT_MAX]);
const char *address_print_port(const struct address *address,
                               char out[ADDRESS_TEXT_MAX]);
bool address_is_loopback(const struct address *address);
/* Loopback, RFC 1918, RFC 4193, link-local: what `private` allows. */
bool address_is_private(const struct address *address);
bool address_same_host(const struct address *a, const struct address *b);

/* "192.168.0.0/16", "fd00::/8", or one address.  Host bits must be zero. */
bool network_parse(struct text text, struct network *network_r,
                   const char **error_r);
bool network_contains(const struct network *network,
                      const struct address *address);

#endif
