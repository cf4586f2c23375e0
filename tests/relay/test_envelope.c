#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/xalloc.h"
#include "relay/queue/envelope.h"
#include "tests/support/bytes.h"

/* --- message ids -------------------------------------------------------- */

enum { SOME_DAY = 1700000000 };
static const int64_t some_time = SOME_DAY * INT64_C(1000);

static void test_id_keeps_its_time(void **state)
{
	message_id id = message_id_new(some_time, 0xffffffff);

	(void)state;
	assert_int_equal(message_id_time_ms(id), some_time);
	assert_true(id <= INT64_MAX);
}

static void test_ids_ascend_whatever_the_clock_does(void **state)
{
	static const int64_t times[] = { 5000, 5000, 5000, 4000, 0, -7, 5001 };
	message_id last = 0;

	(void)state;
	for (unsigned i = 0; i < COUNT(times); i++) {
		message_id id = message_id_new(some_time + times[i], 7);

		assert_true(id > last);
		last = id;
	}
}

static void test_id_is_above_what_was_seen(void **state)
{
	message_id seen = message_id_new(some_time + 9000, 1) + 100;

	(void)state;
	message_id_seen(seen);
	message_id_seen(seen - 50);
	assert_int_equal(message_id_new(some_time, 0), seen + 1);
}

static void test_id_is_read_as_printed(void **state)
{
	static const message_id ids[] = { 1, 31, 32, INT64_MAX,
					  UINT64_C(0x1a1fc1c74d71cc1d) };
	char text[MESSAGE_ID_TEXT];

	(void)state;
	for (unsigned i = 0; i < COUNT(ids); i++) {
		message_id id = 0;

		assert_true(message_id_parse(
			text_of(message_id_print(ids[i], text)), &id));
		assert_int_equal(strlen(text), MESSAGE_ID_TEXT - 1);
		assert_true(id == ids[i]);
	}
}

static void test_printed_ids_sort_like_ids(void **state)
{
	char a[MESSAGE_ID_TEXT], b[MESSAGE_ID_TEXT];

	(void)state;
	for (message_id id = 1; id < (message_id)1 << 62; id = id * 3 + 1)
		assert_true(strcmp(message_id_print(id, a),
				   message_id_print(id + 1, b)) < 0);
}

static void test_id_may_be_typed_by_people(void **state)
{
	message_id typed, meant;

	(void)state;
	assert_true(message_id_parse(text_of("1M7Z0S1abcOIl"), &typed));
	assert_true(message_id_parse(text_of("1m7z0s1abc011"), &meant));
	assert_true(typed == meant);
}

static void test_what_is_no_id(void **state)
{
	static const char *const texts[] = {
		"",
		"0000000000000",  /* none has it */
		"1m7z0s1abc01",   /* too short */
		"1m7z0s1abc0111", /* too long */
		"8m7z0s1abc011",  /* above 63 bits */
		"1m7z0s1abc01u",
		"1m7z0s1abc01-",
		"../../../etc/",
		".1m7z0s1abc01",
	};
	message_id id;

	(void)state;
	for (unsigned i = 0; i < COUNT(texts); i++)
		assert_false(message_id_parse(text_of(texts[i]), &id));
	assert_false(message_id_parse(TEXT("1m7z0s1abc01\0"), &id));
}

/* --- recipients --------------------------------------------------------- */

static struct envelope *with_recipients(unsigned n)
{
	struct envelope *envelope = envelope_new();
	char address[32];

	for (unsigned i = 0; i < n; i++) {
		snprintf(address, sizeof(address), "r%u@example.net", i);
		envelope_add_recipient(envelope, text_of(address));
	}
	return envelope;
}

static void test_recipients_keep_their_order(void **state)
{
	struct envelope *envelope = with_recipients(100);

	(void)state;
	assert_int_equal(envelope->n_recipients, 100);
	assert_string_equal(envelope->recipients[0].address, "r0@example.net");
	assert_string_equal(envelope->recipients[99].address,
			    "r99@example.net");
	assert_int_equal(envelope_count(envelope, RECIPIENT_QUEUED), 100);
	envelope->recipients[5].state = RECIPIENT_FAILED;
	envelope->recipients[5].reply = xstrdup("550 5.1.1 Who?");
	assert_int_equal(envelope_count(envelope, RECIPIENT_QUEUED), 99);
	assert_int_equal(envelope_count(envelope, RECIPIENT_FAILED), 1);
	envelope_free(&envelope);
	assert_null(envelope);
	envelope_free(&envelope);
}

static void test_list_of_recipients(void **state)
{
	static const struct {
		unsigned n;
		size_t max;
		const char *list;
	} cases[] = {
		{ 0, 100, "" },
		{ 1, 100, "r0@example.net" },
		{ 2, 100, "r0@example.net,r1@example.net" },
		{ 2, 29, "r0@example.net,r1@example.net" },
		{ 2, 28, "r0@example.net and 1 more" },
		{ 9, 30, "r0@example.net,r1@example.net and 7 more" },
		{ 3, 13, "3 recipients" },
		{ 3, 0, "3 recipients" },
	};

	(void)state;
	for (unsigned i = 0; i < COUNT(cases); i++) {
		struct envelope *envelope = with_recipients(cases[i].n);
		char *list = envelope_recipient_list(envelope, RECIPIENT_QUEUED,
						     cases[i].max);

		assert_string_equal(list, cases[i].list);
		free(list);
		envelope_free(&envelope);
	}
}

static void test_list_holds_one_state_only(void **state)
{
	struct envelope *envelope = with_recipients(3);
	char *list;

	(void)state;
	envelope->recipients[1].state = RECIPIENT_DELIVERED;
	list = envelope_recipient_list(envelope, RECIPIENT_QUEUED, 100);
	assert_string_equal(list, "r0@example.net,r2@example.net");
	free(list);
	list = envelope_recipient_list(envelope, RECIPIENT_FAILED, 100);
	assert_string_equal(list, "");
	free(list);
	envelope_free(&envelope);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(message_state_name(MESSAGE_HELD), "held");
	assert_string_equal(recipient_state_name(RECIPIENT_FAILED), "failed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_id_keeps_its_time),
		cmocka_unit_test(test_ids_ascend_whatever_the_clock_does),
		cmocka_unit_test(test_id_is_above_what_was_seen),
		cmocka_unit_test(test_id_is_read_as_printed),
		cmocka_unit_test(test_printed_ids_sort_like_ids),
		cmocka_unit_test(test_id_may_be_typed_by_people),
		cmocka_unit_test(test_what_is_no_id),
		cmocka_unit_test(test_recipients_keep_their_order),
		cmocka_unit_test(test_list_of_recipients),
		cmocka_unit_test(test_list_holds_one_state_only),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
