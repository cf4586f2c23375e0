#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/mailbox.h"
#include "proto/rfc5322.h"
#include "proto/smtp_path.h"
#include "tests/support/bytes.h"
#include "tests/support/guarded.h"

static const struct {
	struct text value, name, address;
	unsigned count;
} values[] = {
	{ BYTES("a@b"), BYTES(""), BYTES("a@b"), 1 },
	{ BYTES("<a@b>"), BYTES(""), BYTES("a@b"), 1 },
	{ BYTES(" John Doe <john@doe.example>"), BYTES("John Doe"),
	  BYTES("john@doe.example"), 1 },
	{ BYTES("\"Doe, John\" <j@d>"), BYTES("Doe, John"), BYTES("j@d"), 1 },
	{ BYTES("\"a \\\"b\\\" \\\\\"<j@d>"), BYTES("a \"b\" \\"), BYTES("j@d"),
	  1 },
	{ BYTES("\"\" <j@d>"), BYTES(""), BYTES("j@d"), 1 },
	{ BYTES("John\r\n  Doe\r\n\t<j@d>"), BYTES("John Doe"), BYTES("j@d"),
	  1 },
	{ BYTES("John Q. Public <j@d>"), BYTES("John Q. Public"), BYTES("j@d"),
	  1 },
	{ BYTES("=?UTF-8?Q?J=C3=BCrgen?= <j@d>"),
	  BYTES("=?UTF-8?Q?J=C3=BCrgen?="), BYTES("j@d"), 1 },
	{ BYTES("J\xfcrgen <j@d>"), BYTES("J\xfcrgen"), BYTES("j@d"), 1 },
	/* An address in the name is a name. */
	{ BYTES("\"boss@x.example\" <j@d>"), BYTES("boss@x.example"),
	  BYTES("j@d"), 1 },
	{ BYTES("boss@x.example <j@d>"), BYTES("boss@x.example"), BYTES("j@d"),
	  1 },
	{ BYTES("\"<boss@x>\" <j@d>"), BYTES("<boss@x>"), BYTES("j@d"), 1 },
	/* Comments. */
	{ BYTES("j@d (John Doe)"), BYTES("John Doe"), BYTES("j@d"), 1 },
	{ BYTES("(x) John (y) Doe <j@d> (z)"), BYTES("John Doe"), BYTES("j@d"),
	  1 },
	{ BYTES("(a (b) \\) c) j (x) @ (y) d (z)"), BYTES("a (b) ) c"),
	  BYTES("j@d"), 1 },
	{ BYTES("<j(x)@(y) d>"), BYTES(""), BYTES("j@d"), 1 },
	{ BYTES("<j@d> (John)"), BYTES("John"), BYTES("j@d"), 1 },
	{ BYTES("(boss@x) <j@d>"), BYTES("boss@x"), BYTES("j@d"), 1 },
	/* Obsolete forms. */
	{ BYTES("John <@x,@y:j@d>"), BYTES("John"), BYTES("j@d"), 1 },
	{ BYTES("j . k @ d . e"), BYTES(""), BYTES("j.k@d.e"), 1 },
	{ BYTES("\"j k\"@d"), BYTES(""), BYTES("\"j k\"@d"), 1 },
	{ BYTES("<j@[192.0.2.1]>"), BYTES(""), BYTES("j@[192.0.2.1]"), 1 },
	/* Lists. */
	{ BYTES("A <a@b>, C <c@d>"), BYTES("A"), BYTES("a@b"), 2 },
	{ BYTES("a@b,,c@d,"), BYTES(""), BYTES("a@b"), 2 },
	{ BYTES("a@b; c@d; e@f"), BYTES(""), BYTES("a@b"), 3 },
	{ BYTES("Team: a@b, c@d;"), BYTES(""), BYTES("a@b"), 2 },
	{ BYTES("undisclosed-recipients:;"), BYTES(""), BYTES(""), 0 },
	{ BYTES("Doe, John <j@d>"), BYTES("John"), BYTES("j@d"), 1 },
	{ BYTES("mailto:j@d"), BYTES(""), BYTES("j@d"), 1 },
	/* Q64: what devices write instead of an address. */
	{ BYTES("root (Cron Daemon)"), BYTES("Cron Daemon"), BYTES(""), 0 },
	{ BYTES("DAFANG"), BYTES("DAFANG"), BYTES(""), 0 },
	{ BYTES("MAILER-DAEMON <>"), BYTES("MAILER-DAEMON"), BYTES(""), 0 },
	{ BYTES("Scanner <MFP>"), BYTES("Scanner"), BYTES(""), 0 },
	{ BYTES(""), BYTES(""), BYTES(""), 0 },
	{ BYTES("  \r\n "), BYTES(""), BYTES(""), 0 },
	{ BYTES(",;,"), BYTES(""), BYTES(""), 0 },
	/* What could be read in two ways is not read. */
	{ BYTES("<a@b> <c@d>"), BYTES(""), BYTES(""), 0 },
	{ BYTES("<a@b> c@d"), BYTES(""), BYTES(""), 0 },
	{ BYTES("X <<a@b>>"), BYTES("X"), BYTES(""), 0 },
	{ BYTES("X <a@b"), BYTES("X"), BYTES(""), 0 },
	{ BYTES("a@b <c@d"), BYTES("a@b"), BYTES(""), 0 },
	{ BYTES("X a@b>"), BYTES("X a@b"), BYTES(""), 0 },
	{ BYTES("a@b c@d"), BYTES("a@b c@d"), BYTES(""), 0 },
	{ BYTES("John a@b"), BYTES("John a@b"), BYTES(""), 0 },
	{ BYTES("X <a@b,c@d>"), BYTES("X"), BYTES(""), 0 },
	{ BYTES("X <a@b@c>"), BYTES("X"), BYTES(""), 0 },
	{ BYTES("X <a b@c>"), BYTES("X"), BYTES(""), 0 },
	{ BYTES("X <a@b\0>"), BYTES("X"), BYTES(""), 0 },
	{ BYTES("X <m\xfcller@b>"), BYTES("X"), BYTES(""), 0 },
	{ BYTES("\"X <a@b>"), BYTES(""), BYTES(""), 0 },
	{ BYTES("(X <a@b>"), BYTES(""), BYTES(""), 0 },
	{ BYTES("X <a@[b>"), BYTES("X"), BYTES(""), 0 },
	{ BYTES("a@b\\"), BYTES("a@b\\"), BYTES(""), 0 },
	{ BYTES("\"\\"), BYTES(""), BYTES(""), 0 },
};

static void test_parses(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(values); i++) {
		struct guarded value = guarded_copy(values[i].value);
		struct mailbox mailbox;
		bool found;

		mailbox_init(&mailbox);
		found = mailbox_parse(&mailbox, value.text);
		guarded_free(&value);
		assert_int_equal(found, values[i].count > 0);
		assert_bytes(values[i].value.data, buf_text(&mailbox.address),
			     values[i].address);
		assert_bytes(values[i].value.data, buf_text(&mailbox.name),
			     values[i].name);
		assert_int_equal(mailbox.count, values[i].count);
		mailbox_free(&mailbox);
	}
}

static void test_a_mailbox_is_used_again(void **state)
{
	struct mailbox mailbox;

	(void)state;
	mailbox_init(&mailbox);
	assert_true(mailbox_parse(&mailbox, TEXT("John <j@d>, k@d")));
	assert_false(mailbox_parse(&mailbox, TEXT("nobody")));
	assert_bytes("name", buf_text(&mailbox.name), TEXT("nobody"));
	assert_bytes("address", buf_text(&mailbox.address), TEXT(""));
	assert_int_equal(mailbox.count, 0);
	mailbox_free(&mailbox);
}

/* count times open, middle, count times close */
static void nest(struct buf *out, size_t count, const char *open,
		 const char *middle, const char *close)
{
	for (size_t i = 0; i < count; i++)
		buf_puts(out, open);
	buf_puts(out, middle);
	for (size_t i = 0; i < count; i++)
		buf_puts(out, close);
}

static void test_nested_comments(void **state)
{
	struct buf value = BUF_INIT(1 << 20);
	struct mailbox mailbox;

	(void)state;
	mailbox_init(&mailbox);
	nest(&value, 10000, "(", "x", ")");
	buf_puts(&value, " John <j@d>");
	assert_true(mailbox_parse(&mailbox, buf_text(&value)));
	assert_bytes("name", buf_text(&mailbox.name), TEXT("John"));
	buf_clear(&value);
	nest(&value, 100000, "(", "a@b", "");
	assert_false(mailbox_parse(&mailbox, buf_text(&value)));
	mailbox_free(&mailbox);
	buf_free(&value);
}

static void test_large_values(void **state)
{
	struct buf value = BUF_INIT(1 << 22);
	struct mailbox mailbox;

	(void)state;
	mailbox_init(&mailbox);
	for (int i = 0; i < 100000; i++)
		buf_printf(&value, "\"N %d\" <a%d@b>,", i, i);
	assert_true(mailbox_parse(&mailbox, buf_text(&value)));
	assert_int_equal(mailbox.count, 100000);
	assert_bytes("address", buf_text(&mailbox.address), TEXT("a0@b"));
	buf_clear(&value);
	nest(&value, 100000, "x ", "<a@b>", "");
	assert_true(mailbox_parse(&mailbox, buf_text(&value)));
	assert_in_range(buf_len(&mailbox.name), 1000, 1024);
	mailbox_free(&mailbox);
	buf_free(&value);
}

static const struct {
	struct text name, address, printed;
} prints[] = {
	{ BYTES(""), BYTES("a@b"), BYTES("a@b") },
	{ BYTES("John Doe"), BYTES("a@b"), BYTES("John Doe <a@b>") },
	{ BYTES("  John "), BYTES("a@b"), BYTES("John <a@b>") },
	{ BYTES("Doe, John"), BYTES("a@b"), BYTES("\"Doe, John\" <a@b>") },
	{ BYTES("John Q. Public"), BYTES("a@b"),
	  BYTES("\"John Q. Public\" <a@b>") },
	{ BYTES("boss@x.example"), BYTES("a@b"),
	  BYTES("\"boss@x.example\" <a@b>") },
	{ BYTES("a\"b\\c"), BYTES("a@b"), BYTES("\"a\\\"b\\\\c\" <a@b>") },
	{ BYTES("x\" <evil@x>, \"y"), BYTES("a@b"),
	  BYTES("\"x\\\" <evil@x>, \\\"y\" <a@b>") },
	{ BYTES("x\r\nBcc: evil@x"), BYTES("a@b"),
	  BYTES("\"xBcc: evil@x\" <a@b>") },
	{ BYTES("x\0\x7f\x1b[1m"), BYTES("a@b"), BYTES("\"x[1m\" <a@b>") },
	{ BYTES("\r\n\t"), BYTES("a@b"), BYTES("a@b") },
	{ BYTES("a  b"), BYTES("a@b"), BYTES("\"a  b\" <a@b>") },
	{ BYTES("=?UTF-8?Q?J=C3=BCrgen?= X"), BYTES("a@b"),
	  BYTES("=?UTF-8?Q?J=C3=BCrgen?= X <a@b>") },
	{ BYTES("Empf\xc3\xa4nger"), BYTES("a@b"),
	  BYTES("=?UTF-8?B?RW1wZsOkbmdlcg==?= <a@b>") },
	{ BYTES("Empf\xe4nger"), BYTES("a@b"),
	  BYTES("=?windows-1252?B?RW1wZuRuZ2Vy?= <a@b>") },
	{ BYTES("\xc3\xa4\r\nBcc: x"), BYTES("a@b"),
	  BYTES("=?UTF-8?B?w6RCY2M6IHg=?= <a@b>") },
	{ BYTES("(x)"), BYTES("a@b"), BYTES("\"(x)\" <a@b>") },
	{ BYTES("J"), BYTES("a@b\r\nBcc: x"), BYTES("J <a@bBcc: x>") },
};

static void test_prints(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(prints); i++) {
		struct guarded name = guarded_copy(prints[i].name);
		struct guarded address = guarded_copy(prints[i].address);
		struct buf out = BUF_INIT(2000);

		mailbox_print(&out, name.text, address.text);
		assert_bytes("printed", buf_text(&out), prints[i].printed);
		buf_free(&out);
		guarded_free(&name);
		guarded_free(&address);
	}
}

/* Whatever the name: one line, one mailbox, the address that was given. */
static void check_name(struct text name)
{
	struct buf out = BUF_INIT(2000);
	struct mailbox mailbox;

	mailbox_init(&mailbox);
	mailbox_print(&out, name, TEXT("me@here.example"));
	assert_true(buf_len(&out) <= 998);
	assert_true(mailbox_parse(&mailbox, buf_text(&out)));
	assert_int_equal(mailbox.count, 1);
	assert_bytes("address", buf_text(&mailbox.address),
		     TEXT("me@here.example"));
	assert_null(memchr(buf_string(&out), '\n', buf_len(&out)));
	assert_null(memchr(buf_string(&out), '\r', buf_len(&out)));
	mailbox_free(&mailbox);
	buf_free(&out);
}

static void test_no_name_becomes_an_address(void **state)
{
	static const char bytes[] = { 'x',  '"', '\\', '<', '>', ',',  ';',
				      ':',  '@', '(',  ')', '[', ']',  '\r',
				      '\n', ' ', '.',  '=', '?', '\0', '\xe4' };
	char name[3];

	(void)state;
	for (size_t a = 0; a < sizeof(bytes); a++)
		for (size_t b = 0; b < sizeof(bytes); b++)
			for (size_t c = 0; c < sizeof(bytes); c++) {
				name[0] = bytes[a];
				name[1] = bytes[b];
				name[2] = bytes[c];
				check_name(text_make(name, sizeof(name)));
			}
}

static void test_long_names_fit_a_line(void **state)
{
	char name[5000];

	(void)state;
	for (const char *c = "x\" \xe4."; *c != '\0'; c++) {
		memset(name, *c, sizeof(name));
		check_name(text_make(name, sizeof(name)));
	}
	for (size_t i = 0; i < sizeof(name); i += 2)
		memcpy(name + i, "\xc3\xa4", 2);
	check_name(text_make(name, sizeof(name)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parses),
		cmocka_unit_test(test_a_mailbox_is_used_again),
		cmocka_unit_test(test_nested_comments),
		cmocka_unit_test(test_large_values),
		cmocka_unit_test(test_prints),
		cmocka_unit_test(test_no_name_becomes_an_address),
		cmocka_unit_test(test_long_names_fit_a_line),
	};

	return cmocka_run_group_tests_name("mailbox", tests, NULL, NULL);
}
