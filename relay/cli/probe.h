/*
 * probe -- a look at an account from the command line: it connects, secures
 * and logs in like the server does, through the same code, and tells each step
 * in a line; with a message it sends that too.  `check --connect` and `test`
 * are made of it.
 */
#ifndef RELAY_CLI_PROBE_H
#define RELAY_CLI_PROBE_H

#include <jansson.h>
#include "relay/config/config.h"

struct probe_message {
	const char *from;   /* NULL: the account's own address */
	const char *to;
};

/* message NULL: stop after the login.  Lines go to standard output; with json
 * (an array) steps are appended there instead.  Returns whether all went
 * well. */
bool probe_account(const struct config *config,
                   const struct account_config *account,
                   const struct probe_message *message, json_t *json);

#endif
