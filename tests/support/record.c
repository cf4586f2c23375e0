#include "tests/support/record.h"

#include <string.h>

void record_init(struct record *record, char output_mark)
{
	*record = (struct record){ .output_mark = output_mark };
	buf_init(&record->lines, SIZE_MAX);
	buf_init(&record->events, SIZE_MAX);
	buf_init(&record->output, SIZE_MAX);
	buf_init(&record->content, SIZE_MAX);
}

void record_free(struct record *record)
{
	buf_free(&record->lines);
	buf_free(&record->events);
	buf_free(&record->output);
	buf_free(&record->content);
}

void record_event(struct record *record, const char *format, ...)
{
	va_list args;

	buf_puts(&record->events, "E: ");
	va_start(args, format);
	buf_vprintf(&record->events, format, args);
	va_end(args);
	buf_putc(&record->events, '\n');
}

void record_output(struct record *record, const void *data, size_t len)
{
	buf_append(&record->output, data, len);
}

void record_content(struct record *record, struct text piece)
{
	buf_text_append(&record->content, piece);
}

void record_content_done(struct record *record, bool kept)
{
	if (kept)
		record_print(&record->events, 'D', buf_text(&record->content));
	buf_clear(&record->content);
}

void record_cut(struct record *record)
{
	buf_text_append(&record->lines, buf_text(&record->events));
	record_print(&record->lines, record->output_mark,
		     buf_text(&record->output));
	buf_clear(&record->events);
	buf_clear(&record->output);
}

static void escape_byte(struct buf *out, unsigned char c)
{
	static const char plain[] = "\r\n\t\\", letters[] = "rnt\\";
	const char *found = c == 0 ? NULL : strchr(plain, c);

	if (found != NULL)
		buf_printf(out, "\\%c", letters[found - plain]);
	else if (c < 32 || c > 126)
		buf_printf(out, "\\x%02x", c);
	else
		buf_putc(out, (char)c);
}

void record_escape(struct buf *out, struct text text)
{
	for (size_t i = 0; i < text.len; i++)
		escape_byte(out, (unsigned char)text.data[i]);
}

void record_print(struct buf *out, char mark, struct text bytes)
{
	while (bytes.len > 0) {
		const char *end = memmem(bytes.data, bytes.len, "\r\n", 2);
		size_t len =
			end == NULL ? bytes.len : (size_t)(end - bytes.data);

		buf_printf(out, "%c: ", mark);
		record_escape(out, text_make(bytes.data, len));
		buf_puts(out, end == NULL ? "\\\n" : "\n");
		bytes = text_skip(bytes, end == NULL ? len : len + 2);
	}
}
