/* What is a repeat, and what is not; and that none is ever made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "relay/queue/repeats.h"
#include "tests/support/chance.h"

static struct repeats *repeats;

static int setup(void **state)
{
	(void)state;
	repeats = repeats_new();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	repeats_free(&repeats);
	assert_null(repeats);
	return 0;
}

enum kind { DATED, UNDATED, WITHOUT_ID };

static struct repeat_mark mark(unsigned content, enum kind kind)
{
	struct repeat_mark out = { .has_id = kind != WITHOUT_ID,
		                   .has_date = kind != UNDATED };

	memcpy(out.digest, &content, sizeof(content));
	return out;
}

/* ---- a device's message, and what it was answered ---- */

struct sent {
	struct repeat_claim claim;
	enum repeat_verdict verdict;
	unsigned answers;      /* calls of on_answer */
	int code;
	message_id first;
};

static void on_answer(void *ctx, message_id first,
                      const struct smtp_reply *reply)
{
	struct sent *sent = ctx;

	sent->answers++;
	sent->code = reply->code;
	sent->first = first;
}

static void come(struct sent *sent, unsigned content, enum kind kind,
                 uint64_t now)
{
	struct repeat_mark is = mark(content, kind);

	*sent = (struct sent){ .claim = { .on_answer = on_answer,
		                          .ctx = sent } };
	sent->verdict = repeats_claim(repeats, &sent->claim, &is, now);
}

static void answer(struct sent *sent, int code, uint64_t now)
{
	struct smtp_reply reply = smtp_reply_make(code, NULL, "x");

	repeats_answer(&sent->claim, &reply, now);
}

/* Comes, is new, and is answered 250 as id. */
static void take(unsigned content, enum kind kind, message_id id, uint64_t now)
{
	struct sent sent;

	come(&sent, content, kind, now);
	assert_int_equal(sent.verdict, REPEAT_NEW);
	repeats_name(&sent.claim, &id, 1);
	answer(&sent, 250, now);
}

/* Comes again, and is a repeat of id; 0: of none, and given up. */
static void again(unsigned content, enum kind kind, message_id id, uint64_t now)
{
	struct sent sent;

	come(&sent, content, kind, now);
	assert_int_equal(sent.verdict, id ? REPEAT_ACCEPTED : REPEAT_NEW);
	if (id != 0)
		assert_int_equal(sent.claim.first, id);
	repeats_withdraw(&sent.claim);
}

static void test_with_id_and_date(void **state)
{
	(void)state;
	take(1, DATED, 11, 1000);
	again(1, DATED, 11, 2000);
	again(1, DATED, 11, 1000 + REPEATS_FOR_MS - 1);
	again(2, DATED, 0, 2000);
	again(1, DATED, 0, 1000 + REPEATS_FOR_MS);
}

static void test_without_an_id(void **state)
{
	(void)state;
	take(1, WITHOUT_ID, 11, 1000);
	repeats_unheard_id(repeats, 11);
	take(1, WITHOUT_ID, 12, 1001);
	assert_int_equal(repeats_count(repeats), 0);
}

/* A constant id: as many alarms as there are. */
static void test_with_an_id_but_no_date(void **state)
{
	struct sent first, second;
	message_id id = 20;

	(void)state;
	for (message_id i = 11; i < 16; i++)
		take(1, UNDATED, i, 1000 + i);
	/* The device had gone before its answer. */
	come(&first, 2, UNDATED, 2000);
	repeats_name(&first.claim, &id, 1);
	repeats_unheard(&first.claim);
	answer(&first, 250, 2500);
	again(2, UNDATED, 20, 3000);
	/* Or did not read it. */
	repeats_unheard_id(repeats, 15);
	again(1, UNDATED, 15, 3000);
	/* Two at a time by one who waits for both. */
	come(&first, 3, UNDATED, 4000);
	come(&second, 3, UNDATED, 4000);
	assert_int_equal(second.verdict, REPEAT_NEW);
	answer(&second, 250, 4001);
	answer(&first, 250, 4002);
	assert_int_equal(second.answers, 0);
}

static void test_while_the_first_is_being_stored(void **state)
{
	static const int codes[] = { 250, 452, 554 };
	static struct sent first, second, third;
	message_id ids[2] = { 31, 32 };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		come(&first, i, DATED, 1000);
		come(&second, i, DATED, 2000);
		come(&third, i, DATED, 3000);
		assert_int_equal(second.verdict, REPEAT_WAITS);
		assert_int_equal(third.verdict, REPEAT_WAITS);
		repeats_name(&first.claim, ids, 2);
		repeats_withdraw(&third.claim);
		assert_int_equal(second.answers, 0);
		answer(&first, codes[i], 4000);
		assert_int_equal(second.answers, 1);
		assert_int_equal(second.code, codes[i]);
		assert_int_equal(second.first, 31);
		assert_int_equal(third.answers, 0);
		again(i, DATED, codes[i] == 250 ? 31 : 0, 5000);
	}
	/* Of one that waits there is nothing to tell. */
	come(&first, 7, DATED, 6000);
	come(&second, 7, DATED, 6000);
	repeats_unheard(&second.claim);
	answer(&second, 250, 6000);
	assert_int_equal(second.answers, 0);
	repeats_withdraw(&first.claim);
	repeats_withdraw(&second.claim);
	again(7, DATED, 0, 6000);
}

static void test_what_has_failed_may_come_again(void **state)
{
	message_id many[REPEATS_PARTS + 1] = { 60 };
	struct sent first, second;
	message_id ids[2] = { 41, 42 };

	(void)state;
	come(&first, 1, DATED, 1000);
	repeats_name(&first.claim, ids, 2);
	answer(&first, 250, 1000);
	again(1, DATED, 41, 2000);
	repeats_forget(repeats, 99);
	again(1, DATED, 41, 2000);
	repeats_forget(repeats, 42); /* a part of it */
	again(1, DATED, 0, 2000);
	/* While the device still waits for its verdict. */
	come(&first, 2, DATED, 3000);
	repeats_name(&first.claim, ids, 2);
	come(&second, 2, DATED, 3000);
	repeats_forget(repeats, 41);
	answer(&first, 250, 4000);
	assert_int_equal(second.code, 250);
	again(2, DATED, 0, 4000);
	/* More parts than are remembered. */
	come(&first, 3, DATED, 5000);
	repeats_name(&first.claim, many, REPEATS_PARTS + 1);
	answer(&first, 250, 5000);
	again(3, DATED, 0, 5000);
}

static void test_memory(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= 3 * REPEATS_MAX; i++)
		take(i, DATED, i, i);
	assert_int_equal(repeats_count(repeats), REPEATS_MAX);
	again(1, DATED, 0, 20000);
	again(2 * REPEATS_MAX, DATED, 0, 20000);
	again(2 * REPEATS_MAX + 1, DATED, 2 * REPEATS_MAX + 1, 20000);
	again(0, DATED, 0, 20000 + REPEATS_FOR_MS);
	assert_int_equal(repeats_count(repeats), 0);
}

static void test_switched_off(void **state)
{
	struct repeat_mark is = mark(1, DATED);
	struct repeat_claim claim = { .on_answer = on_answer };

	(void)state;
	assert_int_equal(repeats_claim(NULL, &claim, &is, 0), REPEAT_NEW);
	repeats_name(&claim, (message_id[]){ 1 }, 1);
	repeats_unheard(&claim);
	repeats_withdraw(&claim);
	repeats_forget(NULL, 1);
	repeats_unheard_id(NULL, 1);
}

/* --- against a list ----------------------------------------------------- */

enum { CONTENTS = 6, OPEN = 5, STEPS = 30000 };

static struct {
	message_id id;         /* 0: nothing is known */
	uint64_t at;
} known[CONTENTS];

static bool is_known(unsigned content, uint64_t now)
{
	return known[content].id != 0 &&
	       now < known[content].at + REPEATS_FOR_MS;
}

/* Every message that says 250 has one of its content behind it that was stored
 * within the ten minutes, and one that is new is never another's. */
static void test_random_arrivals(void **state)
{
	static struct sent open[OPEN];
	bool used[OPEN] = { false };
	unsigned contents[OPEN] = { 0 }, repeated = 0;
	struct chance chance = chance_of(5);
	uint64_t now = 0;
	message_id id = 1;

	(void)state;
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned i = chance_below(&chance, OPEN);
		unsigned content = chance_below(&chance, CONTENTS);

		now += chance_below(&chance, 20000);
		if (used[i] && open[i].verdict == REPEAT_WAITS) {
			used[i] = open[i].answers == 0;
			if (open[i].code == 250)
				assert_int_equal(known[contents[i]].id,
				                 open[i].first);
			continue;
		}
		if (used[i]) {
			bool ok = !chance_one_in(&chance, 4);

			repeats_name(&open[i].claim, &id, 1);
			if (ok) {
				known[contents[i]].id = id;
				known[contents[i]].at = now;
			}
			id++;
			answer(&open[i], ok ? 250 : 451, now);
			used[i] = false;
			continue;
		}
		come(&open[i], content, DATED, now);
		contents[i] = content;
		used[i] = open[i].verdict != REPEAT_ACCEPTED;
		if (open[i].verdict == REPEAT_ACCEPTED) {
			assert_true(is_known(content, now));
			assert_int_equal(open[i].claim.first,
			                 known[content].id);
			repeated++;
		} else if (open[i].verdict == REPEAT_NEW) {
			assert_false(is_known(content, now));
		}
	}
	assert_in_range(repeated, 1000, STEPS);
	for (unsigned i = 0; i < OPEN; i++)
		if (used[i])
			repeats_withdraw(&open[i].claim);
}

#define REPEATS_TEST(name) \
	cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		REPEATS_TEST(test_with_id_and_date),
		REPEATS_TEST(test_without_an_id),
		REPEATS_TEST(test_with_an_id_but_no_date),
		REPEATS_TEST(test_while_the_first_is_being_stored),
		REPEATS_TEST(test_what_has_failed_may_come_again),
		REPEATS_TEST(test_memory),
		REPEATS_TEST(test_switched_off),
		REPEATS_TEST(test_random_arrivals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
