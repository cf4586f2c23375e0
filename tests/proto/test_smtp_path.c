#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/buf.h"
#include "proto/smtp_path.h"
#include "tests/support/bytes.h"
#include "tests/support/guarded.h"

#define SPACE    SMTP_PATH_REPAIR(SPACE)
#define BRACKETS SMTP_PATH_REPAIR(BRACKETS)
#define ROUTE    SMTP_PATH_REPAIR(ROUTE)
#define DOT      SMTP_PATH_REPAIR(DOT)
#define WORDS    SMTP_PATH_REPAIR(WORDS)
#define LOCAL    SMTP_PATH_REPAIR(LOCAL_DOT)

static const struct {
	struct text arg, local, domain, rest;
	unsigned repairs;
} paths[] = {
	{ BYTES("<a@b.example>"), BYTES("a"), BYTES("b.example"), BYTES(""),
	  0 },
	{ BYTES("<a@b> SIZE=10 BODY=7BIT"), BYTES("a"), BYTES("b"),
	  BYTES("SIZE=10 BODY=7BIT"), 0 },
	{ BYTES("<>"), BYTES(""), BYTES(""), BYTES(""), 0 },
	{ BYTES("<> AUTH=<>"), BYTES(""), BYTES(""), BYTES("AUTH=<>"), 0 },
	{ BYTES("<postmaster>"), BYTES("postmaster"), BYTES(""), BYTES(""), 0 },
	{ BYTES("<root>"), BYTES("root"), BYTES(""), BYTES(""), 0 },
	{ BYTES("<a@[192.0.2.1]>"), BYTES("a"), BYTES("[192.0.2.1]"), BYTES(""),
	  0 },
	{ BYTES("<a@[IPv6:2001:db8::1]>"), BYTES("a"),
	  BYTES("[IPv6:2001:db8::1]"), BYTES(""), 0 },
	/* A quoted local part stays one unit, whatever it holds. */
	{ BYTES("<\"a@b\"@c>"), BYTES("\"a@b\""), BYTES("c"), BYTES(""), 0 },
	{ BYTES("<\"a> RCPT TO:<b\"@c> X"), BYTES("\"a> RCPT TO:<b\""),
	  BYTES("c"), BYTES("X"), 0 },
	{ BYTES("<\"a\\\"@b\"@c>"), BYTES("\"a\\\"@b\""), BYTES("c"), BYTES(""),
	  0 },
	{ BYTES("<a%b@c>"), BYTES("a%b"), BYTES("c"), BYTES(""), 0 },
	{ BYTES("<b!a@c>"), BYTES("b!a"), BYTES("c"), BYTES(""), 0 },
	/* Q17: space after the colon. */
	{ BYTES(" <a@b>"), BYTES("a"), BYTES("b"), BYTES(""), SPACE },
	{ BYTES("\t <a@b> SIZE=1"), BYTES("a"), BYTES("b"), BYTES("SIZE=1"),
	  SPACE },
	/* Q18: no angle brackets. */
	{ BYTES("a@b"), BYTES("a"), BYTES("b"), BYTES(""), BRACKETS },
	{ BYTES(" a@b SIZE=10"), BYTES("a"), BYTES("b"), BYTES("SIZE=10"),
	  BRACKETS | SPACE },
	{ BYTES("\"a b\"@c X=1"), BYTES("\"a b\""), BYTES("c"), BYTES("X=1"),
	  BRACKETS },
	{ BYTES("MFP"), BYTES("MFP"), BYTES(""), BYTES(""), BRACKETS },
	/* Q19: spaces inside the brackets and behind them. */
	{ BYTES("< a@b >"), BYTES("a"), BYTES("b"), BYTES(""), SPACE },
	{ BYTES("<a@b>   "), BYTES("a"), BYTES("b"), BYTES(""), 0 },
	{ BYTES("< >"), BYTES(""), BYTES(""), BYTES(""), SPACE },
	/* Q23: a dot after the domain. */
	{ BYTES("<a@b.example.>"), BYTES("a"), BYTES("b.example"), BYTES(""),
	  DOT },
	{ BYTES("a@b."), BYTES("a"), BYTES("b"), BYTES(""), BRACKETS | DOT },
	/* Q21: one address among other words. */
	{ BYTES("<the dude <dude@site>>"), BYTES("dude"), BYTES("site"),
	  BYTES(""), WORDS },
	{ BYTES("<\"Dude, the\" <dude@site> > SIZE=1"), BYTES("dude"),
	  BYTES("site"), BYTES("SIZE=1"), WORDS },
	{ BYTES("<<a@b>>"), BYTES("a"), BYTES("b"), BYTES(""), WORDS },
	{ BYTES(" <<<a@b>>> X=1"), BYTES("a"), BYTES("b"), BYTES("X=1"),
	  WORDS | SPACE },
	{ BYTES("<'a@b'>"), BYTES("a"), BYTES("b"), BYTES(""), WORDS },
	{ BYTES("'a@b' X=1"), BYTES("a"), BYTES("b"), BYTES("X=1"), WORDS },
	{ BYTES("<\"a@b\">"), BYTES("a"), BYTES("b"), BYTES(""), WORDS },
	{ BYTES("<(scanner) a@b>"), BYTES("a"), BYTES("b"), BYTES(""), WORDS },
	{ BYTES("<a@b (the (2nd) \\) scanner)>"), BYTES("a"), BYTES("b"),
	  BYTES(""), WORDS },
	{ BYTES("<a@b> (scanner) SIZE=1"), BYTES("a"), BYTES("b"),
	  BYTES("SIZE=1"), WORDS },
	{ BYTES("a@b (Scanner <2>)"), BYTES("a"), BYTES("b"), BYTES(""),
	  WORDS | BRACKETS },
	{ BYTES("John Doe <a@b>"), BYTES("a"), BYTES("b"), BYTES(""), WORDS },
	{ BYTES("J\xf6hn Doe <a@b> SIZE=1"), BYTES("a"), BYTES("b"),
	  BYTES("SIZE=1"), WORDS },
	{ BYTES("\"<x@y>\" <a@b>"), BYTES("a"), BYTES("b"), BYTES(""),
	  WORDS },
	{ BYTES("<x <@r:a@b.>>"), BYTES("a"), BYTES("b"), BYTES(""),
	  WORDS | ROUTE | DOT },
	/* A bracket in a parameter is none of the address. */
	{ BYTES("a@b AUTH=<>"), BYTES("a"), BYTES("b"), BYTES("AUTH=<>"),
	  BRACKETS },
	{ BYTES("MFP AUTH=<a@b>"), BYTES("MFP"), BYTES(""), BYTES("AUTH=<a@b>"),
	  BRACKETS },
	/* Q22: dots out of place. */
	{ BYTES("<ilo.@b>"), BYTES("ilo."), BYTES("b"), BYTES(""), LOCAL },
	{ BYTES("<a..b@c>"), BYTES("a..b"), BYTES("c"), BYTES(""), LOCAL },
	{ BYTES(".a@c"), BYTES(".a"), BYTES("c"), BYTES(""), LOCAL | BRACKETS },
	/* Source routes, RFC 5321 appendix C. */
	{ BYTES("<@x,@y.example:a@b>"), BYTES("a"), BYTES("b"), BYTES(""),
	  ROUTE },
	{ BYTES("< @x: a@b >"), BYTES("a"), BYTES("b"), BYTES(""),
	  ROUTE | SPACE },
};

static void test_reads_paths(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(paths); i++) {
		struct guarded arg = guarded_copy(paths[i].arg);
		struct smtp_path path;
		struct text rest;
		const char *error = "";

		if (!smtp_path_parse(arg.text, &path, &rest, &error))
			fail_msg("%.*s: %s", TEXT_ARG(paths[i].arg), error);
		assert_null(error);
		assert_bytes("local", smtp_path_local(&path), paths[i].local);
		assert_bytes("domain", smtp_path_domain(&path),
			     paths[i].domain);
		assert_bytes("rest", rest, paths[i].rest);
		assert_int_equal(path.repairs, paths[i].repairs);
		assert_int_equal(smtp_path_is_null(&path),
				 paths[i].local.len == 0);
		guarded_free(&arg);
	}
}

static const struct text broken[] = {
	BYTES(""),
	BYTES(" "),
	BYTES("<"),
	BYTES(">"),
	BYTES("<a@b"),
	BYTES("a@b>"),
	BYTES("<a@b>>"),
	BYTES("<a@b>SIZE=1"),
	BYTES("<a@>"),
	BYTES("<@b>"),
	BYTES("<a@b@c>"),
	BYTES("<a b@c>"),
	BYTES("<a @b>"),
	BYTES("<a@ b>"),
	BYTES("<a@b c>"),
	BYTES("<a@b..>"),
	BYTES("<a@.>"),
	BYTES("<a@b..c>"),
	BYTES("<\"a@b>"),
	BYTES("<\"a\"b@c>"),
	BYTES("<\"a\\\"@b>"),
	BYTES("<a@b,c@d>"),
	BYTES("a@b;c@d"),
	BYTES("<@x:>"),
	BYTES("<@x a@b>"),
	BYTES("<@x,:a@b>"),
	BYTES("<@x,y:a@b>"),
	BYTES("<:a@b>"),
	BYTES("<a@[1.2.3]>"),
	BYTES("<a\0@b>"),
	BYTES("<a@b\0>"),
	BYTES("<a@b\r>"),
	BYTES("<a\nRCPT TO:<x@y>"),
	BYTES("<\"a\nb\"@c>"),
	BYTES("<a\x7f@b>"),
	BYTES("<m\xc3\xbcller@b>"),
	BYTES("<a@m\xc3\xbcller.de>"),
	BYTES("<a@-b>"),
	BYTES("<...@b>"),
	BYTES("<(comment)>"),
	BYTES("<(comment>"),
	BYTES("<a@b> (comment"),
	BYTES("<a(x)@b>"),
	BYTES("<a@b <c@d>>"),
	BYTES("a@b <c@d>"),
	BYTES("<<a@b><c@d>>"),
	BYTES("<<a@b>"),
	BYTES("<x <a@b>"),
	BYTES("<x <a@b>>SIZE=1"),
	BYTES("x>y <a@b>"),
	BYTES("<x\x01 <a@b>>"),
	BYTES("<x\0 <a@b>>"),
	BYTES("<\"x <a@b>>"),
	BYTES("John <>"),
	BYTES("<'a'>x"),
	BYTES("<\"a@b\"c>"),
};

static void test_refuses_what_is_no_path(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(broken); i++) {
		struct guarded arg = guarded_copy(broken[i]);
		struct smtp_path path;
		struct text rest;
		const char *error = NULL;

		if (smtp_path_parse(arg.text, &path, &rest, &error))
			fail_msg("%.*s was taken", TEXT_ARG(broken[i]));
		assert_non_null(error);
		guarded_free(&arg);
	}
}

/* "John Doe" is "John" with a parameter "Doe" that does not exist: the
 * parameters refuse it. */
static void test_a_bare_word_ends_at_the_space(void **state)
{
	struct smtp_path path;
	struct text rest;
	const char *error;

	(void)state;
	assert_true(smtp_path_parse(TEXT("John Doe"), &path, &rest, &error));
	assert_bytes("rest", rest, TEXT("Doe"));
}

static const struct {
	struct text arg;
	const char *addresses; /* one a line; "!" where one is broken */
	struct text rest;
} lists[] = {
	{ BYTES("<a@b,c@d>"), "a@b\nc@d\n", BYTES("") },
	{ BYTES("<a@b; c@d ;> NOTIFY=NEVER"), "a@b\nc@d\n",
	  BYTES("NOTIFY=NEVER") },
	{ BYTES("a@b;c@d"), "a@b\nc@d\n", BYTES("") },
	{ BYTES(" a@b, c@d ; e@f X=1"), "a@b\nc@d\ne@f\n", BYTES("X=1") },
	{ BYTES("<a@b>,<c@d> ORCPT=rfc822;a@b"), "a@b\nc@d\n",
	  BYTES("ORCPT=rfc822;a@b") },
	{ BYTES("<@x,@y:a@b>;<c@d>"), "a@b\nc@d\n", BYTES("") },
	{ BYTES("\"a,b\"@c;d@e"), "\"a,b\"@c\nd@e\n", BYTES("") },
	{ BYTES("<\"a;b\"@c;d@e>"), "\"a;b\"@c\nd@e\n", BYTES("") },
	{ BYTES("\"Doe, John\" <a@b>; Ann <c@d>"), "a@b\nc@d\n", BYTES("") },
	{ BYTES("a@b (x, y), c@d"), "a@b\nc@d\n", BYTES("") },
	{ BYTES("a@b, k=v@d"), "a@b\nk=v@d\n", BYTES("") },
	{ BYTES("a@b;"), "a@b\n", BYTES("") },
	{ BYTES(";,a@b"), "a@b\n", BYTES("") },
	{ BYTES(",;"), "", BYTES("") },
	{ BYTES("<a@b,>"), "a@b\n", BYTES("") },
	{ BYTES("a@b,c@d@e,f@g"), "a@b\n!", BYTES("") },
	{ BYTES("a@b,c d"), "a@b\n!", BYTES("") },
	{ BYTES("a@b\r,c@d"), "!", BYTES("") },
};

static void read_list(struct smtp_path_list *list, struct buf *out)
{
	struct smtp_path path;
	const char *error;

	while (smtp_path_list_next(list, &path, &error))
		buf_printf(out, "%.*s\n", TEXT_ARG(path.address));
	if (error != NULL)
		buf_puts(out, "!");
}

static void test_lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(lists); i++) {
		struct guarded arg = guarded_copy(lists[i].arg);
		struct smtp_path_list list;
		struct buf out = BUF_INIT(1000);
		struct text rest;

		assert_true(smtp_path_list_parse(arg.text, &list, &rest));
		assert_bytes("rest", rest, lists[i].rest);
		read_list(&list, &out);
		assert_string_equal(buf_string(&out), lists[i].addresses);
		buf_free(&out);
		guarded_free(&arg);
	}
}

static void test_what_is_no_list(void **state)
{
	static const struct text args[] = {
		BYTES(""),          BYTES("<a@b>"),       BYTES("a@b"),
		BYTES("<a@b"),      BYTES("a@b,\"c@d"),   BYTES("<a@b,c@d"),
		BYTES("a@b>,<c@d"), BYTES("\"a,b\"@c"),   BYTES("a@b,(c@d"),
		BYTES("<\"a;b\"@c> ORCPT=rfc822;a@b"),
	};
	struct smtp_path_list list;
	struct text rest;

	(void)state;
	for (size_t i = 0; i < COUNT(args); i++) {
		struct guarded arg = guarded_copy(args[i]);

		if (smtp_path_list_parse(arg.text, &list, &rest))
			fail_msg("%.*s", TEXT_ARG(args[i]));
		guarded_free(&arg);
	}
}

static bool takes(size_t local, size_t domain)
{
	char arg[600];
	struct smtp_path path;
	struct text rest;
	const char *error;

	memset(arg, 'a', sizeof(arg));
	arg[0] = '<';
	arg[1 + local] = '@';
	for (size_t i = 2 + local + 60; i < 1 + local + domain; i += 60)
		arg[i] = '.';
	arg[2 + local + domain] = '>';
	return smtp_path_parse(text_make(arg, local + domain + 3), &path, &rest,
			       &error);
}

static void test_limits(void **state)
{
	(void)state;
	assert_true(takes(64, 10));
	assert_false(takes(65, 10));
	assert_true(takes(1, 252));
	assert_false(takes(1, 253));
	assert_false(takes(64, 200));
}

static const struct {
	struct text address;
	bool is_address;
} addresses[] = {
	{ BYTES("a@b"), true },     { BYTES("\"a b\"@[192.0.2.1]"), true },
	{ BYTES("a"), false },      { BYTES(""), false },
	{ BYTES("<a@b>"), false },  { BYTES(" a@b"), false },
	{ BYTES("a@b "), false },   { BYTES("a@b."), false },
	{ BYTES("@x:a@b"), false }, { BYTES("a@b\n"), false },
	{ BYTES("a@b\0"), false },
};

static void test_bare_addresses_are_exact(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(addresses); i++) {
		struct guarded text = guarded_copy(addresses[i].address);
		struct smtp_path path;

		if (smtp_address_parse(text.text, &path) !=
		    addresses[i].is_address)
			fail_msg("%.*s", TEXT_ARG(addresses[i].address));
		guarded_free(&text);
	}
}

static bool equal(const char *a, const char *b)
{
	struct smtp_path path[2];
	struct text rest;
	const char *error;

	assert_true(smtp_path_parse(text_of(a), &path[0], &rest, &error));
	assert_true(smtp_path_parse(text_of(b), &path[1], &rest, &error));
	return smtp_path_equal(&path[0], &path[1]);
}

static void test_equality(void **state)
{
	(void)state;
	assert_true(equal("<a@Example.COM>", "a@example.com."));
	assert_true(equal("<>", "<>"));
	assert_false(equal("<A@b>", "<a@b>"));
	assert_false(equal("<a>", "<a@b>"));
	assert_false(equal("<>", "<a>"));
}

static void test_postmaster(void **state)
{
	struct smtp_path path;
	struct text rest;
	const char *error;

	(void)state;
	assert_true(
		smtp_path_parse(TEXT("<PostMaster>"), &path, &rest, &error));
	assert_true(smtp_path_is_postmaster(&path));
	assert_true(
		smtp_path_parse(TEXT("<postmaster@b>"), &path, &rest, &error));
	assert_false(smtp_path_is_postmaster(&path));
}

static void test_each_repair_has_words(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SMTP_PATH_REPAIRS; i++)
		assert_true(smtp_path_repair_text((enum smtp_path_repair)i)[0]);
	assert_string_equal(smtp_path_repair_text(SMTP_PATH_REPAIR_BIT_DOT),
			    "dot after the domain dropped");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_paths),
		cmocka_unit_test(test_refuses_what_is_no_path),
		cmocka_unit_test(test_a_bare_word_ends_at_the_space),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_what_is_no_list),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_bare_addresses_are_exact),
		cmocka_unit_test(test_equality),
		cmocka_unit_test(test_postmaster),
		cmocka_unit_test(test_each_repair_has_words),
	};

	return cmocka_run_group_tests_name("smtp_path", tests, NULL, NULL);
}
