#include "relay/outbound/pool.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "proto/xalloc.h"
#include "relay/net/loop.h"
#include "relay/outbound/delivery.h"
#include "relay/outbound/outage.h"
#include "relay/outbound/upstream.h"
#include "relay/queue/queue.h"
#include "relay/queue/schedule.h"
#include "relay/report/log.h"

/* A configuration in use: connections made under it keep it. */
struct setup {
	struct config *config;
	const struct account_config *account;
	struct tls_context *tls;
	bool may_be_idle;       /* in an outage, as others send its mail or it
	                           waits to send theirs */
	unsigned refs;
};

struct connection {
	struct pool *pool;
	struct setup *setup;
	struct upstream *upstream;
	bool worn;              /* made under an older configuration */
	unsigned outage;        /* number of the last one when it was made */
	TAILQ_ENTRY(connection) link;
};

/* A delivery is PREPARING, PREPARED or RUNNING: its list says which. */
struct work {
	struct pool *pool;
	struct delivery *delivery;
	struct work_list *list;
	TAILQ_ENTRY(work) link;
};

TAILQ_HEAD(work_links, work);
struct work_list {
	struct work_links works;
	size_t n;
};

struct pool {
	struct services *services;
	char *name;
	struct setup *setup;
	struct setup *staged;   /* the next one, until it is committed */
	struct address hint;
	struct outage outage;
	struct timer *timer;    /* until the next probe */
	TAILQ_HEAD(, connection) connections; /* the last used first */
	size_t n_connections, n_connecting;
	struct work_list preparing, prepared, running;
	unsigned blocked;       /* number of the last outage that a message met
	                           behind a login that went well */
	bool proven;            /* a login has succeeded under this setup */
	bool dispatching, again, draining, retired;
	void (*on_idle)(void *ctx);
	void *idle_ctx;
};

static void dispatch(struct pool *pool);

/* ---- setups ---- */

static const char *no_such_account = "the account is gone from the "
				     "configuration";

static bool has_part_in_failover(const struct config *config,
                                 const struct account_config *account)
{
	const char *by;
	size_t i;

	for (i = 0; i < config->n_accounts; i++) {
		by = config->accounts[i].failover;
		if (by != NULL && (&config->accounts[i] == account ||
		                   strcmp(by, account->name) == 0))
			return true;
	}
	return false;
}

static struct setup *setup_new(struct config *config, const char *name,
                               const char **error_r)
{
	const struct account_config *account = config_account(config, name);
	struct setup *setup;
	struct tls_context *tls = NULL;

	if (account == NULL) {
		*error_r = no_such_account;
		return NULL;
	}
	if (account->tls != SMTP_TLS_NONE) {
		struct tls_client_settings settings = {
			.ca_file = account->tls_ca_file,
			.fingerprint = account->tls_fingerprint,
			.min_version = account->tls_min,
		};

		tls = tls_context_client(&settings, error_r);
		if (tls == NULL)
			return NULL;
	}
	setup = xcalloc(1, sizeof *setup);
	*setup = (struct setup){ config_ref(config), account, tls,
		has_part_in_failover(config, account), 1 };
	return setup;
}

static void setup_unref(struct setup **setup)
{
	if (*setup != NULL && --(*setup)->refs == 0) {
		config_unref(&(*setup)->config);
		tls_context_unref(&(*setup)->tls);
		free(*setup);
	}
	*setup = NULL;
}

/* ---- lists of work ---- */

static void list_init(struct work_list *list)
{
	TAILQ_INIT(&list->works);
	list->n = 0;
}

static void leave_list(struct work *work)
{
	if (work->list == NULL)
		return;
	TAILQ_REMOVE(&work->list->works, work, link);
	work->list->n--;
	work->list = NULL;
}

static void move_to(struct work *work, struct work_list *list, bool in_front)
{
	leave_list(work);
	if (in_front)
		TAILQ_INSERT_HEAD(&list->works, work, link);
	else
		TAILQ_INSERT_TAIL(&list->works, work, link);
	list->n++;
	work->list = list;
}

static void work_free(struct work *work)
{
	leave_list(work);
	delivery_free(&work->delivery);
	free(work);
}

/* ---- outages ---- */

static size_t count_waiting(const struct pool *pool)
{
	return queue_ready(pool->services->queue, pool->name) +
	       pool->preparing.n + pool->prepared.n;
}

static void put_back_prepared(struct pool *pool)
{
	struct work *work;

	while ((work = TAILQ_LAST(&pool->prepared.works, work_links)) != NULL) {
		queue_put_back(pool->services->queue,
		               delivery_message(work->delivery));
		work_free(work);
	}
}

/* What was made ready goes back, and by another account if there is one. */
static void note_trouble(struct pool *pool,
                         const struct disposition *disposition,
                         const char *reply, size_t waiting)
{
	int64_t wait = schedule_wait(&pool->setup->config->relay.retry,
	                             pool->outage.breaker.failures + 1,
	                             random_u32());

	if (disposition->action == DISPOSITION_REST)
		wait = disposition->wait_ms;
	pool->proven = false;
	outage_begin(&pool->outage, disposition, pool->setup->account->username,
	             reply, pool->setup->account->host, waiting,
	             loop_now_ms(pool->services->loop), (uint64_t)wait);
	put_back_prepared(pool);
}

static void end_outage(struct pool *pool)
{
	timer_stop(pool->timer);
	outage_end(&pool->outage, count_waiting(pool));
}

/* ---- deliveries ---- */

static void on_prepared(void *ctx, struct delivery *delivery)
{
	struct work *work = ctx;

	move_to(work, &work->pool->prepared, false);
	dispatch(work->pool);
}

static void check_idle(struct pool *pool)
{
	if (pool->draining && pool->running.n == 0 && pool->on_idle != NULL)
		pool->on_idle(pool->idle_ctx);
}

/* A sender that is refused stands in prepared headers, too. */
static void on_trouble(void *ctx, struct delivery *delivery,
                       const struct disposition *trouble, const char *reply)
{
	struct work *work = ctx;
	struct pool *pool = work->pool;

	if (!disposition_is_of_account(trouble)) {
		put_back_prepared(pool);
		return;
	}
	note_trouble(pool, trouble, reply, count_waiting(pool) + 1);
	pool->blocked = pool->outage.number;
}

static void on_delivery_end(void *ctx, struct delivery *delivery,
                            enum delivery_end end)
{
	struct work *work = ctx;
	struct pool *pool = work->pool;

	if (end == DELIVERY_UNTRIED)
		move_to(work, &pool->prepared, true);
	else
		work_free(work);
	check_idle(pool);
	dispatch(pool);
}

static void prepare_one(struct pool *pool, struct message *message)
{
	static const struct delivery_callbacks callbacks = { on_prepared,
		on_trouble, on_delivery_end };
	struct work *work = xcalloc(1, sizeof *work);

	work->pool = pool;
	work->delivery = delivery_new(pool->services, pool->setup->config,
	                              pool->setup->account, message, &callbacks,
	                              work);
	move_to(work, &pool->preparing, false);
	delivery_prepare(work->delivery);
}

/* As many are made ready as could begin at once. */
static bool prepare_more(struct pool *pool)
{
	size_t most = pool->setup->account->connections;
	struct message *message;

	if (pool->preparing.n + pool->prepared.n >= most)
		return false;
	message = queue_take(pool->services->queue, pool->name);
	if (message == NULL)
		return false;
	prepare_one(pool, message);
	return true;
}

/* ---- connections ---- */

static void connection_free(struct connection *connection)
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

/* A login proves nothing against a refusal that came behind another, unless
 * it is the probe. */
static bool proves_well(const struct connection *connection)
{
	const struct pool *pool = connection->pool;

	return pool->blocked != pool->outage.number ||
	       connection->outage == pool->outage.number;
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
		end_outage(connection->pool);
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
	dispatch(pool);
}

/* Nothing could be sent on it: the message that waited longest carries the
 * attempt, and the others go back. */
static void login_failed(struct pool *pool,
                         const struct upstream_failure *failure)
{
	struct disposition disposition = disposition_of_failure(
		pool->setup->config, pool->setup->account, failure);
	struct work *work = TAILQ_FIRST(&pool->prepared.works);
	size_t waiting = count_waiting(pool);
	struct buf reply = BUF_INIT(128 * 1024);

	if (work != NULL)
		leave_list(work);
	if (failure->reply.code != 0)
		smtp_reply_line(&reply, &failure->reply);
	else
		buf_printf(&reply, "%s, at %s", failure->words,
		           smtp_stage_text(failure->stage));
	if (failure->kind == UPSTREAM_STREAM && failure->end == STREAM_END_TLS)
		log_event(LOG_ERROR, EVENT_TLS_ERROR,
		          F_STR("account", pool->name),
		          F_STR("host", pool->setup->account->host),
		          F_STR("error", failure->words));
	note_trouble(pool, &disposition, buf_string(&reply), waiting);
	buf_free(&reply);
	if (work != NULL) {
		message_tell_once(delivery_message(work->delivery),
		                  pool->outage.number);
		delivery_fail(work->delivery, failure);
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
		login_failed(pool, failure);
	else if (!logged_in)
		breaker_probe_lost(&pool->outage.breaker,
		                   loop_now_ms(pool->services->loop));
	connection_free(connection);
	pool->dispatching = in_a_turn;
	dispatch(pool);
}

static void read_password_again(struct pool *pool)
{
	const char *error = NULL;

	if (!account_reload_password(
		    (struct account_config *)pool->setup->account, &error))
		log_event(LOG_WARN, EVENT_CONFIG_ERROR,
		          F_STR("account", pool->name), F_STR("error", error),
		          F_STR("fix", "the password read before stays in use"));
}

static void connect_one(struct pool *pool)
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

	read_password_again(pool);
	connection->pool = pool;
	connection->setup = pool->setup;
	connection->outage = pool->outage.number;
	pool->setup->refs++;
	TAILQ_INSERT_TAIL(&pool->connections, connection, link);
	pool->n_connections++;
	pool->n_connecting++;
	connection->upstream = upstream_open(&settings, &callbacks, connection);
}

/* ---- the turn ---- */

static struct connection *with_room(struct pool *pool)
{
	struct connection *connection;

	TAILQ_FOREACH(connection, &pool->connections, link) {
		if (!connection->worn &&
		    upstream_has_room(connection->upstream))
			return connection;
	}
	return NULL;
}

static bool begin_one(struct pool *pool)
{
	struct work *work = TAILQ_FIRST(&pool->prepared.works);
	struct connection *connection = work ? with_room(pool) : NULL;

	if (connection == NULL)
		return false;
	move_to(work, &pool->running, false);
	upstream_begin(connection->upstream,
	               delivery_job(work->delivery,
	                            upstream_host(connection->upstream)));
	return true;
}

/* A probe that no message waits for. */
static bool probes_alone(const struct pool *pool)
{
	return outage_lasts(&pool->outage) && pool->setup->may_be_idle;
}

static bool wants_connection(const struct pool *pool)
{
	if (pool->prepared.n > pool->n_connecting)
		return true;
	return outage_is_probing(&pool->outage) && probes_alone(pool) &&
	       pool->n_connecting + pool->preparing.n + pool->prepared.n == 0;
}

static bool open_one(struct pool *pool)
{
	size_t most = pool->setup->account->connections;

	if (!wants_connection(pool) ||
	    pool->n_connections >= (most > 0 ? most : 1) ||
	    (pool->n_connecting > 0 && !pool->proven))
		return false;
	connect_one(pool);
	return true;
}

/* What was prepared when the trouble came waits with the others. */
static void wait_for_probe(struct pool *pool, uint64_t now)
{
	if (pool->prepared.n > 0) {
		put_back_prepared(pool);
		outage_untold(&pool->outage);
	}
	timer_start(pool->timer, outage_tell(&pool->outage, now));
}

static bool may_work(struct pool *pool)
{
	uint64_t now = loop_now_ms(pool->services->loop);

	if (pool->retired)
		put_back_prepared(pool);
	/* What a broken disk could not record would be sent again. */
	if (pool->draining || !store_is_healthy(pool->services->store))
		return false;
	if (queue_ready(pool->services->queue, pool->name) == 0 &&
	    pool->prepared.n == 0 && !probes_alone(pool))
		return false;
	if (outage_is_probing(&pool->outage) ||
	    outage_is_over(&pool->outage, now))
		return true;
	wait_for_probe(pool, now);
	return false;
}

/* Steps call back into here; one run at a time goes round until all is done. */
static void dispatch(struct pool *pool)
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

void pool_kick(struct pool *pool)
{
	dispatch(pool);
}

static void on_probe_time(void *ctx)
{
	dispatch(ctx);
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
	outage_init(&pool->outage, services->queue, pool->name);
	TAILQ_INIT(&pool->connections);
	list_init(&pool->preparing);
	list_init(&pool->prepared);
	list_init(&pool->running);
	pool->timer = timer_new(services->loop, on_probe_time, pool);
	return pool;
}

/* Idle ones are closed, busy ones finish what they have. */
static void retire_connections(struct pool *pool)
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

bool pool_stage(struct pool *pool, struct config *config, const char **error_r)
{
	pool->staged = setup_new(config, pool->name, error_r);
	return pool->staged != NULL;
}

void pool_unstage(struct pool *pool)
{
	setup_unref(&pool->staged);
}

void pool_commit(struct pool *pool)
{
	put_back_prepared(pool);
	retire_connections(pool);
	setup_unref(&pool->setup);
	pool->setup = pool->staged;
	pool->staged = NULL;
	pool->proven = false;
	end_outage(pool);
	dispatch(pool);
}

const char *pool_account(const struct pool *pool)
{
	return pool->name;
}

bool pool_is_out(const struct pool *pool)
{
	return outage_lasts(&pool->outage);
}

void pool_tell_failover(struct pool *pool, const char *account)
{
	outage_tell_failover(&pool->outage, account);
}

void pool_retire(struct pool *pool)
{
	pool->draining = pool->retired = true;
	timer_stop(pool->timer);
	put_back_prepared(pool);
	retire_connections(pool);
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

static void free_list(struct work_list *list)
{
	while (!TAILQ_EMPTY(&list->works))
		work_free(TAILQ_FIRST(&list->works));
}

void pool_free(struct pool **pool_p)
{
	struct pool *pool = *pool_p;

	if (pool == NULL)
		return;
	while (!TAILQ_EMPTY(&pool->connections))
		connection_free(TAILQ_FIRST(&pool->connections));
	free_list(&pool->preparing);
	free_list(&pool->prepared);
	free_list(&pool->running);
	timer_free(&pool->timer);
	setup_unref(&pool->staged);
	setup_unref(&pool->setup);
	outage_free(&pool->outage);
	free(pool->name);
	free(pool);
	*pool_p = NULL;
}
