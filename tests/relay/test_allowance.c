/* What an account may send, with the real store and in spite of kills. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "relay/config/config.h"
#include "relay/outbound/allowance.h"
#include "tests/relay/store_scene.h"
#include "tests/relay/store_sql.h"
#include "tests/support/tempdir.h"

static struct scene scene;
static struct services services;
static char *folder;

/* --- scenes ----------------------------------------------------------------- */

static void configure(const char *text)
{
	static char *const environment[] = { NULL };
	struct config_error error = { NULL };

	config_unref(&services.config);
	tempdir_write("lanpost.conf", text);
	assert_int_equal(chmod(tempdir_path("lanpost.conf"), 0600), 0);
	services.config = config_load(tempdir_path("lanpost.conf"), environment,
	                              NULL, &error);
	if (services.config == NULL)
		fail_msg("%s", error.message);
}

#define ACCOUNT(name, login, limits)                                      \
	"[account " name "]\nhost = smtp.example.com\nusername = " login \
	"\npassword = x\nsenders = a@example.com\n" limits "\n"

static void start(void)
{
	if (!scene_open(&scene, folder))
		fail_msg("%s", scene.error);
	services.loop = scene.loop;
	services.spool = scene.spool;
	services.store = scene.store;
	services.allowances = allowances_new(&services);
}

/* As kill -9 leaves it, but for what was posted already. */
static void kill_it(void)
{
	store_close(&scene.store);
	allowances_free(&services.allowances);
	scene_close(&scene);
}

static void stop(void)
{
	allowances_stop(services.allowances);
	kill_it();
}

static int setup(void **state)
{
	(void)state;
	tempdir_make();
	folder = xstrdup(tempdir_path("spool"));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stop();
	config_unref(&services.config);
	free(folder);
	tempdir_remove();
	return 0;
}

static struct allowance *of(const char *name)
{
	return allowance_of(services.allowances,
	                    config_account(services.config, name));
}

static void on_reserved(void *ctx)
{
	bool *reserved = ctx;

	*reserved = true;
	loop_stop(scene.loop);
}

static void wait_for_disk(struct allowance *allowance)
{
	bool reserved = false;
	struct allowance_watch watch = { on_reserved, &reserved, { 0 } };
	struct timer *patience = timer_new(scene.loop, scene_gave_up, NULL);

	allowance_watch(allowance, &watch);
	timer_start(patience, 60000);
	while (!reserved)
		loop_run(scene.loop);
	timer_free(&patience);
	allowance_unwatch(allowance, &watch);
}

/* GO, or why not; by the disk if need be. */
static enum allowance_answer take(const char *name, size_t recipients,
                                  struct ticket *ticket)
{
	enum allowance_answer answer;
	struct allowance_wait wait;

	while ((answer = allowance_take(of(name), recipients, false, ticket,
	                                &wait)) == ALLOWANCE_RESERVING)
		wait_for_disk(of(name));
	return answer;
}

static bool send_one(const char *name, size_t recipients)
{
	struct ticket ticket;

	if (take(name, recipients, &ticket) != ALLOWANCE_GO)
		return false;
	ticket_spend(&ticket);
	assert_null(ticket.allowance);
	return true;
}

static size_t send_all(const char *name)
{
	size_t n = 0;

	while (send_one(name, 1))
		n++;
	return n;
}

static size_t left(const char *name)
{
	return budget_messages_left(allowance_budget(of(name)),
	                            loop_now_ms(scene.loop));
}

/* --- tests ------------------------------------------------------------------ */

static void test_without_limits_nothing_is_written(void **state)
{
	struct ticket ticket;
	struct allowance_wait wait;

	(void)state;
	configure(ACCOUNT("a", "a@example.com", ""));
	start();
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(allowance_take(of("a"), 1, false, &ticket,
		                                &wait),
		                 ALLOWANCE_GO);
		ticket_spend(&ticket);
	}
	stop();
	assert_int_equal(sql_number(folder, "SELECT count(*) FROM usage"), 0);
	start();
}

static void test_nothing_goes_before_the_disk_knows(void **state)
{
	struct ticket ticket;
	struct allowance_wait wait;

	(void)state;
	configure(ACCOUNT("a", "a@example.com", "messages_per_day = 500"));
	start();
	assert_int_equal(allowance_take(of("a"), 1, false, &ticket, &wait),
	                 ALLOWANCE_RESERVING);
	assert_int_equal(allowance_take(of("a"), 1, false, &ticket, &wait),
	                 ALLOWANCE_RESERVING);
	wait_for_disk(of("a"));
	assert_int_equal(sql_number(folder, "SELECT sum(messages) FROM usage"
	                                 " WHERE is_open"),
	                 5);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(allowance_take(of("a"), 1, false, &ticket,
		                                &wait),
		                 ALLOWANCE_GO);
		ticket_spend(&ticket);
	}
	assert_int_equal(allowance_take(of("a"), 1, false, &ticket, &wait),
	                 ALLOWANCE_RESERVING);
}

static void test_a_clean_stop_forgets_nothing_and_costs_nothing(void **state)
{
	(void)state;
	configure(ACCOUNT("a", "a@example.com", "messages_per_day = 500"));
	start();
	for (unsigned i = 0; i < 7; i++)
		assert_true(send_one("a", 1));
	for (unsigned i = 0; i < 10; i++) {
		stop();
		start();
		assert_int_equal(left("a"), 493);
	}
	assert_int_equal(sql_number(folder, "SELECT sum(messages) FROM usage"), 7);
}

static void test_what_is_given_back_is_not_spent(void **state)
{
	struct ticket ticket = { 0 };

	(void)state;
	configure(ACCOUNT("a", "a@example.com", "messages_per_day = 500"));
	start();
	assert_int_equal(take("a", 1, &ticket), ALLOWANCE_GO);
	assert_int_equal(left("a"), 499);
	ticket_give_back(&ticket);
	ticket_give_back(&ticket); /* none */
	ticket_spend(&ticket);
	assert_int_equal(left("a"), 500);
	stop();
	assert_int_equal(sql_number(folder, "SELECT count(*) FROM usage"), 0);
	start();
}

/* Killed again and again, with messages on their way that count. */
static void test_kills_never_make_it_more(void **state)
{
	enum { DAY = 300, CHUNK = 3 };
	size_t sent = 0, kills = 0;
	struct ticket on_its_way;

	(void)state;
	configure(ACCOUNT("a", "a@example.com", "messages_per_day = 300"));
	start();
	while (take("a", 1, &on_its_way) == ALLOWANCE_GO) {
		sent++;
		for (unsigned i = 0; i < kills % 5 && send_one("a", 1); i++)
			sent++;
		kill_it();
		kills++;
		start();
		assert_in_range(left("a"), 0, DAY - sent);
	}
	assert_in_range(sent, DAY - kills * (CHUNK - 1), DAY);
	assert_true(kills > 50);
	for (unsigned i = 0; i < 3; i++) {
		stop();
		start();
		assert_false(send_one("a", 1));
	}
}

static void test_a_kill_does_not_exceed_the_minute(void **state)
{
	(void)state;
	configure(ACCOUNT("a", "a@example.com", "messages_per_minute = 30"));
	start();
	for (unsigned i = 0; i < 10; i++)
		assert_true(send_one("a", 1));
	kill_it();
	start();
	assert_in_range(send_all("a"), 0, 20);
}

static void test_recipients_are_kept(void **state)
{
	(void)state;
	configure(ACCOUNT("a", "a@example.com", "recipients_per_day = 1000"));
	start();
	assert_true(send_one("a", 400));
	assert_true(send_one("a", 400));
	assert_false(send_one("a", 400));
	stop();
	start();
	assert_false(send_one("a", 201));
	assert_true(send_one("a", 200));
	assert_false(send_one("a", 1));
}

static void test_regardless_of_the_limit(void **state)
{
	struct ticket ticket;
	struct allowance_wait wait;

	(void)state;
	configure(ACCOUNT("a", "a@example.com", "messages_per_day = 2"));
	start();
	assert_int_equal(send_all("a"), 2);
	assert_int_equal(allowance_take(of("a"), 1, false, &ticket, &wait),
	                 ALLOWANCE_WAIT);
	assert_int_equal(wait.limit, BUDGET_MESSAGES_PER_DAY);
	assert_in_range(wait.ms, 86400000 - 60000, 86400000 + 60000);
	assert_int_equal(allowance_take(of("a"), 1, true, &ticket, &wait),
	                 ALLOWANCE_RESERVING);
	wait_for_disk(of("a"));
	assert_int_equal(allowance_take(of("a"), 1, true, &ticket, &wait),
	                 ALLOWANCE_GO);
	ticket_spend(&ticket);
}

/* --- which is whose --------------------------------------------------------- */

static void test_accounts_are_separate(void **state)
{
	(void)state;
	configure(ACCOUNT("a", "a@example.com", "messages_per_day = 10")
	          ACCOUNT("b", "b@example.com", "messages_per_day = 10"));
	start();
	assert_int_equal(send_all("a"), 10);
	stop();
	start();
	assert_int_equal(left("a"), 0);
	assert_int_equal(send_all("b"), 10);
}

static void test_another_name_is_no_other_mailbox(void **state)
{
	(void)state;
	configure(ACCOUNT("a", "a@example.com", "messages_per_day = 10"));
	start();
	assert_int_equal(send_all("a"), 10);
	configure(ACCOUNT("b", "A@Example.com", "messages_per_day = 15"));
	allowances_review(services.allowances);
	assert_int_equal(send_all("b"), 5);
	stop();
	start();
	assert_int_equal(left("b"), 0);
}

static void test_one_mailbox_of_two_accounts_has_one_budget(void **state)
{
	(void)state;
	configure(ACCOUNT("a", "a@example.com", "messages_per_day = 30")
	          ACCOUNT("b", "a@example.com", "messages_per_day = 10"));
	start();
	assert_int_equal(send_all("a"), 10);
	assert_int_equal(send_all("b"), 0);
}

/* A token is nobody's business, and "apikey" is everybody's name. */
static void test_a_user_name_that_is_no_address_is_not_written(void **state)
{
	(void)state;
	configure(ACCOUNT("a", "0123-token-4567", "messages_per_day = 10")
	          ACCOUNT("b", "0123-token-4567", "messages_per_day = 10"));
	start();
	assert_int_equal(send_all("a"), 10);
	assert_int_equal(send_all("b"), 10);
	assert_int_equal(sql_number(folder, "SELECT count(*) FROM usage"
	                                 " WHERE account LIKE '%token%'"),
	                 0);
}

static void test_a_reload_sets_limits(void **state)
{
	(void)state;
	configure(ACCOUNT("a", "a@example.com", ""));
	start();
	for (unsigned i = 0; i < 20; i++)
		assert_true(send_one("a", 1));
	configure(ACCOUNT("a", "a@example.com", "messages_per_day = 25"));
	allowances_review(services.allowances);
	assert_int_equal(send_all("a"), 5);
	configure(ACCOUNT("a", "a@example.com", ""));
	allowances_review(services.allowances);
	assert_true(send_one("a", 1));
}

/* --- wall clocks ------------------------------------------------------------ */

static void shift(const char *by)
{
	char *sql = xasprintf("UPDATE usage SET at_ms = at_ms + (%s)", by);

	stop();
	sql_run(folder, sql);
	free(sql);
	start();
}

static void test_the_clock_was_set_while_it_was_down(void **state)
{
	(void)state;
	configure(ACCOUNT("a", "a@example.com", "messages_per_day = 10"));
	start();
	assert_int_equal(send_all("a"), 10);
	/* It went back a year: all of it is dated as of now, once. */
	shift("365 * 86400000");
	assert_int_equal(left("a"), 0);
	assert_int_equal(sql_number(folder, "SELECT count(*) FROM usage WHERE"
	                                 " at_ms > unixepoch() * 1000 + 2000"),
	                 0);
	shift("-23 * 3600000");
	assert_int_equal(left("a"), 0);
	/* It went on: the day is over. */
	shift("-2 * 3600000");
	assert_int_equal(left("a"), 10);
}

static int64_t offset_of_clock(void)
{
	return sql_number(folder, "SELECT max(at_ms) FROM usage") - wall_now_ms();
}

static void test_it_is_dated_later_by_the_store(void **state)
{
	(void)state;
	configure(ACCOUNT("a", "a@example.com", "messages_per_day = 100"));
	start();
	assert_true(send_one("a", 1));
	store_shift_usage(scene.store, -3600000);
	stop();
	assert_in_range(-offset_of_clock(), 3500000, 3700000);
	start();
	assert_int_equal(left("a"), 99);
}

static void test_what_is_older_than_a_day_goes(void **state)
{
	(void)state;
	configure(ACCOUNT("a", "a@example.com", "messages_per_day = 100"));
	start();
	assert_true(send_one("a", 1));
	shift("-25 * 3600000");
	assert_int_equal(sql_number(folder, "SELECT count(*) FROM usage"), 0);
	assert_true(send_one("a", 1));
}

/* The other account of the mailbox would wait for a day. */
static void test_who_waits_hears_of_what_is_given_back(void **state)
{
	struct ticket ticket, other;

	(void)state;
	configure(ACCOUNT("a", "me@example.com", "messages_per_day = 1")
	          ACCOUNT("b", "me@example.com", "messages_per_day = 1"));
	start();
	assert_int_equal(take("a", 1, &ticket), ALLOWANCE_GO);
	assert_int_equal(take("b", 1, &other), ALLOWANCE_WAIT);
	ticket_give_back(&ticket);
	wait_for_disk(of("b"));
	assert_int_equal(take("b", 1, &other), ALLOWANCE_GO);
	ticket_spend(&other);
}

#define ALLOWANCE_TEST(name) \
	cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ALLOWANCE_TEST(test_without_limits_nothing_is_written),
		ALLOWANCE_TEST(test_nothing_goes_before_the_disk_knows),
		ALLOWANCE_TEST(
			test_a_clean_stop_forgets_nothing_and_costs_nothing),
		ALLOWANCE_TEST(test_what_is_given_back_is_not_spent),
		ALLOWANCE_TEST(test_kills_never_make_it_more),
		ALLOWANCE_TEST(test_a_kill_does_not_exceed_the_minute),
		ALLOWANCE_TEST(test_recipients_are_kept),
		ALLOWANCE_TEST(test_regardless_of_the_limit),
		ALLOWANCE_TEST(test_accounts_are_separate),
		ALLOWANCE_TEST(test_another_name_is_no_other_mailbox),
		ALLOWANCE_TEST(test_one_mailbox_of_two_accounts_has_one_budget),
		ALLOWANCE_TEST(
			test_a_user_name_that_is_no_address_is_not_written),
		ALLOWANCE_TEST(test_a_reload_sets_limits),
		ALLOWANCE_TEST(test_the_clock_was_set_while_it_was_down),
		ALLOWANCE_TEST(test_it_is_dated_later_by_the_store),
		ALLOWANCE_TEST(test_what_is_older_than_a_day_goes),
		ALLOWANCE_TEST(test_who_waits_hears_of_what_is_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
