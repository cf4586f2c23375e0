/*
 * pools -- the pools of all accounts (pool.h), and which of them sends a
 * message.
 *
 * A message goes by its own account.  Where that is gone from the
 * configuration, by its rule's, else by the first.  While that one cannot work
 * (outage.h) it goes by its `failover`, or by that one's, and so on: the first
 * that is not in an outage itself and may send it.  If there is none it waits
 * for its own.
 *
 * A reload makes pools for new accounts and retires those of accounts that are
 * gone, which finish what they have under way.
 */
#ifndef RELAY_OUTBOUND_POOLS_H
#define RELAY_OUTBOUND_POOLS_H

#include "relay/outbound/pool.h"
#include "relay/queue/envelope.h"

struct pools;

/* Of services->config; accounts that were paused when the server stopped still
 * are.  NULL with a sentence in *error_r. */
struct pools *pools_new(struct services *services, const char **error_r);
/* Two steps: all take the new configuration, or none does.  Between them
 * services->config is replaced.  A failed stage changes nothing. */
bool pools_stage(struct pools *pools, struct config *config,
                 const char **error_r);
void pools_commit(struct pools *pools);
void pools_free(struct pools **pools);

/* Accounts, in the order of the configuration. */
size_t pools_count(const struct pools *pools);
void pools_status(struct pools *pools, size_t index,
                  struct account_status *status_r);
/* pool_pause(), pool_resume(); false: no such account. */
bool pools_pause(struct pools *pools, const char *account);
bool pools_resume(struct pools *pools, const char *account);
/* The store is well again: save what it refused. */
void pools_save_again(struct pools *pools);

/* The account that is to send it now; a name of services->config. */
const char *pools_route(struct pools *pools, const struct envelope *envelope);
/* Which account may carry news about that one: itself if it works, else the
 * first of its failovers that does, else the first of all; NULL: none works. */
const char *pools_carrier(const struct pools *pools, const char *account);
/* Messages in the lane of that account are ready. */
void pools_kick(struct pools *pools, const char *account);
void pools_kick_all(struct pools *pools);
/* Now and then: retired ones that are done are freed. */
void pools_sweep(struct pools *pools);
/* As pool_drain(), for all. */
void pools_drain(struct pools *pools, void (*on_idle)(void *ctx), void *ctx);
bool pools_are_busy(const struct pools *pools);

#endif
