#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/quoted_printable.h"
#include "tests/support/bytes.h"
#include "tests/support/guarded.h"

#define X10(s) s s s s s s s s s s
#define X70    X10("1234567")

static const struct {
	const char *name;
	struct text in, out;
} texts[] = {
	{ "nothing", BYTES(""), BYTES("") },
	{ "ASCII", BYTES("Hello, world!~\r\n"), BYTES("Hello, world!~\r\n") },
	{ "no line end", BYTES("x"), BYTES("x") },
	{ "octets", BYTES("a=\xc3\xbc\x7f\x01z\r\n"),
	  BYTES("a=3D=C3=BC=7F=01z\r\n") },
	{ "white space at the end", BYTES("a \t \r\nb \t"),
	  BYTES("a \t=20\r\nb =09") },
	{ "white space alone", BYTES(" \r\n\t"), BYTES("=20\r\n=09") },
	{ "bare line ends", BYTES("a\rb\nc\r\r\n \nd\r"),
	  BYTES("a=0Db=0Ac=0D\r\n =0Ad=0D") },
	{ "75 columns", BYTES(X70 "12345\r\n"), BYTES(X70 "12345\r\n") },
	{ "more", BYTES(X70 "123456\r\n"), BYTES(X70 "12345=\r\n6\r\n") },
	{ "a code is not cut", BYTES(X70 "123=\r\n"),
	  BYTES(X70 "123=\r\n=3D\r\n") },
	{ "white space at the last column", BYTES(X70 "12345 \r\n"),
	  BYTES(X70 "12345=\r\n=20\r\n") },
	{ "white space at a soft break", BYTES(X70 "1234  x\r\n"),
	  BYTES(X70 "1234 =\r\n x\r\n") },
	{ "no boundary behind a soft break", BYTES(X70 "12345--b\r\n--b"),
	  BYTES(X70 "12345=\r\n=2D-b\r\n--b") },
	{ "a line in one piece", BYTES(X10(X70)),
	  BYTES("123456712345671234567123456712345671234567123456712345671234"
	        "567123456712345=\r\n"
	        "671234567123456712345671234567123456712345671234567123456712"
	        "345671234567123=\r\n"
	        "456712345671234567123456712345671234567123456712345671234567"
	        "123456712345671=\r\n"
	        "234567123456712345671234567123456712345671234567123456712345"
	        "671234567123456=\r\n"
	        "712345671234567123456712345671234567123456712345671234567123"
	        "456712345671234=\r\n"
	        "567123456712345671234567123456712345671234567123456712345671"
	        "234567123456712=\r\n"
	        "345671234567123456712345671234567123456712345671234567123456"
	        "712345671234567=\r\n"
	        "123456712345671234567123456712345671234567123456712345671234"
	        "567123456712345=\r\n"
	        "671234567123456712345671234567123456712345671234567123456712"
	        "345671234567123=\r\n"
	        "4567123456712345671234567") },
}, encoded[] = {
	{ "nothing", BYTES(""), BYTES("") },
	{ "short lines", BYTES("a=3D=c3=BC =\r\nb=20\r\n"),
	  BYTES("a=3D=c3=BC =\r\nb=20\r\n") },
	{ "raw octets", BYTES("a\xc3=3D\xbc\r\n"),
	  BYTES("a=C3=3D=BC\r\n") },
	{ "76 columns with a soft break", BYTES(X70 "12345=\r\n6\r\n"),
	  BYTES(X70 "12345=\r\n6\r\n") },
	{ "76 columns without", BYTES(X70 "123456\r\n"),
	  BYTES(X70 "12345=\r\n6\r\n") },
	{ "a code is not cut", BYTES(X70 "123=3D\r\n"),
	  BYTES(X70 "123=\r\n=3D\r\n") },
	{ "no code at all", BYTES("a=b c==x=4\r\n=4"),
	  BYTES("a=3Db c=3D=3Dx=3D4\r\n=3D4") },
	{ "a soft break at the end", BYTES("a=\r\n--b="),
	  BYTES("a=\r\n--b=") },
	{ "a padded soft break", BYTES(X70 "12345= \t \r\nb\r\n"),
	  BYTES(X70 "12345= \t \r\nb\r\n") },
	{ "white space at the end", BYTES(X70 "1234 \t \r\nb\r\n"),
	  BYTES(X70 "1234 \t \r\nb\r\n") },
	{ "white space, then more", BYTES(X70 "1234 \t -b\r\n"),
	  BYTES(X70 "1234 \t =\r\n=2Db\r\n") },
	{ "no boundary behind a soft break", BYTES(X70 "12345--b\r\n"),
	  BYTES(X70 "12345=\r\n=2D-b\r\n") },
};

struct writing {
	struct quoted_printable qp;
	struct buf out;
};

static void add(void *ctx, struct text piece)
{
	struct writing *writing = ctx;

	assert_true(quoted_printable_add(&writing->qp, piece, &writing->out));
}

static void check(const char *name, struct text in, struct text out,
                  bool is_encoded)
{
	for (size_t way = 0; way < guarded_ways(in); way++) {
		struct writing writing = { .out = BUF_INIT(100000) };

		quoted_printable_init(&writing.qp, is_encoded);
		guarded_feed(in, way, add, &writing);
		assert_true(quoted_printable_finish(&writing.qp, &writing.out));
		assert_bytes(name, buf_text(&writing.out), out);
		buf_free(&writing.out);
	}
}

static void test_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++)
		check(texts[i].name, texts[i].in, texts[i].out, false);
}

static void test_long_lines_of_quoted_printable(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(encoded); i++)
		check(encoded[i].name, encoded[i].in, encoded[i].out, true);
}

static void test_a_full_buffer(void **state)
{
	struct quoted_printable qp;
	struct buf out = BUF_INIT(20);

	(void)state;
	quoted_printable_init(&qp, false);
	assert_false(quoted_printable_add(&qp, text_of("12345678"), &out));
	assert_int_equal(buf_len(&out), 0);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_long_lines_of_quoted_printable),
		cmocka_unit_test(test_a_full_buffer),
	};

	return cmocka_run_group_tests_name("quoted_printable", tests, NULL,
	                                   NULL);
}
