#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/buf.h"
#include "tests/support/bytes.h"

static void test_holds_no_memory_before_the_first_byte(void **state)
{
	struct buf buf = BUF_INIT(100);

	(void)state;
	assert_true(buf_append(&buf, "", 0));
	assert_null(buf.data);
	assert_bytes("empty", buf_text(&buf), TEXT(""));
	assert_true(buf_putc(&buf, 'a'));
	assert_non_null(buf.data);
	buf_consume(&buf, 1);
	buf_release(&buf);
	assert_null(buf.data);
	assert_int_equal(buf.max, 100);
}

static void test_append_is_all_or_nothing(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 5);
	assert_true(buf_puts(&buf, "abc"));
	assert_false(buf_puts(&buf, "def"));
	assert_false(buf_printf(&buf, "%d", 123));
	assert_null(buf_room(&buf, 3));
	assert_bytes("unchanged", buf_text(&buf), TEXT("abc"));
	assert_true(buf_printf(&buf, "%d", 12));
	assert_bytes("full", buf_text(&buf), TEXT("abc12"));
	assert_false(buf_putc(&buf, 'x'));
	assert_string_equal(buf_string(&buf), "abc12");
	buf_free(&buf);
}

static void test_a_zeroed_buf_takes_nothing(void **state)
{
	struct buf buf = { 0 };

	(void)state;
	assert_false(buf_putc(&buf, 'a'));
	assert_string_equal(buf_string(&buf), "");
	buf_free(&buf);
}

static void test_consumed_room_is_used_again(void **state)
{
	struct buf buf = BUF_INIT(8);

	(void)state;
	assert_true(buf_puts(&buf, "abcdefgh"));
	buf_consume(&buf, 5);
	assert_true(buf_puts(&buf, "ijklm"));
	assert_bytes("moved", buf_text(&buf), TEXT("fghijklm"));
	buf_consume(&buf, 100);
	assert_int_equal(buf_len(&buf), 0);
	buf_free(&buf);
}

/* Two queues of one content: a buf, and an array too large to move. */
static void test_works_as_a_queue(void **state)
{
	enum { STEPS = 20000 };
	struct buf buf = BUF_INIT(3000);
	char *all = malloc(STEPS * 300);
	size_t first = 0, last = 0;
	unsigned random = 1;

	(void)state;
	assert_non_null(all);
	for (unsigned i = 0; i < STEPS; i++) {
		size_t len = (random = random * 1103515245u + 12345u) >> 16;

		len %= 300;
		memset(all + last, (int)i, len);
		if (buf_append(&buf, all + last, len))
			last += len;
		else
			assert_true(last - first + len > 3000);
		len = random >> 24 & 255;
		buf_consume(&buf, len);
		first = first + len < last ? first + len : last;
		assert_int_equal(buf_len(&buf), last - first);
		assert_memory_equal(buf_text(&buf).data, all + first,
				    last - first);
	}
	free(all);
	buf_free(&buf);
}

static void test_room_in_place(void **state)
{
	struct buf buf = BUF_INIT(SIZE_MAX);
	char *room = buf_room(&buf, 1000);

	(void)state;
	assert_non_null(room);
	memset(room, 'x', 1000);
	buf_added(&buf, 600);
	assert_int_equal(buf_len(&buf), 600);
	buf_clear(&buf);
	assert_int_equal(buf_len(&buf), 0);
	assert_non_null(buf.data);
	buf_wipe(&buf);
	assert_null(buf.data);
}

static void test_steal(void **state)
{
	struct buf buf = BUF_INIT(100);
	char *string;

	(void)state;
	buf_puts(&buf, "abc");
	string = buf_steal(&buf);
	assert_string_equal(string, "abc");
	assert_null(buf.data);
	free(string);
	buf_puts(&buf, "abc");
	buf_consume(&buf, 2);
	string = buf_steal(&buf);
	assert_string_equal(string, "c");
	free(string);
	string = buf_steal(&buf);
	assert_string_equal(string, "");
	free(string);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_holds_no_memory_before_the_first_byte),
		cmocka_unit_test(test_append_is_all_or_nothing),
		cmocka_unit_test(test_a_zeroed_buf_takes_nothing),
		cmocka_unit_test(test_consumed_room_is_used_again),
		cmocka_unit_test(test_works_as_a_queue),
		cmocka_unit_test(test_room_in_place),
		cmocka_unit_test(test_steal),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
