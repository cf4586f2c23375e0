#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/mime_plan.h"
#include "proto/mime_scan.h"
#include "tests/support/bytes.h"
#include "tests/support/guarded.h"
#include "tests/support/mime_play.h"

#define X10(s)  s s s s s s s s s s
#define X100(s) X10(X10(s))
#define LONG    X10(X100("x")) "y" /* 1001 octets */
#define CRLF    "\r\n"
#define TEXT_8  "Content-Type: text/plain; charset=utf-8" CRLF \
		"Content-Transfer-Encoding: 8bit" CRLF
#define MIXED   "Content-Type: multipart/mixed; boundary=b" CRLF

/* The facts: "8" has_8bit, "S" is_signed, "L" is_long, "U" is_undeclared. */
static const struct {
	const char *name;
	struct text message;
	const char *facts, *plan;
} messages[] = {
	{ "nothing", BYTES("A: b" CRLF CRLF), "", NULL },
	{ "plain text", BYTES("A: b" CRLF CRLF "hello" CRLF), "", NULL },
	{ "no MIME, UTF-8", BYTES("A: b" CRLF CRLF "gr\xc3\xbc\xc3\x9f" CRLF),
	  "8U", "0:8U,c=utf-8" },
	{ "no MIME, Latin", BYTES("A: b" CRLF CRLF "gr\xfc\xdf" CRLF),
	  "8U", "0:8U,c=iso-8859-15" },
	{ "no MIME, half a character",
	  BYTES("A: b" CRLF CRLF "gr\xc3" CRLF "\xbc"), "8U",
	  "0:8U,c=iso-8859-15" },
	{ "no MIME, a long line", BYTES("A: b" CRLF CRLF LONG CRLF), "L",
	  "0:L" },
	{ "just short enough",
	  BYTES("A: b" CRLF CRLF X10(X10("xxxxxxxxx")) X10("xxxxxxxxx")
	        "12345678" CRLF), "", NULL },
	{ "an encoding but no type",
	  BYTES("Content-Transfer-Encoding: base64" CRLF CRLF "\xe4" CRLF),
	  "8", "0:8" },
	{ "declared", BYTES(TEXT_8 CRLF "\xc3\xbc" CRLF), "8", "0:8" },
	{ "declared as binary", BYTES("Content-Type: image/png" CRLF
	  "Content-Transfer-Encoding: Binary" CRLF CRLF "\x89PNG" CRLF), "8",
	  "0:L8" },
	{ "a binary label on ASCII", BYTES("Content-Type: image/png" CRLF
	  "Content-Transfer-Encoding: binary" CRLF CRLF "PNG" CRLF), "",
	  NULL },
	{ "base64 in one line", BYTES("Content-Type: image/png" CRLF
	  "Content-Transfer-Encoding: base64" CRLF CRLF LONG), "L", "0:L" },
	{ "uuencode", BYTES("Content-Transfer-Encoding: x-uuencode" CRLF CRLF
	  LONG "\xe4"), "8", NULL },
	{ "two parts", BYTES(MIXED CRLF "--b" CRLF TEXT_8 CRLF "\xc3\xbc" CRLF
	  "--b" CRLF CRLF "x" CRLF "--b--" CRLF), "8", "1:8" },
	{ "labels of containers",
	  BYTES(MIXED "Content-Transfer-Encoding: 8bit" CRLF CRLF "--b" CRLF
	        "Content-Type: multipart/related; boundary=\"c\"" CRLF
	        "Content-Transfer-Encoding: binary" CRLF CRLF
	        "--c" CRLF CRLF "\xe4" CRLF "--c--" CRLF "--b--"), "8",
	  "0:C,1:B,2:8" },
	{ "labels without a reason",
	  BYTES(MIXED "Content-Transfer-Encoding: 8bit" CRLF CRLF "--b" CRLF
	        CRLF "x" CRLF "--b--"), "", NULL },
	{ "preamble and epilogue",
	  BYTES(MIXED CRLF "Gr\xfc\xdf" CRLF "--b" CRLF CRLF "x" CRLF
	        "--b--" CRLF LONG CRLF), "8L", "0:GF" },
	{ "the outer boundary is the inner one's beginning",
	  BYTES(MIXED CRLF "--b" CRLF
	        "Content-Type: multipart/mixed; boundary=bb" CRLF CRLF
	        "--bb" CRLF CRLF "1" CRLF "--bb" CRLF CRLF "\xe4" CRLF
	        "--bb--" CRLF "--b" CRLF CRLF "\xf6" CRLF "--b--"), "8",
	  "3:8,4:8" },
	{ "the inner multipart is not closed",
	  BYTES(MIXED CRLF "--b" CRLF
	        "Content-Type: multipart/mixed; boundary=c" CRLF CRLF
	        "--c" CRLF CRLF "1" CRLF "--b" CRLF CRLF "--c" CRLF CRLF "\xf6"
	        CRLF "--b--"), "8", "3:8" },
	{ "the outer multipart is not closed",
	  BYTES(MIXED CRLF "--b" CRLF CRLF "\xe4" CRLF), "8", "1:8" },
	{ "equal boundaries",
	  BYTES(MIXED CRLF "--b" CRLF MIXED CRLF "--b" CRLF CRLF "\xe4" CRLF
	        "--b--" CRLF "--b" CRLF "\xf6"), "8", "0:F,2:8" },
	{ "a boundary that never comes",
	  BYTES(MIXED CRLF "--c" CRLF CRLF "\xe4" CRLF "--c--"), "8", "0:F" },
	{ "a multipart without a boundary",
	  BYTES("Content-Type: multipart/mixed" CRLF CRLF "--c" CRLF CRLF
	        "\xe4" CRLF LONG), "8", NULL },
	{ "no empty line after the header",
	  BYTES(MIXED CRLF "--b" CRLF "Content-Type: text/plain" CRLF
	        "\xe4" CRLF "--b" CRLF "--b" CRLF "\xf6" CRLF "--b--"), "8",
	  "1:8,3:8" },
	{ "white space behind the boundary",
	  BYTES(MIXED CRLF "--b \t" CRLF CRLF "1" CRLF "--b--  " CRLF "\xe4"),
	  "8", "0:F" },
	{ "no boundary lines",
	  BYTES(MIXED CRLF "--b" CRLF CRLF "--bx" CRLF " --b" CRLF "--b--x"
	        CRLF "-" CRLF "--" CRLF CRLF "\xe4" CRLF "--b--"), "8",
	  "1:8" },
	{ "a message in the message",
	  BYTES(MIXED CRLF "--b" CRLF "Content-Type: message/rfc822" CRLF
	        "Content-Transfer-Encoding: 8bit" CRLF CRLF
	        "Subject: Gr\xfc\xdf" CRLF TEXT_8 CRLF "\xe4" CRLF "--b--"),
	  "8", "1:C,2:8H,c=iso-8859-15" },
	{ "a digest",
	  BYTES("Content-Type: multipart/digest; boundary=b" CRLF CRLF
	        "--b" CRLF CRLF "Subject: x" CRLF CRLF "\xe4" CRLF "--b" CRLF
	        "Content-Type: text/plain" CRLF CRLF "\xe4"), "8",
	  "2:8,3:8" },
	{ "a file name",
	  BYTES(MIXED CRLF "--b" CRLF "Content-Type: application/pdf; name=\""
	        "M\xe4rz.pdf\"" CRLF CRLF "%PDF" CRLF "--b--"), "8",
	  "1:H,c=iso-8859-15" },
	{ "a long line in a part's header",
	  BYTES(MIXED CRLF "--b" CRLF "X-Y: " LONG CRLF CRLF "x" CRLF "--b--"),
	  "L", "1:H,c=iso-8859-15" },
	{ "S/MIME", BYTES("Content-Type: multipart/signed; boundary=b" CRLF CRLF
	  "--b" CRLF CRLF "\xe4" LONG CRLF "--b--"), "8S", NULL },
	{ "S/MIME in a part",
	  BYTES(MIXED CRLF "--b" CRLF
	        "Content-Type: multipart/signed; boundary=c" CRLF CRLF
	        "--c" CRLF CRLF "\xe4" LONG CRLF "--b" CRLF CRLF "\xf6" CRLF
	        "--b--"), "8S", "1:X,2:8" },
	{ "S/MIME, opaque",
	  BYTES("Content-Type: application/x-pkcs7-mime" CRLF
	        "Content-Transfer-Encoding: base64" CRLF CRLF LONG), "S", NULL },
	{ "clear-signed",
	  BYTES(TEXT_8 CRLF "\xe4" CRLF "-----BEGIN PGP SIGNED MESSAGE-----"
	        CRLF LONG), "8S", NULL },
	{ "clear-signed and not declared",
	  BYTES("A: b" CRLF CRLF "-----BEGIN PGP SIGNED MESSAGE-----" CRLF
	        "\xc3\xa4" CRLF), "8SU", "0:UX,c=utf-8" },
	{ "not at the beginning of a line",
	  BYTES(TEXT_8 CRLF "\xe4 -----BEGIN PGP SIGNED MESSAGE-----" CRLF),
	  "8", "0:8" },
	{ "no line end at all", BYTES(TEXT_8 CRLF "\xe4"), "8", "0:8" },
	{ "bare line feeds",
	  BYTES(MIXED CRLF "--b\n\n\xe4\n--b--\n"), "8", "1:8" },
	{ "comments and folds",
	  BYTES("Content-Type: (a \\) b (c)) Multipart/Mixed (x);" CRLF
	        "\tcharset=\"a;boundary=x\";" CRLF " BOUNDARY = \"\\b\" (c)"
	        CRLF CRLF "--b" CRLF CRLF "\xe4" CRLF "--b--"), "8", "1:8" },
	{ "a boundary with everything",
	  BYTES("Content-Type: multipart/mixed; boundary=\"=_a:b (c)?,/'+.\""
	        CRLF CRLF "--=_a:b (c)?,/'+." CRLF "X: y" CRLF
	        "--=_a:b (c)?,/'+." CRLF CRLF "\xe4" CRLF
	        "--=_a:b (c)?,/'+.--"), "8", "2:8" },
	{ "a boundary without quotes",
	  BYTES("Content-Type: multipart/mixed; boundary=----=_a:b ;x=y" CRLF
	        CRLF "------=_a:b" CRLF CRLF "\xe4"), "8", "1:8" },
	{ "only the first type counts",
	  BYTES("Content-Type: text/plain" CRLF MIXED CRLF "--b" CRLF CRLF
	        "\xe4"), "8", "0:8" },
};

static void scan_piece(void *ctx, struct text piece)
{
	mime_scan_body(ctx, piece);
}

static void check(size_t i, size_t way, const struct mime_facts *facts)
{
	char letters[8] = "";

	strcat(letters, facts->has_8bit ? "8" : "");
	strcat(letters, facts->is_signed ? "S" : "");
	strcat(letters, facts->is_long ? "L" : "");
	strcat(letters, facts->is_undeclared ? "U" : "");
	assert_bytes(messages[i].name, text_of(letters),
	             text_of(messages[i].facts));
	assert_bytes(messages[i].name, text_of(facts->plan),
	             text_of(messages[i].plan));
	if ((facts->plan == NULL) != (messages[i].plan == NULL))
		fail_msg("%s: way %zu", messages[i].name, way);
}

static void test_messages_whole_and_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(messages); i++) {
		struct text message = messages[i].message;

		for (size_t way = 0; way < guarded_ways(message); way++) {
			struct mime_facts facts;

			mime_play_scan(message, "iso-8859-15", way, &facts);
			check(i, way, &facts);
			free(facts.plan);
		}
	}
}

static const struct {
	struct text body;
	uint64_t longest;
} lines[] = {
	{ BYTES(""), 0 },
	{ BYTES("\r\n"), 0 },
	{ BYTES("abc"), 3 },
	{ BYTES("ab\r\nabc\r\na\r\n"), 3 },
	{ BYTES("ab\rcd\r\n"), 5 },
	{ BYTES(LONG "\r\nabc"), 1001 },
};

static void test_longest_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		for (size_t way = 0; way < guarded_ways(lines[i].body); way++) {
			struct mime_scan *scan = mime_scan_new();
			struct mime_facts facts;

			guarded_feed(lines[i].body, way, scan_piece, scan);
			mime_scan_finish(scan, NULL, &facts);
			assert_int_equal(facts.longest_line, lines[i].longest);
			free(facts.plan);
			mime_scan_free(&scan);
		}
	}
}

static void scan_string(struct mime_scan *scan, const char *string)
{
	mime_scan_body(scan, text_of(string));
}

static struct mime_scan *begin_mixed(void)
{
	struct rfc5322_field field = {
		.name = TEXT("Content-Type"),
		.value = TEXT("multipart/mixed; boundary=b"),
	};
	struct mime_scan *scan = mime_scan_new();

	mime_scan_field(scan, &field);
	return scan;
}

/* Parts beyond the bound are opaque, those before are not. */
static void test_many_parts(void **state)
{
	struct mime_scan *scan = begin_mixed();
	struct mime_facts facts;

	(void)state;
	scan_string(scan, "--b\r\n\r\n\xe4\r\n");
	for (int i = 0; i < 5000; i++)
		scan_string(scan, "--b\r\n\r\nx\r\n");
	scan_string(scan, "--b\r\n\r\n\xe4\r\n--b--\r\n");
	mime_scan_finish(scan, NULL, &facts);
	assert_string_equal(facts.plan, "1:8,1000:X");
	free(facts.plan);
	mime_scan_free(&scan);
}

static void test_deep_nesting(void **state)
{
	struct mime_scan *scan = begin_mixed();
	struct mime_facts facts;

	(void)state;
	scan_string(scan, "--b\r\n\r\n\xe4\r\n--b\r\n");
	for (int i = 0; i < 5000; i++)
		scan_string(scan, "Content-Type: message/rfc822\r\n\r\n");
	scan_string(scan, "\r\n\xe4\r\n--b\r\n\r\n\xe4");
	mime_scan_finish(scan, NULL, &facts);
	assert_string_equal(facts.plan, "1:8,21:X,22:8");
	free(facts.plan);
	mime_scan_free(&scan);
}

static void test_a_header_without_end(void **state)
{
	struct mime_scan *scan = begin_mixed();
	struct mime_facts facts;

	(void)state;
	scan_string(scan, "--b\r\n\r\n\xe4\r\n--b\r\nSubject: x\r\n");
	for (int i = 0; i < 100000; i++)
		scan_string(scan, " folded\r\n");
	scan_string(scan, "\r\n\xe4\r\n--b--");
	mime_scan_finish(scan, NULL, &facts);
	assert_string_equal(facts.plan, "1:8,1000:X");
	free(facts.plan);
	mime_scan_free(&scan);
}

/* A charset comes from a configuration, a plan from a disk. */
static void test_charset_cannot_inject(void **state)
{
	struct mime_facts facts;
	struct mime_scan *scan = mime_scan_new();
	struct mime_plan plan;

	(void)state;
	scan_string(scan, "\xe4");
	mime_scan_finish(scan, "utf\r\nX: y", &facts);
	assert_string_equal(facts.plan, "0:8U,c=windows-1252");
	free(facts.plan);
	mime_scan_free(&scan);
	mime_plan_parse(&plan, "0:8,c=a\r\nX: y");
	assert_string_equal(plan.charset, "");
}

static void test_a_plan_is_read_as_far_as_it_goes(void **state)
{
	struct mime_plan plan;

	(void)state;
	mime_plan_parse(&plan, "0:8?,v=2,7,:L,99999999999:8,5000:8,:,2:LH,"
	                       "c=utf-8");
	assert_int_equal(plan.parts[0], MIME_NEED(EIGHT_BIT));
	assert_int_equal(plan.parts[1], 0);
	assert_int_equal(plan.parts[2], MIME_NEED(LINES) | MIME_NEED(HEADER));
	assert_string_equal(plan.charset, "utf-8");
	mime_plan_parse(&plan, NULL);
	assert_int_equal(plan.parts[0], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages_whole_and_split),
		cmocka_unit_test(test_longest_line),
		cmocka_unit_test(test_many_parts),
		cmocka_unit_test(test_deep_nesting),
		cmocka_unit_test(test_a_header_without_end),
		cmocka_unit_test(test_charset_cannot_inject),
		cmocka_unit_test(test_a_plan_is_read_as_far_as_it_goes),
	};

	return cmocka_run_group_tests_name("mime_scan", tests, NULL, NULL);
}
