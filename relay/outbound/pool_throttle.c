#include "relay/outbound/pool_internal.h"

#include "relay/net/loop.h"
#include "relay/queue/queue.h"
#include "relay/report/log.h"

enum { DISK_MS = 1000 }; /* until a disk that refuses is asked again */

static uint64_t now_of(const struct pool *pool)
{
	return loop_now_ms(pool->services->loop);
}

static struct budget *budget_of(const struct pool *pool)
{
	return pool->throttle.allowance == NULL
	               ? NULL : allowance_budget(pool->throttle.allowance);
}

/* ---- words ---- */

/* One line while mail is held up, and one more when another limit does it. */
static void tell(struct pool *pool)
{
	struct throttle *throttle = &pool->throttle;
	struct budget_view view;

	if (throttle->since != 0 && throttle->told == throttle->wait.limit)
		return;
	throttle->told = throttle->wait.limit;
	budget_view(budget_of(pool), throttle->wait.limit, now_of(pool), &view);
	log_event(LOG_INFO, EVENT_THROTTLED, F_STR("account", pool->name),
	          F_STR("reason", budget_limit_key(throttle->wait.limit)),
	          F_INT("limit", view.allowed), F_INT("used", view.used),
	          F_INT("waiting", pool_waiting(pool)),
	          F_INT("retry_in_ms", throttle->wait.ms),
	          F_STR("explanation",
	                view.slow ? "The provider has throttled this account; "
	                            "its mail goes out at half the pace and "
	                            "soon faster."
	                          : "The account's limit is reached; its mail "
	                            "goes out as there is room."),
	          F_STR("fix", "nothing to do; if the provider allows more, "
	                       "raise the limit of the account"));
}

static void tell_devices(struct pool *pool)
{
	const struct config *config = pool->setup->config;
	struct disposition held_up = disposition_of_pace(config);

	settlement_tell_waiting(pool->services, config, pool->name, &held_up,
	                        NULL);
}

/* ---- waiting ---- */

static void on_time(void *ctx)
{
	struct pool *pool = ctx;

	pool->throttle.waits = false;
	pool_dispatch(pool);
}

static void on_reserved(void *ctx)
{
	pool_dispatch(ctx);
}

static void hold_up(struct pool *pool)
{
	struct throttle *throttle = &pool->throttle;
	uint64_t now = now_of(pool);

	if (throttle->wait.limit == BUDGET_LIMITS)
		throttle->wait.ms = DISK_MS;
	else
		tell(pool);
	if (throttle->since == 0)
		throttle->since = now;
	throttle->waits = true;
	throttle->until = now + throttle->wait.ms;
	timer_start(throttle->timer, throttle->wait.ms);
	tell_devices(pool);
}

void throttle_rest(struct pool *pool)
{
	timer_stop(pool->throttle.timer);
	pool->throttle.waits = false;
	pool->throttle.since = 0;
}

/* ---- asking ---- */

/* What is left of the day; where nothing is, a whole day's: a share that no day
 * has room for would wait for ever. */
static size_t room_of(const struct pool *pool)
{
	size_t left = SIZE_MAX;

	if (pool->throttle.allowance != NULL)
		left = budget_recipients_left(budget_of(pool), now_of(pool));
	return left > 0 ? left : pool->setup->account->recipients_per_day;
}

/* As many as fit: one to hundreds must not keep a single page waiting for the
 * day when there is room for hundreds. */
static size_t share_of(const struct pool *pool, const struct message *message)
{
	size_t most = pool->setup->account->recipients_per_message;
	size_t room = room_of(pool);

	if (most == 0 || (room > 0 && room < most))
		most = room;
	return delivery_share(message_envelope((struct message *)message), most);
}

/* throttle_patience is over. */
static bool is_impatient(const struct pool *pool)
{
	uint64_t patience =
		(uint64_t)pool->setup->account->throttle_patience_ms;

	return patience > 0 && pool->throttle.since != 0 &&
	       now_of(pool) - pool->throttle.since >= patience;
}

bool throttle_allows(struct pool *pool, struct message *message,
                     struct ticket *ticket_r)
{
	struct throttle *throttle = &pool->throttle;
	size_t share = share_of(pool, message);

	*ticket_r = (struct ticket){ .recipients = share };
	if (throttle->allowance == NULL)
		return true;
	switch (allowance_take(throttle->allowance, share, is_impatient(pool),
	                       ticket_r, &throttle->wait)) {
	case ALLOWANCE_GO:
		throttle->waits = false;
		return true;
	case ALLOWANCE_WAIT:
		hold_up(pool);
		break;
	case ALLOWANCE_RESERVING:
		break;
	}
	return false;
}

/* ---- what the provider teaches ---- */

void throttle_slow_down(struct pool *pool)
{
	if (pool->throttle.allowance != NULL)
		budget_slow_down(budget_of(pool), now_of(pool));
}

size_t throttle_connections(const struct pool *pool)
{
	unsigned connections = pool->setup->account->connections;

	return pool->throttle.allowance == NULL
	               ? connections
	               : budget_connections(budget_of(pool), connections,
	                                    now_of(pool));
}

/* ---- for people ---- */

void throttle_status(const struct pool *pool, struct account_status *status)
{
	uint64_t now = now_of(pool);
	enum budget_limit limit;
	struct budget_view view;

	status->held_up_by = BUDGET_LIMITS;
	if (pool->throttle.allowance == NULL)
		return;
	for (limit = 0; limit < BUDGET_LIMITS; limit++) {
		budget_view(budget_of(pool), limit, now, &view);
		if (view.allowed > 0)
			status->budgets[status->n_budgets++] = view;
	}
	if (!pool->throttle.waits)
		return;
	status->held_up_by = pool->throttle.wait.limit;
	status->goes_on_ms = pool->throttle.until > now
	                             ? (int64_t)(pool->throttle.until - now) : 0;
}

/* ---- life ---- */

static void find_allowance(struct pool *pool)
{
	struct allowances *allowances = pool->services->allowances;

	if (allowances == NULL)
		return;
	pool->throttle.allowance = allowance_of(allowances, pool->setup->account);
	if (pool->throttle.allowance != NULL)
		allowance_watch(pool->throttle.allowance, &pool->throttle.watch);
}

void throttle_init(struct pool *pool)
{
	pool->throttle = (struct throttle){ .watch = { on_reserved, pool, { 0 } } };
	pool->throttle.timer = timer_new(pool->services->loop, on_time, pool);
	find_allowance(pool);
}

void throttle_review(struct pool *pool)
{
	if (pool->throttle.allowance != NULL)
		allowance_unwatch(pool->throttle.allowance, &pool->throttle.watch);
	pool->throttle.allowance = NULL;
	throttle_rest(pool);
	find_allowance(pool);
}

void throttle_end(struct pool *pool)
{
	if (pool->throttle.allowance != NULL)
		allowance_unwatch(pool->throttle.allowance, &pool->throttle.watch);
	timer_free(&pool->throttle.timer);
}
