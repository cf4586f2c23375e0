#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "proto/rfc5322.h"
#include "proto/xalloc.h"
#include "relay/inbound/transaction.h"
#include "relay/queue/repeats.h"
#include "relay/report/log.h"
#include "tests/relay/queue_scene.h"
#include "tests/support/bytes.h"
#include "tests/support/tempdir.h"

static struct queue_scene scene;
static struct listener_config listener = { .name = (char *)"default" };
static const struct origin origin = { .client = "192.0.2.7",
	                              .helo = "scanner",
	                              .is_esmtp = true,
	                              .listener = &listener };

static int code; /* of the last reply */

static int setup(void **state)
{
	static char path[4096];
	static unsigned number;
	char name[32];

	(void)state;
	snprintf(name, sizeof(name), "spool%u", number++);
	snprintf(path, sizeof(path), "%s", tempdir_path(name));
	if (!queue_scene_open(&scene, path))
		fail_msg("%s", scene.store.error);
	log_setup(STDERR_FILENO, LOG_FORMAT_TEXT, LOG_ERROR);
	code = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	queue_scene_close(&scene);
	return 0;
}

static void on_drain(void *ctx)
{
	(void)ctx;
}

static unsigned n_accepted;

static void on_accepted(void *ctx, const struct smtp_reply *reply)
{
	(void)ctx;
	code = reply->code;
	n_accepted += code == 250;
}

static const struct transaction_callbacks callbacks = { on_drain, on_accepted };

static struct transaction *begin(const char *sender)
{
	struct smtp_reply refusal = { 0 };
	struct transaction *t;
	struct smtp_path path;
	const char *error;
	struct text rest;

	assert_true(smtp_path_parse(text_of(sender), &path, &rest, &error));
	t = transaction_begin(&scene.services, scene.services.config, &origin,
	                      &path, 0, &callbacks, NULL, &refusal);
	code = refusal.code;
	return t;
}

static bool recipient(struct transaction *t, const char *address)
{
	struct smtp_reply refusal = { 0 };
	struct smtp_path path;
	const char *error;
	struct text rest;
	bool taken;

	assert_true(smtp_path_parse(text_of(address), &path, &rest, &error));
	taken = transaction_recipient(t, &path, &refusal);
	code = refusal.code;
	return taken;
}

static bool is_answered(struct queue_scene *s)
{
	(void)s;
	return code != 0;
}

/* The whole content, and the answer to it. */
static void send_data(struct transaction **t, struct text content)
{
	struct smtp_data_stats stats = { .octets = content.len };
	struct smtp_reply refusal = { 0 };

	code = 0;
	transaction_data(*t);
	assert_true(transaction_chunk(*t, content, &refusal));
	assert_true(transaction_end(*t, &stats, &refusal));
	assert_true(transaction_is_committing(*t));
	assert_int_equal(code, 0); /* not before the disk has it */
	queue_scene_until(&scene, is_answered);
	transaction_free(t);
}

static void deliver_all(void)
{
	struct message *message;

	while ((message = queue_take(scene.queue, "default")))
		queue_scene_settle(&scene, message,
		                   queue_scene_delivered(message));
	queue_scene_until(&scene, queue_scene_is_empty);
}

#define MAIL "From: scan@old.example\r\nSubject: x\r\n\r\nbody\r\n"

static void test_a_message_comes_in(void **state)
{
	struct transaction *t = begin("<scan@old.example>");
	struct message *message;
	struct text bytes;

	(void)state;
	assert_non_null(t);
	assert_true(recipient(t, "<a@b.example>"));
	assert_true(recipient(t, "<c@d.example>"));
	assert_true(recipient(t, "<a@b.example>")); /* known: one copy */
	send_data(&t, TEXT(MAIL));
	assert_int_equal(code, 250);
	message = queue_take(scene.queue, "default");
	assert_non_null(message);
	assert_int_equal(message_envelope(message)->n_recipients, 2);
	assert_string_equal(message_envelope(message)->subject, "x");
	assert_string_equal(message_envelope(message)->helo, "scanner");
	assert_true(message_bytes(message, &bytes));
	assert_int_equal(bytes.len, message_envelope(message)->size);
	assert_true(text_starts(bytes, "Received: from scanner ("));
	queue_put_back(scene.queue, message);
}

/* What came in and went out is no load on the spool: else it would be full one
 * day, of nothing. */
static void test_the_spool_is_empty_again(void **state)
{
	struct buf large = BUF_INIT(4 << 20);

	(void)state;
	buf_puts(&large, MAIL);
	while (buf_len(&large) < 1 << 20)
		buf_puts(&large, "some more text, and then some\r\n");
	for (unsigned i = 0; i < 10; i++) {
		struct transaction *t = begin("<scan@old.example>");

		assert_true(recipient(t, "<a@b.example>"));
		send_data(&t, i % 2 == 0 ? TEXT(MAIL) : buf_text(&large));
		assert_int_equal(code, 250);
		assert_in_range(spool_used(scene.services.spool), 100,
		                (i + 1) / 2 * (buf_len(&large) + 1000) + 5000);
	}
	deliver_all();
	assert_int_equal(spool_used(scene.services.spool), 0);
	buf_free(&large);
}

static void test_what_is_given_up_leaves_nothing(void **state)
{
	struct smtp_reply refusal = { 0 };
	struct loaded loaded;

	(void)state;
	for (unsigned step = 0; step < 4; step++) {
		struct transaction *t = begin("<scan@old.example>");

		if (step > 0)
			assert_true(recipient(t, "<a@b.example>"));
		if (step > 1)
			transaction_data(t);
		if (step > 2)
			assert_true(transaction_chunk(t, TEXT(MAIL), &refusal));
		transaction_free(&t);
		assert_null(t);
	}
	assert_int_equal(spool_used(scene.services.spool), 0);
	assert_int_equal(queue_total(scene.queue), 0);
	loaded = scene_load(&scene.store, 10);
	assert_int_equal(loaded.n, 0);
	loaded_free(&loaded);
}

static void test_refusals(void **state)
{
	struct transaction *t = begin("<scan@old.example>");
	struct smtp_reply refusal = { 0 };
	char line[1002];

	(void)state;
	assert_false(recipient(t, "<nobody>"));
	assert_int_equal(code, 550);
	assert_true(recipient(t, "<a@b.example>"));
	transaction_data(t);
	memset(line, 'x', sizeof(line));
	memcpy(line, "X:", 2);
	memcpy(line + 1000, "\r\n", 2);
	for (unsigned i = 0; i < 1000; i++)
		assert_true(transaction_chunk(t, text_make(line, sizeof(line)),
		                              &refusal));
	while (refusal.code == 0)
		transaction_chunk(t, text_make(line, sizeof(line)), &refusal);
	assert_int_equal(refusal.code, 554);
	transaction_free(&t);
	assert_int_equal(spool_used(scene.services.spool), 0);
}

/* ---- what is sent again ---- */

#define DATED \
	"Date: %s\r\nMessage-ID: <1@scanner.example>\r\n" MAIL

static char *dated_mail(void)
{
	char date[40];

	rfc5322_date(date, wall_now_ms() / 1000, 0);
	return xasprintf(DATED, date);
}

static struct transaction *complete(const char *content)
{
	struct transaction *t = begin("<scan@old.example>");
	struct smtp_reply refusal = { 0 };

	assert_true(recipient(t, "<a@b.example>"));
	transaction_data(t);
	/* In pieces: where it is cut makes no other message. */
	assert_true(transaction_chunk(t, text_make(content, 9), &refusal));
	assert_true(transaction_chunk(
		t, text_skip(text_of(content), 9), &refusal));
	return t;
}

static bool two_are_accepted(struct queue_scene *s)
{
	(void)s;
	return n_accepted == 2;
}

static void test_what_is_sent_again_is_taken_once(void **state)
{
	struct smtp_data_stats stats = { .octets = 1 };
	struct smtp_reply reply = { 0 };
	struct transaction *first, *second;
	char *content = dated_mail();

	(void)state;
	listener.drop_repeats = true;
	scene.services.repeats = repeats_new();
	n_accepted = 0;
	first = complete(content);
	second = complete(content);
	assert_true(transaction_end(first, &stats, &reply));
	assert_true(transaction_end(second, &stats, &reply));
	assert_true(transaction_is_committing(second));
	queue_scene_until(&scene, two_are_accepted);
	assert_int_not_equal(transaction_id(first), 0);
	assert_int_equal(transaction_id(second), 0);
	transaction_free(&first);
	transaction_free(&second);
	/* And once it has been answered. */
	second = complete(content);
	assert_false(transaction_end(second, &stats, &reply));
	assert_int_equal(reply.code, 250);
	transaction_free(&second);
	assert_int_equal(queue_total(scene.queue), 1);
	deliver_all();
	assert_int_equal(spool_used(scene.services.spool), 0);
	repeats_free(&scene.services.repeats);
	listener.drop_repeats = false;
	free(content);
}

#define TRANSACTION_TEST(name) \
	cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TRANSACTION_TEST(test_a_message_comes_in),
		TRANSACTION_TEST(test_the_spool_is_empty_again),
		TRANSACTION_TEST(test_what_is_given_up_leaves_nothing),
		TRANSACTION_TEST(test_refusals),
		TRANSACTION_TEST(test_what_is_sent_again_is_taken_once),
	};
	int failed;

	alarm(120);
	tempdir_make();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	tempdir_remove();
	return failed;
}
