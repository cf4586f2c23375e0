#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "relay/queue/verdict.h"

enum { LONG = 1000 * 1000 };

struct scene {
	struct loop *loop;
	struct verdicts *verdicts;
	struct verdict_wait *wait;
	unsigned heard;
	struct verdict verdict;
	char reason[40];
};

static const struct verdict delivered = { VERDICT_DELIVERED, "250 ok", NULL,
	NULL, NULL };
static const struct verdict queued = { VERDICT_QUEUED, "450 4.2.0 later",
	"greylisted", "Not now", "Wait" };
static const struct verdict refused = { VERDICT_REFUSED, "550 5.1.1 no",
	"no-such-user", "Nobody there", "Correct it" };

static void on_verdict(void *ctx, const struct verdict *verdict)
{
	struct scene *scene = ctx;

	scene->heard++;
	scene->verdict = *verdict;
	snprintf(scene->reason, sizeof scene->reason, "%s",
	         verdict->reason ? verdict->reason : "none");
	verdict_wait_end(&scene->wait);
}

static int open_scene(void **state)
{
	static struct scene scene;

	scene = (struct scene){ .loop = loop_new() };
	scene.verdicts = verdicts_new(scene.loop);
	*state = &scene;
	return 0;
}

static int close_scene(void **state)
{
	struct scene *scene = *state;

	verdict_wait_end(&scene->wait);
	verdicts_free(&scene->verdicts);
	loop_free(&scene->loop);
	return 0;
}

static void begin(struct scene *scene, size_t n, uint64_t ms)
{
	static const message_id ids[] = { 7, 8, 9 };

	scene->wait = verdict_wait_begin(scene->verdicts, ids, n, ms,
	                                 on_verdict, scene);
}

static void expect(struct scene *scene, enum verdict_kind kind,
                   const char *reason)
{
	assert_int_equal(scene->heard, 0); /* never from inside a call */
	loop_run(scene->loop);
	assert_int_equal(scene->heard, 1);
	assert_int_equal(scene->verdict.kind, kind);
	assert_string_equal(scene->reason, reason);
}

static void test_delivered(void **state)
{
	begin(*state, 1, LONG);
	verdict_tell(((struct scene *)*state)->verdicts, 7, &delivered);
	expect(*state, VERDICT_DELIVERED, "none");
}

static void test_queued_with_its_reason(void **state)
{
	begin(*state, 1, LONG);
	verdict_tell(((struct scene *)*state)->verdicts, 7, &queued);
	expect(*state, VERDICT_QUEUED, "greylisted");
}

static void test_time_is_over(void **state)
{
	begin(*state, 1, 1);
	expect(*state, VERDICT_PENDING, "none");
}

static void test_refused_once_it_is_saved(void **state)
{
	struct scene *scene = *state;

	begin(scene, 1, 1);
	assert_true(verdict_may_refuse(scene->verdicts, 7));
	verdict_claim(scene->verdicts, 7, &refused);
	verdict_wait_hurry(scene->wait);
	loop_run(scene->loop); /* neither time nor hurry ends it */
	assert_int_equal(scene->heard, 0);
	verdict_saved(scene->verdicts, 7);
	expect(scene, VERDICT_REFUSED, "no-such-user");
}

static void test_who_has_been_answered_waits_no_more(void **state)
{
	struct scene *scene = *state;

	begin(scene, 1, LONG);
	verdict_wait_hurry(scene->wait);
	assert_false(verdict_is_awaited(scene->verdicts, 7));
	assert_false(verdict_may_refuse(scene->verdicts, 7));
	verdict_tell(scene->verdicts, 7, &delivered);
	expect(scene, VERDICT_PENDING, "none");
}

static void test_several_messages_one_answer(void **state)
{
	struct scene *scene = *state;

	begin(scene, 3, LONG);
	assert_true(verdict_is_awaited(scene->verdicts, 8));
	assert_false(verdict_may_refuse(scene->verdicts, 8));
	verdict_tell(scene->verdicts, 9, &delivered);
	verdict_tell(scene->verdicts, 7, &queued);
	assert_false(verdict_is_awaited(scene->verdicts, 7));
	verdict_tell(scene->verdicts, 7, &delivered); /* it is known already */
	verdict_tell(scene->verdicts, 8, &delivered);
	expect(scene, VERDICT_QUEUED, "greylisted");
}

static void test_several_and_time_is_over(void **state)
{
	struct scene *scene = *state;

	begin(scene, 2, 1);
	verdict_tell(scene->verdicts, 7, &queued);
	expect(scene, VERDICT_PENDING, "none");
}

static void claim_each(void *ctx, message_id id)
{
	struct scene *scene = ctx;

	assert_int_equal(id, 7);
	verdict_claim(scene->verdicts, id, &refused);
	verdict_saved(scene->verdicts, id);
}

static void test_each_may_be_claimed_on_the_way(void **state)
{
	struct scene *scene = *state;

	begin(scene, 1, LONG);
	verdict_each(scene->verdicts, claim_each, scene);
	expect(scene, VERDICT_REFUSED, "no-such-user");
}

static void test_nobody_waits(void **state)
{
	struct scene *scene = *state;

	assert_false(verdict_is_awaited(NULL, 7));
	assert_false(verdict_is_awaited(scene->verdicts, 7));
	verdict_tell(scene->verdicts, 7, &delivered);
	verdict_saved(scene->verdicts, 7);
	begin(scene, 1, LONG);
	assert_false(verdict_is_awaited(scene->verdicts, 8));
	verdict_saved(scene->verdicts, 7); /* not claimed: none of its business */
	assert_true(verdict_is_awaited(scene->verdicts, 7));
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, open_scene, close_scene)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_delivered),
		TEST(test_queued_with_its_reason),
		TEST(test_time_is_over),
		TEST(test_refused_once_it_is_saved),
		TEST(test_who_has_been_answered_waits_no_more),
		TEST(test_several_messages_one_answer),
		TEST(test_several_and_time_is_over),
		TEST(test_each_may_be_claimed_on_the_way),
		TEST(test_nobody_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
