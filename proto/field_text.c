#include "proto/field_text.h"

#include <errno.h>
#include <iconv.h>
#include <string.h>

#include "proto/rfc2047.h"
#include "proto/smtp_syntax.h"
#include "proto/utf8.h"

enum {
	COLUMN_MAX = 76, /* RFC 2047 2: of a line with encoded words */
	BLANKS_MAX = 64, /* of a run that is kept in a field written anew */
	CHUNK = 1024,
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* ---- reading ---- */

static bool decode_chunk(struct buf *out, iconv_t converter, struct text *rest)
{
	char chunk[CHUNK], *to = chunk;
	char *from = (char *)(uintptr_t)rest->data; /* iconv only reads it */
	size_t from_len = rest->len, room = sizeof(chunk);
	size_t result = iconv(converter, &from, &from_len, &to, &room);
	bool bad = result == (size_t)-1 && errno != E2BIG;

	buf_append(out, chunk, sizeof(chunk) - room);
	if (bad)
		buf_putc(out, '?');
	*rest = text_skip(*rest, rest->len - from_len + bad);
	return rest->len > 0;
}

/* Without tables for the charset: ISO 8859-1, which needs none. */
static void decode_latin1(struct buf *out, struct text text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c >= 0x80)
			buf_putc(out, (char)(0xc0 | c >> 6));
		buf_putc(out, c >= 0x80 ? (char)(0x80 | (c & 0x3f)) : (char)c);
	}
}

static void decode(struct buf *out, struct text text, const char *charset)
{
	iconv_t converter = (iconv_t)-1;

	if (charset != NULL)
		converter = iconv_open("UTF-8", charset);
	if (converter == (iconv_t)-1)
		converter = iconv_open("UTF-8", "windows-1252");
	if (converter == (iconv_t)-1) {
		decode_latin1(out, text);
		return;
	}
	while (text.len > 0 && decode_chunk(out, converter, &text))
		continue;
	iconv_close(converter);
}

static bool is_line_end(char c)
{
	return c == '\r' || c == '\n';
}

static bool is_control(char c)
{
	return ((unsigned char)c < ' ' && c != '\t') || c == 127;
}

/* Append text without some of its characters. */
static void put_without(struct buf *out, struct text text, bool (*is)(char))
{
	while (text.len > 0) {
		size_t len = 0;

		while (len < text.len && !is(text.data[len]))
			len++;
		buf_append(out, text.data, len);
		text = text_skip(text, len + 1);
	}
}

static void put_clean(struct buf *out, struct text text)
{
	struct buf clean = BUF_INIT(text.len + 1);

	put_without(&clean, text, is_control);
	buf_text_append(out, text_trim(buf_text(&clean)));
	buf_free(&clean);
}

/* Nothing to undo, to drop, or to decode: as it nearly always is. */
static bool is_plain(struct text text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] & 0x80 || is_control(text.data[i]))
			return false;
	return true;
}

/* Devices cut what is too long for them without a look at its characters. */
static struct text without_cut_character(struct text text)
{
	size_t len = utf8_is_valid(text) ? 0 : text.len;

	while (len > 0 && text.len - len < 3 && (text.data[len - 1] & 0x80)) {
		struct text rest = text_make(text.data, --len);

		if ((text.data[len] & 0xc0) == 0xc0 && utf8_is_valid(rest) &&
		    smtp_has_8bit(rest))
			return rest;
	}
	return text;
}

/* ISO 2022 writes its characters in ASCII, behind an escape. */
static bool is_escaped(struct text text, const char *charset)
{
	return charset != NULL &&
	       text_starts(text_of(charset), "iso-2022") &&
	       memchr(text.data, 0x1b, text.len) != NULL;
}

void field_text(struct buf *out, struct text value, const char *charset)
{
	struct buf line = BUF_INIT(value.len + 1);
	struct buf decoded = BUF_INIT(8 * value.len + 1);
	struct text text;

	if (is_plain(value)) {
		buf_text_append(out, text_trim(value));
		return;
	}
	put_without(&line, value, is_line_end);
	text = without_cut_character(buf_text(&line));
	if (!utf8_is_valid(text) || is_escaped(text, charset)) {
		decode(&decoded, buf_text(&line), charset);
		text = buf_text(&decoded);
	}
	put_clean(out, text);
	buf_free(&decoded);
	buf_free(&line);
}

/* ---- writing ---- */

/* A word with the blanks before it. */
struct word {
	struct text blanks, text;
};

static size_t run_length(struct text text, bool blank)
{
	size_t len = 0;

	while (len < text.len && is_blank(text.data[len]) == blank)
		len++;
	return len;
}

static bool take_word(struct text *rest, struct word *word_r)
{
	if (rest->len == 0)
		return false;
	word_r->blanks = text_make(rest->data, run_length(*rest, true));
	*rest = text_skip(*rest, word_r->blanks.len);
	word_r->text = text_make(rest->data, run_length(*rest, false));
	*rest = text_skip(*rest, word_r->text.len);
	return true;
}

static bool must_be_encoded(struct text word)
{
	return word.len > FIELD_WORD_MAX || smtp_has_8bit(word);
}

static bool is_encoded_word(struct text word)
{
	return word.len > 4 && text_starts(word, "=?") &&
	       memcmp(word.data + word.len - 2, "?=", 2) == 0;
}

static void put_encoded(struct buf *out, struct text run, bool in_comment)
{
	struct buf plain = BUF_INIT(run.len + 1);

	for (size_t i = 0; i < run.len; i++) {
		if (in_comment && run.data[i] == '\\' && i + 1 < run.len)
			i++;
		buf_putc(&plain, run.data[i]);
	}
	rfc2047_encode(out, buf_text(&plain), "UTF-8");
	buf_free(&plain);
}

/* Words side by side are encoded together, for the blanks between encoded
 * words are not shown (RFC 2047 6.2): those that matter are inside. */
struct coder {
	struct buf *out;
	struct text run;    /* to be encoded, blanks between its words too */
	struct text before; /* the last word */
	bool in_comment;
};

static void extend_run(struct coder *coder, const struct word *word)
{
	struct text begin = text_make(word->text.data, 0);

	if (coder->run.len == 0) {
		buf_text_append(coder->out, word->blanks);
		coder->run = is_encoded_word(coder->before) ? word->blanks
							    : begin;
	}
	coder->run.len =
		(size_t)(word->text.data + word->text.len - coder->run.data);
}

static void end_run(struct coder *coder)
{
	if (coder->run.len > 0)
		put_encoded(coder->out, coder->run, coder->in_comment);
	coder->run.len = 0;
}

static void put_word(struct coder *coder, const struct word *word)
{
	if (coder->run.len > 0 && is_encoded_word(word->text))
		coder->run.len += word->blanks.len;
	end_run(coder);
	buf_text_append(coder->out, word->blanks);
	buf_text_append(coder->out, word->text);
}

static void encode(struct buf *out, struct text text, bool in_comment)
{
	struct coder coder = { out, { "", 0 }, { "", 0 }, in_comment };
	struct word word;

	while (take_word(&text, &word)) {
		if (must_be_encoded(word.text))
			extend_run(&coder, &word);
		else
			put_word(&coder, &word);
		coder.before = word.text;
	}
	end_run(&coder);
}

void field_encode(struct buf *out, struct text text)
{
	encode(out, text, false);
}

void field_encode_comment(struct buf *out, struct text text)
{
	encode(out, text, true);
}

static size_t put_line(struct buf *out, struct text blanks)
{
	buf_puts(out, "\r\n");
	if (blanks.len == 0)
		blanks = text_of(" ");
	buf_text_append(out, blanks);
	return blanks.len;
}

/* A word that no line could hold. */
static size_t put_pieces(struct buf *out, struct text word, size_t column)
{
	while (word.len > FIELD_WORD_MAX) {
		buf_append(out, word.data, FIELD_WORD_MAX);
		word = text_skip(word, FIELD_WORD_MAX);
		column = put_line(out, text_of(" "));
	}
	buf_text_append(out, word);
	return column + word.len;
}

void field_fold(struct buf *out, struct text name, struct text text)
{
	size_t column = name.len + 1;
	bool is_first = true;
	struct word word;

	buf_text_append(out, name);
	buf_putc(out, ':');
	while (take_word(&text, &word)) {
		size_t max = is_first ? FIELD_WORD_MAX : COLUMN_MAX;

		if (word.text.len == 0)
			break;
		if (is_first)
			word.blanks = text_of(" ");
		word.blanks.len = word.blanks.len < BLANKS_MAX
					  ? word.blanks.len
					  : BLANKS_MAX;
		if (column + word.blanks.len + word.text.len > max)
			column = put_line(out, word.blanks);
		else if (buf_text_append(out, word.blanks))
			column += word.blanks.len;
		column = put_pieces(out, word.text, column);
		is_first = false;
	}
	buf_puts(out, "\r\n");
}
