/*
 * Whatever operation of the disk fails: no done says durable of what a power
 * cut at the end would lose.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include "tests/faults/scenario.h"
#include "tests/support/tempdir.h"

static struct promises *promises;

/* Returns false when there was no operation number plan->fail_from. */
static bool fail_at(const struct disk_plan *plan)
{
	tempdir_make();
	assert_int_equal(scenario_act(tempdir_path("spool"), plan, promises,
				      act_everything),
			 DISK_CUT_STATUS);
	scenario_check(tempdir_path("spool"), promises, true);
	if (promises->broken > 0)
		fail_msg("with operation %u failing", plan->fail_from);
	tempdir_remove();
	return promises->operations >= plan->fail_from;
}

static void fail_each(unsigned step, struct disk_plan plan)
{
	plan.cut = DISK_LOSES;
	plan.fail_from = 1;
	while (fail_at(&plan))
		plan.fail_from += step;
	assert_true(plan.fail_from > 100);
}

static void test_one_operation_fails(void **state)
{
	struct disk_plan plan = { .fail_count = 1, .fail_errno = EIO };

	(void)state;
	fail_each(2, plan);
}

static void test_the_disk_is_full_for_a_while(void **state)
{
	struct disk_plan plan = { .fail_count = 12, .fail_errno = ENOSPC };

	(void)state;
	fail_each(6, plan);
}

/* What was written seems to be there, also after the next start. */
static void test_nothing_is_synced_for_a_while(void **state)
{
	struct disk_plan plan = { .fail_count = 60,
				  .fail_errno = EIO,
				  .only_syncs = true };

	(void)state;
	fail_each(12, plan);
}

static int setup(void **state)
{
	(void)state;
	promises = promises_new();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_operation_fails),
		cmocka_unit_test(test_the_disk_is_full_for_a_while),
		cmocka_unit_test(test_nothing_is_synced_for_a_while),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
