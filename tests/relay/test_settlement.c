#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "relay/outbound/settlement.h"
#include "relay/report/log.h"
#include "tests/relay/queue_scene.h"
#include "tests/support/bytes.h"
#include "tests/support/tempdir.h"

static struct queue_scene scene;
static const char *folder;
static int log_file;

/* --- the log, read back --------------------------------------------------- */

static json_t *lines; /* an array, since the last call */

static void read_log(void)
{
	struct buf bytes = BUF_INIT(1 << 20);
	off_t size;

	log_flush();
	size = lseek(log_file, 0, SEEK_END);
	assert_true(size >= 0);
	assert_true(pread(log_file, buf_room(&bytes, (size_t)size + 1),
	                  (size_t)size, 0) == size);
	buf_added(&bytes, (size_t)size);
	assert_int_equal(ftruncate(log_file, 0), 0);
	json_decref(lines);
	lines = json_array();
	for (struct text rest = buf_text(&bytes), line;
	     text_token(&rest, '\n', &line);)
		if (line.len > 0)
			json_array_append_new(
				lines, json_loadb(line.data, line.len, 0, NULL));
	buf_free(&bytes);
}

static const char *logged(size_t line, const char *key)
{
	return json_string_value(
		json_object_get(json_array_get(lines, line), key));
}

static json_int_t logged_number(size_t line, const char *key)
{
	return json_integer_value(
		json_object_get(json_array_get(lines, line), key));
}

/* Which line tells of this event; fails unless one alone does. */
static size_t line_of(const char *event)
{
	size_t found = SIZE_MAX;

	for (size_t i = 0; i < json_array_size(lines); i++) {
		if (strcmp(logged(i, "event"), event) != 0)
			continue;
		if (found != SIZE_MAX)
			fail_msg("two lines tell of %s", event);
		found = i;
	}
	if (found == SIZE_MAX)
		fail_msg("no line tells of %s", event);
	return found;
}

/* --- scenes ----------------------------------------------------------------- */

static int setup(void **state)
{
	static char path[4096];
	static unsigned number;
	char name[32];

	(void)state;
	snprintf(name, sizeof(name), "spool%u", number++);
	snprintf(path, sizeof(path), "%s", tempdir_path(name));
	folder = path;
	if (!queue_scene_open(&scene, folder))
		fail_msg("%s", scene.store.error);
	log_file = open(tempdir_path("log"), O_CREAT | O_TRUNC | O_RDWR |
	                O_APPEND, 0600);
	log_setup(log_file, LOG_FORMAT_JSON, LOG_INFO);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	log_flush();
	json_decref(lines);
	lines = NULL;
	close(log_file);
	queue_scene_close(&scene);
	return 0;
}

/* A message to three, taken. */
static struct message *take_new(const struct waiting_mail *wish)
{
	queue_scene_add(&scene, 2, wish);
	return queue_take(scene.queue, "default");
}

static void begin(struct settlement *settlement, struct message *message)
{
	settlement_init(settlement, &scene.services, scene.services.config,
	                message);
	settlement->host = "smtp.example.net";
}

static struct disposition verdict(int code, const char *status)
{
	struct smtp_reply reply = smtp_reply_make(code, status, "");

	return disposition_of_reply(scene.services.config,
	                            &scene.services.config->accounts[0],
	                            SMTP_STAGE_RCPT, SMTP_PROBLEM_NONE, &reply);
}

static void result(struct settlement *settlement, size_t recipient, int code,
                   const char *words)
{
	settlement_result(settlement, recipient, verdict(code, NULL),
	                  SMTP_STAGE_RCPT, words);
}

static bool is_one_ready(struct queue_scene *s)
{
	return queue_ready(s->queue, "default") == 1;
}

static size_t stored(void)
{
	struct loaded loaded = scene_load(&scene.store, 10);
	size_t n = loaded.n;

	loaded_free(&loaded);
	return n;
}

/* --- tests ------------------------------------------------------------------ */

static void test_one_fate_is_one_line(void **state)
{
	struct message *message = take_new(&(struct waiting_mail){ 0 });
	char id[MESSAGE_ID_TEXT];
	struct settlement settlement;

	(void)state;
	message_id_print(message_envelope(message)->id, id);
	begin(&settlement, message);
	settlement_rest(&settlement, verdict(250, NULL), SMTP_STAGE_DATA_END,
	                "250 2.0.0 Ok: queued as 1");
	settlement_commit(&settlement);
	read_log();
	assert_int_equal(json_array_size(lines), 1);
	assert_string_equal(logged(0, "event"), "delivered");
	assert_string_equal(logged(0, "level"), "info");
	assert_string_equal(logged(0, "id"), id);
	assert_string_equal(logged(0, "client"), "192.0.2.7");
	assert_string_equal(logged(0, "from"), "scan2@example.com");
	assert_string_equal(logged(0, "to"), "to0@example.net,to1@example.net,"
	                                     "to2@example.net");
	assert_string_equal(logged(0, "account"), "default");
	assert_string_equal(logged(0, "reply"), "250 2.0.0 Ok: queued as 1");
	assert_int_equal(logged_number(0, "size"), 1000);
	assert_int_equal(logged_number(0, "attempt"), 1);
	assert_true(logged_number(0, "delay_ms") >= 0);
	assert_null(logged(0, "reason"));
	queue_scene_until(&scene, queue_scene_is_empty);
	assert_int_equal(stored(), 0);
}

static void test_device_rule_and_who_sent_it(void **state)
{
	struct message *message = take_new(&(struct waiting_mail){ 0 });
	struct settlement settlement;

	(void)state;
	message_envelope(message)->device = xstrdup("scanner");
	message_envelope(message)->rule = xstrdup("scans");
	begin(&settlement, message);
	settlement.account = "spare";
	settlement_rest(&settlement, verdict(250, NULL), SMTP_STAGE_DATA_END,
	                "250 2.0.0 Ok");
	settlement_commit(&settlement);
	read_log();
	assert_string_equal(logged(0, "account"), "spare");
	assert_string_equal(logged(0, "device"), "scanner");
	assert_string_equal(logged(0, "rule"), "scans");
	queue_scene_until(&scene, queue_scene_is_empty);
}

/* --- at once, or later ---------------------------------------------------- */

static const struct disposition paused = { DISPOSITION_PAUSE, "login-refused",
	"Refused", "The provider refused the user name.", "Check the password.",
	0 };
static const struct disposition rewrite = { DISPOSITION_REWRITE,
	"sender-refused", "Refused", "The provider refused the sender.",
	"Grant it.", 0 };

/* out: the account that cannot work by then; "spare" takes its place. */
static struct message *settle_all(struct disposition disposition,
                                  const char *out)
{
	struct message *message = take_new(&(struct waiting_mail){ 0 });
	struct settlement settlement;

	begin(&settlement, message);
	scene.out = out;
	scene.instead = "spare";
	settlement_rest(&settlement, disposition, SMTP_STAGE_DATA_END, "no");
	settlement_commit(&settlement);
	read_log();
	assert_string_equal(logged(0, "event"), "deferred");
	return message;
}

static bool is_any_ready(struct queue_scene *s)
{
	return queue_ready(s->queue, "default") +
	               queue_ready(s->queue, "spare") == 1;
}

static void test_a_refused_sender_is_tried_again_at_once(void **state)
{
	struct message *message = settle_all(rewrite, NULL);

	(void)state;
	queue_scene_until(&scene, is_any_ready);
	assert_int_equal(message_envelope(message)->attempts, 1);
	assert_int_equal(envelope_count(message_envelope(message),
	                                RECIPIENT_QUEUED), 3);
}

static void test_an_account_in_trouble_hands_over_at_once(void **state)
{
	(void)state;
	settle_all(paused, "default");
	queue_scene_until(&scene, is_any_ready);
	assert_int_equal(queue_ready(scene.queue, "spare"), 1);
}

static void test_without_another_account_it_waits(void **state)
{
	struct message *message = settle_all(paused, NULL);

	(void)state;
	assert_int_equal(stored(), 1);
	assert_true(message_envelope(message)->next_attempt_ms >
	            wall_now_ms() + 30000);
	assert_int_equal(queue_ready(scene.queue, "default"), 0);
}

static void assert_mixed_lines(void)
{
	size_t line = line_of("delivered");

	assert_int_equal(json_array_size(lines), 3);
	assert_string_equal(logged(line, "to"), "to0@example.net");
	line = line_of("failed");
	assert_string_equal(logged(line, "level"), "error");
	assert_string_equal(logged(line, "to"), "to1@example.net");
	assert_string_equal(logged(line, "reply"), "550 5.1.1 unknown");
	assert_string_equal(logged(line, "reason"),
	                    verdict(550, NULL).reason);
	assert_non_null(logged(line, "explanation"));
	assert_non_null(logged(line, "fix"));
	line = line_of("deferred");
	assert_string_equal(logged(line, "level"), "warn");
	assert_string_equal(logged(line, "to"), "to2@example.net");
	assert_string_equal(logged(line, "reply"), "452 4.2.2 full");
	assert_non_null(logged(line, "fix"));
}

/* Each recipient has its own fate; who is done is not asked again. */
static void test_each_recipient_has_its_fate(void **state)
{
	struct message *message = take_new(&(struct waiting_mail){ 0 });
	struct settlement settlement;
	struct envelope *envelope;

	(void)state;
	begin(&settlement, message);
	result(&settlement, 1, 550, "550 5.1.1 unknown");
	result(&settlement, 2, 452, "452 4.2.2 full");
	settlement_rest(&settlement, verdict(250, NULL), SMTP_STAGE_DATA_END,
	                "250 Ok");
	settlement_commit(&settlement);
	read_log();
	assert_mixed_lines();
	stored();
	assert_int_equal(queue_ready(scene.queue, "default"), 0);
	queue_hurry(scene.queue, "default");
	message = queue_take(scene.queue, "default");
	envelope = message_envelope(message);
	assert_int_equal(envelope->recipients[0].state, RECIPIENT_DELIVERED);
	assert_int_equal(envelope->recipients[1].state, RECIPIENT_FAILED);
	assert_int_equal(envelope->recipients[2].state, RECIPIENT_QUEUED);
	assert_string_equal(envelope->recipients[2].reply, "452 4.2.2 full");
	assert_int_equal(envelope->attempts, 1);
	assert_non_null(envelope->reason);
	/* The second attempt is about the third alone. */
	begin(&settlement, message);
	settlement_rest(&settlement, verdict(250, NULL), SMTP_STAGE_DATA_END,
	                "250 Ok");
	settlement_commit(&settlement);
	read_log();
	assert_int_equal(json_array_size(lines), 1);
	assert_string_equal(logged(0, "to"), "to2@example.net");
	assert_int_equal(logged_number(0, "attempt"), 2);
	queue_scene_until(&scene, queue_scene_is_empty);
	assert_int_equal(stored(), 0);
}

/* The first wait of `retry` is a minute, give or take a tenth. */
static void test_the_next_attempt_follows_the_schedule(void **state)
{
	struct message *message = take_new(&(struct waiting_mail){ 0 });
	struct settlement settlement;
	struct loaded loaded;
	int64_t before = wall_now_ms(), wait;

	(void)state;
	begin(&settlement, message);
	settlement_rest(&settlement, verdict(451, NULL), SMTP_STAGE_DATA,
	                "451 later");
	settlement_commit(&settlement);
	loaded = scene_load(&scene.store, 10);
	assert_int_equal(loaded.n, 1);
	wait = loaded.envelopes[0]->next_attempt_ms - before;
	assert_true(wait >= 54000);
	assert_true(wait <= 66000 + (wall_now_ms() - before));
	assert_int_equal(loaded.envelopes[0]->attempts, 1);
	loaded_free(&loaded);
	assert_int_equal(queue_ready(scene.queue, "default"), 0);
	assert_int_equal(queue_total(scene.queue), 1);
}

/* PAUSE and WAIT give no message up. */
static void test_the_accounts_trouble_defers(void **state)
{
	struct upstream_failure failure = { .kind = UPSTREAM_TIMEOUT };
	struct message *message = take_new(&(struct waiting_mail){ 0 });
	struct settlement settlement;

	(void)state;
	for (int i = 0; i < 2; i++) {
		begin(&settlement, message);
		settlement_rest(&settlement,
		                i == 0 ? verdict(530, NULL)
		                       : disposition_of_failure(
				  scene.services.config,
				  &scene.services.config->accounts[0],
				  &failure),
		                SMTP_STAGE_MAIL, NULL);
		settlement_commit(&settlement);
		read_log();
		line_of("deferred");
		assert_int_equal(json_array_size(lines), 1);
		assert_int_equal(stored(), 1);
		queue_hurry(scene.queue, "default");
		message = queue_take(scene.queue, "default");
		assert_non_null(message);
	}
	queue_put_back(scene.queue, message);
}

static void test_time_is_over_where_it_would_be_deferred(void **state)
{
	const struct waiting_mail old = { .expires_ms = wall_now_ms() - 1 };
	struct message *message = take_new(&old);
	struct settlement settlement;

	(void)state;
	begin(&settlement, message);
	result(&settlement, 0, 250, "250 Ok");
	settlement_rest(&settlement, verdict(451, NULL), SMTP_STAGE_DATA,
	                "451 later");
	settlement_commit(&settlement);
	read_log();
	assert_int_equal(json_array_size(lines), 2);
	assert_string_equal(logged(line_of("delivered"), "to"),
	                    "to0@example.net");
	assert_string_equal(logged(line_of("expired"), "to"),
	                    "to1@example.net,to2@example.net");
	assert_string_equal(logged(line_of("expired"), "reply"), "451 later");
	queue_scene_until(&scene, queue_scene_is_empty);
	assert_int_equal(stored(), 0);
}

static void test_expiry_without_an_attempt(void **state)
{
	const struct waiting_mail old = { .expires_ms = wall_now_ms() - 1 };
	struct message *message;

	(void)state;
	queue_scene_add(&scene, 2, &old);
	message = queue_take_expired(scene.queue, wall_now_ms());
	assert_non_null(message);
	settlement_expire(&scene.services, scene.services.config, message);
	read_log();
	assert_int_equal(json_array_size(lines), 1);
	assert_string_equal(logged(0, "event"), "expired");
	assert_string_equal(logged(0, "reason"), "expired");
	assert_string_equal(logged(0, "to"), "to0@example.net,to1@example.net,"
	                                     "to2@example.net");
	assert_int_equal(logged_number(0, "attempt"), 0); /* none was made */
	assert_non_null(logged(0, "explanation"));
	assert_non_null(logged(0, "fix"));
	queue_scene_until(&scene, queue_scene_is_empty);
	assert_int_equal(stored(), 0);
}

static void test_a_dropped_settlement_leaves_no_trace(void **state)
{
	struct message *message = take_new(&(struct waiting_mail){ 0 });
	struct settlement settlement;

	(void)state;
	begin(&settlement, message);
	result(&settlement, 0, 550, "550 no");
	settlement_drop(&settlement);
	read_log();
	assert_int_equal(json_array_size(lines), 0);
	assert_int_equal(message_envelope(message)->attempts, 0);
	assert_int_equal(message_envelope(message)->recipients[0].state,
	                 RECIPIENT_QUEUED);
	queue_put_back(scene.queue, message);
	assert_true(is_one_ready(&scene));
}

static void test_five_hundred_recipients(void **state)
{
	const struct waiting_mail many = { .recipients = 497 };
	struct message *message = take_new(&many);
	struct settlement settlement;
	const char *to;

	(void)state;
	begin(&settlement, message);
	for (size_t i = 0; i < 500; i += 2)
		result(&settlement, i, 550, "550 5.1.1 unknown");
	settlement_rest(&settlement, verdict(250, NULL), SMTP_STAGE_DATA_END,
	                "250 Ok");
	settlement_commit(&settlement);
	read_log();
	assert_int_equal(json_array_size(lines), 2);
	to = logged(line_of("failed"), "to");
	assert_true(text_starts(text_of(to), "to0@example.net,to2@"));
	/* What does not fit is counted. */
	assert_true(text_glob(TEXT("*more*"), text_of(to)));
	assert_true(text_glob(TEXT("* and * more"), text_of(to)));
	queue_scene_until(&scene, queue_scene_is_empty);
	assert_int_equal(stored(), 0);
}

static void test_other_words_are_another_line(void **state)
{
	struct message *message = take_new(&(struct waiting_mail){ 0 });
	struct settlement settlement;

	(void)state;
	begin(&settlement, message);
	result(&settlement, 0, 550, "550 5.1.1 <a> unknown");
	result(&settlement, 1, 550, "550 5.1.1 <b> \"un\"\\known\r\nfake\x1b");
	result(&settlement, 2, 550, NULL);
	settlement_commit(&settlement);
	read_log();
	assert_int_equal(json_array_size(lines), 3);
	assert_string_equal(logged(0, "to"), "to0@example.net");
	assert_string_equal(logged(1, "reply"),
	                    "550 5.1.1 <b> \"un\"\\known\r\nfake\x1b");
	assert_null(logged(2, "reply"));
	queue_scene_until(&scene, queue_scene_is_empty);
}

#define SETTLEMENT_TEST(name) \
	cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SETTLEMENT_TEST(test_one_fate_is_one_line),
		SETTLEMENT_TEST(test_device_rule_and_who_sent_it),
		SETTLEMENT_TEST(test_a_refused_sender_is_tried_again_at_once),
		SETTLEMENT_TEST(test_an_account_in_trouble_hands_over_at_once),
		SETTLEMENT_TEST(test_without_another_account_it_waits),
		SETTLEMENT_TEST(test_each_recipient_has_its_fate),
		SETTLEMENT_TEST(test_the_next_attempt_follows_the_schedule),
		SETTLEMENT_TEST(test_the_accounts_trouble_defers),
		SETTLEMENT_TEST(test_time_is_over_where_it_would_be_deferred),
		SETTLEMENT_TEST(test_expiry_without_an_attempt),
		SETTLEMENT_TEST(test_a_dropped_settlement_leaves_no_trace),
		SETTLEMENT_TEST(test_five_hundred_recipients),
		SETTLEMENT_TEST(test_other_words_are_another_line),
	};
	int failed;

	alarm(120);
	tempdir_make();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	tempdir_remove();
	return failed;
}
