#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proto/buf.h"
#include "relay/queue/store_db.h"
#include "tests/relay/store_scene.h"
#include "tests/relay/store_sql.h"
#include "tests/support/tempdir.h"

static struct scene scene;
static const char *folder;

static int setup(void **state)
{
	(void)state;
	tempdir_make();
	folder = xstrdup(tempdir_path("spool"));
	if (!scene_open(&scene, folder))
		fail_msg("%s", scene.error);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scene_close(&scene);
	free((char *)folder);
	tempdir_remove();
	return 0;
}

static const struct history_filter any = { .state = -1 };

/* The numbers in the subjects of what is found, in its order: "2 1 0 ". */
static bool add_number(void *ctx, const struct envelope *e)
{
	const char *number = strrchr(e->subject, ' ');

	assert_true(e->n_recipients > 0);
	buf_printf(ctx, "%s ", number + 1);
	return true;
}

static void assert_found(const struct history_filter *filter,
                         const char *numbers)
{
	struct buf found = BUF_INIT(65536);
	const char *error = NULL;
	struct store_reader *reader = store_reader_open(folder, &error);

	assert_non_null(reader);
	assert_true(store_reader_history(reader, filter, add_number, &found,
	                                 &error));
	buf_putc(&found, '\0');
	assert_string_equal(buf_text(&found).data, numbers);
	store_reader_close(&reader);
	buf_free(&found);
}

/* Three of n % 3 + 1 recipients; 1 is delivered and 2 is held. */
static void send_some(void)
{
	message_id ids[3];

	for (unsigned i = 0; i < 3; i++)
		ids[i] = scene_send(&scene, i, 100);
	scene_outcome(&scene, outcome_delivered(ids[1], 2));
	sql_run(folder, "UPDATE message SET state = 3 WHERE subject = 'Scan 2'");
}

static void test_all_of_it_newest_first(void **state)
{
	struct history_filter two = { .state = -1, .limit = 2 };

	(void)state;
	assert_found(&any, "");
	send_some();
	assert_found(&any, "2 1 0 ");
	assert_found(&two, "2 1 ");
}

static void test_by_state(void **state)
{
	struct history_filter filter = { .state = MESSAGE_DELIVERED };
	struct history_filter open = { .state = -1, .unfinished = true };

	(void)state;
	send_some();
	assert_found(&filter, "1 ");
	filter.state = MESSAGE_QUEUED;
	assert_found(&filter, "0 ");
	filter.state = MESSAGE_HELD;
	assert_found(&filter, "2 ");
	filter.state = MESSAGE_FAILED;
	assert_found(&filter, "");
	assert_found(&open, "2 0 ");
	open.state = MESSAGE_HELD;
	assert_found(&open, "2 ");
	open.state = MESSAGE_DELIVERED;
	assert_found(&open, "");
	open.state = -1;
	open.limit = 1;
	assert_found(&open, "2 ");
}

static void test_by_time(void **state)
{
	struct history_filter filter = { .state = -1 };

	(void)state;
	filter.since_ms = wall_now_ms();
	send_some();
	assert_found(&filter, "2 1 0 ");
	filter.since_ms = wall_now_ms() + 1;
	assert_found(&filter, "");
	/* The clock went back: ids go on all the same. */
	sql_run(folder, "UPDATE message SET received_ms = 5000"
	                " WHERE subject = 'Scan 1'");
	filter.since_ms = 6000;
	assert_found(&filter, "2 0 ");
	filter.since_ms = 5000;
	assert_found(&filter, "2 1 0 ");
}

static void test_by_addresses(void **state)
{
	struct history_filter from = { .state = -1, .from = "SCAN1@" };
	struct history_filter to = { .state = -1, .to = "to1@example" };
	struct history_filter client = { .state = -1, .client = "192.0.2." };

	(void)state;
	send_some();
	assert_found(&from, "1 ");
	assert_found(&to, "2 1 "); /* their second recipient */
	assert_found(&client, "2 1 0 ");
	sql_run(folder, "UPDATE message SET header_from = 'Head@example.org',"
	                " device = 'Copier' WHERE subject = 'Scan 0'");
	from.from = "head@";
	assert_found(&from, "0 ");
	client.client = "copier";
	assert_found(&client, "0 ");
	from.unfinished = true;
	assert_found(&from, "0 ");
	/* All must hold. */
	from.to = "to1@";
	assert_found(&from, "");
}

static void test_a_star_is_the_only_sign(void **state)
{
	struct history_filter filter = { .state = -1, .from = "scan*@*.com" };

	(void)state;
	send_some();
	assert_found(&filter, "2 1 0 ");
	filter.from = "scan*@*.org";
	assert_found(&filter, "");
	filter.from = "scan_@example.com";
	assert_found(&filter, "");
	filter.from = "%@example.com";
	assert_found(&filter, "");
	filter.from = "'; DROP TABLE message; --";
	assert_found(&filter, "");
	filter.from = "";
	assert_found(&filter, "2 1 0 ");
	sql_run(folder, "UPDATE message SET reverse_path = 'a_b%c\\d@x.org'"
	                " WHERE subject = 'Scan 1'");
	filter.from = "a_b%c\\d@";
	assert_found(&filter, "1 ");
	filter.from = "*\\*";
	assert_found(&filter, "1 ");
}

static bool see_one(void *ctx, const struct envelope *e)
{
	(void)e;
	++*(unsigned *)ctx;
	return false;
}

static void test_it_ends_when_the_caller_has_enough(void **state)
{
	const char *error = NULL;
	struct store_reader *reader;
	unsigned seen = 0;

	(void)state;
	send_some();
	reader = store_reader_open(folder, &error);
	assert_true(store_reader_history(reader, &any, see_one, &seen,
	                                 &error));
	assert_int_equal(seen, 1);
	store_reader_close(&reader);
}

/* --- a story ------------------------------------------------------------- */

static struct story *read_story(message_id id)
{
	const char *error = NULL;
	struct store_reader *reader = store_reader_open(folder, &error);
	struct story *story = NULL;

	assert_non_null(reader);
	assert_true(store_reader_story(reader, id, &story, &error));
	store_reader_close(&reader);
	return story;
}

static struct outcome *deferred(message_id id)
{
	struct outcome *outcome = outcome_new(id);

	outcome->state = MESSAGE_QUEUED;
	outcome->attempts = 1;
	outcome->next_attempt_ms = 9000;
	outcome->started_ms = 7000;
	outcome->ended_ms = 8000;
	outcome->reason = xstrdup("greylisted");
	outcome->account = xstrdup("default");
	outcome->host = xstrdup("smtp.example.net");
	outcome->stage = xstrdup("RCPT");
	outcome->reply = xstrdup("450 4.2.0 Greylisted");
	outcome->summary = xstrdup("2 deferred");
	outcome->dialogue = xstrdup("> EHLO x\n< 450 4.2.0 Greyl\x1bisted\n");
	outcome_add(outcome, 0, RECIPIENT_QUEUED, "450 4.2.0 Greylisted",
	            "greylisted", 0);
	return outcome;
}

static void test_a_story_has_it_all(void **state)
{
	message_id id = scene_send(&scene, 1, 100);
	struct story *story;

	(void)state;
	scene_outcome(&scene, deferred(id));
	scene_outcome(&scene, outcome_delivered(id, 2));
	story = read_story(id);
	assert_true(story->envelope->id == id);
	assert_int_equal(story->envelope->state, MESSAGE_DELIVERED);
	assert_int_equal(story->envelope->n_recipients, 2);
	assert_int_equal(story->n_attempts, 2);
	assert_int_equal(story->attempts[0].n, 1);
	assert_int_equal(story->attempts[0].started_ms, 7000);
	assert_int_equal(story->attempts[0].ended_ms, 8000);
	assert_string_equal(story->attempts[0].stage, "RCPT");
	assert_string_equal(story->attempts[0].reason, "greylisted");
	assert_string_equal(story->attempts[0].summary, "2 deferred");
	assert_string_equal(story->attempts[0].dialogue,
	                    "> EHLO x\n< 450 4.2.0 Greyl\x1bisted\n");
	assert_int_equal(story->attempts[1].n, 2);
	assert_null(story->attempts[1].dialogue);
	assert_string_equal(story->attempts[1].reply,
	                    "250 2.0.0 Ok: queued as 4XyZ");
	story_free(&story);
	assert_null(story);
}

static void test_of_one_that_was_never_tried(void **state)
{
	struct story *story = read_story(scene_send(&scene, 0, 100));

	(void)state;
	assert_int_equal(story->n_attempts, 0);
	story_free(&story);
}

static void test_no_such_story(void **state)
{
	(void)state;
	scene_send(&scene, 0, 100);
	assert_null(read_story(4711));
}

/* --- what is there to be quick ------------------------------------------- */

/* How the database goes about it: the plan in one string. */
static char *plan_of(const char *sql)
{
	char *question = xasprintf("EXPLAIN QUERY PLAN %s", sql);
	struct buf plan = BUF_INIT(4096);
	sqlite3 *db = sql_open(folder);
	sqlite3_stmt *s;

	assert_int_equal(sqlite3_prepare_v2(db, question, -1, &s, NULL),
	                 SQLITE_OK);
	while (sqlite3_step(s) == SQLITE_ROW)
		buf_printf(&plan, "%s; ",
		           (const char *)sqlite3_column_text(s, 3));
	sqlite3_finalize(s);
	sqlite3_close(db);
	free(question);
	return buf_steal(&plan);
}

static void assert_plan(const char *sql, const char *has)
{
	char *plan = plan_of(sql);

	if (strstr(plan, has) == NULL)
		fail_msg("%s\nis done by\n%s", sql, plan);
	free(plan);
}

static const char *const texts[] = {
#define X(name, sql) [SQL_##name] = sql,
	STORE_SQL_MAP(X)
#undef X
};

/* A partial index is used only when a question says just what it says. */
static void test_indices_are_used(void **state)
{
	(void)state;
	assert_plan(texts[SQL_GET_OLD_FAILED], "message_kept");
	assert_plan(texts[SQL_GET_FAILED_SUM], "message_kept");
	assert_plan(texts[SQL_SET_ALL_DUE], "message_due");
	assert_plan(texts[SQL_GET_QUEUE_IDS], "message_due");
	assert_plan(texts[SQL_GET_QUEUE_IDS], "message_held");
	assert_plan(texts[SQL_GET_UNFINISHED_IDS], "message_due");
	assert_plan(texts[SQL_GET_UNFINISHED_IDS], "message_held");
	assert_plan(texts[SQL_GET_HISTORY_IDS], "PRIMARY KEY (rowid>?)");
}

int main(void)
{
#define HISTORY_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		HISTORY_TEST(test_all_of_it_newest_first),
		HISTORY_TEST(test_by_state),
		HISTORY_TEST(test_by_time),
		HISTORY_TEST(test_by_addresses),
		HISTORY_TEST(test_a_star_is_the_only_sign),
		HISTORY_TEST(test_it_ends_when_the_caller_has_enough),
		HISTORY_TEST(test_a_story_has_it_all),
		HISTORY_TEST(test_of_one_that_was_never_tried),
		HISTORY_TEST(test_no_such_story),
		HISTORY_TEST(test_indices_are_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
