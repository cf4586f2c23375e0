/* Messages made by chance, as well-formed as devices make them: converted, each
 * part decodes to what it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base64.h"
#include "tests/support/bytes.h"
#include "tests/support/chance.h"
#include "tests/support/mime_play.h"

enum { MESSAGES = 3000, ROOM = 1 << 20, DEEP = 4 };

struct maker {
	struct chance chance;
	struct buf out;
	unsigned n_boundaries;
};

static const char *one_of(struct maker *maker, const char *const *words,
                          unsigned n)
{
	return words[chance_below(&maker->chance, n)];
}

#define ONE_OF(maker, ...)                                             \
	one_of(maker, (const char *const[]){ __VA_ARGS__ },            \
	       sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

/* ---- content ---- */

static size_t line_length(struct maker *maker)
{
	if (chance_one_in(&maker->chance, 8))
		return 900 + chance_below(&maker->chance, 2000);
	if (chance_one_in(&maker->chance, 3))
		return 70 + chance_below(&maker->chance, 12);
	return chance_below(&maker->chance, 40);
}

static void put_text_line(struct maker *maker, bool is_8bit)
{
	buf_puts(&maker->out, ONE_OF(maker, "", "", "--", "-", ".", "From ",
	                             "Subject: x", "\t"));
	for (size_t left = line_length(maker); left > 0; left--) {
		unsigned kind = chance_below(&maker->chance, 20);
		char c = (char)('!' + chance_below(&maker->chance, 94));

		if (kind == 0)
			c = ' ';
		else if (kind == 1)
			c = "=-\t\x01"[chance_below(&maker->chance, 4)];
		else if (kind == 2 && is_8bit)
			c = (char)(128 + chance_below(&maker->chance, 128));
		buf_putc(&maker->out, c);
	}
	buf_puts(&maker->out, ONE_OF(maker, "", "", " ", "\t ", "="));
}

static void put_text(struct maker *maker)
{
	bool is_8bit = chance_one_in(&maker->chance, 2);

	for (unsigned n = chance_below(&maker->chance, 5); n > 0; n--) {
		put_text_line(maker, is_8bit);
		buf_puts(&maker->out, "\r\n");
	}
	if (chance_one_in(&maker->chance, 2))
		put_text_line(maker, is_8bit);
}

static void put_base64(struct maker *maker)
{
	struct buf octets = BUF_INIT(ROOM), code = BUF_INIT(ROOM);
	size_t len = line_length(maker) + 1;
	size_t columns = chance_one_in(&maker->chance, 2) ? 76 : len;
	struct text rest;

	for (size_t i = 0; i < len; i++)
		buf_putc(&octets, (char)chance_below(&maker->chance, 256));
	base64_encode(&code, buf_text(&octets));
	for (rest = buf_text(&code); rest.len > 0;
	     rest = text_skip(rest, columns)) {
		buf_append(&maker->out, rest.data,
		           rest.len < columns ? rest.len : columns);
		buf_puts(&maker->out, "\r\n");
	}
	buf_free(&octets);
	buf_free(&code);
}

static void put_quoted_printable(struct maker *maker)
{
	for (size_t left = line_length(maker) * 2; left > 0; left--)
		buf_puts(&maker->out,
		         ONE_OF(maker, "a", "-", " ", "=20", "=C3", "=0D=0A",
		                "b", "=\r\n", "=3d", "\xc3", "\t", "xyz", "c",
		                "\r\n", "= \r\n"));
}

/* ---- parts ---- */

static void put_entity(struct maker *maker, unsigned depth);

static void put_leaf(struct maker *maker)
{
	const char *encoding =
		ONE_OF(maker, NULL, "7bit", "8bit", "binary", "BASE64",
	               "quoted-printable", "x-uuencode", "utf-8");
	const char *type =
		ONE_OF(maker, NULL, "text/plain; charset=utf-8", "text/html",
	               "image/jpeg; name=\"Bild 1.jpg\"", "application/x-pkcs7-mime",
	               "message/delivery-status", "nonsense");

	if (type != NULL)
		buf_printf(&maker->out, "Content-Type: %s\r\n", type);
	if (encoding != NULL)
		buf_printf(&maker->out, "Content-Transfer-Encoding: %s\r\n",
		           encoding);
	buf_puts(&maker->out, "\r\n");
	if (encoding != NULL && strcmp(encoding, "BASE64") == 0)
		put_base64(maker);
	else if (encoding != NULL && encoding[0] == 'q')
		put_quoted_printable(maker);
	else
		put_text(maker);
}

static void put_frame(struct maker *maker)
{
	if (chance_one_in(&maker->chance, 3))
		put_text(maker);
}

static void put_multipart(struct maker *maker, unsigned depth)
{
	unsigned number = ++maker->n_boundaries;
	const char *before = ONE_OF(maker, "b", "--=_a:b'", "=");

	buf_printf(&maker->out,
	           "Content-Type: multipart/%s;\r\n boundary=\"%s%u\"\r\n",
	           ONE_OF(maker, "mixed", "related", "digest", "signed"),
	           before, number);
	if (chance_one_in(&maker->chance, 3))
		buf_puts(&maker->out, "Content-Transfer-Encoding: 8bit\r\n");
	buf_puts(&maker->out, "\r\n");
	put_frame(maker);
	for (unsigned n = chance_below(&maker->chance, 4); n > 0; n--) {
		buf_printf(&maker->out, "\r\n--%s%u\r\n", before, number);
		put_entity(maker, depth + 1);
	}
	if (!chance_one_in(&maker->chance, 4)) {
		buf_printf(&maker->out, "\r\n--%s%u--\r\n", before, number);
		put_frame(maker);
	}
}

static void put_entity(struct maker *maker, unsigned depth)
{
	unsigned kind = chance_below(&maker->chance, 6);

	if (depth < DEEP && kind < 2) {
		put_multipart(maker, depth);
	} else if (depth < DEEP && kind == 2) {
		buf_puts(&maker->out, "Content-Type: message/rfc822\r\n\r\n"
		                      "Subject: x\r\n");
		put_entity(maker, depth + 1);
	} else {
		put_leaf(maker);
	}
}

static void test_any_message(void **state)
{
	struct maker maker = { .out = BUF_INIT(ROOM) };

	(void)state;
	for (unsigned i = 0; i < MESSAGES; i++) {
		const char *wrong;

		maker.chance = chance_of(i);
		buf_clear(&maker.out);
		buf_puts(&maker.out, "From: <a@b.example>\r\n");
		put_entity(&maker, 0);
		wrong = mime_play_check(buf_text(&maker.out));
		if (wrong != NULL)
			fail_msg("message %u: %s:\n%.*s", i, wrong,
			         TEXT_ARG(buf_text(&maker.out)));
	}
	buf_free(&maker.out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_message),
	};

	return cmocka_run_group_tests_name("mime_random", tests, NULL, NULL);
}
