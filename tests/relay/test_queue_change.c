#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/relay/queue_scene.h"
#include "tests/relay/store_sql.h"
#include "tests/support/bytes.h"
#include "tests/support/tempdir.h"

#define HOUR_MS INT64_C(3600000)
enum { LARGE = 700 * 1000 };

static struct queue_scene scene;
static const char *folder;

static const struct waiting_mail plain = { 0 };
static const struct waiting_mail large = { .len = LARGE };

static void open_scene(void)
{
	if (!queue_scene_open(&scene, folder))
		fail_msg("%s", scene.store.error);
}

static void reopen_scene(void)
{
	queue_scene_close(&scene);
	open_scene();
}

static int setup(void **state)
{
	static char path[4096];
	static unsigned number;
	char name[32];

	(void)state;
	snprintf(name, sizeof(name), "spool%u", number++);
	snprintf(path, sizeof(path), "%s", tempdir_path(name));
	folder = path;
	open_scene();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	queue_scene_close(&scene);
	return 0;
}

/* --- asking --------------------------------------------------------------- */

struct answer {
	unsigned told;
	enum queue_answer answer;
	char words[200];
};

static void on_answer(void *ctx, enum queue_answer answer, const char *words)
{
	struct answer *told = ctx;

	told->told++;
	told->answer = answer;
	snprintf(told->words, sizeof(told->words), "%s", words);
}

static struct answer *awaited;

static bool is_told(struct queue_scene *s)
{
	(void)s;
	return awaited->told > 0;
}

static void await(struct answer *answer)
{
	awaited = answer;
	queue_scene_until(&scene, is_told);
	assert_int_equal(answer->told, 1);
	assert_true(answer->words[0] != '\0');
}

static enum queue_answer change(message_id id, enum queue_change what)
{
	struct answer answer = { 0 };

	queue_change(scene.queue, id, what, on_answer, &answer);
	await(&answer);
	return answer.answer;
}

/* A column of the message on disk. */
static int64_t column(message_id id, const char *name)
{
	char *sql = xasprintf("SELECT %s FROM message WHERE id = %lld", name,
	                      (long long)id);
	int64_t value = sql_number(folder, sql);

	free(sql);
	return value;
}

static void set(message_id id, const char *what)
{
	char *sql = xasprintf("UPDATE message SET %s WHERE id = %lld", what,
	                      (long long)id);

	sql_run(folder, sql);
	free(sql);
}

static void set_recipients(message_id id, const char *what)
{
	char *sql = xasprintf("UPDATE recipient SET %s WHERE message = %lld",
	                      what, (long long)id);

	sql_run(folder, sql);
	free(sql);
}

static int64_t recipients(message_id id, const char *which)
{
	char *sql = xasprintf("SELECT count(*) FROM recipient"
	                      " WHERE message = %lld AND %s", (long long)id,
	                      which);
	int64_t n = sql_number(folder, sql);

	free(sql);
	return n;
}

static size_t stored(void)
{
	struct loaded loaded = scene_load(&scene.store, 100);
	size_t n = loaded.n;

	loaded_free(&loaded);
	return n;
}

static struct message *take(message_id id)
{
	struct message *message = queue_take(scene.queue, "default");

	assert_non_null(message);
	assert_true(message_envelope(message)->id == id);
	return message;
}

static bool is_one_ready(struct queue_scene *s)
{
	return queue_ready(s->queue, "default") == 1;
}

/* On disk, in the store alone. */
static message_id leave_in_store(unsigned n, const struct waiting_mail *mail)
{
	message_id id = queue_scene_add(&scene, n, mail);

	reopen_scene();
	return id;
}

static bool body_exists(message_id id)
{
	char text[MESSAGE_ID_TEXT];
	char *path = xasprintf("%s/bodies/%s", folder,
	                       message_id_print(id, text));
	bool exists = access(path, F_OK) == 0;

	free(path);
	return exists;
}

/* --- each change in each state -------------------------------------------- */

static const struct {
	enum message_state before;
	enum queue_change what;
	enum queue_answer answer;
	enum message_state after;
} table[] = {
#define ROW(before, what, answer, after)                                   \
	{ MESSAGE_##before, QUEUE_##what, QUEUE_##answer, MESSAGE_##after }
	ROW(QUEUED, RETRY, CHANGED, QUEUED),
	ROW(QUEUED, HOLD, CHANGED, HELD),
	ROW(QUEUED, RELEASE, UNFIT, QUEUED),
	ROW(QUEUED, DELETE, CHANGED, DELETED),
	ROW(DELIVERED, RETRY, UNFIT, DELIVERED),
	ROW(DELIVERED, HOLD, UNFIT, DELIVERED),
	ROW(DELIVERED, RELEASE, UNFIT, DELIVERED),
	ROW(DELIVERED, DELETE, UNFIT, DELIVERED),
	ROW(FAILED, RETRY, UNFIT, FAILED),
	ROW(FAILED, HOLD, UNFIT, FAILED),
	ROW(FAILED, RELEASE, CHANGED, QUEUED),
	ROW(FAILED, DELETE, CHANGED, DELETED),
	ROW(HELD, RETRY, UNFIT, HELD),
	ROW(HELD, HOLD, CHANGED, HELD),
	ROW(HELD, RELEASE, CHANGED, QUEUED),
	ROW(HELD, DELETE, CHANGED, DELETED),
	ROW(DELETED, RETRY, UNFIT, DELETED),
	ROW(DELETED, HOLD, UNFIT, DELETED),
	ROW(DELETED, RELEASE, UNFIT, DELETED),
	ROW(DELETED, DELETE, CHANGED, DELETED),
	ROW(REFUSED, RETRY, UNFIT, REFUSED),
	ROW(REFUSED, HOLD, UNFIT, REFUSED),
	ROW(REFUSED, RELEASE, CHANGED, QUEUED),
	ROW(REFUSED, DELETE, UNFIT, REFUSED),
#undef ROW
};

static void make_state(message_id id, enum message_state state)
{
	char what[40];

	snprintf(what, sizeof(what), "state = %d", state);
	set(id, what);
	if (state == MESSAGE_FAILED || state == MESSAGE_REFUSED)
		set_recipients(id, "state = 2, reply = '550 no'");
}

static void check_row(size_t i)
{
	message_id id = leave_in_store(2, &plain);
	size_t ready = 0;

	make_state(id, table[i].before);
	if (change(id, table[i].what) != table[i].answer ||
	    column(id, "state") != table[i].after)
		fail_msg("row %zu", i);
	ready = queue_ready(scene.queue, "default");
	/* What is queued by a change is ready; what was not changed is where
	 * it was: not in memory. */
	assert_int_equal(ready, table[i].answer == QUEUE_CHANGED &&
	                                table[i].after == MESSAGE_QUEUED);
	assert_int_equal(queue_total(scene.queue), ready);
	reopen_scene();
	assert_int_equal(column(id, "state"), table[i].after);
	assert_int_equal(stored(), table[i].after == MESSAGE_QUEUED);
	sql_run(folder, "DELETE FROM message");
}

static void test_each_change_in_each_state(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(table); i++)
		check_row(i);
	assert_int_equal(COUNT(table), 4 * (MESSAGE_REFUSED + 1));
}

static void test_of_no_message(void **state)
{
	(void)state;
	for (int what = QUEUE_RETRY; what <= QUEUE_DELETE; what++)
		assert_int_equal(change(4711, (enum queue_change)what),
		                 QUEUE_UNKNOWN);
	assert_int_equal(queue_total(scene.queue), 0);
}

/* --- of messages in memory ------------------------------------------------- */

static void test_hold_and_release(void **state)
{
	message_id id = queue_scene_add(&scene, 0, &plain);
	message_id other = queue_scene_add(&scene, 0, &plain);
	struct message *message;

	(void)state;
	assert_int_equal(change(id, QUEUE_HOLD), QUEUE_CHANGED);
	assert_int_equal(queue_total(scene.queue), 1);
	queue_start(scene.queue); /* does not bring it back */
	assert_int_equal(stored(), 1);
	assert_int_equal(queue_retry_all(scene.queue), 0);
	take(other);
	assert_null(queue_take(scene.queue, "default"));
	scene.heard = 0;
	assert_int_equal(change(id, QUEUE_RELEASE), QUEUE_CHANGED);
	assert_int_equal(scene.heard, 1);
	message = take(id);
	queue_scene_settle(&scene, message, queue_scene_delivered(message));
	stored();
	assert_int_equal(column(id, "state"), MESSAGE_DELIVERED);
}

static void test_delete_gives_the_room_back(void **state)
{
	message_id id = queue_scene_add(&scene, 1, &large);
	message_id held = queue_scene_add(&scene, 1, &plain);

	(void)state;
	assert_int_equal(spool_used(scene.store.spool), LARGE + 1000);
	assert_true(body_exists(id));
	assert_int_equal(change(held, QUEUE_HOLD), QUEUE_CHANGED);
	assert_int_equal(change(id, QUEUE_DELETE), QUEUE_CHANGED);
	assert_int_equal(spool_used(scene.store.spool), 1000);
	assert_int_equal(change(held, QUEUE_DELETE), QUEUE_CHANGED);
	assert_int_equal(spool_used(scene.store.spool), 0);
	assert_int_equal(queue_total(scene.queue), 0);
	assert_int_equal(column(id, "reason = 'deleted'"), 1);
	assert_int_equal(column(id, "finished_ms > 0"), 1);
	assert_int_equal(recipients(id, "state = 0"), 0);
	assert_int_equal(recipients(id, "reason = 'deleted'"), 2);
	reopen_scene();
	assert_false(body_exists(id));
	assert_int_equal(scene.store.recovery.lost_bodies, 0);
	assert_int_equal(scene.store.recovery.octets, 0);
}

static void test_retry_ends_a_wait(void **state)
{
	message_id id = queue_scene_add(&scene, 0, &plain);
	struct message *message = take(id);

	(void)state;
	queue_scene_settle(&scene, message,
	                   queue_scene_deferred(message,
	                                        wall_now_ms() + HOUR_MS));
	stored();
	assert_int_equal(change(id, QUEUE_RETRY), QUEUE_CHANGED);
	assert_true(column(id, "next_attempt_ms") <= wall_now_ms());
	assert_int_equal(queue_ready(scene.queue, "default"), 1);
	/* Again: it is ready already, and keeps its place. */
	queue_scene_add(&scene, 1, &plain);
	assert_int_equal(change(id, QUEUE_RETRY), QUEUE_CHANGED);
	assert_int_equal(message_envelope(take(id))->attempts, 1);
}

static void test_not_while_it_is_sent(void **state)
{
	message_id id = queue_scene_add(&scene, 0, &plain);
	struct message *message = take(id);

	(void)state;
	for (int what = QUEUE_RETRY; what <= QUEUE_DELETE; what++)
		assert_int_equal(change(id, (enum queue_change)what),
		                 QUEUE_BUSY);
	queue_scene_settle(&scene, message, queue_scene_delivered(message));
	assert_int_equal(change(id, QUEUE_DELETE), QUEUE_BUSY); /* SAVING */
	stored();
	assert_int_equal(change(id, QUEUE_DELETE), QUEUE_UNFIT);
	assert_int_equal(column(id, "state"), MESSAGE_DELIVERED);
}

static void test_one_change_at_a_time(void **state)
{
	message_id id = queue_scene_add(&scene, 0, &plain);
	struct answer first = { 0 }, second = { 0 };

	(void)state;
	queue_change(scene.queue, id, QUEUE_HOLD, on_answer, &first);
	assert_null(queue_take(scene.queue, "default"));
	assert_null(queue_newest_ready(scene.queue, "default"));
	assert_null(queue_take_expired(scene.queue, INT64_MAX));
	queue_change(scene.queue, id, QUEUE_DELETE, on_answer, &second);
	await(&second);
	assert_int_equal(second.answer, QUEUE_BUSY);
	await(&first);
	assert_int_equal(first.answer, QUEUE_CHANGED);
	assert_int_equal(column(id, "state"), MESSAGE_HELD);
}

static void test_unfit_ones_stay_in_their_place(void **state)
{
	message_id first = queue_scene_add(&scene, 0, &plain);
	message_id waits = queue_scene_add(&scene, 1, &plain);
	struct message *message;

	(void)state;
	assert_int_equal(change(first, QUEUE_RELEASE), QUEUE_UNFIT);
	take(first);
	message = take(waits);
	queue_scene_settle(&scene, message,
	                   queue_scene_deferred(message,
	                                        wall_now_ms() + HOUR_MS));
	stored();
	assert_int_equal(change(waits, QUEUE_RELEASE), QUEUE_UNFIT);
	assert_int_equal(queue_ready(scene.queue, "default"), 0);
	queue_hurry(scene.queue, "default");
	take(waits);
}

/* --- what was given up, again ---------------------------------------------- */

static message_id make_failed(void)
{
	message_id id = queue_scene_add(&scene, 2, &plain); /* three of them */
	struct message *message = take(id);
	struct outcome *outcome = queue_scene_deferred(message, 0);

	outcome->state = MESSAGE_FAILED;
	outcome->finished_ms = 5000;
	outcome->notice = NOTICE_DUE;
	outcome->recipients[0].state = RECIPIENT_DELIVERED;
	outcome->recipients[1].state = RECIPIENT_FAILED;
	outcome->recipients[2].state = RECIPIENT_FAILED;
	queue_scene_settle(&scene, message, outcome);
	stored();
	assert_int_equal(column(id, "state"), MESSAGE_FAILED);
	return id;
}

static void test_a_failed_one_is_sent_to_those_it_failed_for(void **state)
{
	message_id id = make_failed();
	const struct envelope *e;

	(void)state;
	set(id, "expires_ms = 1000");
	assert_int_equal(change(id, QUEUE_RELEASE), QUEUE_CHANGED);
	e = message_envelope(take(id));
	assert_int_equal(e->state, MESSAGE_QUEUED);
	assert_int_equal(e->finished_ms, 0);
	assert_int_equal(e->attempts, 1);
	assert_int_equal(e->notice, NOTICE_NONE);
	assert_true(e->expires_ms > wall_now_ms() + HOUR_MS);
	assert_int_equal(e->recipients[0].state, RECIPIENT_DELIVERED);
	assert_int_equal(e->recipients[1].state, RECIPIENT_QUEUED);
	assert_int_equal(e->recipients[1].finished_ms, 0);
	assert_string_equal(e->recipients[1].reply, "451 later");
	assert_int_equal(e->recipients[2].state, RECIPIENT_QUEUED);
}

static void test_not_without_its_body(void **state)
{
	message_id id = make_failed();

	(void)state;
	set(id, "reason = 'body-damaged'");
	assert_int_equal(change(id, QUEUE_RELEASE), QUEUE_UNFIT);
	set(id, "reason = NULL, body = 0");
	assert_int_equal(change(id, QUEUE_RELEASE), QUEUE_UNFIT);
	assert_int_equal(column(id, "state"), MESSAGE_FAILED);
	assert_int_equal(recipients(id, "state = 0"), 0);
}

static void test_not_for_nobody(void **state)
{
	message_id id = make_failed();

	(void)state;
	set_recipients(id, "state = 1");
	assert_int_equal(change(id, QUEUE_RELEASE), QUEUE_UNFIT);
	assert_int_equal(column(id, "state"), MESSAGE_FAILED);
	assert_int_equal(column(id, "finished_ms"), 5000);
}

static void test_a_deleted_one_asks_for_no_notice(void **state)
{
	message_id due = make_failed(), made = make_failed();

	(void)state;
	set(made, "notice = 2");
	assert_int_equal(change(due, QUEUE_DELETE), QUEUE_CHANGED);
	assert_int_equal(change(made, QUEUE_DELETE), QUEUE_CHANGED);
	assert_int_equal(column(due, "notice"), NOTICE_NONE);
	assert_int_equal(column(made, "notice"), NOTICE_MADE);
}

/* A held one has its whole time again. */
static void test_time_does_not_pass_while_held(void **state)
{
	message_id id = queue_scene_add(&scene, 0, &plain);

	(void)state;
	assert_int_equal(change(id, QUEUE_HOLD), QUEUE_CHANGED);
	set(id, "expires_ms = 1000");
	reopen_scene();
	queue_start(scene.queue);
	assert_int_equal(stored(), 0);
	assert_null(queue_take_expired(scene.queue, INT64_MAX));
	assert_int_equal(change(id, QUEUE_RELEASE), QUEUE_CHANGED);
	assert_null(queue_take_expired(scene.queue, wall_now_ms()));
	take(id);
}

/* --- older pictures of it ---------------------------------------------------- */

/* A load that was asked for before, and comes back before, the change. */
static void test_a_picture_from_before_is_not_sent(void **state)
{
	message_id id = leave_in_store(0, &plain);
	struct answer answer = { 0 };

	(void)state;
	queue_start(scene.queue);
	queue_change(scene.queue, id, QUEUE_HOLD, on_answer, &answer);
	await(&answer);
	assert_int_equal(answer.answer, QUEUE_CHANGED);
	stored();
	assert_int_equal(queue_total(scene.queue), 0);
	assert_null(queue_take(scene.queue, "default"));
	assert_int_equal(column(id, "state"), MESSAGE_HELD);
}

/* And one that comes in while the change fails is not lost. */
static void test_a_picture_is_kept_for_a_change_that_fails(void **state)
{
	message_id id = leave_in_store(0, &plain);
	struct answer answer = { 0 };

	(void)state;
	queue_change(scene.queue, id, QUEUE_RELEASE, on_answer, &answer);
	queue_start(scene.queue);
	await(&answer);
	assert_int_equal(answer.answer, QUEUE_UNFIT);
	queue_scene_until(&scene, is_one_ready);
	take(id);
	assert_null(queue_take(scene.queue, "default"));
}

/* Committed and seen by the operator before the queue has heard of it. */
static void hold_before_it_is_added(enum queue_change what,
                                    enum queue_answer expected)
{
	struct answer answer = { 0 };
	struct mail mail;
	message_id id;

	mail_start(&mail, &scene.store, 0, 1000);
	scene_wait(&scene.store);
	id = mail.envelope->id;
	queue_change(scene.queue, id, what, on_answer, &answer);
	queue_scene_finish(&scene, &mail, true);
	assert_int_equal(queue_total(scene.queue), 1);
	assert_null(queue_take(scene.queue, "default"));
	await(&answer);
	assert_int_equal(answer.answer, expected);
}

static void test_held_before_it_is_added(void **state)
{
	(void)state;
	hold_before_it_is_added(QUEUE_HOLD, QUEUE_CHANGED);
	assert_int_equal(queue_total(scene.queue), 0);
	assert_null(queue_take(scene.queue, "default"));
}

static void test_unfit_before_it_is_added(void **state)
{
	struct message *message;
	struct text bytes;

	(void)state;
	hold_before_it_is_added(QUEUE_RELEASE, QUEUE_UNFIT);
	assert_int_equal(queue_total(scene.queue), 1);
	message = queue_take(scene.queue, "default");
	assert_non_null(message);
	assert_true(message_bytes(message, &bytes));
	assert_int_equal(bytes.len, 1000);
	queue_scene_settle(&scene, message, queue_scene_delivered(message));
	stored();
}

/* --- when the disk fails, and when the server ends --------------------------- */

static void limit_files(rlim_t octets)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = octets;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static bool turned_well(struct queue_scene *s)
{
	return s->store.turned_well > 0 && store_is_healthy(s->services.store);
}

static void test_nothing_has_changed_when_the_disk_fails(void **state)
{
	message_id id = queue_scene_add(&scene, 0, &large);

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	for (int what = QUEUE_HOLD; what <= QUEUE_DELETE; what++) {
		limit_files(0);
		assert_int_equal(change(id, (enum queue_change)what),
		                 what == QUEUE_RELEASE ? QUEUE_UNFIT
		                                       : QUEUE_DISK);
		limit_files(RLIM_INFINITY);
		queue_scene_until(&scene, turned_well);
		assert_int_equal(column(id, "state"), MESSAGE_QUEUED);
		assert_int_equal(queue_ready(scene.queue, "default"), 1);
	}
	assert_true(body_exists(id));
	assert_int_equal(spool_used(scene.store.spool), LARGE);
	take(id);
}

static void never_told(void *ctx, enum queue_answer answer, const char *words)
{
	(void)ctx, (void)answer, (void)words;
	fail_msg("told after the end");
}

/* What was asked for is done or is not; nothing in between, nothing leaks. */
static void test_the_end_comes_between(void **state)
{
	message_id ids[4];

	(void)state;
	for (unsigned i = 0; i < COUNT(ids); i++)
		ids[i] = queue_scene_add(&scene, i, i == 1 ? &large : &plain);
	queue_change(scene.queue, ids[0], QUEUE_HOLD, never_told, NULL);
	queue_change(scene.queue, ids[1], QUEUE_DELETE, never_told, NULL);
	queue_change(scene.queue, 4711, QUEUE_RETRY, never_told, NULL);
	reopen_scene();
	assert_int_equal(column(ids[0], "state"), MESSAGE_HELD);
	assert_int_equal(column(ids[1], "state"), MESSAGE_DELETED);
	assert_false(body_exists(ids[1]));
	assert_int_equal(scene.store.recovery.queued, 2);
	assert_int_equal(scene.store.recovery.octets, 3000);
	queue_start(scene.queue);
	assert_int_equal(stored(), 2);
	assert_int_equal(queue_total(scene.queue), 2);
}

/* --- all ----------------------------------------------------------------- */

static void test_all_that_wait_are_retried(void **state)
{
	message_id ids[3];
	int64_t later = wall_now_ms() + HOUR_MS;

	(void)state;
	for (unsigned i = 0; i < COUNT(ids); i++)
		ids[i] = queue_scene_add(&scene, i, &plain);
	for (unsigned i = 0; i < 2; i++) {
		struct message *message = take(ids[i]);

		queue_scene_settle(&scene, message,
		                   queue_scene_deferred(message, later));
	}
	stored();
	assert_int_equal(queue_retry_all(scene.queue), 2);
	assert_int_equal(queue_ready(scene.queue, "default"), 3);
	stored();
	assert_true(column(ids[0], "next_attempt_ms") <= wall_now_ms());
	assert_int_equal(queue_retry_all(scene.queue), 0);
}

/* The last attempt is when its time is over, whatever the schedule says. */
static void test_the_last_wait_ends_when_its_time_does(void **state)
{
	struct waiting_mail soon = { .expires_ms = steady_now_ms() + 50 };
	message_id id = queue_scene_add(&scene, 0, &soon);
	struct message *message = take(id);

	(void)state;
	queue_scene_settle(&scene, message,
	                   queue_scene_deferred(message,
	                                        wall_now_ms() + HOUR_MS));
	stored();
	assert_int_equal(column(id, "next_attempt_ms"), soon.expires_ms);
	queue_scene_until(&scene, is_one_ready);
	assert_true(message_envelope(take(id))->expires_ms <= steady_now_ms());
}

/* What comes back from the store was read before it moved. */
static void test_the_clock_jumps_meanwhile(void **state)
{
	message_id id = queue_scene_add(&scene, 0, &plain);
	struct answer answer = { 0 };
	struct message *message;

	(void)state;
	assert_int_equal(change(id, QUEUE_HOLD), QUEUE_CHANGED);
	queue_change(scene.queue, id, QUEUE_RELEASE, on_answer, &answer);
	queue_rebase(scene.queue, -HOUR_MS);
	await(&answer);
	assert_int_equal(answer.answer, QUEUE_CHANGED);
	stored();
	message = queue_take(scene.queue, "default");
	assert_non_null(message);
	assert_int_equal(message_envelope(message)->expires_ms,
	                 column(id, "expires_ms"));
}

int main(void)
{
#define CHANGE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CHANGE_TEST(test_each_change_in_each_state),
		CHANGE_TEST(test_of_no_message),
		CHANGE_TEST(test_hold_and_release),
		CHANGE_TEST(test_delete_gives_the_room_back),
		CHANGE_TEST(test_retry_ends_a_wait),
		CHANGE_TEST(test_not_while_it_is_sent),
		CHANGE_TEST(test_one_change_at_a_time),
		CHANGE_TEST(test_unfit_ones_stay_in_their_place),
		CHANGE_TEST(test_a_failed_one_is_sent_to_those_it_failed_for),
		CHANGE_TEST(test_not_without_its_body),
		CHANGE_TEST(test_not_for_nobody),
		CHANGE_TEST(test_a_deleted_one_asks_for_no_notice),
		CHANGE_TEST(test_time_does_not_pass_while_held),
		CHANGE_TEST(test_a_picture_from_before_is_not_sent),
		CHANGE_TEST(test_a_picture_is_kept_for_a_change_that_fails),
		CHANGE_TEST(test_held_before_it_is_added),
		CHANGE_TEST(test_unfit_before_it_is_added),
		CHANGE_TEST(test_nothing_has_changed_when_the_disk_fails),
		CHANGE_TEST(test_the_end_comes_between),
		CHANGE_TEST(test_all_that_wait_are_retried),
		CHANGE_TEST(test_the_clock_jumps_meanwhile),
		CHANGE_TEST(test_the_last_wait_ends_when_its_time_does),
	};
	int failed;

	alarm(300);
	tempdir_make();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	tempdir_remove();
	return failed;
}
