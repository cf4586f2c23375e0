/* A header field: mended it is one field still, in ASCII, in lines that may be
 * sent, and needs no more; what an unstructured one says is what it said. */
#include <string.h>

#include "proto/field_repair.h"
#include "proto/field_text.h"
#include "proto/rfc2047.h"
#include "tests/fuzz/fuzz.h"

enum { ROOM = 1 << 24 };

static const char *const charsets[] = { "windows-1252", "UTF-8", "Shift_JIS",
	"ISO-2022-JP", "UTF-16LE", "GB18030", "none", NULL };

static const char *const names[] = { "Subject", "To", "From", "Content-Type",
	"Content-Disposition", "References", "Keywords", "Received" };

static void check_lines(struct text raw)
{
	struct text line;

	while (text_token(&raw, '\n', &line)) {
		must(line.len > 0 && line.data[line.len - 1] == '\r');
		line.len--;
		must(line.len <= FIELD_LINE_MAX && text_trim(line).len > 0);
		for (size_t i = 0; i < line.len; i++)
			must((line.data[i] >= ' ' && line.data[i] < 127) ||
			     line.data[i] == '\t');
	}
}

static void check_one_field(struct text mended, struct text name)
{
	struct rfc5322_field field;
	struct rfc5322 reader;
	struct text body;

	rfc5322_init(&reader, ROOM);
	rfc5322_push(&reader, mended);
	rfc5322_finish(&reader);
	must(rfc5322_next(&reader, &field, &body) == RFC5322_FIELD);
	must(text_equal(field.raw, mended) && text_equal(field.name, name));
	must(field_needs(&field) == 0);
	must(rfc5322_next(&reader, &field, &body) == RFC5322_END);
	must(rfc5322_next(&reader, &field, &body) == RFC5322_NONE);
	rfc5322_free(&reader);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Without blanks, encoded words decoded: what is left of the text. */
static void say(struct buf *out, struct text text)
{
	while (text.len > 0) {
		struct rfc2047_word word;
		struct text token = text_make(text.data, 0);

		while (token.len < text.len && !is_blank(text.data[token.len]))
			token.len++;
		text = text_skip(text, token.len + 1);
		if (rfc2047_word_parse(token, &word))
			must(rfc2047_word_decode(out, &word));
		else
			buf_text_append(out, token);
	}
}

static void squeeze(struct buf *out, struct text text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!is_blank(text.data[i]))
			buf_putc(out, text.data[i]);
}

static void check_words(const struct rfc5322_field *field, struct text mended,
			const char *charset)
{
	struct buf line = BUF_INIT(ROOM), said = BUF_INIT(ROOM);
	struct buf before = BUF_INIT(ROOM), after = BUF_INIT(ROOM);
	struct rfc5322_field again;

	field_text(&line, field->value, charset);
	if (text_find_nocase(buf_text(&line), text_of("=?")) < 0) {
		rfc5322_field_make(&again, mended);
		say(&said, again.value);
		squeeze(&before, buf_text(&line));
		squeeze(&after, buf_text(&said));
		must(text_equal(buf_text(&before), buf_text(&after)));
	}
	buf_free(&line);
	buf_free(&said);
	buf_free(&before);
	buf_free(&after);
}

static void check_field(const struct rfc5322_field *field, const char *charset)
{
	struct buf mended = BUF_INIT(ROOM);

	field_repair(&mended, field, charset);
	must(buf_len(&mended) <=
	     FIELD_REPAIR_GROWTH * field->raw.len + FIELD_LINE_MAX);
	check_lines(buf_text(&mended));
	check_one_field(buf_text(&mended), field->name);
	if (rfc5322_field_is(field, "Subject"))
		check_words(field, buf_text(&mended), charset);
	(void)field_is_bomb(field);
	if (field_needs(field) == 0)
		check_lines(field->raw);
	buf_free(&mended);
}

/* The value goes on in lines that begin with a blank. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf message = BUF_INIT(ROOM);
	struct rfc5322_field field;
	struct rfc5322 reader;
	struct text body;
	unsigned first = fuzz_step(&data, &size) - 1;

	buf_printf(&message, "%s:", names[first % 8]);
	buf_append(&message, data, size);
	rfc5322_init(&reader, ROOM);
	rfc5322_push(&reader, buf_text(&message));
	rfc5322_finish(&reader);
	while (rfc5322_next(&reader, &field, &body) == RFC5322_FIELD)
		check_field(&field, charsets[first / 8 % 8]);
	rfc5322_free(&reader);
	buf_free(&message);
	return 0;
}
