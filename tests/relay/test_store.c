#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tests/relay/store_scene.h"
#include "tests/relay/store_sql.h"
#include "tests/support/bytes.h"
#include "tests/support/tempdir.h"

enum { LARGE = 700 * 1000 };

static struct scene scene;
static const char *folder;

static void open_store(void)
{
	if (!scene_open(&scene, folder))
		fail_msg("%s", scene.error);
}

static void reopen_store(void)
{
	scene_close(&scene);
	open_store();
}

/* As if killed: nothing is closed, checkpointed or removed. */
static void tamper(const char *sql)
{
	sql_run(folder, sql);
}

static int64_t ask(const char *sql)
{
	return sql_number(folder, sql);
}

static char *body_path(message_id id)
{
	char text[MESSAGE_ID_TEXT];

	return xasprintf("%s/bodies/%s", folder, message_id_print(id, text));
}

static bool body_exists(message_id id)
{
	char *path = body_path(id);
	bool exists = access(path, F_OK) == 0;

	free(path);
	return exists;
}

/* --- accepting ---------------------------------------------------------- */

static void assert_same(const struct envelope *a, const struct envelope *b)
{
	assert_true(a->id == b->id);
	assert_int_equal(a->state, b->state);
	assert_string_equal(a->client, b->client);
	assert_string_equal(a->listener, b->listener);
	assert_string_equal(a->helo, b->helo);
	assert_string_equal(a->reverse_path, b->reverse_path);
	assert_string_equal(a->header_from, b->header_from);
	assert_string_equal(a->subject, b->subject);
	assert_string_equal(a->header_id, b->header_id);
	assert_string_equal(a->account, b->account);
	assert_string_equal(a->device, b->device);
	assert_string_equal(a->rule, b->rule);
	assert_string_equal(a->content, b->content);
	assert_int_equal(a->received_ms, b->received_ms);
	assert_int_equal(a->expires_ms, b->expires_ms);
	assert_int_equal(a->next_attempt_ms, b->next_attempt_ms);
	assert_int_equal(a->finished_ms, b->finished_ms);
	assert_int_equal(a->attempts, b->attempts);
	assert_null(b->reason);
	assert_int_equal(a->size, b->size);
	assert_int_equal(a->header_size, b->header_size);
	assert_int_equal(a->checksum, b->checksum);
	assert_int_equal(a->has_8bit, b->has_8bit);
	assert_int_equal(a->body_in_file, b->body_in_file);
	assert_int_equal(a->n_recipients, b->n_recipients);
	for (size_t i = 0; i < a->n_recipients; i++) {
		assert_string_equal(a->recipients[i].address,
				    b->recipients[i].address);
		assert_int_equal(b->recipients[i].state, RECIPIENT_QUEUED);
		assert_null(b->recipients[i].reply);
	}
}

static void accept_and_compare(size_t len)
{
	struct loaded loaded, body;
	struct mail mail;

	mail_start(&mail, &scene, 5, len);
	mail.envelope->has_8bit = true;
	mail.envelope->device = xstrdup("scanner");
	mail.envelope->rule = xstrdup("scans");
	mail.envelope->content = xstrdup("8bit");
	scene_wait(&scene);
	assert_true(mail.accepted);
	assert_false(mail.failed);
	body_free(&mail.body);
	reopen_store();
	loaded = scene_load(&scene, 100);
	assert_int_equal(loaded.n, 1);
	assert_same(mail.envelope, loaded.envelopes[0]);
	body = scene_load_body(&scene, loaded.envelopes[0]);
	assert_false(body.failed);
	assert_bytes("body", text_make(body.bytes, body.len), mail.bytes);
	assert_int_equal(spool_used(scene.spool), len);
	loaded_free(&body);
	loaded_free(&loaded);
	mail_end(&mail);
}

static void test_a_message_is_there_again(void **state)
{
	(void)state;
	accept_and_compare(4000);
}

static void test_a_large_message_is_there_again(void **state)
{
	(void)state;
	accept_and_compare(LARGE);
}

static void test_an_empty_message_is_there_again(void **state)
{
	(void)state;
	accept_and_compare(0);
}

/* Another connection holds the write lock, so that all but the first few wait
 * for one group. */
static void test_what_arrives_meanwhile_shares_a_commit(void **state)
{
	enum { MAILS = 50 };
	char *path = xasprintf("%s/lanpost.db", folder);
	struct mail mails[MAILS];
	struct store_counters counters;
	sqlite3 *other;

	(void)state;
	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL),
		SQLITE_OK);
	for (unsigned i = 0; i < MAILS; i++)
		mail_start(&mails[i], &scene, i, 1000);
	/* The bodies are finished in the next turn of the loop, all jobs are
	 * posted in it, and none of them can be committed. */
	for (unsigned i = 0; i < MAILS; i++)
		while (!mails[i].finished)
			scene_turn(&scene);
	assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(other);
	free(path);
	scene_wait(&scene);
	store_counters(scene.store, &counters);
	assert_int_equal(counters.jobs, MAILS);
	assert_in_range(counters.commits, 1, 2);
	for (unsigned i = 0; i < MAILS; i++) {
		assert_true(mails[i].accepted);
		assert_false(mails[i].failed);
		mail_end(&mails[i]);
	}
	assert_int_equal(ask("SELECT count(*) FROM message"), MAILS);
}

static void test_an_id_twice_is_the_second_ones_fault(void **state)
{
	struct mail first, second, third;

	(void)state;
	mail_start(&first, &scene, 1, 100);
	mail_start(&second, &scene, 2, 100);
	mail_start(&third, &scene, 3, 100);
	second.envelope->id = first.envelope->id;
	scene_wait(&scene);
	assert_false(first.failed);
	assert_true(second.failed);
	assert_false(third.failed);
	assert_true(store_is_healthy(scene.store));
	mail_end(&first);
	mail_end(&second);
	mail_end(&third);
	assert_int_equal(ask("SELECT count(*) FROM message"), 2);
	assert_int_equal(ask("SELECT count(*) FROM recipient"), 3);
}

/* --- messages that share a body ----------------------------------------- */

static void assert_body(const struct envelope *e, struct text bytes)
{
	struct loaded body = scene_load_body(&scene, e);

	assert_false(body.failed);
	assert_bytes("body", text_make(body.bytes, body.len), bytes);
	loaded_free(&body);
}

static void share_and_deliver_one(size_t len)
{
	struct loaded loaded;
	struct mail mail;

	mail_start(&mail, &scene, 1, len);
	mail_share(&mail, 2);
	mail_share(&mail, 3);
	scene_wait(&scene);
	assert_false(mail.failed);
	assert_int_equal(spool_used(scene.spool), 3 * len);
	body_free(&mail.body);
	reopen_store();
	assert_int_equal(scene.recovery.queued, 3);
	assert_int_equal(scene.recovery.octets, 3 * len);
	assert_int_equal(scene.recovery.orphans_removed, 0);
	loaded = scene_load(&scene, 10);
	assert_int_equal(loaded.n, 3);
	for (size_t i = 0; i < 3; i++)
		assert_body(loaded.envelopes[i], mail.bytes);
	/* None needs another. */
	scene_outcome(&scene, outcome_delivered(mail.envelope->id, 2));
	reopen_store();
	assert_false(body_exists(mail.envelope->id));
	assert_int_equal(scene.recovery.lost_bodies, 0);
	assert_int_equal(scene.recovery.octets, 2 * len);
	assert_body(loaded.envelopes[1], mail.bytes);
	assert_body(loaded.envelopes[2], mail.bytes);
	scene_outcome(&scene, outcome_delivered(loaded.envelopes[1]->id, 3));
	scene_outcome(&scene, outcome_delivered(loaded.envelopes[2]->id, 1));
	assert_int_equal(spool_used(scene.spool), 0);
	loaded_free(&loaded);
	mail_end(&mail);
}

static void test_a_body_is_shared(void **state)
{
	(void)state;
	share_and_deliver_one(4000);
}

static void test_a_large_body_is_shared(void **state)
{
	(void)state;
	share_and_deliver_one(LARGE);
}

/* The third has the id of a message that is there already. */
static void share_with_one_at_fault(size_t len)
{
	message_id there = scene_send(&scene, 5, len);
	uint64_t used = spool_used(scene.spool);
	struct mail mail;

	mail_start(&mail, &scene, 1, len);
	mail_share(&mail, 2);
	mail_share(&mail, 3)->id = there;
	scene_wait(&scene);
	assert_true(mail.failed);
	assert_true(store_is_healthy(scene.store));
	assert_int_equal(ask("SELECT count(*) FROM message"), 1);
	assert_int_equal(ask("SELECT count(*) FROM recipient"), 3);
	mail_end(&mail);
	assert_int_equal(spool_used(scene.spool), used);
	reopen_store();
	assert_int_equal(scene.recovery.queued, 1);
	assert_int_equal(scene.recovery.orphans_removed, 0);
	assert_int_equal(scene.recovery.lost_bodies, 0);
	assert_int_equal(body_exists(there), len == LARGE);
}

static void test_all_or_none_share(void **state)
{
	(void)state;
	share_with_one_at_fault(4000);
}

static void test_all_or_none_share_a_large_body(void **state)
{
	(void)state;
	share_with_one_at_fault(LARGE);
}

/* What a failed sync of the folder makes doubtful is what was made before. */
static void test_files_are_believed_again_after_a_failed_sync(void **state)
{
	struct mail mail;

	(void)state;
	mail_start(&mail, &scene, 1, LARGE);
	while (!body_exists(mail.envelope->id))
		scene_turn(&scene);
	spool_end_epoch(scene.spool);
	scene_wait(&scene);
	assert_true(mail.failed);
	mail_end(&mail);
	assert_int_not_equal(scene_send(&scene, 2, LARGE), 0);
}

/* --- an older schema ---------------------------------------------------- */

/* What version 1 left, with a message in the queue; never changed. */
static const char version_1[] =
	"PRAGMA journal_mode = WAL;"
	"CREATE TABLE message ( id INTEGER PRIMARY KEY,"
	" state INTEGER NOT NULL, body INTEGER NOT NULL,"
	" client TEXT, listener TEXT, helo TEXT, reverse_path TEXT NOT NULL,"
	" header_from TEXT, subject TEXT, header_id TEXT, account TEXT,"
	" received_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL,"
	" next_attempt_ms INTEGER NOT NULL, finished_ms INTEGER NOT NULL,"
	" attempts INTEGER NOT NULL, reason TEXT, size INTEGER NOT NULL,"
	" header_size INTEGER NOT NULL, checksum INTEGER NOT NULL,"
	" has_8bit INTEGER NOT NULL) STRICT;"
	"CREATE TABLE recipient ( message INTEGER NOT NULL,"
	" n INTEGER NOT NULL, address TEXT NOT NULL, state INTEGER NOT NULL,"
	" reply TEXT, PRIMARY KEY (message, n)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE body ( message INTEGER PRIMARY KEY,"
	" data BLOB NOT NULL) STRICT;"
	"CREATE TABLE attempt ( message INTEGER NOT NULL, n INTEGER NOT NULL,"
	" started_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL,"
	" account TEXT, host TEXT, stage TEXT, reply TEXT,"
	" PRIMARY KEY (message, n)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX message_due ON message (next_attempt_ms)"
	" WHERE state = 0;"
	"CREATE INDEX message_held ON message (received_ms) WHERE state = 3;"
	"CREATE INDEX message_kept ON message (finished_ms)"
	" WHERE state = 2 AND body <> 0;"
	"CREATE INDEX message_file ON message (size) WHERE body = 2;"
	"PRAGMA application_id = 1280340852;"
	"PRAGMA user_version = 1;"
	"INSERT INTO message VALUES (1867000000000000000, 0, 1, '192.0.2.7',"
	" 'default', 'scanner', 'scan@example.com', 'scan@example.com',"
	" 'Scan 1', '<1@scanner.example.com>', 'default', 1780510000000,"
	" 9999999999999, 5000, 0, 2, 'greylisted', 9, 0, 3421780262, 1);"
	"INSERT INTO recipient VALUES (1867000000000000000, 0,"
	" 'to@example.net', 0, '450 4.2.0 Greylisted');"
	"INSERT INTO body VALUES (1867000000000000000, X'313233343536373839');";

static void make_version_1(void)
{
	char *command = xasprintf("rm -f '%s'/lanpost.db*", folder);

	scene_close(&scene);
	assert_int_equal(system(command), 0);
	tamper(version_1);
	free(command);
}

static void assert_is_from_version_1(const struct envelope *e)
{
	assert_string_equal(e->subject, "Scan 1");
	assert_string_equal(e->reason, "greylisted");
	assert_int_equal(e->attempts, 2);
	assert_int_equal(e->n_recipients, 1);
	assert_null(e->device);
	assert_null(e->rule);
	assert_null(e->content);
	assert_body(e, text_of("123456789"));
}

static void test_version_1_is_brought_up_to_date(void **state)
{
	struct loaded loaded;

	(void)state;
	make_version_1();
	open_store();
	assert_int_equal(ask("PRAGMA user_version"), 3);
	assert_int_equal(scene.recovery.queued, 1);
	assert_int_equal(scene.recovery.lost_bodies, 0);
	loaded = scene_load(&scene, 10);
	assert_int_equal(loaded.n, 1);
	assert_is_from_version_1(loaded.envelopes[0]);
	scene_outcome(&scene, outcome_delivered(loaded.envelopes[0]->id, 1));
	loaded_free(&loaded);
	assert_int_equal(ask("SELECT count(*) FROM message WHERE state = 1"),
			 1);
	assert_int_not_equal(scene_send(&scene, 2, LARGE), 0);
}

static void test_a_command_does_not_migrate(void **state)
{
	const char *error = NULL;

	(void)state;
	make_version_1();
	assert_null(store_reader_open(folder, &error));
	assert_non_null(strstr(error, "start the server once"));
	assert_int_equal(ask("PRAGMA user_version"), 1);
	open_store();
}

/* --- outcomes ----------------------------------------------------------- */

static void deliver(size_t len)
{
	message_id id = scene_send(&scene, 1, len);
	struct loaded loaded;

	assert_int_equal(spool_used(scene.spool), len);
	scene_outcome(&scene, outcome_delivered(id, 2));
	loaded = scene_load(&scene, 10);
	assert_int_equal(loaded.n, 0);
	loaded_free(&loaded);
	assert_int_equal(spool_used(scene.spool), 0);
	reopen_store();
	assert_int_equal(scene.recovery.queued, 0);
	assert_int_equal(scene.recovery.octets, 0);
	assert_int_equal(scene.recovery.orphans_removed, 0);
	assert_false(body_exists(id));
	assert_int_equal(ask("SELECT count(*) FROM body"), 0);
	assert_int_equal(ask("SELECT count(*) FROM message WHERE state = 1 "
			     "AND body = 0 AND attempts = 1"),
			 1);
	assert_int_equal(ask("SELECT count(*) FROM recipient WHERE state = 1 "
			     "AND reply LIKE '250 2.0.0%'"),
			 2);
	assert_int_equal(ask("SELECT count(*) FROM attempt WHERE n = 1 "
			     "AND stage = 'end of data'"),
			 1);
}

static void test_a_delivered_message_gives_its_body_up(void **state)
{
	(void)state;
	deliver(4000);
}

static void test_a_delivered_file_is_removed(void **state)
{
	(void)state;
	deliver(LARGE);
}

static struct outcome *outcome_deferred(message_id id, int64_t next_ms)
{
	struct outcome *outcome = outcome_new(id);

	outcome->state = MESSAGE_QUEUED;
	outcome->next_attempt_ms = next_ms;
	outcome->attempts = 1;
	outcome->started_ms = outcome->ended_ms = wall_now_ms();
	outcome->reason = xstrdup("greylisted");
	outcome_add(outcome, 0, RECIPIENT_DELIVERED, "250 2.1.5 Ok", NULL, 0);
	outcome_add(outcome, 2, RECIPIENT_QUEUED, "450 4.2.0 Greylisted", NULL, 0);
	return outcome;
}

static void test_a_deferred_message_stays_and_remembers(void **state)
{
	message_id id = scene_send(&scene, 2, 3000);
	struct loaded loaded;
	struct envelope *e;

	(void)state;
	scene_outcome(&scene, outcome_deferred(id, 77000));
	scene_outcome(&scene, outcome_deferred(id, 99000));
	reopen_store();
	assert_int_equal(scene.recovery.queued, 1);
	assert_int_equal(scene.recovery.octets, 3000);
	loaded = scene_load(&scene, 10);
	assert_int_equal(loaded.n, 1);
	e = loaded.envelopes[0];
	assert_int_equal(e->next_attempt_ms, 99000);
	assert_int_equal(e->attempts, 1);
	assert_string_equal(e->reason, "greylisted");
	assert_int_equal(e->recipients[0].state, RECIPIENT_DELIVERED);
	assert_string_equal(e->recipients[0].reply, "250 2.1.5 Ok");
	assert_int_equal(e->recipients[1].state, RECIPIENT_QUEUED);
	assert_null(e->recipients[1].reply);
	assert_string_equal(e->recipients[2].reply, "450 4.2.0 Greylisted");
	loaded_free(&loaded);
	assert_int_equal(ask("SELECT count(*) FROM attempt"), 2);
}

static void test_an_outcome_without_a_message_is_no_matter(void **state)
{
	(void)state;
	scene_outcome(&scene, outcome_delivered(4711, 2));
	assert_true(store_is_healthy(scene.store));
	assert_int_equal(ask("SELECT count(*) FROM attempt"), 0);
}

/* --- loading ------------------------------------------------------------ */

static void test_due_ones_come_first(void **state)
{
	message_id ids[5];
	static const int64_t due[5] = { 500, 100, 300, 100, 200 };
	static const unsigned order[4] = { 1, 3, 4, 2 };
	struct loaded loaded;

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		ids[i] = scene_send(&scene, i, 10);
		scene_outcome(&scene, outcome_deferred(ids[i], due[i]));
	}
	loaded = scene_load(&scene, 4);
	assert_int_equal(loaded.n, 4);
	for (unsigned i = 0; i < 4; i++)
		assert_true(loaded.envelopes[i]->id == ids[order[i]]);
	loaded_free(&loaded);
}

static void assert_body_refused(const char *damage)
{
	struct loaded loaded, body;

	scene_send(&scene, 1, 3000);
	loaded = scene_load(&scene, 1);
	tamper(damage);
	body = scene_load_body(&scene, loaded.envelopes[0]);
	assert_true(body.failed);
	assert_null(body.bytes);
	loaded_free(&body);
	loaded_free(&loaded);
}

static void test_a_changed_body_is_not_given_out(void **state)
{
	(void)state;
	assert_body_refused("UPDATE body SET data = zeroblob(3000)");
}

static void test_a_shortened_body_is_not_given_out(void **state)
{
	(void)state;
	assert_body_refused("UPDATE body SET data = substr(data, 1, 2999)");
}

static void test_a_missing_body_is_not_given_out(void **state)
{
	(void)state;
	assert_body_refused("DELETE FROM body");
}

/* --- recovery ----------------------------------------------------------- */

static void put_file(const char *name, const char *contents)
{
	char *path = xasprintf("%s/bodies/%s", folder, name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(contents, file);
	fclose(file);
	free(path);
}

static bool has_file(const char *name)
{
	char *path = xasprintf("%s/bodies/%s", folder, name);
	struct stat info;
	bool has = lstat(path, &info) == 0;

	free(path);
	return has;
}

static void put_aliens(void)
{
	char *fifo = xasprintf("%s/bodies/1m7z0s1abc013", folder);
	char *link = xasprintf("%s/bodies/1m7z0s1abc014", folder);
	char *subfolder = xasprintf("%s/bodies/1m7z0s1abc015", folder);

	put_file(".hidden", "mine");
	put_file("notes.txt", "mine");
	put_file("1M7Z0S1ABC012", "no name that we give");
	put_file("with\nnewline", "mine");
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(symlink("/etc/hostname", link), 0);
	assert_int_equal(mkdir(subfolder, 0700), 0);
	free(fifo);
	free(link);
	free(subfolder);
}

static void test_only_orphans_are_removed(void **state)
{
	static const char *const aliens[] = {
		".hidden",       "notes.txt",     "1M7Z0S1ABC012",
		"with\nnewline", "1m7z0s1abc013", "1m7z0s1abc014",
		"1m7z0s1abc015",
	};
	message_id id = scene_send(&scene, 1, LARGE);

	(void)state;
	put_aliens();
	put_file("1m7z0s1abc010", "orphan");
	put_file("1m7z0s1abc011", "");
	reopen_store();
	assert_int_equal(scene.recovery.orphans_removed, 2);
	assert_int_equal(scene.recovery.lost_bodies, 0);
	assert_false(has_file("1m7z0s1abc010"));
	assert_false(has_file("1m7z0s1abc011"));
	assert_true(body_exists(id));
	for (unsigned i = 0; i < COUNT(aliens); i++)
		assert_true(has_file(aliens[i]));
	reopen_store();
	assert_int_equal(scene.recovery.orphans_removed, 0);
	assert_true(body_exists(id));
}

static void assert_lost(uint64_t lost)
{
	reopen_store();
	assert_int_equal(scene.recovery.lost_bodies, lost);
	assert_int_equal(scene.recovery.queued, 1);
	assert_int_equal(ask("SELECT count(*) FROM message WHERE state = 2 "
			     "AND reason = 'body-damaged' "
			     "AND finished_ms > 0"),
			 (int64_t)lost);
	assert_int_equal(ask("SELECT count(*) FROM recipient "
			     "WHERE state = 2 AND reply IS NOT NULL"),
			 (int64_t)lost);
	reopen_store();
	assert_int_equal(scene.recovery.lost_bodies, 0);
	assert_int_equal(scene.recovery.queued, 1);
}

static void test_lost_files_are_told(void **state)
{
	message_id missing = scene_send(&scene, 0, LARGE);
	message_id cut = scene_send(&scene, 0, LARGE);
	message_id emptied = scene_send(&scene, 0, LARGE);
	message_id whole = scene_send(&scene, 0, LARGE);
	char *path;

	(void)state;
	path = body_path(missing);
	assert_int_equal(unlink(path), 0);
	free(path);
	path = body_path(cut);
	assert_int_equal(truncate(path, LARGE - 1), 0);
	free(path);
	path = body_path(emptied);
	assert_int_equal(truncate(path, 0), 0);
	free(path);
	assert_lost(3);
	/* What is left may be looked at. */
	assert_true(body_exists(cut));
	assert_true(body_exists(emptied));
	assert_true(body_exists(whole));
}

static void test_lost_bodies_in_the_database_are_told(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		scene_send(&scene, 0, 1000);
	tamper("DELETE FROM body WHERE message ="
	       " (SELECT id FROM message ORDER BY id LIMIT 1);"
	       "UPDATE body SET data = zeroblob(999) WHERE message ="
	       " (SELECT id FROM message ORDER BY id LIMIT 1 OFFSET 1);"
	       "UPDATE message SET state = 3, body = 0 WHERE id ="
	       " (SELECT id FROM message ORDER BY id LIMIT 1 OFFSET 2);");
	assert_lost(3);
}

static void test_ids_go_on_where_they_were(void **state)
{
	message_id next;

	(void)state;
	scene_send(&scene, 0, 10);
	tamper("UPDATE message SET id = id + 1000000000000000;"
	       "UPDATE body SET message = message + 1000000000000000");
	reopen_store();
	next = message_id_new(wall_now_ms(), random_u32());
	assert_true((int64_t)next > ask("SELECT max(id) FROM message"));
}

/* --- what is refused ---------------------------------------------------- */

static void assert_not_opened(const char *words)
{
	struct spool_settings settings = { .folder = folder };
	struct store_recovery recovery;
	const char *error = NULL;
	struct spool *spool;
	struct store *store;

	assert_int_equal(spool_open(&spool, &settings, &error), SPOOL_OPEN);
	store = store_open(spool, scene.loop, scene_on_health, &scene,
			   &recovery, &error);
	assert_null(store);
	assert_non_null(strstr(error, words));
	assert_non_null(strstr(error, "/lanpost.db"));
	spool_close(&spool);
}

static void test_a_newer_schema_is_refused(void **state)
{
	(void)state;
	scene_close(&scene);
	scene.loop = loop_new();
	tamper("PRAGMA user_version = 4711");
	assert_not_opened("newer lanpost (schema 4711");
	assert_not_opened("newer lanpost (schema 4711"); /* unchanged */
	tamper("PRAGMA user_version = 3");
	loop_free(&scene.loop);
	open_store();
}

static void test_a_database_of_others_is_refused(void **state)
{
	char *path = xasprintf("%s/lanpost.db", folder);

	(void)state;
	scene_close(&scene);
	scene.loop = loop_new();
	assert_int_equal(unlink(path), 0);
	tamper("CREATE TABLE song (title)");
	assert_not_opened("another program");
	assert_int_equal(ask("SELECT count(*) FROM sqlite_schema"), 1);
	assert_int_equal(unlink(path), 0);
	loop_free(&scene.loop);
	open_store();
	free(path);
}

static void overwrite(off_t offset, const char *bytes, size_t len)
{
	char *path = xasprintf("%s/lanpost.db", folder);
	FILE *file = fopen(path, "r+");

	assert_non_null(file);
	assert_int_equal(fseeko(file, offset, SEEK_SET), 0);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	fclose(file);
	free(path);
}

static void test_a_damaged_database_is_refused(void **state)
{
	char *path = xasprintf("%s/lanpost.db", folder);
	char *noise = scene_bytes(9, 5 * 4096);

	(void)state;
	for (unsigned i = 0; i < 30; i++)
		scene_send(&scene, i, 100);
	scene_close(&scene);
	scene.loop = loop_new();
	overwrite(4096, noise, 5 * 4096);
	assert_not_opened("damaged");
	overwrite(0, noise, 4096);
	assert_not_opened("damaged");
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_not_opened("not a regular file");
	unlink(path);
	loop_free(&scene.loop);
	open_store();
	free(noise);
	free(path);
}

/* --- when the disk fails ------------------------------------------------ */

static void limit_files(rlim_t octets)
{
	struct rlimit limit;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = octets;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_a_full_disk_is_told_to_all_and_passes(void **state)
{
	struct mail mails[5];

	(void)state;
	scene_send(&scene, 0, 100);
	limit_files(4096);
	for (unsigned i = 0; i < 5; i++)
		mail_start(&mails[i], &scene, i, 50000);
	scene_wait(&scene);
	for (unsigned i = 0; i < 5; i++) {
		assert_true(mails[i].failed);
		assert_true(mails[i].full);
		assert_non_null(strstr(mails[i].error, "File too large"));
		assert_non_null(strstr(mails[i].error, "lanpost.db"));
		mail_end(&mails[i]);
	}
	assert_int_equal(scene.turned_bad > 0, 1);
	assert_false(store_is_healthy(scene.store));
	limit_files(RLIM_INFINITY);
	/* It finds out by itself. */
	while (!store_is_healthy(scene.store))
		scene_turn(&scene);
	assert_int_equal(scene.turned_well, 1);
	assert_int_not_equal(scene_send(&scene, 1, 50000), 0);
	assert_int_equal(ask("SELECT count(*) FROM message"), 2);
	assert_int_equal(spool_used(scene.spool), 50100);
}

static int64_t log_size(void)
{
	char *path = xasprintf("%s/lanpost.db-wal", folder);
	struct stat info;

	assert_int_equal(stat(path, &info), 0);
	free(path);
	return info.st_size;
}

static void test_the_log_stays_bounded(void **state)
{
	enum { MAILS = 120, LEN = 200 * 1000 };
	int64_t most = 0;

	(void)state;
	for (unsigned i = 0; i < MAILS; i++) {
		message_id id = scene_send(&scene, i, LEN);

		scene_outcome(&scene, outcome_delivered(id, i % 3 + 1));
		if (log_size() > most)
			most = log_size();
	}
	/* 24 MB went through it. */
	assert_true(most < 12 * 1000 * 1000);
}

/* --- the purge ---------------------------------------------------------- */

static void age(const char *what)
{
	char *sql = xasprintf("UPDATE message SET %s", what);

	tamper(sql);
	free(sql);
}

/* Purges come back without a word: what is asked behind one is told after. */
static void purge(int64_t history_ms, int64_t failed_ms)
{
	struct loaded loaded;

	store_purge(scene.store, history_ms, failed_ms);
	loaded = scene_load(&scene, 1);
	loaded_free(&loaded);
}

static void test_purge_forgets_old_finished_ones(void **state)
{
	message_id delivered = scene_send(&scene, 0, 100);
	message_id queued = scene_send(&scene, 0, 100);
	message_id young = scene_send(&scene, 0, 100);
	int64_t now = wall_now_ms();

	(void)state;
	scene_outcome(&scene, outcome_delivered(delivered, 1));
	scene_outcome(&scene, outcome_delivered(young, 1));
	purge(now - 100000, 0);
	assert_int_equal(ask("SELECT count(*) FROM message"), 3);
	tamper("UPDATE message SET received_ms = 1000 WHERE id <"
	       " (SELECT max(id) FROM message)");
	purge(2000, 0);
	assert_int_equal(ask("SELECT count(*) FROM message"), 2);
	assert_int_equal(ask("SELECT count(*) FROM recipient"), 2);
	assert_int_equal(ask("SELECT count(*) FROM attempt"), 1);
	assert_int_equal(ask("SELECT min(id) FROM message"), (int64_t)queued);
	assert_int_equal(ask("SELECT max(id) FROM message"), (int64_t)young);
}

static void test_purge_drops_bodies_of_failed_ones(void **state)
{
	message_id small = scene_send(&scene, 0, 100);
	message_id large = scene_send(&scene, 0, LARGE);

	(void)state;
	age("state = 2, finished_ms = 5000");
	purge(0, 5000);
	assert_int_equal(ask("SELECT count(*) FROM message WHERE body <> 0"),
			 2);
	purge(0, 5001);
	assert_int_equal(ask("SELECT count(*) FROM message WHERE body = 0"), 2);
	assert_int_equal(ask("SELECT count(*) FROM body"), 0);
	assert_int_equal(spool_used(scene.spool), 0);
	reopen_store();
	assert_false(body_exists(large));
	assert_int_equal(scene.recovery.orphans_removed, 0);
	assert_int_equal(scene.recovery.lost_bodies, 0);
	assert_int_not_equal(small, 0);
}

static void fill(const char *columns, unsigned from, unsigned count)
{
	char *sql = xasprintf("WITH RECURSIVE c(n) AS (VALUES (%u) UNION ALL "
			      "SELECT n + 1 FROM c WHERE n < %u) "
			      "INSERT INTO message SELECT n, %s FROM c",
			      from, from + count - 1, columns);

	tamper(sql);
	free(sql);
}

#define OLD(state)                                                             \
	state ", 0, '', '', '', '', '', '', '', '', 1000, 0, 0, "              \
	      "0, 0, NULL, 10, 0, 0, 0, NULL, NULL, NULL, 0, 0, -1"
#define NEW(received)                                                          \
	"1, 0, '', '', '', '', '', '', '', '', " received                      \
	", 0, 0, 0, 0, NULL, 10, 0, 0, 0, NULL, NULL, NULL, 0, 0, -1"

static void test_purge_gets_past_those_that_stay(void **state)
{
	(void)state;
	fill(OLD("3"), 1, 500);               /* held */
	fill(NEW("9000000000000"), 501, 500); /* of a wrong clock */
	fill(OLD("1"), 1001, 500);
	fill(NEW("1500000000000"), 1501, 10);
	for (unsigned i = 0; i < 20; i++)
		purge(2000, 0);
	assert_int_equal(ask("SELECT count(*) FROM message"), 1010);
	assert_int_equal(ask("SELECT count(*) FROM message WHERE "
			     "id BETWEEN 1001 AND 1500"),
			 0);
	/* And it begins at the oldest again. */
	age("state = 1 WHERE id < 50");
	for (unsigned i = 0; i < 20; i++)
		purge(2000, 0);
	assert_int_equal(ask("SELECT min(id) FROM message"), 50);
}

static void test_one_purge_is_bounded(void **state)
{
	(void)state;
	fill(OLD("2"), 1, 1000);
	purge(2000, 0);
	assert_in_range(ask("SELECT count(*) FROM message"), 500, 999);
}

/* --- closing ------------------------------------------------------------ */

static void never_told(void *ctx, const char *error, bool full)
{
	(void)ctx;
	(void)error;
	(void)full;
	fail_msg("a callback came after store_close()");
}

static void test_close_finishes_what_was_posted_and_is_silent(void **state)
{
	struct outcome *outcome;
	message_id id = scene_send(&scene, 1, LARGE);

	(void)state;
	outcome = outcome_delivered(id, 2);
	store_outcome(scene.store, &outcome, never_told, NULL);
	assert_null(outcome);
	store_load_due(scene.store, 10, NULL, NULL);
	store_load_body(scene.store, id, NULL, NULL);
	reopen_store();
	assert_int_equal(scene.recovery.queued, 0);
	assert_false(body_exists(id));
}

static void closing_done(void *ctx, const char *error, bool full)
{
	struct scene *closed = ctx;

	(void)error;
	(void)full;
	store_close(&closed->store);
	scene_answered(closed);
}

static void test_a_callback_may_close_the_store(void **state)
{
	struct outcome *first = outcome_delivered(1, 1);
	struct outcome *second = outcome_delivered(2, 1);

	(void)state;
	scene.open_questions++;
	store_outcome(scene.store, &first, closing_done, &scene);
	store_outcome(scene.store, &second, never_told, NULL);
	scene_wait(&scene);
	assert_null(scene.store);
}

/* --- the reader --------------------------------------------------------- */

struct seen {
	message_id ids[10];
	size_t n, most;
};

static bool see(void *ctx, const struct envelope *e)
{
	struct seen *seen = ctx;

	assert_true(e->n_recipients > 0);
	seen->ids[seen->n++] = e->id;
	return seen->n < seen->most;
}

static struct seen read_queue(size_t most)
{
	struct seen seen = { .most = most };
	const char *error = NULL;
	struct store_reader *reader = store_reader_open(folder, &error);

	assert_non_null(reader);
	assert_true(store_reader_queue(reader, see, &seen, &error));
	store_reader_close(&reader);
	assert_null(reader);
	return seen;
}

static void send_some(message_id ids[4])
{
	for (unsigned i = 0; i < 4; i++)
		ids[i] = scene_send(&scene, i, i == 0 ? LARGE : 100);
	scene_outcome(&scene, outcome_delivered(ids[1], 2));
	tamper("UPDATE message SET state = 3 WHERE id ="
	       " (SELECT max(id) FROM message)");
}

static void assert_seen(const message_id ids[4])
{
	struct seen seen = read_queue(10);

	assert_int_equal(seen.n, 3);
	assert_true(seen.ids[0] == ids[0]);
	assert_true(seen.ids[1] == ids[2]);
	assert_true(seen.ids[2] == ids[3]);
	assert_int_equal(read_queue(2).n, 2);
}

static void test_reader_beside_a_server(void **state)
{
	message_id ids[4];

	(void)state;
	send_some(ids);
	assert_seen(ids);
	assert_true(scene_send(&scene, 1, 100) > ids[3]);
}

static void test_reader_without_a_server(void **state)
{
	message_id ids[4];

	(void)state;
	send_some(ids);
	scene_close(&scene);
	assert_seen(ids);
	assert_seen(ids);
	open_store();
	assert_int_equal(scene.recovery.queued, 2);
}

static void copy_file(const char *from, const char *to, const char *name)
{
	char *command = xasprintf("cp '%s/%s' '%s/%s'", from, name, to, name);

	assert_int_equal(system(command), 0);
	free(command);
}

/* The files as they are while a server runs: what a kill leaves. */
static void test_reader_after_a_kill(void **state)
{
	const char *running = folder;
	char *left = xstrdup(tempdir_path("left"));
	message_id ids[4];

	(void)state;
	send_some(ids);
	assert_int_equal(mkdir(left, 0700), 0);
	copy_file(running, left, "lanpost.db");
	copy_file(running, left, "lanpost.db-wal");
	folder = left;
	assert_seen(ids);
	assert_seen(ids);
	folder = running;
	free(left);
}

static void test_reader_says_what_is_wrong(void **state)
{
	const char *error = NULL;

	(void)state;
	assert_null(store_reader_open(tempdir_path("nowhere"), &error));
	assert_non_null(strstr(error, "nowhere/lanpost.db"));
	scene_close(&scene);
	tamper("PRAGMA user_version = 4711");
	assert_null(store_reader_open(folder, &error));
	assert_non_null(strstr(error, "newer lanpost"));
	tamper("PRAGMA user_version = 3");
	open_store();
}

/* --- all of them -------------------------------------------------------- */

static int setup(void **state)
{
	(void)state;
	tempdir_make();
	folder = xstrdup(tempdir_path("spool"));
	open_store();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	limit_files(RLIM_INFINITY);
	scene_close(&scene);
	free((char *)folder);
	tempdir_remove();
	return 0;
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* --- a clock that was wrong ------------------------------------------------ */

#define DAY_MS INT64_C(86400000)

/* Accepted by a clock that is ahead by so much. */
static void accept_ahead(int64_t by_ms)
{
	struct mail mail;

	mail_start(&mail, &scene, 0, 100);
	mail.envelope->received_ms = wall_now_ms() + by_ms;
	mail.envelope->expires_ms = mail.envelope->received_ms + 5 * DAY_MS;
	scene_wait(&scene);
	assert_false(mail.failed);
	mail_end(&mail);
}

static void assert_expire_in_days(size_t n)
{
	struct loaded loaded = scene_load(&scene, 10);

	assert_int_equal(loaded.n, n);
	for (size_t i = 0; i < n; i++)
		assert_in_range(loaded.envelopes[i]->expires_ms - wall_now_ms(),
				4 * DAY_MS, 6 * DAY_MS);
	loaded_free(&loaded);
}

/* Every start after that finds a message of the future. */
static void test_what_waits_moves_back_with_the_clock_once(void **state)
{
	(void)state;
	accept_ahead(900 * DAY_MS);
	reopen_store();
	assert_in_range(-scene.recovery.rebased_ms, 899 * DAY_MS,
			901 * DAY_MS);
	assert_expire_in_days(1);
	reopen_store();
	assert_expire_in_days(1);
	accept_ahead(0); /* its id is of the future, too */
	reopen_store();
	assert_int_equal(scene.recovery.rebased_ms, 0);
	assert_int_equal(scene.recovery.reprieved, 0);
	assert_expire_in_days(2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(test_a_message_is_there_again),
		STORE_TEST(test_a_large_message_is_there_again),
		STORE_TEST(test_an_empty_message_is_there_again),
		STORE_TEST(test_what_arrives_meanwhile_shares_a_commit),
		STORE_TEST(test_an_id_twice_is_the_second_ones_fault),
		STORE_TEST(test_a_body_is_shared),
		STORE_TEST(test_a_large_body_is_shared),
		STORE_TEST(test_all_or_none_share),
		STORE_TEST(test_all_or_none_share_a_large_body),
		STORE_TEST(test_files_are_believed_again_after_a_failed_sync),
		STORE_TEST(test_version_1_is_brought_up_to_date),
		STORE_TEST(test_a_command_does_not_migrate),
		STORE_TEST(test_a_delivered_message_gives_its_body_up),
		STORE_TEST(test_a_delivered_file_is_removed),
		STORE_TEST(test_a_deferred_message_stays_and_remembers),
		STORE_TEST(test_an_outcome_without_a_message_is_no_matter),
		STORE_TEST(test_due_ones_come_first),
		STORE_TEST(test_a_changed_body_is_not_given_out),
		STORE_TEST(test_a_shortened_body_is_not_given_out),
		STORE_TEST(test_a_missing_body_is_not_given_out),
		STORE_TEST(test_only_orphans_are_removed),
		STORE_TEST(test_lost_files_are_told),
		STORE_TEST(test_lost_bodies_in_the_database_are_told),
		STORE_TEST(test_ids_go_on_where_they_were),
		STORE_TEST(test_a_newer_schema_is_refused),
		STORE_TEST(test_a_database_of_others_is_refused),
		STORE_TEST(test_a_damaged_database_is_refused),
		STORE_TEST(test_a_full_disk_is_told_to_all_and_passes),
		STORE_TEST(test_the_log_stays_bounded),
		STORE_TEST(test_purge_forgets_old_finished_ones),
		STORE_TEST(test_purge_drops_bodies_of_failed_ones),
		STORE_TEST(test_purge_gets_past_those_that_stay),
		STORE_TEST(test_one_purge_is_bounded),
		STORE_TEST(test_close_finishes_what_was_posted_and_is_silent),
		STORE_TEST(test_a_callback_may_close_the_store),
		STORE_TEST(test_reader_beside_a_server),
		STORE_TEST(test_reader_without_a_server),
		STORE_TEST(test_reader_after_a_kill),
		STORE_TEST(test_reader_says_what_is_wrong),
		STORE_TEST(test_what_waits_moves_back_with_the_clock_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
