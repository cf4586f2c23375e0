#include "relay/outbound/pool_internal.h"

#include "relay/net/loop.h"
#include "relay/queue/queue.h"

/* The provider's limit, or fewer while it throttles. */
static size_t connections_max(const struct pool *pool)
{
	size_t connections = throttle_connections(pool);

	return connections > 0 ? connections : 1;
}

/* So many connections, and messages made ready for them, are enough now. */
static size_t most(const struct pool *pool)
{
	size_t connections = connections_max(pool);

	if (outage_is_probing(&pool->outage))
		return 1;
	return pool->ramp < connections ? pool->ramp : connections;
}

static bool begin_one(struct pool *pool)
{
	struct work *work = work_list_first(&pool->prepared);
	struct connection *connection =
		work ? connection_with_room(pool) : NULL;

	if (connection == NULL ||
	    (outage_is_probing(&pool->outage) && pool->running.n > 0))
		return false;
	work_move(work, &pool->running, false);
	upstream_begin(connection->upstream,
	               delivery_job(work->delivery,
	                            upstream_host(connection->upstream)));
	return true;
}

/* As many are made ready as could begin at once. */
static bool prepare_more(struct pool *pool)
{
	return pool->preparing.n + pool->prepared.n < most(pool) &&
	       work_prepare(pool);
}

/* A login by itself, when no mail is there to be tried. */
static bool probes_alone(const struct pool *pool)
{
	return outage_is_probing(&pool->outage) &&
	       pool->preparing.n + pool->prepared.n + pool->running.n == 0 &&
	       connections_fresh(pool) == 0;
}

static bool wants_connection(const struct pool *pool)
{
	return pool->prepared.n > pool->n_connecting || probes_alone(pool);
}

static bool open_one(struct pool *pool)
{
	if (!wants_connection(pool) || connections_fresh(pool) >= most(pool) ||
	    pool->n_connections >= connections_max(pool) ||
	    (pool->n_connecting > 0 && !pool->proven))
		return false;
	connection_open(pool);
	return true;
}

/* What was prepared when the trouble came waits with the others. */
static void wait_for_probe(struct pool *pool, uint64_t now)
{
	uint64_t wait = outage_wait(&pool->outage, now);

	if (pool->prepared.n > 0) {
		work_put_back(pool);
		outage_untold(&pool->outage);
	}
	pool_tell_devices(pool);
	outage_tell(&pool->outage);
	if (wait != BREAKER_NEVER)
		timer_start(pool->timer, wait);
}

/* Where a login proves nothing, mail that waits, or goes by another account
 * meanwhile, is the probe.  If there is none, a rest is simply over. */
static void begin_probe(struct pool *pool)
{
	if (!outage_needs_mail(&pool->outage))
		return;
	queue_hurry(pool->services->queue, pool->name);
	queue_divert(pool->services->queue);
	if (pool->outage.breaker.trouble == BREAKER_REST &&
	    pool_waiting(pool) == 0)
		pool_end_outage(pool);
}

static bool may_work(struct pool *pool)
{
	uint64_t now = loop_now_ms(pool->services->loop);
	bool was_out = outage_lasts(&pool->outage);

	if (pool->retired)
		work_put_back(pool);
	/* What a broken disk could not record would be sent again. */
	if (pool->draining || !store_is_healthy(pool->services->store))
		return false;
	if (outage_is_probing(&pool->outage))
		return true;
	if (!outage_is_over(&pool->outage, now)) {
		wait_for_probe(pool, now);
		return false;
	}
	if (was_out)
		begin_probe(pool);
	return true;
}

/* Steps call back into here; one run at a time goes round until all is done. */
void pool_dispatch(struct pool *pool)
{
	pool->again = true;
	if (pool->dispatching)
		return;
	pool->dispatching = true;
	while (pool->again) {
		pool->again = false;
		if (!may_work(pool))
			continue;
		while (begin_one(pool) || prepare_more(pool) || open_one(pool))
			;
	}
	pool->dispatching = false;
}
