/* Mail data: read whole and in pieces alike; nothing comes out but CRLF line
 * ends; and what is written again ends where we end it and nowhere before. */
#include <string.h>

#include "proto/smtp_data.h"
#include "tests/fuzz/fuzz.h"

static bool read_with(struct text input, unsigned step, bool lf_end,
		      struct smtp_data_reader *reader, struct buf *content,
		      size_t *left_r)
{
	struct text piece, part;
	int result = 0;

	smtp_data_reader_init(reader);
	reader->lf_end = lf_end;
	while (result >= 0 && fuzz_piece(&input, &step, &piece)) {
		while ((result = smtp_data_read(reader, &piece, &part)) > 0)
			buf_text_append(content, part);
		must(result < 0 || piece.len == 0);
		*left_r = input.len + piece.len;
	}
	must(reader->stats.octets == buf_len(content));
	return result < 0;
}

static bool read_all(struct text input, unsigned step,
		     struct smtp_data_reader *reader, struct buf *content,
		     size_t *left_r)
{
	return read_with(input, step, false, reader, content, left_r);
}

static bool has(struct text text, const char *sequence, size_t len)
{
	return text.len > 0 &&
	       memmem(text.data, text.len, sequence, len) != NULL;
}

/* Each CR is followed by LF, and each LF follows a CR. */
static void check_line_ends(struct text content)
{
	for (size_t i = 0; i < content.len; i++) {
		if (content.data[i] == '\r')
			must(i + 1 < content.len &&
			     content.data[i + 1] == '\n');
		if (content.data[i] == '\n')
			must(i > 0 && content.data[i - 1] == '\r');
	}
}

static void check_stats(const struct smtp_data_stats *stats,
			struct text content)
{
	uint64_t nul = 0, has_8bit = 0, line = 0, longest = 0;

	for (size_t i = 0; i < content.len; i++) {
		nul += content.data[i] == '\0';
		has_8bit += (unsigned char)content.data[i] > 127;
		line = content.data[i] == '\n' ? 0 : line + 1;
		if (content.data[i] != '\r' && line > longest)
			longest = line;
	}
	must(stats->nul == nul && stats->has_8bit == has_8bit);
	must(stats->longest_line == longest);
}

static bool equal(const struct smtp_data_stats *a,
		  const struct smtp_data_stats *b)
{
	return a->octets == b->octets && a->bare_cr == b->bare_cr &&
	       a->bare_lf == b->bare_lf && a->nul == b->nul &&
	       a->has_8bit == b->has_8bit &&
	       a->longest_line == b->longest_line && a->lf_dot == b->lf_dot &&
	       a->lf_ended == b->lf_ended;
}

static void write_again(struct text content, unsigned step, struct buf *wire)
{
	struct smtp_data_writer writer;
	struct text piece;

	smtp_data_writer_init(&writer);
	while (fuzz_piece(&content, &step, &piece))
		smtp_data_write(&writer, wire, piece);
	smtp_data_write_end(&writer, wire);
}

static void check_wire(struct text wire, struct text content)
{
	struct buf again = BUF_INIT(SIZE_MAX);
	struct smtp_data_reader reader;
	size_t left = 0;

	must(wire.len >= 3);
	must(!has(text_make(wire.data, wire.len - 1), "\r\n.\r\n", 5));
	must(!has(wire, "\n.\n", 3) && !has(wire, "\r.\r", 3));
	must(read_all(wire, 0, &reader, &again, &left) && left == 0);
	must(text_equal(buf_text(&again), content));
	must(reader.stats.bare_cr == 0 && reader.stats.bare_lf == 0);
	must(!reader.stats.lf_dot);
	buf_free(&again);
}

static void check_content(struct text content, unsigned step)
{
	struct buf wire = BUF_INIT(SIZE_MAX), split = BUF_INIT(SIZE_MAX);

	write_again(content, 0, &wire);
	write_again(content, step, &split);
	must(text_equal(buf_text(&wire), buf_text(&split)));
	check_wire(buf_text(&wire), content);
	buf_free(&wire);
	buf_free(&split);
}

/* The input ends the data where, and only where, CRLF "." CRLF stands. */
static void check_end(struct text input, bool ended, size_t left)
{
	struct text taken = text_make(input.data, input.len - left);

	if (!ended) {
		must(!has(input, "\r\n.\r\n", 5));
		return;
	}
	must(taken.len >= 3 &&
	     memcmp(taken.data + taken.len - 3, ".\r\n", 3) == 0);
	must(taken.len == 3 ||
	     memcmp(taken.data + taken.len - 5, "\r\n.\r\n", 5) == 0);
	must(!has(text_make(taken.data, taken.len - 1), "\r\n.\r\n", 5));
}

/* Where LF "." LF ends it: with no CR before, but that of the end itself. */
static size_t lf_end_of(struct text input)
{
	for (size_t i = 0; i < input.len && input.data[i] != '\r'; i++) {
		struct text rest = text_skip(input, i);

		if ((i == 0 || input.data[i - 1] == '\n') &&
		    (text_starts(rest, ".\n") ||
		     (i > 0 && text_starts(rest, ".\r\n"))))
			return i + (rest.data[1] == '\r' ? 3 : 2);
	}
	return 0;
}

static void check_lf_end(struct text input, unsigned step, bool ended,
			 size_t left)
{
	struct buf whole = BUF_INIT(SIZE_MAX), split = BUF_INIT(SIZE_MAX);
	struct smtp_data_reader reader[2];
	size_t lf_left[2] = { 0, 0 }, end = lf_end_of(input);
	bool lf_ended =
		read_with(input, 0, true, &reader[0], &whole, &lf_left[0]);

	must(read_with(input, step, true, &reader[1], &split, &lf_left[1]) ==
	     lf_ended);
	must(text_equal(buf_text(&whole), buf_text(&split)));
	must(lf_left[0] == lf_left[1]);
	must(equal(&reader[0].stats, &reader[1].stats));
	must(reader[0].stats.lf_ended == (end > 0));
	must(lf_ended == (end > 0 || ended));
	must(!lf_ended || lf_left[0] == (end > 0 ? input.len - end : left));
	check_line_ends(buf_text(&whole));
	check_stats(&reader[0].stats, buf_text(&whole));
	buf_free(&whole);
	buf_free(&split);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = BUF_INIT(SIZE_MAX), split = BUF_INIT(SIZE_MAX);
	unsigned step = fuzz_step(&data, &size);
	struct text input = text_make((const char *)data, size);
	size_t left[2] = { 0, 0 };
	struct smtp_data_reader reader[2];
	bool ended = read_all(input, 0, &reader[0], &whole, &left[0]);

	must(read_all(input, step, &reader[1], &split, &left[1]) == ended);
	must(text_equal(buf_text(&whole), buf_text(&split)));
	must(left[0] == left[1]);
	must(equal(&reader[0].stats, &reader[1].stats));
	check_end(input, ended, left[0]);
	check_line_ends(buf_text(&whole));
	check_stats(&reader[0].stats, buf_text(&whole));
	if (ended)
		check_content(buf_text(&whole), step);
	check_lf_end(input, step, ended, left[0]);
	buf_free(&whole);
	buf_free(&split);
	return 0;
}
