#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "proto/smtp_data.h"
#include "tests/relay/intake_play.h"

#define REPAIR(name) INTAKE_REPAIR(name)
#define NO_HEADER                                                     \
	(REPAIR(DATE) | REPAIR(MESSAGE_ID) | REPAIR(FROM_ADDED) | REPAIR(TO))
#define ALL_ADDED "{DATE}{ID}From: " OUR_FROM "\r\n{TO}\r\n"

/* DATE, ID and TO stand for the fields that were added. */
static const struct {
	const char *name;
	struct text content;
	struct text header; /* behind Received, DATE and ID in brackets */
	struct text body;
	unsigned repairs;
} cases[] = {
	{ "nothing is missing", BYTES(GOOD "\r\nHello\r\n"),
	  BYTES(GOOD "\r\n"), BYTES("Hello\r\n"), 0 },
	{ "no body", BYTES(GOOD "\r\n"), BYTES(GOOD "\r\n"), BYTES(""), 0 },
	/* Q59 */
	{ "Date is missing",
	  BYTES(AN_ID A_FROM A_TO "\r\nx\r\n"),
	  BYTES(AN_ID A_FROM A_TO "{DATE}\r\n"),
	  BYTES("x\r\n"), REPAIR(DATE) },
	{ "Message-ID is missing",
	  BYTES(A_DATE A_FROM A_TO "\r\nx\r\n"),
	  BYTES(A_DATE A_FROM A_TO "{ID}\r\n"),
	  BYTES("x\r\n"), REPAIR(MESSAGE_ID) },
	{ "both are missing", BYTES(A_FROM A_TO "\r\n"),
	  BYTES(A_FROM A_TO "{DATE}{ID}\r\n"), BYTES(""),
	  REPAIR(DATE) | REPAIR(MESSAGE_ID) },
	{ "From is missing",
	  BYTES(A_DATE AN_ID A_TO "\r\nx\r\n"),
	  BYTES(A_DATE AN_ID A_TO "From: " OUR_FROM "\r\n\r\n"),
	  BYTES("x\r\n"), REPAIR(FROM_ADDED) },
	{ "in any case", BYTES("date: Fri, 20 Nov 2026 12:00:00 +0100\r\n"
	                       "MESSAGE-id:<1@x>\r\nFROM:a@b.example\r\n"
	                       "tO:a@b.example\r\n\r\n"),
	  BYTES("date: Fri, 20 Nov 2026 12:00:00 +0100\r\n"
	        "MESSAGE-id:<1@x>\r\nFROM:a@b.example\r\n"
	        "tO:a@b.example\r\n\r\n"), BYTES(""), 0 },
	/* The empty line. */
	{ "text right behind the header", BYTES(GOOD "Hello world\r\nBye\r\n"),
	  BYTES(GOOD "\r\n"), BYTES("Hello world\r\nBye\r\n"), REPAIR(HEADER) },
	{ "a header that just ends", BYTES(GOOD), BYTES(GOOD "\r\n"), BYTES(""),
	  REPAIR(HEADER) },
	/* No header at all, Q58. */
	{ "text alone", BYTES("Hello\r\nworld\r\n"), BYTES(ALL_ADDED),
	  BYTES("Hello\r\nworld\r\n"), NO_HEADER | REPAIR(HEADER) },
	{ "an empty line, then text", BYTES("\r\nHello\r\n"),
	  BYTES(ALL_ADDED), BYTES("Hello\r\n"), NO_HEADER },
	{ "a line of blanks, then text", BYTES("  \r\nHello: x\r\n"),
	  BYTES(ALL_ADDED), BYTES("  \r\nHello: x\r\n"),
	  NO_HEADER | REPAIR(HEADER) },
	{ "Q58: nothing", BYTES(""), BYTES(ALL_ADDED), BYTES(""),
	  NO_HEADER | REPAIR(HEADER) },
	{ "an empty line", BYTES("\r\n"), BYTES(ALL_ADDED), BYTES(""),
	  NO_HEADER },
	{ "a colon without a name", BYTES(": x\r\n\r\nHello\r\n"),
	  BYTES(ALL_ADDED), BYTES(": x\r\n\r\nHello\r\n"),
	  NO_HEADER | REPAIR(HEADER) },
	{ "a header in the body stays there",
	  BYTES(GOOD "\r\nFrom: x\r\nDate: y\r\n\r\nBcc: z\r\n"),
	  BYTES(GOOD "\r\n"),
	  BYTES("From: x\r\nDate: y\r\n\r\nBcc: z\r\n"), 0 },
	/* Kept as it stands. */
	{ "odd fields",
	  BYTES(GOOD "Received: old\r\n\tfolded\r\nX-Empty:\r\n"
	             "X:\t\r\n y\r\n\r\n.\r\n..\r\n"),
	  BYTES(GOOD "Received: old\r\n\tfolded\r\nX-Empty:\r\n"
	             "X:\t\r\n y\r\n\r\n"),
	  BYTES(".\r\n..\r\n"), 0 },
	{ "a body without a last line end", BYTES(GOOD "\r\nHello"),
	  BYTES(GOOD "\r\n"), BYTES("Hello"), 0 },
	{ "Q69: binary in the body", BYTES(GOOD "\r\n\x01\x1f\xff\xfe\0\x80\r\n"),
	  BYTES(GOOD "\r\n"), BYTES("\x01\x1f\xff\xfe\0\x80\r\n"), 0 },
	/* Q60 */
	{ "Q60: an id without brackets",
	  BYTES(A_DATE "Message-ID: maintenance-16-29-31@x\r\n" A_FROM A_TO
	        "\r\n"),
	  BYTES(A_DATE "{ID}X-Original-Message-ID: maintenance-16-29-31@x\r\n"
	        A_FROM A_TO "\r\n"), BYTES(""), REPAIR(MESSAGE_ID_REPLACED) },
	{ "an id with a space",
	  BYTES(A_DATE "Message-ID: <a b@x>\r\n" A_FROM A_TO "\r\n"),
	  BYTES(A_DATE "{ID}X-Original-Message-ID: <a b@x>\r\n" A_FROM A_TO
	        "\r\n"), BYTES(""), REPAIR(MESSAGE_ID_REPLACED) },
	{ "an id without @",
	  BYTES(A_DATE "Message-ID: <4711>\r\n" A_FROM A_TO "\r\n"),
	  BYTES(A_DATE "{ID}X-Original-Message-ID: <4711>\r\n" A_FROM A_TO
	        "\r\n"), BYTES(""), REPAIR(MESSAGE_ID_REPLACED) },
	{ "an id beyond ASCII",
	  BYTES(A_DATE "Message-ID: <\xe4@x>\r\n" A_FROM A_TO "\r\n"),
	  BYTES(A_DATE "{ID}X-Original-Message-ID: =?UTF-8?B?PMOkQHg+?=\r\n"
	        A_FROM A_TO "\r\n"), BYTES(""), REPAIR(MESSAGE_ID_REPLACED) },
	{ "two ids in one", BYTES(A_DATE "Message-ID: <a@x> <b@x>\r\n" A_FROM
	                          A_TO "\r\n"),
	  BYTES(A_DATE "{ID}X-Original-Message-ID: <a@x> <b@x>\r\n" A_FROM A_TO
	        "\r\n"), BYTES(""), REPAIR(MESSAGE_ID_REPLACED) },
	{ "an empty id", BYTES(A_DATE "Message-ID:\r\n" A_FROM A_TO "\r\n"),
	  BYTES(A_DATE "{ID}" A_FROM A_TO "\r\n"), BYTES(""),
	  REPAIR(MESSAGE_ID_REPLACED) },
	/* Q61 */
	{ "Q61: 1970",
	  BYTES("Date: Thu, 1 Jan 1970 00:00:00 +0000\r\n" AN_ID A_FROM A_TO
	        "\r\n"),
	  BYTES("{DATE}X-Original-Date: Thu, 1 Jan 1970 00:00:00 +0000\r\n"
	        AN_ID A_FROM A_TO "\r\n"), BYTES(""), REPAIR(DATE_REPLACED) },
	{ "2000",
	  BYTES("Date: Sat, 01 Jan 2000 00:12:00 +0100\r\n" AN_ID A_FROM A_TO
	        "\r\n"),
	  BYTES("{DATE}X-Original-Date: Sat, 01 Jan 2000 00:12:00 +0100\r\n"
	        AN_ID A_FROM A_TO "\r\n"), BYTES(""), REPAIR(DATE_REPLACED) },
	{ "more than a day ahead",
	  BYTES("Date: Sun, 22 Nov 2026 02:40:56 +0000\r\n" AN_ID A_FROM A_TO
	        "\r\n"),
	  BYTES("{DATE}X-Original-Date: Sun, 22 Nov 2026 02:40:56 +0000\r\n"
	        AN_ID A_FROM A_TO "\r\n"), BYTES(""), REPAIR(DATE_REPLACED) },
	{ "a day ahead",
	  BYTES("Date: Sun, 22 Nov 2026 02:40:55 +0000\r\n" AN_ID A_FROM A_TO
	        "\r\n"),
	  BYTES("Date: Sun, 22 Nov 2026 02:40:55 +0000\r\n" AN_ID A_FROM A_TO
	        "\r\n"), BYTES(""), 0 },
	{ "a localised date",
	  BYTES("Date: Sa., 21 M\xe4rz 2026 02:20:55 +0100\r\n" AN_ID A_FROM A_TO
	        "\r\n"),
	  BYTES("{DATE}X-Original-Date: Sa., 21 =?UTF-8?B?TcOkcno=?= 2026 "
	        "02:20:55 +0100\r\n" AN_ID A_FROM A_TO "\r\n"), BYTES(""),
	  REPAIR(DATE_REPLACED) },
	{ "a hostile date",
	  BYTES("Date: x\r\n y\x01\r\n Bcc: z\r\n" AN_ID A_FROM A_TO "\r\n"),
	  BYTES("{DATE}X-Original-Date: x y Bcc: z\r\n" AN_ID A_FROM A_TO
	        "\r\n"), BYTES(""), REPAIR(DATE_REPLACED) },
	{ "an empty date", BYTES("Date: \r\n" AN_ID A_FROM A_TO "\r\n"),
	  BYTES("{DATE}" AN_ID A_FROM A_TO "\r\n"), BYTES(""),
	  REPAIR(DATE_REPLACED) },
	{ "two digits and a colon in the zone",
	  BYTES("Date: Fri, 20 Nov 26 12:00:00 +01:00\r\n" AN_ID A_FROM A_TO
	        "\r\n"),
	  BYTES(A_DATE AN_ID A_FROM A_TO "\r\n"), BYTES(""),
	  REPAIR(DATE_FORM) },
	{ "an obsolete zone",
	  BYTES("Date: Fri, 20 Nov 2026 12:00:00 MEZ\r\n" AN_ID A_FROM A_TO
	        "\r\n"),
	  BYTES(A_DATE AN_ID A_FROM A_TO "\r\n"), BYTES(""),
	  REPAIR(DATE_FORM) },
	{ "a signed date stays",
	  BYTES("DKIM-Signature: v=1; h=date\r\n"
	        "Date: Fri, 13 Nov 2026 12:00:00 GMT\r\n" AN_ID A_FROM A_TO
	        "\r\n"),
	  BYTES("DKIM-Signature: v=1; h=date\r\n"
	        "Date: Fri, 13 Nov 2026 12:00:00 GMT\r\n" AN_ID A_FROM A_TO
	        "\r\n"), BYTES(""), 0 },
	/* Q62 */
	{ "Q62: the first stays",
	  BYTES(GOOD "Date: Fri, 20 Nov 2026 13:00:00 +0100\r\n"
	             "from: c@d.example\r\nSubject: 2\r\nTo: c@d.example\r\n"
	             "Message-ID: <2@x>\r\nX: 1\r\nX: 2\r\n\r\nx\r\n"),
	  BYTES(GOOD "X: 1\r\nX: 2\r\n\r\n"), BYTES("x\r\n"),
	  REPAIR(DUPLICATE) },
	{ "every single field",
	  BYTES(GOOD "Sender: a@b.example\r\nSender: c@d.example\r\n"
	             "Reply-To: a@b.example\r\nReply-To: c@d.example\r\n"
	             "Cc: a@b.example\r\nCc: c@d.example\r\n"
	             "In-Reply-To: <1@x>\r\nIn-Reply-To: <2@x>\r\n"
	             "References: <1@x>\r\nReferences: <2@x>\r\n"
	             "MIME-Version: 1.0\r\nMIME-Version: 1.0\r\n"
	             "Content-Type: text/plain\r\nContent-Type: text/html\r\n"
	             "Content-Transfer-Encoding: 7bit\r\n"
	             "Content-Transfer-Encoding: base64\r\n\r\n"),
	  BYTES(GOOD "Sender: a@b.example\r\nReply-To: a@b.example\r\n"
	             "Cc: a@b.example\r\nIn-Reply-To: <1@x>\r\n"
	             "References: <1@x>\r\nMIME-Version: 1.0\r\n"
	             "Content-Type: text/plain\r\n"
	             "Content-Transfer-Encoding: 7bit\r\n\r\n"), BYTES(""),
	  REPAIR(DUPLICATE) },
	{ "an empty one does not count",
	  BYTES(A_DATE AN_ID A_FROM "To: , \r\n" A_TO "Cc:\r\nReply-To: <>\r\n"
	        "\r\n"),
	  BYTES(A_DATE AN_ID A_FROM A_TO "\r\n"), BYTES(""), REPAIR(EMPTY) },
	/* Q64 */
	{ "Q64: a comment alone",
	  BYTES(A_DATE AN_ID "From: root (Cron Daemon)\r\n" A_TO "\r\n"),
	  BYTES(A_DATE AN_ID "From: \"root (Cron Daemon)\" <" OUR_FROM ">\r\n"
	        "X-Original-From: root (Cron Daemon)\r\n" A_TO "\r\n"),
	  BYTES(""), REPAIR(FROM_REPLACED) },
	{ "Q64: a name alone",
	  BYTES(A_DATE AN_ID "From: DAFANG\r\n" A_TO "\r\n"),
	  BYTES(A_DATE AN_ID "From: DAFANG <" OUR_FROM ">\r\n"
	        "X-Original-From: DAFANG\r\n" A_TO "\r\n"),
	  BYTES(""), REPAIR(FROM_REPLACED) },
	{ "Q64: empty brackets",
	  BYTES(A_DATE AN_ID "From: MAILER-DAEMON <>\r\n" A_TO "\r\n"),
	  BYTES(A_DATE AN_ID "From: MAILER-DAEMON <" OUR_FROM ">\r\n"
	        "X-Original-From: MAILER-DAEMON <>\r\n" A_TO "\r\n"),
	  BYTES(""), REPAIR(FROM_REPLACED) },
	{ "Q64: nothing",
	  BYTES(A_DATE AN_ID "From:\r\n" A_TO "\r\n"),
	  BYTES(A_DATE AN_ID "From: " OUR_FROM "\r\n" A_TO "\r\n"),
	  BYTES(""), REPAIR(FROM_REPLACED) },
	{ "a name beyond ASCII",
	  BYTES(A_DATE AN_ID "From: K\xfc" "che\r\n" A_TO "\r\n"),
	  BYTES(A_DATE AN_ID "From: =?UTF-8?B?S8O8Y2hl?= <" OUR_FROM ">\r\n"
	        "X-Original-From: =?UTF-8?B?S8O8Y2hl?=\r\n" A_TO "\r\n"),
	  BYTES(""), REPAIR(FROM_REPLACED) },
	{ "an address beyond ASCII",
	  BYTES(A_DATE AN_ID "From: <k\xfc" "che@x.example>\r\n" A_TO "\r\n"),
	  BYTES(A_DATE AN_ID "From: =?UTF-8?B?a8O8Y2hlQHguZXhhbXBsZQ==?= <"
	        OUR_FROM ">\r\n"
	        "X-Original-From: =?UTF-8?B?PGvDvGNoZUB4LmV4YW1wbGU+?=\r\n" A_TO
	        "\r\n"), BYTES(""), REPAIR(FROM_REPLACED) },
	{ "a hostile From",
	  BYTES(A_DATE AN_ID "From: x\" <\r\n b>, <c\x01\r\n Bcc: d@e>\r\n" A_TO
	        "\r\n"),
	  BYTES(A_DATE AN_ID "From: \"x < b>, <c Bcc: d@e>\" <" OUR_FROM ">\r\n"
	        "X-Original-From: x\" < b>, <c Bcc: d@e>\r\n" A_TO "\r\n"),
	  BYTES(""), REPAIR(FROM_REPLACED) },
	{ "a name that lacks its domain",
	  BYTES(A_DATE AN_ID "From: scanner\r\n" A_TO "\r\n"),
	  BYTES(A_DATE AN_ID "From: scanner\r\n" A_TO "\r\n"), BYTES(""), 0 },
	{ "another",
	  BYTES(A_DATE AN_ID "From: The Scanner <MFP>\r\n" A_TO "\r\n"),
	  BYTES(A_DATE AN_ID "From: The Scanner <MFP>\r\n" A_TO "\r\n"),
	  BYTES(""), 0 },
	{ "a bracket that does not close",
	  BYTES(A_DATE AN_ID "From: scanner[x:\xe4\r\n" A_TO "\r\n"),
	  BYTES(A_DATE AN_ID "From: =?UTF-8?B?c2Nhbm5lclt4OsOk?= <" OUR_FROM
	        ">\r\nX-Original-From: =?UTF-8?B?c2Nhbm5lclt4OsOk?=\r\n" A_TO
	        "\r\n"), BYTES(""), REPAIR(FROM_REPLACED) },
	{ "a comma in the name",
	  BYTES(A_DATE AN_ID "From: Doe, John <j@x.example>\r\n" A_TO "\r\n"),
	  BYTES(A_DATE AN_ID "From: \"Doe, John\" <j@x.example>\r\n"
	        "X-Original-From: Doe, John <j@x.example>\r\n" A_TO "\r\n"),
	  BYTES(""), REPAIR(FROM_FORM) },
	{ "no brackets",
	  BYTES(A_DATE AN_ID "From: My Scanner s@x.example\r\n" A_TO "\r\n"),
	  BYTES(A_DATE AN_ID "From: My Scanner <s@x.example>\r\n"
	        "X-Original-From: My Scanner s@x.example\r\n" A_TO "\r\n"),
	  BYTES(""), REPAIR(FROM_FORM) },
	{ "two who write",
	  BYTES(A_DATE AN_ID "From: a@b.example, C <c@d.example>\r\n" A_TO
	        "\r\n"),
	  BYTES(A_DATE AN_ID "From: a@b.example, C <c@d.example>\r\n" A_TO
	        "\r\n"), BYTES(""), 0 },
	/* To */
	{ "Q59: To is missing", BYTES(A_DATE AN_ID A_FROM "\r\n"),
	  BYTES(A_DATE AN_ID A_FROM "{TO}\r\n"), BYTES(""), REPAIR(TO) },
	{ "To is empty", BYTES(A_DATE AN_ID A_FROM "To: \r\n\r\n"),
	  BYTES(A_DATE AN_ID A_FROM "{TO}\r\n"), BYTES(""),
	  REPAIR(TO) | REPAIR(EMPTY) },
	{ "To says nothing", BYTES(A_DATE AN_ID A_FROM "To: \x05, \"\"\r\n\r\n"),
	  BYTES(A_DATE AN_ID A_FROM "{TO}\r\n"), BYTES(""),
	  REPAIR(TO) | REPAIR(EMPTY) },
	{ "Bcc alone",
	  BYTES(A_DATE AN_ID A_FROM "Bcc: a@b.example,\r\n c@d.example\r\n"
	        "Resent-Bcc: x@y.example\r\n\r\n"),
	  BYTES(A_DATE AN_ID A_FROM "{TO}\r\n"), BYTES(""),
	  REPAIR(TO) | REPAIR(BCC) },
	{ "Cc alone", BYTES(A_DATE AN_ID A_FROM "Cc: a@b.example\r\n\r\n"),
	  BYTES(A_DATE AN_ID A_FROM "Cc: a@b.example\r\n\r\n"), BYTES(""), 0 },
	{ "semicolons",
	  BYTES(A_DATE AN_ID A_FROM "To: a@b.example;c@d.example;\r\n\r\n"),
	  BYTES(A_DATE AN_ID A_FROM "To: a@b.example, c@d.example\r\n\r\n"),
	  BYTES(""), REPAIR(SEMICOLON) },
	{ "Return-Path", BYTES("Return-Path: <a@b.example>\r\n" GOOD "\r\n"),
	  BYTES(GOOD "\r\n"), BYTES(""), REPAIR(RETURN_PATH) },
	/* MIME-Version */
	{ "MIME without its version",
	  BYTES(GOOD "Content-Type: text/plain\r\n\r\nx\r\n"),
	  BYTES(GOOD "Content-Type: text/plain\r\nMIME-Version: 1.0\r\n\r\n"),
	  BYTES("x\r\n"), REPAIR(MIME_VERSION) },
	{ "no MIME", BYTES(GOOD "\r\n\xe4\r\n"), BYTES(GOOD "\r\n"),
	  BYTES("\xe4\r\n"), 0 },
	/* Q65 */
	{ "Q65: raw 8-bit text",
	  BYTES(A_DATE AN_ID "From: \"J\xf6rg\" <a@b.example>\r\n"
	        "To: B\xc3\xbcro <a@b.example>\r\nSubject: f\xfcr\r\n"
	        "MIME-Version: 1.0\r\nContent-Type: application/pdf;\r\n"
	        "\tname=\"\xe4.pdf\"\r\n\r\nx\r\n"),
	  BYTES(A_DATE AN_ID "From: =?UTF-8?B?SsO2cmc=?= <a@b.example>\r\n"
	        "To: =?UTF-8?B?QsO8cm8=?= <a@b.example>\r\n"
	        "Subject: =?UTF-8?B?ZsO8cg==?=\r\n"
	        "MIME-Version: 1.0\r\nContent-Type: application/pdf; "
	        "name*=UTF-8''%C3%A4.pdf\r\n\r\n"), BYTES("x\r\n"),
	  REPAIR(EIGHT_BIT) },
	/* Q68 */
	{ "Q68: a mailbox file's line",
	  BYTES("From root Sat Nov 21 02:20:55 2026\r\n" GOOD "\r\nx\r\n"),
	  BYTES(GOOD "\r\n"), BYTES("x\r\n"), REPAIR(MBOX) },
	{ "Q68: quoted",
	  BYTES(">From root Sat Nov 21 02:20:55 2026\r\n" GOOD "\r\nx\r\n"),
	  BYTES(GOOD "\r\n"), BYTES("x\r\n"), REPAIR(MBOX) },
	{ "Q68: a first line that begins with a space",
	  BYTES(" Subject: x\r\nTo: y\r\n\r\nz\r\n"), BYTES(ALL_ADDED),
	  BYTES(" Subject: x\r\nTo: y\r\n\r\nz\r\n"),
	  NO_HEADER | REPAIR(HEADER) },
	/* What could be read in two ways. */
	{ "blanks before the colon, and between lines",
	  BYTES(A_DATE AN_ID A_FROM "To : a@b.example\r\n"
	        "Subject: a\r\n \r\n b\r\n\r\nx\r\n"),
	  BYTES(A_DATE AN_ID A_FROM "To: a@b.example\r\nSubject: a  b\r\n\r\n"),
	  BYTES("x\r\n"), REPAIR(BLANK) },
	{ "control characters",
	  BYTES(A_DATE AN_ID A_FROM A_TO "X\x7f: y\r\n\r\n"),
	  BYTES(A_DATE AN_ID A_FROM A_TO "\r\n"), BYTES("X\x7f: y\r\n\r\n"),
	  REPAIR(HEADER) },
};

/* "{DATE}", "{ID}" and "{TO}" replaced by the fields. */
static void expect(struct buf *out, struct text header, const char *id)
{
	for (const char *c = header.data; *c != '\0'; c++) {
		if (strncmp(c, "{DATE}", 6) == 0) {
			buf_puts(out, "Date: " DATE_UTC "\r\n");
			c += 5;
		} else if (strncmp(c, "{ID}", 4) == 0) {
			buf_printf(out, "Message-ID: %s\r\n", id);
			c += 3;
		} else if (strncmp(c, "{TO}", 4) == 0) {
			buf_puts(out, "To: undisclosed-recipients:;\r\n");
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
	buf_text_append(&expected, cases[i].body);
	assert_bytes(name, behind_received(play), buf_text(&expected));
	assert_bytes(name, text_skip(stored, play->envelope->header_size),
	             cases[i].body);
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
	assert_same(name, play->envelope->content, whole->envelope->content);
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

/* Without an address of ours it is left to delivery. */
static void test_no_address_to_put_into_from(void **state)
{
	static const char *const headers[] = { "Subject: x\r\n",
		"From: DAFANG\r\n", "From:\r\n" };

	(void)state;
	for (size_t i = 0; i < COUNT(headers); i++) {
		struct play play = { .out = BUF_INIT(ROOM), .pushed = true };
		struct intake_settings settings = { .hostname = HOST,
			.protocol = "SMTP", .now_ms = NOW_MS, .emit = emit,
			.ctx = &play };
		char *content = xasprintf(A_DATE AN_ID A_TO "%s\r\n",
		                          headers[i]);
		char *stored = xasprintf(A_DATE AN_ID A_TO "%s\r\n",
		                         headers[i]);

		play.envelope = envelope_from("192.0.2.7", "scanner");
		play.intake = intake_new(&settings, play.envelope);
		push(&play, text_of(content));
		play_finish(&play);
		assert_bytes("stored", behind_received(&play),
		             text_of(stored));
		assert_null(play.envelope->header_from);
		assert_int_equal(play.repairs, i == 0 ? REPAIR(FROM) : 0);
		play_free(&play);
		free(stored);
		free(content);
	}
}

/* What was stored needs nothing when it comes again. */
static void test_taken_in_again(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct play first = take_in(cases[i].content);
		struct play second = take_in(buf_text(&first.out));

		assert_bytes(cases[i].name, behind_received(&second),
		             buf_text(&first.out));
		if (second.repairs != 0)
			fail_msg("%s: again %x", cases[i].name,
			         second.repairs);
		assert_same(cases[i].name, first.envelope->header_from,
		            second.envelope->header_from);
		assert_same(cases[i].name, first.envelope->header_id,
		            second.envelope->header_id);
		play_free(&first);
		play_free(&second);
	}
}

/* As a device sends it: through the reader of mail data. */
static const struct {
	const char *name;
	struct text wire, stored;
} wires[] = {
	{ "Q53: bare LF",
	  BYTES(A_DATE "Message-ID: <1@x>\nFrom: a@b.example\nTo: a@b.example\n"
	        "\nHello\nworld\n\r\n.\r\n"),
	  BYTES(A_DATE AN_ID A_FROM A_TO "\r\nHello\r\nworld\r\n\r\n") },
	{ "Q55: CR CR LF",
	  BYTES("Date: Fri, 20 Nov 2026 12:00:00 +0100\r\r\n"
	        "Message-ID: <1@x>\r\r\nFrom: a@b.example\r\r\n"
	        "To: a@b.example\r\r\n\r\r\nHello\r\r\n\r\n.\r\n"),
	  BYTES(A_DATE AN_ID A_FROM A_TO "\r\nHello\r\n\r\n") },
	{ "Q57: dots", BYTES(A_DATE AN_ID A_FROM A_TO "\r\n..\r\n...x\r\n.\r\n"),
	  BYTES(A_DATE AN_ID A_FROM A_TO "\r\n.\r\n..x\r\n") },
	{ "Q58: no line end at the end",
	  BYTES(A_DATE AN_ID A_FROM A_TO "\r\nHello\n.\r\n\r\n.\r\n"),
	  BYTES(A_DATE AN_ID A_FROM A_TO "\r\nHello\r\n.\r\n\r\n") },
};

/* Mail data being read, and taken in. */
struct wire {
	struct smtp_data_reader reader;
	struct play play;
	int result;
};

static void read_data(void *ctx, struct text input)
{
	struct wire *wire = ctx;
	struct text piece;

	do {
		wire->result = smtp_data_read(&wire->reader, &input, &piece);
		if (wire->result > 0)
			push(&wire->play, piece);
	} while (wire->result > 0);
}

static void test_from_the_wire(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(wires); i++)
		for (size_t way = 0; way < guarded_ways(wires[i].wire);
		     way++) {
			struct wire wire;

			play_begin(&wire.play, "192.0.2.7", "scanner.example");
			smtp_data_reader_init(&wire.reader);
			guarded_feed(wires[i].wire, way, read_data, &wire);
			assert_int_equal(wire.result, -1);
			play_finish(&wire.play);
			assert_bytes(wires[i].name,
			             behind_received(&wire.play),
			             wires[i].stored);
			play_free(&wire.play);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_missing_is_added),
		cmocka_unit_test(test_split_at_every_byte),
		cmocka_unit_test(test_no_address_to_put_into_from),
		cmocka_unit_test(test_taken_in_again),
		cmocka_unit_test(test_from_the_wire),
	};

	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
