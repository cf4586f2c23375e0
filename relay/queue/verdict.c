#include "relay/queue/verdict.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "proto/xalloc.h"

struct verdict_wait {
	struct verdicts *verdicts;
	void (*on_verdict)(void *ctx, const struct verdict *verdict);
	void *ctx;
	struct timer *timer;
	message_id *ids;         /* 0: its verdict is known */
	size_t n, n_open;
	struct verdict verdict;  /* the worst so far; owns its strings */
	bool claimed, answered;
	TAILQ_ENTRY(verdict_wait) link;
};

struct verdicts {
	struct loop *loop;
	TAILQ_HEAD(, verdict_wait) waits;
};

struct verdicts *verdicts_new(struct loop *loop)
{
	struct verdicts *verdicts = xcalloc(1, sizeof *verdicts);

	verdicts->loop = loop;
	TAILQ_INIT(&verdicts->waits);
	return verdicts;
}

void verdicts_free(struct verdicts **verdicts)
{
	free(*verdicts);
	*verdicts = NULL;
}

/* ---- words ---- */

static void clear(struct verdict *verdict)
{
	free((char *)verdict->reply);
	free((char *)verdict->reason);
	free((char *)verdict->title);
	free((char *)verdict->fix);
	*verdict = (struct verdict){ .kind = VERDICT_PENDING };
}

/* Of several messages the worst is told. */
static void take(struct verdict_wait *wait, const struct verdict *verdict)
{
	if (verdict->kind <= wait->verdict.kind)
		return;
	clear(&wait->verdict);
	wait->verdict = (struct verdict){
		.kind = verdict->kind,
		.reply = xstrdup(verdict->reply),
		.reason = xstrdup(verdict->reason),
		.title = xstrdup(verdict->title),
		.fix = xstrdup(verdict->fix),
	};
}

/* ---- a wait ---- */

static void answer(struct verdict_wait *wait)
{
	wait->answered = true;
	timer_start(wait->timer, 0);
}

static void on_timer(void *ctx)
{
	struct verdict_wait *wait = ctx;

	wait->answered = true;
	if (wait->n_open > 0)
		clear(&wait->verdict);
	wait->on_verdict(wait->ctx, &wait->verdict);
}

struct verdict_wait *
verdict_wait_begin(struct verdicts *verdicts, const message_id *ids, size_t n,
                   uint64_t ms,
                   void (*on_verdict)(void *ctx, const struct verdict *verdict),
                   void *ctx)
{
	struct verdict_wait *wait = xcalloc(1, sizeof *wait);

	wait->verdicts = verdicts;
	wait->on_verdict = on_verdict;
	wait->ctx = ctx;
	wait->ids = xcalloc(n, sizeof *ids);
	memcpy(wait->ids, ids, n * sizeof *ids);
	wait->n = wait->n_open = n;
	wait->timer = timer_new(verdicts->loop, on_timer, wait);
	timer_start(wait->timer, ms);
	TAILQ_INSERT_TAIL(&verdicts->waits, wait, link);
	return wait;
}

void verdict_wait_hurry(struct verdict_wait *wait)
{
	if (!wait->claimed)
		answer(wait);
}

void verdict_wait_end(struct verdict_wait **wait_p)
{
	struct verdict_wait *wait = *wait_p;

	if (wait == NULL)
		return;
	TAILQ_REMOVE(&wait->verdicts->waits, wait, link);
	timer_free(&wait->timer);
	clear(&wait->verdict);
	free(wait->ids);
	free(wait);
	*wait_p = NULL;
}

/* ---- who settles ---- */

static message_id *place_of(struct verdict_wait *wait, message_id id)
{
	size_t i;

	for (i = 0; i < wait->n; i++) {
		if (wait->ids[i] == id)
			return &wait->ids[i];
	}
	return NULL;
}

/* An answer that is on its way is no longer to be had. */
static struct verdict_wait *find(const struct verdicts *verdicts,
                                 message_id id)
{
	struct verdict_wait *wait;

	if (verdicts == NULL)
		return NULL;
	TAILQ_FOREACH(wait, &verdicts->waits, link) {
		if (!wait->answered && place_of(wait, id) != NULL)
			return wait;
	}
	return NULL;
}

bool verdict_is_awaited(const struct verdicts *verdicts, message_id id)
{
	return find(verdicts, id) != NULL;
}

bool verdict_may_refuse(const struct verdicts *verdicts, message_id id)
{
	const struct verdict_wait *wait = find(verdicts, id);

	return wait != NULL && wait->n == 1;
}

static void settle(struct verdict_wait *wait, message_id id)
{
	*place_of(wait, id) = 0;
	if (--wait->n_open == 0)
		answer(wait);
}

void verdict_tell(struct verdicts *verdicts, message_id id,
                  const struct verdict *verdict)
{
	struct verdict_wait *wait = find(verdicts, id);

	if (wait == NULL)
		return;
	take(wait, verdict);
	settle(wait, id);
}

void verdict_claim(struct verdicts *verdicts, message_id id,
                   const struct verdict *verdict)
{
	struct verdict_wait *wait = find(verdicts, id);

	wait->claimed = true;
	timer_stop(wait->timer);
	take(wait, verdict);
}

void verdict_saved(struct verdicts *verdicts, message_id id)
{
	struct verdict_wait *wait = find(verdicts, id);

	if (wait != NULL && wait->claimed)
		settle(wait, id);
}

void verdict_each(struct verdicts *verdicts,
                  void (*each)(void *ctx, message_id id), void *ctx)
{
	struct verdict_wait *wait, *next;
	size_t i;

	for (wait = TAILQ_FIRST(&verdicts->waits); wait != NULL; wait = next) {
		next = TAILQ_NEXT(wait, link);
		for (i = 0; i < wait->n; i++) {
			if (!wait->answered && wait->ids[i] != 0)
				each(ctx, wait->ids[i]);
		}
	}
}
