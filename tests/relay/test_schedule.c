#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "relay/queue/schedule.h"
#include "tests/support/bytes.h"

#define MINUTES(n) (INT64_C(60000) * (n))

/* design.md section 4: 1m, 2m, 5m, 10m, 30m, 1h */
static int64_t usual[] = { MINUTES(1),  MINUTES(2),  MINUTES(5),
	                   MINUTES(10), MINUTES(30), MINUTES(60) };
static const struct duration_list usual_list = { usual, COUNT(usual) };

static const uint32_t chances[] = { 0,          1,          0x3fffffff,
	                            0x7fffffff, 0x80000000, 0xc0000000,
	                            UINT32_MAX - 1, UINT32_MAX };

static const struct {
	unsigned attempts;
	int64_t wait;
} waits[] = {
	{ .attempts = 1, .wait = MINUTES(1) },
	{ .attempts = 2, .wait = MINUTES(2) },
	{ .attempts = 3, .wait = MINUTES(5) },
	{ .attempts = 4, .wait = MINUTES(10) },
	{ .attempts = 5, .wait = MINUTES(30) },
	{ .attempts = 6, .wait = MINUTES(60) },
	{ .attempts = 7, .wait = MINUTES(60) },
	{ .attempts = 1000000, .wait = MINUTES(60) },
	{ .attempts = (unsigned)-1, .wait = MINUTES(60) },
};

static void assert_within_a_tenth(int64_t actual, int64_t wait)
{
	assert_true(actual >= wait - wait / 10);
	assert_true(actual <= wait + wait / 10);
}

static void test_waits_follow_the_list_and_the_last_repeats(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(waits); i++)
		for (size_t c = 0; c < COUNT(chances); c++)
			assert_within_a_tenth(
				schedule_wait(&usual_list, waits[i].attempts,
			                      chances[c]),
				waits[i].wait);
}

static void test_chance_spreads_both_ways(void **state)
{
	int64_t low = INT64_MAX, high = 0;

	(void)state;
	for (uint32_t i = 0; i < 4096; i++) {
		int64_t wait = schedule_wait(&usual_list, 4, i * 1048573u);

		assert_within_a_tenth(wait, MINUTES(10));
		low = wait < low ? wait : low;
		high = wait > high ? wait : high;
	}
	/* Nearly the whole tenth is used, either way. */
	assert_true(low < MINUTES(10) - MINUTES(10) / 11);
	assert_true(high > MINUTES(10) + MINUTES(10) / 11);
}

static void test_the_same_chance_gives_the_same_wait(void **state)
{
	(void)state;
	for (size_t c = 0; c < COUNT(chances); c++)
		assert_int_equal(schedule_wait(&usual_list, 3, chances[c]),
		                 schedule_wait(&usual_list, 3, chances[c]));
}

static void test_one_wait_is_a_list(void **state)
{
	int64_t week[] = { MINUTES(7 * 24 * 60) };
	struct duration_list list = { week, 1 };

	(void)state;
	for (unsigned attempts = 1; attempts < 9; attempts++)
		assert_within_a_tenth(schedule_wait(&list, attempts, UINT32_MAX),
		                      week[0]);
}

/* No wait is so short that its jitter leads into the past. */
static void test_short_waits_stay_ahead(void **state)
{
	int64_t ms[] = { 1, 9, 10, 100 };
	struct duration_list list = { ms, COUNT(ms) };

	(void)state;
	for (unsigned attempts = 1; attempts <= COUNT(ms); attempts++)
		for (size_t c = 0; c < COUNT(chances); c++)
			assert_true(schedule_wait(&list, attempts,
			                          chances[c]) >= 0);
}

/* What was deferred together does not come back together. */
static void test_a_hundred_messages_come_back_one_by_one(void **state)
{
	unsigned slots[12] = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 120; i++) {
		int64_t wait = schedule_wait(&usual_list, 6, i * 35791394u);
		int64_t from = MINUTES(54);

		slots[(wait - from) * 12 / (MINUTES(12) + 1)]++;
	}
	for (size_t i = 0; i < COUNT(slots); i++)
		assert_in_range(slots[i], 5, 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_waits_follow_the_list_and_the_last_repeats),
		cmocka_unit_test(test_chance_spreads_both_ways),
		cmocka_unit_test(test_the_same_chance_gives_the_same_wait),
		cmocka_unit_test(test_one_wait_is_a_list),
		cmocka_unit_test(test_short_waits_stay_ahead),
		cmocka_unit_test(
			test_a_hundred_messages_come_back_one_by_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
