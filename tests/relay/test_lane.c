#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/queue/lane.h"

struct mail {
	struct lane_entry entry;
	char client[16], sender[16];
	uint64_t age;
};

static struct lane *lane;

static int open_lane(void **state)
{
	lane = lane_new();
	return 0;
}

static int close_lane(void **state)
{
	lane_free(&lane);
	return 0;
}

static struct mail *mail_of(struct lane_entry *entry)
{
	return (struct mail *)entry;
}

static void add(struct mail *mail, const char *client, const char *sender,
                uint64_t age)
{
	snprintf(mail->client, sizeof mail->client, "%s", client);
	snprintf(mail->sender, sizeof mail->sender, "%s", sender);
	mail->age = age;
	lane_add(lane, &mail->entry, client, sender, age);
}

static uint64_t take(void)
{
	struct lane_entry *entry = lane_take(lane);

	return entry == NULL ? 0 : mail_of(entry)->age;
}

static void expect(const uint64_t *ages)
{
	for (; *ages != 0; ages++)
		assert_int_equal(take(), *ages);
	assert_int_equal(take(), 0);
	assert_int_equal(lane_count(lane), 0);
	assert_int_equal(lane_clients(lane), 0);
}

static void test_oldest_first_of_one_sender(void **state)
{
	struct mail mails[4];

	add(&mails[0], "erp", "a@x", 3);
	add(&mails[1], "erp", "a@x", 1);
	add(&mails[2], "erp", "a@x", 4);
	add(&mails[3], "erp", "a@x", 2);
	expect((uint64_t[]){ 1, 2, 3, 4, 0 });
}

static void test_a_single_page_passes_a_flood(void **state)
{
	enum { FLOOD = 10000 };
	struct mail *flood = calloc(FLOOD, sizeof *flood), page;
	unsigned i;

	for (i = 0; i < FLOOD; i++)
		add(&flood[i], "erp", "erp@x", i + 1);
	for (i = 0; i < 5; i++)
		assert_int_equal(take(), i + 1);
	add(&page, "scanner", "scan@x", FLOOD + 1);
	assert_int_equal(take(), 6);
	assert_int_equal(take(), FLOOD + 1);
	lane_free(&lane);
	free(flood);
}

static void test_clients_then_senders_take_turns(void **state)
{
	struct mail mails[7];

	add(&mails[0], "erp", "a@x", 1);
	add(&mails[1], "erp", "a@x", 2);
	add(&mails[2], "erp", "b@x", 3);
	add(&mails[3], "nas", "c@x", 4);
	add(&mails[4], "nas", "c@x", 5);
	add(&mails[5], "erp", "b@x", 6);
	add(&mails[6], "ups", "", 7);
	expect((uint64_t[]){ 1, 4, 7, 3, 5, 2, 6, 0 });
}

static void test_one_that_is_given_back_is_next(void **state)
{
	struct mail mails[3];
	struct mail *first;

	add(&mails[0], "erp", "a@x", 1);
	add(&mails[1], "erp", "a@x", 2);
	add(&mails[2], "nas", "c@x", 3);
	first = mail_of(lane_take(lane));
	lane_give_back(lane, &first->entry, first->client, first->sender,
	               first->age);
	assert_ptr_equal(lane_next(lane), &first->entry);
	expect((uint64_t[]){ 1, 3, 2, 0 });
}

static void test_removed_from_the_middle(void **state)
{
	struct mail mails[3];

	add(&mails[0], "erp", "a@x", 1);
	add(&mails[1], "erp", "a@x", 2);
	add(&mails[2], "nas", "c@x", 3);
	lane_remove(lane, &mails[0].entry);
	lane_remove(lane, &mails[2].entry);
	assert_int_equal(lane_clients(lane), 1);
	expect((uint64_t[]){ 2, 0 });
}

static void test_in_the_order_of_their_coming(void **state)
{
	struct mail mails[3];
	struct lane_entry *entry;

	assert_null(lane_first(lane));
	assert_null(lane_newest(lane));
	add(&mails[0], "erp", "a@x", 9);
	add(&mails[1], "nas", "c@x", 3);
	add(&mails[2], "erp", "a@x", 5);
	entry = lane_first(lane);
	assert_int_equal(mail_of(entry)->age, 9);
	entry = lane_after(entry);
	assert_int_equal(mail_of(entry)->age, 3);
	assert_int_equal(mail_of(lane_newest(lane))->age, 5);
	assert_int_equal(lane_count_client(lane, "erp"), 2);
	assert_int_equal(lane_count_client(lane, "ups"), 0);
	/* The most has erp, and its youngest is not the one that came last. */
	assert_int_equal(mail_of(lane_crowd(lane, 1))->age, 9);
	assert_null(lane_crowd(lane, 2));
	lane_free(&lane); /* lets go of them */
}

static void test_many_senders_share_a_turn_at_last(void **state)
{
	enum { MANY = 1000 };
	static struct mail mails[MANY];
	char sender[16];
	unsigned i, seen = 0;

	for (i = 0; i < MANY; i++) {
		snprintf(sender, sizeof sender, "s%u@x", i);
		add(&mails[i], "erp", sender, i + 1);
	}
	while (take() != 0)
		seen++;
	assert_int_equal(seen, MANY);
	assert_int_equal(lane_clients(lane), 0);
}

/* ---- by chance, beside the rule said naively ---- */

enum { STEPS = 20000, CLIENTS = 5, SENDERS = 3, MAILS = 400 };

static unsigned waiting_of(const struct mail *mails, const bool *in,
                           const char *client)
{
	unsigned i, n = 0;

	for (i = 0; i < MAILS; i++)
		n += in[i] && strcmp(mails[i].client, client) == 0;
	return n;
}

static void check_taken(const struct mail *mails, const bool *in,
                        const struct mail *taken)
{
	unsigned i;

	for (i = 0; i < MAILS; i++) {
		if (in[i] && strcmp(mails[i].client, taken->client) == 0 &&
		    strcmp(mails[i].sender, taken->sender) == 0)
			assert_true(mails[i].age > taken->age);
	}
}

/* While a client waits, no other has two turns more than it. */
static void test_nobody_waits_for_more_than_a_round(void **state)
{
	static struct mail mails[MAILS];
	bool in[MAILS] = { false };
	unsigned since[CLIENTS] = { 0 }; /* turns of others while one waits */
	uint64_t age = 1;
	unsigned step, i;

	srand(4711);
	for (step = 0; step < STEPS; step++) {
		unsigned k = (unsigned)rand() % MAILS;
		struct mail *taken;

		if (!in[k] && rand() % 2 == 0) {
			char client[16], sender[16];

			snprintf(client, sizeof client, "%d", rand() % CLIENTS);
			snprintf(sender, sizeof sender, "%d", rand() % SENDERS);
			add(&mails[k], client, sender, age++);
			in[k] = true;
			continue;
		}
		if (lane_count(lane) == 0)
			continue;
		taken = mail_of(lane_take(lane));
		in[taken - mails] = false;
		check_taken(mails, in, taken);
		for (i = 0; i < CLIENTS; i++) {
			char client[16];

			snprintf(client, sizeof client, "%u", i);
			since[i] = strcmp(taken->client, client) == 0 ||
			                   waiting_of(mails, in, client) == 0
			                   ? 0 : since[i] + 1;
			assert_in_range(since[i], 0, CLIENTS - 1);
		}
	}
	lane_free(&lane);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_lane, close_lane)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_oldest_first_of_one_sender),
		TEST(test_a_single_page_passes_a_flood),
		TEST(test_clients_then_senders_take_turns),
		TEST(test_one_that_is_given_back_is_next),
		TEST(test_removed_from_the_middle),
		TEST(test_in_the_order_of_their_coming),
		TEST(test_many_senders_share_a_turn_at_last),
		TEST(test_nobody_waits_for_more_than_a_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
