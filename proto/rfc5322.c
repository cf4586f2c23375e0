#include "proto/rfc5322.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
	/* RFC 5322 2.1.1: no line is longer, so neither are a field's name and
	 * its colon. */
	NAME_MAX_OCTETS = 997,
	MBOX_MAX_OCTETS = 998,
};

void rfc5322_init(struct rfc5322 *reader, size_t limit)
{
	*reader = (struct rfc5322){
		.held = BUF_INIT(limit),
		.mbox_held = BUF_INIT(MBOX_MAX_OCTETS),
		.input = text_of(""),
		.limit = limit,
	};
}

void rfc5322_free(struct rfc5322 *reader)
{
	buf_free(&reader->held);
	buf_free(&reader->mbox_held);
}

void rfc5322_push(struct rfc5322 *reader, struct text data)
{
	reader->input = data;
}

void rfc5322_finish(struct rfc5322 *reader)
{
	reader->finished = true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* RFC 5322 3.6.8:  ftext = %d33-57 / %d59-126 */
static bool is_name_char(char c)
{
	return c > ' ' && c < 127 && c != ':';
}

static struct text trim_right(struct text text)
{
	while (text.len > 0 && is_blank(text.data[text.len - 1]))
		text.len--;
	return text;
}

static struct text without_crlf(struct text text)
{
	if (text.len > 0 && text.data[text.len - 1] == '\n')
		text.len--;
	if (text.len > 0 && text.data[text.len - 1] == '\r')
		text.len--;
	return text;
}

void rfc5322_field_make(struct rfc5322_field *field_r, struct text raw)
{
	const char *colon = memchr(raw.data, ':', raw.len);
	size_t len = (size_t)(colon - raw.data);

	field_r->raw = raw;
	field_r->name = trim_right(text_make(raw.data, len));
	field_r->value = without_crlf(text_skip(raw, len + 1));
}

static enum rfc5322_item hand_out_field(struct rfc5322 *reader,
					struct rfc5322_field *field_r)
{
	rfc5322_field_make(field_r, buf_text(&reader->held));
	reader->drop_held = true;
	reader->any = true;
	reader->mbox |= buf_len(&reader->mbox_held) > 0;
	buf_free(&reader->mbox_held);
	return RFC5322_FIELD;
}

static enum rfc5322_item end_section(struct rfc5322 *reader, bool separated)
{
	reader->state = RFC5322_IN_BODY;
	reader->separated = separated;
	return RFC5322_END;
}

/* Move octets from the input into held.  False: the limit is passed. */
static bool hold(struct rfc5322 *reader, size_t len)
{
	if (len > reader->limit - reader->seen)
		return false;
	reader->seen += len;
	buf_append(&reader->held, reader->input.data, len);
	reader->input = text_skip(reader->input, len);
	return true;
}

static enum rfc5322_item fail(struct rfc5322 *reader)
{
	reader->state = RFC5322_FAILED;
	return RFC5322_TOO_BIG;
}

/* RFC 5322 2.2:  field = field-name ":" unstructured CRLF, and a line that
 * begins with SP or HT continues the field before it. */
static enum rfc5322_item begin_line(struct rfc5322 *reader,
				    struct rfc5322_field *field_r)
{
	char first = reader->input.data[0];
	bool in_field = buf_len(&reader->held) > 0;

	if (in_field && !is_blank(first))
		return hand_out_field(reader, field_r);
	if (in_field)
		reader->line = RFC5322_LINE_FIELD;
	else if (first == '\r')
		reader->line = RFC5322_LINE_EMPTY;
	else if (is_name_char(first))
		reader->line = RFC5322_LINE_NAME;
	else
		return end_section(reader, false);
	if (reader->line == RFC5322_LINE_EMPTY && !hold(reader, 1))
		return fail(reader);
	return RFC5322_NONE;
}

static size_t run_of(struct text text, bool (*is)(char))
{
	size_t len = 0;

	while (len < text.len && is(text.data[len]))
		len++;
	return len;
}

/* "From " or ">From " where the first field should begin. */
static bool is_mbox(const struct rfc5322 *reader)
{
	struct text held = buf_text(&reader->held);

	if (held.len > 0 && held.data[0] == '>')
		held = text_skip(held, 1);
	return !reader->any && held.len >= 5 &&
	       memcmp(held.data, "From ", 5) == 0;
}

static enum rfc5322_item read_colon(struct rfc5322 *reader)
{
	if (reader->input.data[0] != ':' && is_mbox(reader)) {
		reader->line = RFC5322_LINE_MBOX;
		return RFC5322_NONE;
	}
	if (reader->input.data[0] != ':')
		return end_section(reader, false);
	reader->line = RFC5322_LINE_FIELD;
	return hold(reader, 1) ? RFC5322_NONE : fail(reader);
}

static enum rfc5322_item read_name(struct rfc5322 *reader)
{
	size_t len = run_of(reader->input, is_name_char);
	size_t room = NAME_MAX_OCTETS - buf_len(&reader->held);

	if (len > room && room <= reader->limit - reader->seen)
		return end_section(reader, false);
	if (!hold(reader, len))
		return fail(reader);
	if (reader->input.len == 0)
		return RFC5322_NONE;
	if (!is_blank(reader->input.data[0]))
		return read_colon(reader);
	reader->line = RFC5322_LINE_BLANK;
	return RFC5322_NONE;
}

static enum rfc5322_item read_blank(struct rfc5322 *reader)
{
	if (!hold(reader, run_of(reader->input, is_blank)))
		return fail(reader);
	return reader->input.len > 0 ? read_colon(reader) : RFC5322_NONE;
}

static enum rfc5322_item read_field(struct rfc5322 *reader)
{
	struct text input = reader->input;
	const char *lf = memchr(input.data, '\n', input.len);
	size_t len = lf != NULL ? (size_t)(lf - input.data) + 1 : input.len;

	if (lf != NULL)
		reader->line = RFC5322_LINE_BEGIN;
	return hold(reader, len) ? RFC5322_NONE : fail(reader);
}

static enum rfc5322_item read_mbox(struct rfc5322 *reader)
{
	const char *lf = memchr(reader->input.data, '\n', reader->input.len);
	size_t len = lf != NULL ? (size_t)(lf - reader->input.data) + 1
				: reader->input.len;
	size_t kept = buf_len(&reader->mbox_held) + buf_len(&reader->held);
	size_t room = kept < MBOX_MAX_OCTETS ? MBOX_MAX_OCTETS - kept : 0;

	if (len > room && room <= reader->limit - reader->seen)
		return end_section(reader, false);
	if (!hold(reader, len))
		return fail(reader);
	if (lf == NULL)
		return RFC5322_NONE;
	buf_text_append(&reader->mbox_held, buf_text(&reader->held));
	buf_clear(&reader->held);
	reader->line = RFC5322_LINE_BEGIN;
	return RFC5322_NONE;
}

static enum rfc5322_item read_empty(struct rfc5322 *reader)
{
	if (reader->input.data[0] != '\n' || buf_len(&reader->mbox_held) > 0)
		return end_section(reader, false);
	reader->input = text_skip(reader->input, 1);
	buf_clear(&reader->held);
	return end_section(reader, true);
}

static enum rfc5322_item read_line(struct rfc5322 *reader,
				   struct rfc5322_field *field_r)
{
	switch (reader->line) {
	case RFC5322_LINE_BEGIN:
		return begin_line(reader, field_r);
	case RFC5322_LINE_NAME:
		return read_name(reader);
	case RFC5322_LINE_BLANK:
		return read_blank(reader);
	case RFC5322_LINE_EMPTY:
		return read_empty(reader);
	case RFC5322_LINE_MBOX:
		return read_mbox(reader);
	case RFC5322_LINE_FIELD:
		break;
	}
	return read_field(reader);
}

/* No more bytes: what is held is a field if its colon was seen. */
static enum rfc5322_item finish_header(struct rfc5322 *reader,
				       struct rfc5322_field *field_r)
{
	bool is_field = reader->line == RFC5322_LINE_FIELD ||
			reader->line == RFC5322_LINE_BEGIN;

	if (!is_field || buf_len(&reader->held) == 0)
		return end_section(reader, false);
	reader->line = RFC5322_LINE_BEGIN;
	return hand_out_field(reader, field_r);
}

static enum rfc5322_item next_of_header(struct rfc5322 *reader,
					struct rfc5322_field *field_r)
{
	while (reader->input.len > 0) {
		enum rfc5322_item item = read_line(reader, field_r);

		if (item != RFC5322_NONE)
			return item;
	}
	return reader->finished ? finish_header(reader, field_r) : RFC5322_NONE;
}

/* A line that turned out to be no field is still held; then the input. */
static enum rfc5322_item next_of_body(struct rfc5322 *reader,
				      struct text *body_r)
{
	struct buf *held = buf_len(&reader->mbox_held) > 0 ? &reader->mbox_held
							   : &reader->held;

	*body_r = buf_text(held);
	if (body_r->len > 0) {
		reader->drop_held = true;
		return RFC5322_BODY;
	}
	buf_release(&reader->held);
	*body_r = reader->input;
	reader->input = text_of("");
	return body_r->len > 0 ? RFC5322_BODY : RFC5322_NONE;
}

static void drop_held(struct rfc5322 *reader)
{
	reader->drop_held = false;
	if (buf_len(&reader->mbox_held) > 0)
		buf_free(&reader->mbox_held);
	else
		buf_clear(&reader->held);
}

enum rfc5322_item rfc5322_next(struct rfc5322 *reader,
			       struct rfc5322_field *field_r,
			       struct text *body_r)
{
	if (reader->drop_held)
		drop_held(reader);
	if (reader->state == RFC5322_IN_HEADER)
		return next_of_header(reader, field_r);
	if (reader->state == RFC5322_IN_BODY)
		return next_of_body(reader, body_r);
	return RFC5322_NONE;
}

bool rfc5322_field_is(const struct rfc5322_field *field, const char *name)
{
	return text_is(field->name, name);
}

void rfc5322_unfold(struct buf *out, struct text value)
{
	bool first = true;
	struct text line;

	while (text_token(&value, '\n', &line)) {
		if (line.len > 0 && line.data[line.len - 1] == '\r')
			line.len--;
		line = text_trim(line);
		if (line.len == 0)
			continue;
		if (!first)
			buf_putc(out, ' ');
		first = false;
		buf_text_append(out, line);
	}
}

static unsigned two_digits(int number)
{
	return (unsigned)number % 100;
}

/* RFC 5322 3.3 */
void rfc5322_date(char out[40], int64_t unix_seconds, int offset_minutes)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t shifted = (time_t)(unix_seconds + offset_minutes * 60);
	int minutes = offset_minutes < 0 ? -offset_minutes : offset_minutes;
	struct tm tm = { .tm_mday = 1, .tm_year = 70, .tm_wday = 4 };

	gmtime_r(&shifted, &tm);
	snprintf(out, 40, "%.3s, %02u %.3s %04u %02u:%02u:%02u %c%02u%02u",
		 days + 3 * tm.tm_wday, two_digits(tm.tm_mday),
		 months + 3 * tm.tm_mon, (unsigned)(tm.tm_year + 1900) % 10000,
		 two_digits(tm.tm_hour), two_digits(tm.tm_min),
		 two_digits(tm.tm_sec), offset_minutes < 0 ? '-' : '+',
		 two_digits(minutes / 60), two_digits(minutes % 60));
}
