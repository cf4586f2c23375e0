#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/smtp_data.h"
#include "tests/support/bytes.h"
#include "tests/support/guarded.h"

/* What comes out; then "<END>" and what was left as commands. */
static const struct {
	const char *name;
	struct text wire, content;
} messages[] = {
	{ "plain", BYTES("a\r\nb\r\n.\r\n"), BYTES("a\r\nb\r\n<END>") },
	{ "commands follow", BYTES("a\r\n.\r\nQUIT\r\n"),
	  BYTES("a\r\n<END>QUIT\r\n") },
	{ "empty", BYTES(".\r\n"), BYTES("<END>") },
	{ "one empty line", BYTES("\r\n.\r\n"), BYTES("\r\n<END>") },
	{ "dots doubled", BYTES("..\r\n...a\r\nb..\r\n.\r\n"),
	  BYTES(".\r\n..a\r\nb..\r\n<END>") },
	{ "a dot not doubled", BYTES(".a\r\n.\r\n"), BYTES("a\r\n<END>") },
	{ "a dot inside", BYTES("a.\r\nb.c\r\n.\r\n"),
	  BYTES("a.\r\nb.c\r\n<END>") },
	{ "no end yet", BYTES("a\r\n."), BYTES("a\r\n") },
	{ "no end, CR", BYTES("a\r\n.\r"), BYTES("a\r\n") },
	{ "CR at the end of input", BYTES("a\r"), BYTES("a") },

	/* Sequences that some server somewhere takes for the end of data.
	 * Here they are content; "x" and the real end follow. */
	{ "LF.LF", BYTES("a\n.\nx\r\n.\r\n"), BYTES("a\r\n.\r\nx\r\n<END>") },
	{ "LF.CRLF", BYTES("a\n.\r\nx\r\n.\r\n"),
	  BYTES("a\r\n.\r\nx\r\n<END>") },
	{ "LF.CR", BYTES("a\n.\rx\r\n.\r\n"), BYTES("a\r\n.\r\nx\r\n<END>") },
	{ "CR.CR", BYTES("a\r.\rx\r\n.\r\n"), BYTES("a\r\n.\r\nx\r\n<END>") },
	{ "CR.LF", BYTES("a\r.\nx\r\n.\r\n"), BYTES("a\r\n.\r\nx\r\n<END>") },
	{ "CR.CRLF", BYTES("a\r.\r\nx\r\n.\r\n"),
	  BYTES("a\r\n.\r\nx\r\n<END>") },
	{ "CRLF.CR", BYTES("a\r\n.\rx\r\n.\r\n"),
	  BYTES("a\r\n\r\nx\r\n<END>") },
	{ "CRLF.LF", BYTES("a\r\n.\nx\r\n.\r\n"),
	  BYTES("a\r\n\r\nx\r\n<END>") },
	{ "CRLF.CRCRLF", BYTES("a\r\n.\r\r\nx\r\n.\r\n"),
	  BYTES("a\r\n\r\nx\r\n<END>") },
	{ "CRCRLF.CRCRLF", BYTES("a\r\r\n.\r\r\nx\r\n.\r\n"),
	  BYTES("a\r\n\r\nx\r\n<END>") },
	{ "CRLF.NUL CRLF", BYTES("a\r\n.\0\r\nx\r\n.\r\n"),
	  BYTES("a\r\n\0\r\nx\r\n<END>") },
	{ "CRLF NUL.CRLF", BYTES("a\r\n\0.\r\nx\r\n.\r\n"),
	  BYTES("a\r\n\0.\r\nx\r\n<END>") },
	{ "CR NUL LF.CRLF", BYTES("a\r\0\n.\r\nx\r\n.\r\n"),
	  BYTES("a\r\n\0\r\n.\r\nx\r\n<END>") },
	{ "CRLF.CR NUL LF", BYTES("a\r\n.\r\0\nx\r\n.\r\n"),
	  BYTES("a\r\n\r\n\0\r\nx\r\n<END>") },
	{ "NUL CRLF. CRLF", BYTES("a\0\r\n. \r\nx\r\n.\r\n"),
	  BYTES("a\0\r\n \r\nx\r\n<END>") },
	{ "LF CR.LF CR", BYTES("a\n\r.\n\rx\r\n.\r\n"),
	  BYTES("a\r\n\r\n.\r\n\r\nx\r\n<END>") },
	{ "LF LF.LF LF", BYTES("a\n\n.\n\nx\r\n.\r\n"),
	  BYTES("a\r\n\r\n.\r\n\r\nx\r\n<END>") },
	{ "LF.LF at once", BYTES("\n.\nx\r\n.\r\n"),
	  BYTES("\r\n.\r\nx\r\n<END>") },
	{ "dot and LF at once", BYTES(".\nx\r\n.\r\n"),
	  BYTES("\r\nx\r\n<END>") },
	{ "dot and CR at once", BYTES(".\rx\r\n.\r\n"),
	  BYTES("\r\nx\r\n<END>") },
	{ "LF..CRLF", BYTES("a\n..\r\nx\r\n.\r\n"),
	  BYTES("a\r\n..\r\nx\r\n<END>") },
	{ "LF.x", BYTES("a\n.x\r\n.\r\n"), BYTES("a\r\n.x\r\n<END>") },
	{ "a whole smuggled dialogue",
	  BYTES("a\n.\r\nMAIL FROM:<x@y>\r\nRCPT TO:<z@w>\r\nDATA\r\n"
		"b\r\n.\r\n"),
	  BYTES("a\r\n.\r\nMAIL FROM:<x@y>\r\nRCPT TO:<z@w>\r\nDATA\r\n"
		"b\r\n<END>") },

	/* Here the five octets CRLF.CRLF do stand on the wire. */
	{ "CR CRLF.CRLF", BYTES("a\r\r\n.\r\nx"), BYTES("a\r\n<END>x") },
	{ "LF CRLF.CRLF", BYTES("a\n\r\n.\r\nx"), BYTES("a\r\n\r\n<END>x") },
	{ "CRLF.CRLF twice", BYTES("a\r\n.\r\n.\r\n"),
	  BYTES("a\r\n<END>.\r\n") },

	/* Line ends. */
	{ "LF only", BYTES("a\n\nb\n.\r\nc\r\n.\r\n"),
	  BYTES("a\r\n\r\nb\r\n.\r\nc\r\n<END>") },
	{ "CR only", BYTES("a\r\rb\r\n.\r\n"), BYTES("a\r\nb\r\n<END>") },
	{ "CR CR CR LF", BYTES("a\r\r\r\nb\r\n.\r\n"),
	  BYTES("a\r\nb\r\n<END>") },
	{ "CR LF CR", BYTES("a\r\n\rb\r\n.\r\n"),
	  BYTES("a\r\n\r\nb\r\n<END>") },
};

struct taken {
	struct smtp_data_reader reader;
	struct buf content;
	bool ended;
};

static void take(void *ctx, struct text piece)
{
	struct taken *taken = ctx;
	struct text content;
	int result = -1;

	while (!taken->ended && (result = smtp_data_read(&taken->reader, &piece,
							 &content)) > 0) {
		assert_true(content.len > 0);
		buf_text_append(&taken->content, content);
	}
	if (result == 0) {
		assert_int_equal(piece.len, 0);
		return;
	}
	if (!taken->ended)
		buf_puts(&taken->content, "<END>");
	taken->ended = true;
	buf_text_append(&taken->content, piece);
}

static void begin(struct taken *taken)
{
	*taken = (struct taken){ .content = BUF_INIT(1 << 20) };
	smtp_data_reader_init(&taken->reader);
}

static void test_reads_whole_and_split(void **state)
{
	struct taken taken;

	(void)state;
	for (size_t i = 0; i < COUNT(messages); i++) {
		struct text wire = messages[i].wire;

		for (size_t way = 0; way < guarded_ways(wire); way++) {
			begin(&taken);
			guarded_feed(wire, way, take, &taken);
			assert_bytes(messages[i].name, buf_text(&taken.content),
				     messages[i].content);
			buf_free(&taken.content);
		}
	}
}

static const struct {
	struct text wire;
	struct smtp_data_stats stats;
} counts[] = {
	{ BYTES(".\r\n"), { 0 } },
	{ BYTES("abc\r\nde\r\n.\r\n"), { .octets = 9, .longest_line = 3 } },
	{ BYTES("a\rb\nc\0\0\xff\xc3\xa4\r\r\n.\r\n"),
	  { .octets = 14,
	    .bare_cr = 2,
	    .bare_lf = 1,
	    .nul = 2,
	    .has_8bit = 3,
	    .longest_line = 6 } },
	{ BYTES("a\n.\r\n.\r\n"),
	  { .octets = 6, .bare_lf = 1, .longest_line = 1, .lf_dot = true } },
	{ BYTES("a\n.\n"),
	  { .octets = 6, .bare_lf = 2, .longest_line = 1, .lf_dot = true } },
	{ BYTES("a\n.b\n"), { .octets = 7, .bare_lf = 2, .longest_line = 2 } },
	{ BYTES("a\n..\n"), { .octets = 7, .bare_lf = 2, .longest_line = 2 } },
	{ BYTES("\0\x7f\x80\x01\x81\0\xff\x7f"
		"\x80\0"),
	  { .octets = 10, .nul = 3, .has_8bit = 4, .longest_line = 10 } },
};

static void test_counts(void **state)
{
	struct taken taken;

	(void)state;
	for (size_t i = 0; i < COUNT(counts); i++) {
		for (size_t way = 0; way < guarded_ways(counts[i].wire);
		     way++) {
			const struct smtp_data_stats *stats =
				&taken.reader.stats;

			begin(&taken);
			guarded_feed(counts[i].wire, way, take, &taken);
			buf_free(&taken.content);
			assert_int_equal(stats->octets, counts[i].stats.octets);
			assert_int_equal(stats->bare_cr,
					 counts[i].stats.bare_cr);
			assert_int_equal(stats->bare_lf,
					 counts[i].stats.bare_lf);
			assert_int_equal(stats->nul, counts[i].stats.nul);
			assert_int_equal(stats->has_8bit,
					 counts[i].stats.has_8bit);
			assert_int_equal(stats->longest_line,
					 counts[i].stats.longest_line);
			assert_int_equal(stats->lf_dot, counts[i].stats.lf_dot);
		}
	}
}

/* A clean chunk comes out as one view of the input. */
static void test_a_clean_chunk_is_one_view(void **state)
{
	enum { LINES = 900, WIDTH = 73 };
	char *chunk = malloc(LINES * WIDTH);
	struct smtp_data_reader reader;
	struct text input, piece;

	(void)state;
	assert_non_null(chunk);
	memset(chunk, 'x', LINES * WIDTH);
	for (size_t i = WIDTH; i <= LINES * WIDTH; i += WIDTH)
		memcpy(chunk + i - 2, "\r\n", 2);
	input = text_make(chunk, LINES * WIDTH);
	smtp_data_reader_init(&reader);
	assert_int_equal(smtp_data_read(&reader, &input, &piece), 1);
	assert_ptr_equal(piece.data, chunk);
	assert_int_equal(piece.len, LINES * WIDTH);
	assert_int_equal(smtp_data_read(&reader, &input, &piece), 0);
	free(chunk);
}

/* Long lines, at every distance from the window the reader looks through. */
static void test_long_lines(void **state)
{
	struct taken taken;
	char wire[4200];

	(void)state;
	for (size_t len = 900; len < 4150; len += len % 1024 < 4 ? 1 : 61) {
		memset(wire, 'x', len);
		memcpy(wire + len, "\r\n.\r\n", 5);
		begin(&taken);
		take(&taken, text_make(wire, len + 5));
		assert_int_equal(buf_len(&taken.content), len + 7);
		assert_int_equal(taken.reader.stats.longest_line, len);
		assert_int_equal(taken.reader.stats.bare_cr, 0);
		buf_free(&taken.content);
	}
}

static const struct {
	struct text content, wire;
} written[] = {
	{ BYTES(""), BYTES(".\r\n") },
	{ BYTES("a\r\n"), BYTES("a\r\n.\r\n") },
	{ BYTES("a"), BYTES("a\r\n.\r\n") },
	{ BYTES(".\r\n"), BYTES("..\r\n.\r\n") },
	{ BYTES("."), BYTES("..\r\n.\r\n") },
	{ BYTES("..a\r\n.b.c\r\nd.\r\n"),
	  BYTES("...a\r\n..b.c\r\nd.\r\n.\r\n") },
	{ BYTES("\r\n.\r\n.\r\n"), BYTES("\r\n..\r\n..\r\n.\r\n") },
	/* Only CRLF begins a line, for us as for the server. */
	{ BYTES("a\n.b\r.\r\n"), BYTES("a\n.b\r.\r\n.\r\n") },
	{ BYTES("a\0.\r\n\0.\r\n"), BYTES("a\0.\r\n\0.\r\n.\r\n") },
};

struct writing {
	struct smtp_data_writer writer;
	struct buf wire;
};

static void write_piece(void *ctx, struct text piece)
{
	struct writing *writing = ctx;

	smtp_data_write(&writing->writer, &writing->wire, piece);
}

static void test_writes_whole_and_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(written); i++) {
		struct text content = written[i].content;

		for (size_t way = 0; way < guarded_ways(content); way++) {
			struct writing writing = { .wire = BUF_INIT(1000) };

			smtp_data_writer_init(&writing.writer);
			guarded_feed(content, way, write_piece, &writing);
			smtp_data_write_end(&writing.writer, &writing.wire);
			assert_bytes("wire", buf_text(&writing.wire),
				     written[i].wire);
			buf_free(&writing.wire);
		}
	}
}

/* All strings over the bytes that matter: what the reader lets out, written
 * again, ends at its end and nowhere before, and reads as the same content. */
static void check_round_trip(const char *wire, size_t len)
{
	struct taken first, second;
	struct writing writing = { .wire = BUF_INIT(1000) };
	struct text content;

	begin(&first);
	take(&first, text_make(wire, len));
	content = buf_text(&first.content);
	assert_true(first.ended);
	content.len = first.reader.stats.octets;
	smtp_data_writer_init(&writing.writer);
	smtp_data_write(&writing.writer, &writing.wire, content);
	smtp_data_write_end(&writing.writer, &writing.wire);
	begin(&second);
	take(&second, buf_text(&writing.wire));
	assert_int_equal(buf_len(&second.content), content.len + 5);
	assert_memory_equal(buf_text(&second.content).data, content.data,
			    content.len);
	assert_int_equal(second.reader.stats.bare_cr, 0);
	assert_int_equal(second.reader.stats.bare_lf, 0);
	buf_free(&first.content);
	buf_free(&second.content);
	buf_free(&writing.wire);
}

/* With lf_end; lf: LF "." LF was taken for the end. */
static const struct {
	struct text wire, content;
	bool lf;
} lf_messages[] = {
	{ BYTES("a\nb\n.\nQUIT\n"), BYTES("a\r\nb\r\n<END>QUIT\n"), true },
	{ BYTES("a\n.\r\nx"), BYTES("a\r\n<END>x"), true },
	{ BYTES(".\nx"), BYTES("<END>x"), true },
	{ BYTES("\n.\n"), BYTES("\r\n<END>"), true },
	/* Dots are taken off while it has shown no CR. */
	{ BYTES("..a\n..\n...\n.b\n.\n"),
	  BYTES(".a\r\n.\r\n..\r\nb\r\n<END>"), true },
	{ BYTES("a.\n.b.\n. \n.\n"), BYTES("a.\r\nb.\r\n \r\n<END>"), true },
	/* One CR, and it is a device that knows CRLF. */
	{ BYTES("a\r\nb\n.\nc\n..\r\n.\r\nx"),
	  BYTES("a\r\nb\r\n.\r\nc\r\n..\r\n<END>x"), false },
	{ BYTES("a\rb\n.\n\r\n.\r\n"),
	  BYTES("a\r\nb\r\n.\r\n\r\n<END>"), false },
	{ BYTES("a\n.\rb\n.\n\r\n.\r\n"),
	  BYTES("a\r\n\r\nb\r\n.\r\n\r\n<END>"), false },
	{ BYTES("a\n.\r\r\n.\r\n"), BYTES("a\r\n\r\n<END>"), false },
	{ BYTES("a\r\n.\nb\r\n.\r\n"), BYTES("a\r\n\r\nb\r\n<END>"), false },
	/* The end of one that does it right is no LF.LF. */
	{ BYTES(".\r\nx"), BYTES("<END>x"), false },
	{ BYTES("a\r\n.\r\nx"), BYTES("a\r\n<END>x"), false },
	{ BYTES("a\nb\r\n.\r\nx"), BYTES("a\r\nb\r\n<END>x"), false },
	{ BYTES("a\n."), BYTES("a\r\n"), false },
};

static void begin_lf(struct taken *taken)
{
	begin(taken);
	taken->reader.lf_end = true;
}

static void test_lf_end_whole_and_split(void **state)
{
	struct taken taken;

	(void)state;
	for (size_t i = 0; i < COUNT(lf_messages); i++) {
		struct text wire = lf_messages[i].wire;

		for (size_t way = 0; way < guarded_ways(wire); way++) {
			begin_lf(&taken);
			guarded_feed(wire, way, take, &taken);
			assert_bytes("content", buf_text(&taken.content),
				     lf_messages[i].content);
			assert_int_equal(taken.reader.stats.lf_ended,
					 lf_messages[i].lf);
			buf_free(&taken.content);
		}
	}
}

/* Where the data ends, by the words of smtp_data.h; 0: not yet. */
static size_t end_by_the_book(struct text wire, bool *lf_r)
{
	bool cr = false;

	*lf_r = false;
	for (size_t i = 0; i < wire.len; i++) {
		struct text rest = text_skip(wire, i);
		bool crlf = i == 0 || (i >= 2 && wire.data[i - 1] == '\n' &&
				       wire.data[i - 2] == '\r');
		bool lf = !cr && (i == 0 || wire.data[i - 1] == '\n');

		if (crlf && text_starts(rest, ".\r\n"))
			return i + 3;
		*lf_r = lf && (text_starts(rest, ".\n") ||
			       text_starts(rest, ".\r\n"));
		if (*lf_r)
			return i + (rest.data[1] == '\r' ? 3 : 2);
		cr |= wire.data[i] == '\r';
	}
	return 0;
}

static void test_lf_end_by_the_book(void **state)
{
	enum { LENGTH = 8 };
	static const char bytes[] = { '\r', '\n', '.', 'x' };
	char wire[LENGTH + 6];

	(void)state;
	memcpy(wire + LENGTH, "x\r\n.\r\n", 6);
	for (unsigned i = 0; i < 1u << 2 * LENGTH; i++) {
		struct text rest = text_make(wire, sizeof(wire)), piece;
		struct smtp_data_reader reader;
		bool lf;

		for (unsigned n = 0; n < LENGTH; n++)
			wire[n] = bytes[i >> 2 * n & 3];
		smtp_data_reader_init(&reader);
		reader.lf_end = true;
		while (smtp_data_read(&reader, &rest, &piece) > 0)
			;
		assert_int_equal(sizeof(wire) - rest.len,
				 end_by_the_book(text_make(wire, sizeof(wire)),
						 &lf));
		assert_int_equal(reader.stats.lf_ended, lf);
	}
}

static void test_nothing_can_be_smuggled(void **state)
{
	enum { LENGTH = 7 };
	static const char bytes[] = { '\r', '\n', '.', 'x' };
	char wire[LENGTH + 6];

	(void)state;
	memcpy(wire + LENGTH, "x\r\n.\r\n", 6);
	for (unsigned i = 0; i < 1u << 2 * LENGTH; i++) {
		for (unsigned n = 0; n < LENGTH; n++)
			wire[n] = bytes[i >> 2 * n & 3];
		check_round_trip(wire, sizeof(wire));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_whole_and_split),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_a_clean_chunk_is_one_view),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_writes_whole_and_split),
		cmocka_unit_test(test_lf_end_whole_and_split),
		cmocka_unit_test(test_lf_end_by_the_book),
		cmocka_unit_test(test_nothing_can_be_smuggled),
	};

	return cmocka_run_group_tests_name("smtp_data", tests, NULL, NULL);
}
