#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/relay/store_scene.h"
#include "tests/support/tempdir.h"

static struct scene scene;

static void start(void)
{
	if (!scene_open(&scene, tempdir_path("spool")))
		fail_msg("%s", scene.error);
}

static int setup(void **state)
{
	(void)state;
	tempdir_make();
	start();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scene_close(&scene);
	tempdir_remove();
	return 0;
}

static void save(const char *account, int kind, int64_t retry_ms)
{
	struct account_record record = { .account = (char *)account,
		.state = kind, .reason = (char *)"a-reason",
		.reply = (char *)"535 no \xff \x1b", .failures = 3,
		.fingerprint = (char *)"salt-hash", .since_ms = 1000,
		.retry_ms = retry_ms };

	store_save_account(scene.store, &record);
}

static struct account_record *restart(size_t *n)
{
	scene_close(&scene);
	start();
	return store_take_accounts(scene.store, n);
}

static void forget(struct account_record *records, size_t n)
{
	while (n-- > 0)
		account_record_clear(&records[n]);
	free(records);
}

static void test_kept(void **state)
{
	struct account_record *records;
	size_t n;

	(void)state;
	save("second", 1, 5000);
	save("first", 4, 0);
	records = restart(&n);
	assert_int_equal(n, 2);
	assert_string_equal(records[0].account, "first");
	assert_int_equal(records[0].state, 4);
	assert_string_equal(records[1].account, "second");
	assert_string_equal(records[1].reason, "a-reason");
	assert_string_equal(records[1].reply, "535 no \xff \x1b");
	assert_string_equal(records[1].fingerprint, "salt-hash");
	assert_int_equal(records[1].failures, 3);
	assert_int_equal(records[1].since_ms, 1000);
	assert_int_equal(records[1].retry_ms, 5000);
	forget(records, n);
	records = store_take_accounts(scene.store, &n);
	assert_int_equal(n, 0);
	free(records);
}

static void test_replaced_and_dropped(void **state)
{
	struct account_record *records;
	size_t n;

	(void)state;
	save("one", 1, 5000);
	save("one", 3, 6000);
	save("other", 1, 7000);
	save("other", 0, 0);
	save("never there", 0, 0);
	records = restart(&n);
	assert_int_equal(n, 1);
	assert_int_equal(records[0].state, 3);
	assert_int_equal(records[0].retry_ms, 6000);
	forget(records, n);
}

static void test_nobody_takes_them(void **state)
{
	size_t n;

	(void)state;
	save("one", 1, 5000);
	scene_close(&scene);
	start();
	scene_close(&scene); /* what was not taken is freed */
	start();
	forget(store_take_accounts(scene.store, &n), 1);
	assert_int_equal(n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_replaced_and_dropped,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_nobody_takes_them, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
