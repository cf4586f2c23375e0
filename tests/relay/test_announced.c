#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "relay/policy/announced.h"
#include "tests/support/bytes.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE,
	DAY = 24 * HOUR };

static void test_what_is_announced(void **state)
{
	static const struct {
		const char *reply;
		int64_t wait_ms;
	} rows[] = {
		{ "Greylisted, try again in 300 seconds", 300 * SECOND },
		{ "greylisted, try again after 59 sec", 59 * SECOND },
		{ "User has exceeded its 24-hour sending limit. Relay quota "
		  "will reset in 2.23 hours.", 8028 * SECOND },
		{ "slow down. Retry-After: 90", 90 * SECOND },
		{ "RETRY-AFTER=5 minutes", 5 * MINUTE },
		{ "Please wait 1 hour", HOUR },
		{ "Retry in 15min", 15 * MINUTE },
		{ "try again\nin 5 minutes", 0 },
		{ "try again in\n5 minutes", 5 * MINUTE },
		{ "retry in 2 days", DAY },
		{ "retry in 0.001 seconds", SECOND },
		{ "retry in 1.99999999999999999999 hours", 2 * HOUR - 3600 },
		{ "retry in 99999999999999999999999 seconds", DAY },
		{ "retry in 0 seconds", 0 },
		{ "retry in 5", 0 },
		{ "try again later", 0 },
		{ "limit of 30 messages in 60 seconds", 0 },
		{ "Retry-After: tomorrow", 0 },
		{ "Retry-After", 0 },
		{ "retry in -5 seconds", 0 },
		{ "", 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		int64_t wait = announced_wait(text_of(rows[i].reply));

		if (wait != rows[i].wait_ms)
			fail_msg("%s: %lld", rows[i].reply, (long long)wait);
	}
}

/* Cut anywhere, a text says no more than it holds. */
static void test_no_octet_behind_its_end(void **state)
{
	static const char words[] = "Retry-After: 2.5 hours";
	size_t len;

	(void)state;
	for (len = 0; len < sizeof words; len++) {
		char *copy = malloc(len + 1);
		int64_t wait;

		memcpy(copy, words, len);
		copy = realloc(copy, len > 0 ? len : 1);
		wait = announced_wait(text_make(copy, len));
		assert_true(wait >= 0 && wait <= DAY);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_announced),
		cmocka_unit_test(test_no_octet_behind_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
