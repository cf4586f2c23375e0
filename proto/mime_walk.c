#include "proto/mime_walk_private.h"

#include <string.h>

void mime_walk_init(struct mime_walk *walk)
{
	memset(walk, 0, sizeof *walk);
	walk->n_parts = 1;
	walk->input = text_of("");
	buf_init(&walk->held, MIME_HEADER_MAX);
	mime_entity_init(&walk->entity, false);
}

void mime_walk_free(struct mime_walk *walk)
{
	buf_free(&walk->held);
}

void mime_walk_root(struct mime_walk *walk, const struct rfc5322_field *field)
{
	mime_entity_field(&walk->entity, field);
}

void mime_walk_push(struct mime_walk *walk, struct text data)
{
	walk->input = data;
}

void mime_walk_finish(struct mime_walk *walk)
{
	walk->finished = true;
}

/* ---- parts ---- */

/* What is too deep holds no parts that we would look at. */
static void settle_kind(struct mime_walk *walk)
{
	struct mime_entity *entity = &walk->entity;

	if (entity->kind == MIME_MESSAGE && !mime_entity_is_plain(entity))
		entity->kind = MIME_OTHER;
	if ((entity->kind == MIME_MULTIPART && walk->depth >= MIME_DEPTH_MAX) ||
	    (entity->kind == MIME_MESSAGE && (walk->depth >= MIME_DEPTH_MAX ||
					      walk->n_parts >= MIME_PARTS_MAX)))
		entity->kind = MIME_SEALED;
}

void mime_walk_begin(struct mime_walk *walk)
{
	settle_kind(walk);
	walk->state = MIME_AT_HEADER_END;
}

static void begin_part(struct mime_walk *walk, unsigned depth, bool in_digest)
{
	if (walk->n_parts >= MIME_PARTS_MAX) {
		walk->state = MIME_IN_BEYOND;
		return;
	}
	mime_entity_init(&walk->entity, in_digest);
	walk->part = walk->n_parts++;
	walk->depth = depth;
	walk->field_len = walk->header_seen = 0;
	walk->state = MIME_IN_HEADER;
}

static void open_level(struct mime_walk *walk)
{
	struct mime_level *level = &walk->levels[walk->n_levels++];

	level->part = walk->part;
	level->depth = walk->depth;
	level->is_digest = walk->entity.is_digest;
	level->len = walk->entity.boundary_len;
	memcpy(level->boundary, walk->entity.boundary, level->len);
}

/* A line that ended the header without being of it is still held. */
static void enter_body(struct mime_walk *walk)
{
	walk->at_line_begin = true;
	walk->hold =
		buf_len(&walk->held) > 0 ? MIME_HOLD_LINE : MIME_HOLD_NOTHING;
	if (walk->entity.kind == MIME_MULTIPART) {
		open_level(walk);
		walk->state = MIME_IN_FRAME;
	} else if (walk->entity.kind == MIME_MESSAGE) {
		begin_part(walk, walk->depth + 1, false);
	} else {
		walk->state = MIME_IN_CONTENT;
	}
}

/* ---- boundaries ---- */

static bool is_line_rest(struct text rest)
{
	while (rest.len > 0 && (rest.data[0] == ' ' || rest.data[0] == '\t'))
		rest = text_skip(rest, 1);
	if (rest.len > 0 && rest.data[0] == '\r')
		rest = text_skip(rest, 1);
	return rest.len == 0 || (rest.len == 1 && rest.data[0] == '\n');
}

/* RFC 2046 5.1.1:  delimiter := CRLF "--" boundary, close-delimiter :=
 * delimiter "--", then transport-padding := *LWSP-char */
static bool is_delimiter(const struct mime_level *level, struct text line,
			 bool *closes_r)
{
	if (line.len < 2 + level->len || line.len > MIME_LINE_MAX + 2 ||
	    memcmp(line.data, "--", 2) != 0 ||
	    memcmp(line.data + 2, level->boundary, level->len) != 0)
		return false;
	line = text_skip(line, 2 + level->len);
	*closes_r = !is_line_rest(line) && text_starts(line, "--");
	return is_line_rest(text_skip(line, *closes_r ? 2 : 0));
}

int walk_level_of(const struct mime_walk *walk, struct text line,
		  bool *closes_r)
{
	for (size_t i = 0; i < walk->n_levels; i++)
		if (is_delimiter(&walk->levels[i], line, closes_r))
			return (int)i;
	return -1;
}

static enum mime_item_type hand_out_delimiter(struct mime_walk *walk,
					      struct mime_item *item, size_t n,
					      bool closes)
{
	const struct mime_level *level = &walk->levels[n];

	item->part = level->part;
	item->raw = buf_text(&walk->held);
	walk->drop = item->raw.len;
	walk->hold = MIME_HOLD_NOTHING;
	walk->at_line_begin = true;
	if (closes) {
		walk->n_levels = n;
		walk->part = level->part;
		walk->state = MIME_IN_FRAME;
	} else {
		walk->n_levels = n + 1;
		begin_part(walk, level->depth + 1, level->is_digest);
	}
	return item->type = MIME_DELIMITER;
}

/* ---- content and frame ---- */

static enum mime_item_type hand_out(struct mime_walk *walk,
				    struct mime_item *item, struct text raw)
{
	item->part = walk->part;
	item->raw = raw;
	item->type = walk->state == MIME_IN_CONTENT ? MIME_CONTENT : MIME_FRAME;
	return item->type;
}

/* It is no boundary line after all. */
static enum mime_item_type release(struct mime_walk *walk,
				   struct mime_item *item, size_t len)
{
	struct text raw = buf_text(&walk->held);

	raw.len = walk->drop = len;
	walk->hold = MIME_HOLD_NOTHING;
	walk->at_line_begin = false;
	return hand_out(walk, item, raw);
}

static size_t line_end_length(struct text text)
{
	if (text.len == 0 || text.data[text.len - 1] != '\n')
		return 0;
	return text.len > 1 && text.data[text.len - 2] == '\r' ? 2 : 1;
}

/* The line held, without the line end before it. */
static struct text held_line(const struct mime_walk *walk)
{
	struct text held = buf_text(&walk->held);

	if (held.len > 1 && held.data[0] == '\r' && held.data[1] == '\n')
		return text_skip(held, 2);
	return text_skip(held, held.len > 0 && held.data[0] == '\n');
}

/* Its own line end may belong to the boundary line that follows. */
static enum mime_item_type judge_line(struct mime_walk *walk,
				      struct mime_item *item)
{
	struct text held = buf_text(&walk->held);
	size_t end = line_end_length(held);
	bool closes = false;
	int level = walk_level_of(walk, held_line(walk), &closes);

	if (level >= 0)
		return hand_out_delimiter(walk, item, (size_t)level, closes);
	release(walk, item, held.len - end);
	walk->hold = end > 0 ? MIME_HOLD_LINE_END : MIME_HOLD_NOTHING;
	return item->type;
}

static void take(struct mime_walk *walk, size_t len)
{
	buf_append(&walk->held, walk->input.data, len);
	walk->input = text_skip(walk->input, len);
}

static enum mime_item_type hold_line(struct mime_walk *walk,
				     struct mime_item *item)
{
	struct text input = walk->input;
	const char *lf = memchr(input.data, '\n', input.len);
	size_t len = lf != NULL ? (size_t)(lf - input.data) + 1 : input.len;

	if (held_line(walk).len + len > MIME_LINE_MAX + 2)
		return release(walk, item, buf_len(&walk->held));
	take(walk, len);
	return lf != NULL ? judge_line(walk, item) : MIME_NONE;
}

/* One octet further into what may become CRLF "--" boundary. */
static enum mime_item_type hold_more(struct mime_walk *walk,
				     struct mime_item *item)
{
	char c = walk->input.data[0];
	static const struct {
		char wanted;
		unsigned char next;
	} steps[] = {
		[MIME_HOLD_CR] = { '\n', MIME_HOLD_LINE_END },
		[MIME_HOLD_LINE_END] = { '-', MIME_HOLD_DASH },
		[MIME_HOLD_DASH] = { '-', MIME_HOLD_LINE },
	};

	if (walk->hold == MIME_HOLD_LINE)
		return hold_line(walk, item);
	if (walk->hold == MIME_HOLD_NOTHING)
		walk->hold = c == '\r'   ? MIME_HOLD_CR
			     : c == '\n' ? MIME_HOLD_LINE_END
					 : MIME_HOLD_DASH;
	else if (c == steps[walk->hold].wanted)
		walk->hold = steps[walk->hold].next;
	else
		return release(walk, item, buf_len(&walk->held));
	take(walk, 1);
	return MIME_NONE;
}

/* Octets of the input before what may be the beginning of a boundary line. */
static size_t plain_run(const struct mime_walk *walk)
{
	struct text input = walk->input;
	const char *end = input.data + input.len, *lf = input.data;

	if (walk->n_levels == 0)
		return input.len;
	if (walk->at_line_begin && input.data[0] == '-')
		return 0;
	while ((lf = memchr(lf, '\n', (size_t)(end - lf))) != NULL) {
		if (lf + 1 == end || lf[1] == '-')
			return (size_t)(lf - input.data) -
			       (lf > input.data && lf[-1] == '\r');
		lf++;
	}
	return input.len - (end[-1] == '\r');
}

/* No more bytes: what is held is a boundary line, or is none. */
static enum mime_item_type finish_text(struct mime_walk *walk,
				       struct mime_item *item)
{
	if (!walk->finished || buf_len(&walk->held) == 0)
		return MIME_NONE;
	if (walk->hold == MIME_HOLD_LINE)
		return judge_line(walk, item);
	return release(walk, item, buf_len(&walk->held));
}

static enum mime_item_type next_of_text(struct mime_walk *walk,
					struct mime_item *item)
{
	if (walk->hold == MIME_HOLD_LINE &&
	    line_end_length(buf_text(&walk->held)) > 0)
		return judge_line(walk, item);
	while (walk->input.len > 0) {
		struct text run = walk->input;

		if (walk->hold == MIME_HOLD_NOTHING)
			run.len = plain_run(walk);
		else
			run.len = 0;
		if (run.len > 0) {
			walk->input = text_skip(walk->input, run.len);
			walk->at_line_begin = false;
			return hand_out(walk, item, run);
		}
		if (hold_more(walk, item) != MIME_NONE)
			return item->type;
	}
	return finish_text(walk, item);
}

static enum mime_item_type next_of_beyond(struct mime_walk *walk,
					  struct mime_item *item)
{
	item->part = MIME_PARTS_MAX;
	item->raw = buf_text(&walk->held);
	walk->drop = item->raw.len;
	if (item->raw.len == 0) {
		item->raw = walk->input;
		walk->input = text_of("");
	}
	return item->type = item->raw.len > 0 ? MIME_BEYOND : MIME_NONE;
}

enum mime_item_type mime_walk_next(struct mime_walk *walk,
				   struct mime_item *item_r)
{
	enum mime_item_type type;

	buf_consume(&walk->held, walk->drop);
	walk->drop = 0;
	item_r->type = MIME_NONE;
	while (walk->state == MIME_AT_HEADER_END ||
	       walk->state == MIME_IN_HEADER) {
		if (walk->state == MIME_AT_HEADER_END)
			enter_body(walk);
		else if ((type = walk_next_of_header(walk, item_r)) !=
				 MIME_NONE ||
			 walk->state == MIME_IN_HEADER)
			return type;
	}
	if (walk->state == MIME_IN_BEYOND)
		return next_of_beyond(walk, item_r);
	return next_of_text(walk, item_r);
}
