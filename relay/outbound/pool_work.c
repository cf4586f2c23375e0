#include "relay/outbound/pool_internal.h"

#include <stdlib.h>

#include "proto/xalloc.h"
#include "relay/net/loop.h"
#include "relay/queue/queue.h"

/* ---- lists ---- */

void work_list_init(struct work_list *list)
{
	TAILQ_INIT(&list->works);
	list->n = 0;
}

void work_list_free(struct work_list *list)
{
	while (!TAILQ_EMPTY(&list->works))
		work_free(TAILQ_FIRST(&list->works));
}

struct work *work_list_first(const struct work_list *list)
{
	return TAILQ_FIRST(&list->works);
}

void work_leave(struct work *work)
{
	if (work->list == NULL)
		return;
	TAILQ_REMOVE(&work->list->works, work, link);
	work->list->n--;
	work->list = NULL;
}

void work_move(struct work *work, struct work_list *list, bool in_front)
{
	work_leave(work);
	if (in_front)
		TAILQ_INSERT_HEAD(&list->works, work, link);
	else
		TAILQ_INSERT_TAIL(&list->works, work, link);
	list->n++;
	work->list = list;
}

void work_free(struct work *work)
{
	work_leave(work);
	delivery_free(&work->delivery);
	free(work);
}

void work_put_back(struct pool *pool)
{
	struct work *work;

	while ((work = TAILQ_LAST(&pool->prepared.works, work_links)) != NULL) {
		ticket_give_back(&work->ticket);
		queue_put_back(pool->services->queue,
		               delivery_message(work->delivery));
		work_free(work);
	}
}

/* ---- deliveries ---- */

static void on_prepared(void *ctx, struct delivery *delivery)
{
	struct work *work = ctx;

	work_move(work, &work->pool->prepared, false);
	pool_dispatch(work->pool);
}

/* A sender that is refused stands in prepared headers, too. */
static void on_trouble(void *ctx, struct delivery *delivery,
                       const struct disposition *trouble, const char *reply)
{
	struct work *work = ctx;
	struct pool *pool = work->pool;

	if (disposition_is_of_account(trouble))
		pool_meet_trouble(pool, trouble, reply, true);
	else
		work_put_back(pool);
}

/* Mail that went through makes room for more; a probe that did ends the
 * outage. */
static void note_success(struct pool *pool)
{
	pool->delivered++;
	pool->last_success_ms = wall_now_ms();
	if (pool->ramp < pool->setup->account->connections)
		pool->ramp++;
	if (outage_is_probing(&pool->outage))
		pool_end_outage(pool);
}

/* What the provider refuses for good it has looked at: the account works. */
static void note_end(struct work *work, enum delivery_end end)
{
	struct pool *pool = work->pool;

	switch (end) {
	case DELIVERY_DELIVERED:
		note_success(pool);
		break;
	case DELIVERY_FAILED:
		pool->failed++;
		if (work->list == &pool->running &&
		    outage_needs_mail(&pool->outage))
			pool_end_outage(pool);
		break;
	case DELIVERY_DEFERRED:
	case DELIVERY_UNTRIED:
		break;
	}
}

/* What never got to a connection has cost nothing. */
static void end_ticket(struct work *work)
{
	if (work->list == &work->pool->running)
		ticket_spend(&work->ticket);
	else
		ticket_give_back(&work->ticket);
}

static void on_delivery_end(void *ctx, struct delivery *delivery,
                            enum delivery_end end)
{
	struct work *work = ctx;
	struct pool *pool = work->pool;

	note_end(work, end);
	if (end == DELIVERY_UNTRIED) {
		work_move(work, &pool->prepared, true);
	} else {
		end_ticket(work);
		work_free(work);
	}
	pool_check_idle(pool);
	pool_dispatch(pool);
}

bool work_prepare(struct pool *pool)
{
	static const struct delivery_callbacks callbacks = { on_prepared,
		on_trouble, on_delivery_end };
	struct message *message =
		queue_next(pool->services->queue, pool->name);
	struct ticket ticket;
	struct work *work;

	if (message == NULL) {
		throttle_rest(pool);
		return false;
	}
	if (!throttle_allows(pool, message, &ticket))
		return false;
	message = queue_take(pool->services->queue, pool->name);
	work = xcalloc(1, sizeof *work);
	work->pool = pool;
	work->ticket = ticket;
	work->delivery = delivery_new(pool->services, pool->setup->config,
	                              pool->setup->account, message,
	                              ticket.recipients, &callbacks, work);
	work_move(work, &pool->preparing, false);
	delivery_prepare(work->delivery);
	return true;
}
