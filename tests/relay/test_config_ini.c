#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/buf.h"
#include "relay/config/config_ini.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TEXT(literal)                                                          \
	{                                                                      \
		literal, sizeof(literal) - 1                                   \
	}

static bool knows(struct text word)
{
	return text_is(word, "account") || text_is(word, "host") ||
	       text_is(word, "senders");
}

static struct config_ini *read_good(struct text text)
{
	char *error = NULL;
	struct config_ini *ini = config_ini_read(text, "a.conf", knows, &error);

	if (!ini)
		fail_msg("%s", error);
	return ini;
}

/* kind/name key=value@line, one after the other; '\n' shows as '|'. */
static void print_entries(const struct config_ini *ini, struct buf *out)
{
	for (size_t i = 0; i < ini->n_entries; i++) {
		const struct config_ini_entry *entry = &ini->entries[i];
		const struct config_ini_section *section = entry->section;

		buf_printf(out, "%s%s%s %s=", section ? section->kind : "-",
			   section && section->name ? "/" : "",
			   section && section->name ? section->name : "",
			   entry->key);
		for (const char *c = entry->value; *c; c++)
			buf_putc(out, *c == '\n' ? '|' : *c);
		buf_printf(out, "@%u%s%s\n", entry->line,
			   entry->continued ? "+" : "", entry->cut ? ";" : "");
	}
}

static const struct {
	const char *name;
	struct text text;
	const char *entries;
} good[] = {
	{ "plain", TEXT("[account]\nhost = a\nport=25\n"),
	  "account host=a@2\naccount port=25@3\n" },
	{ "no final newline", TEXT("[account]\nhost = a"),
	  "account host=a@2\n" },
	{ "CRLF", TEXT("[account]\r\nhost = a\r\n\r\nport = 1\r\n"),
	  "account host=a@2\naccount port=1@4\n" },
	{ "byte order mark", TEXT("\xef\xbb\xbf[account]\nhost = a\n"),
	  "account host=a@2\n" },
	{ "names",
	  TEXT("[ account  office ] ; mine\nhost = a\n[account b-1.x]"
	       "\nhost = b\n"),
	  "account/office host=a@2\naccount/b-1.x host=b@4\n" },
	{ "comments",
	  TEXT("# one\n; two\n[account]\n  # three\nhost = a ; four"
	       "\nport = 5 # no comment\n"),
	  "account host=a@5;\naccount port=5 # no comment@6\n" },
	{ "no comment without a space", TEXT("[account]\npassword = a;b\n"),
	  "account password=a;b@2\n" },
	{ "a value that is a comment", TEXT("[account]\npassword = ;a\n"),
	  "account password=@2;\n" },
	{ "a list that goes on",
	  TEXT("[account]\nsenders = a,\n  b, ; office\n# between\n\n\tc\n"
	       "host = h\n"),
	  "account senders=a,|b,|c@2+\naccount host=h@7\n" },
	{ "an IPv6 address in a list",
	  TEXT("[listener]\naddress = *:25,\n  [::1]:2525,\n  fd00::1\n"),
	  "listener address=*:25,|[::1]:2525,|fd00::1@2+\n" },
	{ "indented keys", TEXT("[account]\n  senders = a\n  host = h\n"),
	  "account senders=a@2\naccount host=h@3\n" },
	{ "indented sections",
	  TEXT("[relay]\nx = 1\n  [account]\n  host = h\n"),
	  "relay x=1@2\naccount host=h@4\n" },
	{ "continued after a new section",
	  TEXT("[relay]\nx = 1\n[account]\n"
	       "  y = 2\n"),
	  "relay x=1@2\naccount y=2@4\n" },
	{ "before any section", TEXT("host = a\n"), "- host=a@1\n" },
	{ "colon", TEXT("[account]\nhost: a\n"), "account host=a@2\n" },
	{ "empty value", TEXT("[account]\nhost =\n"), "account host=@2\n" },
	{ "nothing", TEXT(""), "" },
	{ "a long comment and the lines behind it",
	  TEXT("[account]\n# 0123456789012345678901234567890123456789012345678"
	       "901234567890123456789012345678901234567890123456789012345678"
	       "901234567890123456789012345678901234567890123456789012345678"
	       "9012345678901234567890123456789012345678901234567890\n"
	       "host = a\n"),
	  "account host=a@3\n" },
	{ "Latin-1 in a comment", TEXT("[account]\n# B\xfcro\nhost = a\n"),
	  "account host=a@3\n" },
};

static void test_reads_entries_with_true_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		struct config_ini *ini = read_good(good[i].text);
		struct buf seen = BUF_INIT(65536);

		print_entries(ini, &seen);
		if (strcmp(buf_string(&seen), good[i].entries) != 0)
			fail_msg("%s: %s", good[i].name, buf_string(&seen));
		buf_free(&seen);
		config_ini_free(&ini);
		assert_null(ini);
	}
}

static const struct {
	struct text text;
	const char *error;
} bad[] = {
	{ TEXT("[account]\nhost\n"), "a.conf:2: this line is neither \"key = "
				     "value\", nor a [section], nor "
				     "a comment (which begins with # or ;)" },
	{ TEXT("[account]\npassword hunter2\nhost = \0\n"),
	  "a.conf:2: this line is neither \"key = value\", nor a [section], "
	  "nor "
	  "a comment (which begins with # or ;)" },
	{ TEXT("[account\nhost = a\n"),
	  "a.conf:1: the section has no ']'; write it like [account] or "
	  "[listener office]" },
	{ TEXT("\n[account] host = a\n"), "a.conf:2: something stands behind "
					  "the ']' of the section; keys begin "
					  "in the next line" },
	{ TEXT("[]\n"),
	  "a.conf:1: a section is [kind] or [kind name], of letters, digits, "
	  "'-', '_' and '.', such as [account] or [listener office]" },
	{ TEXT("[account \"x\"]\n"),
	  "a.conf:1: a section is [kind] or [kind name], of letters, digits, "
	  "'-', '_' and '.', such as [account] or [listener office]" },
	{ TEXT("[account a b]\n"),
	  "a.conf:1: a section is [kind] or [kind name], of letters, digits, "
	  "'-', '_' and '.', such as [account] or [listener office]" },
	{ TEXT("[account 0123456789012345678901234567890123456789012]\n"),
	  "a.conf:1: the section's name has 51 bytes, and 49 is the most" },
	{ TEXT("[account]\n"
	       "x0123456789012345678901234567890123456789012345678 = 1\n"),
	  "a.conf:2: the name of the key has 50 bytes, and 49 is the most" },
	{ TEXT("[account]\n= 1\n"),
	  "a.conf:2: there is no key before the \"=\"" },
	{ TEXT("[account]\nhost = a\0b\n"),
	  "a.conf:2: this line holds a NUL byte; save the file as plain UTF-8 "
	  "text" },
	{ TEXT("[account]\nhost = a\033[2J\n"),
	  "a.conf:2: this line holds the control character 0x1b; take it out" },
	{ TEXT("[account]\rhost = a\r"),
	  "a.conf:1: this line holds the control character 0x0d; take it out" },
	{ TEXT("[account]\nusername = b\xfcro\n"),
	  "a.conf:2: this line is not UTF-8; save the file as UTF-8 text" },
	{ TEXT("\xff\xfe[\0a\0"),
	  "a.conf:1: the file is UTF-16 (\"Unicode\" in some editors); save it "
	  "as UTF-8" },
};

static void test_refuses_with_a_sentence(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		char *error = NULL;

		assert_null(
			config_ini_read(bad[i].text, "a.conf", knows, &error));
		assert_string_equal(error, bad[i].error);
		free(error);
	}
}

/* What inih would cut in two without a word. */
static void test_long_lines_are_refused_not_cut(void **state)
{
	(void)state;
	for (size_t len = CONFIG_INI_LINE_MAX - 1; len < 600; len++) {
		char *error = NULL, line[700];
		struct config_ini *ini;

		snprintf(line, sizeof(line),
			 "[account]\nhost = %0*d\nport = 7\n",
			 (int)(len - strlen("host = ")), 1);
		ini = config_ini_read(text_of(line), "a.conf", knows, &error);
		if (len <= CONFIG_INI_LINE_MAX) {
			assert_non_null(ini);
			assert_int_equal(ini->n_entries, 2);
			assert_int_equal(strlen(ini->entries[0].value),
					 len - strlen("host = "));
			assert_int_equal(ini->entries[1].line, 3);
		} else {
			assert_null(ini);
			assert_int_equal(
				strncmp(error, "a.conf:2: this line has", 23),
				0);
		}
		free(error);
		config_ini_free(&ini);
	}
}

/* Every beginning of a file gives entries or a sentence, and leaks nothing. */
static void test_survives_a_cut_anywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		for (size_t len = 0; len <= good[i].text.len; len++) {
			char *error = NULL, *copy;
			struct config_ini *ini;

			copy = malloc(len + 1);
			memcpy(copy, good[i].text.data, len);
			ini = config_ini_read(text_make(copy, len), "a.conf",
					      knows, &error);
			assert_true((ini == NULL) == (error != NULL));
			config_ini_free(&ini);
			free(error);
			free(copy);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_entries_with_true_lines),
		cmocka_unit_test(test_refuses_with_a_sentence),
		cmocka_unit_test(test_long_lines_are_refused_not_cut),
		cmocka_unit_test(test_survives_a_cut_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
