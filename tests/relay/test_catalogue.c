#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "proto/xalloc.h"
#include "relay/report/catalogue.h"
#include "tests/support/bytes.h"
#include "tests/support/tempdir.h"

enum { PASTED_MAX = 256 * 1024 };

static struct catalogue *catalogue;

static int load(void **state)
{
	char *error = NULL;

	(void)state;
	catalogue = catalogue_load(NULL, NULL, &error);
	return catalogue == NULL;
}

static int unload(void **state)
{
	(void)state;
	catalogue_unref(&catalogue);
	return 0;
}

/* --- looking up ----------------------------------------------------------- */

static const struct catalogue_entry *
look_up(const struct catalogue *in, const char *provider, const char *stage,
        struct text pasted)
{
	struct buf buf = BUF_INIT(PASTED_MAX);
	const struct catalogue_entry *entry = NULL;
	struct catalogue_query query;

	if (catalogue_query_parse(pasted, &buf, &query)) {
		query.provider = provider;
		if (stage != NULL)
			query.stage = catalogue_stage_find(text_of(stage));
		entry = catalogue_find(in, &query);
	}
	buf_free(&buf);
	return entry;
}

static const char *explain(const char *pasted)
{
	return look_up(catalogue, NULL, NULL, text_of(pasted))->id;
}

/* --- what providers really say -------------------------------------------- */

struct words {
	char *id, *provider, *stage, *text; /* provider, stage: NULL for any */
};

static struct words *words;
static size_t n_words;

static char *field(struct text *rest)
{
	struct text token;

	assert_true(text_token(rest, '\t', &token));
	return text_is(token, "-") ? NULL : text_dup(token);
}

static int read_words(void **state)
{
	FILE *file = fopen("relay/catalogue/words.tsv", "r");
	char line[8192];

	assert_non_null(file);
	while (fgets(line, sizeof line, file) != NULL) {
		struct text rest = text_make(line, strcspn(line, "\n"));

		if (rest.len == 0 || line[0] == '#')
			continue;
		words = xrealloc(words, (n_words + 1) * sizeof *words);
		words[n_words].id = field(&rest);
		words[n_words].provider = field(&rest);
		words[n_words].stage = field(&rest);
		words[n_words++].text = text_dup(rest);
	}
	fclose(file);
	return load(state);
}

static int free_words(void **state)
{
	size_t i;

	for (i = 0; i < n_words; i++) {
		free(words[i].id);
		free(words[i].provider);
		free(words[i].stage);
		free(words[i].text);
	}
	free(words);
	return unload(state);
}

/* In how many ways the same words may come. */
static char *as_it_is(const char *text)
{
	return xstrdup(text);
}

static char *in_capitals(const char *text)
{
	char *copy = xstrdup(text), *c;

	for (c = copy; *c != '\0'; c++) {
		if (*c >= 'a' && *c <= 'z' && (c == copy || c[-1] != '\\'))
			*c = (char)(*c - 'a' + 'A');
	}
	return copy;
}

static char *with_wide_blanks(const char *text)
{
	struct buf out = BUF_INIT(PASTED_MAX);

	buf_puts(&out, "\r\n  ");
	for (; *text != '\0'; text++) {
		buf_putc(&out, *text);
		if (*text == ' ' && text[-1] != '-')
			buf_puts(&out, " \t");
	}
	buf_puts(&out, " \r\n");
	return buf_steal(&out);
}

/* Lines, as "\n" in two letters, by a blank. */
static char *with_joined_lines(const char *text)
{
	char *copy = xstrdup(text), *at;

	while ((at = strstr(copy, "\\n")) != NULL) {
		*at = ' ';
		memmove(at + 1, at + 2, strlen(at + 2) + 1);
	}
	return copy;
}

static char *with_crlf(const char *text)
{
	struct buf out = BUF_INIT(PASTED_MAX);

	for (; *text != '\0'; text++) {
		if (strncmp(text, "\\n", 2) == 0) {
			buf_puts(&out, "\r\n");
			text++;
		} else {
			buf_putc(&out, *text);
		}
	}
	return buf_steal(&out);
}

static char *with_a_tail(const char *text)
{
	return xasprintf("%s [AM0PR07CA0012.eurprd07.prod.outlook.com "
	                 "2026-11-20T10:11:12.345Z 08DE1A2B3C4D5E6F]", text);
}

static char *in_a_log(const char *text)
{
	struct buf out = BUF_INIT(PASTED_MAX);

	buf_puts(&out, "2026-11-20T10:11:12.345Z warn deferred id=x to=a@b.c "
	               "attempt=3 host=smtp.example.com reply=\"");
	for (; *text != '\0'; text++)
		buf_printf(&out, *text == '"' ? "\\%c" : "%c", *text);
	buf_puts(&out, "\" reason=whatever fix=\"authentication failed\"");
	return buf_steal(&out);
}

static char *(*const ways[])(const char *text) = {
	as_it_is, in_capitals, with_wide_blanks, with_joined_lines, with_crlf,
	with_a_tail, in_a_log,
};

static unsigned try_words(const struct words *row)
{
	unsigned wrong = 0;
	size_t i;

	for (i = 0; i < COUNT(ways); i++) {
		char *pasted = ways[i](row->text);
		const struct catalogue_entry *entry = look_up(
			catalogue, row->provider, row->stage, text_of(pasted));

		if (entry == NULL || strcmp(entry->id, row->id) != 0) {
			print_error("way %zu, %s at %s: %s\n  is %s, not %s\n",
			            i, row->provider ? row->provider : "any",
			            row->stage ? row->stage : "any", pasted,
			            entry ? entry->id : "nothing", row->id);
			wrong++;
		}
		free(pasted);
	}
	return wrong;
}

static void test_the_words_lead_to_their_entry(void **state)
{
	unsigned wrong = 0;
	size_t i;

	(void)state;
	assert_true(n_words > 300);
	for (i = 0; i < n_words; i++)
		wrong += try_words(&words[i]);
	assert_int_equal(wrong, 0);
}

/* In one line, as patterns are compared. */
static bool is_in(struct text text, struct text pattern)
{
	char *line = text_dup(text), *c;
	bool found;

	for (c = line; *c != '\0'; c++)
		*c = *c == '\n' ? ' ' : *c;
	found = text_find_nocase(text_of(line), pattern) >= 0;
	free(line);
	return found;
}

static bool is_said(const char *id, struct text pattern)
{
	struct buf buf = BUF_INIT(PASTED_MAX);
	bool said = false;
	size_t i;

	for (i = 0; i < n_words && !said; i++) {
		struct catalogue_query query;

		if (strcmp(words[i].id, id) != 0)
			continue;
		catalogue_query_parse(text_of(words[i].text), &buf, &query);
		said = pattern.len == 0 || is_in(query.text, pattern);
	}
	buf_free(&buf);
	return said;
}

static void test_every_entry_and_pattern_has_words(void **state)
{
	const struct catalogue_entry *entry;
	unsigned missing = 0;
	struct text pattern;
	size_t i, k;

	(void)state;
	for (i = 0; (entry = catalogue_at(catalogue, i)) != NULL; i++) {
		if (!is_said(entry->id, TEXT(""))) {
			print_error("nobody says %s\n", entry->id);
			missing++;
		}
		for (k = 0; catalogue_pattern(entry, k, &pattern); k++) {
			if (is_said(entry->id, pattern))
				continue;
			print_error("nobody says %.*s of %s\n",
			            TEXT_ARG(pattern), entry->id);
			missing++;
		}
	}
	assert_int_equal(missing, 0);
}

/* --- the text of the entries ---------------------------------------------- */

static bool is_plain(const char *string)
{
	for (; string != NULL && *string != '\0'; string++) {
		if (*string < ' ' || *string > '~')
			return false;
	}
	return true;
}

static bool is_sentence(const char *string)
{
	return strlen(string) > 20 && string[strlen(string) - 1] == '.';
}

static void test_entries_are_fit_to_be_printed(void **state)
{
	const struct catalogue_entry *entry;
	size_t i;

	(void)state;
	for (i = 0; (entry = catalogue_at(catalogue, i)) != NULL; i++) {
		if (!is_plain(entry->title) || !is_plain(entry->explanation) ||
		    !is_plain(entry->fix) || !is_plain(entry->page) ||
		    !is_sentence(entry->explanation) || strlen(entry->fix) < 10)
			fail_msg("%s: %s %s", entry->id, entry->explanation,
			         entry->fix);
		assert_ptr_equal(catalogue_by_id(catalogue, entry->id), entry);
		if (entry->disposition == CATALOGUE_THROTTLE)
			assert_true(entry->wait_ms > 0);
	}
	assert_true(i >= 245);
}

static void test_the_fix_names_account_and_address(void **state)
{
	struct buf out = BUF_INIT(4096);

	(void)state;
	catalogue_fill_fix(&out, "Give ACCOUNT the right to ADDRESS, ACCOUNT.",
	                   "a@b", "c@d");
	assert_string_equal(buf_string(&out), "Give a@b the right to c@d, a@b.");
	buf_clear(&out);
	catalogue_fill_fix(&out, "ADDRESS and ACCOUNT", NULL, "ACCOUNT");
	assert_string_equal(buf_string(&out), "ACCOUNT and ACCOUNT");
	buf_clear(&out);
	catalogue_fill_fix(&out, "ADDRESS and ACCOUNT", NULL, NULL);
	assert_string_equal(buf_string(&out), "ADDRESS and ACCOUNT");
	buf_free(&out);
}

/* --- what people paste ---------------------------------------------------- */

static void test_what_people_paste(void **state)
{
	static const struct {
		const char *pasted;
		int code;
		const char *status, *text;
		enum catalogue_stage stage;
	} rows[] = {
		{ "535 5.7.3 Authentication unsuccessful", 535, "5.7.3",
		  "Authentication unsuccessful", CATALOGUE_STAGE_ANY },
		{ "535-5.7.8 Username and Password not accepted. For\n"
		  "535 5.7.8 more information", 535, "5.7.8",
		  "Username and Password not accepted. For\nmore information",
		  CATALOGUE_STAGE_ANY },
		{ "535-5.7.8 one 535-5.7.8 two 535 5.7.8 three", 535, "5.7.8",
		  "one two three", CATALOGUE_STAGE_ANY },
		{ "smtplib.SMTPAuthenticationError: (535, b'5.7.3 "
		  "Authentication unsuccessful')", 535, "5.7.3",
		  "Authentication unsuccessful')", CATALOGUE_STAGE_ANY },
		{ "Mailbox unavailable. The server response was: 5.7.60 SMTP; "
		  "Client does not", 5, "5.7.60",
		  "Mailbox unavailable. The server response was: 5.7.60 SMTP; "
		  "Client does not", CATALOGUE_STAGE_ANY },
		{ "postfix/smtp[71]: 4F2: to=<a@b.c>, relay=x[192.0.2.1]:587, "
		  "delay=550, dsn=5.7.1, status=bounced (host x[192.0.2.1] "
		  "said: 550 5.7.1 Relaying is denied (in reply to RCPT TO "
		  "command))", 550, "5.7.1",
		  "Relaying is denied (in reply to RCPT TO command))",
		  CATALOGUE_STAGE_RCPT },
		{ "reply=\"550 5.1.1 \\\"nobody\\\" is unknown\" reason=x", 550,
		  "5.1.1", "\"nobody\" is unknown", CATALOGUE_STAGE_ANY },
		{ "{\"event\":\"failed\",\"reply\":\"554 no such thing\"}", 554,
		  "", "no such thing", CATALOGUE_STAGE_ANY },
		{ "HTTP 401 {\"error\":\"invalid_client\"}", 401, "",
		  "HTTP 401 {\"error\":\"invalid_client\"}",
		  CATALOGUE_STAGE_TOKEN },
		{ "{\"error\":\"invalid_client\"}", 401, "",
		  "{\"error\":\"invalid_client\"}", CATALOGUE_STAGE_TOKEN },
		{ "HTTP/1.1 403 Forbidden {\"error\":{\"code\":\"X\"}}", 403, "",
		  "HTTP/1.1 403 Forbidden {\"error\":{\"code\":\"X\"}}",
		  CATALOGUE_STAGE_GRAPH },
		{ "535", 535, "", "535", CATALOGUE_STAGE_ANY },
		{ "5.7.139", 5, "5.7.139", "5.7.139", CATALOGUE_STAGE_ANY },
		{ "192.0.2.1:587: Connection refused", 0, "",
		  "192.0.2.1:587: Connection refused", CATALOGUE_STAGE_ANY },
		{ "I have printed 500 pages by 10:550", 0, "",
		  "I have printed 500 pages by 10:550", CATALOGUE_STAGE_ANY },
		{ "see https://example.com/535 for more", 0, "",
		  "see https://example.com/535 for more", CATALOGUE_STAGE_ANY },
	};
	struct buf buf = BUF_INIT(PASTED_MAX);
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		struct catalogue_query query;
		char status[16];

		assert_true(catalogue_query_parse(text_of(rows[i].pasted), &buf,
		                                  &query));
		smtp_status_string(&query.status, status);
		if (query.code != rows[i].code ||
		    strcmp(status, rows[i].status) != 0 ||
		    query.stage != rows[i].stage ||
		    !text_is(query.text, rows[i].text))
			fail_msg("%s: code %d, status %s, stage %d, text %.*s",
			         rows[i].pasted, query.code, status,
			         query.stage, TEXT_ARG(query.text));
	}
	buf_free(&buf);
}

static void test_nothing_is_no_query(void **state)
{
	static const char *const nothing[] = { "", " ", "\r\n\t ", "reply=\"\"" };
	struct buf buf = BUF_INIT(PASTED_MAX);
	struct catalogue_query query;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(nothing); i++)
		assert_false(catalogue_query_parse(text_of(nothing[i]), &buf,
		                                   &query));
	buf_free(&buf);
}

/* The sentence decides: a code with nine meanings, and one without any. */
static void test_unknown_words_get_the_answer_of_their_class(void **state)
{
	static const struct {
		const char *stage, *pasted, *id;
	} rows[] = {
		{ "auth", "535 5.7.139 krzzt", "login-refused" },
		{ "auth", "454 krzzt", "login-deferred" },
		{ "greeting", "554 krzzt", "provider-refuses" },
		{ "greeting", "421 krzzt", "provider-busy" },
		{ "mail", "550 krzzt", "sender-refused" },
		{ "rcpt", "550 krzzt", "recipient-refused" },
		{ "rcpt", "450 krzzt", "recipient-deferred" },
		{ "rcpt", "552 krzzt", "too-many-recipients" },
		{ "data-end", "554 krzzt", "message-refused" },
		{ "data-end", "451 krzzt", "message-deferred" },
		{ NULL, "599 krzzt", "refused" },
		{ NULL, "499 krzzt", "deferred" },
		{ NULL, "{\"error\":\"invalid_grant\"}", "token-refused" },
		{ NULL, "{\"error\": \"server_error\"}", "token-unavailable" },
		{ NULL, "250 2.0.0 krzzt", "success" },
		{ NULL, "krzzt", "unknown" },
		{ NULL, "\x01\xff\x1b[2J", "unknown" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++)
		assert_string_equal(look_up(catalogue, NULL, rows[i].stage,
		                            text_of(rows[i].pasted))->id,
		                    rows[i].id);
}

/* --- hostile text --------------------------------------------------------- */

static char *many(const char *piece, size_t octets)
{
	struct buf out = BUF_INIT(octets + 64);

	while (buf_len(&out) < octets && buf_puts(&out, piece))
		;
	return buf_steal(&out);
}

static void test_hostile_text_is_bounded(void **state)
{
	static const char *const pieces[] = { "\x1b]0;x\a", "550", "550 ",
		"550-5.7.1 ", "\\", "\"", "4.", "5.7.1\n", "[", "]", " - gsmtp",
		"AADSTS", "HTTP 4", "\xe2\x80", "\xff", "reply=\"", " ", "a" };
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(pieces); i++) {
		char *text = many(pieces[i], 100 * 1024);
		char *reply = xasprintf("535 5.7.3 Authentication unsuccessful "
		                        "%s", text);

		look_up(catalogue, "office365", "auth", text_of(text));
		assert_string_equal(look_up(catalogue, "office365", "auth",
		                            text_of(reply))->id,
		                    "m365-auth-unsuccessful");
		free(reply);
		free(text);
	}
}

static void test_nul_is_but_a_blank(void **state)
{
	static const char text[] = "535 5.7.3 Authentication\0unsuccessful";

	(void)state;
	assert_string_equal(look_up(catalogue, "office365", NULL,
	                            text_make(text, sizeof text - 1))->id,
	                    "m365-auth-unsuccessful");
}

/* --- the user's own ------------------------------------------------------- */

#define ENTRY(id)                                                           \
	"[" id "]\npattern = krzzt happens\ntitle = It is krzzt\n"         \
	"explanation = This is what krzzt means.\nfix = Turn it off and on.\n" \
	"disposition = retry-later\n"

static char *folder;

static void make_folder(void)
{
	tempdir_make();
	folder = xstrdup(tempdir_path("catalogue.d"));
	assert_int_equal(mkdir(folder, 0700), 0);
}

static void remove_folder(void)
{
	free(folder);
	tempdir_remove();
}

static void write_file(const char *name, const char *content)
{
	char *path = xasprintf("catalogue.d/%s", name);

	tempdir_write(path, content);
	free(path);
}

static void remove_file(const char *name)
{
	char *path = xasprintf("%s/%s", folder, name);

	remove(path);
	free(path);
}

static void test_an_own_entry_is_added(void **state)
{
	char *error = NULL;
	struct catalogue *own;

	(void)state;
	write_file("a.ini", ENTRY("printer-krzzt"));
	write_file("b.txt", "no catalogue");
	write_file(".hidden.ini", "no catalogue");
	own = catalogue_load(folder, NULL, &error);
	assert_non_null(own);
	assert_int_equal(catalogue_count_own(own), 1);
	assert_string_equal(look_up(own, "gmail", "rcpt",
	                            TEXT("550 5.1.1 Krzzt  HAPPENS!"))->id,
	                    "printer-krzzt");
	catalogue_unref(&own);
	remove_file("a.ini");
	remove_file("b.txt");
	remove_file(".hidden.ini");
}

static void test_an_own_entry_takes_the_place_of_ours(void **state)
{
	char *error = NULL;
	struct catalogue *own;

	(void)state;
	write_file("a.ini", ENTRY("m365-auth-unsuccessful"));
	write_file("b.ini", ENTRY("m365-auth-unsuccessful") "wait = 5m\n");
	own = catalogue_load(folder, NULL, &error);
	assert_non_null(own);
	assert_int_equal(catalogue_count_own(own), 1);
	assert_int_equal(catalogue_by_id(own, "m365-auth-unsuccessful")->wait_ms,
	                 300000);
	assert_string_equal(look_up(own, NULL, NULL, TEXT("krzzt happens"))->id,
	                    "m365-auth-unsuccessful");
	/* All of it: its old words lead elsewhere. */
	assert_string_not_equal(
		look_up(own, "office365", "auth",
	                TEXT("535 5.7.3 Authentication unsuccessful"))->id,
		"m365-auth-unsuccessful");
	catalogue_unref(&own);
	remove_file("a.ini");
	remove_file("b.ini");
	assert_string_equal(explain("535 5.7.3 Authentication unsuccessful"),
	                    "m365-auth-unsuccessful");
}

/* Of equal words the user's count. */
static void test_own_words_go_before_ours(void **state)
{
	char *error = NULL;
	struct catalogue *own;

	(void)state;
	write_file("a.ini", ENTRY("mine") "code = 535\n"
	           "pattern = Authentication unsuccessful\n"
	           "provider = office365\nstage = auth\nstatus = 5.7.3\n");
	own = catalogue_load(folder, NULL, &error);
	assert_non_null(own);
	assert_string_equal(
		look_up(own, "office365", "auth",
	                TEXT("535 5.7.3 Authentication unsuccessful"))->id,
		"mine");
	catalogue_unref(&own);
	remove_file("a.ini");
}

static void test_no_folder_is_no_trouble(void **state)
{
	char *error = NULL;
	struct catalogue *own =
		catalogue_load("/nonexistent/catalogue.d", NULL, &error);

	(void)state;
	assert_non_null(own);
	assert_int_equal(catalogue_count_own(own), 0);
	catalogue_unref(&own);
}

/* --- what is wrong in a file ---------------------------------------------- */

#define REST "title = T\nexplanation = E\nfix = F\ndisposition = none\n"

static void test_mistakes_are_told_with_their_line(void **state)
{
	static const struct {
		const char *content, *error; /* behind the path */
	} rows[] = {
		{ "[x]\npatern = abc\n" REST, ":2: unknown key \"patern\"; did "
		                             "you mean \"pattern\"?" },
		{ "[x]\nwhatsoever = abc\n" REST, ":2: unknown key \"whatsoever\""
		                                  "; keys are" },
		{ "title = T\n", ":1: \"title\" stands before any entry" },
		{ "[x]\n" REST "[x]\n" REST, ":6: [x] stands here a second "
		                             "time; the first is in line 1" },
		{ "[x]\ntitle = a\n" REST, ":3: \"title\" is set a second time; "
		                           "the first is in line 2" },
		{ "[Big]\n" REST, ":1: an entry's id" },
		{ "[two words]\n" REST, ":1: an entry's id" },
		{ "[x]\ntitle = T\nexplanation = E\ndisposition = none\n",
		  ":1: [x] has no fix" },
		{ "[x]\nstage = autn\n" REST, ":2: \"autn\" is no stage" },
		{ "[x]\nprovider = ofice365\n" REST, ":2: there is no preset "
		                     "\"ofice365\"; did you mean \"office365\"?" },
		{ "[x]\ncode = 99\n" REST, ":2: \"99\" is no reply code" },
		{ "[x]\ncode = 5xx\n" REST, ":2: \"5xx\" is no reply code" },
		{ "[x]\ncode = ,\n" REST, ":2: the list is empty" },
		{ "[x]\nstatus = 5.7\n" REST, ":2: \"5.7\" is no enhanced" },
		{ "[x]\nstatus = 5.7.1-\n  5.7.x\n" REST, ":2: \"5.7.1- 5.7.x\"" },
		{ "[x]\npattern = ab\n" REST, ":2: a pattern has 3 to 300" },
		{ "[x]\nlast_resort = maybe\n" REST, ":2: " },
		{ "[x]\nlast_resort = yes\n" REST, ":1: [x]: last_resort goes" },
		{ "[x]\ntitle = A stop.\nexplanation = E\n", ":2: a title ends" },
		{ "[x]\ntitle =\n", ":2: this text has 0 octets" },
		{ "[x]\npage = ftp://x\n" REST, ":2: a page begins" },
		{ "[x]\nwait = soon\n" REST, ":2: " },
		{ "[x]\nwait = 0\n" REST, ":2: " },
		{ "[x]\nfix = F\ndisposition = pause\n", ":3: \"pause\" is no "
		  "disposition" },
		{ "[x]\ndisposition = retry-latre\n", ":2: \"retry-latre\" is no "
		  "disposition; did you mean \"retry-later\"?" },
		{ "[x]\nnonsense\n" REST, ":2: this line is neither" },
		{ "[x\n", ":1: the section has no ']'" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		char *error = NULL, *wanted;
		struct catalogue *own;

		write_file("a.ini", rows[i].content);
		own = catalogue_load(folder, NULL, &error);
		wanted = xasprintf("%s/a.ini%s", folder, rows[i].error);
		if (own != NULL || strncmp(error, wanted, strlen(wanted)) != 0)
			fail_msg("%s\n%s\nis not %s", rows[i].content,
			         error ? error : "no error", wanted);
		free(wanted);
		free(error);
	}
	remove_file("a.ini");
}

static void test_what_cannot_be_read_is_named(void **state)
{
	char *error = NULL, *path = xasprintf("%s/a.ini", folder);

	(void)state;
	write_file("a.ini", ENTRY("x"));
	assert_null(catalogue_load(path, NULL, &error)); /* a file for a folder */
	assert_non_null(strstr(error, "a.ini: "));
	free(error);
	remove_file("a.ini");
	assert_int_equal(mkdir(path, 0700), 0);
	assert_null(catalogue_load(folder, NULL, &error));
	assert_non_null(strstr(error, "a.ini: this is not a plain file"));
	free(error);
	rmdir(path);
	free(path);
}

static int setup(void **state)
{
	make_folder();
	return read_words(state);
}

static int teardown(void **state)
{
	remove_folder();
	return free_words(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_words_lead_to_their_entry),
		cmocka_unit_test(test_every_entry_and_pattern_has_words),
		cmocka_unit_test(test_entries_are_fit_to_be_printed),
		cmocka_unit_test(test_the_fix_names_account_and_address),
		cmocka_unit_test(test_what_people_paste),
		cmocka_unit_test(test_nothing_is_no_query),
		cmocka_unit_test(
			test_unknown_words_get_the_answer_of_their_class),
		cmocka_unit_test(test_hostile_text_is_bounded),
		cmocka_unit_test(test_nul_is_but_a_blank),
		cmocka_unit_test(test_an_own_entry_is_added),
		cmocka_unit_test(test_an_own_entry_takes_the_place_of_ours),
		cmocka_unit_test(test_own_words_go_before_ours),
		cmocka_unit_test(test_no_folder_is_no_trouble),
		cmocka_unit_test(test_mistakes_are_told_with_their_line),
		cmocka_unit_test(test_what_cannot_be_read_is_named),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
