/* Budgets against an exact list of all that was sent, with a clock of our own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/xalloc.h"
#include "relay/policy/reserve.h"
#include "tests/support/bytes.h"

#define SECONDS(n) (UINT64_C(1000) * (n))
#define MINUTES(n) SECONDS(60 * (n))
#define HOURS(n)   MINUTES(60 * (n))

enum { BUSY = 4, ROWS = 100000 };

static uint64_t random_state;

static uint64_t random_below(uint64_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % n;
}

/* --- what the provider sees ------------------------------------------------- */

struct sent {
	uint64_t at;
	size_t recipients;
};

struct ledger {
	struct sent *list;
	size_t n, size;
};

static void note(struct ledger *ledger, uint64_t at, size_t recipients)
{
	if (ledger->n == ledger->size) {
		ledger->size = ledger->size ? 2 * ledger->size : 1024;
		ledger->list = xrealloc(ledger->list,
		                        ledger->size * sizeof(*ledger->list));
	}
	ledger->list[ledger->n++] = (struct sent){ at, recipients };
}

static int by_time(const void *a, const void *b)
{
	const struct sent *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

/* The most in any span: those that begin with a message are all there are. */
static void assert_never_more(const char *what, const struct ledger *ledger,
                              uint64_t span, unsigned limit, bool recipients)
{
	uint64_t sum = 0;
	size_t first = 0;

	for (size_t i = 0; limit > 0 && i < ledger->n; i++) {
		const struct sent *sent = &ledger->list[i];

		sum += recipients ? sent->recipients : 1;
		for (; ledger->list[first].at + span <= sent->at; first++)
			sum -= recipients ? ledger->list[first].recipients : 1;
		if (sum > limit)
			fail_msg("%s: %llu of %u in the span that ends at %llu",
			         what, (unsigned long long)sum, limit,
			         (unsigned long long)sent->at);
	}
}

static void assert_within(const char *what, struct ledger *ledger,
                          const struct budget_limits *limits)
{
	qsort(ledger->list, ledger->n, sizeof(*ledger->list), by_time);
	assert_never_more(what, ledger, MINUTES(1),
	                  limits->messages_per_minute, false);
	assert_never_more(what, ledger, HOURS(24), limits->messages_per_day,
	                  false);
	assert_never_more(what, ledger, HOURS(24), limits->recipients_per_day,
	                  true);
}

/* --- a relay with a clock of its own ---------------------------------------- */

/* What stands on disk. */
struct stored {
	bool is_open;
	uint64_t at;
	size_t messages, recipients;
};

struct delivery {
	uint64_t begin, end; /* end 0: none */
	size_t recipients, row;
};

struct sim {
	const struct budget_limits *limits;
	struct budget *budget;
	struct lease lease;        /* the newest; it is rows[n_rows - 1] */
	struct stored *rows;
	size_t n_rows;
	size_t under_way[ROWS];    /* of each row, and what was taken by it */
	size_t taken[ROWS], taken_recipients[ROWS];
	struct delivery busy[BUSY];
	struct ledger ledger;
	uint64_t now, epoch;       /* a restart begins the clock anew */
};

static uint64_t clock_of(const struct sim *sim)
{
	return sim->now - sim->epoch;
}

static void settle_row(struct sim *sim, size_t row)
{
	if (sim->under_way[row] > 0 || !sim->rows[row].is_open)
		return;
	sim->rows[row] = (struct stored){ false, sim->now, sim->taken[row],
		                          sim->taken_recipients[row] };
}

static void begin(struct sim *sim, struct delivery *busy, size_t recipients,
                  uint64_t latency)
{
	size_t row;

	if (!lease_covers(&sim->lease, sim->budget, recipients,
	                  clock_of(sim))) {
		if (sim->n_rows > 0)
			settle_row(sim, sim->n_rows - 1);
		sim->lease = lease_for(sim->budget, recipients, clock_of(sim));
		assert_true(sim->n_rows < ROWS);
		sim->rows[sim->n_rows++] = (struct stored){
			true, sim->now, sim->lease.messages,
			sim->lease.recipients
		};
	}
	row = sim->n_rows - 1;
	assert_true(lease_covers(&sim->lease, sim->budget, recipients,
	                         clock_of(sim)));
	lease_take(&sim->lease, recipients);
	budget_take(sim->budget, recipients);
	sim->under_way[row]++;
	sim->taken[row]++;
	sim->taken_recipients[row] += recipients;
	*busy = (struct delivery){ sim->now, sim->now + latency + 1, recipients,
		                   row };
	/* The provider counts it whenever it likes in between. */
	note(&sim->ledger, sim->now + random_below(latency + 2), recipients);
}

static void end_those_due(struct sim *sim)
{
	for (size_t i = 0; i < BUSY; i++) {
		struct delivery *busy = &sim->busy[i];

		if (busy->end == 0 || busy->end > sim->now)
			continue;
		budget_spend(sim->budget, busy->recipients, clock_of(sim));
		sim->under_way[busy->row]--;
		if (busy->row == sim->n_rows - 1)
			lease_spend(&sim->lease, clock_of(sim));
		else
			settle_row(sim, busy->row);
		busy->end = 0;
	}
}

/* Killed: what is under way may have been counted or not. */
static void kill_and_restart(struct sim *sim)
{
	budget_free(&sim->budget);
	sim->budget = budget_new(sim->limits);
	sim->epoch = sim->now - random_below(1000);
	for (size_t i = 0; i < sim->n_rows; i++) {
		struct stored *row = &sim->rows[i];

		if (row->is_open)
			row->at = sim->now;
		row->is_open = false;
		budget_restore(sim->budget, row->messages, row->recipients,
		               sim->now - row->at, clock_of(sim));
	}
	memset(&sim->lease, 0, sizeof(sim->lease));
	for (size_t i = 0; i < BUSY; i++)
		sim->busy[i].end = 0;
	for (size_t i = 0; i < sim->ledger.n; i++)
		if (sim->ledger.list[i].at > sim->now)
			sim->ledger.list[i].at = sim->now;
}

static struct delivery *idle(struct sim *sim)
{
	for (size_t i = 0; i < BUSY; i++)
		if (sim->busy[i].end == 0)
			return &sim->busy[i];
	return NULL;
}

static uint64_t next_end(const struct sim *sim)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < BUSY; i++)
		if (sim->busy[i].end > 0 && sim->busy[i].end < next)
			next = sim->busy[i].end;
	return next;
}

struct plan {
	const char *name;
	struct budget_limits limits;
	size_t messages;
	uint64_t latency, gap;  /* at most: of a delivery, of two arrivals */
	size_t recipients;      /* at most */
	unsigned kill_one_in;   /* sends; 0: never */
};

static const struct plan plans[] = {
	{ "microsoft", { 30, 0, 10000 }, 4000, 900, 0, 1, 0 },
	{ "slow provider", { 30, 0, 0 }, 2000, 20000, 0, 1, 0 },
	{ "trickle", { 5, 0, 0 }, 2000, 1000, 30000, 3, 0 },
	{ "one a minute", { 1, 0, 0 }, 300, 100, 0, 1, 0 },
	{ "a day's messages", { 0, 500, 0 }, 2000, 300, 0, 1, 0 },
	{ "a day's recipients", { 0, 0, 1000 }, 800, 300, 0, 100, 0 },
	{ "all three", { 60, 2000, 3000 }, 6000, 2000, 2000, 20, 0 },
	{ "killed, minute", { 30, 0, 0 }, 2000, 3000, 0, 1, 20 },
	{ "killed, day", { 0, 300, 0 }, 1500, 3000, 0, 1, 50 },
	{ "killed, all", { 60, 2000, 3000 }, 6000, 9000, 2000, 20, 100 },
	{ "more than a day holds", { 0, 0, 50 }, 40, 300, 0, 80, 0 },
};

/* In the order of arrival: whose turn it is goes, or all wait. */
static void play(struct sim *sim, const struct plan *plan)
{
	uint64_t arrival = 0, first = sim->now;

	for (size_t i = 0; i < plan->messages; i++) {
		size_t recipients = 1 + random_below(plan->recipients);
		struct delivery *busy;
		uint64_t wait;

		arrival += plan->gap ? random_below(plan->gap) : 0;
		if (first + arrival > sim->now)
			sim->now = first + arrival;
		end_those_due(sim);
		if (plan->limits.recipients_per_day > 0 &&
		    recipients > plan->limits.recipients_per_day)
			recipients = plan->limits.recipients_per_day;
		while (!(busy = idle(sim)) ||
		       (wait = budget_wait(sim->budget, recipients,
		                           clock_of(sim), NULL)) > 0) {
			uint64_t next = next_end(sim);

			if (busy && sim->now + wait < next)
				next = sim->now + wait;
			assert_true(next > sim->now &&
			            next < sim->now + HOURS(49));
			sim->now = next;
			end_those_due(sim);
		}
		begin(sim, busy, recipients, random_below(plan->latency + 1));
		if (plan->kill_one_in && random_below(plan->kill_one_in) == 0)
			kill_and_restart(sim);
	}
}

static struct sim *sim_new(const struct budget_limits *limits, uint64_t seed)
{
	struct sim *sim = xcalloc(1, sizeof(*sim));

	random_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	sim->limits = limits;
	sim->budget = budget_new(limits);
	sim->rows = xcalloc(ROWS, sizeof(*sim->rows));
	sim->now = sim->epoch = HOURS(1000);
	return sim;
}

static void sim_free(struct sim *sim)
{
	budget_free(&sim->budget);
	free(sim->ledger.list);
	free(sim->rows);
	free(sim);
}

static void test_never_more_and_all_of_it(void **state)
{
	(void)state;
	for (size_t p = 0; p < COUNT(plans); p++) {
		for (uint64_t seed = 1; seed <= 4; seed++) {
			struct sim *sim = sim_new(&plans[p].limits, seed);

			play(sim, &plans[p]);
			assert_int_equal(sim->ledger.n, plans[p].messages);
			assert_within(plans[p].name, &sim->ledger,
			              &plans[p].limits);
			sim_free(sim);
		}
	}
}

/* What a limit allows in the time that it took, and at most 5 % less. */
static void assert_quick(const struct budget_limits *limits, size_t messages,
                         uint64_t span, unsigned each)
{
	struct plan plan = { "quick", *limits, messages, 10, 0, 1, 0 };
	struct sim *sim = sim_new(&plan.limits, 7);
	uint64_t took, best = span * (messages / each - 1);

	play(sim, &plan);
	took = sim->now - HOURS(1000);
	assert_true(took >= best);
	assert_true(took <= best + best / 20);
	sim_free(sim);
}

static void test_hardly_less_than_is_allowed(void **state)
{
	(void)state;
	assert_quick(&(struct budget_limits){ 30, 0, 0 }, 3000, MINUTES(1), 30);
	assert_quick(&(struct budget_limits){ 1, 0, 0 }, 100, MINUTES(1), 1);
	assert_quick(&(struct budget_limits){ 0, 100, 0 }, 1000, HOURS(24),
	             100);
	assert_quick(&(struct budget_limits){ 0, 0, 250 }, 2500, HOURS(24),
	             250);
}

/* A kill costs a hundredth of the day at most. */
static void test_a_kill_costs_little(void **state)
{
	static const struct budget_limits limits = { 0, 1000, 0 };
	struct plan plan = { "killed", limits, 900, 10, 0, 1, 100 };
	struct sim *sim = sim_new(&limits, 3);
	size_t kills = 0;

	(void)state;
	play(sim, &plan);
	assert_true(sim->now < HOURS(1001)); /* it did not have to wait */
	kills = budget_messages_left(sim->budget, clock_of(sim));
	assert_in_range(kills, 0, 100);
	sim_free(sim);
}

/* --- by hand ---------------------------------------------------------------- */

static void send(struct budget *budget, size_t n, uint64_t now)
{
	for (size_t i = 0; i < n; i++) {
		budget_take(budget, 1);
		budget_spend(budget, 1, now);
	}
}

static void test_says_which_limit_and_how_long(void **state)
{
	struct budget_limits limits = { 2, 5, 0 };
	struct budget *budget = budget_new(&limits);
	enum budget_limit limit;
	uint64_t wait;

	(void)state;
	assert_int_equal(budget_wait(budget, 1, 1000, &limit), 0);
	assert_int_equal(limit, BUDGET_LIMITS);
	send(budget, 2, 1000);
	wait = budget_wait(budget, 1, 1000, &limit);
	assert_int_equal(limit, BUDGET_MESSAGES_PER_MINUTE);
	assert_in_range(wait, 60001, 60250);
	assert_int_equal(budget_wait(budget, 1, 1000 + wait, NULL), 0);
	send(budget, 2, 70000);
	send(budget, 1, 140000);
	wait = budget_wait(budget, 1, 140000, &limit);
	assert_int_equal(limit, BUDGET_MESSAGES_PER_DAY);
	assert_in_range(wait, HOURS(24) - 139000, HOURS(24) - 70000);
	budget_free(&budget);
}

static void test_what_is_on_its_way_counts(void **state)
{
	struct budget_limits limits = { 2, 0, 0 };
	struct budget *budget = budget_new(&limits);

	(void)state;
	budget_take(budget, 1);
	budget_take(budget, 1);
	assert_true(budget_wait(budget, 1, HOURS(1), NULL) > 0);
	budget_give_back(budget, 1);
	assert_int_equal(budget_wait(budget, 1, HOURS(1), NULL), 0);
	budget_spend(budget, 1, HOURS(1));
	send(budget, 1, HOURS(1));
	assert_in_range(budget_wait(budget, 1, HOURS(1), NULL), 60001, 60250);
	budget_free(&budget);
}

static void test_as_many_recipients_as_fit(void **state)
{
	struct budget_limits limits = { 0, 0, 100 };
	struct budget *budget = budget_new(&limits);

	(void)state;
	assert_int_equal(budget_wait(budget, 250, 0, NULL), 0);
	assert_int_equal(budget_recipients_left(budget, 0), 100);
	budget_take(budget, 60);
	assert_int_equal(budget_recipients_left(budget, 0), 40);
	assert_int_equal(budget_wait(budget, 40, 0, NULL), 0);
	assert_true(budget_wait(budget, 41, 0, NULL) > 0);
	assert_true(budget_wait(budget, 250, 0, NULL) > 0);
	assert_true(budget_messages_left(budget, 0) == SIZE_MAX);
	budget_free(&budget);
}

static void test_a_reload_keeps_what_was_sent(void **state)
{
	struct budget_limits none = { 0, 0, 0 }, some = { 3, 0, 0 };
	struct budget *budget = budget_new(&none);

	(void)state;
	assert_false(budget_is_limited(budget));
	send(budget, 3, 5000);
	assert_int_equal(budget_wait(budget, 1, 5000, NULL), 0);
	budget_set_limits(budget, &some);
	assert_true(budget_is_limited(budget));
	assert_true(budget_wait(budget, 1, 5000, NULL) > 0);
	budget_set_limits(budget, &none);
	assert_int_equal(budget_wait(budget, 1, 5000, NULL), 0);
	budget_free(&budget);
}

/* A clock that stands or goes back, and one that leaps. */
static void test_odd_clocks(void **state)
{
	struct budget_limits limits = { 3, 0, 0 };
	struct budget *budget = budget_new(&limits);

	(void)state;
	send(budget, 3, HOURS(10));
	assert_true(budget_wait(budget, 1, HOURS(9), NULL) > MINUTES(1));
	assert_true(budget_wait(budget, 1, 0, NULL) > MINUTES(1));
	assert_int_equal(budget_wait(budget, 1, HOURS(24 * 365), NULL), 0);
	send(budget, 3, HOURS(24 * 365));
	assert_true(budget_wait(budget, 1, HOURS(24 * 365), NULL) > 0);
	budget_free(&budget);
}

static void test_the_past_is_restored(void **state)
{
	struct budget_limits limits = { 10, 100, 0 };
	struct budget *budget = budget_new(&limits);

	(void)state;
	budget_restore(budget, 40, 40, HOURS(25), 100);
	assert_int_equal(budget_messages_left(budget, 100), 10);
	budget_restore(budget, 40, 40, HOURS(23), 100);
	budget_restore(budget, 55, 55, 0, 100);
	assert_int_equal(budget_messages_left(budget, 100), 0);
	assert_int_equal(budget_messages_left(budget, 100 + MINUTES(2)), 5);
	assert_int_equal(budget_messages_left(budget, 100 + HOURS(2)), 10);
	budget_free(&budget);
}

/* --- learning --------------------------------------------------------------- */

static unsigned pace_of(struct budget *budget, uint64_t now)
{
	struct budget_view view;

	budget_view(budget, BUDGET_MESSAGES_PER_MINUTE, now, &view);
	return view.allowed;
}

static void test_half_as_fast_and_back(void **state)
{
	struct budget_limits limits = { 30, 0, 0 };
	struct budget *budget = budget_new(&limits);
	uint64_t now = HOURS(1);

	(void)state;
	budget_slow_down(budget, now);
	budget_slow_down(budget, now + SECONDS(5)); /* was under way */
	assert_int_equal(pace_of(budget, now + SECONDS(5)), 15);
	assert_int_equal(budget_connections(budget, 3, now + SECONDS(5)), 1);
	now += MINUTES(2);
	budget_slow_down(budget, now);
	assert_int_equal(pace_of(budget, now), 10);
	assert_int_equal(pace_of(budget, now + MINUTES(10) - 1), 10);
	assert_int_equal(pace_of(budget, now + MINUTES(10)), 15);
	assert_int_equal(pace_of(budget, now + MINUTES(20)), 30);
	assert_int_equal(budget_connections(budget, 3, now + MINUTES(20)), 3);
	for (unsigned i = 0; i < 100; i++)
		budget_slow_down(budget, now += MINUTES(2));
	assert_int_equal(pace_of(budget, now), 10);
	assert_int_equal(budget_connections(budget, 3, now), 1);
	assert_int_equal(pace_of(budget, now + MINUTES(60)), 30);
	limits.messages_per_minute = 4; /* which is slow enough */
	budget_set_limits(budget, &limits);
	budget_slow_down(budget, now += MINUTES(120));
	assert_int_equal(pace_of(budget, now), 4);
	budget_free(&budget);
}

static void test_a_limit_is_learnt_where_there_is_none(void **state)
{
	struct budget_limits none = { 0, 0, 0 };
	struct budget *budget = budget_new(&none);
	uint64_t now = HOURS(1);

	(void)state;
	send(budget, 40, now);
	budget_take(budget, 1);
	budget_give_back(budget, 1);
	budget_slow_down(budget, now);
	assert_int_equal(pace_of(budget, now), 20);
	assert_true(budget_wait(budget, 1, now, NULL) > 0);
	assert_false(budget_is_limited(budget));
	assert_int_equal(pace_of(budget, now + MINUTES(10)), 0);
	assert_int_equal(budget_wait(budget, 1, now + MINUTES(10), NULL), 0);
	budget_free(&budget);
}

static void test_the_view(void **state)
{
	struct budget_limits limits = { 30, 0, 0 };
	struct budget *budget = budget_new(&limits);
	struct budget_view view;

	(void)state;
	budget_view(budget, BUDGET_MESSAGES_PER_MINUTE, SECONDS(10), &view);
	assert_int_equal(view.left, 30);
	assert_int_equal(view.refill_ms, 0);
	send(budget, 10, SECONDS(10));
	send(budget, 5, SECONDS(20));
	budget_take(budget, 1);
	budget_view(budget, BUDGET_MESSAGES_PER_MINUTE, SECONDS(20), &view);
	assert_int_equal(view.allowed, 30);
	assert_int_equal(view.used, 16);
	assert_int_equal(view.left, 14);
	assert_in_range(view.refill_ms, SECONDS(50), SECONDS(51));
	assert_in_range(view.whole_ms, SECONDS(60), SECONDS(61));
	assert_false(view.slow);
	budget_view(budget, BUDGET_MESSAGES_PER_DAY, SECONDS(20), &view);
	assert_int_equal(view.allowed, 0);
	assert_string_equal(budget_limit_key(view.limit), "messages_per_day");
	assert_string_equal(budget_limit_words(view.limit), "messages a day");
	budget_give_back(budget, 1);
	budget_free(&budget);
}

/* --- leases ----------------------------------------------------------------- */

static const struct {
	struct budget_limits limits;
	size_t need, used, messages, recipients;
} leases[] = {
	{ { 30, 0, 0 }, 1, 0, 30, 30 },
	{ { 30, 0, 0 }, 1, 20, 10, 10 },
	{ { 0, 500, 0 }, 3, 0, 5, 5 },
	{ { 0, 500, 0 }, 1, 498, 2, 2 },
	{ { 0, 50, 0 }, 9, 0, 1, 9 },
	{ { 30, 0, 10000 }, 1, 0, 30, 100 },
	{ { 30, 0, 10000 }, 400, 0, 30, 400 },
	{ { 0, 0, 10000 }, 1, 0, 100, 100 },
	{ { 0, 0, 10000 }, 7, 9990, 10, 10 },
	{ { 3, 500, 0 }, 1, 0, 3, 3 },
	/* regardless of the limit, the one message at least */
	{ { 0, 10, 0 }, 2, 10, 1, 2 },
};

static void test_leases(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(leases); i++) {
		struct budget *budget = budget_new(&leases[i].limits);
		struct lease lease;

		send(budget, leases[i].used, 1000);
		lease = lease_for(budget, leases[i].need, 1000);
		if (lease.messages != leases[i].messages ||
		    lease.recipients != leases[i].recipients)
			fail_msg("lease %zu: %zu messages, %zu recipients", i,
			         lease.messages, lease.recipients);
		assert_true(lease_covers(&lease, budget, leases[i].need, 1000));
		assert_false(lease_covers(&lease, budget, leases[i].need,
		                          1000 + LEASE_MS));
		budget_free(&budget);
	}
}

static void test_a_lease_ends(void **state)
{
	struct budget_limits limits = { 2, 0, 0 };
	struct budget *budget = budget_new(&limits);
	struct lease lease = lease_for(budget, 1, 0);

	(void)state;
	lease_take(&lease, 1);
	assert_false(lease_is_over(&lease, LEASE_MS));
	lease_give_back(&lease, 1);
	assert_true(lease_is_over(&lease, LEASE_MS));
	assert_false(lease_is_over(&lease, LEASE_MS - 1));
	lease_take(&lease, 1);
	lease_take(&lease, 1);
	assert_false(lease_covers(&lease, budget, 1, 1));
	lease_spend(&lease, 1);
	assert_false(lease_is_over(&lease, 1));
	lease_spend(&lease, 2);
	assert_true(lease_is_over(&lease, 2));
	budget_free(&budget);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_never_more_and_all_of_it),
		cmocka_unit_test(test_hardly_less_than_is_allowed),
		cmocka_unit_test(test_a_kill_costs_little),
		cmocka_unit_test(test_says_which_limit_and_how_long),
		cmocka_unit_test(test_what_is_on_its_way_counts),
		cmocka_unit_test(test_as_many_recipients_as_fit),
		cmocka_unit_test(test_a_reload_keeps_what_was_sent),
		cmocka_unit_test(test_odd_clocks),
		cmocka_unit_test(test_the_past_is_restored),
		cmocka_unit_test(test_half_as_fast_and_back),
		cmocka_unit_test(test_a_limit_is_learnt_where_there_is_none),
		cmocka_unit_test(test_the_view),
		cmocka_unit_test(test_leases),
		cmocka_unit_test(test_a_lease_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
