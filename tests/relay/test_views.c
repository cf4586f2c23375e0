#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include "proto/xalloc.h"
#include "relay/admin/views.h"

static const int64_t some_time = INT64_C(1700000000000); /* 22:13:20Z */

static struct config *config;

static int setup(void **state)
{
	static char *const environment[] = {
		(char *)"LANPOST_ACCOUNT_HOST=127.0.0.1",
		(char *)"LANPOST_ACCOUNT_TLS=none",
		(char *)"LANPOST_ACCOUNT_SENDER_POLICY=pass", NULL
	};
	struct config_error error = { NULL };

	(void)state;
	config = config_load(NULL, environment, NULL, &error);
	if (config == NULL)
		fail_msg("%s", error.message);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	config_unref(&config);
	return 0;
}

static struct envelope *make(void)
{
	struct envelope *e = envelope_new();

	e->id = message_id_new(some_time, 7);
	e->client = xstrdup("192.0.2.7");
	e->reverse_path = xstrdup("scan@example.com");
	e->subject = xstrdup("Scan \xff");
	e->account = xstrdup("default");
	e->received_ms = some_time;
	envelope_add_recipient(e, text_of("a@x"))->state = RECIPIENT_DELIVERED;
	e->recipients[0].reply = xstrdup("250 ok");
	envelope_add_recipient(e, text_of("b@x"))->reply =
		xstrdup("451 later");
	return e;
}

static const char *get(json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static void test_one_that_waits(void **state)
{
	struct envelope *e = make();
	json_t *row, *to;

	(void)state;
	e->next_attempt_ms = some_time + 60000;
	row = view_message(e);
	to = json_object_get(row, "to");
	assert_string_equal(get(row, "time"), "2023-11-14T22:13:20Z");
	assert_string_equal(get(row, "next_attempt"), "2023-11-14T22:14:20Z");
	assert_string_equal(get(row, "state"), "queued");
	assert_string_equal(get(row, "subject"), "Scan \\xff");
	assert_string_equal(get(row, "reply"), "451 later");
	assert_int_equal(json_array_size(to), 1);
	assert_string_equal(json_string_value(json_array_get(to, 0)), "b@x");
	assert_true(json_is_null(json_object_get(row, "finished")));
	assert_true(json_is_null(json_object_get(row, "device")));
	json_decref(row);
	envelope_free(&e);
}

static void test_one_that_has_failed(void **state)
{
	struct envelope *e = make();
	json_t *row;

	(void)state;
	e->state = MESSAGE_FAILED;
	e->recipients[1].state = RECIPIENT_FAILED;
	e->finished_ms = some_time + 1000;
	e->next_attempt_ms = some_time;
	row = view_message(e);
	assert_int_equal(json_array_size(json_object_get(row, "to")), 2);
	assert_string_equal(get(row, "reply"), "451 later");
	assert_null(get(row, "next_attempt"));
	assert_string_equal(get(row, "finished"), "2023-11-14T22:13:21Z");
	json_decref(row);
	envelope_free(&e);
}

static void assert_waits_for(struct envelope *e, json_t *accounts,
                             const char *words)
{
	json_t *row = json_object();

	view_set_waits_for(row, e, accounts, some_time);
	assert_string_equal(get(row, "waits_for"), words);
	json_decref(row);
}

static void test_what_it_waits_for(void **state)
{
	struct envelope *e = make();
	json_t *account = json_pack("{s:s, s:s, s:n}", "name", "default",
	                            "state", "ok", "failover");
	json_t *accounts = json_pack("[o]", account);

	(void)state;
	assert_waits_for(e, NULL, "its turn");
	assert_waits_for(e, accounts, "its turn");
	json_object_set_new(account, "held_up_by", json_string("disk"));
	assert_waits_for(e, accounts, "its turn");
	json_object_set_new(account, "held_up_by",
	                    json_string("messages_per_day"));
	assert_waits_for(e, accounts,
	                 "room in messages_per_day of account default");
	e->next_attempt_ms = some_time + 1;
	assert_waits_for(e, accounts, "its next attempt");
	json_object_set_new(account, "state", json_string("paused"));
	assert_waits_for(e, accounts, "account default, which is paused");
	json_object_set_new(account, "failover", json_string("backup"));
	assert_waits_for(e, accounts, "its next attempt");
	e->state = MESSAGE_HELD;
	assert_waits_for(e, accounts, "its release");
	json_decref(accounts);
	envelope_free(&e);
}

static void test_words(void **state)
{
	json_t *row = json_object();

	(void)state;
	view_set_words(row, config, "recipient-refused", NULL, NULL);
	assert_true(json_object_size(row) == 3);
	view_set_words(row, config, "no-such-reason", "default", "a@x");
	assert_null(get(row, "explanation"));
	view_set_words(row, config, NULL, NULL, NULL);
	assert_null(get(row, "title"));
	json_decref(row);
}

static void test_a_story(void **state)
{
	struct attempt attempt = { .n = 1, .started_ms = some_time,
		.ended_ms = some_time + 250, .account = (char *)"default",
		.reply = (char *)"451 later" };
	struct story story = { make(), &attempt, 1 };
	json_t *view, *try, *to;

	(void)state;
	story.envelope->recipients[0].finished_ms = some_time + 250;
	view = view_story(&story, config);
	try = json_array_get(json_object_get(view, "tries"), 0);
	to = json_object_get(view, "recipients");
	assert_int_equal(json_integer_value(json_object_get(try, "took_ms")),
	                 250);
	assert_null(get(try, "dialogue"));
	assert_int_equal(json_array_size(to), 2);
	assert_int_equal(json_integer_value(json_object_get(
				 json_array_get(to, 0), "delay_ms")),
	                 250);
	assert_true(json_is_null(
		json_object_get(json_array_get(to, 1), "delay_ms")));
	json_decref(view);
	envelope_free(&story.envelope);
}

static void test_an_account_without_a_server(void **state)
{
	struct account_record record = { .account = (char *)"default",
		.state = BREAKER_LOGIN, .reply = (char *)"535 no",
		.since_ms = some_time };
	json_t *view;

	(void)state;
	view = view_resting_account(&config->accounts[0], config, &record, 1);
	assert_string_equal(get(view, "state"), "paused");
	assert_string_equal(get(view, "reply"), "535 no");
	assert_string_equal(get(view, "since"), "2023-11-14T22:13:20Z");
	assert_true(json_is_null(json_object_get(view, "waiting")));
	assert_true(json_is_null(json_object_get(view, "delivered")));
	json_decref(view);
	record.account = (char *)"another";
	view = view_resting_account(&config->accounts[0], config, &record, 1);
	assert_string_equal(get(view, "state"), "ok");
	json_decref(view);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_that_waits),
		cmocka_unit_test(test_one_that_has_failed),
		cmocka_unit_test(test_what_it_waits_for),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_a_story),
		cmocka_unit_test(test_an_account_without_a_server),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
