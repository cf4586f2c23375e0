/*
 * check_client -- what the configuration lets one client do: on which listeners
 * it may submit and why, with TLS and login or without, by which rule and
 * account, as which sender and what the provider will say to that, within what
 * limits; and where it may not, the lines that would admit it.
 *
 * What depends on more than was asked is told for each rule that may decide.
 */
#ifndef RELAY_CLI_CHECK_CLIENT_H
#define RELAY_CLI_CHECK_CLIENT_H

#include <jansson.h>
#include <stdio.h>
#include "relay/config/config.h"

struct check_query {
	const struct address *client;
	const char *from;  /* a sender to judge, in envelope and From, "" the
	                      null path; NULL: none is asked about */
	const char *to;    /* a recipient; NULL: likewise */
};

void check_client_print(FILE *out, const struct config *config,
                        const struct check_query *query);
/* {"address": ..., "listeners": [{"name", "allowed", "reason", ...}]}; the
 * caller owns it. */
json_t *check_client_json(const struct config *config,
                          const struct check_query *query);

#endif
