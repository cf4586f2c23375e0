#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "proto/smtp_syntax.h"
#include "proto/utf8.h"
#include "tests/relay/intake_play.h"

/* RFC 5321 4.4; "for" is left out, since it would tell of Bcc. */
#define DOMAIN "[A-Za-z0-9_.-]+"
#define LITERAL "\\[(IPv6:[0-9a-fA-F:.]+|[0-9]+\\.[0-9]+\\.[0-9]+\\.[0-9]+)\\]"
#define RECEIVED                                                             \
	"^Received: from (" DOMAIN "|" LITERAL ") \\((" DOMAIN " )?" LITERAL \
	"\\) by " DOMAIN " (\\([a-z]+\\) )?with E?SMTP id [0-9a-z]+; "         \
	"[A-Z][a-z][a-z], [0-9]+ [A-Z][a-z][a-z] [0-9]{4} "                  \
	"[0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4}$"

static const struct {
	const char *client, *helo;
	const char *from, *literal; /* that must, or NULL may, stand in it */
} peers[] = {
	{ "192.0.2.7", "scanner.example", "scanner.example", "[192.0.2.7]" },
	{ "192.0.2.7", "[192.0.2.7]", "[192.0.2.7]", "[192.0.2.7]" },
	{ "2001:db8::7", "scanner.example", "scanner.example",
	  "[IPv6:2001:db8::7]" },
	{ "::1", "localhost", "localhost", "[IPv6:::1]" },
	/* A zone is of this host alone. */
	{ "fe80::1%eth0", "scanner", "scanner", "[IPv6:fe80::1]" },
	{ "fe80::1%7", "[IPv6:fe80::1]", NULL, "[IPv6:fe80::1]" },
	{ "2001:db8::7", "[IPv6:2001:db8::7]", "[IPv6:2001:db8::7]",
	  "[IPv6:2001:db8::7]" },
	/* Odd names of devices. */
	{ "192.0.2.7", "BRN_30055C_12", "BRN_30055C_12", "[192.0.2.7]" },
	{ "192.0.2.7", "192.0.2.7", NULL, "[192.0.2.7]" },
	{ "192.0.2.7", "", NULL, "[192.0.2.7]" },
	{ "192.0.2.7", NULL, NULL, "[192.0.2.7]" },
	{ "192.0.2.7", "HP LaserJet", NULL, "[192.0.2.7]" },
	{ "192.0.2.7", "::1", NULL, "[192.0.2.7]" },
	{ "192.0.2.7", ".", NULL, "[192.0.2.7]" },
	{ "192.0.2.7", "M\xfcller", NULL, "[192.0.2.7]" },
	{ "192.0.2.7", "d\xc3\xbcr.example", NULL, "[192.0.2.7]" },
	/* Hostile ones. */
	{ "192.0.2.7", "x) by evil.example; Thu, 1 Jan 1970 00:00:00 +0000",
	  NULL, "[192.0.2.7]" },
	{ "192.0.2.7", "x (evil [198.51.100.1])", NULL, "[192.0.2.7]" },
	{ "192.0.2.7", "[198.51.100.1", NULL, "[192.0.2.7]" },
	{ "192.0.2.7", "[IPv6:x]", NULL, "[192.0.2.7]" },
	{ "192.0.2.7", "[x\\]]", NULL, "[192.0.2.7]" },
	{ "192.0.2.7", "((((", NULL, "[192.0.2.7]" },
	{ "192.0.2.7", "\\", NULL, "[192.0.2.7]" },
	{ "192.0.2.7", "\"x\"@y", NULL, "[192.0.2.7]" },
	{ "192.0.2.7", "<x>", NULL, "[192.0.2.7]" },
	{ "192.0.2.7", "x;y", NULL, "[192.0.2.7]" },
	{ "192.0.2.7", "=?utf-8?Q?x=0D=0A?=", NULL, "[192.0.2.7]" },
	{ "192.0.2.7", "%s%n%s", NULL, "[192.0.2.7]" },
	{ "192.0.2.7", "x\r\nBcc: evil@x.example", NULL, "[192.0.2.7]" },
	{ "192.0.2.7", "x\x1b[2J\x7f", NULL, "[192.0.2.7]" },
};

/* The first field on one line. */
static void first_field(const struct play *play, struct buf *line)
{
	struct text stored = buf_text(&play->out);
	size_t len = stored.len - behind_received(play).len;

	rfc5322_unfold(line, text_make(stored.data, len - 2));
	for (size_t i = 0, begin = 0; i < len; i++)
		if (stored.data[i] == '\n') {
			assert_true(i - begin <= 998);
			begin = i + 1;
		}
}

static void assert_received(size_t i, const struct play *play)
{
	struct buf line = BUF_INIT(ROOM);
	char id[MESSAGE_ID_TEXT], *want;
	regex_t pattern;

	first_field(play, &line);
	assert_int_equal(regcomp(&pattern, RECEIVED, REG_EXTENDED), 0);
	if (regexec(&pattern, buf_string(&line), 0, NULL, 0) != 0)
		fail_msg("%s: %s", peers[i].helo, buf_string(&line));
	regfree(&pattern);
	want = xasprintf(" with ESMTP id %s; " DATE_UTC,
	                 message_id_print(play->envelope->id, id));
	if (strstr(buf_string(&line), want) == NULL)
		fail_msg("%s lacks %s", buf_string(&line), want);
	free(want);
	assert_non_null(strstr(buf_string(&line), " by " HOST " "));
	want = xasprintf("from %s (", peers[i].from ? peers[i].from : "");
	if (peers[i].from && strstr(buf_string(&line), want) == NULL)
		fail_msg("%s lacks %s", buf_string(&line), want);
	free(want);
	if (peers[i].literal && !strstr(buf_string(&line), peers[i].literal))
		fail_msg("%s lacks %s", buf_string(&line), peers[i].literal);
	buf_free(&line);
}

static void test_received_is_first_and_as_rfc_5321_wants_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(peers); i++) {
		struct play play;

		play_begin(&play, peers[i].client, peers[i].helo);
		push(&play, TEXT(GOOD "\r\nx\r\n"));
		play_finish(&play);
		assert_received(i, &play);
		assert_bytes("the rest", behind_received(&play),
		             TEXT(GOOD "\r\nx\r\n"));
		play_free(&play);
	}
}

static void test_a_helo_name_without_end(void **state)
{
	static const char *const marks[] = { "x", "a.", "(", "\xff", " " };
	char helo[2001];

	(void)state;
	for (size_t i = 0; i < COUNT(marks); i++) {
		struct buf line = BUF_INIT(ROOM);
		struct play play;

		for (size_t k = 0; k < 2000; k++)
			helo[k] = marks[i][k % strlen(marks[i])];
		helo[2000] = '\0';
		play_begin(&play, "192.0.2.7", helo);
		push(&play, TEXT(GOOD "\r\nx\r\n"));
		play_finish(&play);
		first_field(&play, &line);
		assert_true(text_starts(buf_text(&line), "Received: from "));
		assert_non_null(strstr(buf_string(&line), "[192.0.2.7]"));
		buf_free(&line);
		play_free(&play);
	}
}

/* What was told for the log. */
static const struct {
	const char *header, *from, *subject, *id;
} captures[] = {
	{ GOOD, "scan@scanner.example", "Scan 1", "<1@scanner.example>" },
	{ "From: \"Doe, John\" <j@d.example>, k@l.example\r\n"
	  "Subject:\r\n Scan\r\n\tof  today \r\nMessage-ID:\r\n <a@b>\r\n",
	  "j@d.example", "Scan of  today", "<a@b>" },
	{ "From: a@b.example\r\nFrom: c@d.example\r\nSubject: one\r\n"
	  "Subject: two\r\nMessage-ID: <1@x>\r\nMessage-ID: <2@x>\r\n",
	  "a@b.example", "one", "<1@x>" },
	{ "Message-ID: <1@x> (of ours)\r\n", OUR_FROM, NULL, "<1@x>" },
	{ "From: nobody\r\nSubject:\r\nMessage-ID: <1@x>\r\n", "nobody", "",
	  "<1@x>" },
	{ "From: A <nobody>\r\nMessage-ID: <1@x>\r\n", "nobody", NULL,
	  "<1@x>" },
	{ "From: NOBODY\r\nMessage-ID: <1@x>\r\n", OUR_FROM, NULL, "<1@x>" },
	{ "From: Doe, J. <j@d.example>\r\nMessage-ID: <1@x>\r\n",
	  "j@d.example", NULL, "<1@x>" },
	{ "From: all: a@b.example, c@d.example;\r\nMessage-ID: <1@x>\r\n",
	  "a@b.example", NULL, "<1@x>" },
	{ A_FROM "Subject: =?UTF-8?Q?J=C3=BCrgen?=\r\nMessage-ID: <1@x>\r\n",
	  "a@b.example", "=?UTF-8?Q?J=C3=BCrgen?=", "<1@x>" },
	{ A_FROM "Subject: gr\xc3\xbc\xc3\x9f" "e\r\nMessage-ID: <1@x>\r\n",
	  "a@b.example", "gr\xc3\xbc\xc3\x9f" "e", "<1@x>" },
	{ A_FROM "Subject: gr\xfc\xdf" "e\r\nMessage-ID: <1@x>\r\n",
	  "a@b.example", "gr\xc3\xbc\xc3\x9f" "e", "<1@x>" },
};

static void test_from_subject_and_id_are_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(captures); i++) {
		char *content = xasprintf("%s\r\nFrom: x@y.example\r\n",
		                          captures[i].header);
		struct play play = take_in(text_of(content));
		const char *subject = play.envelope->subject;

		assert_same(content, play.envelope->header_from,
		            captures[i].from);
		/* An empty one may as well be none. */
		assert_same(content, subject && *subject ? subject : NULL,
		            captures[i].subject && *captures[i].subject
		                    ? captures[i].subject : NULL);
		assert_same(content, play.envelope->header_id, captures[i].id);
		play_free(&play);
		free(content);
	}
}

static void assert_presentable(const char *string, size_t max)
{
	if (string == NULL)
		return;
	assert_true(strlen(string) <= max);
	assert_false(smtp_has_control(text_of(string)));
}

/* Strings of an envelope hold no control characters and have their bounds. */
static void test_hostile_values_are_tamed(void **state)
{
	static const struct text values[] = {
		BYTES("x\x1b[2Jy\x07\x08\x7f"), BYTES("a\0b"), BYTES("\r"),
		BYTES("a\rb\nc"), BYTES("\t\t"), BYTES("a\r\n\tb\r\n \tc"),
		BYTES("<a\x01@b.example>"), BYTES("<\"a\tb\"@b.example>"),
		BYTES("\xff\xfe"), BYTES("<a@b.example>\0<c@d.example>"),
	};

	(void)state;
	for (size_t i = 0; i < COUNT(values); i++) {
		static const char *const names[] = { "From: ", "\r\nSubject: ",
			                             "\r\nMessage-ID: " };
		struct buf content = BUF_INIT(ROOM);
		struct play play;

		for (size_t k = 0; k < COUNT(names); k++) {
			buf_puts(&content, names[k]);
			buf_text_append(&content, values[i]);
		}
		buf_puts(&content, "\r\n\r\nbody\r\n");
		play = take_in(buf_text(&content));
		assert_true(play.finished);
		assert_presentable(play.envelope->subject, 200);
		assert_presentable(play.envelope->header_from, 1000);
		assert_presentable(play.envelope->header_id, 1000);
		play_free(&play);
		buf_free(&content);
	}
}

static void append_many(struct buf *out, const char *string, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_puts(out, string);
}

static void test_long_values_are_cut(void **state)
{
	static const char *const pieces[] = { "a", "\xc3\xa4", "\xf0\x9f\x98\x80",
		                              " ", "\r\n x", "\xff", "(" };

	(void)state;
	for (size_t i = 0; i < COUNT(pieces); i++) {
		struct buf content = BUF_INIT(ROOM);
		struct play play;

		buf_puts(&content, "Subject: b");
		append_many(&content, pieces[i], 20000);
		buf_puts(&content, "\r\nFrom: ");
		append_many(&content, pieces[i], 20000);
		buf_puts(&content, "@b.example\r\nMessage-ID: <");
		append_many(&content, pieces[i], 20000);
		buf_puts(&content, "@x>\r\n\r\nbody\r\n");
		play = take_in(buf_text(&content));
		/* Comments that deep are refused. */
		assert_int_equal(play.finished, strcmp(pieces[i], "(") != 0);
		assert_presentable(play.envelope->subject, 200);
		assert_presentable(play.envelope->header_from, 2000);
		assert_presentable(play.envelope->header_id, 2000);
		/* No character is cut in two. */
		if (utf8_is_valid(text_of(pieces[i])))
			assert_true(utf8_is_valid(
				text_of(play.envelope->subject)));
		play_free(&play);
		buf_free(&content);
	}
}

static void test_ids_are_made_for_each_message(void **state)
{
	struct play one = take_in(TEXT("From: a@b.example\r\n\r\nx\r\n"));
	struct play two;

	(void)state;
	assert_true(text_glob(TEXT("<*@" HOST ">"),
	                      text_of(one.envelope->header_id)));
	play_begin(&two, "192.0.2.7", "scanner.example");
	two.envelope->id++;
	push(&two, TEXT("From: a@b.example\r\n\r\nx\r\n"));
	play_finish(&two);
	assert_string_not_equal(one.envelope->header_id,
	                        two.envelope->header_id);
	play_free(&one);
	play_free(&two);
}

static const struct {
	int64_t now_ms;
	int offset_minutes;
	const char *date;
} dates[] = {
	{ NOW_MS, 0, DATE_UTC },
	{ NOW_MS, 60, "Sat, 21 Nov 2026 03:40:55 +0100" },
	{ NOW_MS, -210, "Fri, 20 Nov 2026 23:10:55 -0330" },
	{ NOW_MS, 345, "Sat, 21 Nov 2026 08:25:55 +0545" },
	{ 951782400999, 0, "Tue, 29 Feb 2000 00:00:00 +0000" },
	{ 0, 0, "Thu, 01 Jan 1970 00:00:00 +0000" },
};

static void test_dates_are_of_the_local_time_zone(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(dates); i++) {
		struct play play;
		struct intake_settings settings = {
			.hostname = HOST,
			.protocol = "SMTP",
			.now_ms = dates[i].now_ms,
			.offset_minutes = dates[i].offset_minutes,
			.emit = emit,
			.ctx = &play,
		};
		struct buf line = BUF_INIT(ROOM);
		char *date = xasprintf("Date: %s\r\n", dates[i].date);

		play = (struct play){ .out = BUF_INIT(ROOM), .pushed = true };
		play.envelope = envelope_from("192.0.2.7", "scanner");
		play.intake = intake_new(&settings, play.envelope);
		push(&play, TEXT("From: a@b.example\r\n\r\n"));
		play_finish(&play);
		first_field(&play, &line);
		assert_non_null(strstr(buf_string(&line), " with SMTP id "));
		assert_non_null(strstr(buf_string(&line), dates[i].date));
		assert_non_null(strstr(buf_string(&play.out), date));
		play_free(&play);
		buf_free(&line);
		free(date);
	}
}

/* Bodies have no limit here, and not a byte of theirs changes. */
static void test_a_body_of_all_bytes(void **state)
{
	struct buf body = BUF_INIT(ROOM);
	struct play play;

	(void)state;
	for (unsigned i = 0; i < 3 * 1024 * 1024; i++)
		buf_putc(&body, (char)(i * 2654435761u >> 24));
	play_begin(&play, "192.0.2.7", "scanner.example");
	push(&play, TEXT(GOOD "\r\n"));
	for (struct text rest = buf_text(&body); rest.len > 0;) {
		size_t len = rest.len < 4099 ? rest.len : 4099;

		push(&play, text_make(rest.data, len));
		rest = text_skip(rest, len);
	}
	play_finish(&play);
	assert_true(play.finished);
	assert_true(text_equal(text_skip(buf_text(&play.out),
	                                 play.envelope->header_size),
	                       buf_text(&body)));
	play_free(&play);
	buf_free(&body);
}

/* What the body needs is told with the header that is stored. */
static void test_the_content_is_told(void **state)
{
	static const struct {
		struct text content;
		bool has_8bit, is_undeclared, has_plan;
	} contents[] = {
		{ BYTES(GOOD "\r\nplain\r\n"), false, false, false },
		{ BYTES(GOOD "\r\ngr\xfcn\r\n"), true, true, true },
		{ BYTES(GOOD "MIME-Version: 1.0\r\n"
		        "Content-Type: text/plain; charset=utf-8\r\n"
		        "Content-Transfer-Encoding: 8bit\r\n\r\ngr\xc3\xbcn\r\n"),
		  true, false, true },
		/* The first of two is what counts. */
		{ BYTES(GOOD "MIME-Version: 1.0\r\n"
		        "Content-Type: text/plain\r\n"
		        "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
		        "--b\r\n\r\nx\r\n--b--\r\n"), false, false, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(contents); i++) {
		const struct mime_facts *facts;
		struct play play;

		play_begin(&play, "192.0.2.7", "scanner.example");
		push(&play, contents[i].content);
		assert_true(intake_finish(play.intake));
		facts = intake_content(play.intake);
		assert_int_equal(facts->has_8bit, contents[i].has_8bit);
		assert_int_equal(facts->is_undeclared,
		                 contents[i].is_undeclared);
		assert_int_equal(play.envelope->has_8bit, facts->has_8bit);
		assert_int_equal(play.envelope->content != NULL,
		                 contents[i].has_plan);
		intake_free(&play.intake);
		play_free(&play);
	}
}

static void test_repairs_have_words(void **state)
{
	(void)state;
	for (unsigned i = 0; i < INTAKE_REPAIRS; i++)
		assert_true(strlen(intake_repair_text(i)) > 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_received_is_first_and_as_rfc_5321_wants_it),
		cmocka_unit_test(test_a_helo_name_without_end),
		cmocka_unit_test(test_from_subject_and_id_are_told),
		cmocka_unit_test(test_hostile_values_are_tamed),
		cmocka_unit_test(test_long_values_are_cut),
		cmocka_unit_test(test_ids_are_made_for_each_message),
		cmocka_unit_test(test_dates_are_of_the_local_time_zone),
		cmocka_unit_test(test_a_body_of_all_bytes),
		cmocka_unit_test(test_the_content_is_told),
		cmocka_unit_test(test_repairs_have_words),
	};

	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
