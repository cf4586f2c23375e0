/* Twice the header, twice the steps: proto/ and the rewriting are built here so
 * that each basic block they run through is counted (GCC's and clang's
 * -fsanitize-coverage=trace-pc), and no clock is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "relay/policy/rewrite.h"
#include "tests/support/bytes.h"

#define END "\r\n\r\n"

enum { SMALL = 32 * 1024, ROOM = 16 * 1024 * 1024 };

static uint64_t steps;

void __sanitizer_cov_trace_pc(void);

void __sanitizer_cov_trace_pc(void)
{
	steps++;
}

/* What a header may be made of: begin, repeat again and again, end. */
static const struct {
	const char *begin, *repeat, *end;
} bombs[] = {
	{ "From: A <a@old.example>\r\n", "X: y\r\n", "\r\n" },
	{ "From: A <a@old.example>\r\n", "Bcc: a@b.example\r\n", "\r\n" },
	{ "", "From: A <a@old.example>\r\n", "\r\n" },
	{ "", "From:\r\n", "From: A <a@old.example>" END },
	{ "", "From: A <a@\r\n", "\r\n" },
	{ "From: A <a@old.example>\r\n", "Reply-To:\r\n", "\r\n" },
	{ "", "Sender: s@old.example\r\n", "From: a@old.example" END },
	{ "From: A <a@old.example>\r\n",
	  "Disposition-Notification-To: A <a@old.example>\r\n", "\r\n" },
	{ "From: A <a@old.example>\r\nErrors-To: ", "a@old.example,", END },
	{ "From: ", "a@old.example,", END },
	{ "From: ", "A <a@old.example>,\r\n ", "b@old.example" END },
	{ "From: ", "a@b.local;", END },
	{ "From: ", "(", END },
	{ "From: ", "()", "a@old.example" END },
	{ "From: (", "\\)", ") a@old.example" END },
	{ "From: ", "<", END },
	{ "From: ", ">", END },
	{ "From: ", "[", END },
	{ "From: ", ":", "a@old.example" END },
	{ "From: ", ",", "a@old.example" END },
	{ "From: ", "x:", "a@old.example" END },
	{ "From: ", "\"\" ", "<a@old.example>" END },
	{ "From: ", "\"", END },
	{ "From: \"", "\\\"", "\" <a@old.example>" END },
	{ "From: ", "\xc3\xa4", " <a@old.example>" END },
	{ "From: ", "\xe4 ", "<a@old.example>" END },
	{ "From: ", "=?utf-8?Q?a?= ", "<a@old.example>" END },
	{ "From: ", "=?utf-8?Q?a?=", "<a@old.example>" END },
	{ "From: ", "=?", "<a@old.example>" END },
	{ "From: ", "=?a", "<a@old.example>" END },
	{ "From: ", "=?a?", "<a@old.example>" END },
	{ "From: ", "=?a,", "<a@old.example>" END },
	{ "From: =?utf-8?B?", "YQ", "?= <a@old.example>" END },
	{ "From: =?utf-8?Q?", "=C3=A4", "?= <a@old.example>" END },
	{ "From: ", "x\r\n ", "<a@old.example>" END },
	{ "From: ", "a", "@old.example" END },
	{ "From: a@", "a.", "example" END },
	{ "From: <", "@a,", ":a@old.example>" END },
	{ "From: <", "@a:", "a@old.example>" END },
	{ "From: A <a@old.example>\r\nX:", " a\r\n", "\r\n" },
	{ "", "F", END },
};

static uint64_t steps_for(size_t i, size_t size, const char *from)
{
	struct rewrite settings = { .from = from,
		                    .identity = "relay@contoso.com" };
	struct buf header = BUF_INIT(ROOM), out = BUF_INIT(ROOM);

	buf_puts(&header, bombs[i].begin);
	while (buf_len(&header) < size)
		buf_puts(&header, bombs[i].repeat);
	buf_puts(&header, bombs[i].end);
	steps = 0;
	assert_true(rewrite_header(&out, buf_text(&header), &settings));
	buf_free(&header);
	buf_free(&out);
	return steps;
}

static void check(const char *from)
{
	for (size_t i = 0; i < COUNT(bombs); i++) {
		uint64_t once = steps_for(i, SMALL, from);
		uint64_t eight = steps_for(i, 8 * SMALL, from);

		assert_true(once > 0);
		if (eight > 9 * once || once > 600 * (uint64_t)SMALL)
			fail_msg("%s: %llu steps, and %llu for eight times as "
			         "much", bombs[i].repeat,
			         (unsigned long long)once,
			         (unsigned long long)eight);
	}
}

static void test_steps_grow_with_the_header(void **state)
{
	(void)state;
	check("relay@contoso.com");
	check(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps_grow_with_the_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
