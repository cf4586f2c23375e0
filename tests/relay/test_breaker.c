#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "relay/queue/breaker.h"
#include "tests/support/bytes.h"

#define MINUTES(n) (UINT64_C(60000) * (n))
#define HOURS(n) MINUTES(60 * (n))

enum { START = 5000 };

/* A clock, and steps upon the breaker. */
enum step {
	END,
	ALLOWED,    /* breaker_allows() is true at this time */
	REFUSED,    /* ... is false */
	SUCCESS,
	LOGIN,      /* breaker_failure() with this trouble */
	UNREACHABLE,
	REST,
	HOLD,       /* breaker_hold() */
	HURRY,      /* breaker_hurry() */
	LOST,       /* breaker_probe_lost() */
	IS_CLOSED, IS_OPEN, IS_HALF_OPEN,
};

struct move {
	enum step step;
	uint64_t after_ms; /* the clock goes on by so much before it */
	uint64_t wait_ms;  /* of the trouble */
};

static const struct {
	const char *name;
	struct move moves[26];
} stories[] = {
	{ .name = "all is well",
	  .moves = { { IS_CLOSED }, { ALLOWED }, { ALLOWED, 1 }, { SUCCESS },
	             { ALLOWED, HOURS(1) }, { IS_CLOSED } } },
	{ .name = "a refused login is not hammered",
	  .moves = { { ALLOWED }, { LOGIN }, { IS_OPEN }, { REFUSED },
	             { REFUSED, MINUTES(30) - 1 }, { IS_OPEN }, { ALLOWED, 1 },
	             { IS_HALF_OPEN } } },
	{ .name = "one probe only",
	  .moves = { { LOGIN }, { ALLOWED, MINUTES(30) }, { REFUSED },
	             { REFUSED, MINUTES(1) }, { REFUSED, HOURS(24) } } },
	{ .name = "30 min, 2 h, 6 h, 12 h, 12 h",
	  .moves = { { LOGIN }, { REFUSED, MINUTES(30) - 1 }, { ALLOWED, 1 },
	             { LOGIN }, { REFUSED, HOURS(2) - 1 }, { ALLOWED, 1 },
	             { LOGIN }, { REFUSED, HOURS(6) - 1 }, { ALLOWED, 1 },
	             { LOGIN }, { REFUSED, HOURS(12) - 1 }, { ALLOWED, 1 },
	             { LOGIN }, { REFUSED, HOURS(12) - 1 }, { ALLOWED, 1 },
	             { LOGIN }, { REFUSED, HOURS(12) - 1 }, { ALLOWED, 1 } } },
	{ .name = "a good probe closes it",
	  .moves = { { LOGIN }, { ALLOWED, MINUTES(30) }, { SUCCESS },
	             { IS_CLOSED }, { ALLOWED }, { ALLOWED } } },
	{ .name = "success begins anew",
	  .moves = { { LOGIN }, { ALLOWED, MINUTES(30) }, { LOGIN },
	             { ALLOWED, HOURS(2) }, { SUCCESS }, { LOGIN },
	             { REFUSED, MINUTES(30) - 1 }, { ALLOWED, 1 } } },
	{ .name = "unreachable: the retry schedule sets the probes",
	  .moves = { { UNREACHABLE, 0, MINUTES(1) }, { IS_OPEN }, { REFUSED },
	             { REFUSED, MINUTES(1) - 1 }, { ALLOWED, 1 }, { REFUSED },
	             { UNREACHABLE, 0, MINUTES(5) },
	             { REFUSED, MINUTES(5) - 1 }, { ALLOWED, 1 },
	             { SUCCESS }, { IS_CLOSED } } },
	{ .name = "the first login refused after an outage waits 30 min",
	  .moves = { { UNREACHABLE, 0, MINUTES(1) }, { ALLOWED, MINUTES(1) },
	             { UNREACHABLE, 0, MINUTES(1) }, { ALLOWED, MINUTES(1) },
	             { LOGIN }, { REFUSED, MINUTES(30) - 1 }, { ALLOWED, 1 } } },
	{ .name = "a login that is refused with a time waits for it each time",
	  .moves = { { LOGIN, 0, HOURS(24) }, { REFUSED, HOURS(24) - 1 },
	             { ALLOWED, 1 }, { LOGIN, 0, HOURS(24) },
	             { REFUSED, HOURS(24) - 1 }, { ALLOWED, 1 },
	             { LOGIN }, { REFUSED, HOURS(6) - 1 }, { ALLOWED, 1 } } },
	{ .name = "a rest is as long as it is said to be",
	  .moves = { { REST, 0, HOURS(1) }, { IS_OPEN },
	             { REFUSED, HOURS(1) - 1 }, { ALLOWED, 1 }, { REFUSED },
	             { REST, 0, HOURS(1) }, { REFUSED, HOURS(1) - 1 },
	             { ALLOWED, 1 }, { SUCCESS }, { IS_CLOSED } } },
	{ .name = "a short rest that did not help grows, up to four times",
	  .moves = { { REST, 0, MINUTES(2) }, { REFUSED, MINUTES(2) - 1 },
	             { ALLOWED, 1 }, { REST, 0, MINUTES(2) },
	             { REFUSED, MINUTES(4) - 1 }, { ALLOWED, 1 },
	             { REST, 0, MINUTES(2) }, { REFUSED, MINUTES(8) - 1 },
	             { ALLOWED, 1 }, { REST, 0, MINUTES(2) },
	             { REFUSED, MINUTES(8) - 1 }, { ALLOWED, 1 } } },
	{ .name = "a rest of ten minutes is not short",
	  .moves = { { REST, 0, MINUTES(10) }, { ALLOWED, MINUTES(10) },
	             { REST, 0, MINUTES(10) }, { REFUSED, MINUTES(10) - 1 },
	             { ALLOWED, 1 } } },
	{ .name = "a rest of which nobody said how long is five minutes",
	  .moves = { { REST }, { REFUSED, MINUTES(5) - 1 }, { ALLOWED, 1 } } },
	{ .name = "what a person holds is never tried by itself",
	  .moves = { { HOLD }, { IS_OPEN }, { REFUSED },
	             { REFUSED, HOURS(24 * 365 * 50) }, { IS_OPEN },
	             { SUCCESS }, { ALLOWED } } },
	{ .name = "a person holds what is paused already",
	  .moves = { { LOGIN }, { HOLD }, { REFUSED, HOURS(24) },
	             { SUCCESS }, { LOGIN }, { REFUSED, MINUTES(30) - 1 },
	             { ALLOWED, 1 } } },
	{ .name = "what is mended is tried at once, and its waits begin anew",
	  .moves = { { LOGIN }, { ALLOWED, MINUTES(30) }, { LOGIN },
	             { REFUSED, MINUTES(1) }, { HURRY }, { ALLOWED },
	             { IS_HALF_OPEN }, { REFUSED }, { LOGIN },
	             { REFUSED, MINUTES(30) - 1 }, { ALLOWED, 1 } } },
	{ .name = "there is nothing to hurry where nothing is wrong",
	  .moves = { { HURRY }, { IS_CLOSED }, { LOGIN },
	             { ALLOWED, MINUTES(30) }, { HURRY }, { IS_HALF_OPEN } } },
	{ .name = "a lost probe lets another one through",
	  .moves = { { LOGIN }, { ALLOWED, MINUTES(30) }, { REFUSED },
	             { LOST }, { ALLOWED, HOURS(12) }, { SUCCESS },
	             { IS_CLOSED } } },
	{ .name = "a probe lost when nothing was wrong changes nothing",
	  .moves = { { LOST }, { IS_CLOSED }, { ALLOWED } } },
	{ .name = "long after, one probe still",
	  .moves = { { LOGIN }, { ALLOWED, HOURS(10000) }, { REFUSED },
	             { IS_HALF_OPEN } } },
};

static void assert_state(const char *name, const struct breaker *breaker,
                         enum breaker_state state)
{
	if (breaker->state != state)
		fail_msg("%s: state is %d, not %d", name, breaker->state,
		         state);
}

static void assert_allows(const char *name, size_t i, struct breaker *breaker,
                          uint64_t now, bool expected)
{
	if (breaker_allows(breaker, now) != expected)
		fail_msg("%s: move %zu should %s", name, i,
		         expected ? "be allowed" : "be refused");
}

static void play(const char *name, struct breaker *breaker, uint64_t now,
                 size_t i, const struct move *move)
{
	switch (move->step) {
	case ALLOWED:
	case REFUSED:
		assert_allows(name, i, breaker, now, move->step == ALLOWED);
		break;
	case SUCCESS:
		breaker_success(breaker);
		break;
	case LOGIN:
		breaker_failure(breaker, BREAKER_LOGIN, now, move->wait_ms);
		break;
	case REST:
		breaker_failure(breaker, BREAKER_REST, now, move->wait_ms);
		break;
	case HOLD:
		breaker_hold(breaker);
		break;
	case HURRY:
		breaker_hurry(breaker, now);
		break;
	case UNREACHABLE:
		breaker_failure(breaker, BREAKER_UNREACHABLE, now,
		                move->wait_ms);
		break;
	case LOST:
		breaker_probe_lost(breaker, now);
		break;
	case IS_CLOSED:
		assert_state(name, breaker, BREAKER_CLOSED);
		break;
	case IS_OPEN:
		assert_state(name, breaker, BREAKER_OPEN);
		break;
	case IS_HALF_OPEN:
		assert_state(name, breaker, BREAKER_HALF_OPEN);
		break;
	case END:
		break;
	}
}

static void test_stories(void **state)
{
	(void)state;
	for (size_t s = 0; s < COUNT(stories); s++) {
		struct breaker breaker = { 0 };
		uint64_t now = START;

		for (size_t i = 0; stories[s].moves[i].step != END; i++) {
			now += stories[s].moves[i].after_ms;
			play(stories[s].name, &breaker, now, i,
			     &stories[s].moves[i]);
		}
	}
}

/* What was under way when the login was refused may fail after it. */
static void test_more_refusals_bring_no_sooner_probe(void **state)
{
	struct breaker breaker = { 0 };

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		breaker_failure(&breaker, BREAKER_LOGIN, START + i, 0);
	assert_int_equal(breaker.state, BREAKER_OPEN);
	assert_false(breaker_allows(&breaker, START + MINUTES(30) - 1));
	assert_true(breaker_allows(&breaker, START + 4 + HOURS(12)));
}

/* As the store has it. */
static void test_restored(void **state)
{
	struct breaker breaker;

	(void)state;
	breaker_restore(&breaker, BREAKER_LOGIN, 3, START, MINUTES(7));
	assert_false(breaker_allows(&breaker, START + MINUTES(7) - 1));
	assert_true(breaker_allows(&breaker, START + MINUTES(7)));
	breaker_failure(&breaker, BREAKER_LOGIN, START, 0);
	assert_false(breaker_allows(&breaker, START + HOURS(12) - 1));
	breaker_restore(&breaker, BREAKER_OPERATOR, 0, START, 0);
	assert_false(breaker_allows(&breaker, START + HOURS(1000)));
}

/* Half-open never lasts for ever: one of the three verdicts frees it. */
static void test_a_year_of_random_weather(void **state)
{
	struct breaker breaker = { 0 };
	uint64_t now = START, last_probe = 0;
	uint32_t x = 2463534242;
	unsigned probes = 0;

	(void)state;
	for (unsigned i = 0; i < 365 * 24; i++) {
		now += HOURS(1);
		if (!breaker_allows(&breaker, now)) {
			assert_true(now - last_probe <= HOURS(13));
			continue;
		}
		last_probe = now;
		probes++;
		x ^= x << 13, x ^= x >> 17, x ^= x << 5;
		if (x % 4 == 0)
			breaker_success(&breaker);
		else if (x % 4 == 1)
			breaker_probe_lost(&breaker, now);
		else
			breaker_failure(&breaker, BREAKER_LOGIN, now, 0);
	}
	assert_true(probes > 365);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stories),
		cmocka_unit_test(test_more_refusals_bring_no_sooner_probe),
		cmocka_unit_test(test_restored),
		cmocka_unit_test(test_a_year_of_random_weather),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
