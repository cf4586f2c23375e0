#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/xalloc.h"

static void test_nothing_is_still_memory(void **state)
{
	void *memory[] = { xmalloc(0), xcalloc(0, 8), xrealloc(NULL, 0) };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_non_null(memory[i]);
		free(memory[i]);
	}
}

static void test_calloc_zeroes(void **state)
{
	static const char zeroes[64];
	char *memory = xcalloc(8, 8);

	(void)state;
	assert_memory_equal(memory, zeroes, 64);
	free(memory);
}

static void test_copies(void **state)
{
	char *copy = xstrdup("lanpost");
	char *cut = xmemdup0("lanpost", 3);
	char *printed = xasprintf("%s %d", "port", 25);
	char *empty = xmemdup0(NULL, 0);

	(void)state;
	assert_string_equal(copy, "lanpost");
	assert_string_equal(cut, "lan");
	assert_string_equal(printed, "port 25");
	assert_string_equal(empty, "");
	assert_null(xstrdup(NULL));
	free(copy);
	free(cut);
	free(printed);
	free(empty);
}

static void test_secret_is_cleared(void **state)
{
	char *secret = xstrdup("hunter2");

	(void)state;
	xfree_secret(&secret);
	assert_null(secret);
	xfree_secret(&secret);
	assert_null(secret);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_still_memory),
		cmocka_unit_test(test_calloc_zeroes),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_secret_is_cleared),
	};

	return cmocka_run_group_tests_name("xalloc", tests, NULL, NULL);
}
