#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/rfc5322.h"
#include "tests/support/bytes.h"
#include "tests/support/guarded.h"

/* "name|value|" a field and its raw bytes, "END" or "END-" where the section
 * was not closed by an empty line, then the body; "BIG" beyond the limit. */
static const struct {
	const char *name;
	size_t limit; /* 0: plenty */
	struct text message, items;
} messages[] = {
	{ "two fields", 0, BYTES("Subject: hi\r\nFrom: a@b\r\n\r\nbody\r\n"),
	  BYTES("<Subject| hi|Subject: hi\r\n><From| a@b|From: a@b\r\n>"
		"ENDbody\r\n") },
	{ "folded", 0, BYTES("A: b\r\n c\r\n\td\r\nB: e\r\n\r\n"),
	  BYTES("<A| b\r\n c\r\n\td|A: b\r\n c\r\n\td\r\n><B| e|B: e\r\n>"
		"END") },
	{ "a fold of spaces alone", 0, BYTES("A: b\r\n \r\nB: c\r\n\r\nx"),
	  BYTES("<A| b\r\n |A: b\r\n \r\n><B| c|B: c\r\n>ENDx") },
	{ "space before the colon", 0, BYTES("A \t: b\r\n\r\n"),
	  BYTES("<A| b|A \t: b\r\n>END") },
	{ "no value", 0, BYTES("A:\r\nB:\r\n\r\n"),
	  BYTES("<A||A:\r\n><B||B:\r\n>END") },
	{ "colons in the value", 0, BYTES("A: b: c\r\n\r\n"),
	  BYTES("<A| b: c|A: b: c\r\n>END") },
	{ "8-bit and NUL in the value", 0, BYTES("A: \xe4\0\r\n\r\n"),
	  BYTES("<A| \xe4\0|A: \xe4\0\r\n>END") },
	{ "only a header", 0, BYTES("A: b\r\n"), BYTES("<A| b|A: b\r\n>END-") },
	{ "only a header and the empty line", 0, BYTES("A: b\r\n\r\n"),
	  BYTES("<A| b|A: b\r\n>END") },
	{ "no line end at the end", 0, BYTES("A: b"),
	  BYTES("<A| b|A: b>END-") },
	{ "nothing", 0, BYTES(""), BYTES("END-") },
	{ "an empty line first", 0, BYTES("\r\nA: b\r\n"),
	  BYTES("ENDA: b\r\n") },
	{ "only an empty line", 0, BYTES("\r\n"), BYTES("END") },
	{ "no header", 0, BYTES("Dear all,\r\n\r\nbye\r\n"),
	  BYTES("END-Dear all,\r\n\r\nbye\r\n") },
	{ "no header, no space", 0, BYTES("Hello\r\nworld\r\n"),
	  BYTES("END-Hello\r\nworld\r\n") },
	{ "no header, no line end", 0, BYTES("Hello"), BYTES("END-Hello") },
	{ "space first", 0, BYTES(" A: b\r\n\r\n"),
	  BYTES("END- A: b\r\n\r\n") },
	{ "8-bit in the name", 0, BYTES("\xe4: b\r\n"),
	  BYTES("END-\xe4: b\r\n") },
	{ "8-bit later in the name", 0, BYTES("a\xe4: b\r\n"),
	  BYTES("END-a\xe4: b\r\n") },
	{ "colon first", 0, BYTES(": b\r\n"), BYTES("END-: b\r\n") },
	/* A mailbox file's line goes if a field follows. */
	{ "mbox", 0, BYTES("From root Sat Nov 21 02:20:55 2026\r\nA: b\r\n"),
	  BYTES("<A| b|A: b\r\n>END-") },
	{ "quoted mbox", 0, BYTES(">From root Sat\r\nA: b\r\n\r\nx"),
	  BYTES("<A| b|A: b\r\n>ENDx") },
	{ "mbox twice", 0,
	  BYTES("From a: b\r\n>From c 12:00\r\nFrom: d\r\n\r\n"),
	  BYTES("<From| d|From: d\r\n>END") },
	{ "a From with a space", 0, BYTES("From : d\r\n\r\n"),
	  BYTES("<From| d|From : d\r\n>END") },
	{ "mbox and a fold", 0, BYTES("From root\r\n x\r\nA: b\r\n"),
	  BYTES("END-From root\r\n x\r\nA: b\r\n") },
	{ "mbox and no field", 0, BYTES("From here on\r\nall is well.\r\n"),
	  BYTES("END-From here on\r\nall is well.\r\n") },
	{ "mbox and an empty line", 0, BYTES("From here on\r\n\r\nA: b\r\n"),
	  BYTES("END-From here on\r\n\r\nA: b\r\n") },
	{ "mbox alone", 0, BYTES("From here"), BYTES("END-From here") },
	{ "mbox line alone", 0, BYTES("From here\r\n"),
	  BYTES("END-From here\r\n") },
	{ "mbox behind a field", 0, BYTES("A: b\r\nFrom here\r\nC: d\r\n"),
	  BYTES("<A| b|A: b\r\n>END-From here\r\nC: d\r\n") },
	{ "mbox, lower case", 0, BYTES("from here\r\nA: b\r\n"),
	  BYTES("END-from here\r\nA: b\r\n") },
	{ "mbox, too big", 12, BYTES("From root Sat\r\nA: b\r\n"),
	  BYTES("BIG") },
	{ "the empty line is missing", 0,
	  BYTES("A: b\r\nDear all,\r\nB: c\r\n"),
	  BYTES("<A| b|A: b\r\n>END-Dear all,\r\nB: c\r\n") },
	{ "a word alone", 0, BYTES("A: b\r\nbye\r\n"),
	  BYTES("<A| b|A: b\r\n>END-bye\r\n") },
	{ "a lone CR", 0, BYTES("A: b\r\n\rx\r\n"),
	  BYTES("<A| b|A: b\r\n>END-\rx\r\n") },
	{ "a lone CR at the end", 0, BYTES("A: b\r\n\r"),
	  BYTES("<A| b|A: b\r\n>END-\r") },
	{ "space behind the name at the end", 0, BYTES("A: b\r\nB "),
	  BYTES("<A| b|A: b\r\n>END-B ") },
	{ "the limit is just enough", 7, BYTES("A: b\r\n\r\nbody"),
	  BYTES("<A| b|A: b\r\n>ENDbody") },
	{ "one too many", 12, BYTES("A: b\r\nB: cd\r\n\r\nx"),
	  BYTES("<A| b|A: b\r\n>BIG") },
	{ "too big in a name", 3, BYTES("Subject: x\r\n\r\n"), BYTES("BIG") },
	{ "too big in a fold", 10, BYTES("A: b\r\n c\r\n d\r\n\r\n"),
	  BYTES("BIG") },
	{ "the body does not count", 7,
	  BYTES("A: b\r\n\r\na body of some length\r\n"),
	  BYTES("<A| b|A: b\r\n>ENDa body of some length\r\n") },
};

struct reading {
	struct rfc5322 reader;
	struct buf items;
};

static void pull(struct reading *reading)
{
	struct buf *items = &reading->items;
	struct rfc5322_field field;
	enum rfc5322_item item;
	struct text body;

	while ((item = rfc5322_next(&reading->reader, &field, &body)) !=
	       RFC5322_NONE) {
		if (item == RFC5322_FIELD) {
			buf_putc(items, '<');
			buf_text_append(items, field.name);
			buf_putc(items, '|');
			buf_text_append(items, field.value);
			buf_putc(items, '|');
			buf_text_append(items, field.raw);
			buf_putc(items, '>');
		} else if (item == RFC5322_END) {
			buf_puts(items,
				 reading->reader.separated ? "END" : "END-");
		} else if (item == RFC5322_BODY) {
			assert_true(body.len > 0);
			buf_text_append(items, body);
		} else {
			buf_puts(items, "BIG");
		}
	}
}

static void push(void *ctx, struct text piece)
{
	struct reading *reading = ctx;

	rfc5322_push(&reading->reader, piece);
	pull(reading);
}

static void test_reads_whole_and_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(messages); i++) {
		struct text message = messages[i].message;
		size_t limit = messages[i].limit;

		for (size_t way = 0; way < guarded_ways(message); way++) {
			struct reading reading = { .items = BUF_INIT(10000) };

			rfc5322_init(&reading.reader, limit ? limit : 1000);
			guarded_feed(message, way, push, &reading);
			rfc5322_finish(&reading.reader);
			pull(&reading);
			assert_bytes(messages[i].name, buf_text(&reading.items),
				     messages[i].items);
			rfc5322_free(&reading.reader);
			buf_free(&reading.items);
		}
	}
}

/* A body in one endless line is no name without end. */
static void test_an_endless_word_is_a_body(void **state)
{
	enum { LEN = 5000 };
	char message[LEN];
	struct text whole;

	(void)state;
	memset(message, 'x', LEN);
	whole = text_make(message, LEN);
	for (size_t way = 990; way < 1010; way++) {
		struct reading reading = { .items = BUF_INIT(10000) };

		rfc5322_init(&reading.reader, 2000);
		guarded_feed(whole, way, push, &reading);
		assert_int_equal(buf_len(&reading.items), 4 + LEN);
		assert_memory_equal(buf_string(&reading.items), "END-xx", 6);
		rfc5322_free(&reading.reader);
		buf_free(&reading.items);
	}
}

/* Nothing that a message can hold makes more than the limit be kept. */
static void test_memory_is_bounded(void **state)
{
	struct reading reading = { .items = BUF_INIT(1000) };
	char line[100];

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "A: ", 3);
	rfc5322_init(&reading.reader, 1000);
	push(&reading, text_make(line, sizeof(line)));
	for (int i = 0; i < 100; i++)
		push(&reading, text_make(line + 3, sizeof(line) - 3));
	assert_bytes("items", buf_text(&reading.items), TEXT("BIG"));
	assert_true(reading.reader.held.size <= 1000);
	rfc5322_free(&reading.reader);
	buf_free(&reading.items);
}

static void test_field_names(void **state)
{
	struct rfc5322_field field = { .name = TEXT("MESSAGE-id") };

	(void)state;
	assert_true(rfc5322_field_is(&field, "Message-ID"));
	assert_false(rfc5322_field_is(&field, "Message"));
}

static const struct {
	struct text value, line;
} folds[] = {
	{ BYTES(" a b "), BYTES("a b") },
	{ BYTES(" a\r\n b\r\n\tc"), BYTES("a b c") },
	{ BYTES(" a \r\n \t b"), BYTES("a b") },
	{ BYTES("\r\n a"), BYTES("a") },
	{ BYTES(" a\r\n \r\n b\r\n"), BYTES("a b") },
	{ BYTES(" a  b"), BYTES("a  b") },
	{ BYTES(" a\n b"), BYTES("a b") },
	{ BYTES(""), BYTES("") },
	{ BYTES(" \r\n \r\n"), BYTES("") },
};

static void test_unfolds(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(folds); i++) {
		struct guarded value = guarded_copy(folds[i].value);
		struct buf out = BUF_INIT(100);

		rfc5322_unfold(&out, value.text);
		assert_bytes("line", buf_text(&out), folds[i].line);
		buf_free(&out);
		guarded_free(&value);
	}
}

static const struct {
	int64_t seconds;
	int offset;
	const char *date;
} dates[] = {
	{ 0, 0, "Thu, 01 Jan 1970 00:00:00 +0000" },
	{ 1795227655, 0, "Sat, 21 Nov 2026 02:20:55 +0000" },
	{ 1795227655, -300, "Fri, 20 Nov 2026 21:20:55 -0500" },
	{ 1795227655, 345, "Sat, 21 Nov 2026 08:05:55 +0545" },
	{ 951782400, 0, "Tue, 29 Feb 2000 00:00:00 +0000" },
	{ 4102444799, 0, "Thu, 31 Dec 2099 23:59:59 +0000" },
};

static void test_dates(void **state)
{
	char out[40];

	(void)state;
	for (size_t i = 0; i < COUNT(dates); i++) {
		rfc5322_date(out, dates[i].seconds, dates[i].offset);
		assert_string_equal(out, dates[i].date);
	}
	rfc5322_date(out, INT64_MAX / 2, 0);
	assert_true(strlen(out) < sizeof(out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_whole_and_split),
		cmocka_unit_test(test_an_endless_word_is_a_body),
		cmocka_unit_test(test_memory_is_bounded),
		cmocka_unit_test(test_field_names),
		cmocka_unit_test(test_unfolds),
		cmocka_unit_test(test_dates),
	};

	return cmocka_run_group_tests_name("rfc5322", tests, NULL, NULL);
}
