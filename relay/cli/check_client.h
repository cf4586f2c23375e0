/*
 * check_client -- what the configuration lets one client do: on which listeners
 * it may submit and why, by which account, as which sender, within what
 * limits; and where it may not, the lines that would admit it.
 */
#ifndef RELAY_CLI_CHECK_CLIENT_H
#define RELAY_CLI_CHECK_CLIENT_H

#include <jansson.h>
#include <stdio.h>
#include "relay/config/config.h"

/* from: a sender to judge, "" the null path; NULL: none is asked about. */
void check_client_print(FILE *out, const struct config *config,
                        const struct address *client, const char *from);
/* {"address": ..., "listeners": [{"name", "allowed", "reason", ...}]}; the
 * caller owns it. */
json_t *check_client_json(const struct config *config,
                          const struct address *client, const char *from);

#endif
