#include "relay/net/gateway.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool in_container(void)
{
	return access("/.dockerenv", F_OK) == 0 ||
	       access("/run/.containerenv", F_OK) == 0 ||
	       getenv("KUBERNETES_SERVICE_HOST") != NULL;
}

/* /proc/net/route: Iface Destination Gateway ..., in hexadecimal, the bytes as
 * they lie in memory. */
static bool read_v4(const char *line, struct address *gateway_r)
{
	unsigned destination, gateway;

	if (sscanf(line, "%*s %x %x", &destination, &gateway) != 2 ||
	    destination != 0 || gateway == 0)
		return false;
	*gateway_r = (struct address){ .is_v6 = false };
	memcpy(gateway_r->bytes, &gateway, 4);
	return true;
}

/* /proc/net/ipv6_route: destination prefix source prefix next-hop ... */
static bool read_v6(const char *line, struct address *gateway_r)
{
	char destination[33], hop[33];
	unsigned prefix, i, byte;

	if (sscanf(line, "%32s %x %*s %*x %32s", destination, &prefix, hop) !=
	            3 || prefix != 0 || strspn(hop, "0") == 32)
		return false;
	*gateway_r = (struct address){ .is_v6 = true };
	for (i = 0; i < 16; i++) {
		if (sscanf(hop + 2 * i, "%2x", &byte) != 1)
			return false;
		gateway_r->bytes[i] = (uint8_t)byte;
	}
	return true;
}

static void read_routes(const char *path,
                        bool (*read)(const char *, struct address *),
                        struct gateways *gateways)
{
	FILE *routes = fopen(path, "re");
	char line[512];

	while (routes != NULL && gateways->n < GATEWAYS_MAX &&
	       fgets(line, sizeof line, routes) != NULL) {
		if (read(line, &gateways->addresses[gateways->n]))
			gateways->n++;
	}
	if (routes != NULL)
		fclose(routes);
}

void gateways_find(struct gateways *gateways_r)
{
	gateways_r->n = 0;
	if (!in_container())
		return;
	read_routes("/proc/net/route", read_v4, gateways_r);
	read_routes("/proc/net/ipv6_route", read_v6, gateways_r);
}
