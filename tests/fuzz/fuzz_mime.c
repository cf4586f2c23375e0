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
	return item == RFC5322_END && reader.separated &&
	       buf_puts(message, "\r\n");
}

static bool is_7bit(struct text text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.data[i] > 127)
			return false;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text input = text_make((const char *)data, size);
	struct buf message = BUF_INIT(1 << 16);
	ptrdiff_t end = text_find_nocase(input, text_of("\r\n\r\n"));
	struct text header = input;
	const char *wrong = NULL;

	if (size > INPUT_MAX || end < 0)
		return 0;
	header.len = (size_t)end + 4;
	if (is_7bit(header) && put_header(&message, header)) {
		buf_text_append(&message, text_skip(input, header.len));
		wrong = mime_play_check(buf_text(&message));
	}
	buf_free(&message);
	if (wrong != NULL)
		fprintf(stderr, "%s\n", wrong);
	must(wrong == NULL);
	return 0;
}
