/* A message: its items are the same whole and in pieces, and put together
 * again they are the message, without the lines of a mailbox file. */
#include <string.h>

#include "proto/rfc5322.h"
#include "tests/fuzz/fuzz.h"

enum { LIMIT = 2000 };

struct items {
	struct buf log;     /* the kinds, and where fields end */
	struct buf message; /* all bytes that came out */
	bool too_big, mbox;
};

static void check_field(const struct rfc5322_field *field)
{
	struct text value = field->value;
	struct buf line = BUF_INIT(SIZE_MAX);

	must(field->name.len > 0);
	for (size_t i = 0; i < field->name.len; i++)
		must(field->name.data[i] > ' ' && field->name.data[i] < 127 &&
		     field->name.data[i] != ':');
	must(field->name.data == field->raw.data);
	must(value.data + value.len <= field->raw.data + field->raw.len);
	rfc5322_unfold(&line, value);
	must(line.end == line.start ||
	     memchr(buf_text(&line).data, '\n', buf_len(&line)) == NULL);
	buf_free(&line);
}

static void pull(struct rfc5322 *reader, struct items *items)
{
	struct rfc5322_field field;
	enum rfc5322_item item;
	struct text body;

	while ((item = rfc5322_next(reader, &field, &body)) != RFC5322_NONE) {
		must(!items->too_big);
		if (item == RFC5322_FIELD) {
			check_field(&field);
			buf_text_append(&items->message, field.raw);
			buf_printf(&items->log, "F%zu", field.raw.len);
		} else if (item == RFC5322_BODY) {
			must(body.len > 0);
			buf_text_append(&items->message, body);
		} else if (item == RFC5322_END) {
			buf_puts(&items->log, reader->separated ? "E" : "e");
			buf_puts(&items->message,
				 reader->separated ? "\r\n" : "");
		} else {
			items->too_big = true;
			buf_puts(&items->log, "B");
		}
		must(buf_len(&reader->held) <= LIMIT);
		must(buf_len(&reader->mbox_held) <= LIMIT);
	}
}

static void read_all(struct text message, unsigned step, struct items *items)
{
	struct rfc5322 reader;
	struct text piece;

	rfc5322_init(&reader, LIMIT);
	while (fuzz_piece(&message, &step, &piece)) {
		rfc5322_push(&reader, piece);
		pull(&reader, items);
	}
	rfc5322_finish(&reader);
	pull(&reader, items);
	items->mbox = reader.mbox;
	rfc5322_free(&reader);
}

/* At most "From " lines are missing, in front. */
static bool is_whole(const struct items *items, struct text message)
{
	struct text out = buf_text(&items->message);
	size_t gone = message.len - out.len;

	if (items->mbox)
		return gone > 0 && gone <= 998 &&
		       text_equal(out, text_skip(message, gone)) &&
		       message.data[gone - 1] == '\n' &&
		       (text_starts(message, "From ") ||
			text_starts(message, ">From "));
	return text_equal(out, message);
}

static void items_free(struct items *items)
{
	buf_free(&items->log);
	buf_free(&items->message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct items whole = { BUF_INIT(SIZE_MAX), BUF_INIT(SIZE_MAX), false,
			       false };
	struct items split = whole;
	unsigned step = fuzz_step(&data, &size);
	struct text message = text_make((const char *)data, size);

	read_all(message, 0, &whole);
	read_all(message, step, &split);
	must(text_equal(buf_text(&whole.log), buf_text(&split.log)));
	must(text_equal(buf_text(&whole.message), buf_text(&split.message)));
	must(whole.mbox == split.mbox);
	must(whole.too_big || is_whole(&whole, message));
	items_free(&whole);
	items_free(&split);
	return 0;
}
