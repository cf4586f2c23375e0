#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/relay/store_scene.h"
#include "tests/support/tempdir.h"

static struct scene scene;

static int setup(void **state)
{
	(void)state;
	tempdir_make();
	if (!scene_open(&scene, tempdir_path("spool")))
		fail_msg("%s", scene.error);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scene_close(&scene);
	tempdir_remove();
	return 0;
}

static struct queue_totals totals_at(int64_t now_ms)
{
	const char *error = NULL;
	struct queue_totals totals;
	struct store_reader *reader =
		store_reader_open(spool_folder(scene.spool), &error);

	assert_non_null(reader);
	assert_true(store_reader_totals(reader, now_ms, &totals, &error));
	store_reader_close(&reader);
	return totals;
}

static void on_changed(void *ctx, enum queue_answer answer, const char *words,
                       struct envelope *envelope)
{
	assert_int_equal(answer, QUEUE_CHANGED);
	envelope_free(&envelope);
	scene_answered(ctx);
}

static void change(message_id id, enum queue_change what)
{
	scene.open_questions++;
	store_change(scene.store, id, what, 1000, on_changed, &scene);
	scene_wait(&scene);
}

static void test_nothing(void **state)
{
	struct queue_totals totals = totals_at(wall_now_ms());

	(void)state;
	assert_int_equal(totals.queued + totals.held + totals.due, 0);
	assert_int_equal(totals.octets, 0);
	assert_int_equal(totals.oldest_ms, 0);
}

static void test_what_waits_and_what_is_held(void **state)
{
	message_id first = scene_send(&scene, 1, 1000);
	message_id second = scene_send(&scene, 2, 500);
	struct queue_totals totals = totals_at(wall_now_ms());

	(void)state;
	assert_int_equal(totals.queued, 2);
	assert_int_equal(totals.due, 2);
	assert_int_equal(totals.octets, 1500);
	assert_int_equal(totals.oldest_ms, message_id_time_ms(first));
	assert_int_equal(totals_at(1).due, 0);
	change(first, QUEUE_HOLD);
	totals = totals_at(wall_now_ms());
	assert_int_equal(totals.queued, 1);
	assert_int_equal(totals.held, 1);
	assert_int_equal(totals.octets, 1500);
	assert_int_equal(totals.oldest_ms, message_id_time_ms(second));
	change(first, QUEUE_DELETE);
	totals = totals_at(wall_now_ms());
	assert_int_equal(totals.held, 0);
	assert_int_equal(totals.octets, 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_what_waits_and_what_is_held, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
