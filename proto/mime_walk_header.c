#include "proto/mime_walk_private.h"

#include <string.h>

/* ---- what a line is ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_empty_line(struct text line)
{
	return text_is(line, "\r\n") || text_is(line, "\n");
}

/* RFC 5322 2.2, 3.6.8; white space before the colon is obsolete (4.5). */
static size_t name_length(struct text line)
{
	size_t len = 0, end;

	while (len < line.len && line.data[len] > ' ' && line.data[len] < 127 &&
	       line.data[len] != ':')
		len++;
	for (end = len; end < line.len && is_blank(line.data[end]); end++)
		;
	return end < line.len && line.data[end] == ':' ? len : 0;
}

/* ---- items ---- */

static struct text without_line_end(struct text text)
{
	if (text.len > 0 && text.data[text.len - 1] == '\n')
		text.len--;
	if (text.len > 0 && text.data[text.len - 1] == '\r')
		text.len--;
	return text;
}

static enum mime_item_type hand_out_field(struct mime_walk *walk,
					  struct mime_item *item)
{
	struct text raw =
		text_make(buf_text(&walk->held).data, walk->field_len);
	const char *colon = memchr(raw.data, ':', raw.len);
	size_t before = (size_t)(colon - raw.data) + 1;

	item->part = walk->part;
	item->raw = item->field.raw = raw;
	item->field.name = text_make(raw.data, name_length(raw));
	item->field.value = without_line_end(text_skip(raw, before));
	mime_entity_field(&walk->entity, &item->field);
	walk->drop = walk->field_len;
	walk->field_len = 0;
	return item->type = MIME_FIELD;
}

static enum mime_item_type end_header(struct mime_walk *walk,
				      struct mime_item *item, struct text raw)
{
	item->part = walk->part;
	item->raw = raw;
	walk->drop = raw.len;
	mime_walk_begin(walk);
	return item->type = MIME_HEADER_END;
}

/* ---- lines ---- */

static struct text held_line(const struct mime_walk *walk)
{
	return text_skip(buf_text(&walk->held), walk->field_len);
}

/* A line of no field ends the header, and stays held. */
static enum mime_item_type judge(struct mime_walk *walk, struct mime_item *item,
				 struct text line)
{
	bool closes;
	bool is_boundary = walk_level_of(walk, line, &closes) >= 0;

	if (walk->field_len > 0 && !is_boundary && is_blank(line.data[0])) {
		walk->field_len += line.len;
		return MIME_NONE;
	}
	if (walk->field_len > 0)
		return hand_out_field(walk, item);
	if (is_empty_line(line))
		return end_header(walk, item, line);
	if (is_boundary || name_length(line) == 0)
		return end_header(walk, item, text_of(""));
	walk->field_len = line.len;
	return MIME_NONE;
}

/* False: the header is too big. */
static bool take_line(struct mime_walk *walk)
{
	struct text input = walk->input;
	const char *lf = memchr(input.data, '\n', input.len);
	size_t len = lf != NULL ? (size_t)(lf - input.data) + 1 : input.len;

	if (len > MIME_HEADER_MAX - walk->header_seen)
		return false;
	walk->header_seen += len;
	buf_append(&walk->held, input.data, len);
	walk->input = text_skip(input, len);
	return true;
}

static bool is_whole(const struct mime_walk *walk, struct text line)
{
	return line.len > 0 && (line.data[line.len - 1] == '\n' ||
				(walk->finished && walk->input.len == 0));
}

static enum mime_item_type finish_header(struct mime_walk *walk,
					 struct mime_item *item)
{
	if (!walk->finished)
		return MIME_NONE;
	if (walk->field_len > 0)
		return hand_out_field(walk, item);
	return end_header(walk, item, text_of(""));
}

enum mime_item_type walk_next_of_header(struct mime_walk *walk,
					struct mime_item *item)
{
	for (;;) {
		struct text line = held_line(walk);

		if (is_whole(walk, line)) {
			if (judge(walk, item, line) != MIME_NONE)
				return item->type;
		} else if (walk->input.len == 0) {
			return finish_header(walk, item);
		} else if (!take_line(walk)) {
			walk->state = MIME_IN_BEYOND;
			return MIME_NONE;
		}
	}
}
