/*
 * check_rules -- risks of a configuration that policy sees and config cannot:
 * rules that never match.  For `check`, and for the log at a start or reload.
 */
#ifndef RELAY_POLICY_CHECK_RULES_H
#define RELAY_POLICY_CHECK_RULES_H

#include "relay/config/config.h"

/* Add them to what config_load() has found. */
void check_rules(const struct config *config, struct config_warnings *warnings);

#endif
