/*
 * check_route -- the part of check_client behind the door of a listener: the
 * rules that may decide, and what each makes of the mail.
 */
#ifndef RELAY_CLI_CHECK_ROUTE_H
#define RELAY_CLI_CHECK_ROUTE_H

#include "relay/cli/check_client.h"

void check_routes_print(FILE *out, const struct config *config,
                        const struct listener_config *listener,
                        const struct check_query *query);
/* Adds "routes", one for each rule that may decide and one for none; where
 * there is just one, its members stand in object as well. */
void check_routes_json(json_t *object, const struct config *config,
                       const struct listener_config *listener,
                       const struct check_query *query);

#endif
