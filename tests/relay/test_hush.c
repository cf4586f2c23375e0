#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "relay/inbound/hush.h"

static struct hush hush;

/* What was told: of whom (the last octet, 0: the rest), of which kind. */
static struct {
	unsigned calls;
	uint64_t more[256][HUSH_KINDS];
} told;

static int setup(void **state)
{
	(void)state;
	memset(&hush, 0, sizeof(hush));
	return 0;
}

static struct address client(unsigned n)
{
	struct address out;

	assert_true(address_parse(text_of("192.0.2.0"), &out));
	out.bytes[3] = (uint8_t)n;
	return out;
}

static bool first(unsigned n, unsigned kind)
{
	struct address from = client(n);

	return hush_first(&hush, &from, kind);
}

static void tell(void *ctx, const struct address *from, unsigned kind,
                 uint64_t more)
{
	assert_ptr_equal(ctx, &told);
	told.calls++;
	told.more[from != NULL ? from->bytes[3] : 0][kind] = more;
}

static bool sweep(void)
{
	memset(&told, 0, sizeof(told));
	return hush_sweep(&hush, tell, &told);
}

static void test_the_first_and_then_a_sum(void **state)
{
	(void)state;
	assert_true(first(1, 0));
	for (unsigned i = 0; i < 120; i++)
		assert_false(first(1, 0));
	assert_true(first(2, 0));
	assert_true(first(1, 1)); /* something else */
	assert_true(sweep());
	assert_int_equal(told.calls, 1);
	assert_int_equal(told.more[1][0], 120);
	/* It goes on: no line but the sum. */
	assert_false(first(1, 0));
	assert_true(first(2, 0)); /* was forgotten */
	assert_true(sweep());
	assert_int_equal(told.more[1][0], 1);
	assert_false(sweep());
	assert_int_equal(told.calls, 0);
	assert_true(first(1, 0));
}

static void test_more_clients_than_places(void **state)
{
	unsigned lines = 0;

	(void)state;
	for (unsigned round = 0; round < 3; round++)
		for (unsigned n = 1; n <= 200; n++)
			lines += first(n, 2);
	assert_int_equal(lines, HUSH_MAX);
	assert_true(sweep());
	assert_int_equal(told.calls, HUSH_MAX + 1);
	assert_int_equal(told.more[0][2], (200 - HUSH_MAX) * 3);
	assert_int_equal(told.more[1][2], 2);
	assert_false(sweep());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_the_first_and_then_a_sum, setup),
		cmocka_unit_test_setup(test_more_clients_than_places, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
