#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/smtp_reply.h"
#include "tests/support/bytes.h"
#include "tests/support/guarded.h"

static const struct {
	struct text text;
	size_t len;
	struct smtp_status status;
} statuses[] = {
	{ BYTES("5.7.1 no"), 6, { 5, 7, 1 } },
	{ BYTES("2.0.0"), 5, { 2, 0, 0 } },
	{ BYTES("4.999.999 "), 10, { 4, 999, 999 } },
	{ BYTES("5.7.1\nmore"), 5, { 5, 7, 1 } },
	{ BYTES("5.7.139 Auth"), 8, { 5, 7, 139 } },
	{ BYTES(""), 0, { 0, 0, 0 } },
	{ BYTES("5"), 0, { 0, 0, 0 } },
	{ BYTES("5."), 0, { 0, 0, 0 } },
	{ BYTES("5.7"), 0, { 0, 0, 0 } },
	{ BYTES("5.7."), 0, { 0, 0, 0 } },
	{ BYTES("5.7.1x"), 0, { 0, 0, 0 } },
	{ BYTES("5.7.1."), 0, { 0, 0, 0 } },
	{ BYTES("5.7.1234 x"), 0, { 0, 0, 0 } },
	{ BYTES("3.7.1 x"), 0, { 0, 0, 0 } },
	{ BYTES("55.7.1 x"), 0, { 0, 0, 0 } },
	{ BYTES("5.-7.1 x"), 0, { 0, 0, 0 } },
	{ BYTES(" 5.7.1 x"), 0, { 0, 0, 0 } },
};

static void test_reads_a_status(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(statuses); i++) {
		struct guarded text = guarded_copy(statuses[i].text);
		struct smtp_status status = { 9, 9, 9 };

		assert_int_equal(smtp_status_parse(text.text, &status),
				 statuses[i].len);
		assert_memory_equal(&status, &statuses[i].status,
				    sizeof(status));
		guarded_free(&text);
	}
}

static void test_status_as_text(void **state)
{
	struct smtp_status status = { 5, 7, 139 }, none = { 0 };
	char out[16];

	(void)state;
	assert_string_equal(smtp_status_string(&status, out), "5.7.139");
	assert_string_equal(smtp_status_string(&none, out), "");
	assert_true(smtp_status_is(&status, "5.7.139"));
	assert_false(smtp_status_is(&status, "5.7.13"));
	assert_false(smtp_status_is(&none, "5.7.139"));
}

static const struct {
	int code;
	const char *status, *text;
	struct text wire, line;
} replies[] = {
	{ 250, "2.0.0", "Queued", BYTES("250 2.0.0 Queued\r\n"),
	  BYTES("250 2.0.0 Queued") },
	{ 220, NULL, "lan ESMTP ready", BYTES("220 lan ESMTP ready\r\n"),
	  BYTES("220 lan ESMTP ready") },
	{ 334, NULL, "", BYTES("334 \r\n"), BYTES("334") },
	{ 250, "2.1.0", "", BYTES("250 2.1.0\r\n"), BYTES("250 2.1.0") },
	{ 550, "5.7.1", "one\ntwo\nthree",
	  BYTES("550-5.7.1 one\r\n550-5.7.1 two\r\n550 5.7.1 three\r\n"),
	  BYTES("550 5.7.1 one two three") },
	{ 250, NULL, "name\nSIZE 100\n8BITMIME",
	  BYTES("250-name\r\n250-SIZE 100\r\n250 8BITMIME\r\n"),
	  BYTES("250 name SIZE 100 8BITMIME") },
	{ 250, NULL, "one\n\nthree", BYTES("250-one\r\n250-\r\n250 three\r\n"),
	  BYTES("250 one  three") },
	/* The class contradicts the code: no status. */
	{ 450, "5.7.1", "no", BYTES("450 no\r\n"), BYTES("450 no") },
	{ 354, "3.0.0", "go", BYTES("354 go\r\n"), BYTES("354 go") },
	/* What may not stand in a reply. */
	{ 550, NULL, "a\rb\x1b[1m\x80 \xc3\xa4\tc\x7f",
	  BYTES("550 a?b?[1m? ??\tc?\r\n"),
	  BYTES("550 a\rb\x1b[1m\x80 \xc3\xa4\tc\x7f") },
};

static void test_prints(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(replies); i++) {
		struct smtp_reply reply = smtp_reply_make(
			replies[i].code, replies[i].status, replies[i].text);
		struct buf out = BUF_INIT(1000);

		smtp_reply_print(&out, &reply);
		assert_bytes("wire", buf_text(&out), replies[i].wire);
		buf_clear(&out);
		smtp_reply_line(&out, &reply);
		assert_bytes("line", buf_text(&out), replies[i].line);
		buf_free(&out);
	}
}

static void test_cuts_lines_at_512_octets(void **state)
{
	char words[2000];
	struct smtp_reply reply = smtp_reply_make(550, "5.7.1", NULL);
	struct buf out = BUF_INIT(4000);
	struct text wire;

	(void)state;
	memset(words, 'x', sizeof(words));
	words[1000] = '\n';
	reply.text = text_make(words, sizeof(words));
	smtp_reply_print(&out, &reply);
	wire = buf_text(&out);
	assert_int_equal(wire.len, 2 * 512);
	assert_memory_equal(wire.data + 508, "xx\r\n550 5.7.1 x", 14);
	assert_memory_equal(wire.data + 1020, "xx\r\n", 4);
	buf_free(&out);
}

static void test_classes(void **state)
{
	struct smtp_reply good = smtp_reply_make(250, NULL, "");
	struct smtp_reply later = smtp_reply_make(451, NULL, "");
	struct smtp_reply never = smtp_reply_make(599, NULL, "");
	struct smtp_reply more = smtp_reply_make(354, NULL, "");
	struct smtp_reply none = { 0 };

	(void)state;
	assert_true(smtp_reply_positive(&good));
	assert_true(smtp_reply_transient(&later));
	assert_true(smtp_reply_permanent(&never));
	assert_int_equal(smtp_reply_class(&more), 3);
	assert_false(smtp_reply_positive(&more));
	assert_int_equal(smtp_reply_class(&none), 0);
	assert_false(smtp_reply_permanent(&none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_a_status),
		cmocka_unit_test(test_status_as_text),
		cmocka_unit_test(test_prints),
		cmocka_unit_test(test_cuts_lines_at_512_octets),
		cmocka_unit_test(test_classes),
	};

	return cmocka_run_group_tests_name("smtp_reply", tests, NULL, NULL);
}
