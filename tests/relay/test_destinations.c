#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/buf.h"
#include "relay/inbound/destinations.h"

#define WORDS(...)                                              \
	{ (char *[]){ __VA_ARGS__ },                            \
	  sizeof((char *[]){ __VA_ARGS__ }) / sizeof(char *) }

static struct account_config accounts[] = {
	{ .name = (char *)"main", .username = (char *)"scan@contoso.com" },
	{ .name = (char *)"hve", .username = (char *)"alert@contoso.com" },
};

static struct rule_config rules[] = {
	{ .name = (char *)"no-spam",
	  .to = WORDS((char *)"*@spam.example"),
	  .reject = (char *)"Nothing goes to spam.example" },
	{ .name = (char *)"by-author",
	  .header_from = WORDS((char *)"erp@*"),
	  .to = WORDS((char *)"*@late.example"),
	  .account = (char *)"hve",
	  .reject = NULL },
	{ .name = (char *)"internal",
	  .to = WORDS((char *)"*@contoso.com"),
	  .account = (char *)"hve",
	  .bcc = (char *)"archive@contoso.com" },
	{ .name = (char *)"rest",
	  .to_rewrite = { (struct recipient_mapping[]){
				  { (char *)"*@printer", (char *)"it@x.example" } },
	                  1 },
	  .add_domain = (char *)"contoso.com" },
};

static struct config config = {
	.accounts = accounts,
	.n_accounts = 2,
	.rules = rules,
	.n_rules = 4,
};

static struct destinations destinations;
static struct smtp_reply refusal;
static struct address client;

static int setup(void **state)
{
	struct route_query query = { .client = &client,
		                     .listener = "default",
		                     .from = "erp@app.example" };

	(void)state;
	assert_true(address_parse(text_of("10.0.0.9"), &client));
	destinations_init(&destinations, &config, &query);
	refusal = (struct smtp_reply){ 0 };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	destinations_free(&destinations);
	return 0;
}

static bool add(const char *to)
{
	const char *error = "";
	struct smtp_path path;
	struct text rest;

	if (!smtp_path_parse(text_of(to), &path, &rest, &error))
		fail_msg("%s: %s", to, error);
	return destinations_add(&destinations, &path, &refusal);
}

static bool settle(const char *header_from)
{
	destinations.query.header_known = true;
	destinations.query.header_from = header_from;
	return destinations_settle(&destinations, &refusal);
}

/* "account/rule: a@x,b@x; ..." of what they become. */
static void assert_messages(const char *expected)
{
	struct envelope *draft = envelope_new(), **parts;
	struct buf said = BUF_INIT(4096);
	message_id last = 0;
	size_t i, n;

	draft->id = message_id_new(1000, 7);
	parts = destinations_divide(&destinations, &draft, &n);
	assert_null(draft);
	for (i = 0; i < n; i++) {
		char *to = envelope_recipient_list(parts[i], RECIPIENT_QUEUED,
		                                   500);

		buf_printf(&said, "%s%s/%s: %s", i > 0 ? "; " : "",
		           parts[i]->account,
		           parts[i]->rule != NULL ? parts[i]->rule : "-", to);
		assert_true(parts[i]->id > last);
		last = parts[i]->id;
		free(to);
		envelope_free(&parts[i]);
	}
	assert_string_equal(buf_string(&said), expected);
	buf_free(&said);
	free(parts);
}

static void test_one_rule_is_one_message(void **state)
{
	(void)state;
	assert_true(add("<a@x.example>"));
	assert_true(add("<b@y.example>"));
	assert_true(add("<a@x.example>")); /* again: one copy */
	assert_true(settle(NULL));
	assert_messages("main/rest: a@x.example,b@y.example");
	assert_false(destinations.completed);
}

static void test_rules_divide_a_message(void **state)
{
	(void)state;
	assert_true(add("<a@x.example>"));
	assert_true(add("<boss@contoso.com>"));
	assert_true(add("<b@y.example>"));
	assert_true(settle(NULL));
	assert_messages("main/rest: a@x.example,b@y.example; "
	                "hve/internal: boss@contoso.com,archive@contoso.com");
}

static void test_addresses_are_completed_and_mapped(void **state)
{
	(void)state;
	assert_true(add("<admin>"));
	assert_true(add("<postmaster>"));
	assert_true(add("<tray@printer>"));
	assert_true(add("<admin@contoso.com>"));
	assert_true(settle(NULL));
	assert_true(destinations.completed);
	assert_messages("main/rest: admin@contoso.com,postmaster@contoso.com,"
	                "it@x.example; "
	                "hve/internal: admin@contoso.com,archive@contoso.com");
}

static void test_the_archive_gets_one_copy(void **state)
{
	(void)state;
	assert_true(add("<archive@contoso.com>"));
	assert_true(settle(NULL));
	assert_messages("hve/internal: archive@contoso.com");
}

static const struct {
	const char *to;
	int code;
	const char *says;
} refused[] = {
	{ "<a@spam.example>", 550, "Nothing goes to spam.example" },
	{ "<a@mailhost>", 550, "single label domains: mailhost" },
};

static void test_refusals_at_rcpt(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		assert_false(add(refused[i].to));
		assert_int_equal(refusal.code, refused[i].code);
		assert_true(text_find_nocase(refusal.text,
		                             text_of(refused[i].says)) >= 0);
	}
	assert_int_equal(destinations.n, 0);
}

static void test_without_a_rule_a_domain_is_needed(void **state)
{
	(void)state;
	config.n_rules = 0;
	assert_false(add("<admin>"));
	assert_int_equal(refusal.code, 550);
	assert_true(add("<postmaster>")); /* of the account's own domain */
	assert_true(add("<a@[192.0.2.1]>"));
	assert_true(settle(NULL));
	assert_messages("main/-: postmaster@contoso.com,a@[192.0.2.1]");
	config.n_rules = 4;
}

static void test_from_decides_late(void **state)
{
	(void)state;
	assert_true(add("<a@late.example>"));
	assert_null(destinations.list[0].account);
	assert_true(settle("erp@app.example"));
	assert_messages("hve/by-author: a@late.example");
}

static void test_from_decides_otherwise(void **state)
{
	(void)state;
	assert_true(add("<a@late.example>"));
	assert_true(settle("crm@app.example"));
	assert_messages("main/rest: a@late.example");
}

static void test_a_late_rejection_refuses_the_message(void **state)
{
	(void)state;
	rules[1].reject = (char *)"Not for the ERP";
	assert_true(add("<a@x.example>"));
	assert_true(add("<a@late.example>"));
	assert_false(settle("erp@app.example"));
	assert_int_equal(refusal.code, 550);
	rules[1].reject = NULL;
}

#define DESTINATIONS_TEST(name) \
	cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DESTINATIONS_TEST(test_one_rule_is_one_message),
		DESTINATIONS_TEST(test_rules_divide_a_message),
		DESTINATIONS_TEST(test_addresses_are_completed_and_mapped),
		DESTINATIONS_TEST(test_the_archive_gets_one_copy),
		DESTINATIONS_TEST(test_refusals_at_rcpt),
		DESTINATIONS_TEST(test_without_a_rule_a_domain_is_needed),
		DESTINATIONS_TEST(test_from_decides_late),
		DESTINATIONS_TEST(test_from_decides_otherwise),
		DESTINATIONS_TEST(test_a_late_rejection_refuses_the_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
