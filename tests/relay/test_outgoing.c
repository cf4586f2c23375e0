#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/xalloc.h"
#include "relay/outbound/outgoing.h"
#include "tests/support/bytes.h"

#define DKIM "DKIM-Signature: v=1; d=b.example\r\n"

static const struct {
	const char *name, *header, *plan;
	bool stored_8bit, takes_8bit;
	/* what the transaction says, and what goes out */
	bool has_8bit, can_7bit, grows;
	struct text out;
} messages[] = {
	{ "nothing to do", "A: b\r\n\r\n", NULL, false, false,
	  false, false, false, BYTES("A: b\r\n\r\n\xe4\r\n") },
	{ "8-bit and no plan", "A: b\r\n\r\n", NULL, true, true,
	  true, false, false, BYTES("A: b\r\n\r\n\xe4\r\n") },
	{ "taken as it is", "Content-Type: text/html\r\n\r\n", "0:8",
	  true, true, true, true, false,
	  BYTES("Content-Type: text/html\r\n\r\n\xe4\r\n") },
	{ "made 7-bit",
	  "MIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n", "0:8",
	  true, false, true, true, false,
	  BYTES("MIME-Version: 1.0\r\nContent-Type: text/html\r\n"
	        "Content-Transfer-Encoding: quoted-printable\r\n\r\n=E4\r\n") },
	{ "mended for any provider",
	  "MIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n", "0:L8",
	  true, true, false, true, true,
	  BYTES("MIME-Version: 1.0\r\nContent-Type: text/html\r\n"
	        "Content-Transfer-Encoding: quoted-printable\r\n\r\n=E4\r\n") },
	{ "signed, so left alone", DKIM "Content-Type: text/html\r\n\r\n",
	  "0:L8", true, true, true, false, false,
	  BYTES(DKIM "Content-Type: text/html\r\n\r\n\xe4\r\n") },
};

static void give(struct outgoing *outgoing, struct buf *out,
                 struct text header, struct text body, size_t cut)
{
	struct text first = text_make(body.data, cut);
	struct text second = text_skip(body, cut);

	assert_true(outgoing_header(outgoing, &header, false));
	buf_text_append(out, header);
	assert_true(outgoing_body(outgoing, &first, false));
	buf_text_append(out, first);
	assert_true(outgoing_body(outgoing, &second, true));
	buf_text_append(out, second);
}

static void test_messages(void **state)
{
	struct text body = TEXT("\xe4\r\n");

	(void)state;
	for (size_t i = 0; i < COUNT(messages) * 4; i++) {
		size_t n = i / 4;
		struct text header = text_of(messages[n].header);
		struct envelope envelope = {
			.content = xstrdup(messages[n].plan),
			.has_8bit = messages[n].stored_8bit,
			.size = 100 + body.len,
			.header_size = 100,
		};
		struct smtp_transaction transaction = { 0 };
		struct outgoing outgoing = { 0 };
		struct buf out = BUF_INIT(10000);

		outgoing_plan(&outgoing, &envelope, header, &transaction);
		assert_int_equal(transaction.has_8bit, messages[n].has_8bit);
		assert_int_equal(transaction.can_7bit, messages[n].can_7bit);
		assert_int_equal(transaction.size_is_least, messages[n].grows);
		assert_int_equal(transaction.size, header.len + body.len);
		outgoing_begin(&outgoing, &transaction, messages[n].takes_8bit);
		give(&outgoing, &out, header, body, i % 4);
		assert_bytes(messages[n].name, buf_text(&out), messages[n].out);
		outgoing_free(&outgoing);
		buf_free(&out);
		free(envelope.content);
	}
}

/* All of it may come with the header. */
static void test_without_a_body(void **state)
{
	char plan[] = "0:L";
	struct envelope envelope = { .content = plan, .size = 2 };
	struct smtp_transaction transaction = { 0 };
	struct text header = TEXT("Content-Type: image/png\r\n\r\n");
	struct outgoing outgoing = { 0 };

	(void)state;
	outgoing_plan(&outgoing, &envelope, header, &transaction);
	outgoing_begin(&outgoing, &transaction, false);
	assert_true(outgoing_header(&outgoing, &header, true));
	assert_bytes("header", header,
	             TEXT("Content-Type: image/png\r\nMIME-Version: 1.0\r\n"
	                  "Content-Transfer-Encoding: base64\r\n\r\n"));
	outgoing_free(&outgoing);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_without_a_body),
	};

	return cmocka_run_group_tests_name("outgoing", tests, NULL, NULL);
}
