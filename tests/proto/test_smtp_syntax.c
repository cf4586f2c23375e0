#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/smtp_syntax.h"
#include "tests/support/bytes.h"
#include "tests/support/guarded.h"

typedef bool (*is_fn)(struct text text);

static const struct {
	const char *name;
	is_fn is;
	struct text text;
	bool expected;
} cases[] = {
	{ "control", smtp_has_control, BYTES("a b~"), false },
	{ "control", smtp_has_control, BYTES("a\0b"), true },
	{ "control", smtp_has_control, BYTES("a\tb"), true },
	{ "control", smtp_has_control, BYTES("a\x7f"), true },
	{ "control", smtp_has_control, BYTES("\xc3\xa4"), false },
	{ "8bit", smtp_has_8bit, BYTES("abc\x7f"), false },
	{ "8bit", smtp_has_8bit, BYTES("abc\x80"), true },

	{ "domain", smtp_is_domain, BYTES("example.com"), true },
	{ "domain", smtp_is_domain, BYTES("localhost"), true },
	{ "domain", smtp_is_domain, BYTES("a-b.c1"), true },
	{ "domain", smtp_is_domain, BYTES("mail_relay.internal"), true },
	{ "domain", smtp_is_domain, BYTES("192.0.2.1"), true },
	{ "domain", smtp_is_domain, BYTES(""), false },
	{ "domain", smtp_is_domain, BYTES("."), false },
	{ "domain", smtp_is_domain, BYTES("a..b"), false },
	{ "domain", smtp_is_domain, BYTES(".a"), false },
	{ "domain", smtp_is_domain, BYTES("a."), false },
	{ "domain", smtp_is_domain, BYTES("-a"), false },
	{ "domain", smtp_is_domain, BYTES("a-"), false },
	{ "domain", smtp_is_domain, BYTES("a b"), false },
	{ "domain", smtp_is_domain, BYTES("a\0"), false },
	{ "domain", smtp_is_domain, BYTES("m\xc3\xbcller.de"), false },

	{ "literal", smtp_is_address_literal, BYTES("[192.0.2.1]"), true },
	{ "literal", smtp_is_address_literal, BYTES("[IPv6:::1]"), true },
	{ "literal", smtp_is_address_literal, BYTES("[ipv6:2001:db8::1]"),
	  true },
	{ "literal", smtp_is_address_literal, BYTES("[]"), false },
	{ "literal", smtp_is_address_literal, BYTES("["), false },
	{ "literal", smtp_is_address_literal, BYTES("[192.0.2.256]"), false },
	{ "literal", smtp_is_address_literal, BYTES("[192.0.2]"), false },
	{ "literal", smtp_is_address_literal, BYTES("[2001:db8::1]"), false },
	{ "literal", smtp_is_address_literal, BYTES("[192.0.2.1\0]"), false },
	{ "literal", smtp_is_address_literal, BYTES("192.0.2.1"), false },
	{ "literal", smtp_is_address_literal, BYTES("[IPv6:]"), false },

	{ "dot-string", smtp_is_dot_string, BYTES("john.doe+tag"), true },
	{ "dot-string", smtp_is_dot_string, BYTES("!#$%&'*/=?^_`{|}~-"), true },
	{ "dot-string", smtp_is_dot_string, BYTES(""), false },
	{ "dot-string", smtp_is_dot_string, BYTES("a..b"), false },
	{ "dot-string", smtp_is_dot_string, BYTES("a."), false },
	{ "dot-string", smtp_is_dot_string, BYTES(".a"), false },
	{ "dot-string", smtp_is_dot_string, BYTES("a b"), false },
	{ "dot-string", smtp_is_dot_string, BYTES("a@b"), false },
	{ "dot-string", smtp_is_dot_string, BYTES("a(b"), false },
	{ "dot-string", smtp_is_dot_string, BYTES("a\0"), false },

	{ "quoted", smtp_is_quoted_string, BYTES("\"\""), true },
	{ "quoted", smtp_is_quoted_string, BYTES("\"a b@c\""), true },
	{ "quoted", smtp_is_quoted_string, BYTES("\"a\\\"b\""), true },
	{ "quoted", smtp_is_quoted_string, BYTES("\"\\\\\""), true },
	{ "quoted", smtp_is_quoted_string, BYTES("\""), false },
	{ "quoted", smtp_is_quoted_string, BYTES("\"a"), false },
	{ "quoted", smtp_is_quoted_string, BYTES("\"\\\""), false },
	{ "quoted", smtp_is_quoted_string, BYTES("\"a\"b\""), false },
	{ "quoted", smtp_is_quoted_string, BYTES("\"a\r\n\""), false },
	{ "quoted", smtp_is_quoted_string, BYTES("\"a\\\n\""), false },
	{ "quoted", smtp_is_quoted_string, BYTES("\"\xc3\xa4\""), false },
	{ "quoted", smtp_is_quoted_string, BYTES("abc"), false },

	{ "keyword", smtp_is_keyword, BYTES("8BITMIME"), true },
	{ "keyword", smtp_is_keyword, BYTES("X-a1"), true },
	{ "keyword", smtp_is_keyword, BYTES("-a"), false },
	{ "keyword", smtp_is_keyword, BYTES("a_b"), false },
	{ "keyword", smtp_is_keyword, BYTES(""), false },

	{ "value", smtp_is_esmtp_value, BYTES("<>"), true },
	{ "value", smtp_is_esmtp_value, BYTES("100"), true },
	{ "value", smtp_is_esmtp_value, BYTES("a=b"), false },
	{ "value", smtp_is_esmtp_value, BYTES(""), false },
	{ "value", smtp_is_esmtp_value, BYTES("a\rb"), false },
	{ "value", smtp_is_esmtp_value, BYTES("\x80"), false },
};

static void test_leaf_grammar(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct guarded text = guarded_copy(cases[i].text);

		if (cases[i].is(text.text) != cases[i].expected)
			fail_msg("%s: %.*s", cases[i].name,
				 TEXT_ARG(cases[i].text));
		guarded_free(&text);
	}
}

static void test_longest_domain(void **state)
{
	char name[256];

	(void)state;
	memset(name, 'a', sizeof(name));
	assert_true(smtp_is_domain(text_make(name, 255)));
	assert_false(smtp_is_domain(text_make(name, 256)));
}

static const struct {
	struct text encoded;
	bool is_xtext;
	struct text decoded;
} xtexts[] = {
	{ BYTES("a+2Bb+3Dc"), true, BYTES("a+b=c") },
	{ BYTES("+00"), true, BYTES("\0") },
	{ BYTES(""), true, BYTES("") },
	{ BYTES("a+"), false, BYTES("") },
	{ BYTES("a+2"), false, BYTES("") },
	{ BYTES("a+2b"), false, BYTES("") },
	{ BYTES("a=b"), false, BYTES("") },
	{ BYTES("a b"), false, BYTES("") },
	{ BYTES("a\x80"), false, BYTES("") },
};

static void test_xtext(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(xtexts); i++) {
		struct guarded in = guarded_copy(xtexts[i].encoded);
		struct buf out = BUF_INIT(20);

		assert_int_equal(smtp_xtext_decode(&out, in.text),
				 xtexts[i].is_xtext);
		assert_bytes("xtext", buf_text(&out), xtexts[i].decoded);
		buf_free(&out);
		guarded_free(&in);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leaf_grammar),
		cmocka_unit_test(test_longest_domain),
		cmocka_unit_test(test_xtext),
	};

	return cmocka_run_group_tests_name("smtp_syntax", tests, NULL, NULL);
}
