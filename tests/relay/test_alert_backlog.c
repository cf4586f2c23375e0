#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "relay/report/alert_backlog.h"
#include "tests/support/bytes.h"

enum { START = 1000 };

static struct alert_backlog backlog;
static uint64_t now;

static int setup(void **state)
{
	(void)state;
	now = START;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	alert_backlog_clear(&backlog);
	return 0;
}

static void add(const char *subject, const char *body)
{
	alert_backlog_add(&backlog, subject, "event", body, now);
}

static void assert_next(const char *body)
{
	const struct alert_item *item = alert_backlog_next(&backlog, now);

	if (body == NULL) {
		assert_null(item);
		return;
	}
	assert_non_null(item);
	assert_string_equal(item->body, body);
}

static void test_empty(void **state)
{
	(void)state;
	assert_next(NULL);
	assert_null(alert_backlog_current(&backlog));
	assert_true(alert_backlog_wait(&backlog, now) == ALERT_BACKLOG_NEVER);
	assert_false(alert_backlog_failed(&backlog, now));
	alert_backlog_sent(&backlog);
}

static void test_one_at_a_time_in_order(void **state)
{
	(void)state;
	add("account a", "first");
	add("account b", "second");
	assert_int_equal(alert_backlog_wait(&backlog, now), 0);
	assert_next("first");
	assert_next(NULL);
	assert_string_equal(alert_backlog_current(&backlog)->body, "first");
	alert_backlog_sent(&backlog);
	assert_next("second");
	alert_backlog_sent(&backlog);
	assert_next(NULL);
}

/* 5 s, 30 s, 2 min, 10 min; then it is given up. */
static void test_tried_again_and_given_up(void **state)
{
	static const uint64_t waits[] = { 5000, 30000, 120000, 600000 };

	(void)state;
	add("disk", "low");
	for (size_t i = 0; i < COUNT(waits); i++) {
		assert_next("low");
		assert_false(alert_backlog_failed(&backlog, now));
		assert_int_equal(alert_backlog_wait(&backlog, now), waits[i]);
		now += waits[i] - 1;
		assert_next(NULL);
		now++;
	}
	assert_next("low");
	assert_true(alert_backlog_failed(&backlog, now));
	assert_int_equal(backlog.n, 0);
}

/* While one waits for its time others go. */
static void test_one_that_fails_holds_nobody_up(void **state)
{
	(void)state;
	add("account a", "first");
	assert_next("first");
	alert_backlog_failed(&backlog, now);
	add("account b", "second");
	assert_next("second");
	alert_backlog_sent(&backlog);
	now += 5000;
	assert_next("first");
}

static void test_the_newest_news_counts(void **state)
{
	(void)state;
	add("account a", "paused");
	assert_next("paused");
	alert_backlog_failed(&backlog, now);
	add("account a", "resumed");
	assert_int_equal(backlog.n, 1);
	assert_next("resumed"); /* at once */
	alert_backlog_sent(&backlog);
	now += 3600000;
	assert_next(NULL);
}

/* What becomes of the older one is then nobody's business. */
static void test_newer_news_while_one_is_under_way(void **state)
{
	(void)state;
	add("account a", "paused");
	assert_next("paused");
	add("account a", "resumed");
	assert_null(alert_backlog_current(&backlog));
	assert_false(alert_backlog_failed(&backlog, now));
	assert_int_equal(backlog.n, 1);
	assert_next("resumed");
}

static void test_bounded(void **state)
{
	char subject[32];

	(void)state;
	for (unsigned i = 0; i < ALERT_BACKLOG_MAX + 10; i++) {
		snprintf(subject, sizeof(subject), "account %u", i);
		add(subject, subject);
	}
	assert_int_equal(backlog.n, ALERT_BACKLOG_MAX);
	assert_next("account 10");
	snprintf(subject, sizeof(subject), "account %u", ALERT_BACKLOG_MAX + 9);
	assert_string_equal(backlog.items[ALERT_BACKLOG_MAX - 1].body, subject);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_at_a_time_in_order,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_tried_again_and_given_up,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_one_that_fails_holds_nobody_up, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_newest_news_counts,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_newer_news_while_one_is_under_way, setup,
			teardown),
		cmocka_unit_test_setup_teardown(test_bounded, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
