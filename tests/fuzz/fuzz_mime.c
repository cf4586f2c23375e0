/* A body, and the header before it: whatever they hold, the parts decode to
 * what they were, and what comes out may go to any provider. */
#include <stdio.h>

#include "proto/rfc5322.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/mime_play.h"

/* Fewer octets than would make more parts than are told apart. */
enum { INPUT_MAX = 3500 };

/* The header is as acceptance leaves it: fields alone, none of them 8-bit, with
 * an empty line behind them. */
static bool put_header(struct buf *message, struct text header)
{
	struct rfc5322_field field;
	struct rfc5322 reader;
	enum rfc5322_item item;
	struct text body;

	rfc5322_init(&reader, header.len);
	rfc5322_push(&reader, header);
	while ((item = rfc5322_next(&reader, &field, &body)) == RFC5322_FIELD)
		buf_text_append(message, field.raw);
	rfc5322_free(&reader);
	buf_puts(message, "\r\n");
	return item == RFC5322_END && reader.separated &&
	       mime_play_header(buf_text(message)).len == buf_len(message);
}

/* smtp_data.h has seen to it that CR and LF come together, and NUL not at all.
 */
static void put_clean(struct buf *out, struct text input)
{
	for (size_t i = 0; i < input.len; i++) {
		if (input.data[i] == '\n')
			buf_puts(out, "\r\n");
		else if (input.data[i] != '\r' && input.data[i] != '\0')
			buf_putc(out, input.data[i]);
	}
}

static bool is_7bit(struct text text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.data[i] > 127)
			return false;
	return true;
}

/* RFC 2046 5.1.1:  bchars are ASCII.  What parts an 8-bit boundary has is
 * anybody's guess. */
static bool has_8bit_boundary(struct text input)
{
	struct text line;

	while (text_token(&input, '\n', &line))
		if (!is_7bit(line) &&
		    text_find_nocase(line, text_of("boundary")) >= 0)
			return true;
	return false;
}

static const char *check(struct text input)
{
	ptrdiff_t end = text_find_nocase(input, text_of("\r\n\r\n"));
	struct buf message = BUF_INIT(1 << 16);
	struct text header = input;
	const char *wrong = NULL;

	header.len = end >= 0 ? (size_t)end + 4 : 0;
	if (is_7bit(header) && put_header(&message, header)) {
		buf_text_append(&message, text_skip(input, header.len));
		wrong = mime_play_check(buf_text(&message));
	}
	buf_free(&message);
	return wrong;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf input = BUF_INIT(1 << 16);
	const char *wrong;

	if (size > INPUT_MAX)
		return 0;
	put_clean(&input, text_make((const char *)data, size));
	wrong = has_8bit_boundary(buf_text(&input))
			? NULL
			: check(buf_text(&input));
	buf_free(&input);
	if (wrong != NULL)
		fprintf(stderr, "%s\n", wrong);
	must(wrong == NULL);
	return 0;
}
