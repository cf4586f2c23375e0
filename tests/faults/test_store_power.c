/*
 * Whatever operation of the disk is the last: each message that a done called
 * durable is there once, whole, and none that was called delivered is.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include "tests/faults/scenario.h"
#include "tests/support/tempdir.h"

static struct promises *promises;
static bool no_links;

/* Returns false when the scenario ended before its operation number at. */
static bool cut_at(enum disk_cut cut, unsigned at,
		   void (*act)(struct promises *))
{
	struct disk_plan plan = { .cut = cut, .cut_at = at, .seed = at,
				  .no_links = no_links };
	int status;

	tempdir_make();
	status = scenario_act(tempdir_path("spool"), &plan, promises, act);
	if (status != 0)
		assert_int_equal(status, DISK_CUT_STATUS);
	scenario_check(tempdir_path("spool"), promises, false);
	if (promises->broken > 0)
		fail_msg("after operation %u", at - 1);
	tempdir_remove();
	return status == DISK_CUT_STATUS;
}

static unsigned count_operations(void (*act)(struct promises *))
{
	assert_false(cut_at(DISK_KEEPS, 0, act));
	assert_true(promises->opened);
	assert_true(promises->operations > 100);
	return promises->operations;
}

/* As a process of its own costs time, only the worst is tried everywhere. */
static void cut_each(unsigned step, enum disk_cut cut)
{
	unsigned at = 1;

	while (cut_at(cut, at, act_everything))
		at += step;
	assert_true(at > 100);
}

static void test_power_lost_after_each_operation(void **state)
{
	(void)state;
	cut_each(1, DISK_LOSES);
}

static void test_power_lost_with_some_written(void **state)
{
	(void)state;
	cut_each(4, DISK_TEARS);
}

static void test_killed(void **state)
{
	(void)state;
	cut_each(6, DISK_KEEPS);
}

/* Further names of a file are copies then. */
static void test_power_lost_without_links(void **state)
{
	(void)state;
	no_links = true;
	cut_each(3, DISK_LOSES);
	no_links = false;
}

/* Thousands of operations: a sample of them. */
static void test_power_lost_around_checkpoints(void **state)
{
	enum { SAMPLES = 12 };
	unsigned operations = count_operations(act_checkpoints);

	(void)state;
	for (unsigned i = 1; i <= SAMPLES; i++) {
		unsigned at = operations / (SAMPLES + 1) * i;

		cut_at(i % 2 ? DISK_LOSES : DISK_TEARS, at, act_checkpoints);
	}
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
		cmocka_unit_test(test_power_lost_after_each_operation),
		cmocka_unit_test(test_power_lost_with_some_written),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_power_lost_without_links),
		cmocka_unit_test(test_power_lost_around_checkpoints),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
