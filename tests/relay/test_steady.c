#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "relay/net/steady.h"

static const int64_t hour = 3600 * 1000, year = 365LL * 24 * 3600 * 1000;

static void test_goes_with_the_monotonic_clock(void **state)
{
	struct steady steady;

	steady_start(&steady, 1000 * hour, 5);
	assert_int_equal(steady_at(&steady, 5), 1000 * hour);
	assert_int_equal(steady_at(&steady, 7), 1000 * hour + 2);
}

static void test_small_corrections_are_followed(void **state)
{
	struct steady steady;

	steady_start(&steady, 1000 * hour, 0);
	assert_int_equal(steady_follow(&steady, 1000 * hour + 900, 1000), 0);
	assert_int_equal(steady_at(&steady, 1000), 1000 * hour + 900);
	assert_int_equal(steady_follow(&steady, 1000 * hour - 5000, 2000), 0);
	assert_int_equal(steady_at(&steady, 2000), 1000 * hour - 5000);
}

static void test_jumps_are_told_once(void **state)
{
	const int64_t jumps[] = { year, -year, hour, -hour };
	size_t i;

	for (i = 0; i < sizeof jumps / sizeof *jumps; i++) {
		struct steady steady;

		steady_start(&steady, 2 * year, 0);
		assert_int_equal(steady_follow(&steady,
		                               2 * year + 10 + jumps[i], 10),
		                 jumps[i]);
		assert_int_equal(steady_follow(&steady,
		                               2 * year + 20 + jumps[i], 20), 0);
		assert_int_equal(steady_at(&steady, 20),
		                 2 * year + 20 + jumps[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_goes_with_the_monotonic_clock),
		cmocka_unit_test(test_small_corrections_are_followed),
		cmocka_unit_test(test_jumps_are_told_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
