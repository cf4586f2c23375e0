#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "relay/config/provider.h"
#include "relay/config/value.h"
#include "relay/policy/send_as.h"
#include "tests/support/bytes.h"

/* username and senders as they stand in a file; NULL: not there. */
static void account_make(struct account_config *account, const char *username,
                         const char *senders, enum sender_policy policy)
{
	struct buf why = BUF_INIT(1000);

	*account = (struct account_config){ .name = (char *)"default",
		                            .username = (char *)username,
		                            .sender_policy = policy };
	if (senders != NULL &&
	    !value_parse(VALUE_SENDERS, text_of(senders), NULL,
	                 &account->senders, &why))
		fail_msg("%s: %s", senders, buf_string(&why));
	buf_free(&why);
}

static void account_end(struct account_config *account)
{
	value_free(VALUE_SENDERS, &account->senders);
}

static struct send_as decide(const struct account_config *account,
                             const char *path, const char *from)
{
	struct send_as_query query = { .account = account,
		                       .reverse_path = path,
		                       .header_from = from };
	struct send_as decision;

	send_as_decide(&query, &decision);
	return decision;
}

static void assert_string(const char *name, const char *actual,
                          const char *expected)
{
	if (actual == expected)
		return;
	if (actual == NULL || expected == NULL || strcmp(actual, expected) != 0)
		fail_msg("%s: \"%s\" instead of \"%s\"", name,
		         actual ? actual : "(null)",
		         expected ? expected : "(null)");
}

static const struct {
	const char *username, *senders, *identity;
} identities[] = {
	{ "scan@contoso.com", NULL, "scan@contoso.com" },
	{ "scan@contoso.com", "other@contoso.com", "scan@contoso.com" },
	/* SES, SendGrid, SMTP2GO: the user name is no address. */
	{ "AKIAIOSFODNN7EXAMPLE", "scan@contoso.com", "scan@contoso.com" },
	{ "apikey", "*@contoso.com, scan@contoso.com", "scan@contoso.com" },
	{ "apikey", "*@contoso.com, a*b@contoso.com, c@d.example, e@f.example",
	  "c@d.example" },
	{ "apikey", "*@contoso.com", NULL },
	{ "apikey", NULL, NULL },
	{ "CONTOSO\\scan", "scan@contoso.com", "scan@contoso.com" },
	{ NULL, "scan@contoso.com", "scan@contoso.com" },
	{ NULL, "*@contoso.com", NULL },
	{ NULL, NULL, NULL },
};

static void test_identities(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(identities); i++) {
		struct account_config account;

		account_make(&account, identities[i].username,
		             identities[i].senders, SENDER_REWRITE);
		assert_string(identities[i].username,
		              account_identity(&account),
		              identities[i].identity);
		account_end(&account);
	}
}

static const struct {
	const char *username, *senders, *address;
	bool may;
} permissions[] = {
	{ "scan@contoso.com", NULL, "scan@contoso.com", true },
	{ "scan@contoso.com", NULL, "SCAN@Contoso.COM", true },
	{ "scan@contoso.com", NULL, "other@contoso.com", false },
	{ "scan@contoso.com", NULL, "scan@contoso.com.evil.example", false },
	{ "scan@contoso.com", NULL, "xscan@contoso.com", false },
	{ "scan@contoso.com", NULL, "", false },
	{ "scan@contoso.com", NULL, "scan", false },
	/* The user name may always. */
	{ "scan@contoso.com", "fax@contoso.com", "scan@contoso.com", true },
	{ "scan@contoso.com", "fax@contoso.com", "fax@contoso.com", true },
	{ "scan@contoso.com", "fax@contoso.com", "Fax@Contoso.com", true },
	{ "scan@contoso.com", "fax@contoso.com", "tel@contoso.com", false },
	/* patterns */
	{ "apikey", "*@contoso.com", "anyone@contoso.com", true },
	{ "apikey", "*@contoso.com", "ANY.ONE+1@CONTOSO.COM", true },
	{ "apikey", "*@contoso.com", "anyone@sub.contoso.com", false },
	{ "apikey", "*@contoso.com", "anyone@evilcontoso.com", false },
	{ "apikey", "*@contoso.com", "anyone@contoso.com.evil.example", false },
	{ "apikey", "*@contoso.com", "contoso.com", false },
	{ "apikey", "*@contoso.com", "", false },
	{ "apikey", "*@*.contoso.com", "a@sub.contoso.com", true },
	{ "apikey", "*@*.contoso.com", "a@contoso.com", false },
	{ "apikey", "scan-*@contoso.com", "scan-3rd-floor@contoso.com", true },
	{ "apikey", "scan-*@contoso.com", "boss@contoso.com", false },
	{ "apikey", "a@x.example, *@y.example", "b@y.example", true },
	{ "apikey", "a@x.example, *@y.example", "b@x.example", false },
	/* A '@' in the local part is not the one that counts. */
	{ "apikey", "*@contoso.com", "\"x@contoso.com\"@evil.example", false },
	{ NULL, "*@contoso.com", "a@contoso.com", true },
	{ NULL, NULL, "a@contoso.com", false },
};

static void test_permissions(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(permissions); i++) {
		struct account_config account;

		account_make(&account, permissions[i].username,
		             permissions[i].senders, SENDER_REWRITE);
		if (account_may_send_as(&account, permissions[i].address) !=
		    permissions[i].may)
			fail_msg("%s (%s) as %s", permissions[i].username,
			         permissions[i].senders,
			         permissions[i].address);
		account_end(&account);
	}
}

#define ME "scan@contoso.com"
#define FAX "fax@contoso.com"
#define APP "app@intranet.example"

static const struct {
	enum sender_policy policy;
	const char *username, *senders, *path, *from;
	enum send_as_verdict verdict;
	const char *new_path, *new_from;
} decisions[] = {
	/* Both are covered: nothing changes. */
	{ SENDER_REWRITE, ME, NULL, ME, ME, SEND_AS_OK, ME, NULL },
	{ SENDER_REJECT, ME, NULL, ME, ME, SEND_AS_OK, ME, NULL },
	{ SENDER_PASS, ME, NULL, ME, ME, SEND_AS_OK, ME, NULL },
	{ SENDER_REWRITE, ME, FAX, FAX, ME, SEND_AS_OK, FAX, NULL },
	{ SENDER_REWRITE, ME, FAX, ME, FAX, SEND_AS_OK, ME, NULL },
	{ SENDER_REJECT, ME, "*@contoso.com", FAX, "boss@contoso.com",
	  SEND_AS_OK, FAX, NULL },
	/* rewrite: From decides. */
	{ SENDER_REWRITE, ME, NULL, APP, APP, SEND_AS_OK, ME, ME },
	{ SENDER_REWRITE, ME, NULL, ME, APP, SEND_AS_OK, ME, ME },
	{ SENDER_REWRITE, ME, NULL, APP, ME, SEND_AS_OK, ME, NULL },
	{ SENDER_REWRITE, ME, FAX, FAX, APP, SEND_AS_OK, ME, ME },
	{ SENDER_REWRITE, ME, FAX, APP, FAX, SEND_AS_OK, FAX, NULL },
	{ SENDER_REWRITE, ME, FAX, "", FAX, SEND_AS_OK, FAX, NULL },
	{ SENDER_REWRITE, "apikey", "*@contoso.com, " ME, APP, APP, SEND_AS_OK,
	  ME, ME },
	/* What devices write for an address. */
	{ SENDER_REWRITE, ME, NULL, "root", "root", SEND_AS_OK, ME, ME },
	{ SENDER_REWRITE, ME, NULL, "", APP, SEND_AS_OK, ME, ME },
	{ SENDER_REWRITE, ME, NULL, "", ME, SEND_AS_OK, ME, NULL },
	/* reject */
	{ SENDER_REJECT, ME, NULL, APP, APP, SEND_AS_REJECTED, NULL, NULL },
	{ SENDER_REJECT, ME, NULL, APP, ME, SEND_AS_REJECTED, NULL, NULL },
	{ SENDER_REJECT, ME, NULL, ME, APP, SEND_AS_REJECTED, NULL, NULL },
	{ SENDER_REJECT, ME, NULL, APP, NULL, SEND_AS_REJECTED, NULL, NULL },
	/* At MAIL nothing is known of From yet. */
	{ SENDER_REJECT, ME, NULL, ME, NULL, SEND_AS_OK, ME, ME },
	/* Nor is there any later; SendGrid's and SES's user names are no
	 * addresses, and `senders` may name just a domain. */
	{ SENDER_REWRITE, ME, NULL, ME, NULL, SEND_AS_OK, ME, ME },
	{ SENDER_REWRITE, ME, FAX, FAX, NULL, SEND_AS_OK, FAX, FAX },
	{ SENDER_REWRITE, "apikey", "*@contoso.com", FAX, NULL, SEND_AS_OK,
	  FAX, FAX },
	{ SENDER_REWRITE, "apikey", "*@contoso.com", FAX, FAX, SEND_AS_OK, FAX,
	  NULL },
	{ SENDER_REWRITE, "apikey", "*@contoso.com", APP, FAX, SEND_AS_OK, FAX,
	  NULL },
	{ SENDER_REWRITE, "apikey", "*@contoso.com", APP, APP,
	  SEND_AS_REJECTED, NULL, NULL },
	/* pass */
	{ SENDER_PASS, ME, NULL, APP, APP, SEND_AS_OK, APP, NULL },
	{ SENDER_PASS, ME, NULL, APP, NULL, SEND_AS_OK, APP, NULL },
	{ SENDER_PASS, NULL, NULL, APP, APP, SEND_AS_OK, APP, NULL },
};

static void describe(size_t i, char out[200])
{
	snprintf(out, 200, "%s (%s), policy %d, <%s>, From %s",
	         decisions[i].username, decisions[i].senders,
	         decisions[i].policy, decisions[i].path, decisions[i].from);
}

static void test_decisions(void **state)
{
	char name[200];

	(void)state;
	for (size_t i = 0; i < COUNT(decisions); i++) {
		struct account_config account;
		struct send_as decision;

		describe(i, name);
		account_make(&account, decisions[i].username,
		             decisions[i].senders, decisions[i].policy);
		decision = decide(&account, decisions[i].path,
		                          decisions[i].from);
		if (decision.verdict != decisions[i].verdict)
			fail_msg("%s: verdict %d", name, decision.verdict);
		if (decision.verdict == SEND_AS_OK) {
			assert_string(name, decision.reverse_path,
			              decisions[i].new_path);
			assert_string(name, decision.from,
			              decisions[i].new_from);
		}
		send_as_free(&decision);
		account_end(&account);
	}
}

static void test_what_is_changed_or_refused_has_a_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(decisions); i++) {
		struct account_config account;
		struct send_as decision;

		account_make(&account, decisions[i].username,
		             decisions[i].senders, decisions[i].policy);
		decision = decide(&account, decisions[i].path,
		                          decisions[i].from);
		if (decision.verdict == SEND_AS_REJECTED ||
		    decision.from != NULL ||
		    strcmp(decision.reverse_path, decisions[i].path) != 0) {
			assert_non_null(decision.reason);
			assert_true(strlen(decision.reason) > 4);
			assert_null(strpbrk(decision.reason, "\r\n"));
		}
		send_as_free(&decision);
		account_end(&account);
	}
}

/* Providers want one address in From: 5.7.512, RFC 5322 3.6. */
static void test_a_message_without_from_is_given_one(void **state)
{
	struct account_config account;
	struct send_as decision;

	(void)state;
	account_make(&account, ME, FAX, SENDER_REWRITE);
	decision = decide(&account, APP, NULL);
	assert_int_equal(decision.verdict, SEND_AS_OK);
	assert_string("path", decision.reverse_path, ME);
	assert_string("from", decision.from, ME);
	send_as_free(&decision);
	account_end(&account);
}

/* A relay without login: nobody to rewrite to. */
static void test_without_an_identity_nothing_breaks(void **state)
{
	static const char *const paths[] = { "", "root", APP };
	static const char *const froms[] = { NULL, "root", APP };
	static const enum sender_policy policies[] = { SENDER_REWRITE,
		                                       SENDER_REJECT,
		                                       SENDER_PASS };

	(void)state;
	for (size_t i = 0; i < 3 * 3 * 3; i++) {
		struct account_config account;
		struct send_as decision;

		account_make(&account, i / 9 == 0 ? "apikey" : NULL, NULL,
		             policies[i / 9]);
		decision = decide(&account, paths[i % 3],
		                          froms[i / 3 % 3]);
		if (decision.verdict == SEND_AS_OK)
			assert_string("path", decision.reverse_path,
			              paths[i % 3]);
		else
			assert_non_null(decision.reason);
		assert_null(decision.from);
		send_as_free(&decision);
		account_end(&account);
	}
}

/* ---- rules ---- */

static const struct provider strict = {
	.name = "strict", .title = "Strict Mail",
	.sender_check = "From must be the account; refused with 550 5.7.60",
	.checks_from = true,
};
static const struct provider at_mail = {
	.name = "at-mail", .title = "Envelope Mail",
	.sender_check = "the envelope sender must be the account",
	.checks_envelope = true,
};
static const struct provider silent = {
	.name = "silent", .title = "Silent Mail",
	.checks_from = true, .replaces_from = true,
};
static const struct provider kind = {
	.name = "kind", .title = "Kind Mail", .takes_null_sender = true,
};

#define BOSS "boss@contoso.com"
#define SALES_NAME "Sales, 2nd floor"

enum rule_kind {
	NO_RULE, PLAIN, ADD_DOMAIN, SEND_AS, SEND_AS_NAMED, ON_BEHALF
};

static const struct rule_config rules[] = {
	[PLAIN] = { .name = (char *)"plain" },
	[ADD_DOMAIN] = { .add_domain = (char *)"contoso.com" },
	[SEND_AS] = { .send_as = { NULL, (char *)"sales@contoso.com" } },
	[SEND_AS_NAMED] = { .send_as = { (char *)SALES_NAME,
	                                 (char *)"sales@contoso.com" } },
	[ON_BEHALF] = { .on_behalf = true },
};

static const struct {
	enum rule_kind rule;
	const struct provider *provider;
	enum sender_policy policy;
	const char *username, *senders, *path, *header_from;
	bool as_itself;
	/* NULL: refused */
	const char *new_path;
	const char *from, *name, *sender, *warning;
} ruled[] = {
	/* send_as */
	{ SEND_AS, NULL, SENDER_REWRITE, ME, NULL, APP, APP, false,
	  "sales@contoso.com", "sales@contoso.com", NULL, NULL, NULL },
	{ SEND_AS_NAMED, NULL, SENDER_REJECT, ME, NULL, APP, NULL, false,
	  "sales@contoso.com", "sales@contoso.com", SALES_NAME, NULL, NULL },
	{ SEND_AS, NULL, SENDER_REWRITE, "apikey", "*@contoso.com", "", APP,
	  false, "sales@contoso.com", "sales@contoso.com", NULL, NULL, NULL },
	{ SEND_AS, &strict, SENDER_REWRITE, ME, NULL, APP, APP, false,
	  "sales@contoso.com", "sales@contoso.com", NULL, NULL,
	  "Strict Mail will refuse <sales@contoso.com> in From unless the "
	  "account has the right to send as it (From must be the account; "
	  "refused with 550 5.7.60); grant it there, then add the address to "
	  "`senders`" },
	{ SEND_AS, &strict, SENDER_REWRITE, ME, "*@contoso.com", APP, APP,
	  false, "sales@contoso.com", "sales@contoso.com", NULL, NULL, NULL },
	{ SEND_AS, &kind, SENDER_REWRITE, ME, NULL, "", APP, false,
	  "sales@contoso.com", "sales@contoso.com", NULL, NULL, NULL },
	/* on_behalf */
	{ ON_BEHALF, NULL, SENDER_REWRITE, ME, NULL, APP, BOSS, false, ME,
	  NULL, NULL, ME, NULL },
	{ ON_BEHALF, NULL, SENDER_REJECT, ME, NULL, APP, BOSS, false, ME,
	  NULL, NULL, ME, NULL },
	{ ON_BEHALF, NULL, SENDER_REWRITE, ME, NULL, APP, "Scan@Contoso.com",
	  false, ME, NULL, NULL, NULL, NULL },
	{ ON_BEHALF, NULL, SENDER_REWRITE, ME, NULL, APP, NULL, false, ME, ME,
	  NULL, NULL, NULL },
	{ ON_BEHALF, NULL, SENDER_REWRITE, "apikey", "*@contoso.com", APP,
	  BOSS, false, NULL, NULL, NULL, NULL, NULL },
	{ ON_BEHALF, &strict, SENDER_REWRITE, ME, NULL, APP, BOSS, false, ME,
	  NULL, NULL, ME,
	  "Strict Mail will refuse <" BOSS "> in From unless the account has "
	  "the right to send on behalf of it (From must be the account; "
	  "refused with 550 5.7.60); grant it there, then add the address to "
	  "`senders`" },
	/* add_domain */
	{ ADD_DOMAIN, NULL, SENDER_REWRITE, "apikey", "*@contoso.com", "scan",
	  "root", false, "scan@contoso.com", "root@contoso.com", NULL, NULL,
	  NULL },
	{ ADD_DOMAIN, NULL, SENDER_REWRITE, "apikey", "*@contoso.com", "scan",
	  NULL, false, "scan@contoso.com", "scan@contoso.com", NULL, NULL,
	  NULL },
	{ ADD_DOMAIN, NULL, SENDER_REJECT, "apikey", "*@contoso.com", "scan",
	  BOSS, false, "scan@contoso.com", NULL, NULL, NULL, NULL },
	{ ADD_DOMAIN, NULL, SENDER_PASS, ME, NULL, "scan", "root", false,
	  "scan@contoso.com", "root@contoso.com", NULL, NULL, NULL },
	{ ADD_DOMAIN, NULL, SENDER_REWRITE, ME, NULL, "scan", "root", false,
	  ME, ME, NULL, NULL, NULL },
	{ ADD_DOMAIN, NULL, SENDER_REWRITE, ME, NULL, APP, APP, false, ME, ME,
	  NULL, NULL, NULL },
	{ ADD_DOMAIN, NULL, SENDER_PASS, ME, NULL, "", NULL, false, "", NULL,
	  NULL, NULL, NULL },
	/* refused before */
	{ NO_RULE, NULL, SENDER_REWRITE, ME, FAX, FAX, FAX, true, ME, ME,
	  NULL, NULL, NULL },
	{ NO_RULE, NULL, SENDER_PASS, ME, NULL, APP, APP, true, ME, ME, NULL,
	  NULL, NULL },
	{ NO_RULE, NULL, SENDER_REJECT, ME, FAX, FAX, FAX, true, ME, ME, NULL,
	  NULL, NULL },
	{ SEND_AS_NAMED, &strict, SENDER_REWRITE, ME, NULL, APP, APP, true,
	  ME, ME, NULL, NULL, NULL },
	{ ON_BEHALF, &strict, SENDER_REWRITE, ME, NULL, APP, BOSS, true, ME,
	  ME, NULL, NULL, NULL },
	{ NO_RULE, NULL, SENDER_REWRITE, "apikey", "*@contoso.com", FAX, FAX,
	  true, NULL, NULL, NULL, NULL, NULL },
	/* the null path */
	{ PLAIN, &kind, SENDER_REWRITE, ME, NULL, "", APP, false, "", ME,
	  NULL, NULL, NULL },
	{ PLAIN, &kind, SENDER_REWRITE, ME, NULL, "", ME, false, "", NULL,
	  NULL, NULL, NULL },
	{ PLAIN, &strict, SENDER_REWRITE, ME, NULL, "", ME, false, ME, NULL,
	  NULL, NULL, NULL },
	{ PLAIN, &kind, SENDER_REWRITE, ME, NULL, "", NULL, false, "", ME,
	  NULL, NULL, NULL },
	{ PLAIN, &strict, SENDER_REJECT, ME, NULL, "", NULL, false, ME, ME,
	  NULL, NULL, NULL },
	{ PLAIN, &kind, SENDER_REJECT, ME, NULL, "", ME, false, "", NULL,
	  NULL, NULL, NULL },
	{ PLAIN, &kind, SENDER_REJECT, ME, NULL, "", APP, false, NULL, NULL,
	  NULL, NULL, NULL },
	{ PLAIN, NULL, SENDER_REJECT, "apikey", "*@contoso.com", "", NULL,
	  false, "", NULL, NULL, NULL, NULL },
	{ ON_BEHALF, &kind, SENDER_REWRITE, ME, NULL, "", BOSS, false, "",
	  NULL, NULL, ME, NULL },
	{ PLAIN, &at_mail, SENDER_PASS, ME, NULL, "", ME, false, "", NULL,
	  NULL, NULL,
	  "Envelope Mail does not take the null sender; with sender_policy = "
	  "rewrite the account stands in for it" },
	/* pass, and what becomes of it */
	{ PLAIN, &strict, SENDER_PASS, ME, NULL, APP, APP, false, APP, NULL,
	  NULL, NULL,
	  "Strict Mail will refuse <" APP "> in From unless the account has "
	  "the right to send as it (From must be the account; refused with "
	  "550 5.7.60); grant it there, then add the address to `senders`" },
	{ PLAIN, &at_mail, SENDER_PASS, ME, NULL, APP, APP, false, APP, NULL,
	  NULL, NULL,
	  "Envelope Mail will refuse the envelope sender <" APP "> (the "
	  "envelope sender must be the account); once the account may use it, "
	  "add it to `senders`" },
	{ PLAIN, &silent, SENDER_PASS, ME, NULL, APP, APP, false, APP, NULL,
	  NULL, NULL,
	  "Silent Mail will silently replace <" APP "> in From by the "
	  "account's address; confirm it there as a sender of the account, "
	  "then add it to `senders`" },
	{ PLAIN, &kind, SENDER_PASS, ME, NULL, APP, APP, false, APP, NULL,
	  NULL, NULL, NULL },
	{ PLAIN, &strict, SENDER_PASS, ME, FAX, APP, FAX, false, APP, NULL,
	  NULL, NULL, NULL },
	{ PLAIN, &strict, SENDER_REWRITE, ME, NULL, APP, APP, false, ME, ME,
	  NULL, NULL, NULL },
};

static void assert_ruled(size_t i, const struct send_as *decision)
{
	char name[100];

	snprintf(name, sizeof name, "row %zu, <%s>, From %s", i, ruled[i].path,
	         ruled[i].header_from);
	assert_string(name, decision->reverse_path, ruled[i].new_path);
	assert_string(name, decision->from, ruled[i].from);
	assert_string(name, decision->from_name, ruled[i].name);
	assert_string(name, decision->sender, ruled[i].sender);
	assert_string(name, decision->warning, ruled[i].warning);
	assert_int_equal(decision->verdict, ruled[i].new_path == NULL
	                                            ? SEND_AS_REJECTED
	                                            : SEND_AS_OK);
	assert_non_null(decision->reason);
}

static void test_rules_decide_first(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(ruled); i++) {
		struct account_config account;
		struct send_as_query query = {
			.account = &account,
			.rule = ruled[i].rule == NO_RULE ? NULL
				                         : &rules[ruled[i].rule],
			.reverse_path = ruled[i].path,
			.header_from = ruled[i].header_from,
			.as_itself = ruled[i].as_itself,
		};
		struct send_as decision;

		account_make(&account, ruled[i].username, ruled[i].senders,
		             ruled[i].policy);
		account.provider = ruled[i].provider;
		send_as_decide(&query, &decision);
		assert_ruled(i, &decision);
		send_as_free(&decision);
		account_end(&account);
	}
}

/* What rewrite.h needs besides. */
static void test_the_decision_says_where_answers_go(void **state)
{
	struct rule_config rule = { .reply_to = { REPLY_TO_ADDRESS,
		                                  (char *)"d@x.example" } };
	struct account_config account;
	struct send_as_query query = { .account = &account, .rule = &rule,
		                       .reverse_path = ME,
		                       .header_from = ME };
	struct send_as decision;

	(void)state;
	account_make(&account, ME, NULL, SENDER_PASS);
	send_as_decide(&query, &decision);
	assert_int_equal(decision.reply_to.kind, REPLY_TO_ADDRESS);
	assert_string("address", decision.reply_to.address, "d@x.example");
	assert_string("identity", decision.identity, ME);
	assert_true(decision.any_sender);
	send_as_free(&decision);
	account.sender_policy = SENDER_REWRITE;
	query.rule = NULL;
	send_as_decide(&query, &decision);
	assert_int_equal(decision.reply_to.kind, REPLY_TO_ORIGINAL);
	assert_false(decision.any_sender);
	send_as_free(&decision);
	account_end(&account);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identities),
		cmocka_unit_test(test_permissions),
		cmocka_unit_test(test_decisions),
		cmocka_unit_test(test_what_is_changed_or_refused_has_a_reason),
		cmocka_unit_test(test_a_message_without_from_is_given_one),
		cmocka_unit_test(test_without_an_identity_nothing_breaks),
		cmocka_unit_test(test_rules_decide_first),
		cmocka_unit_test(test_the_decision_says_where_answers_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
