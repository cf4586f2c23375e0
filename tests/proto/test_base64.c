#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "proto/base64.h"
#include "tests/support/bytes.h"
#include "tests/support/guarded.h"

/* RFC 4648 10, and the prompts of LOGIN. */
static const struct {
	struct text plain, encoded;
} pairs[] = {
	{ BYTES(""), BYTES("") },
	{ BYTES("f"), BYTES("Zg==") },
	{ BYTES("fo"), BYTES("Zm8=") },
	{ BYTES("foo"), BYTES("Zm9v") },
	{ BYTES("foob"), BYTES("Zm9vYg==") },
	{ BYTES("fooba"), BYTES("Zm9vYmE=") },
	{ BYTES("foobar"), BYTES("Zm9vYmFy") },
	{ BYTES("Username:"), BYTES("VXNlcm5hbWU6") },
	{ BYTES("Password:"), BYTES("UGFzc3dvcmQ6") },
	{ BYTES("\0user\0pass"), BYTES("AHVzZXIAcGFzcw==") },
	{ BYTES("\xfb\xff\xbf"), BYTES("+/+/") },
};

static const struct text broken[] = {
	BYTES("Z"),          BYTES("Zg"),    BYTES("Zg="),
	BYTES("Zg==="),      BYTES("Zh=="),  BYTES("Zm9="),
	BYTES("="),          BYTES("===="),  BYTES("Z==="),
	BYTES("Zm8=Zm8="),   BYTES("Zg =="), BYTES("Zm9v\r\n"),
	BYTES("Zm-_"),       BYTES("Zm9\0"), BYTES("Zm9v===="),
	BYTES("Z\xc3\xa4v"), BYTES("Zg=a"),  BYTES("*"),
};

static void test_encodes_and_decodes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(pairs); i++) {
		struct guarded plain = guarded_copy(pairs[i].plain);
		struct guarded encoded = guarded_copy(pairs[i].encoded);
		struct buf out = BUF_INIT(100);

		assert_true(base64_encode(&out, plain.text));
		assert_bytes("encoded", buf_text(&out), encoded.text);
		buf_clear(&out);
		assert_true(base64_decode(&out, encoded.text));
		assert_bytes("decoded", buf_text(&out), plain.text);
		buf_free(&out);
		guarded_free(&plain);
		guarded_free(&encoded);
	}
}

static void test_refuses_what_is_not_exact(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(broken); i++) {
		struct guarded in = guarded_copy(broken[i]);
		struct buf out = BUF_INIT(100);

		buf_puts(&out, "kept");
		if (base64_decode(&out, in.text))
			fail_msg("%.*s was decoded", TEXT_ARG(broken[i]));
		assert_bytes("kept", buf_text(&out), TEXT("kept"));
		buf_free(&out);
		guarded_free(&in);
	}
}

static void test_refuses_what_does_not_fit(void **state)
{
	struct buf out = BUF_INIT(3);

	(void)state;
	assert_false(base64_encode(&out, TEXT("f")));
	assert_true(base64_decode(&out, TEXT("Zm9v")));
	assert_false(base64_decode(&out, TEXT("Zg==")));
	assert_bytes("kept", buf_text(&out), TEXT("foo"));
	buf_free(&out);
}

static void test_every_octet_comes_back(void **state)
{
	struct buf in = BUF_INIT(1000), encoded = BUF_INIT(1000);
	struct buf out = BUF_INIT(1000);

	(void)state;
	for (int c = 0; c < 256; c++)
		buf_putc(&in, (char)c);
	for (size_t len = 0; len <= 256; len++) {
		struct text text = text_make(buf_text(&in).data, len);

		buf_clear(&encoded);
		buf_clear(&out);
		assert_true(base64_encode(&encoded, text));
		assert_true(base64_decode(&out, buf_text(&encoded)));
		assert_bytes("octets", buf_text(&out), text);
	}
	buf_free(&in);
	buf_free(&encoded);
	buf_free(&out);
}

#define X10(s) s s s s s s s s s s
#define X76    X10("QUJDREU") "QUJDRE"

static const struct {
	const char *name;
	struct text in, out;
} lines[] = {
	{ "nothing", BYTES(""), BYTES("") },
	{ "padding", BYTES("f\r\n\xff"), BYTES("Zg0K/w==") },
	{ "one line", BYTES(X10("ABCDE") "ABCDEFG"),
	  BYTES("QUJDREVBQkNERUFCQ0RFQUJDREVBQkNERUFCQ0RFQUJDREVBQkNERUFCQ0RF"
	        "QUJDREVBQkNERUZH") },
	{ "two lines", BYTES(X10("ABCDE") "ABCDEFGH"),
	  BYTES("QUJDREVBQkNERUFCQ0RFQUJDREVBQkNERUFCQ0RFQUJDREVBQkNERUFCQ0RF"
	        "QUJDREVBQkNERUZH\r\nSA==") },
}, wraps[] = {
	{ "nothing", BYTES(""), BYTES("") },
	{ "short lines", BYTES("QUI=\r\n\r\nQUI=\r\n"),
	  BYTES("QUI=\r\n\r\nQUI=\r\n") },
	{ "76", BYTES(X76 "\r\n"), BYTES(X76 "\r\n") },
	{ "77", BYTES(X76 "QQ==\r\n"), BYTES(X76 "\r\nQQ==\r\n") },
	{ "no boundary begins a line", BYTES(X76 "--b \t=\r\n--b"),
	  BYTES(X76 "\r\nb \t=\r\nb") },
	{ "padding alone", BYTES(X76 "=="), BYTES(X76 "\r\n==") },
	{ "octets above 127", BYTES("Q\xc3\xbcU\xff" "E="), BYTES("QUE=") },
};

struct writing {
	struct base64_lines lines;
	unsigned column;
	struct buf out;
};

static void add(void *ctx, struct text piece)
{
	struct writing *writing = ctx;

	assert_true(base64_lines_add(&writing->lines, piece, &writing->out));
}

static void wrap(void *ctx, struct text piece)
{
	struct writing *writing = ctx;

	assert_true(base64_wrap(&writing->column, piece, &writing->out));
}

static void test_lines_whole_and_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		for (size_t way = 0; way < guarded_ways(lines[i].in); way++) {
			struct writing writing = { .out = BUF_INIT(10000) };

			guarded_feed(lines[i].in, way, add, &writing);
			assert_true(base64_lines_finish(&writing.lines,
							&writing.out));
			assert_bytes(lines[i].name, buf_text(&writing.out),
				     lines[i].out);
			buf_free(&writing.out);
		}
	}
}

static void test_wraps_whole_and_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(wraps); i++) {
		for (size_t way = 0; way < guarded_ways(wraps[i].in); way++) {
			struct writing writing = { .out = BUF_INIT(10000) };

			guarded_feed(wraps[i].in, way, wrap, &writing);
			assert_bytes(wraps[i].name, buf_text(&writing.out),
				     wraps[i].out);
			buf_free(&writing.out);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encodes_and_decodes),
		cmocka_unit_test(test_refuses_what_is_not_exact),
		cmocka_unit_test(test_refuses_what_does_not_fit),
		cmocka_unit_test(test_every_octet_comes_back),
		cmocka_unit_test(test_lines_whole_and_split),
		cmocka_unit_test(test_wraps_whole_and_split),
	};

	return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
