#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "relay/config/value.h"
#include "relay/policy/router.h"
#include "tests/support/bytes.h"
#include "tests/support/chance.h"

/* Conditions of a rule as they stand in a file; NULL: not there. */
struct spec {
	const char *client, *listener, *from, *header_from, *to;
};

static void read_value(enum value_type type, const char *text, void *field)
{
	struct buf why = BUF_INIT(1000);

	if (text != NULL &&
	    !value_parse(type, text_of(text), NULL, field, &why))
		fail_msg("%s: %s", text, buf_string(&why));
	buf_free(&why);
}

static void rule_make(struct rule_config *rule, const struct spec *spec)
{
	read_value(VALUE_CLIENTS, spec->client, &rule->client);
	read_value(VALUE_NAMES, spec->listener, &rule->listener);
	read_value(VALUE_PATTERNS, spec->from, &rule->from);
	read_value(VALUE_PATTERNS, spec->header_from, &rule->header_from);
	read_value(VALUE_PATTERNS, spec->to, &rule->to);
}

static void rule_end(struct rule_config *rule)
{
	value_free(VALUE_CLIENTS, &rule->client);
	value_free(VALUE_NAMES, &rule->listener);
	value_free(VALUE_PATTERNS, &rule->from);
	value_free(VALUE_PATTERNS, &rule->header_from);
	value_free(VALUE_PATTERNS, &rule->to);
}

/* ---- a small world ---- */

enum { MAX_RULES = 6 };

static const char *const names[MAX_RULES] = { "r0", "r1", "r2",
	                                      "r3", "r4", "r5" };
static const char *const clients[] = { "10.0.0.1",    "10.0.0.2", "10.0.1.1",
	                               "192.168.1.1", "8.8.8.8",  "fd00::1" };
static const char *const listeners[] = { "lan", "wan" };
static const char *const addresses[] = { "", "a@x.y", "B@X.y", "a@s.x.y",
	                                 "root" };

static struct account_config accounts[] = {
	{ .name = (char *)"first", .username = (char *)"me@first.example" },
	{ .name = (char *)"second", .username = (char *)"apikey" },
};
static struct device_config devices[] = {
	{ .name = (char *)"copier" },
	{ .name = (char *)"floor" },
};
static struct listener_config doors[] = {
	{ .name = (char *)"lan" },
	{ .name = (char *)"wan" },
};

struct world {
	struct config config;
	struct rule_config rules[MAX_RULES];
};

static void world_make(struct world *world, const struct spec *specs, size_t n)
{
	*world = (struct world){ .config = {
		.accounts = accounts, .n_accounts = COUNT(accounts),
		.devices = devices, .n_devices = COUNT(devices),
		.listeners = doors, .n_listeners = COUNT(doors),
	} };
	for (size_t i = 0; i < n; i++) {
		world->rules[i].name = (char *)names[i];
		world->rules[i].line = (unsigned)(10 * i);
		rule_make(&world->rules[i], &specs[i]);
	}
	world->config.rules = world->rules;
	world->config.n_rules = n;
}

static void world_end(struct world *world)
{
	for (size_t i = 0; i < world->config.n_rules; i++)
		rule_end(&world->rules[i]);
}

/* What is asked, in words. */
struct asked {
	const char *client, *listener, *from, *to, *header_from;
	bool header_known;
};

static struct route_query query_of(const struct world *world,
                                   const struct asked *asked,
                                   struct address *client)
{
	struct route_query query = {
		.client = client, .listener = asked->listener,
		.from = asked->from, .to = asked->to,
		.header_known = asked->header_known,
		.header_from = asked->header_from,
	};

	assert_true(address_parse(text_of(asked->client), client));
	query.device = config_device(&world->config, client);
	return query;
}

static struct route choose(const struct world *world, const struct asked *asked)
{
	struct address client;
	struct route_query query = query_of(world, asked, &client);

	return router_choose(&world->config, &query);
}

/* "open", "none", or the rule's name. */
static const char *answer_of(const struct route *route)
{
	return route->open ? "open" : route->rule ? route->rule->name : "none";
}

/* ---- a table ---- */

#define AT_MAIL(client, from) { client, "lan", from, NULL, NULL, false }

static const struct {
	struct spec rules[2];
	struct asked asked;
	const char *answer, *why;
} choices[] = {
	/* client */
	{ { { .client = "10.0.0.0/24" } }, AT_MAIL("10.0.0.1", "a@x.y"),
	  "r0", "rule r0: client 10.0.0.1 is in 10.0.0.0/24" },
	{ { { .client = "10.0.0.0/24" } }, AT_MAIL("10.0.1.1", "a@x.y"),
	  "r1", "rule r1, line 10: it matches everything" },
	{ { { .client = "10.0.0.0/24, copier" } },
	  AT_MAIL("10.0.0.2", "a@x.y"), "r0",
	  "rule r0: client 10.0.0.2 is device copier" },
	{ { { .client = "floor" } }, AT_MAIL("10.0.1.1", "a@x.y"), "r0",
	  "rule r0: client 10.0.1.1 is device floor" },
	{ { { .client = "FLOOR" } }, AT_MAIL("10.0.1.1", "a@x.y"), "r0",
	  "rule r0: client 10.0.1.1 is device floor" },
	{ { { .client = "floor" } }, AT_MAIL("10.0.0.2", "a@x.y"), "r1",
	  "rule r1, line 10: it matches everything" },
	{ { { .client = "fd00::/8" } }, AT_MAIL("fd00::1", "a@x.y"), "r0",
	  "rule r0: client fd00::1 is in fd00::/8" },
	{ { { .client = "10.0.0.1" } }, AT_MAIL("10.0.0.1", "a@x.y"), "r0",
	  "rule r0: client 10.0.0.1 is in 10.0.0.1" },
	/* listener */
	{ { { .listener = "wan, lan" } }, AT_MAIL("10.0.0.1", "a@x.y"), "r0",
	  "rule r0: listener lan" },
	{ { { .listener = "wan" } }, AT_MAIL("10.0.0.1", "a@x.y"), "r1",
	  "rule r1, line 10: it matches everything" },
	/* from */
	{ { { .from = "*@x.y" } }, AT_MAIL("10.0.0.1", "B@X.y"), "r0",
	  "rule r0: from B@X.y matches *@x.y" },
	{ { { .from = "*@x.y" } }, AT_MAIL("10.0.0.1", "a@s.x.y"), "r1",
	  "rule r1, line 10: it matches everything" },
	{ { { .from = "<>" } }, AT_MAIL("10.0.0.1", ""), "r0",
	  "rule r0: from <> matches <>" },
	{ { { .from = "<>" } }, AT_MAIL("10.0.0.1", "root"), "r1",
	  "rule r1, line 10: it matches everything" },
	{ { { .from = "*" } }, AT_MAIL("10.0.0.1", ""), "r0",
	  "rule r0: from <> matches *" },
	{ { { .from = "*@*" } }, AT_MAIL("10.0.0.1", ""), "r1",
	  "rule r1, line 10: it matches everything" },
	{ { { .from = "*@x.y" } }, AT_MAIL("10.0.0.1", NULL), "open",
	  "it depends on the envelope sender, From, the recipient" },
	/* header_from */
	{ { { .header_from = "a@*" } },
	  { "10.0.0.1", "lan", "", "b@c", "a@x.y", true }, "r0",
	  "rule r0: From a@x.y matches a@*" },
	{ { { .header_from = "a@*" } },
	  { "10.0.0.1", "lan", "a@x.y", "b@c", NULL, true }, "r1",
	  "rule r1, line 10: it matches everything" },
	{ { { .header_from = "a@*" } },
	  { "10.0.0.1", "lan", "a@x.y", "b@c", NULL, false }, "open",
	  "it depends on From" },
	/* to */
	{ { { .to = "*@c.d, root" } }, { "10.0.0.1", "lan", "", "root", NULL, false }, "r0",
	  "rule r0: to root matches root" },
	{ { { .to = "*@c.d" } }, { "10.0.0.1", "lan", "", "b@x.y", NULL, false }, "r1",
	  "rule r1, line 10: it matches everything" },
	{ { { .to = "*@c.d" } },
	  { "10.0.0.1", "lan", "", NULL, "a@b", true }, "open",
	  "it depends on the recipient" },
	/* What is known decides before what is not. */
	{ { { .to = "*@c.d", .client = "8.8.8.8" } },
	  AT_MAIL("10.0.0.1", ""), "r1",
	  "rule r1, line 10: it matches everything" },
	{ { { .to = "*@c.d", .from = "a@x.y" } }, AT_MAIL("10.0.0.1", ""),
	  "r1", "rule r1, line 10: it matches everything" },
	{ { { .from = "<>" }, { .to = "*" } }, AT_MAIL("10.0.0.1", ""), "r0",
	  "rule r0: from <> matches <>" },
	/* all, and none */
	{ { { "10.0.0.0/8", "lan", "*@x.y", "*@x.y", "*" } },
	  { "10.0.0.1", "lan", "a@x.y", "b@c", "B@X.y", true }, "r0",
	  "rule r0: client 10.0.0.1 is in 10.0.0.0/8, listener lan, from "
	  "a@x.y matches *@x.y, From B@X.y matches *@x.y, to b@c matches *" },
	{ { { .from = "<>" }, { .from = "<>" } },
	  AT_MAIL("10.0.0.1", "a@b"), "none",
	  "no rule matches: the first account" },
};

static void test_choices_and_their_reasons(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(choices); i++) {
		const struct asked *asked = &choices[i].asked;
		struct buf why = BUF_INIT(1000);
		struct route_query query;
		struct address client;
		struct world world;
		struct route route;

		world_make(&world, choices[i].rules, 2);
		route = choose(&world, asked);
		query = query_of(&world, asked, &client);
		route_explain(&why, &route, &query);
		if (strcmp(answer_of(&route), choices[i].answer) != 0 ||
		    strcmp(buf_string(&why), choices[i].why) != 0)
			fail_msg("%zu: %s, %s", i, answer_of(&route),
			         buf_string(&why));
		assert_int_equal(route.account == NULL, route.open);
		buf_free(&why);
		world_end(&world);
	}
}

static void test_a_rule_names_its_account(void **state)
{
	static const struct spec specs[] = { { .from = "<>" }, { .client = NULL } };
	struct asked asked = AT_MAIL("10.0.0.1", "");
	struct world world;

	(void)state;
	world_make(&world, specs, 2);
	world.rules[0].account = (char *)"second";
	assert_ptr_equal(choose(&world, &asked).account, &accounts[1]);
	asked.from = "a@b";
	assert_ptr_equal(choose(&world, &asked).account, &accounts[0]);
	assert_ptr_equal(rule_account(&world.config, NULL), &accounts[0]);
	world_end(&world);
}

/* ---- against a naive reading ---- */

static const char *const client_pool[] = { "10.0.0.0/24", "10.0.0.0/8",
	"0.0.0.0/0", "::/0", "copier", "floor", "10.0.0.2", "fd00::/8",
	"8.8.8.8", "192.168.0.0/16" };
static const char *const listener_pool[] = { "lan", "wan" };
static const char *const pattern_pool[] = { "*", "<>", "a@*", "*@x.y", "*.y",
	"root", "a@x.y", "*a*", "b@*" };

/* One to three words of a pool, by comma; often none at all. */
static const char *some(struct chance *chance, const char *const *pool,
                        unsigned n, char out[100])
{
	unsigned words = chance_below(chance, 5);

	*out = '\0';
	if (words > 3 || words == 0)
		return NULL;
	while (words-- > 0) {
		strcat(out, *out != '\0' ? ", " : "");
		strcat(out, pool[chance_below(chance, n)]);
	}
	return out;
}

struct text_spec {
	char client[100], listener[100], from[100], header_from[100], to[100];
};

static struct spec random_spec(struct chance *chance, struct text_spec *text)
{
#define SOME(pool, out) some(chance, pool, COUNT(pool), out)
	return (struct spec){
		SOME(client_pool, text->client),
		SOME(listener_pool, text->listener),
		SOME(pattern_pool, text->from),
		SOME(pattern_pool, text->header_from),
		SOME(pattern_pool, text->to),
	};
#undef SOME
}

static bool naive_glob(const char *pattern, const char *text)
{
	if (*pattern == '*')
		return naive_glob(pattern + 1, text) ||
		       (*text != '\0' && naive_glob(pattern, text + 1));
	if (*pattern == '\0' || *text == '\0')
		return *pattern == *text;
	return (*pattern | 0x20) == (*text | 0x20) &&
	       naive_glob(pattern + 1, text + 1);
}

static bool naive_pattern(const char *word, const char *address)
{
	return strcmp(word, "<>") == 0 ? *address == '\0'
	                               : naive_glob(word, address);
}

/* By hand: which clients of the world each word of the pool means. */
static bool naive_client(const char *word, const char *client)
{
	static const struct {
		const char *word, *clients;
	} meanings[] = {
		{ "10.0.0.0/24", "10.0.0.1 10.0.0.2" },
		{ "10.0.0.0/8", "10.0.0.1 10.0.0.2 10.0.1.1" },
		{ "0.0.0.0/0",
		  "10.0.0.1 10.0.0.2 10.0.1.1 192.168.1.1 8.8.8.8" },
		{ "::/0", "fd00::1" },
		{ "copier", "10.0.0.2" },
		{ "floor", "10.0.1.1" },
		{ "10.0.0.2", "10.0.0.2" },
		{ "fd00::/8", "fd00::1" },
		{ "8.8.8.8", "8.8.8.8" },
		{ "192.168.0.0/16", "192.168.1.1" },
	};

	for (size_t i = 0; i < COUNT(meanings); i++)
		if (strcmp(meanings[i].word, word) == 0)
			return strstr(meanings[i].clients, client) != NULL;
	return false;
}

static bool naive_word(const char *word, const char *value)
{
	return strcmp(word, value) == 0;
}

/* 'y', 'n' or '?' */
static char naive_condition(const char *list, const char *value, bool known,
                            bool (*matches)(const char *, const char *))
{
	char copy[100], *word, *rest = copy;

	if (list == NULL)
		return 'y';
	if (!known)
		return '?';
	strcpy(copy, list);
	while ((word = strtok_r(rest, ", ", &rest)) != NULL)
		if (matches(word, value))
			return 'y';
	return 'n';
}

static const char *naive_choice(const struct spec *specs, size_t n,
                                const struct asked *asked)
{
	const char *header = asked->header_from ? asked->header_from : "";

	for (size_t i = 0; i < n; i++) {
		char said[] = {
			naive_condition(specs[i].client, asked->client, true,
			                naive_client),
			naive_condition(specs[i].listener, asked->listener,
			                true, naive_word),
			naive_condition(specs[i].from, asked->from,
			                asked->from != NULL, naive_pattern),
			naive_condition(specs[i].header_from, header,
			                asked->header_known, naive_pattern),
			naive_condition(specs[i].to, asked->to,
			                asked->to != NULL, naive_pattern),
			'\0'
		};

		if (strchr(said, 'n') != NULL)
			continue;
		return strchr(said, '?') != NULL ? "open" : names[i];
	}
	return "none";
}

static struct asked random_asked(struct chance *chance)
{
#define ONE(pool) (pool)[chance_below(chance, COUNT(pool))]
	return (struct asked){
		ONE(clients), ONE(listeners),
		chance_one_in(chance, 8) ? NULL : ONE(addresses),
		chance_one_in(chance, 3) ? NULL : ONE(addresses),
		chance_one_in(chance, 4) ? NULL : ONE(addresses),
		!chance_one_in(chance, 3),
	};
}

struct draw {
	struct text_spec texts[MAX_RULES];
	struct spec specs[MAX_RULES];
	size_t n;
};

static void draw_rules(struct draw *draw, struct chance *chance)
{
	draw->n = 1 + chance_below(chance, MAX_RULES);
	for (size_t i = 0; i < draw->n; i++)
		draw->specs[i] = random_spec(chance, &draw->texts[i]);
}

static void test_random_rules_are_read_as_naively(void **state)
{
	struct chance chance = chance_of(3);

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct world world;
		struct draw draw;

		draw_rules(&draw, &chance);
		world_make(&world, draw.specs, draw.n);
		for (int i = 0; i < 20; i++) {
			struct asked asked = random_asked(&chance);
			struct route route = choose(&world, &asked);

			assert_string_equal(answer_of(&route),
			                    naive_choice(draw.specs, draw.n,
			                                 &asked));
		}
		world_end(&world);
	}
}

/* What was decided early stays decided, whatever comes. */
static void test_an_early_answer_holds(void **state)
{
	struct chance chance = chance_of(4);

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct asked asked = random_asked(&chance);
		struct world world;
		struct draw draw;
		struct route early, late;

		draw_rules(&draw, &chance);
		world_make(&world, draw.specs, draw.n);
		asked.header_known = false;
		asked.to = NULL;
		early = choose(&world, &asked);
		asked.header_known = true;
		for (size_t i = 0; i < COUNT(addresses) * COUNT(addresses);
		     i++) {
			asked.header_from = addresses[i % COUNT(addresses)];
			asked.to = addresses[i / COUNT(addresses)];
			late = choose(&world, &asked);
			if (!early.open)
				assert_ptr_equal(late.rule, early.rule);
		}
		world_end(&world);
	}
}

/* ---- hidden rules ---- */

static const struct {
	struct spec first, second;
	bool hidden;
} shadows[] = {
	{ { .client = NULL }, { .client = NULL }, true },
	{ { .client = NULL }, { .client = "copier", .to = "*@x.y" }, true },
	{ { .client = "10.0.0.0/8" }, { .client = "10.1.0.0/16" }, true },
	{ { .client = "10.1.0.0/16" }, { .client = "10.0.0.0/8" }, false },
	{ { .client = "10.0.0.0/8" }, { .client = NULL }, false },
	{ { .client = "0.0.0.0/0" }, { .client = NULL }, false },
	{ { .client = "0.0.0.0/0, ::/0" }, { .client = NULL }, true },
	{ { .client = "10.0.0.0/8, fd00::/8" },
	  { .client = "10.0.0.1, fd00::1" }, true },
	{ { .client = "10.0.0.0/8" }, { .client = "10.0.0.1, 8.8.8.8" },
	  false },
	{ { .client = "copier" }, { .client = "copier" }, true },
	{ { .client = "copier" }, { .client = "10.0.0.2" }, false },
	{ { .client = "10.0.0.0/24" }, { .client = "copier" }, true },
	{ { .client = "10.0.0.0/24" }, { .client = "floor" }, false },
	{ { .client = "floor, copier" }, { .client = "copier" }, true },
	{ { .listener = "lan" }, { .listener = "lan" }, true },
	{ { .listener = "lan" }, { .listener = "wan, lan" }, false },
	{ { .listener = "lan, wan" }, { .client = NULL }, true },
	{ { .listener = "lan" }, { .client = NULL }, false },
	{ { .from = "*" }, { .client = NULL }, true },
	{ { .from = "*@x.y" }, { .from = "a@x.y" }, true },
	{ { .from = "*@x.y" }, { .from = "A@X.Y, *-b@x.y" }, true },
	{ { .from = "*@x.y" }, { .from = "*@*.y" }, false },
	{ { .from = "a@x.y" }, { .from = "*@x.y" }, false },
	{ { .from = "*@x.y" }, { .from = "<>" }, false },
	{ { .from = "*" }, { .from = "<>" }, true },
	{ { .from = "<>" }, { .from = "<>" }, true },
	{ { .from = "<>" }, { .client = NULL }, false },
	{ { .header_from = "*@x.y" }, { .from = "a@x.y" }, false },
	{ { .to = "*@x.y, *@z.y" }, { .to = "a@z.y" }, true },
	{ { .to = "*@x.y" }, { .to = "a@z.y" }, false },
	{ { .client = "copier", .to = "*" }, { .client = "copier" }, true },
	{ { .client = "copier", .to = "a@b" }, { .client = "copier" }, false },
};

static void test_hidden_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(shadows); i++) {
		struct spec specs[] = { { .from = "never@a.b" },
			                shadows[i].first, shadows[i].second };
		const struct rule_config *shadow;
		struct world world;

		world_make(&world, specs, 3);
		shadow = rule_shadow(&world.config, &world.rules[2]);
		if (shadow != (shadows[i].hidden ? &world.rules[1] : NULL))
			fail_msg("%zu", i);
		assert_null(rule_shadow(&world.config, &world.rules[0]));
		world_end(&world);
	}
}

static void private_list(struct rule_config *rule, const char *network)
{
	const char *why;

	rule->client.networks.private = network == NULL;
	if (network == NULL)
		return;
	rule->client.networks.networks = calloc(1, sizeof(struct network));
	rule->client.networks.n = 1;
	assert_true(network_parse(text_of(network),
	                          rule->client.networks.networks, &why));
}

static void test_private_hides_private_networks(void **state)
{
	static const struct {
		const char *network;
		bool hidden;
	} networks[] = {
		{ NULL, true },            { "10.1.0.0/16", true },
		{ "10.0.0.0/7", false },   { "172.16.0.0/12", true },
		{ "172.0.0.0/11", false }, { "192.168.1.1", true },
		{ "127.0.0.0/8", true },   { "126.0.0.0/7", false },
		{ "8.8.8.8", false },      { "0.0.0.0/0", false },
		{ "fd00::/8", true },      { "fc00::/6", false },
		{ "::1", true },           { "::/127", false },
		{ "::/0", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(networks); i++) {
		struct spec specs[2] = { { .client = NULL }, { .client = NULL } };
		struct world world;

		world_make(&world, specs, 2);
		private_list(&world.rules[0], NULL);
		private_list(&world.rules[1], networks[i].network);
		if (rule_shadow(&world.config, &world.rules[1]) !=
		    (networks[i].hidden ? &world.rules[0] : NULL))
			fail_msg("%s", networks[i].network);
		world_end(&world);
	}
}

/* A rule that is said to be hidden never decides. */
static void test_a_hidden_rule_never_decides(void **state)
{
	struct chance chance = chance_of(5);
	unsigned hidden = 0;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		struct world world;
		struct draw draw;

		draw_rules(&draw, &chance);
		world_make(&world, draw.specs, draw.n);
		for (int i = 0; i < 60; i++) {
			struct asked asked = random_asked(&chance);
			struct route route = choose(&world, &asked);

			if (route.rule != NULL)
				assert_null(rule_shadow(&world.config,
				                        route.rule));
		}
		for (size_t i = 0; i < draw.n; i++)
			hidden += rule_shadow(&world.config,
			                      &world.rules[i]) != NULL;
		world_end(&world);
	}
	assert_true(hidden > 200);
}

/* ---- recipients ---- */

static const struct {
	const char *to_rewrite, *add_domain;
	size_t account;
	const char *address, *becomes;
} recipients[] = {
	{ NULL, NULL, 0, "a@x.y", NULL },
	{ NULL, "d.e", 0, "a@x.y", NULL },
	{ NULL, "d.e", 0, "root", "root@d.e" },
	{ NULL, NULL, 0, "root", NULL },
	{ NULL, "d.e", 0, "\"a b\"", "\"a b\"@d.e" },
	{ NULL, "d.e", 0, "a b", NULL },
	{ NULL, "d.e", 0, "", NULL },
	{ NULL, NULL, 0, "postmaster", "postmaster@first.example" },
	{ NULL, NULL, 0, "PostMaster", "PostMaster@first.example" },
	{ NULL, NULL, 1, "postmaster", NULL },
	{ NULL, "d.e", 0, "postmaster", "postmaster@d.e" },
	{ "root -> admin@d.e", NULL, 0, "root", "admin@d.e" },
	{ "root -> admin@d.e", "f.g", 0, "ROOT", "admin@d.e" },
	{ "root -> admin@d.e", "f.g", 0, "root2", "root2@f.g" },
	{ "*@old.y -> a@new.y, *@x.y -> b@new.y", NULL, 0, "c@x.y",
	  "b@new.y" },
	{ "*@x.y -> a@new.y, c@x.y -> b@new.y", NULL, 0, "c@x.y", "a@new.y" },
	{ "*@x.y -> c@x.y", NULL, 0, "c@x.y", NULL },
	/* What was completed may be rewritten. */
	{ "root@f.g -> admin@d.e", "f.g", 0, "root", "admin@d.e" },
};

static void test_recipients(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(recipients); i++) {
		struct rule_config rule = { .add_domain =
			(char *)recipients[i].add_domain };
		char *becomes;

		read_value(VALUE_RECIPIENT_MAP, recipients[i].to_rewrite,
		           &rule.to_rewrite);
		becomes = rule_recipient(&rule,
		                         &accounts[recipients[i].account],
		                         text_of(recipients[i].address));
		assert_bytes(recipients[i].address, text_of(becomes),
		             text_of(recipients[i].becomes));
		assert_int_equal(becomes == NULL,
		                 recipients[i].becomes == NULL);
		free(becomes);
		value_free(VALUE_RECIPIENT_MAP, &rule.to_rewrite);
	}
}

static void test_without_a_rule_only_postmaster_is_completed(void **state)
{
	char *becomes = rule_recipient(NULL, &accounts[0], TEXT("postmaster"));

	(void)state;
	assert_string_equal(becomes, "postmaster@first.example");
	free(becomes);
	assert_null(rule_recipient(NULL, &accounts[0], TEXT("root")));
}

static int give_devices_addresses(void **state)
{
	(void)state;
	read_value(VALUE_CIDRS, "10.0.0.2", &devices[0].address);
	read_value(VALUE_CIDRS, "10.0.1.0/24", &devices[1].address);
	return 0;
}

static int take_them_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(devices); i++)
		value_free(VALUE_CIDRS, &devices[i].address);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choices_and_their_reasons),
		cmocka_unit_test(test_a_rule_names_its_account),
		cmocka_unit_test(test_random_rules_are_read_as_naively),
		cmocka_unit_test(test_an_early_answer_holds),
		cmocka_unit_test(test_hidden_rules),
		cmocka_unit_test(test_private_hides_private_networks),
		cmocka_unit_test(test_a_hidden_rule_never_decides),
		cmocka_unit_test(test_recipients),
		cmocka_unit_test(
			test_without_a_rule_only_postmaster_is_completed),
	};

	return cmocka_run_group_tests(tests, give_devices_addresses,
	                              take_them_back);
}
