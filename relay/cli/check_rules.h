/*
 * check_rules -- risks of a configuration that policy sees and config cannot:
 * rules that never match.
 */
#ifndef RELAY_CLI_CHECK_RULES_H
#define RELAY_CLI_CHECK_RULES_H

#include "relay/config/config.h"

/* Add them to what config_load() has found. */
void check_rules(const struct config *config, struct config_warnings *warnings);

#endif
