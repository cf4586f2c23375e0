#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "relay/net/loop.h"

struct scene {
	struct loop *loop;
	struct timer *timer, *other;
	struct notifier *notifier;
	struct signal_watch *watch;
	struct turn_end *hook;
	unsigned fired, other_fired, turns, worked, done;
	int signum;
};

static void fired(void *ctx)
{
	struct scene *scene = ctx;

	scene->fired++;
}

static void other_fired(void *ctx)
{
	struct scene *scene = ctx;

	scene->other_fired++;
}

static void test_timers_fire_once_and_can_be_moved(void **state)
{
	struct scene scene = { .loop = loop_new() };
	uint64_t start = loop_now_ms(scene.loop);

	(void)state;
	scene.timer = timer_new(scene.loop, fired, &scene);
	scene.other = timer_new(scene.loop, other_fired, &scene);
	timer_start(scene.timer, 1000000);
	assert_true(timer_is_armed(scene.timer));
	timer_start(scene.timer, 20);
	timer_start(scene.other, 1);
	timer_stop(scene.other);
	assert_false(timer_is_armed(scene.other));
	loop_run(scene.loop);
	assert_int_equal(scene.fired, 1);
	assert_int_equal(scene.other_fired, 0);
	assert_false(timer_is_armed(scene.timer));
	assert_true(loop_now_ms(scene.loop) >= start + 20);
	timer_free(&scene.timer);
	timer_free(&scene.other);
	assert_null(scene.timer);
	timer_free(&scene.timer);
	loop_free(&scene.loop);
}

static void free_both(void *ctx)
{
	struct scene *scene = ctx;

	scene->fired++;
	timer_free(&scene->timer);
	timer_free(&scene->other);
}

static void test_a_timer_frees_others_that_are_due(void **state)
{
	struct scene scene = { .loop = loop_new() };

	(void)state;
	scene.timer = timer_new(scene.loop, free_both, &scene);
	scene.other = timer_new(scene.loop, free_both, &scene);
	timer_start(scene.timer, 5);
	timer_start(scene.other, 5);
	loop_run(scene.loop);
	assert_int_equal(scene.fired, 1);
	loop_free(&scene.loop);
}

static void note_signal(void *ctx, int signum)
{
	struct scene *scene = ctx;

	scene->signum = signum;
	loop_stop(scene->loop);
}

static void test_signals_reach_the_loop(void **state)
{
	struct scene scene = { .loop = loop_new() };

	(void)state;
	scene.watch = signal_watch_new(scene.loop, SIGHUP, note_signal, &scene);
	loop_run(scene.loop); /* a watch alone is nothing to wait for */
	assert_int_equal(scene.signum, 0);
	scene.timer = timer_new(scene.loop, fired, &scene);
	timer_start(scene.timer, 50000);
	raise(SIGHUP);
	loop_run(scene.loop);
	assert_int_equal(scene.signum, SIGHUP);
	loop_stop(scene.loop); /* too late for the run, no harm to the end */
	timer_free(&scene.timer);
	signal_watch_free(&scene.watch);
	loop_free(&scene.loop);
}

static void *notify_often(void *ctx)
{
	for (int i = 0; i < 1000; i++)
		notifier_notify(ctx);
	return NULL;
}

static void notified(void *ctx)
{
	struct scene *scene = ctx;

	scene->fired++;
	notifier_free(&scene->notifier);
}

static void test_another_thread_wakes_the_loop(void **state)
{
	struct scene scene = { .loop = loop_new() };
	pthread_t thread;

	(void)state;
	scene.notifier = notifier_new(scene.loop, fired, &scene);
	assert_int_equal(pthread_create(&thread, NULL, notify_often,
	                                scene.notifier), 0);
	pthread_join(thread, NULL);
	notifier_free(&scene.notifier);
	scene.notifier = notifier_new(scene.loop, notified, &scene);
	notify_often(scene.notifier);
	loop_run(scene.loop);
	assert_int_equal(scene.fired, 1); /* many wake-ups, one call */
	loop_free(&scene.loop);
}

static void turn_ended(void *ctx)
{
	struct scene *scene = ctx;

	if (scene->fired > 0)
		scene->turns++;
}

static void test_a_turn_ends_after_its_callbacks(void **state)
{
	struct scene scene = { .loop = loop_new() };

	(void)state;
	scene.hook = turn_end_new(scene.loop, turn_ended, &scene);
	scene.timer = timer_new(scene.loop, fired, &scene);
	timer_start(scene.timer, 1);
	loop_run(scene.loop);
	assert_true(scene.turns >= 1);
	turn_end_free(&scene.hook);
	timer_free(&scene.timer);
	loop_free(&scene.loop);
}

static void work(void *ctx)
{
	struct scene *scene = ctx;

	scene->worked++;
}

static void work_done(void *ctx)
{
	struct scene *scene = ctx;

	assert_int_equal(scene->worked, 1);
	scene->done++;
}

static void test_work_is_done_and_told(void **state)
{
	struct scene scene = { .loop = loop_new() };

	(void)state;
	loop_work(scene.loop, work, work_done, &scene);
	loop_run(scene.loop);
	assert_int_equal(scene.done, 1);
	loop_free(&scene.loop);
}

static void test_random_bytes_differ(void **state)
{
	unsigned char a[32] = { 0 }, b[32] = { 0 };

	(void)state;
	random_bytes(a, sizeof(a));
	random_bytes(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	assert_true(wall_now_ms() > 1700000000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timers_fire_once_and_can_be_moved),
		cmocka_unit_test(test_a_timer_frees_others_that_are_due),
		cmocka_unit_test(test_signals_reach_the_loop),
		cmocka_unit_test(test_another_thread_wakes_the_loop),
		cmocka_unit_test(test_a_turn_ends_after_its_callbacks),
		cmocka_unit_test(test_work_is_done_and_told),
		cmocka_unit_test(test_random_bytes_differ),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
