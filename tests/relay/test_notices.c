#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "relay/notices/notice_audience.h"
#include "relay/notices/notice_pace.h"
#include "relay/notices/notices.h"
#include "tests/relay/queue_scene.h"
#include "tests/support/tempdir.h"

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)

static struct queue_scene scene;
static struct notices *notices;
static const char *folder;
static int64_t now_ms;

static const char *carrier; /* whatever the account */

static int64_t fake_now(void)
{
	return now_ms;
}

static const char *fake_carrier(void *ctx, const char *account)
{
	(void)ctx;
	(void)account;
	return carrier;
}

/* --- the database, from outside ------------------------------------------- */

static sqlite3 *database(void)
{
	char *path = xasprintf("%s/lanpost.db", folder);
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 10000);
	free(path);
	return db;
}

static int64_t ask(const char *sql)
{
	sqlite3 *db = database();
	sqlite3_stmt *statement;
	int64_t answer;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	answer = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return answer;
}

static void change(const char *sql)
{
	sqlite3 *db = database();
	char *error = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s", error);
	sqlite3_close(db);
}

static int64_t made(void)
{
	return ask("SELECT count(*) FROM message WHERE is_notice > 0");
}

static int64_t digests(void)
{
	return ask("SELECT count(*) FROM message WHERE is_notice = 2");
}

static int64_t due(void)
{
	return ask("SELECT count(*) FROM message WHERE notice = 1");
}

/* --- scenes --------------------------------------------------------------- */

static struct config *load(const char *notify, const char *postmaster)
{
	char *by = xasprintf("LANPOST_RELAY_NOTIFY=%s", notify);
	char *who = xasprintf("LANPOST_RELAY_POSTMASTER=%s",
			      postmaster ? postmaster : "");
	char *const environment[] = {
		(char *)"LANPOST_ACCOUNT_HOST=127.0.0.1",
		(char *)"LANPOST_ACCOUNT_TLS=none",
		(char *)"LANPOST_ACCOUNT_USERNAME=relay@contoso.com",
		(char *)"LANPOST_ACCOUNT_PASSWORD=secret",
		(char *)"LANPOST_ACCOUNT_SENDERS=relay@contoso.com",
		(char *)"LANPOST_RELAY_HOSTNAME=relay.example",
		by,
		postmaster ? who : NULL,
		NULL,
	};
	struct config_error error = { NULL };
	struct config *config = config_load(NULL, environment, NULL, &error);

	if (config == NULL)
		fail_msg("%s", error.message);
	free(by);
	free(who);
	return config;
}

static void configure(const char *notify, const char *postmaster)
{
	config_unref(&scene.services.config);
	scene.services.config = load(notify, postmaster);
}

static void kick(void *ctx)
{
	(void)ctx;
	notices_kick(notices);
}

static void open_scene(void)
{
	if (!queue_scene_open(&scene, folder))
		fail_msg("%s", scene.store.error);
	configure("postmaster", "boss@example.com");
	notices = notices_new(&scene.services,
			      &(struct notices_means){ fake_now, fake_carrier,
						       NULL });
	scene.notice_due = kick;
}

/* As relay.c does. */
static void close_scene(void)
{
	store_close(&scene.store.store);
	notices_free(&notices);
	queue_scene_close(&scene);
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
	now_ms = wall_now_ms();
	carrier = "default";
	open_scene();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close_scene();
	return 0;
}

/* Until what is asked of the store has had time for a whole notice, and none
 * came of it. */
static void settle_down(void)
{
	int64_t before;

	do {
		before = made() * 1000000 + due();
		for (unsigned i = 0; i < 12; i++) {
			struct loaded loaded = scene_load(&scene.store, 0);

			loaded_free(&loaded);
			scene_turn(&scene.store);
		}
	} while (made() * 1000000 + due() != before);
}

static void pass(int64_t ms)
{
	now_ms += ms;
	notices_kick(notices);
	settle_down();
}

/* --- failures ------------------------------------------------------------- */

static struct outcome *outcome_failed(const struct envelope *envelope,
				      const char *reply, const char *reason)
{
	struct outcome *outcome = outcome_new(envelope->id);

	outcome->state = MESSAGE_FAILED;
	outcome->attempts = 1;
	outcome->finished_ms = outcome->ended_ms = now_ms;
	outcome->started_ms = now_ms - 10;
	outcome->account = xstrdup("default");
	outcome->host = xstrdup("smtp.example.net [192.0.2.25]:587");
	outcome->reply = xstrdup(reply);
	outcome->reason = xstrdup(reason);
	outcome->notice = notice_after(scene.services.config, envelope,
				       MESSAGE_FAILED, now_ms, now_ms);
	for (size_t i = 0; i < envelope->n_recipients; i++)
		outcome_add(outcome, i, RECIPIENT_FAILED, reply, reason, now_ms);
	return outcome;
}

static struct message *take(void)
{
	struct message *message = queue_newest_ready(scene.queue, "default");

	assert_non_null(message);
	while (true) {
		struct message *first = queue_take(scene.queue, "default");

		if (first == message)
			return message;
		queue_scene_settle(&scene, first, queue_scene_delivered(first));
	}
}

/* Message number n comes in and is refused; its id. */
static message_id fail_one(unsigned n)
{
	message_id id = queue_scene_add(&scene, n,
					&(struct waiting_mail){ .len = 300 });
	struct message *message = take();

	queue_scene_settle(&scene, message,
			   outcome_failed(message_envelope(message),
					  "550 5.1.1 User unknown",
					  "recipient-refused"));
	return id;
}

/* n rows, as a flood leaves them. */
static void flood(size_t n, int64_t finished_ms, const char *sender)
{
	static int64_t last_id;
	char *sql = xasprintf(
		"WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c"
		" WHERE i < %zu) INSERT INTO message (id, state, body,"
		" reverse_path, account, received_ms, expires_ms,"
		" next_attempt_ms, finished_ms, attempts, reason, size,"
		" header_size, checksum, has_8bit, notice) SELECT %lld + i, 2,"
		" 0, '%s', 'default', %lld, %lld, 0, %lld, 1,"
		" CASE i %% 3 WHEN 0 THEN 'recipient-refused' ELSE"
		" 'message-refused' END, 10, 10, 0, 0, 1 FROM c;"
		"INSERT INTO recipient (message, n, address, state, reply,"
		" reason, finished_ms) SELECT id, 0, 'to@example.net', 2,"
		" '550 no', reason, finished_ms FROM message WHERE id > %lld"
		" AND id <= %lld;",
		n, (long long)last_id, sender, (long long)finished_ms,
		(long long)(finished_ms + HOUR), (long long)finished_ms,
		(long long)last_id, (long long)last_id + (long long)n);

	last_id += (int64_t)n;

	change(sql);
	free(sql);
}

/* What the newest notice in the queue says; the caller frees it. */
static char *newest_notice(void)
{
	struct message *message = queue_newest_ready(scene.queue, "default");
	struct text bytes;

	assert_non_null(message);
	assert_true(message_envelope(message)->is_notice);
	assert_true(message_bytes(message, &bytes));
	return text_dup(bytes);
}

static void assert_has(const char *text, const char *words)
{
	if (strstr(text, words) != NULL)
		return;
	fprintf(stderr, "%s\n", text);
	fail_msg("\"%s\" is not in it", words);
}

/* --- who, when, how many: pure -------------------------------------------- */

static void test_who_is_told(void **state)
{
	static const struct {
		const char *notify, *postmaster, *sender;
		const char *failed; /* recipient */
		bool is_notice;
		const char *told;
	} rows[] = {
		{ "postmaster", "boss@a.com", "s@a.com", "x@b", false,
		  "boss@a.com" },
		{ "postmaster", NULL, "s@a.com", "x@b", false, "" },
		{ "sender", "boss@a.com", "s@a.com", "x@b", false, "s@a.com" },
		{ "sender", NULL, "", "x@b", false, "" },
		{ "sender", NULL, "scanner", "x@b", false, "" },
		{ "both", "boss@a.com", "s@a.com", "x@b", false,
		  "boss@a.com s@a.com" },
		{ "both", "boss@a.com", "BOSS@a.com", "x@b", false,
		  "boss@a.com" },
		{ "both", NULL, "s@a.com", "x@b", false, "s@a.com" },
		{ "off", "boss@a.com", "s@a.com", "x@b", false, "" },
		/* nobody is told where mail does not arrive */
		{ "both", "boss@a.com", "s@a.com", "S@A.com", false,
		  "boss@a.com" },
		{ "both", "boss@a.com", "s@a.com", "boss@a.com", false,
		  "s@a.com" },
		{ "sender", "boss@a.com", "s@a.com", "s@a.com", false, "" },
		/* nor about a notice */
		{ "both", "boss@a.com", "s@a.com", "x@b", true, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct config *config =
			load(rows[i].notify, rows[i].postmaster);
		struct notice_case one = { .envelope = envelope_new() };
		struct notice_audience audience;
		char told[200] = "";

		one.envelope->reverse_path = xstrdup(rows[i].sender);
		one.envelope->is_notice = rows[i].is_notice;
		envelope_add_recipient(one.envelope, text_of(rows[i].failed))
			->state = RECIPIENT_FAILED;
		audience = notice_audience_of(config, &one);
		for (size_t j = 0; j < audience.n; j++)
			sprintf(told + strlen(told), "%s%s", j > 0 ? " " : "",
				audience.to[j]);
		assert_string_equal(told, rows[i].told);
		notice_case_clear(&one);
		config_unref(&config);
	}
}

static void test_when_a_notice_is_due(void **state)
{
	static const struct {
		const char *notify;
		enum message_state state;
		int64_t failed_ms; /* ago; -1: none has */
		bool is_notice;
		enum notice_state due;
	} rows[] = {
		{ "postmaster", MESSAGE_FAILED, 0, false, NOTICE_DUE },
		{ "postmaster", MESSAGE_DELIVERED, -1, false, NOTICE_NONE },
		{ "postmaster", MESSAGE_REFUSED, 0, false, NOTICE_NONE },
		{ "postmaster", MESSAGE_FAILED, 0, true, NOTICE_NONE },
		{ "off", MESSAGE_FAILED, 0, false, NOTICE_NONE },
		/* some have failed, others wait */
		{ "both", MESSAGE_QUEUED, -1, false, NOTICE_NONE },
		{ "both", MESSAGE_QUEUED, 4 * HOUR - 1, false, NOTICE_NONE },
		{ "both", MESSAGE_QUEUED, 4 * HOUR, false, NOTICE_DUE },
		{ "both", MESSAGE_QUEUED, 4 * HOUR, true, NOTICE_NONE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct config *config = load(rows[i].notify, "boss@a.com");
		struct envelope *envelope = envelope_new();
		int64_t failed_ms = rows[i].failed_ms < 0
					    ? 0
					    : 1000 * HOUR - rows[i].failed_ms;

		envelope->reverse_path = xstrdup("");
		envelope->is_notice = rows[i].is_notice;
		assert_int_equal(notice_after(config, envelope, rows[i].state,
					      failed_ms, 1000 * HOUR),
				 rows[i].due);
		envelope_free(&envelope);
		config_unref(&config);
	}
}

static void test_pace(void **state)
{
	enum { NOW = 60000000, AGO = -1 };
	static const struct {
		size_t due;
		int64_t due_for;       /* minutes */
		size_t made;
		int64_t first_made;    /* minutes ago */
		int64_t digest;        /* minutes ago; -1: none */
		bool each_sender;
		enum notice_action action;
		int64_t rest;          /* minutes */
	} rows[] = {
		{ 0, 0, 0, 0, AGO, false, NOTICE_REST, 0 },
		{ 1, 0, 0, 0, AGO, false, NOTICE_SINGLE, 0 },
		{ 1, 500, 0, 0, AGO, false, NOTICE_SINGLE, 0 },
		{ 20, 60, 0, 0, AGO, false, NOTICE_SINGLE, 0 },
		{ 21, 4, 0, 0, AGO, false, NOTICE_SINGLE, 0 },
		{ 21, 5, 0, 0, AGO, false, NOTICE_DIGEST, 0 },
		{ 1, 0, 19, 10, AGO, false, NOTICE_SINGLE, 0 },
		{ 2, 5, 19, 10, AGO, false, NOTICE_DIGEST, 0 },
		{ 1, 0, 20, 10, AGO, false, NOTICE_REST, 5 },
		{ 1, 0, 20, 58, AGO, false, NOTICE_REST, 2 },
		{ 1, 5, 20, 10, AGO, false, NOTICE_DIGEST, 0 },
		{ 64, 50, 20, 50, AGO, false, NOTICE_DIGEST, 0 },
		/* one an hour */
		{ 64, 30, 20, 40, 30, false, NOTICE_REST, 20 },
		{ 64, 30, 0, 0, 30, false, NOTICE_REST, 30 },
		{ 1, 30, 20, 40, 30, false, NOTICE_REST, 20 },
		{ 64, 59, 20, 40, 60, false, NOTICE_DIGEST, 0 },
		/* where senders are told, digests are notices like any */
		{ 21, 5, 0, 0, AGO, true, NOTICE_DIGEST, 0 },
		{ 64, 30, 20, 40, AGO, true, NOTICE_REST, 20 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct notice_news news = {
			.n_due = rows[i].due,
			.due_since_ms = NOW - rows[i].due_for * MINUTE,
			.n_made = rows[i].made,
			.first_made_ms = NOW - rows[i].first_made * MINUTE,
			.digest_ms = rows[i].digest < 0
					     ? 0
					     : NOW - rows[i].digest * MINUTE,
		};
		struct notice_step step =
			notice_pace(&news, rows[i].each_sender, NOW);

		if (step.action != rows[i].action)
			fail_msg("row %zu: action %d", i, step.action);
		if (rows[i].action == NOTICE_REST && rows[i].due > 0)
			assert_int_equal(step.until_ms,
					 NOW + rows[i].rest * MINUTE);
	}
}

/* --- one notice ----------------------------------------------------------- */

static void test_a_failure_is_told_once(void **state)
{
	struct envelope *envelope;
	char id[MESSAGE_ID_TEXT];
	char *text;

	(void)state;
	message_id_print(fail_one(2), id);
	settle_down();
	assert_int_equal(made(), 1);
	assert_int_equal(due(), 0);
	envelope = message_envelope(queue_newest_ready(scene.queue, "default"));
	assert_string_equal(envelope->reverse_path, "");
	assert_string_equal(envelope->header_from, "relay@contoso.com");
	assert_int_equal(envelope->n_recipients, 1);
	assert_string_equal(envelope->recipients[0].address,
			    "boss@example.com");
	text = newest_notice();
	assert_int_equal(strstr(text, "\r\n\r\n") + 4 - text,
			 envelope->header_size);
	assert_has(text, "Subject: Not delivered: Scan 2 (to to0@example.net "
			 "and 2 more)\r\n");
	assert_has(text, "\r\n    ID:        ");
	assert_has(text, id);
	assert_has(text, "lanpost queue release ");
	assert_has(text, "\r\nStatus: 5.1.1\r\n");
	assert_has(text, "\r\nRemote-MTA: dns; smtp.example.net\r\n");
	assert_has(text, "What to do: ");
	free(text);
	pass(2 * HOUR);
	assert_int_equal(made(), 1);
}

static void test_notices_are_no_news(void **state)
{
	struct message *message;

	(void)state;
	fail_one(0);
	settle_down();
	message = queue_take(scene.queue, "default");
	queue_scene_settle(&scene, message,
			   outcome_failed(message_envelope(message),
					  "550 5.7.1 no", "message-refused"));
	settle_down();
	pass(2 * HOUR);
	assert_int_equal(made(), 1);
	assert_int_equal(due(), 0);
}

/* Nobody is there any longer to be told: it is settled all the same. */
static void test_switched_off_meanwhile(void **state)
{
	(void)state;
	flood(3, now_ms, "s@a.com");
	configure("off", "boss@example.com");
	pass(0);
	assert_int_equal(made(), 0);
	assert_int_equal(due(), 0);
}

static void test_deleted_meanwhile(void **state)
{
	(void)state;
	flood(2, now_ms, "s@a.com");
	change("UPDATE message SET state = 4 WHERE id = (SELECT min(id) FROM"
	       " message)");
	pass(0);
	assert_int_equal(made(), 1);
	assert_int_equal(due(), 0);
}

/* Its header is given back from a file as well. */
static void test_a_large_message(void **state)
{
	struct mail mail;
	struct message *message;
	char *text;

	(void)state;
	mail_start(&mail, &scene.store, 0, 700 * 1000);
	scene_wait(&scene.store);
	queue_scene_finish(&scene, &mail, true);
	message = take();
	queue_scene_settle(&scene, message,
			   outcome_failed(message_envelope(message),
					  "552 5.3.4 too big", "too-big"));
	settle_down();
	assert_int_equal(made(), 1);
	text = newest_notice();
	assert_has(text, "text/rfc822-headers");
	free(text);
}

/* Some have failed for hours, others wait; then the end. */
static void test_told_early_and_at_the_end(void **state)
{
	struct message *message;
	struct outcome *outcome;
	char *text;

	(void)state;
	queue_scene_add(&scene, 1, &(struct waiting_mail){ .len = 300 });
	message = take();
	outcome = queue_scene_deferred(message, now_ms);
	free(outcome->recipients[0].reply);
	outcome->recipients[0].reply = xstrdup("550 5.1.1 unknown");
	outcome->recipients[0].reason = xstrdup("recipient-refused");
	outcome->recipients[0].state = RECIPIENT_FAILED;
	outcome->recipients[0].finished_ms = now_ms - 5 * HOUR;
	outcome->notice = NOTICE_DUE;
	queue_scene_settle(&scene, message, outcome);
	settle_down();
	assert_int_equal(made(), 1);
	text = newest_notice();
	assert_has(text, "Not delivered: Scan 1 (to to0@example.net)");
	assert_has(text, "It is still tried for:\r\n\r\n    to1@example.net\r\n");
	assert_int_equal(ask("SELECT count(*) FROM message WHERE notice = 2"), 1);
	free(text);

	/* again put off: it is due once more, and there is nothing new */
	message = queue_take(scene.queue, "default");
	if (message_envelope(message)->is_notice) {
		queue_scene_settle(&scene, message,
				   queue_scene_delivered(message));
		message = queue_take(scene.queue, "default");
	}
	outcome = queue_scene_deferred(message, now_ms);
	outcome->notice = NOTICE_DUE;
	queue_scene_settle(&scene, message, outcome);
	settle_down();
	assert_int_equal(made(), 1);
	assert_int_equal(due(), 0);

	message = take();
	outcome = outcome_new(message_envelope(message)->id);
	outcome->state = MESSAGE_FAILED;
	outcome->finished_ms = now_ms;
	outcome->notice = NOTICE_DUE;
	outcome_add(outcome, 1, RECIPIENT_FAILED, "452 4.2.2 full", NULL,
		    now_ms);
	queue_scene_settle(&scene, message, outcome);
	settle_down();
	assert_int_equal(made(), 2);
	text = newest_notice();
	assert_has(text, "Not delivered: Scan 1 (to to1@example.net)");
	free(text);
}

/* --- how many ------------------------------------------------------------- */

static void test_twenty_an_hour_and_a_digest(void **state)
{
	char *text;

	(void)state;
	for (unsigned i = 0; i < 30; i++)
		fail_one(0);
	settle_down();
	assert_int_equal(made(), 20);
	assert_int_equal(due(), 10);
	pass(4 * MINUTE);
	assert_int_equal(made(), 20);
	pass(MINUTE);
	assert_int_equal(digests(), 1);
	assert_int_equal(made(), 21);
	assert_int_equal(due(), 0);
	text = newest_notice();
	assert_has(text, "Subject: Not delivered: 10 messages\r\n");
	assert_has(text, "Auto-Submitted: auto-generated\r\n");
	assert_has(text, "10: ");
	assert_has(text, "lanpost history --status failed");
	free(text);

	/* the next digest comes an hour later, however many fail */
	for (unsigned i = 0; i < 3; i++)
		fail_one(0);
	pass(30 * MINUTE);
	assert_int_equal(made(), 21);
	assert_int_equal(due(), 3);
	/* then there is room for single ones again */
	pass(30 * MINUTE);
	assert_int_equal(made(), 24);
	assert_int_equal(digests(), 1);
}

/* What mends it is told with the account's user name. */
static void test_a_digest_names_the_account(void **state)
{
	char *text;

	(void)state;
	flood(40, now_ms, "s@a.com");
	change("UPDATE message SET reason = 'm365-send-as-denied-5760'");
	pass(0);
	pass(6 * MINUTE);
	assert_int_equal(digests(), 1);
	text = newest_notice();
	assert_has(text, "Add-RecipientPermission");
	assert_has(text, "relay@contoso.com. Or");
	assert_null(strstr(text, "ACCOUNT"));
	free(text);
}

static void test_a_restart_begins_no_new_hour(void **state)
{
	(void)state;
	flood(20, now_ms, "s@a.com");
	pass(0);
	assert_int_equal(made(), 20);
	close_scene();
	open_scene();
	flood(1, now_ms, "s@a.com");
	pass(0);
	assert_int_equal(made(), 20);
	pass(6 * MINUTE);
	assert_int_equal(digests(), 1);
	close_scene();
	open_scene();
	flood(1, now_ms, "s@a.com");
	pass(30 * MINUTE);
	assert_int_equal(made(), 21);
}

/* Else nobody would hear of anything until that time has come. */
static void test_a_clock_that_was_ahead(void **state)
{
	(void)state;
	flood(NOTICES_AN_HOUR, now_ms, "s@a.com");
	pass(0);
	assert_int_equal(made(), NOTICES_AN_HOUR);
	change("UPDATE message SET received_ms = received_ms + 31536000000"
	       " WHERE is_notice > 0");
	flood(1, now_ms, "s@a.com");
	pass(0);
	assert_int_equal(made(), NOTICES_AN_HOUR + 1);
	assert_int_equal(due(), 0);
}

static void test_ten_thousand(void **state)
{
	char *text;

	(void)state;
	flood(10000, now_ms - HOUR, "s@a.com");
	pass(0);
	assert_int_equal(made(), 1);
	assert_int_equal(due(), 0);
	text = newest_notice();
	assert_has(text, "Not delivered: 10000 messages");
	assert_has(text, "6667: ");
	assert_has(text, "3333: ");
	assert_has(text, "and 9950 more, which this lists:");
	assert_true(strlen(text) < 32 * 1024);
	free(text);
	pass(3 * HOUR);
	assert_int_equal(made(), 1);
}

/* Without a postmaster each sender has a digest of his own. */
static void test_each_sender(void **state)
{
	struct envelope *envelope;

	(void)state;
	configure("sender", NULL);
	flood(30, now_ms - HOUR, "a@a.com");
	flood(25, now_ms - HOUR / 2, "b@a.com");
	pass(0);
	assert_int_equal(made(), 2);
	assert_int_equal(digests(), 0);
	assert_int_equal(due(), 0);
	envelope = message_envelope(queue_newest_ready(scene.queue, "default"));
	assert_string_equal(envelope->recipients[0].address, "b@a.com");
	assert_string_equal(envelope->subject, "Not delivered: 25 messages");
}

/* --- crashes -------------------------------------------------------------- */

/* The process ends after so many turns of its loop, at whatever step. */
static void die_after(unsigned turns)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		open_scene();
		notices_kick(notices);
		for (unsigned i = 0; i < turns; i++)
			scene_turn(&scene.store);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
}

static void test_a_crash_at_any_step(void **state)
{
	int64_t before = 0;

	(void)state;
	for (unsigned turns = 0; turns < 24; turns++) {
		flood(2, now_ms, "s@a.com");
		close_scene();
		die_after(turns);
		open_scene();
		notices_kick(notices);
		settle_down();
		assert_int_equal(made(), before + 2);
		assert_int_equal(due(), 0);
		/* not the hour's limit is asked about here */
		change("UPDATE message SET received_ms = 1 WHERE is_notice > 0");
		before += 2;
		now_ms += 10;
	}
}

/* What was read is told only if it is still so. */
static void finished(void *ctx, const char *error, bool full)
{
	bool *failed = ctx;

	(void)full;
	*failed = error != NULL;
	scene_answered(&scene.store);
}

static bool tell(const struct notice_told *told)
{
	bool failed = false;

	scene.store.open_questions++;
	store_notice_skip(scene.store.store, told, finished, &failed);
	scene_wait(&scene.store);
	return !failed;
}

static void test_only_what_was_read_is_told(void **state)
{
	struct notice_told told = { .until_ms = now_ms, .n = 4 };

	(void)state;
	flood(5, now_ms, "s@a.com");
	assert_false(tell(&told));
	told.sender = "else@a.com";
	told.n = 5;
	assert_false(tell(&told));
	told.sender = "s@a.com";
	assert_true(tell(&told));
	told = (struct notice_told){ .id = 12345, .until_ms = now_ms };
	assert_false(tell(&told));
}

/* --- accounts ------------------------------------------------------------- */

static struct account_alarm office_alarm(void)
{
	return (struct account_alarm){
		.account = "office",
		.title = "Wrong user name or password",
		.explanation = "The provider refused them.",
		.fix = "Set a new password.",
		.reply = "535 5.7.139 Authentication unsuccessful",
		.since_ms = now_ms - 10,
		.waiting = 3,
		.expires_ms = now_ms + HOUR,
	};
}

static void test_a_paused_account_is_told(void **state)
{
	struct account_alarm alarm = office_alarm();
	char *text;

	(void)state;
	notices_account_paused(notices, &alarm);
	settle_down();
	assert_int_equal(made(), 1);
	text = newest_notice();
	assert_has(text, "Subject: Account office is paused: Wrong user name or "
			 "password\r\n");
	assert_has(text, "To: boss@example.com\r\n");
	assert_has(text, "Auto-Submitted: auto-generated\r\n");
	assert_has(text, "What to do: Set a new password.");
	assert_has(text, "    535 5.7.139 Authentication unsuccessful\r\n");
	assert_has(text, "This comes by account default.");
	assert_has(text, "3 messages wait for it.");
	assert_has(text, "lanpost account resume office");
	free(text);

	alarm.since_ms = now_ms - HOUR;
	notices_account_resumed(notices, &alarm);
	settle_down();
	assert_int_equal(made(), 1); /* it was too short */
	alarm.since_ms = now_ms - 2 * HOUR;
	notices_account_resumed(notices, &alarm);
	settle_down();
	assert_int_equal(made(), 2);
	text = newest_notice();
	assert_has(text, "Subject: Account office sends again\r\n");
	assert_has(text, "after a pause of 2 hours");
	free(text);
}

static void test_nobody_to_tell_of_an_account(void **state)
{
	struct account_alarm alarm = office_alarm();

	(void)state;
	carrier = NULL;
	notices_account_paused(notices, &alarm);
	carrier = "default";
	configure("both", NULL);
	notices_account_paused(notices, &alarm);
	configure("off", "boss@example.com");
	notices_account_paused(notices, &alarm);
	settle_down();
	assert_int_equal(made(), 0);
}

static void test_alarms_keep_the_pace(void **state)
{
	struct account_alarm alarm = office_alarm();

	(void)state;
	flood(20, now_ms, "s@a.com");
	pass(0);
	assert_int_equal(made(), 20);
	notices_account_paused(notices, &alarm);
	notices_account_paused(notices, &alarm);
	settle_down();
	assert_int_equal(made(), 20);
	pass(HOUR);
	assert_int_equal(made(), 21);
	assert_int_equal(digests(), 0);
}

/* --- */

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_is_told),
		cmocka_unit_test(test_when_a_notice_is_due),
		cmocka_unit_test(test_pace),
		TEST(test_a_failure_is_told_once),
		TEST(test_notices_are_no_news),
		TEST(test_switched_off_meanwhile),
		TEST(test_deleted_meanwhile),
		TEST(test_a_large_message),
		TEST(test_told_early_and_at_the_end),
		TEST(test_twenty_an_hour_and_a_digest),
		TEST(test_a_digest_names_the_account),
		TEST(test_a_restart_begins_no_new_hour),
		TEST(test_a_clock_that_was_ahead),
		TEST(test_ten_thousand),
		TEST(test_each_sender),
		TEST(test_a_crash_at_any_step),
		TEST(test_only_what_was_read_is_told),
		TEST(test_a_paused_account_is_told),
		TEST(test_nobody_to_tell_of_an_account),
		TEST(test_alarms_keep_the_pace),
	};

	int failed;

	alarm(300);
	tempdir_make();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	tempdir_remove();
	return failed;
}
