#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/dsn.h"
#include "proto/plain.h"
#include "proto/rfc5322.h"
#include "tests/support/bytes.h"

static const char *const to[] = { "boss@example.com", "scan@example.com" };

static struct dsn_letter letter(const char *text)
{
	return (struct dsn_letter){
		.from_name = "lanpost",
		.from = "relay@contoso.com",
		.to = to,
		.n_to = 1,
		.subject = "Not delivered: Scan (to gone@example.net)",
		.id = "0ABCDEFGH1234",
		.hostname = "relay.example",
		.about = "<1@scanner>",
		.auto_submitted = "auto-replied",
		.seconds = 1800000000,
		.offset_minutes = 60,
		.text = text,
	};
}

static const struct dsn_recipient gone = {
	.address = "gone@example.net",
	.status = { 5, 1, 1 },
	.host = "smtp.example.net",
	.reply = "550 5.1.1 User unknown",
	.attempt_seconds = 1799999990,
};

static struct dsn_report report(const struct dsn_recipient *recipients,
				size_t n, const char *header)
{
	return (struct dsn_report){
		.id = "0AAAAAAAAAAAA",
		.arrival_seconds = 1799999000,
		.recipients = recipients,
		.n_recipients = n,
		.header = text_of(header),
	};
}

static struct buf printed(const struct dsn_letter *l, const struct dsn_report *r)
{
	struct buf out = BUF_INIT(16 * 1024 * 1024);

	assert_true(dsn_print(&out, l, r));
	return out;
}

static void assert_has(struct buf *out, const char *words)
{
	if (strstr(buf_string(out), words) == NULL)
		fail_msg("\"%s\" is not in\n%s", words, buf_string(out));
}

static void assert_lacks(struct buf *out, const char *words)
{
	if (strstr(buf_string(out), words) != NULL)
		fail_msg("\"%s\" is in\n%s", words, buf_string(out));
}

/* 7-bit, CRLF alone, no line too long. */
static void assert_fit(struct buf *out)
{
	struct text text = buf_text(out);
	size_t column = 0;

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		assert_true((c >= ' ' && c < 127) || c == '\t' || c == '\r' ||
			    c == '\n');
		if (c == '\n')
			assert_true(i > 0 && text.data[i - 1] == '\r');
		if (c == '\r')
			assert_true(i + 1 < text.len &&
				    text.data[i + 1] == '\n');
		column = c == '\n' ? 0 : column + 1;
		assert_true(column <= 999); /* the CR, too */
	}
	assert_true(text.len > 2 && text.data[text.len - 1] == '\n');
}

/* How many lines begin like this. */
static size_t lines_with(struct buf *out, const char *prefix)
{
	struct text rest = buf_text(out), line;
	size_t n = 0;

	while (text_token(&rest, '\n', &line))
		n += text_starts(line, prefix);
	return n;
}

/* --- the message --------------------------------------------------------- */

static const char expected[] =
	"Date: Fri, 15 Jan 2027 09:00:00 +0100\r\n"
	"From: lanpost <relay@contoso.com>\r\n"
	"To: boss@example.com\r\n"
	"Subject: Not delivered: Scan (to gone@example.net)\r\n"
	"Message-ID: <0ABCDEFGH1234@relay.example>\r\n"
	"In-Reply-To: <1@scanner>\r\n"
	"References: <1@scanner>\r\n"
	"Auto-Submitted: auto-replied\r\n"
	"MIME-Version: 1.0\r\n"
	"Content-Type: multipart/report; report-type=delivery-status;\r\n"
	"\tboundary=\"lanpost-0ABCDEFGH1234-0\"\r\n"
	"\r\n"
	"--lanpost-0ABCDEFGH1234-0\r\n"
	"Content-Description: Notification\r\n"
	"Content-Type: text/plain; charset=utf-8\r\n"
	"Content-Transfer-Encoding: 7bit\r\n"
	"\r\n"
	"It failed.\r\n"
	"\r\n"
	"Do this.\r\n"
	"\r\n"
	"--lanpost-0ABCDEFGH1234-0\r\n"
	"Content-Description: Delivery report\r\n"
	"Content-Type: message/delivery-status\r\n"
	"\r\n"
	"Reporting-MTA: dns; relay.example\r\n"
	"X-Lanpost-ID: 0AAAAAAAAAAAA\r\n"
	"Arrival-Date: Fri, 15 Jan 2027 08:43:20 +0100\r\n"
	"\r\n"
	"Final-Recipient: rfc822; gone@example.net\r\n"
	"Action: failed\r\n"
	"Status: 5.1.1\r\n"
	"Remote-MTA: dns; smtp.example.net\r\n"
	"Diagnostic-Code: smtp; 550 5.1.1 User unknown\r\n"
	"Last-Attempt-Date: Fri, 15 Jan 2027 08:59:50 +0100\r\n"
	"\r\n"
	"--lanpost-0ABCDEFGH1234-0\r\n"
	"Content-Description: Header of the message\r\n"
	"Content-Type: text/rfc822-headers; charset=utf-8\r\n"
	"Content-Transfer-Encoding: 7bit\r\n"
	"\r\n"
	"From: scan@example.com\r\n"
	"Subject: Scan\r\n"
	"\r\n"
	"--lanpost-0ABCDEFGH1234-0--\r\n";

static void test_a_notice(void **state)
{
	struct dsn_letter l = letter("It failed.\n\nDo this.\n");
	struct dsn_report r = report(
		&gone, 1, "From: scan@example.com\r\nSubject: Scan\r\n\r\n");
	struct buf out = printed(&l, &r), again = printed(&l, &r);

	(void)state;
	assert_string_equal(buf_string(&out), expected);
	assert_string_equal(buf_string(&again), expected);
	buf_free(&out);
	buf_free(&again);
}

static void test_a_letter_alone(void **state)
{
	struct dsn_letter l = letter("All is well.\n");
	struct buf out;

	(void)state;
	l.about = NULL;
	l.n_to = 2;
	out = printed(&l, NULL);
	assert_has(&out, "\r\nTo: boss@example.com, scan@example.com\r\n");
	assert_has(&out, "\r\nMIME-Version: 1.0\r\n"
			 "Content-Type: text/plain; charset=utf-8\r\n"
			 "Content-Transfer-Encoding: 7bit\r\n\r\n"
			 "All is well.\r\n");
	assert_lacks(&out, "References");
	assert_lacks(&out, "multipart");
	buf_free(&out);
}

static void test_what_is_not_known_is_left_out(void **state)
{
	const struct dsn_recipient bare = { .address = "a@b",
					    .status = { 4, 4, 7 } };
	struct dsn_letter l = letter("x\n");
	struct dsn_report r = report(&bare, 1, "");
	struct buf out = printed(&l, &r);

	(void)state;
	assert_has(&out, "\r\n\r\nFinal-Recipient: rfc822; a@b\r\n"
			 "Action: failed\r\nStatus: 4.4.7\r\n\r\n--");
	assert_lacks(&out, "rfc822-headers");
	assert_lacks(&out, "Original-Recipient");
	buf_free(&out);
}

static void test_recipients_are_told_one_by_one(void **state)
{
	struct dsn_recipient many[DSN_RECIPIENTS_MAX + 1];
	struct dsn_letter l = letter("x\n");
	struct dsn_report r = report(many, DSN_RECIPIENTS_MAX + 1, "");
	struct buf out;

	(void)state;
	for (size_t i = 0; i < DSN_RECIPIENTS_MAX + 1; i++)
		many[i] = gone;
	many[1].original = "old@example.net";
	many[1].reply = "connection refused";
	out = printed(&l, &r);
	assert_int_equal(lines_with(&out, "Final-Recipient: "),
			 DSN_RECIPIENTS_MAX);
	assert_int_equal(lines_with(&out, "Original-Recipient: rfc822; old@"),
			 1);
	assert_has(&out, "Diagnostic-Code: x-lanpost; connection refused\r\n");
	assert_fit(&out);
	buf_free(&out);
}

/* --- what comes from outside --------------------------------------------- */

static char *repeated(const char *words, size_t len)
{
	char *all = malloc(len + 1);

	for (size_t i = 0; i < len; i++)
		all[i] = words[i % strlen(words)];
	all[len] = '\0';
	return all;
}

static void test_hostile_reply(void **state)
{
	struct dsn_recipient evil = gone;
	struct dsn_letter l = letter("x\n");
	struct dsn_report r = report(&evil, 1, "");
	char *reply = repeated("550 no\r\n\r\n--lanpost-0ABCDEFGH1234-0\r\n"
			       "Content-Type: text/html\r\n\r\n\x1b[31m\xe4\xff"
			       "\r\nFinal-Recipient: rfc822; x@y\r\n",
			       100 * 1000);
	struct buf out;

	(void)state;
	evil.reply = reply;
	evil.host = "evil\r\nBcc: all@example.com";
	out = printed(&l, &r);
	assert_fit(&out);
	assert_true(buf_len(&out) < 16 * 1024);
	assert_int_equal(lines_with(&out, "Bcc:"), 0);
	assert_int_equal(lines_with(&out, "Content-Type: text/html"), 0);
	assert_int_equal(lines_with(&out, "Final-Recipient:"), 1);
	assert_has(&out, "Remote-MTA: dns; evil Bcc: all@example.com\r\n");
	buf_free(&out);
	free(reply);
}

static void test_hostile_addresses_and_subject(void **state)
{
	const char *const evil_to[] = { "a@b\r\nBcc: c@d" };
	struct dsn_recipient evil = gone;
	struct dsn_letter l = letter("x\n");
	struct dsn_report r = report(&evil, 1, "");
	struct buf out;

	(void)state;
	evil.address = "m\xc3\xbcller@example.net\r\nStatus: 2.0.0";
	l.to = evil_to;
	l.subject = "Not delivered: R\xc3\xa9sum\xc3\xa9\r\nBcc: c@d\r\n\r\nx";
	l.about = "<1@x>\r\nBcc: c@d";
	out = printed(&l, &r);
	assert_fit(&out);
	assert_int_equal(lines_with(&out, "Bcc:"), 0);
	assert_int_equal(lines_with(&out, "Status: 2"), 0);
	assert_lacks(&out, "References");
	assert_has(&out, "\r\nTo: a@b Bcc: c@d\r\n");
	assert_has(&out, "\r\nSubject: Not delivered: =?UTF-8?B?");
	assert_has(&out, "Final-Recipient: rfc822; m??ller@example.net");
	buf_free(&out);
}

static void test_hostile_header(void **state)
{
	struct dsn_letter l = letter("x\n");
	struct dsn_report r = report(
		&gone, 1, "Subject: a\r\n--lanpost-0ABCDEFGH1234-0\r\n"
			  "X: b\nY: c\rZ: \xe4\x01\r\n\r\n");
	struct buf out = printed(&l, &r);

	(void)state;
	assert_fit(&out);
	/* another boundary, since this one is in there; and encoded */
	assert_has(&out, "boundary=\"lanpost-0ABCDEFGH1234-1\"");
	assert_int_equal(lines_with(&out, "--lanpost-0ABCDEFGH1234-1"), 4);
	assert_has(&out, "Content-Type: text/rfc822-headers; charset=utf-8\r\n"
			 "Content-Transfer-Encoding: quoted-printable\r\n");
	assert_has(&out, "X: b=0AY: c=0DZ: =E4=01\r\n");
	buf_free(&out);
}

static void test_text_beyond_ascii(void **state)
{
	struct dsn_letter l = letter("F\xc3\xbcr dich:\n  a\x1b[2J \nb");
	struct buf out = printed(&l, NULL);

	(void)state;
	assert_fit(&out);
	assert_has(&out, "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
			 "F=C3=BCr dich:\r\n  a=1B[2J=20\r\nb\r\n");
	buf_free(&out);
}

/* Whole fields of it, and never the body. */
static void test_a_long_header_is_cut(void **state)
{
	char *field = repeated("x", 3000);
	struct buf header = BUF_INIT(1 << 20), out;
	struct dsn_letter l = letter("x\n");
	struct dsn_report r = report(&gone, 1, "");

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		buf_printf(&header, "X-%u: %.700s\r\n\t%.700s\r\n", i, field,
			   field);
	buf_puts(&header, "\r\n");
	r.header = buf_text(&header);
	out = printed(&l, &r);
	assert_has(&out, "\r\nX-9: ");
	buf_clear(&header);
	for (unsigned i = 0; i < 100; i++)
		buf_printf(&header, "X-%u: %.700s\r\n\t%.700s\r\n", i, field,
			   field);
	r.header = buf_text(&header);
	buf_free(&out);
	out = printed(&l, &r);
	assert_has(&out, "\r\nX-10: ");
	assert_lacks(&out, "\r\nX-11: ");
	assert_int_equal(lines_with(&out, "\txxx"), 11);
	buf_free(&out);
	buf_free(&header);
	free(field);
}

static void test_no_room(void **state)
{
	struct dsn_letter l = letter("x\n");
	struct dsn_report r = report(&gone, 1, "");
	struct buf out = BUF_INIT(1000);
	char *much = repeated("line\n", 100 * 1000);

	(void)state;
	assert_false(dsn_print(&out, &l, &r));
	buf_free(&out);
	buf_init(&out, 64 * 1024);
	l.text = much;
	assert_false(dsn_print(&out, &l, &r));
	buf_free(&out);
	buf_init(&out, 64 * 1024);
	assert_false(dsn_print(&out, &l, NULL));
	buf_free(&out);
	free(much);
}

/* --- codes --------------------------------------------------------------- */

static void test_status(void **state)
{
	static const struct {
		const char *reply;
		bool expired;
		const char *status;
	} rows[] = {
		{ "550 5.1.1 unknown", false, "5.1.1" },
		{ "550 unknown", false, "5.0.0" },
		{ "452 4.2.2 full", false, "4.2.2" },
		{ "452 full", false, "4.0.0" },
		{ "550 4.2.2 which?", false, "5.0.0" },
		{ "550", false, "5.0.0" },
		{ "550 5.1.1", false, "5.1.1" },
		{ "550 5.1.1\nmore", false, "5.1.1" },
		{ "connection refused", false, "5.0.0" },
		{ "", false, "5.0.0" },
		{ NULL, false, "5.0.0" },
		{ "535 5.7.139 disabled", true, "4.4.7" },
		{ NULL, true, "4.4.7" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct smtp_status status =
			dsn_status(rows[i].reply, rows[i].expired);
		char out[16];

		assert_string_equal(smtp_status_string(&status, out),
				    rows[i].status);
	}
}

/* --- plain lines --------------------------------------------------------- */

static void test_plain_lines(void **state)
{
	static const struct {
		const char *from;
		size_t max;
		const char *to;
	} rows[] = {
		{ "as it is", 100, "as it is" },
		{ "  a \t b\r\n c  ", 100, "a b c" },
		{ "\x1b[31mred\x7f\x07", 100, "[31mred" },
		{ "caf\xc3\xa9", 100, "caf\xc3\xa9" },
		{ "caf\xe9", 100, "caf\xc3\xa9" },
		{ "a\xc2\x9b" "31m", 100, "a31m" },
		{ "evil\xe2\x80\xae" "fdp.exe", 100, "evilfdp.exe" },
		{ "a\xe2\x80\xa8" "b\xef\xbb\xbf", 100, "ab" },
		{ "abcdefghij", 10, "abcdefghij" },
		{ "abcdefghijk", 10, "abcdefg..." },
		{ "abcdef\xc3\xa9" "ghijk", 10, "abcdef..." },
		{ "", 10, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *line = plain_dup(rows[i].from, rows[i].max);

		assert_string_equal(line, rows[i].to);
		free(line);
	}
	assert_null(plain_dup(NULL, 10));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_notice),
		cmocka_unit_test(test_a_letter_alone),
		cmocka_unit_test(test_what_is_not_known_is_left_out),
		cmocka_unit_test(test_recipients_are_told_one_by_one),
		cmocka_unit_test(test_hostile_reply),
		cmocka_unit_test(test_hostile_addresses_and_subject),
		cmocka_unit_test(test_hostile_header),
		cmocka_unit_test(test_text_beyond_ascii),
		cmocka_unit_test(test_a_long_header_is_cut),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_plain_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
