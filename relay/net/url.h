/*
 * url -- an http or https URL, taken apart as far as somebody else needs it; by
 * libcurl's own parser, so that both mean the same host.
 *
 * Its path may be a secret (a chat system's webhook): what is shown is the
 * origin.
 */
#ifndef RELAY_NET_URL_H
#define RELAY_NET_URL_H

#include <stdbool.h>

struct url {
	bool https;
	char *host;    /* a name or an address, v6 without brackets */
	char *origin;  /* "https://hooks.example.com:8443" */
	bool is_whole; /* there is nothing behind the origin */
};

/* False for what is none: nothing is to be cleared then. */
bool url_parse(const char *text, struct url *url_r);
void url_clear(struct url *url);

#endif
