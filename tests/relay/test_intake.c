#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "proto/rfc5322.h"
#include "proto/smtp_syntax.h"
#include "proto/utf8.h"
#include "proto/xalloc.h"
#include "relay/inbound/intake.h"
#include "tests/support/bytes.h"
#include "tests/support/guarded.h"

#define HOST "relay.contoso.com"
#define NOW_MS INT64_C(1795228855000) /* Sat, 21 Nov 2026 02:40:55 +0000 */
#define DATE_UTC "Sat, 21 Nov 2026 02:40:55 +0000"

enum { ROOM = 16 * 1024 * 1024 };

/* What is as good as a message needs to be. */
#define GOOD                                            \
	"Date: Fri, 20 Nov 2026 12:00:00 +0100\r\n"     \
	"Message-ID: <1@scanner.example>\r\n"           \
	"From: Scanner <scan@scanner.example>\r\n"      \
	"Subject: Scan 1\r\n"

/* One message taken in. */
struct play {
	struct envelope *envelope;
	struct intake *intake;
	struct buf out;
	bool pushed, finished;
	unsigned repairs;
};

static void emit(void *ctx, const void *data, size_t len)
{
	struct play *play = ctx;

	assert_true(buf_append(&play->out, data, len));
}

static void push(void *ctx, struct text piece)
{
	struct play *play = ctx;

	play->pushed = intake_push(play->intake, piece) && play->pushed;
}

static struct envelope *envelope_from(const char *client, const char *helo)
{
	struct envelope *envelope = envelope_new();

	envelope->id = (message_id)NOW_MS << 20 | 4711;
	envelope->client = xstrdup(client);
	envelope->helo = xstrdup(helo);
	envelope->reverse_path = xstrdup("scan@scanner.example");
	return envelope;
}

static void play_begin(struct play *play, const char *client, const char *helo)
{
	struct intake_settings settings = { .hostname = HOST,
		                            .protocol = "ESMTP",
		                            .now_ms = NOW_MS,
		                            .emit = emit,
		                            .ctx = play };

	memset(play, 0, sizeof(*play));
	play->out = BUF_INIT(ROOM);
	play->pushed = true;
	play->envelope = envelope_from(client, helo);
	play->intake = intake_new(&settings, play->envelope);
}

static void play_finish(struct play *play)
{
	play->finished = play->pushed && intake_finish(play->intake);
	play->repairs = intake_repairs(play->intake);
	intake_free(&play->intake);
	assert_null(play->intake);
}

static void play_free(struct play *play)
{
	envelope_free(&play->envelope);
	buf_free(&play->out);
}

static struct play take_in(struct text content)
{
	struct guarded copy = guarded_copy(content);
	struct play play;

	play_begin(&play, "192.0.2.7", "scanner.example");
	push(&play, copy.text);
	guarded_free(&copy);
	play_finish(&play);
	return play;
}

/* The stored message without the Received field that it must begin with. */
static struct text behind_received(const struct play *play)
{
	struct rfc5322_field field;
	struct rfc5322 reader;
	struct text body, rest;

	rfc5322_init(&reader, ROOM);
	rfc5322_push(&reader, buf_text(&play->out));
	assert_int_equal(rfc5322_next(&reader, &field, &body), RFC5322_FIELD);
	assert_true(rfc5322_field_is(&field, "Received"));
	rest = text_skip(buf_text(&play->out), field.raw.len);
	rfc5322_free(&reader);
	return rest;
}

#define REPAIR(name) INTAKE_REPAIR(name)
#define NO_HEADER (REPAIR(DATE) | REPAIR(MESSAGE_ID) | REPAIR(FROM))

/* DATE and ID stand for the fields that were added. */
static const struct {
	const char *name;
	struct text content;
	struct text header; /* behind Received, DATE and ID in brackets */
	const char *body;
	unsigned repairs;
} cases[] = {
	{ "nothing is missing", BYTES(GOOD "\r\nHello\r\n"),
	  BYTES(GOOD "\r\n"), "Hello\r\n", 0 },
	{ "no body", BYTES(GOOD "\r\n"), BYTES(GOOD "\r\n"), "", 0 },
	{ "Date is missing",
	  BYTES("Message-ID: <1@x>\r\nFrom: a@b.example\r\n\r\nx\r\n"),
	  BYTES("Message-ID: <1@x>\r\nFrom: a@b.example\r\n{DATE}\r\n"),
	  "x\r\n", REPAIR(DATE) },
	{ "Message-ID is missing",
	  BYTES("Date: Fri, 20 Nov 2026 12:00:00 +0100\r\n"
	        "From: a@b.example\r\n\r\nx\r\n"),
	  BYTES("Date: Fri, 20 Nov 2026 12:00:00 +0100\r\n"
	        "From: a@b.example\r\n{ID}\r\n"),
	  "x\r\n", REPAIR(MESSAGE_ID) },
	{ "both are missing", BYTES("From: a@b.example\r\n\r\n"),
	  BYTES("From: a@b.example\r\n{DATE}{ID}\r\n"), "",
	  REPAIR(DATE) | REPAIR(MESSAGE_ID) },
	{ "From is missing",
	  BYTES("Date: Fri, 20 Nov 2026 12:00:00 +0100\r\n"
	        "Message-ID: <1@x>\r\n\r\nx\r\n"),
	  BYTES("Date: Fri, 20 Nov 2026 12:00:00 +0100\r\n"
	        "Message-ID: <1@x>\r\n\r\n"),
	  "x\r\n", REPAIR(FROM) },
	{ "in any case", BYTES("date : x\r\nMESSAGE-id:<1@x>\r\n"
	                       "FROM:a@b.example\r\n\r\n"),
	  BYTES("date : x\r\nMESSAGE-id:<1@x>\r\nFROM:a@b.example\r\n\r\n"),
	  "", 0 },
	/* The empty line. */
	{ "text right behind the header", BYTES(GOOD "Hello world\r\nBye\r\n"),
	  BYTES(GOOD "\r\n"), "Hello world\r\nBye\r\n", REPAIR(HEADER) },
	{ "a header that just ends", BYTES(GOOD), BYTES(GOOD "\r\n"), "",
	  REPAIR(HEADER) },
	/* No header at all. */
	{ "text alone", BYTES("Hello\r\nworld\r\n"), BYTES("{DATE}{ID}\r\n"),
	  "Hello\r\nworld\r\n", NO_HEADER | REPAIR(HEADER) },
	{ "an empty line, then text", BYTES("\r\nHello\r\n"),
	  BYTES("{DATE}{ID}\r\n"), "Hello\r\n", NO_HEADER },
	{ "a line of blanks, then text", BYTES("  \r\nHello: x\r\n"),
	  BYTES("{DATE}{ID}\r\n"), "  \r\nHello: x\r\n",
	  NO_HEADER | REPAIR(HEADER) },
	{ "nothing", BYTES(""), BYTES("{DATE}{ID}\r\n"), "",
	  NO_HEADER | REPAIR(HEADER) },
	{ "an empty line", BYTES("\r\n"), BYTES("{DATE}{ID}\r\n"), "",
	  NO_HEADER },
	{ "a colon without a name", BYTES(": x\r\n\r\nHello\r\n"),
	  BYTES("{DATE}{ID}\r\n"), ": x\r\n\r\nHello\r\n",
	  NO_HEADER | REPAIR(HEADER) },
	{ "a header in the body stays there",
	  BYTES(GOOD "\r\nFrom: x\r\nDate: y\r\n\r\nBcc: z\r\n"),
	  BYTES(GOOD "\r\n"), "From: x\r\nDate: y\r\n\r\nBcc: z\r\n", 0 },
	/* Kept as it stands. */
	{ "odd fields",
	  BYTES(GOOD "Received: old\r\n\tfolded\r\nBcc: a@b.example\r\n"
	             "X-8: \xe4\xff\r\nX :\t\r\n y\r\n\r\n.\r\n..\r\n"),
	  BYTES(GOOD "Received: old\r\n\tfolded\r\nBcc: a@b.example\r\n"
	             "X-8: \xe4\xff\r\nX :\t\r\n y\r\n\r\n"),
	  ".\r\n..\r\n", 0 },
	{ "a body without a last line end", BYTES(GOOD "\r\nHello"),
	  BYTES(GOOD "\r\n"), "Hello", 0 },
};

/* "{DATE}" and "{ID}" replaced by the fields. */
static void expect(struct buf *out, struct text header, const char *id)
{
	for (const char *c = header.data; *c != '\0'; c++) {
		if (strncmp(c, "{DATE}", 6) == 0) {
			buf_puts(out, "Date: " DATE_UTC "\r\n");
			c += 5;
		} else if (strncmp(c, "{ID}", 4) == 0) {
			buf_printf(out, "Message-ID: %s\r\n", id);
			c += 3;
		} else {
			buf_putc(out, *c);
		}
	}
}

static void assert_case(size_t i, const struct play *play)
{
	const char *name = cases[i].name;
	struct text stored = buf_text(&play->out);
	struct buf expected = BUF_INIT(ROOM);

	assert_true(play->finished);
	expect(&expected, cases[i].header, play->envelope->header_id);
	buf_puts(&expected, cases[i].body);
	assert_bytes(name, behind_received(play), buf_text(&expected));
	assert_bytes(name, text_skip(stored, play->envelope->header_size),
	             text_of(cases[i].body));
	if (play->repairs != cases[i].repairs)
		fail_msg("%s: repairs %x, not %x", name, play->repairs,
		         cases[i].repairs);
	buf_free(&expected);
}

static void test_what_is_missing_is_added(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct play play = take_in(cases[i].content);

		assert_case(i, &play);
		play_free(&play);
	}
}

static void assert_same(const char *name, const char *a, const char *b)
{
	if ((a == NULL) != (b == NULL) || (a && strcmp(a, b) != 0))
		fail_msg("%s: %s is not %s", name, a, b);
}

static void assert_equal_plays(const char *name, const struct play *play,
                               const struct play *whole)
{
	assert_int_equal(play->finished, whole->finished);
	assert_int_equal(play->repairs, whole->repairs);
	assert_bytes(name, buf_text(&play->out), buf_text(&whole->out));
	assert_int_equal(play->envelope->header_size,
	                 whole->envelope->header_size);
	assert_same(name, play->envelope->header_from,
	            whole->envelope->header_from);
	assert_same(name, play->envelope->subject, whole->envelope->subject);
	assert_same(name, play->envelope->header_id,
	            whole->envelope->header_id);
}

/* The same message in the same bytes, however it came. */
static void test_split_at_every_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct play whole = take_in(cases[i].content);

		for (size_t way = 0; way < guarded_ways(cases[i].content);
		     way++) {
			struct play play;

			play_begin(&play, "192.0.2.7", "scanner.example");
			guarded_feed(cases[i].content, way, push, &play);
			play_finish(&play);
			assert_equal_plays(cases[i].name, &play, &whole);
			play_free(&play);
		}
		play_free(&whole);
	}
}

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
	{ "Message-ID: <1@x>\r\n", NULL, NULL, "<1@x>" },
	{ "From: nobody\r\nSubject:\r\nMessage-ID: <1@x>\r\n", NULL, "",
	  "<1@x>" },
	{ "Subject: =?UTF-8?Q?J=C3=BCrgen?=\r\nMessage-ID: <1@x>\r\n", NULL,
	  "=?UTF-8?Q?J=C3=BCrgen?=", "<1@x>" },
	{ "Subject: gr\xc3\xbc\xc3\x9f" "e\r\nMessage-ID: <1@x>\r\n", NULL,
	  "gr\xc3\xbc\xc3\x9f" "e", "<1@x>" },
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
		assert_true(play.finished);
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

static void fill(struct buf *out, const char *line, size_t len)
{
	while (buf_len(out) + strlen(line) <= len)
		buf_puts(out, line);
}

/* A header of len octets, its end included, in lines like this one. */
static bool header_of(size_t len, const char *line)
{
	struct buf content = BUF_INIT(ROOM);
	struct play play;
	size_t emitted;
	bool taken;

	buf_puts(&content, GOOD "X-Long: y\r\n");
	fill(&content, line, len - 2);
	buf_puts(&content, "\r\n");
	play_begin(&play, "192.0.2.7", "scanner.example");
	guarded_feed(buf_text(&content), 0, push, &play);
	emitted = buf_len(&play.out);
	push(&play, TEXT("body\r\n"));
	taken = play.pushed;
	if (!taken) /* and nothing more comes out */
		assert_int_equal(buf_len(&play.out), emitted);
	play_finish(&play);
	assert_int_equal(play.finished, taken);
	buf_free(&content);
	play_free(&play);
	return taken;
}

static void test_a_header_has_its_limit(void **state)
{
	static const char *const lines[] = { "X: y\r\n", " folded\r\n",
		                             "Subject: a\r\n",
		                             "From: a@b.example\r\n" };

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		assert_true(header_of(INTAKE_HEADER_MAX - 2000, lines[i]));
		assert_false(header_of(INTAKE_HEADER_MAX + 2000, lines[i]));
	}
}

/* A line without an end is held in memory: no more of it than the limit. */
static void test_a_field_without_end_is_refused(void **state)
{
	static const struct text starts[] = { BYTES("Subject: "),
		                              BYTES("From: <"), BYTES("X:") };

	(void)state;
	for (size_t i = 0; i < COUNT(starts); i++) {
		char piece[4096];
		struct play play;
		size_t pushed = 0;

		memset(piece, 'x', sizeof(piece));
		play_begin(&play, "192.0.2.7", "scanner.example");
		push(&play, starts[i]);
		while (play.pushed && pushed < 3u * INTAKE_HEADER_MAX) {
			push(&play, text_make(piece, sizeof(piece)));
			pushed += sizeof(piece);
		}
		assert_false(play.pushed);
		assert_true(pushed < INTAKE_HEADER_MAX + 2 * sizeof(piece));
		assert_false(intake_push(play.intake, TEXT("\r\n\r\n")));
		assert_false(intake_finish(play.intake));
		play_finish(&play);
		play_free(&play);
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

static void test_repairs_have_words(void **state)
{
	(void)state;
	for (unsigned i = 0; i < INTAKE_REPAIRS; i++)
		assert_true(strlen(intake_repair_text(i)) > 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_missing_is_added),
		cmocka_unit_test(test_split_at_every_byte),
		cmocka_unit_test(
			test_received_is_first_and_as_rfc_5321_wants_it),
		cmocka_unit_test(test_a_helo_name_without_end),
		cmocka_unit_test(test_from_subject_and_id_are_told),
		cmocka_unit_test(test_hostile_values_are_tamed),
		cmocka_unit_test(test_long_values_are_cut),
		cmocka_unit_test(test_ids_are_made_for_each_message),
		cmocka_unit_test(test_dates_are_of_the_local_time_zone),
		cmocka_unit_test(test_a_header_has_its_limit),
		cmocka_unit_test(test_a_field_without_end_is_refused),
		cmocka_unit_test(test_a_body_of_all_bytes),
		cmocka_unit_test(test_repairs_have_words),
	};

	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
