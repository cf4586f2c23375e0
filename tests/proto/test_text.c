#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/text.h"
#include "proto/xalloc.h"
#include "tests/support/bytes.h"
#include "tests/support/guarded.h"

static void test_compares(void **state)
{
	(void)state;
	assert_true(text_equal(TEXT("a"), TEXT("a")));
	assert_false(text_equal(TEXT("a"), TEXT("A")));
	assert_false(text_equal(TEXT("a"), TEXT("ab")));
	assert_true(text_equal(text_of(NULL), TEXT("")));
	assert_true(text_equal_nocase(TEXT("Mail@"), TEXT("mAIL@")));
	/* 0x40 and 0x60 differ by the bit of case, and are no letters. */
	assert_false(text_equal_nocase(TEXT("@"), TEXT("`")));
	assert_false(text_equal_nocase(TEXT("\xc4"), TEXT("\xe4")));
	assert_true(text_is(TEXT("ehlo"), "EHLO"));
	assert_false(text_is(TEXT("ehlo\0"), "EHLO"));
	assert_true(text_starts(TEXT("from:<>"), "FROM:"));
	assert_false(text_starts(TEXT("from"), "FROM:"));
}

static void test_finds(void **state)
{
	(void)state;
	assert_int_equal(
		text_find_nocase(TEXT("Access DENIED"), TEXT("denied")), 7);
	assert_int_equal(text_find_nocase(TEXT("abc"), TEXT("")), 0);
	assert_int_equal(text_find_nocase(TEXT("abc"), TEXT("abcd")), -1);
	assert_int_equal(text_find_nocase(TEXT(""), TEXT("a")), -1);
}

static void test_skips_and_trims(void **state)
{
	(void)state;
	assert_bytes("skip", text_skip(TEXT("abc"), 2), TEXT("c"));
	assert_bytes("skip all", text_skip(TEXT("abc"), 9), TEXT(""));
	assert_bytes("skip none", text_skip(text_of(NULL), 0), TEXT(""));
	assert_bytes("trim", text_trim(TEXT("\t a b \t")), TEXT("a b"));
	assert_bytes("trim all", text_trim(TEXT(" \t ")), TEXT(""));
}

static void test_tokens(void **state)
{
	struct text rest = TEXT("a,,b,"), token;
	static const struct text expected[] = { BYTES("a"), BYTES(""),
						BYTES("b") };

	(void)state;
	for (size_t i = 0; i < COUNT(expected); i++) {
		assert_true(text_token(&rest, ',', &token));
		assert_bytes("token", token, expected[i]);
	}
	assert_false(text_token(&rest, ',', &token));
}

static const struct {
	struct text text;
	bool is_number;
	uint64_t value;
} numbers[] = {
	{ BYTES("0"), true, 0 },
	{ BYTES("007"), true, 7 },
	{ BYTES("18446744073709551615"), true, UINT64_MAX },
	{ BYTES("18446744073709551616"), false, 0 },
	{ BYTES("99999999999999999999999"), false, 0 },
	{ BYTES(""), false, 0 },
	{ BYTES("-1"), false, 0 },
	{ BYTES("+1"), false, 0 },
	{ BYTES(" 1"), false, 0 },
	{ BYTES("1 "), false, 0 },
	{ BYTES("5e20"), false, 0 },
	{ BYTES("1\0"), false, 0 },
};

static void test_numbers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(numbers); i++) {
		struct guarded text = guarded_copy(numbers[i].text);
		uint64_t value = 0;

		assert_int_equal(text_to_u64(text.text, &value),
				 numbers[i].is_number);
		if (numbers[i].is_number)
			assert_true(value == numbers[i].value);
		guarded_free(&text);
	}
}

static const struct {
	struct text pattern, text;
	bool matches;
} globs[] = {
	{ BYTES("*"), BYTES(""), true },
	{ BYTES(""), BYTES(""), true },
	{ BYTES(""), BYTES("a"), false },
	{ BYTES("*@example.com"), BYTES("a@EXAMPLE.com"), true },
	{ BYTES("*@example.com"), BYTES("a@example.com.evil"), false },
	{ BYTES("scan*@*.example"), BYTES("scanner@mail.example"), true },
	{ BYTES("a*b*c"), BYTES("abcbc"), true },
	{ BYTES("a*b*c"), BYTES("abcb"), false },
	{ BYTES("**a**"), BYTES("bab"), true },
	{ BYTES("a?c"), BYTES("abc"), false },
	{ BYTES("[a]"), BYTES("a"), false },
	{ BYTES("abc"), BYTES("ab"), false },
};

static void test_globs(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(globs); i++) {
		struct guarded pattern = guarded_copy(globs[i].pattern);
		struct guarded text = guarded_copy(globs[i].text);

		if (text_glob(pattern.text, text.text) != globs[i].matches)
			fail_msg("%.*s and %.*s", TEXT_ARG(globs[i].pattern),
				 TEXT_ARG(globs[i].text));
		guarded_free(&pattern);
		guarded_free(&text);
	}
}

/* A matcher that tries every star again would not come back from this. */
static void test_glob_is_not_exponential(void **state)
{
	char pattern[201], text[2000];

	(void)state;
	for (size_t i = 0; i < 200; i += 2)
		memcpy(pattern + i, "*a", 2);
	pattern[200] = 'b';
	memset(text, 'a', sizeof(text));
	assert_false(text_glob(text_make(pattern, sizeof(pattern)),
			       text_make(text, sizeof(text))));
}

static void test_dup(void **state)
{
	char *copy = text_dup(text_make("abcdef", 3));
	char *empty = text_dup(text_of(NULL));

	(void)state;
	assert_string_equal(copy, "abc");
	assert_string_equal(empty, "");
	free(copy);
	free(empty);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compares),
		cmocka_unit_test(test_finds),
		cmocka_unit_test(test_skips_and_trims),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_globs),
		cmocka_unit_test(test_glob_is_not_exponential),
		cmocka_unit_test(test_dup),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
