#include "relay/outbound/pool_internal.h"

#include <stdlib.h>

#include "proto/xalloc.h"
#include "relay/net/loop.h"
#include "relay/report/log.h"

void connection_free(struct connection *connection)
{
	struct pool *pool = connection->pool;

	if (!upstream_is_logged_in(connection->upstream))
		pool->n_connecting--;
	TAILQ_REMOVE(&pool->connections, connection, link);
	pool->n_connections--;
	upstream_close(&connection->upstream);
	setup_unref(&connection->setup);
	free(connection);
}

struct connection *connection_with_room(const struct pool *pool)
{
	struct connection *connection;

	TAILQ_FOREACH(connection, &pool->connections, link) {
		if (!connection->worn &&
		    upstream_has_room(connection->upstream))
			return connection;
	}
	return NULL;
}

size_t connections_fresh(const struct pool *pool)
{
	const struct connection *connection;
	size_t n = 0;

	TAILQ_FOREACH(connection, &pool->connections, link)
		n += !connection->worn;
	return n;
}

void connections_retire(struct pool *pool)
{
	struct connection *connection, *next;

	for (connection = TAILQ_FIRST(&pool->connections); connection != NULL;
	     connection = next) {
		next = TAILQ_NEXT(connection, link);
		connection->worn = true;
		if (upstream_is_idle(connection->upstream))
			connection_free(connection);
	}
}

/* ---- what an upstream tells ---- */

static void log_connected(struct connection *connection)
{
	struct upstream *upstream = connection->upstream;
	const struct tls_peer_info *tls = upstream_tls(upstream);

	log_event(LOG_INFO, EVENT_UPSTREAM_CONNECTED,
	          F_STR("account", connection->pool->name),
	          F_STR("host", upstream_host(upstream)),
	          F_STR("address", upstream_peer(upstream)),
	          F_STR("tls", tls ? tls->version : "none"),
	          F_STR("cipher", tls ? tls->cipher : NULL),
	          F_STR("auth", upstream_mechanism(upstream)));
}

/* A login proves nothing against what came behind another one: that takes
 * mail, if there is any.  Nor does one prove anything while a person holds the
 * account. */
static bool proves_well(const struct connection *connection)
{
	const struct pool *pool = connection->pool;
	const struct outage *outage = &pool->outage;

	if (outage_is_held(outage))
		return false;
	if (!outage->trouble.behind_login &&
	    outage->breaker.trouble != BREAKER_REST)
		return true;
	return outage_is_probing(outage) &&
	       connection->outage == outage->number && pool_waiting(pool) == 0;
}

static void on_step(void *ctx, struct upstream *upstream,
                    enum upstream_step step)
{
	struct connection *connection = ctx;

	if (step != UPSTREAM_LOGGED_IN)
		return;
	connection->pool->n_connecting--;
	log_connected(connection);
	connection->pool->proven = true;
	if (proves_well(connection))
		pool_end_outage(connection->pool);
}

static void on_ready(void *ctx, struct upstream *upstream)
{
	struct connection *connection = ctx;
	struct pool *pool = connection->pool;

	if (connection->worn) {
		if (upstream_is_idle(upstream))
			connection_free(connection);
		return;
	}
	TAILQ_REMOVE(&pool->connections, connection, link);
	TAILQ_INSERT_HEAD(&pool->connections, connection, link);
	pool_dispatch(pool);
}

static void print_failure(struct buf *out,
                          const struct upstream_failure *failure)
{
	if (failure->reply.code != 0)
		smtp_reply_line(out, &failure->reply);
	else
		buf_printf(out, "%s, at %s", failure->words,
		           smtp_stage_text(failure->stage));
}

/* Nothing could be sent on it: the message that waited longest carries the
 * attempt, and the others go back. */
static void login_failed(struct pool *pool, const struct upstream *upstream,
                         const struct upstream_failure *failure)
{
	struct disposition disposition = disposition_of_failure(
		pool->setup->config, pool->setup->account, failure);
	struct work *work = work_list_first(&pool->prepared);
	struct buf reply = BUF_INIT(128 * 1024);

	if (work != NULL)
		work_leave(work);
	print_failure(&reply, failure);
	if (failure->kind == UPSTREAM_STREAM && failure->end == STREAM_END_TLS)
		log_event(LOG_ERROR, EVENT_TLS_ERROR,
		          F_STR("account", pool->name),
		          F_STR("host", pool->setup->account->host),
		          F_STR("error", failure->words));
	pool_meet_trouble(pool, &disposition, buf_string(&reply), false);
	buf_free(&reply);
	if (work != NULL) {
		message_tell_once(delivery_message(work->delivery),
		                  pool->outage.number);
		delivery_fail(work->delivery, failure,
		              upstream_dialogue(upstream));
	}
}

/* No turn in between: what failed is still in hand. */
static void on_gone(void *ctx, struct upstream *upstream,
                    const struct upstream_failure *failure)
{
	struct connection *connection = ctx;
	struct pool *pool = connection->pool;
	bool logged_in = upstream_is_logged_in(upstream);
	bool in_a_turn = pool->dispatching;

	pool->dispatching = true;
	if (!logged_in && failure != NULL)
		login_failed(pool, upstream, failure);
	else if (!logged_in)
		breaker_probe_lost(&pool->outage.breaker,
		                   loop_now_ms(pool->services->loop));
	connection_free(connection);
	pool->dispatching = in_a_turn;
	pool_dispatch(pool);
}

void connection_open(struct pool *pool)
{
	static const struct upstream_callbacks callbacks = { on_step, on_ready,
		on_gone };
	struct connection *connection = xcalloc(1, sizeof *connection);
	struct upstream_settings settings = {
		.loop = pool->services->loop,
		.account = pool->setup->account,
		.hostname = pool->setup->config->relay.hostname,
		.tls = pool->setup->tls,
		.hint = &pool->hint,
	};

	credentials_read(&pool->credentials,
	                 (struct account_config *)pool->setup->account);
	connection->pool = pool;
	connection->setup = setup_ref(pool->setup);
	connection->outage = pool->outage.number;
	TAILQ_INSERT_TAIL(&pool->connections, connection, link);
	pool->n_connections++;
	pool->n_connecting++;
	connection->upstream = upstream_open(&settings, &callbacks, connection);
}
