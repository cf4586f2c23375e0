#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/printable.h"
#include "proto/utf8.h"
#include "tests/support/bytes.h"

static const struct {
	struct text text;
	size_t max;
	const char *printed;
} cases[] = {
	{ BYTES(""), 10, "" },
	{ BYTES("Scan 7"), 10, "Scan 7" },
	{ BYTES("a\"b\\c"), 10, "a\"b\\c" },
	{ BYTES("Gr\xc3\xbc\xc3\x9f" "e"), 10, "Gr\xc3\xbc\xc3\x9f" "e" },
	{ BYTES("\xe6\x97\xa5"), 10, "\xe6\x97\xa5" },
	{ BYTES("a\nb\rc\td"), 10, "a\\nb\\rc\\td" },
	{ BYTES("\x1b[2J\x07"), 10, "\\u001b[2J\\u0007" },
	{ BYTES("a\0b"), 10, "a\\u0000b" },
	{ BYTES("\x7f"), 10, "\\u007f" },
	/* C1 control characters, as UTF-8 and as a byte */
	{ BYTES("\xc2\x9b"), 10, "\\u009b" },
	{ BYTES("\x9b"), 10, "\\x9b" },
	/* what turns text around or hides */
	{ BYTES("a\xe2\x80\xae" "b"), 10, "a\\u202eb" },
	{ BYTES("a\xe2\x81\xa6" "b"), 10, "a\\u2066b" },
	{ BYTES("\xef\xbb\xbf"), 10, "\\ufeff" },
	{ BYTES("\xe2\x80\x8b"), 10, "\\u200b" },
	/* no UTF-8: latin-1, cut off, too long, a surrogate */
	{ BYTES("Gr\xfc"), 10, "Gr\\xfc" },
	{ BYTES("\xe6\x97"), 10, "\\xe6\\x97" },
	{ BYTES("\xc0\xaf"), 10, "\\xc0\\xaf" },
	{ BYTES("\xed\xa0\x80"), 10, "\\xed\\xa0\\x80" },
	/* bounded by octets of the text, and no character is cut */
	{ BYTES("abcdef"), 6, "abcdef" },
	{ BYTES("abcdefg"), 6, "abcdef..." },
	{ BYTES("ab\xc3\xbc"), 3, "ab..." },
};

static void test_cases(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf out = BUF_INIT(1000);

		printable_append(&out, cases[i].text, cases[i].max);
		assert_string_equal(buf_string(&out), cases[i].printed);
		buf_free(&out);
	}
}

/* Whatever it is made of: one line of UTF-8 without a control character. */
static void test_any_bytes(void **state)
{
	unsigned char bytes[3];
	unsigned a, b;

	(void)state;
	for (a = 0; a < 256; a++) {
		for (b = 0; b < 256; b++) {
			struct buf out = BUF_INIT(1000);
			size_t i;

			bytes[0] = (unsigned char)a;
			bytes[1] = (unsigned char)b;
			bytes[2] = 0x80;
			printable_append(
				&out, text_make((const char *)bytes, 3), 10);
			assert_true(utf8_is_valid(buf_text(&out)));
			for (i = 0; i < buf_len(&out); i++)
				assert_true((unsigned char)buf_text(&out).data[i]
				            >= ' ');
			buf_free(&out);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
