#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/mailbox.h"
#include "proto/phrase.h"
#include "proto/rfc2047.h"
#include "proto/utf8.h"
#include "tests/support/bytes.h"
#include "tests/support/chance.h"
#include "tests/support/guarded.h"

enum { MAX = 700 };

static const struct {
	struct text name, printed;
} phrases[] = {
	{ BYTES(""), BYTES("") },
	{ BYTES("John Doe"), BYTES("John Doe") },
	{ BYTES(" John\tDoe "), BYTES("John Doe") },
	{ BYTES("J. Doe"), BYTES("\"J. Doe\"") },
	{ BYTES("a@b"), BYTES("\"a@b\"") },
	{ BYTES("x\r\nBcc: y"), BYTES("\"xBcc: y\"") },
	{ BYTES("\xc3\xa4"), BYTES("=?UTF-8?B?w6Q=?=") },
	{ BYTES("\xe4"), BYTES("=?windows-1252?B?5A==?=") },
	/* Encoded words that are fit stay. */
	{ BYTES("=?utf-8?Q?=C3=A4?="), BYTES("=?utf-8?Q?=C3=A4?=") },
	{ BYTES("=?utf-8?Q?=C3=A4?= x"), BYTES("=?utf-8?Q?=C3=A4?= x") },
	{ BYTES("x =?utf-8?Q?=C3=A4?="), BYTES("x =?utf-8?Q?=C3=A4?=") },
	{ BYTES("Q. =?utf-8?Q?=C3=A4?="),
	  BYTES("\"Q.\" =?utf-8?Q?=C3=A4?=") },
	{ BYTES("=?utf-8?Q?a?=  =?utf-8?Q?b?="),
	  BYTES("=?utf-8?Q?a?= =?utf-8?Q?b?=") },
	{ BYTES("=?iso-2022-jp?B?GyRCJTkbKEI=?="),
	  BYTES("=?iso-2022-jp?B?GyRCJTkbKEI=?=") },
	{ BYTES("=?utf-8*de?Q?=C3=A4?="), BYTES("=?utf-8*de?Q?=C3=A4?=") },
	/* Those that are not, are written anew: "a, b" */
	{ BYTES("=?utf-8?Q?a,_b?="), BYTES("\"a, b\"") },
	{ BYTES("=?utf-8?Q?=C3=A4.?="), BYTES("=?UTF-8?B?w6Qu?=") },
	{ BYTES("=?iso-8859-1?Q?=E4.?="), BYTES("=?iso-8859-1?B?5C4=?=") },
	/* The space to be seen between them stays to be seen. */
	{ BYTES("=?utf-8?Q?=C3=A4.?= x"), BYTES("=?UTF-8?B?w6QuIHg=?=") },
	{ BYTES("\xc3\xa4 =?utf-8?Q?=C3=A4?="),
	  BYTES("=?UTF-8?B?w6Qg?= =?utf-8?Q?=C3=A4?=") },
	{ BYTES("=?utf-8?Q?=C3=A4?= \xc3\xa4"),
	  BYTES("=?utf-8?Q?=C3=A4?= =?UTF-8?B?IMOk?=") },
	/* And no space comes to be seen where none was. */
	{ BYTES("=?utf-8?Q?=C3=A4?= =?utf-8?Q?b.?="),
	  BYTES("=?utf-8?Q?=C3=A4?= =?UTF-8?B?Yi4=?=") },
	{ BYTES("=?utf-8?Q?b.?= =?utf-8?Q?=C3=A4?="),
	  BYTES("=?UTF-8?B?Yi4=?= =?utf-8?Q?=C3=A4?=") },
	{ BYTES("=?utf-8?Q?a.?= =?utf-8?Q?b.?="), BYTES("\"a.b.\"") },
	/* Control characters inside go. */
	{ BYTES("=?utf-8?Q?a=0D=0Ab?="), BYTES("ab") },
	{ BYTES("=?utf-8?B?YQ0KYg==?="), BYTES("ab") },
	{ BYTES("=?utf-8?Q?a=00b?="), BYTES("ab") },
	{ BYTES("=?utf-8?Q?a=1B[0m?="), BYTES("\"a[0m\"") },
	{ BYTES("=?iso-8859-1?Q?=E4=0A?="), BYTES("=?iso-8859-1?B?5A==?=") },
	/* What only looks like one is shown as it is. */
	{ BYTES("=?utf-8?Q?=zz?="), BYTES("=?UTF-8?B?PT91dGYtOD9RPz16ej89?=") },
	{ BYTES("=?x"), BYTES("=?UTF-8?B?PT94?=") },
	{ BYTES("=?utf-8?B?PT91dGYtOD9RP2EuPz0=?="),
	  BYTES("=?utf-8?B?PT91dGYtOD9RP2EuPz0=?=") },
};

static void test_prints(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(phrases); i++) {
		struct guarded name = guarded_copy(phrases[i].name);
		struct buf out = BUF_INIT(2000);

		phrase_print(&out, name.text, MAX);
		assert_bytes(phrases[i].name.data, buf_text(&out),
			     phrases[i].printed);
		buf_free(&out);
		guarded_free(&name);
	}
}

/* Wherever it is cut, what is left is a name that is printed so again. */
static void test_a_cut_name_is_a_name(void **state)
{
	(void)state;
	for (size_t max = 4; max < 24; max++) {
		struct buf once = BUF_INIT(100), again = BUF_INIT(100);
		struct text name;

		phrase_print(&once, text_of("J D. E. \"F\" G. H."), max);
		assert_true(buf_len(&once) > 0 && buf_len(&once) <= max);
		name = buf_text(&once);
		if (name.data[0] == '"') {
			struct mailbox mailbox;

			buf_puts(&once, " <a@b.example>");
			mailbox_init(&mailbox);
			assert_true(mailbox_parse(&mailbox, buf_text(&once)));
			phrase_print(&again, buf_text(&mailbox.name), max);
			mailbox_free(&mailbox);
		} else {
			phrase_print(&again, name, max);
		}
		assert_bytes("cut", buf_text(&again),
			     text_make(buf_text(&once).data, name.len));
		buf_free(&once);
		buf_free(&again);
	}
}

/* Pieces of which names are made, whole and broken. */
static const char *const pieces[] = {
	"a", "B", " ", "  ", "\t", ".", ",", "@", "\"", "\\", "(", "<", ">",
	"=?", "?=", "?", "=?utf-8?Q?=C3=A4?=", "=?utf-8?B?w6Q=?=",
	"=?utf-8?Q?a.b?=", "=?iso-8859-1?Q?=E4?=", "=?iso-8859-1?Q?=E4.?=",
	"\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x96\xa8", "\xe4", "\r\n", "\x1b",
	"=?utf-8?Q?=0D=0A?=", "word", "=?big5?B?pKQ=?=",
};

static struct buf random_name(struct chance *chance, unsigned max)
{
	struct buf name = BUF_INIT(1 << 16);
	unsigned n = chance_below(chance, max);

	while (n-- > 0)
		buf_puts(&name, pieces[chance_below(chance, COUNT(pieces))]);
	return name;
}

/* Each encoded word that is there can be decoded; returns their octets. */
static void check_words(struct text printed)
{
	struct text word;

	while (text_token(&printed, ' ', &word)) {
		struct rfc2047_word parts;
		struct buf octets = BUF_INIT(4096);

		if (text_starts(word, "=?")) {
			assert_true(rfc2047_word_parse(word, &parts));
			assert_true(rfc2047_word_decode(&octets, &parts));
			if (text_is(parts.charset, "utf-8"))
				assert_true(utf8_is_valid(buf_text(&octets)));
		}
		buf_free(&octets);
	}
}

static void check_phrase(struct text name, size_t max)
{
	struct buf out = BUF_INIT(1 << 16), again = BUF_INIT(1 << 16);
	struct buf line = BUF_INIT(1 << 16);
	struct mailbox mailbox;

	phrase_print(&out, name, max);
	assert_true(buf_len(&out) <= max);
	check_words(buf_text(&out));
	mailbox_init(&mailbox);
	buf_printf(&line, "%s <me@here.example>", buf_string(&out));
	assert_true(mailbox_parse(&mailbox, buf_text(&line)));
	assert_int_equal(mailbox.count, 1);
	assert_string_equal(buf_string(&mailbox.address), "me@here.example");
	phrase_print(&again, buf_text(&mailbox.name), max);
	assert_bytes("again", buf_text(&again), buf_text(&out));
	mailbox_free(&mailbox);
	buf_free(&out);
	buf_free(&again);
	buf_free(&line);
}

/* One mailbox, whole words, and what was printed is printed so again. */
static void test_random_names(void **state)
{
	struct chance chance = chance_of(7);

	(void)state;
	for (int round = 0; round < 5000; round++) {
		struct buf name = random_name(&chance, 12);

		check_phrase(buf_text(&name), MAX);
		buf_free(&name);
	}
}

/* Wherever the end falls, nothing is cut in two. */
static void test_long_names_end_between_words(void **state)
{
	struct chance chance = chance_of(8);

	(void)state;
	for (int round = 0; round < 1000; round++) {
		struct buf name = random_name(&chance, 400);

		check_phrase(buf_text(&name), MAX);
		check_phrase(buf_text(&name), chance_below(&chance, 200));
		buf_free(&name);
	}
}

/* The device's name comes through a mailbox, which holds 1024 octets. */
static void test_a_long_name_in_a_mailbox_ends_between_words(void **state)
{
	static const char *const words[] = {
		"=?utf-8?Q?=C3=A4=C3=B6?= ", "=?utf-8?B?w6Q=?= ", "\xc3\xa4",
		"\xe2\x82\xac", "=?iso-8859-1?Q?=E4?= ", "\xf0\x9f\x96\xa8"
	};

	(void)state;
	for (size_t i = 0; i < COUNT(words) * 40; i++) {
		struct buf value = BUF_INIT(1 << 16);
		struct mailbox mailbox;

		for (size_t k = 0; k < i / COUNT(words); k++)
			buf_putc(&value, 'x');
		buf_putc(&value, ' ');
		while (buf_len(&value) < 1500)
			buf_puts(&value, words[i % COUNT(words)]);
		buf_puts(&value, "<a@b>");
		mailbox_init(&mailbox);
		assert_true(mailbox_parse(&mailbox, buf_text(&value)));
		assert_true(buf_len(&mailbox.name) > 990);
		assert_true(utf8_is_valid(buf_text(&mailbox.name)));
		check_words(buf_text(&mailbox.name));
		check_phrase(buf_text(&mailbox.name), MAX);
		mailbox_free(&mailbox);
		buf_free(&value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prints),
		cmocka_unit_test(test_a_cut_name_is_a_name),
		cmocka_unit_test(test_random_names),
		cmocka_unit_test(test_long_names_end_between_words),
		cmocka_unit_test(
			test_a_long_name_in_a_mailbox_ends_between_words),
	};

	return cmocka_run_group_tests_name("phrase", tests, NULL, NULL);
}
