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
#include "proto/smtp_data.h"
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
	"To: a@b.example\r\n"                          \
	"Subject: Scan 1\r\n"

/* Parts of one, for what is wrong with another. */
#define A_DATE "Date: Fri, 20 Nov 2026 12:00:00 +0100\r\n"
#define AN_ID "Message-ID: <1@x>\r\n"
#define A_FROM "From: a@b.example\r\n"
#define A_TO "To: a@b.example\r\n"
#define OUR_FROM "relay@contoso.com"

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
		                            .charset = "windows-1252",
		                            .from = OUR_FROM,
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

static void fill(struct buf *out, const char *line, size_t len)
{
	while (buf_len(out) + strlen(line) <= len)
		buf_puts(out, line);
}

/* How a header ends that begins like this and goes on for len octets. */
static const char *refusal_of(const char *start, const char *line, size_t len)
{
	struct buf content = BUF_INIT(ROOM);
	const char *error;
	struct play play;
	size_t emitted;

	buf_puts(&content, start);
	fill(&content, line, len - 2);
	buf_puts(&content, "\r\n\r\n");
	play_begin(&play, "192.0.2.7", "scanner.example");
	guarded_feed(buf_text(&content), 0, push, &play);
	emitted = buf_len(&play.out);
	push(&play, TEXT("body\r\n"));
	if (!play.pushed) /* and nothing more comes out */
		assert_int_equal(buf_len(&play.out), emitted);
	error = intake_error(play.intake);
	assert_int_equal(error == NULL, play.pushed);
	play_finish(&play);
	assert_int_equal(play.finished, play.pushed);
	buf_free(&content);
	play_free(&play);
	return error;
}

enum { KB = 1024, MB = 1024 * 1024 };

static const struct {
	const char *name, *start, *line;
	size_t len;
	const char *error; /* a word of it; NULL: taken */
} bombs[] = {
	{ "many long fields", GOOD,
	  "X: 0123456789012345678901234567890123456789012345678901234567890123"
	  "45678901234567890123456789012345678901234567890123456789012345678901"
	  "23456789012345678901234567890123456789012345678901234567890123456789"
	  "01234567890123456789012345678901234567890123456789012345678901234567"
	  "89012345678901234567890123456789012345678901234567890123456789012345"
	  "67890123456789012345678901234567890123456789012345678901234567890123"
	  "45678901234567890123456789012345678901234567890123456789012345678901"
	  "234567890123456789012345678901234567890123456789012345678901234567\r\n",
	  1000 * KB, NULL },
	{ "more than a megabyte", GOOD "X: y\r\n", " folded\r\n", MB + 2000,
	  "megabyte" },
	{ "a line of a megabyte", GOOD "X: ", "xxxxxxxx", 1000 * KB, "256 KiB" },
	{ "a line of two megabytes", GOOD "X: ", "xxxxxxxx", 2 * MB,
	  "megabyte" },
	{ "endless folding", GOOD "X: y\r\n", " folded\r\n", 900 * KB,
	  "256 KiB" },
	{ "a long field", GOOD "X: y\r\n", " folded\r\n", 250 * KB, NULL },
	{ "many fields", GOOD, "X: y\r\n", 6 * 1990, NULL },
	{ "too many fields", GOOD, "X: y\r\n", 6 * 2100, "2000 fields" },
	{ "100,000 fields", GOOD, "X: y\r\n", 600 * 1000, "2000 fields" },
	{ "repeated fields", GOOD, "Subject: a\r\n", 900 * KB, "2000 fields" },
	{ "dropped fields", GOOD, "Bcc: a@b.example\r\n", 900 * KB,
	  "2000 fields" },
	{ "10,000 comments", "From: ", "(", 10000, "nest" },
	{ "10,000 comments in To", "To: a@b.example ", "(a)(", 40000, "nest" },
	{ "comments in what is no list", "Subject: ", "(", 10000, NULL },
	{ "comments in a row", "To: a@b.example ", "(a)", 30000, NULL },
	{ "10,000 recipients", "To: ", "a@b.example, ", 130000, NULL },
	{ "10,000 recipients with semicolons", "To: ", "a@b.example;", 120000,
	  NULL },
	{ "8-bit text that grows", GOOD "X: ", "\xe4 a ", 250 * KB, NULL },
};

static void test_header_bombs(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bombs); i++) {
		const char *error = refusal_of(bombs[i].start, bombs[i].line,
		                               bombs[i].len);

		if ((error == NULL) != (bombs[i].error == NULL) ||
		    (error != NULL && strstr(error, bombs[i].error) == NULL))
			fail_msg("%s: %s", bombs[i].name, error);
	}
}

/* What grows by being mended has its limit, too. */
static void test_a_header_that_grows_is_refused(void **state)
{
	struct buf content = BUF_INIT(ROOM);
	struct play play;

	(void)state;
	for (int i = 0; i < 7; i++) {
		buf_printf(&content, "X-%d:", i);
		fill(&content, " \xe4 a", (size_t)(i + 1) * 140 * KB);
		buf_puts(&content, "\r\n");
	}
	play = take_in(buf_text(&content));
	assert_false(play.finished);
	assert_true(buf_len(&play.out) < 4 * MB);
	play_free(&play);
	buf_free(&content);
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
		cmocka_unit_test(test_header_bombs),
		cmocka_unit_test(test_a_header_that_grows_is_refused),
		cmocka_unit_test(test_no_address_to_put_into_from),
		cmocka_unit_test(test_taken_in_again),
		cmocka_unit_test(test_from_the_wire),
		cmocka_unit_test(test_a_field_without_end_is_refused),
		cmocka_unit_test(test_a_body_of_all_bytes),
		cmocka_unit_test(test_the_content_is_told),
		cmocka_unit_test(test_repairs_have_words),
	};

	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
