/*
 * config_print -- the effective configuration, for people and for programs.
 *
 * Every supported key of every section with its value and where that came
 * from: a line of the file, a variable, the preset, the default.  A secret is
 * eight asterisks, however long it is.
 */
#ifndef RELAY_CONFIG_CONFIG_PRINT_H
#define RELAY_CONFIG_CONFIG_PRINT_H

#include <jansson.h>
#include <stdio.h>
#include "relay/config/config.h"

/* In the form of the file, the sources as comments behind the values. */
void config_print(FILE *out, const struct config *config);

/* {"relay": {...}, "listeners": [{"name": ...}], "accounts": [...],
 * "devices": [...], "rules": [...]}, rules in the order they are tried.
 * Sizes are bytes, durations text ("5d"), lists arrays; unset is null.  The
 * caller owns the object. */
json_t *config_to_json(const struct config *config);
/* A string, or null; bytes that are no UTF-8 become '?'. */
json_t *config_json_text(const char *text);

#endif
