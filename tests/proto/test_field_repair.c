#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/field_repair.h"
#include "proto/field_text.h"
#include "proto/smtp_syntax.h"
#include "tests/support/bytes.h"
#include "tests/support/guarded.h"

enum { ROOM = 32 * 1024 * 1024 };

#define NEEDS(name) FIELD_REPAIR(name)

static const struct {
	const char *name;
	unsigned needs;
	struct text raw, mended; /* empty: as it is */
} cases[] = {
	{ "plain", 0, BYTES("Subject: Scan\r\n"), BYTES("") },
	{ "folded", 0, BYTES("Subject: a\r\n b\r\n\tc\r\n"), BYTES("") },
	{ "empty", 0, BYTES("Subject:\r\n"), BYTES("") },
	{ "a group", 0, BYTES("To: a: b@c.example; \r\n"), BYTES("") },
	{ "semicolons that part nothing", 0,
	  BYTES("To: \"a;b\" <c@d.example> (e;f)\r\n"), BYTES("") },
	{ "semicolons of a type", 0,
	  BYTES("Content-Type: text/plain; charset=utf-8\r\n"), BYTES("") },
	/* 8-bit text. */
	{ "UTF-8", NEEDS(EIGHT_BIT), BYTES("Subject: gr\xc3\xbc\xc3\x9f" "e\r\n"),
	  BYTES("Subject: =?UTF-8?B?Z3LDvMOfZQ==?=\r\n") },
	{ "windows-1252", NEEDS(EIGHT_BIT), BYTES("Subject: 5 \x80\r\n"),
	  BYTES("Subject: 5 =?UTF-8?B?4oKs?=\r\n") },
	{ "words around stay", NEEDS(EIGHT_BIT),
	  BYTES("Subject: Re:  the \xe4 \xf6 \xfc end\r\n"),
	  BYTES("Subject: Re:  the =?UTF-8?B?w6Qgw7Ygw7w=?= end\r\n") },
	{ "beside an encoded word", NEEDS(EIGHT_BIT),
	  BYTES("Subject: =?utf-8?Q?a?= \xe4 =?utf-8?Q?b?=\r\n"),
	  BYTES("Subject: =?utf-8?Q?a?= =?UTF-8?B?IMOkIA==?= =?utf-8?Q?b?=\r\n") },
	{ "a character cut off", NEEDS(EIGHT_BIT),
	  BYTES("Subject: gr\xc3\xbc\xc3\r\n"),
	  BYTES("Subject: =?UTF-8?B?Z3LDvA==?=\r\n") },
	{ "not a character", NEEDS(EIGHT_BIT), BYTES("Subject: a\x81\r\n"),
	  BYTES("Subject: a?\r\n") },
	{ "folded 8-bit", NEEDS(EIGHT_BIT), BYTES("X-Text: a\r\n \xe4\r\n"),
	  BYTES("X-Text: a =?UTF-8?B?w6Q=?=\r\n") },
	{ "a display name", NEEDS(EIGHT_BIT),
	  BYTES("From: J\xf6rg M\xfcller <j@d.example>\r\n"),
	  BYTES("From: =?UTF-8?B?SsO2cmcgTcO8bGxlcg==?= <j@d.example>\r\n") },
	{ "a quoted name", NEEDS(EIGHT_BIT),
	  BYTES("From: \"M\xfcller, \\\"J\\\"\" <j@d.example>\r\n"),
	  BYTES("From: =?UTF-8?B?TcO8bGxlciwgIkoi?= <j@d.example>\r\n") },
	{ "a name without a gap", NEEDS(EIGHT_BIT),
	  BYTES("From: J\xf6rg<j@d.example>\r\n"),
	  BYTES("From: =?UTF-8?B?SsO2cmc=?= <j@d.example>\r\n") },
	{ "words of a name", NEEDS(EIGHT_BIT),
	  BYTES("To: Dr \xd6 \"B.\" <j@d.example>\r\n"),
	  BYTES("To: Dr =?UTF-8?B?w5Y=?= \"B.\" <j@d.example>\r\n") },
	{ "a comment", NEEDS(EIGHT_BIT),
	  BYTES("To: j@d.example (J\xf6rg (B\xfcro) x)\r\n"),
	  BYTES("To: j@d.example (=?UTF-8?B?SsO2cmc=?= "
		"(=?UTF-8?B?QsO8cm8=?=) x)\r\n") },
	{ "a comment without end", NEEDS(EIGHT_BIT),
	  BYTES("To: j@d.example (J\xf6rg\r\n"),
	  BYTES("To: j@d.example (=?UTF-8?B?SsO2cmc=?=)\r\n") },
	{ "an address", NEEDS(EIGHT_BIT),
	  BYTES("To: J <j\xf6@d.example>, a@b.example\r\n"),
	  BYTES("To: =?UTF-8?B?SiA8asO2QGQuZXhhbXBsZT4=?= :;, a@b.example\r\n") },
	{ "a bare address", NEEDS(EIGHT_BIT), BYTES("Cc: j\xf6@d.example\r\n"),
	  BYTES("Cc: =?UTF-8?B?asO2QGQuZXhhbXBsZQ==?= :;\r\n") },
	{ "an address in a group", NEEDS(EIGHT_BIT),
	  BYTES("To: All: a@b.example, \xf6@d.example, c@d.example;\r\n"),
	  BYTES("To: All: a@b.example, c@d.example;\r\n") },
	{ "a group's name", NEEDS(EIGHT_BIT),
	  BYTES("To: B\xfcro: a@b.example;, c@d.example\r\n"),
	  BYTES("To: =?UTF-8?B?QsO8cm8=?= : a@b.example;, c@d.example\r\n") },
	{ "a file name", NEEDS(EIGHT_BIT),
	  BYTES("Content-Disposition: attachment; filename=\"Gr\xfc\xdf" "e 1.pdf\"\r\n"),
	  BYTES("Content-Disposition: attachment; "
		"filename*=UTF-8''Gr%C3%BC%C3%9Fe%201.pdf\r\n") },
	{ "a file name without quotes", NEEDS(EIGHT_BIT),
	  BYTES("Content-Type: application/pdf; name=Gr\xc3\xbc n.pdf; x=y\r\n"),
	  BYTES("Content-Type: application/pdf; "
		"name*=UTF-8''Gr%C3%BC%20n.pdf; x=y\r\n") },
	{ "a long file name", NEEDS(EIGHT_BIT),
	  BYTES("Content-Disposition: attachment; filename=\""
		"\xe4\xe4\xe4\xe4\xe4\xe4\xe4\xe4\xe4\xe4\xe4\xe4\"\r\n"),
	  BYTES("Content-Disposition: attachment;\r\n "
		"filename*0*=UTF-8''%C3%A4%C3%A4%C3%A4%C3%A4%C3%A4%C3%A4%C3%A4"
		"%C3%A4%C3%A4%C3%A4;\r\n filename*1*=%C3%A4%C3%A4\r\n") },
	{ "a file name told twice", NEEDS(EIGHT_BIT),
	  BYTES("Content-Disposition: attachment; filename=\"\xe4.pdf\"; "
		"filename*=UTF-8''%C3%A4.pdf\r\n"),
	  BYTES("Content-Disposition: attachment; filename=\"?.pdf\";\r\n "
		"filename*=UTF-8''%C3%A4.pdf\r\n") },
	{ "ids", NEEDS(EIGHT_BIT), BYTES("References: <\xe4@b> <c@d>\r\n"),
	  BYTES("References: <?@b> <c@d>\r\n") },
	{ "a date's comment", NEEDS(EIGHT_BIT),
	  BYTES("Date: 21 Nov 2026 12:00 +0000 (\xe4)\r\n"),
	  BYTES("Date: 21 Nov 2026 12:00 +0000 (=?UTF-8?B?w6Q=?=)\r\n") },
	{ "keywords", NEEDS(EIGHT_BIT), BYTES("Keywords: a,\xe4 b, c\r\n"),
	  BYTES("Keywords: a, =?UTF-8?B?w6Q=?= b, c\r\n") },
	/* Control characters. */
	{ "controls", NEEDS(CONTROL),
	  BYTES("Subject: a\x01\x07 b\x1b[2J\x7f\r\n"),
	  BYTES("Subject: a b[2J\r\n") },
	{ "NUL", NEEDS(CONTROL), BYTES("Subject: a\0b\r\n"),
	  BYTES("Subject: ab\r\n") },
	{ "a lone CR", NEEDS(CONTROL), BYTES("Subject: a\rBcc: b\r\n"),
	  BYTES("Subject: aBcc: b\r\n") },
	/* Semicolons. */
	{ "semicolons", NEEDS(SEMICOLON),
	  BYTES("To: a@b.example;c@d.example; e@f.example\r\n"),
	  BYTES("To: a@b.example, c@d.example, e@f.example\r\n") },
	{ "a last semicolon", NEEDS(SEMICOLON), BYTES("Cc: a@b.example;\r\n"),
	  BYTES("Cc: a@b.example\r\n") },
	{ "many semicolons", NEEDS(SEMICOLON),
	  BYTES("Reply-To: ;;\"x;y\" <a@b.example>;;c@d.example (;);\r\n"),
	  BYTES("Reply-To: \"x;y\" <a@b.example>, c@d.example (;)\r\n") },
	{ "semicolons and a group", NEEDS(SEMICOLON),
	  BYTES("To: a@b.example; g: c@d.example, e@f.example; x@y.example\r\n"),
	  BYTES("To: a@b.example, g: c@d.example, e@f.example;, "
		"x@y.example\r\n") },
	/* Blanks. */
	{ "before the colon", NEEDS(BLANK), BYTES("Subject \t: a\r\n"),
	  BYTES("Subject: a\r\n") },
	{ "a blank line inside", NEEDS(BLANK),
	  BYTES("Subject: a\r\n \t\r\n b\r\n"), BYTES("Subject: a \t b\r\n") },
	{ "a blank last line", NEEDS(BLANK), BYTES("Subject: a\r\n \r\n"),
	  BYTES("Subject: a\r\n") },
	{ "no line end", NEEDS(BLANK), BYTES("Subject: a"),
	  BYTES("Subject: a\r\n") },
	{ "nothing but 8-bit blanks", NEEDS(CONTROL), BYTES("Subject: \x01\r\n"),
	  BYTES("Subject:\r\n") },
};

static struct rfc5322_field field_of(struct text raw)
{
	struct rfc5322_field field;

	rfc5322_field_make(&field, raw);
	return field;
}

static void test_mends(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct guarded raw = guarded_copy(cases[i].raw);
		struct rfc5322_field field = field_of(raw.text);
		struct buf out = BUF_INIT(ROOM);

		if (field_needs(&field) != cases[i].needs)
			fail_msg("%s: needs %x, not %x", cases[i].name,
				 field_needs(&field), cases[i].needs);
		if (cases[i].needs != 0) {
			field_repair(&out, &field, NULL);
			assert_bytes(cases[i].name, buf_text(&out),
				     cases[i].mended);
			field = field_of(buf_text(&out));
			assert_int_equal(field_needs(&field), 0);
		}
		buf_free(&out);
		guarded_free(&raw);
	}
}

static const struct {
	const char *charset;
	struct text raw, mended;
} charsets[] = {
	{ "windows-1251", BYTES("Subject: \xcf\xf0\r\n"),
	  BYTES("Subject: =?UTF-8?B?0J/RgA==?=\r\n") },
	{ "Shift_JIS", BYTES("From: \x83\x5c <a@b.example>\r\n"),
	  BYTES("From: =?UTF-8?B?44K9?= <a@b.example>\r\n") },
	{ "no-such-charset", BYTES("Subject: \xe4\r\n"),
	  BYTES("Subject: =?UTF-8?B?w6Q=?=\r\n") },
	{ "ISO-2022-JP", BYTES("Subject: \x1b$B$\"\x1b(B a\r\n"),
	  BYTES("Subject: =?UTF-8?B?44GC?= a\r\n") },
	{ "UTF-16LE", BYTES("Subject: \xff\x0d\x0a" "B\0c\0c\0:\0\r\n"),
	  BYTES("") }, /* whatever: one field */
	{ "windows-1252", BYTES("Subject: \xc3\xa4\r\n"),
	  BYTES("Subject: =?UTF-8?B?w6Q=?=\r\n") },
};

static void test_charsets(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(charsets); i++) {
		struct rfc5322_field field = field_of(charsets[i].raw);
		struct buf out = BUF_INIT(ROOM);

		field_repair(&out, &field, charsets[i].charset);
		if (charsets[i].mended.len > 0)
			assert_bytes(charsets[i].charset, buf_text(&out),
				     charsets[i].mended);
		field = field_of(buf_text(&out));
		assert_int_equal(field_needs(&field), 0);
		buf_free(&out);
	}
}

/* Every line of a header within its limit, and nothing but ASCII. */
static void assert_sound(const char *name, struct text raw)
{
	struct text line;

	assert_false(smtp_has_8bit(raw));
	while (text_token(&raw, '\n', &line)) {
		if (line.len > FIELD_LINE_MAX + 1 ||
		    line.data[line.len - 1] != '\r')
			fail_msg("%s: a line of %zu", name, line.len);
		line.len--;
		assert_true(text_trim(line).len > 0);
		assert_false(memchr(line.data, '\r', line.len) != NULL);
	}
}

/* Long lines of every kind of field, made of every kind of piece. */
static void test_long_lines(void **state)
{
	static const char *const names[] = { "Subject", "To", "Received",
		"Content-Type", "Content-Disposition", "Keywords",
		"References", "DKIM-Signature" };
	static const char *const pieces[] = { "x", "x ", "x, ", "a@b.example,",
		"a@b.example;", "\xe4", "\xe4 ", "\xe4,", "\"", "(", ")", "<",
		"\\", "; a=\"\xe4\"", ";name=\xe4", "=?utf-8?Q?x?= ", " ",
		"a:\xe4;", "\t", "[", "(\xe4)", "\xf0\x9f\x98\x80", "\"\xe4\" ",
		"<\xe4>,", "\r\n ", "\x01", "\"x\",", "<a;b>,", "\\(\xe4" };

	(void)state;
	for (size_t n = 0; n < COUNT(names); n++)
		for (size_t p = 0; p < COUNT(pieces); p++) {
			struct buf raw = BUF_INIT(ROOM), out = BUF_INIT(ROOM);
			struct rfc5322_field field;

			buf_printf(&raw, "%s: ", names[n]);
			while (buf_len(&raw) < 50000)
				buf_puts(&raw, pieces[p]);
			buf_puts(&raw, "\r\n");
			field = field_of(buf_text(&raw));
			assert_true(field_needs(&field) != 0);
			field_repair(&out, &field, "windows-1252");
			assert_sound(pieces[p], buf_text(&out));
			assert_true(buf_len(&out) <
				    FIELD_REPAIR_GROWTH * buf_len(&raw));
			field = field_of(buf_text(&out));
			if (field_needs(&field) != 0)
				fail_msg("%s %s: still needs %x", names[n],
					 pieces[p], field_needs(&field));
			buf_free(&raw);
			buf_free(&out);
		}
}

/* Unstructured text of a long word comes out as it was, decoded. */
static void test_a_long_name_and_a_long_word(void **state)
{
	struct buf raw = BUF_INIT(ROOM), out = BUF_INIT(ROOM);
	struct rfc5322_field field;

	(void)state;
	while (buf_len(&raw) < 997)
		buf_putc(&raw, 'X');
	buf_puts(&raw, ":");
	while (buf_len(&raw) < 3000)
		buf_putc(&raw, 'y');
	buf_puts(&raw, "\r\n");
	field = field_of(buf_text(&raw));
	assert_int_equal(field_needs(&field), NEEDS(LONG));
	field_repair(&out, &field, NULL);
	assert_sound("long", buf_text(&out));
	field = field_of(buf_text(&out));
	assert_int_equal(field.name.len, 997);
	assert_int_equal(field_needs(&field), 0);
	buf_free(&raw);
	buf_free(&out);
}

static void test_bombs(void **state)
{
	struct buf raw = BUF_INIT(ROOM);
	struct rfc5322_field field;

	(void)state;
	buf_puts(&raw, "To: ");
	for (int i = 0; i < 10000; i++)
		buf_putc(&raw, '(');
	for (int i = 0; i < 10000; i++)
		buf_putc(&raw, ')');
	buf_puts(&raw, "\r\n");
	field = field_of(buf_text(&raw));
	assert_true(field_is_bomb(&field));
	memcpy(raw.data, "X-To", 4);
	raw.data[4] = ':'; /* where nothing is a comment */
	field = field_of(buf_text(&raw));
	assert_false(field_is_bomb(&field));
	field = field_of(TEXT("To: a@b.example (a (b) \"(((\") \"((((\"\r\n"));
	assert_false(field_is_bomb(&field));
	buf_free(&raw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mends),
		cmocka_unit_test(test_charsets),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_a_long_name_and_a_long_word),
		cmocka_unit_test(test_bombs),
	};

	return cmocka_run_group_tests_name("field_repair", tests, NULL, NULL);
}
