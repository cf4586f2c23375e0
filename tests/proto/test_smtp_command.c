#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/smtp_command.h"
#include "tests/support/bytes.h"
#include "tests/support/guarded.h"

static const struct {
	struct text line;
	enum smtp_verb verb;
	struct text word, argument;
	bool has_keyword;
} commands[] = {
	{ BYTES("QUIT"), SMTP_VERB_QUIT, BYTES("QUIT"), BYTES(""), false },
	{ BYTES("EHLO scanner"), SMTP_VERB_EHLO, BYTES("EHLO"),
	  BYTES("scanner"), false },
	/* Q20: verbs in any case. */
	{ BYTES("hElO  printer "), SMTP_VERB_HELO, BYTES("hElO"),
	  BYTES("printer"), false },
	{ BYTES("HELO "), SMTP_VERB_HELO, BYTES("HELO"), BYTES(""), false },
	{ BYTES("mail from:<a@b>"), SMTP_VERB_MAIL, BYTES("mail"),
	  BYTES("<a@b>"), true },
	/* Q17: a space behind the colon, for smtp_path to see. */
	{ BYTES("MAIL FROM: <a@b>"), SMTP_VERB_MAIL, BYTES("MAIL"),
	  BYTES(" <a@b>"), true },
	{ BYTES("RCPT TO : <a@b> NOTIFY=NEVER"), SMTP_VERB_RCPT, BYTES("RCPT"),
	  BYTES(" <a@b> NOTIFY=NEVER"), true },
	{ BYTES("RCPT\tTO:<a@b>"), SMTP_VERB_RCPT, BYTES("RCPT"),
	  BYTES("<a@b>"), true },
	{ BYTES("MAIL FROM:"), SMTP_VERB_MAIL, BYTES("MAIL"), BYTES(""), true },
	{ BYTES("MAIL FROM <a@b>"), SMTP_VERB_MAIL, BYTES("MAIL"),
	  BYTES("FROM <a@b>"), false },
	{ BYTES("MAIL TO:<a@b>"), SMTP_VERB_MAIL, BYTES("MAIL"),
	  BYTES("TO:<a@b>"), false },
	{ BYTES("RCPT FROM:<a@b>"), SMTP_VERB_RCPT, BYTES("RCPT"),
	  BYTES("FROM:<a@b>"), false },
	{ BYTES("MAIL"), SMTP_VERB_MAIL, BYTES("MAIL"), BYTES(""), false },
	{ BYTES("MAILFROM:<a@b>"), SMTP_VERB_UNKNOWN, BYTES("MAILFROM:<a@b>"),
	  BYTES(""), false },
	/* Q19: spaces behind the verb. */
	{ BYTES("DATA  "), SMTP_VERB_DATA, BYTES("DATA"), BYTES(""), false },
	{ BYTES(""), SMTP_VERB_UNKNOWN, BYTES(""), BYTES(""), false },
	{ BYTES("   "), SMTP_VERB_UNKNOWN, BYTES(""), BYTES(""), false },
	{ BYTES("QUIT\0"), SMTP_VERB_UNKNOWN, BYTES("QUIT\0"), BYTES(""),
	  false },
	{ BYTES("Subject: x"), SMTP_VERB_UNKNOWN, BYTES("Subject:"), BYTES("x"),
	  false },
};

static void test_parses(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(commands); i++) {
		struct guarded line = guarded_copy(commands[i].line);
		struct smtp_command command;

		smtp_command_parse(line.text, &command);
		assert_int_equal(command.verb, commands[i].verb);
		assert_bytes("word", command.word, commands[i].word);
		assert_bytes("argument", command.argument,
			     commands[i].argument);
		assert_int_equal(command.has_keyword, commands[i].has_keyword);
		guarded_free(&line);
	}
}

static void test_each_verb_has_its_name(void **state)
{
	struct smtp_command command;

	(void)state;
#define X(name)                                                                \
	smtp_command_parse(TEXT(#name), &command);                             \
	assert_int_equal(command.verb, SMTP_VERB_##name);                      \
	assert_string_equal(smtp_verb_name(command.verb), #name);
	SMTP_VERB_MAP(X)
#undef X
	assert_string_equal(smtp_verb_name(SMTP_VERB_UNKNOWN), "?");
}

static const struct {
	struct text line;
	const char *shown;
} masks[] = {
	{ BYTES("MAIL FROM:<a@b>"), "MAIL FROM:<a@b>" },
	{ BYTES("AUTH LOGIN"), "AUTH LOGIN" },
	{ BYTES("auth plain AHVzZXIAcGFzcw=="), "AUTH PLAIN ***" },
	{ BYTES("AUTH PLAIN  AHVz ZXI"), "AUTH PLAIN ***" },
	{ BYTES("AUTH AHVzZXIAcGFzcw=="), "AUTH ***" },
	{ BYTES("AUTH"), "AUTH" },
	{ BYTES("AUTH\tLOGIN\tAHVz"), "AUTH LOGIN ***" },
	{ BYTES("AUTH=PLAIN AHVz"), "AUTH ***" },
	{ BYTES("AUTHAHVzZXI="), "AUTH ***" },
	{ BYTES("  AUTH XYZZY AHVz"), "AUTH ***" },
};

static void test_masks_logins(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(masks); i++) {
		struct guarded line = guarded_copy(masks[i].line);
		char out[64];

		smtp_command_masked(line.text, out, sizeof(out));
		assert_string_equal(out, masks[i].shown);
		smtp_command_masked(line.text, out, 3);
		assert_true(strlen(out) <= 2);
		guarded_free(&line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parses),
		cmocka_unit_test(test_each_verb_has_its_name),
		cmocka_unit_test(test_masks_logins),
	};

	return cmocka_run_group_tests_name("smtp_command", tests, NULL, NULL);
}
