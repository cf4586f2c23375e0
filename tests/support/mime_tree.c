#include "tests/support/mime_tree.h"

#include <string.h>

#include "proto/base64.h"
#include "proto/mime_walk.h"

/* ---- lines ---- */

static struct text take_line(struct text *rest)
{
	const char *lf = memchr(rest->data, '\n', rest->len);
	struct text line = *rest;

	if (lf != NULL)
		line.len = (size_t)(lf - rest->data) + 1;
	*rest = text_skip(*rest, line.len);
	return line;
}

static struct text without_end(struct text line)
{
	if (line.len > 0 && line.data[line.len - 1] == '\n')
		line.len--;
	if (line.len > 0 && line.data[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* What stands between two places, without the line end before the second. */
static struct text between(const char *from, const char *to)
{
	if (to <= from)
		return text_of("");
	if (to[-1] != '\n')
		return text_make(from, (size_t)(to - from));
	to--;
	if (to > from && to[-1] == '\r')
		to--;
	return text_make(from, (size_t)(to - from));
}

/* ---- encodings ---- */

static int hex_of(char c)
{
	const char *digits = "0123456789ABCDEFabcdef";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;
	int value = at != NULL ? (int)(at - digits) : -1;

	return value > 15 ? value - 6 : value;
}

static size_t blanks(struct text text, size_t at)
{
	size_t n = at;

	while (n < text.len && (text.data[n] == ' ' || text.data[n] == '\t'))
		n++;
	return n - at;
}

static bool is_line_end(struct text text, size_t at)
{
	return at == text.len || text.data[at] == '\n' ||
	       (text.data[at] == '\r' &&
		(at + 1 == text.len || text.data[at + 1] == '\n'));
}

static size_t soft_break(struct text text)
{
	size_t n = 1 + blanks(text, 1);

	if (!is_line_end(text, n))
		return 0;
	n += n < text.len && text.data[n] == '\r';
	return n + (n < text.len);
}

static void decode_qp(struct buf *out, struct text text)
{
	while (text.len > 0) {
		size_t n = 1;
		char c = text.data[0];

		if (c == '=' && text.len > 2 && hex_of(text.data[1]) >= 0 &&
		    hex_of(text.data[2]) >= 0) {
			buf_putc(out, (char)(hex_of(text.data[1]) * 16 +
					     hex_of(text.data[2])));
			n = 3;
		} else if (c == '=' && soft_break(text) > 0) {
			n = soft_break(text);
		} else if (blanks(text, 0) > 0 &&
			   is_line_end(text, blanks(text, 0))) {
			n = blanks(text, 0); /* RFC 2045 6.7 (3) */
		} else {
			buf_putc(out, c);
		}
		text = text_skip(text, n);
	}
}

/* Groups of four of what is base64; a rest that is none stays as it is. */
static void decode_base64(struct buf *out, struct text text)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklm"
				       "nopqrstuvwxyz0123456789+/=";
	char group[4];
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '\0' ||
		    strchr(alphabet, text.data[i]) == NULL)
			continue;
		group[n++] = text.data[i];
		if (n < 4)
			continue;
		if (!base64_decode(out, text_make(group, 4)))
			buf_append(out, group, 4);
		n = 0;
	}
	buf_append(out, group, n);
}

/* ---- parts ---- */

struct tree {
	struct buf *out;
	unsigned n_parts;
};

static void print_entity(struct tree *tree, struct text text, unsigned depth,
			 bool in_digest);

static bool read_field(struct text line, struct rfc5322_field *field)
{
	const char *colon = memchr(line.data, ':', line.len);
	struct text name = text_make(line.data, 0);

	if (colon == NULL)
		return false;
	name.len = (size_t)(colon - line.data);
	while (name.len > 0 && (name.data[name.len - 1] == ' ' ||
				name.data[name.len - 1] == '\t'))
		name.len--;
	for (size_t i = 0; i < name.len; i++)
		if (name.data[i] <= ' ' || name.data[i] > 126)
			return false;
	field->raw = line;
	field->name = name;
	field->value = without_end(text_make(
		colon + 1, (size_t)(line.data + line.len - colon - 1)));
	return name.len > 0;
}

/* Returns what follows the header. */
static struct text read_header(struct text text, struct mime_entity *entity)
{
	struct rfc5322_field field;

	while (text.len > 0) {
		struct text rest = text, line = take_line(&rest);

		if (without_end(line).len == 0 &&
		    line.data[line.len - 1] == '\n')
			return rest;
		while (rest.len > 0 &&
		       (rest.data[0] == ' ' || rest.data[0] == '\t')) {
			take_line(&rest);
			line.len = (size_t)(rest.data - line.data);
		}
		if (!read_field(line, &field))
			return text;
		mime_entity_field(entity, &field);
		text = rest;
	}
	return text;
}

/* 0: none, 1: a part begins, 2: the last one ends. */
static int is_delimiter(struct text line, const struct mime_entity *entity)
{
	struct text boundary =
		text_make(entity->boundary, entity->boundary_len);
	int kind = 1;

	if (line.len > 1000 || !text_starts(line, "--"))
		return 0;
	line = text_skip(without_end(line), 2);
	if (line.len < boundary.len ||
	    !text_equal(text_make(line.data, boundary.len), boundary))
		return 0;
	line = text_trim(text_skip(line, boundary.len));
	if (text_is(line, "--")) {
		kind = line.data[-1] == ' ' || line.data[-1] == '\t' ? 0 : 2;
		line = text_of("");
	}
	return line.len == 0 ? kind : 0;
}

static void print_parts(struct tree *tree, struct text body,
			const struct mime_entity *entity, unsigned depth)
{
	const char *begin = NULL;
	int kind = 0;

	while (body.len > 0 && kind != 2) {
		struct text line = take_line(&body);

		kind = is_delimiter(line, entity);
		if (kind == 0)
			continue;
		if (begin != NULL)
			print_entity(tree, between(begin, line.data), depth + 1,
				     entity->is_digest);
		begin = line.data + line.len;
	}
	if (kind != 2 && begin != NULL)
		print_entity(tree,
			     text_make(begin,
				       (size_t)(body.data + body.len - begin)),
			     depth + 1, entity->is_digest);
}

static void print_leaf(struct tree *tree, struct text body,
		       const struct mime_entity *entity)
{
	bool is_sealed =
		entity->kind == MIME_SIGNED || entity->kind == MIME_SEALED;

	buf_puts(tree->out, is_sealed ? "{" : "[");
	if (is_sealed)
		buf_text_append(tree->out, body);
	else if (entity->encoding == MIME_BASE64)
		decode_base64(tree->out, body);
	else if (entity->encoding == MIME_QUOTED_PRINTABLE)
		decode_qp(tree->out, body);
	else
		buf_text_append(tree->out, body);
	buf_putc(tree->out, is_sealed ? '}' : ']');
}

static void print_entity(struct tree *tree, struct text text, unsigned depth,
			 bool in_digest)
{
	struct mime_entity entity;
	struct text body;

	tree->n_parts++;
	mime_entity_init(&entity, in_digest);
	body = read_header(text, &entity);
	if (entity.kind == MIME_MESSAGE && !mime_entity_is_plain(&entity))
		entity.kind = MIME_OTHER;
	if ((entity.kind == MIME_MESSAGE || entity.kind == MIME_MULTIPART) &&
	    depth >= MIME_DEPTH_MAX)
		entity.kind = MIME_SEALED;
	if (entity.kind != MIME_MESSAGE && entity.kind != MIME_MULTIPART) {
		print_leaf(tree, body, &entity);
		return;
	}
	buf_puts(tree->out, entity.kind == MIME_MESSAGE ? "<" : "(");
	if (entity.kind == MIME_MESSAGE)
		print_entity(tree, body, depth + 1, false);
	else
		print_parts(tree, body, &entity, depth);
	buf_putc(tree->out, entity.kind == MIME_MESSAGE ? '>' : ')');
}

void mime_tree_print(struct buf *out, struct text message)
{
	struct tree tree = { out, 0 };

	print_entity(&tree, message, 0, false);
}
