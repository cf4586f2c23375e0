#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "relay/net/resolve.h"

struct answer {
	unsigned times;
	size_t count;
	struct address addresses[16];
	bool failed, no_such_name;
};

static void on_answer(void *ctx, const struct resolve_result *result)
{
	struct answer *answer = ctx;

	answer->times++;
	answer->count = result->count;
	answer->failed = result->error != NULL;
	answer->no_such_name = result->no_such_name;
	for (size_t i = 0; i < result->count; i++)
		answer->addresses[i] = result->addresses[i];
}

static struct answer ask(const char *host)
{
	struct answer answer = { 0 };
	struct loop *loop = loop_new();

	resolve_start(loop, host, 587, on_answer, &answer);
	assert_int_equal(answer.times, 0); /* never from inside */
	loop_run(loop);
	assert_int_equal(answer.times, 1);
	loop_free(&loop);
	return answer;
}

static void test_literals_need_no_lookup(void **state)
{
	static const char *const texts[] = { "127.0.0.1", "::1", "192.0.2.7" };
	char out[ADDRESS_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct answer answer = ask(texts[i]);

		assert_int_equal(answer.count, 1);
		assert_int_equal(answer.addresses[0].port, 587);
		assert_string_equal(address_print(&answer.addresses[0], out),
		                    texts[i]);
	}
}

static void test_localhost_is_loopback(void **state)
{
	struct answer answer = ask("localhost");

	(void)state;
	assert_true(answer.count >= 1);
	for (size_t i = 0; i < answer.count; i++) {
		assert_true(address_is_loopback(&answer.addresses[i]));
		assert_int_equal(answer.addresses[i].port, 587);
	}
	/* Each address once, the families by turns. */
	if (answer.count == 2)
		assert_int_not_equal(answer.addresses[0].is_v6,
		                     answer.addresses[1].is_v6);
}

static void test_what_cannot_be_a_name(void **state)
{
	static char too_long[5000];
	struct answer answer;

	(void)state;
	memset(too_long, 'a', sizeof(too_long) - 1);
	answer = ask(too_long);
	assert_true(answer.failed);
	assert_true(answer.no_such_name);
	assert_int_equal(answer.count, 0);
}

static void test_cancelled_answers_never_come(void **state)
{
	static const char *const hosts[] = { "127.0.0.1", "localhost" };
	struct answer answer = { 0 };
	struct loop *loop = loop_new();

	(void)state;
	for (size_t i = 0; i < 20; i++) {
		struct resolve *resolve = resolve_start(loop, hosts[i % 2], 25,
		                                        on_answer, &answer);

		if (i % 4 < 2)
			usleep(1000); /* maybe it is answered by now */
		resolve_cancel(&resolve);
		assert_null(resolve);
	}
	loop_run(loop);
	loop_free(&loop);
	assert_int_equal(answer.times, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_literals_need_no_lookup),
		cmocka_unit_test(test_localhost_is_loopback),
		cmocka_unit_test(test_what_cannot_be_a_name),
		cmocka_unit_test(test_cancelled_answers_never_come),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
