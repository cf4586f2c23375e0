#include "relay/outbound/allowance.h"

#include <stdlib.h>
#include <string.h>

#include "proto/smtp_path.h"
#include "proto/xalloc.h"
#include "relay/config/config.h"
#include "relay/net/loop.h"
#include "relay/policy/reserve.h"
#include "relay/queue/store.h"

enum {
	CLOCK_SET_MS = 5000,   /* more than this is no drift */
	DISK_WAIT_MS = 1000
};

/* A lease, and its row in the store. */
struct row {
	struct allowance *allowance;
	struct lease lease;
	int64_t id;
	enum { ROW_ASKED, ROW_DURABLE } state;
	TAILQ_ENTRY(row) link;
};

TAILQ_HEAD(row_list, row);

struct allowance {
	struct allowances *all;
	char *key;
	struct budget *budget;
	struct row_list rows;   /* the newest last; only that is taken from */
	TAILQ_HEAD(, allowance_watch) watches;
	struct timer *timer;    /* the end of the newest row */
	struct timer *freed;    /* something was given back: who waits? */
	TAILQ_ENTRY(allowance) link;
};

struct allowances {
	struct services *services;
	TAILQ_HEAD(, allowance) list;
	int64_t last_id;
	int64_t clock;          /* wall clock less monotonic time */
};

static uint64_t now_of(const struct allowance *allowance)
{
	return loop_now_ms(allowance->all->services->loop);
}

/* ---- the wall clock ---- */

static int64_t read_clock(const struct allowances *all)
{
	return wall_now_ms() - (int64_t)loop_now_ms(all->services->loop);
}

/* What is on disk keeps its age when somebody sets the clock. */
static void watch_clock(struct allowances *all)
{
	int64_t moved = read_clock(all) - all->clock;

	if (moved > -CLOCK_SET_MS && moved < CLOCK_SET_MS)
		return;
	all->clock += moved;
	store_shift_usage(all->services->store, moved);
}

static int64_t wall_of(struct allowances *all, uint64_t ms)
{
	watch_clock(all);
	return all->clock + (int64_t)ms;
}

/* ---- rows ---- */

static void row_free(struct row *row)
{
	TAILQ_REMOVE(&row->allowance->rows, row, link);
	free(row);
}

/* On disk it comes down to what was sent under it. */
static void settle(struct row *row)
{
	struct allowance *allowance = row->allowance;
	struct usage usage = {
		.id = row->id,
		.account = allowance->key,
		.at_ms = wall_of(allowance->all, row->lease.spent_at),
		.messages = row->lease.taken_messages,
		.recipients = row->lease.taken_recipients,
	};

	store_spend(allowance->all->services->store, &usage);
	row_free(row);
}

static struct row *newest(struct allowance *allowance)
{
	return TAILQ_LAST(&allowance->rows, row_list);
}

/* Those that are not taken from any longer, and that one if it is over. */
static void settle_old(struct allowance *allowance)
{
	struct row *row = TAILQ_FIRST(&allowance->rows), *next;

	for (; row != NULL; row = next) {
		next = TAILQ_NEXT(row, link);
		if (row->state == ROW_DURABLE && row->lease.under_way == 0 &&
		    (next != NULL ||
		     lease_is_over(&row->lease, now_of(allowance))))
			settle(row);
	}
}

static void on_timer(void *ctx)
{
	settle_old(ctx);
}

static void tell_watches(struct allowance *allowance)
{
	struct allowance_watch *watch = TAILQ_FIRST(&allowance->watches), *next;

	for (; watch != NULL; watch = next) {
		next = TAILQ_NEXT(watch, link);
		watch->on_reserved(watch->ctx);
	}
}

static void on_freed(void *ctx)
{
	tell_watches(ctx);
}

static void on_durable(void *ctx, const char *error, bool full)
{
	struct row *row = ctx;
	struct allowance *allowance = row->allowance;

	row->state = ROW_DURABLE;
	if (error != NULL)
		row_free(row);
	tell_watches(allowance);
}

static void reserve(struct allowance *allowance, size_t recipients)
{
	uint64_t now = now_of(allowance);
	struct row *row = xcalloc(1, sizeof *row);
	struct usage usage = {
		.id = ++allowance->all->last_id,
		.account = allowance->key,
		.at_ms = wall_of(allowance->all, now),
	};

	row->allowance = allowance;
	row->lease = lease_for(allowance->budget, recipients, now);
	row->id = usage.id;
	usage.messages = row->lease.messages;
	usage.recipients = row->lease.recipients;
	TAILQ_INSERT_TAIL(&allowance->rows, row, link);
	timer_start(allowance->timer, LEASE_MS);
	store_reserve(allowance->all->services->store, &usage, on_durable, row);
}

/* ---- taking ---- */

static enum allowance_answer go(struct allowance *allowance, struct row *row,
                                size_t recipients, struct ticket *ticket_r)
{
	budget_take(allowance->budget, recipients);
	if (row != NULL)
		lease_take(&row->lease, recipients);
	*ticket_r = (struct ticket){ allowance, row, recipients };
	return ALLOWANCE_GO;
}

static enum allowance_answer wait_for_disk(struct allowance_wait *wait_r)
{
	*wait_r = (struct allowance_wait){ DISK_WAIT_MS, BUDGET_LIMITS };
	return ALLOWANCE_WAIT;
}

enum allowance_answer allowance_take(struct allowance *allowance,
                                     size_t recipients, bool regardless,
                                     struct ticket *ticket_r,
                                     struct allowance_wait *wait_r)
{
	struct row *row = newest(allowance);
	uint64_t now = now_of(allowance);

	wait_r->ms = budget_wait(allowance->budget, recipients, now,
	                         &wait_r->limit);
	if (wait_r->ms > 0 && !regardless)
		return ALLOWANCE_WAIT;
	if (!budget_is_limited(allowance->budget))
		return go(allowance, NULL, recipients, ticket_r);
	if (row != NULL && row->state == ROW_ASKED)
		return ALLOWANCE_RESERVING;
	if (row != NULL &&
	    lease_covers(&row->lease, allowance->budget, recipients, now))
		return go(allowance, row, recipients, ticket_r);
	if (!store_is_healthy(allowance->all->services->store))
		return wait_for_disk(wait_r);
	reserve(allowance, recipients);
	settle_old(allowance);
	return ALLOWANCE_RESERVING;
}

static void end(struct ticket *ticket)
{
	struct allowance *allowance = ticket->allowance;

	*ticket = (struct ticket){ 0 };
	settle_old(allowance);
}

void ticket_spend(struct ticket *ticket)
{
	uint64_t now;

	if (ticket->allowance == NULL)
		return;
	now = now_of(ticket->allowance);
	budget_spend(ticket->allowance->budget, ticket->recipients, now);
	if (ticket->row != NULL)
		lease_spend(&ticket->row->lease, now);
	end(ticket);
}

void ticket_give_back(struct ticket *ticket)
{
	if (ticket->allowance == NULL)
		return;
	budget_give_back(ticket->allowance->budget, ticket->recipients);
	if (ticket->row != NULL)
		lease_give_back(&ticket->row->lease, ticket->recipients);
	timer_start(ticket->allowance->freed, 0);
	end(ticket);
}

void allowance_watch(struct allowance *allowance, struct allowance_watch *watch)
{
	TAILQ_INSERT_TAIL(&allowance->watches, watch, link);
}

void allowance_unwatch(struct allowance *allowance,
                       struct allowance_watch *watch)
{
	TAILQ_REMOVE(&allowance->watches, watch, link);
}

struct budget *allowance_budget(struct allowance *allowance)
{
	return allowance->budget;
}

/* ---- which is whose ---- */

static void to_lower(char *text)
{
	for (; *text != '\0'; text++)
		if (*text >= 'A' && *text <= 'Z')
			*text |= 0x20;
}

/* A user name that is no address may be a token: it is not written down. */
static char *key_of(const struct account_config *account)
{
	struct smtp_path path;
	char *host = xstrdup(account->host), *key;

	to_lower(host);
	if (account->username != NULL &&
	    smtp_address_parse(text_of(account->username), &path)) {
		key = xasprintf("%s at %s", account->username, host);
		to_lower(key);
	} else {
		key = xasprintf("[account %s] at %s", account->name, host);
	}
	free(host);
	return key;
}

static struct allowance *find(const struct allowances *all, const char *key)
{
	struct allowance *allowance;

	TAILQ_FOREACH (allowance, &all->list, link)
		if (strcmp(allowance->key, key) == 0)
			return allowance;
	return NULL;
}

static struct allowance *find_or_make(struct allowances *all, const char *key)
{
	static const struct budget_limits none;
	struct allowance *allowance = find(all, key);

	if (allowance != NULL)
		return allowance;
	allowance = xcalloc(1, sizeof *allowance);
	allowance->all = all;
	allowance->key = xstrdup(key);
	allowance->budget = budget_new(&none);
	allowance->timer = timer_new(all->services->loop, on_timer, allowance);
	allowance->freed = timer_new(all->services->loop, on_freed, allowance);
	TAILQ_INIT(&allowance->rows);
	TAILQ_INIT(&allowance->watches);
	TAILQ_INSERT_TAIL(&all->list, allowance, link);
	return allowance;
}

struct allowance *allowance_of(struct allowances *allowances,
                               const struct account_config *account)
{
	char *key = key_of(account);
	struct allowance *allowance = find_or_make(allowances, key);

	free(key);
	return allowance;
}

/* ---- limits ---- */

static unsigned tighter(unsigned a, unsigned b)
{
	if (a == 0 || b == 0)
		return a + b;
	return a < b ? a : b;
}

static void tighten(struct budget *budget, const struct account_config *account)
{
	struct budget_limits limits = *budget_limits(budget);

	limits.messages_per_minute = tighter(limits.messages_per_minute,
	                                     account->messages_per_minute);
	limits.messages_per_day =
		tighter(limits.messages_per_day, account->messages_per_day);
	limits.recipients_per_day =
		tighter(limits.recipients_per_day, account->recipients_per_day);
	budget_set_limits(budget, &limits);
}

void allowances_review(struct allowances *allowances)
{
	static const struct budget_limits none;
	const struct config *config = allowances->services->config;
	struct allowance *allowance;
	size_t i;

	TAILQ_FOREACH (allowance, &allowances->list, link)
		budget_set_limits(allowance->budget, &none);
	for (i = 0; i < config->n_accounts; i++) {
		allowance = allowance_of(allowances, &config->accounts[i]);
		tighten(allowance->budget, &config->accounts[i]);
	}
}

/* ---- beginning and end ---- */

static void restore(struct allowances *all, const struct usage *usage)
{
	struct allowance *allowance = find_or_make(all, usage->account);
	uint64_t now = now_of(allowance);
	int64_t age = all->clock + (int64_t)now - usage->at_ms;

	budget_restore(allowance->budget, usage->messages, usage->recipients,
	               age > 0 ? (uint64_t)age : 0, now);
	if (usage->id > all->last_id)
		all->last_id = usage->id;
}

struct allowances *allowances_new(struct services *services)
{
	struct allowances *all = xcalloc(1, sizeof *all);
	struct usage *usage;
	size_t n, i;

	all->services = services;
	TAILQ_INIT(&all->list);
	all->clock = read_clock(all);
	usage = store_take_usage(services->store, &n);
	for (i = 0; i < n; i++) {
		restore(all, &usage[i]);
		usage_clear(&usage[i]);
	}
	free(usage);
	allowances_review(all);
	return all;
}

/* What is still on its way then counts whole. */
void allowances_stop(struct allowances *allowances)
{
	struct allowance *allowance;
	struct row *row, *next;

	TAILQ_FOREACH (allowance, &allowances->list, link) {
		timer_stop(allowance->timer);
		timer_stop(allowance->freed);
		for (row = TAILQ_FIRST(&allowance->rows); row; row = next) {
			next = TAILQ_NEXT(row, link);
			if (row->state == ROW_DURABLE &&
			    row->lease.under_way == 0)
				settle(row);
		}
	}
}

static void allowance_free(struct allowance *allowance)
{
	struct row *row;

	TAILQ_REMOVE(&allowance->all->list, allowance, link);
	while ((row = TAILQ_FIRST(&allowance->rows)) != NULL)
		row_free(row);
	timer_free(&allowance->timer);
	timer_free(&allowance->freed);
	budget_free(&allowance->budget);
	free(allowance->key);
	free(allowance);
}

void allowances_free(struct allowances **allowances)
{
	struct allowance *allowance;

	if (*allowances == NULL)
		return;
	while ((allowance = TAILQ_FIRST(&(*allowances)->list)) != NULL)
		allowance_free(allowance);
	free(*allowances);
	*allowances = NULL;
}
