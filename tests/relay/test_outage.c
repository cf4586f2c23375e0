#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "relay/outbound/outage.h"
#include "relay/report/log.h"
#include "tests/relay/queue_scene.h"
#include "tests/support/tempdir.h"

#define MINUTES(n) (UINT64_C(60000) * (n))

static struct queue_scene scene;
static struct outage outage;
static int log_file;

static const struct trouble refused = { .kind = BREAKER_LOGIN,
	.reason = "login-refused", .title = "Login refused",
	.explanation = "The password is wrong.", .fix = "Enter it again.",
	.reply = "535 5.7.8 no" };
static const struct trouble quota = { .kind = BREAKER_REST,
	.reason = "quota", .explanation = "Enough for today.", .fix = "Wait.",
	.reply = "454 4.7.0 quota", .wait_ms = MINUTES(90) };

/* --- scenes ------------------------------------------------------------- */

static void start(void)
{
	if (!queue_scene_open(&scene, tempdir_path("spool")))
		fail_msg("%s", scene.store.error);
	outage_init(&outage, &scene.services, "default");
}

static void stop(void)
{
	outage_free(&outage);
	queue_scene_close(&scene);
}

static int setup(void **state)
{
	(void)state;
	tempdir_make();
	log_file = open(tempdir_path("log"), O_CREAT | O_RDWR | O_APPEND, 0600);
	log_setup(log_file, LOG_FORMAT_TEXT, LOG_INFO);
	start();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stop();
	log_flush();
	close(log_file);
	tempdir_remove();
	return 0;
}

static struct account_config *account(void)
{
	return &scene.services.config->accounts[0];
}

static uint64_t now(void)
{
	return loop_now_ms(scene.store.loop);
}

static void begin(const struct trouble *trouble)
{
	outage_begin(&outage, account(), trouble, now());
}

/* The server ends and comes back. */
static void restart(const char *password)
{
	struct account_record *records;
	size_t i, n;

	stop();
	start();
	account()->password = xstrdup(password);
	records = store_take_accounts(scene.store.store, &n);
	assert_true(n <= 1);
	for (i = 0; i < n; i++) {
		outage_restore(&outage, account(), &records[i], now());
		account_record_clear(&records[i]);
	}
	free(records);
}

static unsigned said(const char *words)
{
	static char text[1 << 20];
	const char *at = text;
	unsigned count = 0;
	ssize_t n;

	log_flush();
	n = pread(log_file, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	for (; (at = strstr(at, words)) != NULL; at++)
		count++;
	return count;
}

/* --- tests -------------------------------------------------------------- */

static void test_told_once(void **state)
{
	(void)state;
	begin(&refused);
	begin(&refused); /* another connection of the same outage */
	assert_true(outage_lasts(&outage));
	assert_int_equal(said("account-paused"), 1);
	assert_int_equal(outage_wait(&outage, now()), MINUTES(30));
	assert_string_equal(outage.trouble.reason, "login-refused");
	outage_end(&outage);
	outage_end(&outage);
	assert_int_equal(said("account-resumed"), 1);
	assert_int_equal(said("lasted_ms="), 1);
}

static void test_each_probe_that_fails_is_told(void **state)
{
	uint64_t later;

	(void)state;
	begin(&refused);
	later = now() + MINUTES(30);
	assert_true(outage_is_over(&outage, later));
	assert_true(outage_is_probing(&outage));
	outage_begin(&outage, account(), &refused, later);
	assert_int_equal(said("account-paused"), 2);
	assert_int_equal(outage_wait(&outage, later), MINUTES(120));
	assert_int_equal(outage.number, 1);
}

static void test_what_waits_is_told_of(void **state)
{
	struct waiting_mail soon = { .expires_ms = wall_now_ms() + 3600000 };
	struct waiting_mail late = { .expires_ms = wall_now_ms() + 86400000 };

	(void)state;
	queue_scene_add(&scene, 1, &late);
	queue_scene_add(&scene, 2, &soon);
	begin(&refused);
	assert_int_equal(said("waiting=2"), 1);
	assert_int_equal(said("expires_in_ms=3"), 1); /* 3.6 million or less */
	outage_tell(&outage);
	outage_tell(&outage);
	assert_int_equal(said(" deferred "), 2);
}

static void test_about_to_expire(void **state)
{
	struct waiting_mail soon = { .expires_ms = wall_now_ms() + 3600000 };
	struct waiting_mail late = { .expires_ms = wall_now_ms() +
		3 * INT64_C(86400000) };

	(void)state;
	queue_scene_add(&scene, 1, &late);
	outage_watch(&outage);
	begin(&refused);
	outage_watch(&outage);
	assert_int_equal(said("expiring="), 0);
	queue_scene_add(&scene, 2, &soon);
	outage_watch(&outage);
	outage_watch(&outage);
	assert_int_equal(said("expiring=1"), 1);
}

static void test_only_mail_ends_a_rest(void **state)
{
	(void)state;
	begin(&quota);
	assert_false(outage_needs_mail(&outage));
	assert_true(outage_is_over(&outage, now() + MINUTES(90)));
	assert_true(outage_needs_mail(&outage));
	assert_int_equal(said(" throttled "), 1);
}

static void test_held(void **state)
{
	(void)state;
	begin(&refused);
	outage_hold(&outage, account());
	outage_hold(&outage, account());
	assert_true(outage_is_held(&outage));
	assert_true(outage_wait(&outage, now()) == BREAKER_NEVER);
	assert_false(outage_is_over(&outage, now() + MINUTES(1000000)));
	begin(&quota); /* a connection that was under way */
	assert_true(outage_is_held(&outage));
	assert_int_equal(said("reason=paused-by-operator"), 1);
	assert_int_equal(said("account resume default"), 1);
}

static void test_hurried(void **state)
{
	(void)state;
	begin(&refused);
	outage_hurry(&outage, now());
	assert_int_equal(outage_wait(&outage, now()), 0);
	assert_true(outage_is_over(&outage, now()));
	assert_true(outage_is_probing(&outage));
	outage_end(&outage);
	assert_false(outage_lasts(&outage));
}

/* --- restarts ----------------------------------------------------------- */

static void test_a_refused_login_outlives_a_restart(void **state)
{
	int64_t since;

	(void)state;
	account()->password = xstrdup("it");
	begin(&refused);
	since = outage.since_ms;
	restart("it");
	assert_true(outage_lasts(&outage));
	assert_int_equal(outage.since_ms, since);
	assert_string_equal(outage.trouble.reason, "login-refused");
	assert_string_equal(outage.trouble.reply, "535 5.7.8 no");
	assert_non_null(outage.trouble.fix);
	assert_in_range(outage_wait(&outage, now()), MINUTES(29), MINUTES(30));
	assert_true(outage_is_over(&outage, now() + MINUTES(30)));
	outage_begin(&outage, account(), &refused, now());
	assert_int_equal(outage_wait(&outage, now()), MINUTES(120));
	restart("it"); /* with its second wait */
	assert_in_range(outage_wait(&outage, now()), MINUTES(119),
			MINUTES(120));
}

static void test_another_password_is_tried_at_once(void **state)
{
	(void)state;
	account()->password = xstrdup("it");
	begin(&refused);
	restart("not it any more");
	assert_true(outage_lasts(&outage));
	assert_int_equal(outage_wait(&outage, now()), 0);
}

static void test_a_rest_outlives_a_restart(void **state)
{
	(void)state;
	begin(&quota);
	restart(NULL);
	assert_int_equal(outage.breaker.trouble, BREAKER_REST);
	assert_in_range(outage_wait(&outage, now()), MINUTES(89), MINUTES(90));
}

static void test_held_outlives_a_restart(void **state)
{
	(void)state;
	outage_hold(&outage, account());
	restart("another login");
	assert_true(outage_is_held(&outage));
	assert_true(outage_wait(&outage, now()) == BREAKER_NEVER);
	assert_string_equal(outage.trouble.reason, "paused-by-operator");
}

static void test_what_is_over_is_forgotten(void **state)
{
	(void)state;
	begin(&refused);
	outage_end(&outage);
	restart(NULL);
	assert_false(outage_lasts(&outage));
}

static void test_unreachable_is_tried_at_once(void **state)
{
	static const struct trouble away = { .kind = BREAKER_UNREACHABLE,
		.reason = "dns-failed", .wait_ms = MINUTES(60) };

	(void)state;
	begin(&away);
	assert_int_equal(said("upstream-failed"), 1);
	restart(NULL);
	assert_false(outage_lasts(&outage));
}

static void test_a_clock_that_jumped(void **state)
{
	struct account_record record = { .account = (char *)"default",
		.state = BREAKER_REST, .failures = 1,
		.reason = (char *)"quota", .since_ms = wall_now_ms(),
		.retry_ms = wall_now_ms() + INT64_C(86400000) * 365 };
	char fingerprint[64];

	(void)state;
	assert_in_range(outage_record_wait(&record), 1, MINUTES(48 * 60));
	/* It began a year from now, and was to last for an hour. */
	record.since_ms = record.retry_ms - MINUTES(60);
	assert_int_equal(outage_record_wait(&record), MINUTES(60));
	record.retry_ms = 1;
	assert_int_equal(outage_record_wait(&record), 0);
	/* Rubbish in the row pauses nobody for ever. */
	snprintf(fingerprint, sizeof(fingerprint), "?");
	record.fingerprint = fingerprint;
	record.state = 77;
	outage_restore(&outage, account(), &record, now());
	assert_false(outage_lasts(&outage));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_told_once),
		TEST(test_each_probe_that_fails_is_told),
		TEST(test_what_waits_is_told_of),
		TEST(test_about_to_expire),
		TEST(test_only_mail_ends_a_rest),
		TEST(test_held),
		TEST(test_hurried),
		TEST(test_a_refused_login_outlives_a_restart),
		TEST(test_another_password_is_tried_at_once),
		TEST(test_a_rest_outlives_a_restart),
		TEST(test_held_outlives_a_restart),
		TEST(test_what_is_over_is_forgotten),
		TEST(test_unreachable_is_tried_at_once),
		TEST(test_a_clock_that_jumped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
