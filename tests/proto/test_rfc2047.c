#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base64.h"
#include "proto/rfc2047.h"
#include "proto/utf8.h"
#include "tests/support/bytes.h"
#include "tests/support/guarded.h"

static const struct {
	struct text text, encoded;
} words[] = {
	{ BYTES(""), BYTES("") },
	{ BYTES("Empf\xc3\xa4nger"), BYTES("=?UTF-8?B?RW1wZsOkbmdlcg==?=") },
	{ BYTES("Empf\xe4nger"), BYTES("=?windows-1252?B?RW1wZuRuZ2Vy?=") },
	{ BYTES("a\r\nb"), BYTES("=?UTF-8?B?YQ0KYg==?=") },
};

static void test_encodes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(words); i++) {
		struct guarded text = guarded_copy(words[i].text);
		struct buf out = BUF_INIT(1000);

		rfc2047_encode(&out, text.text, "windows-1252");
		assert_bytes("encoded", buf_text(&out), words[i].encoded);
		buf_free(&out);
		guarded_free(&text);
	}
}

/* Words are short, whole characters, and put together the text again. */
static void check_words(struct text text, const char *frame)
{
	struct buf out = BUF_INIT(10000), back = BUF_INIT(10000);
	struct text rest, word;

	rfc2047_encode(&out, text, "windows-1252");
	rest = buf_text(&out);
	while (text_token(&rest, ' ', &word)) {
		size_t before = buf_len(&back);

		assert_true(word.len <= 75);
		assert_true(text_starts(word, frame));
		word = text_skip(word, strlen(frame));
		assert_memory_equal(word.data + word.len - 2, "?=", 2);
		word.len -= 2;
		assert_true(base64_decode(&back, word));
		assert_int_equal(
			utf8_is_valid(text_skip(buf_text(&back), before)),
			utf8_is_valid(text));
	}
	assert_bytes("back", buf_text(&back), text);
	buf_free(&out);
	buf_free(&back);
}

static void test_long_text_is_several_words(void **state)
{
	struct buf utf8 = BUF_INIT(1000), other = BUF_INIT(1000);

	(void)state;
	for (int i = 0; i < 100; i++) {
		buf_puts(&utf8, i % 3 ? "\xc3\xa4" : "\xe2\x82\xac");
		buf_putc(&other, '\xe4');
		check_words(buf_text(&utf8), "=?UTF-8?B?");
		check_words(buf_text(&other), "=?windows-1252?B?");
	}
	buf_free(&utf8);
	buf_free(&other);
}

static const struct {
	struct text token, charset, octets;
	bool is_word, decodes;
} tokens[] = {
	{ BYTES("=?utf-8?Q?a=C3=A4_b?="), BYTES("utf-8"), BYTES("a\xc3\xa4 b"),
	  true, true },
	{ BYTES("=?UTF-8?b?w6Q=?="), BYTES("UTF-8"), BYTES("\xc3\xa4"), true,
	  true },
	{ BYTES("=?utf-8*de?q?=c3=a4?="), BYTES("utf-8"), BYTES("\xc3\xa4"),
	  true, true },
	{ BYTES("=?x?Q?" "?="), BYTES("x"), BYTES(""), true, true },
	{ BYTES("=?x?Q?=00?="), BYTES("x"), BYTES("\0"), true, true },
	{ BYTES("=?x?Q?=?="), BYTES("x"), BYTES(""), true, false },
	{ BYTES("=?x?Q?=4?="), BYTES("x"), BYTES(""), true, false },
	{ BYTES("=?x?Q?=4G?="), BYTES("x"), BYTES(""), true, false },
	{ BYTES("=?x?B?YQ?="), BYTES("x"), BYTES(""), true, false },
	{ BYTES("=?x?B?YQ==?="), BYTES("x"), BYTES("a"), true, true },
	{ BYTES("=??Q?a?="), BYTES(""), BYTES(""), false, false },
	{ BYTES("=?x?R?a?="), BYTES(""), BYTES(""), false, false },
	{ BYTES("=?x?Q?a?"), BYTES(""), BYTES(""), false, false },
	{ BYTES("=?x?Q?a?=."), BYTES(""), BYTES(""), false, false },
	{ BYTES("=?x?Q?a b?="), BYTES(""), BYTES(""), false, false },
	{ BYTES("=?x?Q?a\xe4?="), BYTES(""), BYTES(""), false, false },
	{ BYTES("=?x?Q"), BYTES(""), BYTES(""), false, false },
	{ BYTES("=?"), BYTES(""), BYTES(""), false, false },
	{ BYTES("="), BYTES(""), BYTES(""), false, false },
	{ BYTES(""), BYTES(""), BYTES(""), false, false },
	{ BYTES("a"), BYTES(""), BYTES(""), false, false },
};

static void test_reads_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(tokens); i++) {
		struct guarded token = guarded_copy(tokens[i].token);
		struct buf octets = BUF_INIT(1000);
		struct rfc2047_word word;
		bool is_word = rfc2047_word_parse(token.text, &word);

		if (is_word != tokens[i].is_word)
			fail_msg("%s", tokens[i].token.data);
		if (is_word) {
			assert_bytes("charset", word.charset,
				     tokens[i].charset);
			assert_int_equal(rfc2047_word_decode(&octets, &word),
					 tokens[i].decodes);
			assert_bytes("octets", buf_text(&octets),
				     tokens[i].octets);
		}
		buf_free(&octets);
		guarded_free(&token);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encodes),
		cmocka_unit_test(test_long_text_is_several_words),
		cmocka_unit_test(test_reads_words),
	};

	return cmocka_run_group_tests_name("rfc2047", tests, NULL, NULL);
}
