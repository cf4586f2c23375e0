/*
 * views -- what lanpost shows of messages and accounts, as JSON: the same in
 * the API and in every command's --json.
 *
 * Times are RFC 3339 in UTC, null where there is none; names of members are
 * those of design.md section 5.  Text that is no UTF-8 is made so
 * (proto/printable.h).  Explanations come from the catalogue, by the reason
 * that the store keeps.
 */
#ifndef RELAY_ADMIN_VIEWS_H
#define RELAY_ADMIN_VIEWS_H

#include <jansson.h>
#include "relay/config/config.h"
#include "relay/outbound/pools.h"
#include "relay/queue/store.h"

/* NULL is null. */
json_t *view_text(const char *text);
void view_set_text(json_t *object, const char *key, const char *text);
void view_set_number(json_t *object, const char *key, int64_t number);
void view_set_time(json_t *object, const char *key, int64_t wall_ms);

/* title, explanation and fix of that reason, where it is known.  The account's
 * user name and the sender stand in the fix; both may be NULL. */
void view_set_words(json_t *object, const struct config *config,
                    const char *reason, const char *account,
                    const char *sender);

/* A row of the queue or the history.  While it waits `to` lists who has not
 * been served yet, and afterwards everybody. */
json_t *view_message(const struct envelope *envelope);
/* What a row of the queue waits for; accounts: as view_account() has them, or
 * NULL. */
void view_set_waits_for(json_t *row, const struct envelope *envelope,
                        json_t *accounts, int64_t now_ms);
json_t *view_story(const struct story *story, const struct config *config);

json_t *view_account(const struct account_status *status);
/* One of a server that does not run: as it is configured, and what was kept of
 * its trouble; nobody counts. */
json_t *view_resting_account(const struct account_config *account,
                             const struct config *config,
                             const struct account_record *records, size_t n);

#endif
