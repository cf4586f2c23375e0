/*
 * pool -- an account at work: its connections, its deliveries, its breaker.
 *
 * Each turn it does three things as far as they go: gives prepared deliveries
 * to connections with room, prepares more messages, opens more connections.
 * Connections are kept and used again, the last used first, until they have
 * been idle for connection_idle or have served messages_per_connection; a
 * stale one costs no attempt.  Until a login has succeeded only one connection
 * is tried, so that a wrong password is a single refused login.
 *
 * When the breaker is open (breaker.h), messages stay in the queue; each is
 * told in the log once an outage, and the next probe's time is announced.  An
 * account with a part in a `failover` may have nothing waiting then, and probes
 * by a login alone.
 */
#ifndef RELAY_OUTBOUND_POOL_H
#define RELAY_OUTBOUND_POOL_H

#include "relay/config/config.h"
#include "relay/services.h"

struct pool;

/* account: the name; looked up in config.  NULL with a sentence in *error_r
 * when its TLS settings cannot be used. */
struct pool *pool_new(struct services *services, struct config *config,
                      const char *account, const char **error_r);
/* A new configuration in two steps, so that all pools take it or none does.
 * stage: false with a sentence, or ready for it.  commit: use it for what
 * comes, close the breaker and try what waits.  unstage: after all not. */
bool pool_stage(struct pool *pool, struct config *config,
                const char **error_r);
void pool_commit(struct pool *pool);
void pool_unstage(struct pool *pool);

const char *pool_account(const struct pool *pool);
/* An outage lasts (outage.h). */
bool pool_is_out(const struct pool *pool);
/* Its mail goes by this account meanwhile: said once an outage. */
void pool_tell_failover(struct pool *pool, const char *account);
/* Messages are ready, or may be tried again. */
void pool_kick(struct pool *pool);
/* Nothing new is begun.  on_idle comes, possibly more than once, when the last
 * delivery under way has ended; pool_is_busy() tells whether there is one. */
void pool_drain(struct pool *pool, void (*on_idle)(void *ctx), void *ctx);
bool pool_is_busy(const struct pool *pool);
/* Its account is gone: nothing new is begun, what is prepared goes back to the
 * queue, what is under way may end; then pool_is_done(). */
void pool_retire(struct pool *pool);
bool pool_is_done(const struct pool *pool);
/* Deliveries that are still open are forgotten; they are in the store. */
void pool_free(struct pool **pool);

#endif
