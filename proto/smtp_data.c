#include "proto/smtp_data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the next byte is to the reader. */
enum byte { BYTE_CR, BYTE_LF, BYTE_DOT, BYTE_OTHER, BYTES };

/* What the reader does with it: where it goes, whether the byte is taken,
 * what comes out in its place, and what is noted. */
struct step {
	enum smtp_data_state next;
	bool keep; /* look at the byte again in the next state */
	enum { OUT_NONE, OUT_CRLF, OUT_DOT } out;
	bool bare_cr, bare_lf, lf_dot;
};

#define LONE_LF                                                                \
	{                                                                      \
		.next = SMTP_DATA_LF_START, .out = OUT_CRLF, .bare_lf = true   \
	}
#define LONE_CR                                                                \
	{                                                                      \
		.next = SMTP_DATA_LF_START, .keep = true, .out = OUT_CRLF,     \
		.bare_cr = true                                                \
	}
#define LOOK_AGAIN(state)                                                      \
	{                                                                      \
		.next = state, .keep = true                                    \
	}

/*
 * RFC 5321 4.5.2, 4.1.1.4: only CRLF "." CRLF ends the data.  Bytes that leave
 * as they came (a DOT or OTHER inside a line, CRLF between clean lines) are
 * passed by clean_run() and have no step here.
 */
static const struct step steps[][BYTES] = {
	[SMTP_DATA_LINE] = {
		[BYTE_CR] = { .next = SMTP_DATA_CR },
		[BYTE_LF] = LONE_LF,
	},
	[SMTP_DATA_CR] = {
		[BYTE_CR] = { .next = SMTP_DATA_CR, .bare_cr = true },
		[BYTE_LF] = { .next = SMTP_DATA_START, .out = OUT_CRLF },
		[BYTE_DOT] = LONE_CR,
		[BYTE_OTHER] = LONE_CR,
	},
	[SMTP_DATA_START] = {
		[BYTE_CR] = { .next = SMTP_DATA_CR },
		[BYTE_LF] = LONE_LF,
		[BYTE_DOT] = { .next = SMTP_DATA_DOT },
	},
	[SMTP_DATA_LF_START] = {
		[BYTE_CR] = { .next = SMTP_DATA_CR },
		[BYTE_LF] = LONE_LF,
		[BYTE_DOT] = { .next = SMTP_DATA_LF_DOT, .out = OUT_DOT },
	},
	/* With lf_end also after LF: see step_for(). */
	[SMTP_DATA_DOT] = {
		[BYTE_CR] = { .next = SMTP_DATA_DOT_CR },
		[BYTE_LF] = LONE_LF,
		[BYTE_DOT] = LOOK_AGAIN(SMTP_DATA_LINE),
		[BYTE_OTHER] = LOOK_AGAIN(SMTP_DATA_LINE),
	},
	[SMTP_DATA_DOT_CR] = {
		[BYTE_CR] = { .next = SMTP_DATA_CR, .bare_cr = true },
		[BYTE_LF] = { .next = SMTP_DATA_END },
		[BYTE_DOT] = LOOK_AGAIN(SMTP_DATA_CR),
		[BYTE_OTHER] = LOOK_AGAIN(SMTP_DATA_CR),
	},
	[SMTP_DATA_LF_DOT] = {
		[BYTE_CR] = { .next = SMTP_DATA_CR, .lf_dot = true },
		[BYTE_LF] = { .next = SMTP_DATA_LF_START, .out = OUT_CRLF,
			      .bare_lf = true, .lf_dot = true },
		[BYTE_DOT] = LOOK_AGAIN(SMTP_DATA_LINE),
		[BYTE_OTHER] = LOOK_AGAIN(SMTP_DATA_LINE),
	},
};

void smtp_data_reader_init(struct smtp_data_reader *reader)
{
	*reader = (struct smtp_data_reader){ .state = SMTP_DATA_START };
}

static enum byte byte_class(char c)
{
	return c == '\r'   ? BYTE_CR
	       : c == '\n' ? BYTE_LF
	       : c == '.'  ? BYTE_DOT
			   : BYTE_OTHER;
}

static void add_to_line(struct smtp_data_reader *reader, size_t len)
{
	reader->line += len;
	if (reader->line > reader->stats.longest_line)
		reader->stats.longest_line = reader->line;
}

/* Octets before the first CR or LF.  The window keeps the two searches from
 * running far ahead of each other again and again: time stays linear. */
static size_t before_line_end(const char *data, size_t len)
{
	enum { WINDOW = 1024 };
	const char *end;

	if (len > WINDOW)
		len = WINDOW;
	end = memchr(data, '\n', len);
	if (end != NULL)
		len = (size_t)(end - data);
	end = memchr(data, '\r', len);
	return end != NULL ? (size_t)(end - data) : len;
}

static bool is_crlf(struct text text)
{
	return text.len >= 2 && text.data[0] == '\r' && text.data[1] == '\n';
}

/* How many octets leave as they came: lines with their CRLF, up to a dot to be
 * judged, a line end to be mended or the end of input. */
static size_t clean_run(struct smtp_data_reader *reader, struct text in)
{
	size_t at = 0;

	while (at < in.len) {
		size_t len;

		if (in.data[at] == '.' && reader->state != SMTP_DATA_LINE)
			break;
		len = before_line_end(in.data + at, in.len - at);
		if (len > 0) {
			add_to_line(reader, len);
			reader->state = SMTP_DATA_LINE;
			at += len;
		}
		if (is_crlf(text_skip(in, at))) {
			reader->lf_end = false;
			reader->line = 0;
			reader->state = SMTP_DATA_START;
			at += 2;
		} else if (len == 0) {
			break;
		}
	}
	return at;
}

static uint64_t count_flags(uint64_t flags)
{
	return (flags >> 7) * UINT64_C(0x0101010101010101) >> 56;
}

/* Eight octets at a time: each of them leaves its flag in its top bit. */
static void count_word(struct smtp_data_stats *stats, uint64_t word)
{
	const uint64_t low = UINT64_C(0x7f7f7f7f7f7f7f7f);
	uint64_t high = word & ~low;
	uint64_t zero = ~(((word & low) + low) | word | low);

	if ((high | zero) == 0)
		return;
	stats->has_8bit += count_flags(high);
	stats->nul += count_flags(zero);
}

static void count_octets(struct smtp_data_stats *stats, struct text piece)
{
	uint64_t word;

	stats->octets += piece.len;
	while (piece.len >= sizeof(word)) {
		memcpy(&word, piece.data, sizeof(word));
		count_word(stats, word);
		piece.data += sizeof(word);
		piece.len -= sizeof(word);
	}
	word = UINT64_C(0x0101010101010101);
	if (piece.len > 0)
		memcpy(&word, piece.data, piece.len);
	count_word(stats, word);
}

static bool passes_clean(enum smtp_data_state state)
{
	return state == SMTP_DATA_LINE || state == SMTP_DATA_START ||
	       state == SMTP_DATA_LF_START;
}

static const struct step *step_for(const struct smtp_data_reader *reader,
				   enum byte byte)
{
	static const struct step line_end = { .next = SMTP_DATA_START,
					      .out = OUT_CRLF,
					      .bare_lf = true };
	static const struct step end = { .next = SMTP_DATA_END };
	const struct step *step = &steps[reader->state][byte];

	if (!reader->lf_end || byte != BYTE_LF || !step->bare_lf)
		return step;
	return reader->state == SMTP_DATA_DOT ? &end : &line_end;
}

/* The one CR that may come with lf_end is that of the end itself. */
static void note_end(struct smtp_data_reader *reader, enum byte byte,
		     enum smtp_data_state before)
{
	if (reader->state == SMTP_DATA_END)
		reader->stats.lf_ended =
			before == SMTP_DATA_DOT ||
			(reader->lf_end && reader->stats.bare_lf > 0);
	else if (byte == BYTE_CR && reader->state != SMTP_DATA_DOT_CR)
		reader->lf_end = false;
	else if (before == SMTP_DATA_DOT_CR)
		reader->lf_end = false;
}

static bool take_step(struct smtp_data_reader *reader, struct text *input,
		      struct text *piece_r)
{
	enum smtp_data_state before = reader->state;
	enum byte byte = byte_class(input->data[0]);
	const struct step *step = step_for(reader, byte);

	reader->state = step->next;
	reader->stats.bare_cr += step->bare_cr;
	reader->stats.bare_lf += step->bare_lf;
	reader->stats.lf_dot |= step->lf_dot;
	note_end(reader, byte, before);
	if (!step->keep)
		*input = text_skip(*input, 1);
	if (step->out == OUT_NONE)
		return false;
	*piece_r = text_of(step->out == OUT_CRLF ? "\r\n" : ".");
	if (step->out == OUT_CRLF)
		reader->line = 0;
	else
		add_to_line(reader, 1);
	return true;
}

static bool take_run(struct smtp_data_reader *reader, struct text *input,
		     struct text *piece_r)
{
	if (!passes_clean(reader->state))
		return false;
	*piece_r = text_make(input->data, clean_run(reader, *input));
	*input = text_skip(*input, piece_r->len);
	return piece_r->len > 0;
}

int smtp_data_read(struct smtp_data_reader *reader, struct text *input,
		   struct text *piece_r)
{
	while (input->len > 0 && reader->state != SMTP_DATA_END) {
		if (take_run(reader, input, piece_r) ||
		    take_step(reader, input, piece_r)) {
			count_octets(&reader->stats, *piece_r);
			return 1;
		}
	}
	return reader->state == SMTP_DATA_END ? -1 : 0;
}

void smtp_data_writer_init(struct smtp_data_writer *writer)
{
	*writer = (struct smtp_data_writer){ .line_start = true };
}

/* Mail with a hole in it must not reach its end. */
static void put(struct buf *out, const char *data, size_t len)
{
	if (buf_append(out, data, len))
		return;
	fputs("lanpost: no room for mail data; this is a defect\n", stderr);
	abort();
}

/* Whether a line begins at data[at]. */
static bool begins_line(const struct smtp_data_writer *writer, const char *data,
			size_t at)
{
	if (at == 0)
		return writer->line_start;
	if (data[at - 1] != '\n')
		return false;
	return at == 1 ? writer->after_cr : data[at - 2] == '\r';
}

void smtp_data_write(struct smtp_data_writer *writer, struct buf *out,
		     struct text content)
{
	const char *data = content.data, *dot;
	size_t written = 0, at = 0;

	if (content.len == 0)
		return;
	while ((dot = memchr(data + at, '.', content.len - at)) != NULL) {
		at = (size_t)(dot - data);
		if (begins_line(writer, data, at)) {
			put(out, data + written, at - written);
			put(out, ".", 1);
			written = at;
		}
		at++;
	}
	put(out, data + written, content.len - written);
	writer->line_start = begins_line(writer, data, content.len);
	writer->after_cr = data[content.len - 1] == '\r';
}

void smtp_data_write_end(struct smtp_data_writer *writer, struct buf *out)
{
	if (!writer->line_start)
		put(out, "\r\n", 2);
	put(out, ".\r\n", 3);
	smtp_data_writer_init(writer);
}
