#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/mime_convert.h"
#include "tests/support/bytes.h"
#include "tests/support/guarded.h"
#include "tests/support/mime_play.h"

enum { ROOM = 1 << 20 };

#define X10(s) s s s s s s s s s s
#define A76    X10("QUJDREU") "QUJDRE"
#define A1000  A76 A76 A76 A76 A76 A76 A76 A76 A76 A76 A76 A76 A76 "QUJDREVBQUJD"
#define L76    A76 "\r\n"
#define L1000  L76 L76 L76 L76 L76 L76 L76 L76 L76 L76 L76 L76 L76 "QUJDREVBQUJD"
#define X75    X10("1234567") "12345"
#define X1050  X75 X75 X75 X75 X75 X75 X75 X75 X75 X75 X75 X75 X75 X75
#define S75    X75 "=\r\n"
#define S1050  S75 S75 S75 S75 S75 S75 S75 S75 S75 S75 S75 S75 S75 X75

#define N       "\r\n"
#define MIXED   "MIME-Version: 1.0" N "Content-Type: multipart/mixed; boundary=b" N
#define TYPE(t) "Content-Type: " t N
#define CTE(e)  "Content-Transfer-Encoding: " e N

enum { SAME = 0 }; /* out NULL: not a byte differs, and there is no plan */

static const struct {
	const char *name;
	bool to_7bit;
	struct text in, out;
} messages[] = {
	{ "ASCII", true, BYTES("A: b" N N "x" N), { NULL, SAME } },
	{ "no body", true, BYTES("A: b" N N), { NULL, SAME } },
	{ "8-bit text to a provider that takes it", false,
	  BYTES(TYPE("text/plain; charset=utf-8") N "\xc3\xbc" N),
	  { NULL, SAME } },
	{ "8-bit text", true,
	  BYTES(CTE("8bit") TYPE("text/plain; charset=utf-8") "A: b" N N
	        "\xc3\xbc = x" N),
	  BYTES(TYPE("text/plain; charset=utf-8") "A: b" N
	        "MIME-Version: 1.0" N CTE("quoted-printable") N
	        "=C3=BC =3D x" N) },
	{ "8-bit text without a line end", true,
	  BYTES("MIME-Version: 1.0" N TYPE("text/html") N "\xc3\xbc "),
	  BYTES("MIME-Version: 1.0" N TYPE("text/html")
	        CTE("quoted-printable") N "=C3=BC=20") },
	{ "not declared, and taken as it is", false,
	  BYTES("A: b" N N "\xc3\xbc" N),
	  BYTES("A: b" N "MIME-Version: 1.0" N
	        TYPE("text/plain; charset=utf-8") CTE("8bit") N "\xc3\xbc" N) },
	{ "not declared", true, BYTES("MIME-Version: 1.0" N N "\xfc" N),
	  BYTES("MIME-Version: 1.0" N
	        TYPE("text/plain; charset=iso-8859-15")
	        CTE("quoted-printable") N "=FC" N) },
	{ "an 8-bit image", true,
	  BYTES("MIME-Version: 1.0" N TYPE("image/png") CTE("8-bit") N
	        "\x89PNG" N),
	  BYTES("MIME-Version: 1.0" N TYPE("image/png") CTE("base64") N
	        "iVBORw0K" N) },
	{ "binary, whatever the provider takes", false,
	  BYTES("MIME-Version: 1.0" N TYPE("image/png") CTE("binary") N
	        "\x89PNG" N),
	  BYTES("MIME-Version: 1.0" N TYPE("image/png") CTE("base64") N
	        "iVBORw0K" N) },
	{ "base64 in one line", false,
	  BYTES(TYPE("image/png") CTE("base64") N A1000 N),
	  BYTES(TYPE("image/png") CTE("base64") N L1000 N) },
	{ "HTML in one line", false,
	  BYTES("MIME-Version: 1.0" N TYPE("text/html") CTE("7bit") N X1050 N),
	  BYTES("MIME-Version: 1.0" N TYPE("text/html")
	        CTE("quoted-printable") N S1050 N) },
	{ "quoted-printable in one line", false,
	  BYTES(TYPE("text/html") CTE("Quoted-Printable") N X1050 "=3D" N),
	  BYTES(TYPE("text/html") CTE("Quoted-Printable") N S1050 "=\r\n=3D" N)
	},
	{ "8-bit octets in what is encoded", true,
	  BYTES(MIXED N "--b" N CTE("base64") N "QU\xff" "I=" N "--b" N
	        CTE("quoted-printable") N "\xff=20" N "--b--" N),
	  BYTES(MIXED N "--b" N CTE("base64") N "QUI=" N "--b" N
	        CTE("quoted-printable") N "=FF=20" N "--b--" N) },
	{ "parts", true,
	  BYTES(MIXED CTE("8bit") N "This is MIME" N "--b" N N "\xe4 " N
	        "--b" N TYPE("image/png") CTE("8bit") N "\x89PNG" N
	        "--b" N TYPE("text/plain") N "as it is " N "--b--" N "end"),
	  BYTES(MIXED CTE("7bit") N "This is MIME" N "--b" N
	        CTE("quoted-printable") N "=E4=20" N
	        "--b" N TYPE("image/png") CTE("base64") N "iVBORw==" N
	        "--b" N TYPE("text/plain") N "as it is " N "--b--" N "end") },
	{ "not closed", true,
	  BYTES(MIXED N "--b" N TYPE("image/png") N "\x89PNG" N),
	  BYTES(MIXED N "--b" N TYPE("image/png") CTE("base64") N
	        "iVBORw0K" N) },
	{ "no empty line in a part", true,
	  BYTES(MIXED N "--b" N "A: b" N "\xe4: b" N "--b" N "\xe4" N "--b--"),
	  BYTES(MIXED N "--b" N "A: b" N CTE("quoted-printable") N "=E4: b" N
	        "--b" N CTE("quoted-printable") N "=E4" N "--b--") },
	{ "a line that becomes a boundary", false,
	  BYTES(MIXED N "--b" N N X75 "--b" N X1050 N "--b--"),
	  BYTES(MIXED N "--b" N CTE("quoted-printable") N S75 "=2D-b" N S1050 N
	        "--b--") },
	{ "nested", true,
	  BYTES(MIXED CTE("binary") N "--b" N
	        TYPE("multipart/alternative; boundary=b2") CTE("8bit") N
	        "--b2" N N "x" N "--b2" N TYPE("text/html") N "\xe4" N
	        "--b2--" N "--b--"),
	  BYTES(MIXED CTE("7bit") N "--b" N
	        TYPE("multipart/alternative; boundary=b2") CTE("7bit") N
	        "--b2" N N "x" N "--b2" N TYPE("text/html")
	        CTE("quoted-printable") N "=E4" N "--b2--" N "--b--") },
	{ "a container labelled binary", false,
	  BYTES(MIXED CTE("binary") N "--b" N CTE("8bit") N "\xe4" N "--b--"),
	  BYTES(MIXED CTE("8bit") N "--b" N CTE("8bit") N "\xe4" N "--b--") },
	{ "a message in the message", true,
	  BYTES(MIXED N "--b" N TYPE("message/rfc822") CTE("8bit") N
	        "Subject: x" N TYPE("text/plain") N "\xe4" N "--b--"),
	  BYTES(MIXED N "--b" N TYPE("message/rfc822") CTE("7bit") N
	        "Subject: x" N TYPE("text/plain") CTE("quoted-printable") N
	        "=E4" N "--b--") },
	{ "base64 that would become a boundary", true,
	  BYTES(MIXED N "--b" N CTE("base64") N "AAAA" N "\xe4--b" N
	        "AAAA" N "--b--"),
	  BYTES(MIXED N "--b" N CTE("base64") N "AAAA" N "b" N
	        "AAAA" N "--b--") },
	{ "encoded text behind a header without its end", true,
	  BYTES(TYPE("message/rfc822") N CTE("quoted-printable")
	        "a\xe4 :b" N),
	  BYTES(TYPE("message/rfc822") N CTE("quoted-printable") N
	        "a=E4 :b" N) },
	{ "a message without an empty line before it", true,
	  BYTES(MIXED N "--b" N TYPE("message/rfc822") "\xe4" N "--b--"),
	  BYTES(MIXED N "--b" N TYPE("message/rfc822") N
	        CTE("quoted-printable") N "=E4" N "--b--") },
	{ "between the parts", true,
	  BYTES(MIXED N "\xe4 \xff" N "--b" N N "x" N "--b--" N "\xe4"),
	  BYTES(MIXED N "? ?" N "--b" N N "x" N "--b--" N "?") },
	{ "a boundary that a repair would change", true,
	  BYTES(MIXED N "--b" N TYPE("multipart/mixed; \xe4 (x; boundary=c")
	        N "--c" N N "\xe4" N "--c--" N "--b--"),
	  BYTES(MIXED N "--b" N TYPE("multipart/mixed; ? (x; boundary=c")
	        N "--c" N CTE("quoted-printable") N "=E4" N "--c--" N
	        "--b--") },
	{ "S/MIME beside a part", false,
	  BYTES(MIXED N "--b" N TYPE("multipart/signed; boundary=c") N
	        "--c" N N X1050 " \xe4" N "--c--" N "--b" N N X1050 N "--b--"),
	  BYTES(MIXED N "--b" N TYPE("multipart/signed; boundary=c") N
	        "--c" N N X1050 " \xe4" N "--c--" N "--b" N
	        CTE("quoted-printable") N S1050 N "--b--") },
	{ "S/MIME", true,
	  BYTES(TYPE("multipart/signed; boundary=c") N "--c" N N X1050 "\xe4" N
	        "--c--" N), { NULL, SAME } },
	{ "clear-signed", true,
	  BYTES(TYPE("text/plain") N "-----BEGIN PGP SIGNED MESSAGE-----" N
	        "\xe4" X1050 N), { NULL, SAME } },
	{ "an encoding nobody knows", true,
	  BYTES("MIME-Version: 1.0" N CTE("utf-8") TYPE("text/plain")
	        CTE("7bit") N "\xe4" N),
	  BYTES("MIME-Version: 1.0" N TYPE("text/plain")
	        CTE("quoted-printable") N "=E4" N) },
	{ "uuencode", true,
	  BYTES(CTE("x-uuencode") N "begin 644 x" N "\xff" X1050 N),
	  { NULL, SAME } },
};

static void check(size_t i, const char *plan, size_t way)
{
	struct text out = messages[i].out;
	struct buf made = BUF_INIT(ROOM);

	if (out.data == NULL) {
		assert_false(mime_plan_applies(plan, messages[i].to_7bit));
		out = messages[i].in;
	} else {
		assert_true(mime_plan_applies(plan, messages[i].to_7bit));
	}
	assert_true(mime_play_convert(messages[i].in, plan,
	                              messages[i].to_7bit, way, &made));
	assert_bytes(messages[i].name, buf_text(&made), out);
	buf_free(&made);
}

static void test_messages_whole_and_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(messages); i++) {
		struct mime_facts facts;

		mime_play_scan(messages[i].in, "iso-8859-15", MIME_PLAY_WHOLE, &facts);
		check(i, facts.plan, MIME_PLAY_WHOLE);
		for (size_t way = 0; way < guarded_ways(messages[i].in); way++)
			check(i, facts.plan, way);
		free(facts.plan);
	}
}

static const struct {
	const char *plan;
	bool applies, applies_7bit, can_7bit, keeps_8bit;
} plans[] = {
	{ NULL, false, false, false, true },
	{ "0:8", false, true, true, true },
	{ "0:L", true, true, true, false },
	{ "0:L8", true, true, true, false },
	{ "1:L8,2:8", true, true, true, true },
	{ "0:C,1:H,c=utf-8", true, true, true, false },
	{ "1:8,2:X", false, true, false, true },
	{ "0:U8,c=utf-8", true, true, true, true },
	{ "0:F", false, true, true, true },
	{ "", false, false, true, false },
	{ "c=8L", false, false, true, false },
};

static void test_what_a_plan_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(plans); i++) {
		const char *plan = plans[i].plan;

		if (mime_plan_applies(plan, false) != plans[i].applies ||
		    mime_plan_applies(plan, true) != plans[i].applies_7bit ||
		    mime_plan_can_7bit(plan) != plans[i].can_7bit ||
		    mime_plan_keeps_8bit(plan) != plans[i].keeps_8bit)
			fail_msg("plan %s", plan);
	}
}

static void test_signed_headers(void **state)
{
	(void)state;
	assert_true(mime_header_is_signed(
		TEXT("A: b" N "dkim-signature: v=1;" N " x=y" N N)));
	assert_false(mime_header_is_signed(
		TEXT("A: DKIM-Signature: v=1" N " DKIM-Signature: v=1" N N)));
}

/* A file name of a device's charset travels as a mail reader can read it. */
static void test_file_names(void **state)
{
	struct text message = TEXT(
		MIXED N "--b" N TYPE("application/pdf; name=\"M\xe4rz.pdf\"")
		"Content-Disposition: attachment; filename=\"M\xe4rz.pdf\"" N
		CTE("base64") N "JVBERg==" N "--b--" N);
	struct buf out = BUF_INIT(ROOM);
	struct mime_facts facts;

	(void)state;
	mime_play_scan(message, "windows-1252", MIME_PLAY_WHOLE, &facts);
	assert_string_equal(facts.plan, "1:H,c=windows-1252");
	assert_true(mime_play_convert(message, facts.plan, false, MIME_PLAY_WHOLE,
	                              &out));
	free(facts.plan);
	mime_play_scan(buf_text(&out), "windows-1252", MIME_PLAY_WHOLE, &facts);
	assert_null(facts.plan);
	assert_false(facts.has_8bit);
	assert_true(text_find_nocase(buf_text(&out), TEXT("M%C3%A4rz.pdf")) >
	            0);
	assert_true(text_find_nocase(buf_text(&out),
	                             TEXT(CTE("base64") N "JVBERg==" N "--b--"
	                                  N)) > 0);
	buf_free(&out);
}

/* Out is full: said so, and nothing read beyond it. */
static void test_a_full_buffer(void **state)
{
	struct text message = TEXT(TYPE("text/plain") N "\xe4\xe4\xe4\xe4" N);

	(void)state;
	for (size_t max = 0; max < 90; max++) {
		struct buf out = BUF_INIT(max);

		assert_false(mime_play_convert(message, "0:8", true, MIME_PLAY_WHOLE,
		                               &out));
		assert_true(buf_len(&out) <= max);
		buf_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages_whole_and_split),
		cmocka_unit_test(test_what_a_plan_says),
		cmocka_unit_test(test_signed_headers),
		cmocka_unit_test(test_file_names),
		cmocka_unit_test(test_a_full_buffer),
	};

	return cmocka_run_group_tests_name("mime_convert", tests, NULL, NULL);
}
