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
 * told in the log once an outage, and the next probe's time is announced.  A
 * probe is one connection with one message, or, if none waits, a login alone;
 * where a login proves nothing (a rest, an account that is blocked) it is a
 * message.  After an outage one connection is enough, and each message that
 * goes through allows one more, so that what has waited is no storm.
 *
 * A refused login is tried before its time when the password file holds another
 * password, when a reload brings other settings for the account, and when a
 * person says so.  What a person has paused only a person resumes.
 */
#ifndef RELAY_OUTBOUND_POOL_H
#define RELAY_OUTBOUND_POOL_H

#include "relay/config/config.h"
#include "relay/policy/budget.h"
#include "relay/queue/breaker.h"
#include "relay/services.h"

struct pool;
struct account_record;

/* What an account does now. */
#define ACCOUNT_STATE_MAP(X)                                              \
	X(OK, "ok")                                                       \
	X(RESTING, "resting")         /* throttled, or over its quota */  \
	X(PAUSED, "paused")           /* login refused, wrong settings */ \
	X(HELD, "held")               /* by a person */                   \
	X(UNREACHABLE, "unreachable") /* its provider is */

enum account_state {
#define X(name, text) ACCOUNT_##name,
	ACCOUNT_STATE_MAP(X)
#undef X
};

/* For people; strings live until the next turn of the loop, those that are not
 * known are NULL.  Times are of the wall clock, 0: none. */
struct account_status {
	const char *name, *provider, *host, *username;
	enum account_state state;
	const char *reason, *title, *explanation, *fix, *reply;
	const char *failover;      /* sends in its place */
	int64_t since_ms;
	int64_t retry_ms;          /* 0: never by itself */
	size_t waiting, connections;
	uint64_t delivered, failed; /* messages, since the start */
	int64_t last_success_ms;
	struct budget_view budgets[BUDGET_LIMITS]; /* those that are limited */
	size_t n_budgets;
	enum budget_limit held_up_by; /* for goes_on_ms; BUDGET_LIMITS: nothing,
	                                 or, with goes_on_ms, the disk */
	int64_t goes_on_ms;
};

const char *account_state_name(enum account_state state);
/* What a trouble of its breaker is called. */
enum account_state account_state_of(enum breaker_trouble trouble);

/* account: the name; looked up in config.  NULL with a sentence in *error_r
 * when its TLS settings cannot be used. */
struct pool *pool_new(struct services *services, struct config *config,
                      const char *account, const char **error_r);
/* A new configuration in two steps, so that all pools take it or none does.
 * stage: false with a sentence, or ready for it.  commit: use it for what
 * comes; an outage that it may have ended is probed at once.  unstage: after
 * all not. */
bool pool_stage(struct pool *pool, struct config *config,
                const char **error_r);
void pool_commit(struct pool *pool);
void pool_unstage(struct pool *pool);

/* As it was when the server stopped; before the first message. */
void pool_restore(struct pool *pool, const struct account_record *record);
/* Save again what the disk refused. */
void pool_save_again(struct pool *pool);

const char *pool_account(const struct pool *pool);
void pool_status(const struct pool *pool, struct account_status *status);
/* By a person: nothing new is begun, what is under way ends in order. */
void pool_pause(struct pool *pool);
/* By a person: what is paused works again, anything else is probed at once;
 * senders that were refused may be tried again. */
void pool_resume(struct pool *pool);
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
