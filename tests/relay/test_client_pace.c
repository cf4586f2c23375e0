/* The limit of a client against a plain list of what was accepted when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "relay/inbound/client_pace.h"
#include "tests/support/chance.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { MINUTE = 60000, SECOND = 1000 };

static struct client_pace *pace;

static int setup(void **state)
{
	(void)state;
	pace = client_pace_new();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	client_pace_free(&pace);
	assert_null(pace);
	return 0;
}

static struct address address(const char *text)
{
	struct address out;

	assert_true(address_parse(text_of(text), &out));
	return out;
}

/* One message, accepted at once; returns the wait. */
static uint64_t send_from(const struct address *client, unsigned limit,
                          uint64_t now)
{
	struct client_hold hold;
	uint64_t wait = client_pace_reserve(pace, client, limit, now, &hold);

	assert_true((wait == 0) == (hold.record != NULL));
	client_pace_count(&hold, now);
	assert_null(hold.record);
	return wait;
}

static uint64_t send_one(const char *client, unsigned limit, uint64_t now)
{
	struct address from = address(client);

	return send_from(&from, limit, now);
}

static void test_so_many_and_no_more(void **state)
{
	uint64_t wait;

	(void)state;
	for (unsigned i = 0; i < 30; i++)
		assert_int_equal(send_one("192.0.2.1", 30, 5000 + i * 100), 0);
	wait = send_one("192.0.2.1", 30, 9000);
	assert_in_range(wait, 5000 + MINUTE - 9000, 6000 + MINUTE - 9000);
	/* When it says there is room, there is; not before. */
	assert_int_not_equal(send_one("192.0.2.1", 30, 9000 + wait - 1), 0);
	assert_int_equal(send_one("192.0.2.1", 30, 9000 + wait), 0);
	assert_int_equal(send_one("192.0.2.2", 30, 9000), 0);
}

static void test_parallel_sessions_share_the_limit(void **state)
{
	struct address client = address("192.0.2.1");
	struct client_hold holds[3], extra;

	(void)state;
	for (unsigned i = 0; i < COUNT(holds); i++)
		assert_int_equal(client_pace_reserve(pace, &client, 3, 1000,
		                                     &holds[i]), 0);
	assert_int_equal(client_pace_reserve(pace, &client, 3, 1000, &extra),
	                 MINUTE);
	assert_null(extra.record);
	/* What was given up costs nothing, however often. */
	client_pace_give_back(&holds[0]);
	client_pace_give_back(&holds[0]);
	assert_int_equal(client_pace_reserve(pace, &client, 3, 1000, &extra), 0);
	client_pace_count(&extra, 1500);
	client_pace_give_back(&extra);
	client_pace_count(&holds[1], 1600);
	client_pace_count(&holds[2], 1700);
	assert_int_not_equal(send_from(&client, 3, 2000), 0);
	assert_int_equal(send_from(&client, 3, 2000 + MINUTE), 0);
}

static void test_a_limit_that_changes(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(send_one("192.0.2.1", 10, 1000), 0);
	assert_int_not_equal(send_one("192.0.2.1", 5, 2000), 0);
	assert_int_equal(send_one("192.0.2.1", 11, 2000), 0);
}

/* --- against a list ----------------------------------------------------- */

enum { CLIENTS = 5, ACCEPTED_MAX = 20000 };

struct naive {
	uint64_t at[ACCEPTED_MAX];
	size_t n;
};

static unsigned within(const struct naive *list, uint64_t from, uint64_t to)
{
	unsigned n = 0;

	for (size_t i = list->n; i > 0 && list->at[i - 1] >= from; i--)
		n += list->at[i - 1] <= to;
	return n;
}

/* A refusal is right if, seconds counted as their ends, the minute is full. */
static void check_refusal(const struct naive *list, unsigned limit,
                          unsigned open, uint64_t now, uint64_t wait)
{
	uint64_t from = now > MINUTE + SECOND ? now - MINUTE - SECOND : 0;

	assert_in_range(wait, 1, MINUTE + SECOND);
	assert_true(within(list, from, now) + open >= limit);
}

static void arrivals(uint64_t seed)
{
	static struct naive lists[CLIENTS];
	static const unsigned limits[CLIENTS] = { 1, 3, 10, 30, 100 };
	struct chance chance = chance_of(seed);
	struct client_hold holds[CLIENTS][4] = { 0 };
	struct address clients[CLIENTS];
	unsigned open[CLIENTS] = { 0 };
	uint64_t now = chance_below(&chance, 100000);

	memset(lists, 0, sizeof(lists));
	for (unsigned i = 0; i < CLIENTS; i++) {
		char text[32];

		snprintf(text, sizeof(text), "192.0.2.%u", i + 1);
		clients[i] = address(text);
	}
	for (unsigned step = 0; step < 20000; step++) {
		unsigned who = chance_below(&chance, CLIENTS);
		struct client_hold *hold =
			&holds[who][chance_below(&chance, 4)];
		struct naive *list = &lists[who];

		now += chance_one_in(&chance, 300)
			? chance_below(&chance, 3 * MINUTE)
			: chance_below(&chance, 120);
		if (hold->record != NULL && chance_one_in(&chance, 3)) {
			client_pace_give_back(hold);
			open[who]--;
		} else if (hold->record != NULL) {
			client_pace_count(hold, now);
			open[who]--;
			list->at[list->n++] = now;
			/* The window that ends here, both ends included. */
			assert_true(within(list, now > MINUTE ? now - MINUTE
			                                      : 0, now) <=
			            limits[who]);
		} else {
			uint64_t wait = client_pace_reserve(
				pace, &clients[who], limits[who], now, hold);

			if (wait > 0)
				check_refusal(list, limits[who], open[who],
				              now, wait);
			else
				open[who]++;
		}
	}
	for (unsigned i = 0; i < CLIENTS; i++) {
		assert_true(lists[i].n > 0);
		for (unsigned j = 0; j < 4; j++)
			client_pace_give_back(&holds[i][j]);
	}
}

static void test_random_arrivals(void **state)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		arrivals(seed);
		teardown(state);
		setup(state);
	}
}

/* --- memory ------------------------------------------------------------- */

static void test_who_is_idle_is_forgotten(void **state)
{
	struct address open = address("10.9.9.9");
	struct client_hold hold;

	(void)state;
	assert_int_equal(client_pace_reserve(pace, &open, 5, 0, &hold), 0);
	for (unsigned i = 0; i < 1000; i++) {
		char text[32];

		snprintf(text, sizeof(text), "10.0.%u.%u", i / 250, i % 250);
		assert_int_equal(send_one(text, 5, 1000), 0);
	}
	assert_int_equal(client_pace_clients(pace), 1001);
	assert_int_equal(send_one("10.1.0.1", 5, 2000 + MINUTE), 0);
	/* But not one in the middle of a message. */
	assert_int_equal(client_pace_clients(pace), 2);
	client_pace_give_back(&hold);
	assert_int_equal(send_one("10.1.0.1", 5, 9000 + 3 * MINUTE), 0);
	assert_int_equal(client_pace_clients(pace), 1);
}

/* Each address a message, of one network: it is one client before long. */
static void test_many_addresses_of_one_ipv6_network(void **state)
{
	struct chance chance = chance_of(7);
	unsigned taken = 0;

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		struct address client = address("2001:db8:1:2::");

		for (unsigned j = 8; j < 16; j++)
			client.bytes[j] =
				(uint8_t)chance_below(&chance, 256);
		taken += send_from(&client, 10, 1000 + i) == 0;
	}
	assert_int_equal(taken, CLIENT_PACE_HOSTS + 10);
	assert_int_equal(client_pace_clients(pace), CLIENT_PACE_HOSTS + 1);
	/* The neighbours' network, and who was here before, are not in it. */
	assert_int_equal(send_one("2001:db8:1:3::1", 10, 12000), 0);
}

static void test_an_office_with_ipv6(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= CLIENT_PACE_HOSTS; i++) {
		char text[32];

		snprintf(text, sizeof(text), "fd00:1::%x", i);
		for (unsigned j = 0; j < 10; j++)
			assert_int_equal(send_one(text, 10, 1000), 0);
		assert_int_not_equal(send_one(text, 10, 1000), 0);
	}
}

static void test_more_clients_than_places(void **state)
{
	unsigned taken = 0;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		struct address client = address("10.0.0.0");

		client.bytes[1] = (uint8_t)(i >> 16);
		client.bytes[2] = (uint8_t)(i >> 8);
		client.bytes[3] = (uint8_t)i;
		taken += send_from(&client, 10, 1000) == 0;
	}
	assert_int_equal(client_pace_clients(pace), CLIENT_PACE_MAX);
	/* The last place is one client, whoever it is. */
	assert_int_equal(taken, CLIENT_PACE_MAX - 1 + 10);
	assert_int_equal(send_one("10.0.0.1", 10, 2000), 0);
	assert_int_equal(send_one("192.0.2.1", 10, 5000 + MINUTE), 0);
	assert_int_equal(client_pace_clients(pace), 1);
}

#define PACE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PACE_TEST(test_so_many_and_no_more),
		PACE_TEST(test_parallel_sessions_share_the_limit),
		PACE_TEST(test_a_limit_that_changes),
		PACE_TEST(test_random_arrivals),
		PACE_TEST(test_who_is_idle_is_forgotten),
		PACE_TEST(test_many_addresses_of_one_ipv6_network),
		PACE_TEST(test_an_office_with_ipv6),
		PACE_TEST(test_more_clients_than_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
