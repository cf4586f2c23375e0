#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/relay/intake_play.h"

/* How a header ends that begins like this and goes on for len octets. */
static const char *refusal_of(const char *start, const char *line, size_t len)
{
	struct buf content = BUF_INIT(ROOM);
	const char *error;
	struct play play;
	size_t emitted;

	buf_puts(&content, start);
	fill(&content, line, len - 2);
	buf_puts(&content, "\r\n\r\n");
	play_begin(&play, "192.0.2.7", "scanner.example");
	guarded_feed(buf_text(&content), 0, push, &play);
	emitted = buf_len(&play.out);
	push(&play, TEXT("body\r\n"));
	if (!play.pushed) /* and nothing more comes out */
		assert_int_equal(buf_len(&play.out), emitted);
	error = intake_error(play.intake);
	assert_int_equal(error == NULL, play.pushed);
	play_finish(&play);
	assert_int_equal(play.finished, play.pushed);
	buf_free(&content);
	play_free(&play);
	return error;
}

enum { KB = 1024, MB = 1024 * 1024 };

static const struct {
	const char *name, *start, *line;
	size_t len;
	const char *error; /* a word of it; NULL: taken */
} bombs[] = {
	{ "many long fields", GOOD,
	  "X: 0123456789012345678901234567890123456789012345678901234567890123"
	  "45678901234567890123456789012345678901234567890123456789012345678901"
	  "23456789012345678901234567890123456789012345678901234567890123456789"
	  "01234567890123456789012345678901234567890123456789012345678901234567"
	  "89012345678901234567890123456789012345678901234567890123456789012345"
	  "67890123456789012345678901234567890123456789012345678901234567890123"
	  "45678901234567890123456789012345678901234567890123456789012345678901"
	  "234567890123456789012345678901234567890123456789012345678901234567\r\n",
	  1000 * KB, NULL },
	{ "more than a megabyte", GOOD "X: y\r\n", " folded\r\n", MB + 2000,
	  "megabyte" },
	{ "a line of a megabyte", GOOD "X: ", "xxxxxxxx", 1000 * KB, "256 KiB" },
	{ "a line of two megabytes", GOOD "X: ", "xxxxxxxx", 2 * MB,
	  "megabyte" },
	{ "endless folding", GOOD "X: y\r\n", " folded\r\n", 900 * KB,
	  "256 KiB" },
	{ "a long field", GOOD "X: y\r\n", " folded\r\n", 250 * KB, NULL },
	{ "many fields", GOOD, "X: y\r\n", 6 * 1990, NULL },
	{ "too many fields", GOOD, "X: y\r\n", 6 * 2100, "2000 fields" },
	{ "100,000 fields", GOOD, "X: y\r\n", 600 * 1000, "2000 fields" },
	{ "repeated fields", GOOD, "Subject: a\r\n", 900 * KB, "2000 fields" },
	{ "dropped fields", GOOD, "Bcc: a@b.example\r\n", 900 * KB,
	  "2000 fields" },
	{ "10,000 comments", "From: ", "(", 10000, "nest" },
	{ "10,000 comments in To", "To: a@b.example ", "(a)(", 40000, "nest" },
	{ "comments in what is no list", "Subject: ", "(", 10000, NULL },
	{ "comments in a row", "To: a@b.example ", "(a)", 30000, NULL },
	{ "10,000 recipients", "To: ", "a@b.example, ", 130000, NULL },
	{ "10,000 recipients with semicolons", "To: ", "a@b.example;", 120000,
	  NULL },
	{ "8-bit text that grows", GOOD "X: ", "\xe4 a ", 250 * KB, NULL },
};

static void test_header_bombs(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bombs); i++) {
		const char *error = refusal_of(bombs[i].start, bombs[i].line,
		                               bombs[i].len);

		if ((error == NULL) != (bombs[i].error == NULL) ||
		    (error != NULL && strstr(error, bombs[i].error) == NULL))
			fail_msg("%s: %s", bombs[i].name, error);
	}
}

/* What grows by being mended has its limit, too. */
static void test_a_header_that_grows_is_refused(void **state)
{
	struct buf content = BUF_INIT(ROOM);
	struct play play;

	(void)state;
	for (int i = 0; i < 7; i++) {
		buf_printf(&content, "X-%d:", i);
		fill(&content, " \xe4 a", (size_t)(i + 1) * 140 * KB);
		buf_puts(&content, "\r\n");
	}
	play = take_in(buf_text(&content));
	assert_false(play.finished);
	assert_true(buf_len(&play.out) < 4 * MB);
	play_free(&play);
	buf_free(&content);
}

/* A line without an end is held in memory: no more of it than the limit. */
static void test_a_field_without_end_is_refused(void **state)
{
	static const struct text starts[] = { BYTES("Subject: "),
		                              BYTES("From: <"), BYTES("X:") };

	(void)state;
	for (size_t i = 0; i < COUNT(starts); i++) {
		char piece[4096];
		struct play play;
		size_t pushed = 0;

		memset(piece, 'x', sizeof(piece));
		play_begin(&play, "192.0.2.7", "scanner.example");
		push(&play, starts[i]);
		while (play.pushed && pushed < 3u * INTAKE_HEADER_MAX) {
			push(&play, text_make(piece, sizeof(piece)));
			pushed += sizeof(piece);
		}
		assert_false(play.pushed);
		assert_true(pushed < INTAKE_HEADER_MAX + 2 * sizeof(piece));
		assert_false(intake_push(play.intake, TEXT("\r\n\r\n")));
		assert_false(intake_finish(play.intake));
		play_finish(&play);
		play_free(&play);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_bombs),
		cmocka_unit_test(test_a_header_that_grows_is_refused),
		cmocka_unit_test(test_a_field_without_end_is_refused),
	};

	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
