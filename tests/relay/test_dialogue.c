#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/utf8.h"
#include "proto/xalloc.h"
#include "relay/outbound/dialogue.h"
#include "tests/support/bytes.h"

static struct dialogue *dialogue;

static int setup(void **state)
{
	(void)state;
	dialogue = dialogue_new();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	dialogue_free(&dialogue);
	assert_null(dialogue);
	return 0;
}

static void said(char side, const char *line)
{
	dialogue_line(dialogue, side, text_of(line));
}

static void assert_text(uint64_t from, const char *expected)
{
	assert_string_equal(dialogue_text(dialogue, from, NULL), expected);
}

static void test_what_was_said(void **state)
{
	(void)state;
	assert_text(0, "");
	dialogue_note(dialogue, "connected to %s", "192.0.2.1:587");
	said('<', "220 x");
	said('>', "EHLO relay.example");
	said('<', "");
	assert_text(0, "* connected to 192.0.2.1:587\n< 220 x\n"
	               "> EHLO relay.example\n< \n");
	assert_text(0, "* connected to 192.0.2.1:587\n< 220 x\n"
	               "> EHLO relay.example\n< \n"); /* as often as asked */
}

static void test_each_transaction_behind_the_opening(void **state)
{
	uint64_t first, second, third;

	(void)state;
	said('<', "220 x");
	first = dialogue_begin(dialogue);
	said('>', "MAIL one");
	second = dialogue_begin(dialogue);
	said('>', "MAIL two");
	said('<', "250 one");
	said('<', "550 two");
	third = dialogue_begin(dialogue);
	assert_text(first, "< 220 x\n> MAIL one\n> MAIL two\n< 250 one\n"
	                   "< 550 two\n");
	assert_text(second, "< 220 x\n> MAIL two\n< 250 one\n< 550 two\n");
	assert_text(third, "< 220 x\n");
	assert_text(0, "< 220 x\n> MAIL one\n> MAIL two\n< 250 one\n"
	               "< 550 two\n");
}

static void test_a_long_line_is_cut(void **state)
{
	char line[2000];
	const char *text, *end;

	(void)state;
	memset(line, 'x', sizeof(line));
	dialogue_line(dialogue, '<', text_make(line, 509));
	text = dialogue_text(dialogue, 0, NULL);
	assert_int_equal(strlen(text), 512);
	assert_null(strstr(text, "[cut]"));
	dialogue_line(dialogue, '<', text_make(line, 510));
	end = strstr(dialogue_text(dialogue, 0, NULL), "\n< x") + 1;
	assert_int_equal(strlen(end), 512);
	assert_string_equal(end + 512 - 7, " [cut]\n");
	dialogue_note(dialogue, "%.*s", (int)sizeof(line), line);
	end = strstr(dialogue_text(dialogue, 0, NULL), "* x");
	assert_int_equal(strlen(end), 512);
}

/* Beginning and end stay, whole lines, and how much is missing between them is
 * told: nothing is lost unseen. */
static void check_bounds(unsigned lines, size_t len)
{
	size_t missing = 0, kept, total = 0;
	const char *text, *cut, *line;
	unsigned seen = 0;

	for (unsigned i = 0; i < lines; i++) {
		char *words = xasprintf("%05u %0*d", i, (int)len, 0);

		said('<', words);
		total += 2 + strlen(words) + 1;
		free(words);
	}
	text = dialogue_text(dialogue, 0, NULL);
	kept = strlen(text);
	assert_true(kept < DIALOGUE_MAX);
	assert_true(strncmp(text, "< 00000 ", 8) == 0);
	cut = strstr(text, "* [");
	assert_int_equal(cut != NULL, total > 16 * 1024 - 128);
	if (cut != NULL) {
		missing = strtoul(cut + 3, NULL, 10);
		kept -= (size_t)(strchr(cut, '\n') + 1 - cut);
		assert_true(cut[-1] == '\n');
	}
	assert_int_equal(missing + kept, total);
	for (line = text; *line; line = strchr(line, '\n') + 1)
		if (*line == '<')
			seen = (unsigned)strtoul(line + 2, NULL, 10);
	assert_int_equal(seen, lines - 1);
}

static void test_beginning_and_end_are_kept(void **state)
{
	(void)state;
	for (unsigned lines = 1; lines < 3000; lines = lines * 3 / 2 + 1) {
		for (size_t len = 1; len < 500; len = len * 3 + 1) {
			check_bounds(lines, len);
			dialogue_free(&dialogue);
			dialogue = dialogue_new();
		}
	}
}

/* Of a transaction, too, when more has been said in it than is kept. */
static void test_a_transaction_that_babbles(void **state)
{
	uint64_t from;
	const char *text;

	(void)state;
	said('<', "220 x");
	from = dialogue_begin(dialogue);
	said('>', "MAIL");
	for (unsigned i = 0; i < 3000; i++)
		said('<', "250-and so on, and on, and on");
	said('<', "550 no");
	text = dialogue_text(dialogue, from, NULL);
	assert_true(strncmp(text, "< 220 x\n* [", 11) == 0);
	assert_true(strlen(text) < DIALOGUE_MAX);
	assert_string_equal(strstr(text, "< 550"), "< 550 no\n");
}

static void test_control_characters_stay_utf8_is_mended(void **state)
{
	static const char hostile[] = "\x1b[2J \r\n\n \0 \xff\xc3 \xc3\xa4 \xed\xa0\x80";

	(void)state;
	dialogue_line(dialogue, '<', text_make(hostile, sizeof(hostile) - 1));
	assert_text(0, "< \x1b[2J \r   ? ?? \xc3\xa4 ???\n");
}

/* A character is not cut in two where a line is. */
static void test_characters_stay_whole(void **state)
{
	char line[1200];

	(void)state;
	for (size_t shift = 0; shift < 3; shift++) {
		memset(line, 'x', shift);
		for (size_t i = shift; i + 3 <= sizeof(line); i += 3)
			memcpy(line + i, "\xe2\x82\xac", 3);
		dialogue_line(dialogue, '<', text_make(line, sizeof(line) - 3));
	}
	assert_null(strchr(dialogue_text(dialogue, 0, NULL), '?'));
}

static void test_secrets_are_masked(void **state)
{
	const struct sasl_credentials who = { "scan", "hunter2" };
	const struct sasl_credentials tiny = { "scan", "abc" };
	const char *text;

	(void)state;
	said('<', "550 you are hunter2, or aHVudGVyMg==, or "
	          "AHNjYW4AaHVudGVyMg==");
	assert_string_equal(dialogue_text(dialogue, 0, &who),
	                    "< 550 you are (masked), or (masked), or "
	                    "(masked)\n");
	for (unsigned i = 0; i < 10000; i++)
		said('<', "abcabcabcabc");
	text = dialogue_text(dialogue, 0, &tiny);
	assert_null(strstr(text, "abc"));
	assert_true(strlen(text) < DIALOGUE_MAX);
}

int main(void)
{
#define DIALOGUE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		DIALOGUE_TEST(test_what_was_said),
		DIALOGUE_TEST(test_each_transaction_behind_the_opening),
		DIALOGUE_TEST(test_a_long_line_is_cut),
		DIALOGUE_TEST(test_beginning_and_end_are_kept),
		DIALOGUE_TEST(test_a_transaction_that_babbles),
		DIALOGUE_TEST(test_control_characters_stay_utf8_is_mended),
		DIALOGUE_TEST(test_characters_stay_whole),
		DIALOGUE_TEST(test_secrets_are_masked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
