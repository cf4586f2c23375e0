#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "proto/utf8.h"
#include "tests/support/bytes.h"
#include "tests/support/guarded.h"

static const struct {
	struct text text;
	bool is_valid;
} texts[] = {
	{ BYTES(""), true },
	{ BYTES("ASCII\0\x7f"), true },
	{ BYTES("\xc3\xa4"), true },
	{ BYTES("\xc2\x80"), true },
	{ BYTES("\xe0\xa0\x80 \xed\x9f\xbf \xef\xbf\xbf"), true },
	{ BYTES("\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf"), true },
	{ BYTES("\xe4"), false },
	{ BYTES("\x80"), false },
	{ BYTES("\xc3"), false },
	{ BYTES("\xc3\x28"), false },
	{ BYTES("\xc0\x80"), false },
	{ BYTES("\xc1\xbf"), false },
	{ BYTES("\xe0\x9f\xbf"), false },
	{ BYTES("\xe2\x82"), false },
	{ BYTES("\xed\xa0\x80"), false },
	{ BYTES("\xf0\x8f\xbf\xbf"), false },
	{ BYTES("\xf4\x90\x80\x80"), false },
	{ BYTES("\xf5\x80\x80\x80"), false },
	{ BYTES("\xff"), false },
};

static void test_validity(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct guarded text = guarded_copy(texts[i].text);

		if (utf8_is_valid(text.text) != texts[i].is_valid)
			fail_msg("text %zu", i);
		guarded_free(&text);
	}
}

static void add(void *ctx, struct text piece)
{
	utf8_check_add(ctx, piece);
}

static void test_validity_in_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		for (size_t way = 0; way < guarded_ways(texts[i].text); way++) {
			struct utf8_check check;

			utf8_check_init(&check);
			guarded_feed(texts[i].text, way, add, &check);
			if (utf8_check_done(&check) != texts[i].is_valid)
				fail_msg("text %zu, way %zu", i, way);
		}
	}
}

static const struct {
	struct text text;
	size_t max;
	struct text cut;
} cuts[] = {
	{ BYTES("abc"), 3, BYTES("abc") },
	{ BYTES("abc"), 2, BYTES("ab") },
	{ BYTES("abc"), 0, BYTES("") },
	{ BYTES("a\xc3\xa4"), 2, BYTES("a") },
	{ BYTES("a\xc3\xa4z"), 3, BYTES("a\xc3\xa4") },
	{ BYTES("\xf0\x90\x80\x80"), 3, BYTES("") },
	{ BYTES("\xf0\x90\x80\x80"), 4, BYTES("\xf0\x90\x80\x80") },
	{ BYTES("\x80\x80\x80\x80\x80\x80\x80"), 6, BYTES("\x80\x80\x80") },
};

static void test_cuts_between_characters(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cuts); i++) {
		struct guarded text = guarded_copy(cuts[i].text);

		assert_bytes("cut", utf8_cut(text.text, cuts[i].max),
			     cuts[i].cut);
		guarded_free(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_validity),
		cmocka_unit_test(test_validity_in_pieces),
		cmocka_unit_test(test_cuts_between_characters),
	};

	return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
