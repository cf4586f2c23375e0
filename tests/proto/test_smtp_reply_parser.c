#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/smtp_reply_parser.h"
#include "tests/support/bytes.h"
#include "tests/support/guarded.h"

/* One line a reply, as smtp_reply_line() writes it but with '|' between its
 * lines; then "broken" if it ended so, or "more" if it ended inside one. */
static const struct {
	const char *name;
	struct text input, replies;
} cases[] = {
	{ "one line", BYTES("250 OK\r\n"), BYTES("250 [] OK\n") },
	{ "status", BYTES("535 5.7.3 Authentication unsuccessful\r\n"),
	  BYTES("535 [5.7.3] Authentication unsuccessful\n") },
	{ "code alone", BYTES("354\r\n"), BYTES("354 [] \n") },
	{ "code and space", BYTES("334 \r\n"), BYTES("334 [] \n") },
	{ "status alone", BYTES("250 2.0.0\r\n"), BYTES("250 [2.0.0] \n") },
	{ "lone LF", BYTES("250 OK\n"), BYTES("250 [] OK\n") },
	{ "CR CR LF", BYTES("250 OK\r\r\n"), BYTES("250 [] OK\n") },
	{ "lone CR inside", BYTES("250 a\rb\r\n"), BYTES("250 [] a\rb\n") },
	{ "several lines",
	  BYTES("250-smtp.example\r\n250-SIZE 10\r\n250 STARTTLS\r\n"),
	  BYTES("250 [] smtp.example|SIZE 10|STARTTLS\n") },
	{ "status on each line",
	  BYTES("550-5.7.26 This mail\r\n550-5.7.26 is not\r\n"
		"550 5.7.26 signed\r\n"),
	  BYTES("550 [5.7.26] This mail|is not|signed\n") },
	{ "status on the first line only",
	  BYTES("550-5.1.1 No such\r\n550 user\r\n"),
	  BYTES("550 [5.1.1] No such|user\n") },
	{ "empty lines", BYTES("250-\r\n250-\r\n250\r\n"),
	  BYTES("250 [] ||\n") },
	{ "status contradicts the code", BYTES("450 5.7.1 no\r\n"),
	  BYTES("450 [] 5.7.1 no\n") },
	{ "the last code counts", BYTES("250-5.1.1 odd\r\n550 2.0.0 x\r\n"),
	  BYTES("550 [5.1.1] odd|2.0.0 x\n") },
	{ "pipelined", BYTES("250 a\r\n250-b\r\n250 c\r\n354 d\r\n"),
	  BYTES("250 [] a\n250 [] b|c\n354 [] d\n") },
	{ "no space behind the code", BYTES("250OK\r\n"),
	  BYTES("250 [] OK\n") },
	{ "NUL stays", BYTES("250 a\0b\r\n"), BYTES("250 [] a\0b\n") },
	{ "unfinished line", BYTES("250 a"), BYTES("more") },
	{ "unfinished reply", BYTES("250-a\r\n"), BYTES("more") },
	{ "nothing", BYTES(""), BYTES("") },
	{ "empty line", BYTES("\r\n"), BYTES("broken") },
	{ "two digits", BYTES("25\r\n"), BYTES("broken") },
	{ "class 1", BYTES("150 a\r\n"), BYTES("broken") },
	{ "class 6", BYTES("650 a\r\n"), BYTES("broken") },
	{ "HTTP", BYTES("HTTP/1.1 400 Bad Request\r\n"), BYTES("broken") },
	{ "TLS alert", BYTES("\x15\x03\x01\x00\x02\x02\x46"), BYTES("broken") },
	{ "after a good one", BYTES("220 a\r\n-ERR\r\n"),
	  BYTES("220 [] a\nbroken") },
	{ "in the middle", BYTES("250-a\r\nOK\r\n"), BYTES("broken") },
};

struct heard {
	struct smtp_reply_parser parser;
	struct buf log;
	bool broken;
};

static void write_down(struct buf *log, const struct smtp_reply *reply)
{
	char status[16];

	buf_printf(log, "%d [%s] ", reply->code,
		   smtp_status_string(&reply->status, status));
	for (size_t i = 0; i < reply->text.len; i++)
		buf_putc(log, reply->text.data[i] == '\n'
				      ? '|'
				      : reply->text.data[i]);
	buf_putc(log, '\n');
}

static void hear(void *ctx, struct text piece)
{
	struct heard *heard = ctx;
	struct smtp_reply reply;
	int result;

	if (heard->broken)
		return;
	while ((result = smtp_reply_parser_push(&heard->parser, &piece,
						&reply)) > 0) {
		assert_true(smtp_reply_parser_idle(&heard->parser));
		write_down(&heard->log, &reply);
	}
	heard->broken = result < 0;
	if (result == 0)
		assert_int_equal(piece.len, 0);
}

static void hear_case(size_t i, size_t way)
{
	struct heard heard = { .log = BUF_INIT(4096) };

	smtp_reply_parser_init(&heard.parser);
	assert_true(smtp_reply_parser_idle(&heard.parser));
	guarded_feed(cases[i].input, way, hear, &heard);
	if (heard.broken)
		buf_puts(&heard.log, "broken");
	else if (!smtp_reply_parser_idle(&heard.parser))
		buf_puts(&heard.log, "more");
	assert_bytes(cases[i].name, buf_text(&heard.log), cases[i].replies);
	smtp_reply_parser_free(&heard.parser);
	buf_free(&heard.log);
}

static void test_replies_whole_and_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		for (size_t way = 0; way < guarded_ways(cases[i].input); way++)
			hear_case(i, way);
}

/* line_len octets a line with its end, so many lines: what push returns. */
static int push_lines(size_t line_len, unsigned lines)
{
	struct smtp_reply_parser parser;
	struct smtp_reply reply;
	char line[5000];
	int result = 0;

	smtp_reply_parser_init(&parser);
	memset(line, 'x', sizeof(line));
	memcpy(line + line_len - 2, "\r\n", 2);
	for (unsigned i = 1; i <= lines && result == 0; i++) {
		struct text input = text_make(line, line_len);

		memcpy(line, i == lines ? "250 " : "250-", 4);
		result = smtp_reply_parser_push(&parser, &input, &reply);
	}
	smtp_reply_parser_free(&parser);
	return result;
}

static void test_limits(void **state)
{
	(void)state;
	assert_int_equal(push_lines(4096, 1), 1);
	assert_int_equal(push_lines(4097, 1), -1);
	assert_int_equal(push_lines(10, 128), 1);
	assert_int_equal(push_lines(10, 129), -1);
	assert_int_equal(push_lines(4096, 16), 1);
	assert_int_equal(push_lines(4096, 17), -1);
}

static void test_says_what_it_stumbled_on(void **state)
{
	struct smtp_reply_parser parser;
	struct text input = TEXT("HTTP/1.1 400 Bad Request\r\nmore\r\n");
	struct smtp_reply reply;

	(void)state;
	smtp_reply_parser_init(&parser);
	assert_int_equal(smtp_reply_parser_push(&parser, &input, &reply), -1);
	assert_true(text_starts(smtp_reply_parser_rest(&parser),
				"HTTP/1.1 400 Bad Request"));
	smtp_reply_parser_free(&parser);
	smtp_reply_parser_init(&parser);
	input = TEXT("250 half");
	assert_int_equal(smtp_reply_parser_push(&parser, &input, &reply), 0);
	assert_bytes("rest", smtp_reply_parser_rest(&parser), TEXT("250 half"));
	smtp_reply_parser_free(&parser);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replies_whole_and_split),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_says_what_it_stumbled_on),
	};

	return cmocka_run_group_tests_name("smtp_reply_parser", tests, NULL,
					   NULL);
}
