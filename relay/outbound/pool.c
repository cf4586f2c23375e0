#include "relay/outbound/pool_internal.h"

#include <stdlib.h>
#include <string.h>

#include "proto/xalloc.h"
#include "relay/config/provider.h"
#include "relay/net/loop.h"
#include "relay/outbound/refused.h"
#include "relay/policy/send_as.h"
#include "relay/queue/queue.h"
#include "relay/queue/schedule.h"

enum { WATCH_MS = 3000 }; /* while an outage lasts */

size_t pool_waiting(const struct pool *pool)
{
	struct queue_waiting waiting;

	queue_waiting(pool->services->queue, pool->name, 0, &waiting);
	return waiting.n;
}

/* ---- outages ---- */

static enum breaker_trouble kind_of(const struct disposition *disposition)
{
	if (disposition->action == DISPOSITION_REST)
		return BREAKER_REST;
	return disposition->action == DISPOSITION_PAUSE ? BREAKER_LOGIN
	                                                : BREAKER_UNREACHABLE;
}

/* The retry schedule's next step, if this is what the last probe met. */
static uint64_t retry_wait(const struct pool *pool)
{
	const struct breaker *breaker = &pool->outage.breaker;
	unsigned failures = breaker->trouble == BREAKER_UNREACHABLE
	                            ? breaker->failures : 0;

	return (uint64_t)schedule_wait(&pool->setup->config->relay.retry,
	                               failures + 1, random_u32());
}

/* What was made ready goes back, and by another account if there is one. */
void pool_meet_trouble(struct pool *pool, const struct disposition *disposition,
                       const char *reply, bool behind_login)
{
	const struct account_config *account = pool->setup->account;
	struct disposition kept = { .action = DISPOSITION_DONE };
	struct trouble trouble;

	disposition_keep(&kept, disposition, account->username,
	                 account_identity(account));
	trouble = (struct trouble){
		.kind = kind_of(disposition),
		.reason = kept.reason,
		.title = kept.title,
		.explanation = kept.explanation,
		.fix = kept.fix,
		.reply = reply,
		.wait_ms = (uint64_t)kept.wait_ms,
		.behind_login = behind_login,
	};
	if (trouble.kind == BREAKER_UNREACHABLE)
		trouble.wait_ms = retry_wait(pool);
	pool->proven = false;
	pool->ramp = 1;
	if (trouble.kind == BREAKER_REST)
		throttle_slow_down(pool);
	outage_begin(&pool->outage, pool->setup->account, &trouble,
	             loop_now_ms(pool->services->loop));
	disposition_forget(&kept);
	work_put_back(pool);
	timer_start(pool->watch, WATCH_MS);
}

/* What a person has paused is not the device's fault. */
void pool_tell_devices(struct pool *pool)
{
	const struct trouble *trouble = &pool->outage.trouble;
	struct disposition disposition = {
		.action = trouble->kind == BREAKER_LOGIN ? DISPOSITION_PAUSE
		                                         : DISPOSITION_WAIT,
		.reason = trouble->reason,
		.title = trouble->title,
		.explanation = trouble->explanation,
		.fix = trouble->fix,
	};

	settlement_tell_waiting(pool->services, pool->setup->config, pool->name,
	                        &disposition, trouble->reply);
}

void pool_end_outage(struct pool *pool)
{
	timer_stop(pool->timer);
	timer_stop(pool->watch);
	outage_end(&pool->outage);
}

/* A mended account is tried at once, mail or none. */
static void hurry(struct pool *pool)
{
	outage_hurry(&pool->outage, loop_now_ms(pool->services->loop));
	pool_dispatch(pool);
}

static bool has_new_login(struct pool *pool)
{
	return pool->outage.breaker.trouble == BREAKER_LOGIN &&
	       pool->outage.breaker.state == BREAKER_OPEN &&
	       credentials_changed(
		       &pool->credentials,
		       (struct account_config *)pool->setup->account);
}

static void on_watch(void *ctx)
{
	struct pool *pool = ctx;

	if (!outage_lasts(&pool->outage) || pool->draining)
		return;
	timer_start(pool->watch, WATCH_MS);
	outage_watch(&pool->outage);
	if (has_new_login(pool))
		hurry(pool);
}

static void on_probe_time(void *ctx)
{
	pool_dispatch(ctx);
}

/* ---- by a person ---- */

void pool_pause(struct pool *pool)
{
	outage_hold(&pool->outage, pool->setup->account);
	timer_stop(pool->timer);
	timer_start(pool->watch, WATCH_MS);
	work_put_back(pool);
	connections_retire(pool);
}

void pool_resume(struct pool *pool)
{
	refused_forget_account(pool->services->refused, pool->name);
	if (!outage_is_held(&pool->outage)) {
		hurry(pool);
		return;
	}
	pool->ramp = 1;
	pool_end_outage(pool);
	pool_dispatch(pool);
}

enum account_state account_state_of(enum breaker_trouble trouble)
{
	switch (trouble) {
	case BREAKER_LOGIN:
		return ACCOUNT_PAUSED;
	case BREAKER_UNREACHABLE:
		return ACCOUNT_UNREACHABLE;
	case BREAKER_REST:
		return ACCOUNT_RESTING;
	case BREAKER_OPERATOR:
		return ACCOUNT_HELD;
	case BREAKER_NONE:
		break;
	}
	return ACCOUNT_OK;
}

static void tell_outage(const struct pool *pool, struct account_status *status)
{
	const struct outage *outage = &pool->outage;
	uint64_t wait = outage_wait(outage, loop_now_ms(pool->services->loop));

	status->reason = outage->trouble.reason;
	status->title = outage->trouble.title;
	status->explanation = outage->trouble.explanation;
	status->fix = outage->trouble.fix;
	status->reply = outage->trouble.reply;
	status->failover = outage->failover;
	status->since_ms = outage->since_ms;
	if (wait != BREAKER_NEVER)
		status->retry_ms = wall_now_ms() + (int64_t)wait;
}

void pool_status(const struct pool *pool, struct account_status *status)
{
	const struct account_config *account = pool->setup->account;

	*status = (struct account_status){
		.name = pool->name,
		.provider = account->provider ? account->provider->name : NULL,
		.host = account->host,
		.username = account->username,
		.state = account_state_of(pool->outage.breaker.trouble),
		.waiting = pool_waiting(pool),
		.connections = pool->n_connections,
		.delivered = pool->delivered,
		.failed = pool->failed,
		.last_success_ms = pool->last_success_ms,
	};
	throttle_status(pool, status);
	if (outage_lasts(&pool->outage))
		tell_outage(pool, status);
}

const char *account_state_name(enum account_state state)
{
	static const char *const names[] = {
#define X(name, text) [ACCOUNT_##name] = text,
		ACCOUNT_STATE_MAP(X)
#undef X
	};

	return names[state];
}

/* ---- life ---- */

struct pool *pool_new(struct services *services, struct config *config,
                      const char *account, const char **error_r)
{
	struct setup *setup = setup_new(config, account, error_r);
	struct pool *pool;

	if (setup == NULL)
		return NULL;
	pool = xcalloc(1, sizeof *pool);
	pool->services = services;
	pool->name = xstrdup(account);
	pool->setup = setup;
	pool->ramp = SIZE_MAX;
	outage_init(&pool->outage, services, pool->name);
	TAILQ_INIT(&pool->connections);
	work_list_init(&pool->preparing);
	work_list_init(&pool->prepared);
	work_list_init(&pool->running);
	pool->timer = timer_new(services->loop, on_probe_time, pool);
	pool->watch = timer_new(services->loop, on_watch, pool);
	throttle_init(pool);
	return pool;
}

void pool_restore(struct pool *pool, const struct account_record *record)
{
	outage_restore(&pool->outage, pool->setup->account, record,
	               loop_now_ms(pool->services->loop));
	if (!outage_lasts(&pool->outage))
		return;
	pool->ramp = 1;
	timer_start(pool->watch, WATCH_MS);
}

void pool_save_again(struct pool *pool)
{
	if (outage_lasts(&pool->outage))
		outage_save(&pool->outage, pool->setup->account);
	else
		outage_forget(&pool->outage);
}

bool pool_stage(struct pool *pool, struct config *config, const char **error_r)
{
	pool->staged = setup_new(config, pool->name, error_r);
	return pool->staged != NULL;
}

void pool_unstage(struct pool *pool)
{
	setup_unref(&pool->staged);
}

/* What has failed may go well now: where the account is another, and where the
 * cause may lie outside of it. */
static bool is_worth_trying(const struct pool *pool)
{
	return pool->outage.breaker.trouble == BREAKER_UNREACHABLE ||
	       config_accounts_differ(pool->setup->account,
	                              pool->staged->account);
}

void pool_commit(struct pool *pool)
{
	uint64_t now = loop_now_ms(pool->services->loop);
	bool mended = is_worth_trying(pool);

	work_put_back(pool);
	connections_retire(pool);
	breaker_probe_lost(&pool->outage.breaker, now);
	setup_unref(&pool->setup);
	pool->setup = pool->staged;
	pool->staged = NULL;
	pool->proven = false;
	throttle_review(pool);
	if (mended && outage_lasts(&pool->outage) &&
	    !outage_is_held(&pool->outage))
		outage_hurry(&pool->outage, now);
	pool_dispatch(pool);
}

const char *pool_account(const struct pool *pool)
{
	return pool->name;
}

/* One that waits for mail to be its probe takes it. */
bool pool_is_out(const struct pool *pool)
{
	return outage_lasts(&pool->outage) && !outage_needs_mail(&pool->outage);
}

void pool_tell_failover(struct pool *pool, const char *account)
{
	outage_tell_failover(&pool->outage, account);
}

void pool_kick(struct pool *pool)
{
	pool_dispatch(pool);
}

void pool_check_idle(struct pool *pool)
{
	if (pool->draining && pool->running.n == 0 && pool->on_idle != NULL)
		pool->on_idle(pool->idle_ctx);
}

void pool_retire(struct pool *pool)
{
	pool->draining = pool->retired = true;
	timer_stop(pool->timer);
	outage_forget(&pool->outage);
	work_put_back(pool);
	connections_retire(pool);
}

/* A message that is being read from the store holds its delivery. */
bool pool_is_done(const struct pool *pool)
{
	return pool->running.n + pool->preparing.n == 0;
}

void pool_drain(struct pool *pool, void (*on_idle)(void *ctx), void *ctx)
{
	pool->draining = true;
	pool->on_idle = on_idle;
	pool->idle_ctx = ctx;
	timer_stop(pool->timer);
}

bool pool_is_busy(const struct pool *pool)
{
	return pool->running.n > 0;
}

void pool_free(struct pool **pool_p)
{
	struct pool *pool = *pool_p;

	if (pool == NULL)
		return;
	while (!TAILQ_EMPTY(&pool->connections))
		connection_free(TAILQ_FIRST(&pool->connections));
	work_list_free(&pool->preparing);
	work_list_free(&pool->prepared);
	work_list_free(&pool->running);
	timer_free(&pool->timer);
	timer_free(&pool->watch);
	throttle_end(pool);
	setup_unref(&pool->staged);
	setup_unref(&pool->setup);
	outage_free(&pool->outage);
	free(pool->name);
	free(pool);
	*pool_p = NULL;
}
