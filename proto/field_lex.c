#include "proto/field_lex.h"

#include <string.h>

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static size_t space_length(struct text text)
{
	size_t len = 0;

	while (len < text.len && is_space(text.data[len]))
		len++;
	return len;
}

static size_t atom_length(struct text text)
{
	size_t len = 0;

	while (len < text.len && (text.data[len] == '\0' ||
	       strchr("()<>[]:;,\" \t\r\n", text.data[len]) == NULL))
		len++;
	return len;
}

/* What text[0] begins and end closes, backslashes understood. */
static size_t enclosed_length(struct text text, char end, size_t *open_r)
{
	for (size_t i = 1; i < text.len; i++) {
		if (text.data[i] == '\\')
			i++;
		else if (text.data[i] == end)
			return i + 1;
	}
	*open_r = 1;
	return text.len;
}

/* Comments nest; a counter is all the memory that takes. */
static size_t comment_length(struct text text, size_t *open_r)
{
	size_t depth = 0;

	*open_r = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '\\')
			i++;
		else if (text.data[i] == '(')
			depth++;
		else if (text.data[i] == ')' && --depth == 0)
			return i + 1;
	}
	*open_r = depth;
	return text.len;
}

size_t field_comment_length(struct text text)
{
	size_t open, len = comment_length(text, &open);

	return open > 0 ? 0 : len;
}

static enum field_token_kind kind_of(char c)
{
	if (is_space(c))
		return FIELD_SPACE;
	if (c == '"')
		return FIELD_QUOTED;
	if (c == '(')
		return FIELD_COMMENT;
	if (c == '[')
		return FIELD_LITERAL;
	return c != '\0' && strchr("<>:;,)]", c) != NULL ? FIELD_SPECIAL
							 : FIELD_ATOM;
}

bool field_lex(struct text *rest, struct field_token *token_r)
{
	size_t len = 1;

	token_r->open = 0;
	if (rest->len == 0)
		return false;
	token_r->kind = kind_of(rest->data[0]);
	switch (token_r->kind) {
	case FIELD_SPACE:
		len = space_length(*rest);
		break;
	case FIELD_ATOM:
		len = atom_length(*rest);
		break;
	case FIELD_QUOTED:
		len = enclosed_length(*rest, '"', &token_r->open);
		break;
	case FIELD_COMMENT:
		len = comment_length(*rest, &token_r->open);
		break;
	case FIELD_LITERAL:
		len = enclosed_length(*rest, ']', &token_r->open);
		break;
	case FIELD_SPECIAL:
		break;
	}
	token_r->text = text_make(rest->data, len);
	*rest = text_skip(*rest, len);
	return true;
}

bool field_token_is(const struct field_token *token, char special)
{
	return token->kind == FIELD_SPECIAL && token->text.data[0] == special;
}

static bool says_something(struct text word)
{
	for (size_t i = 0; i < word.len; i++) {
		unsigned char c = (unsigned char)word.data[i];

		if (c > ' ' && c != '"' && c != '\\' && c != 127)
			return true;
	}
	return false;
}

bool field_has_words(struct text text)
{
	struct field_token token;

	while (field_lex(&text, &token))
		if (token.kind != FIELD_COMMENT &&
		    token.kind != FIELD_SPECIAL && says_something(token.text))
			return true;
	return false;
}

static size_t depth_inside(struct text comment)
{
	size_t depth = 0, deepest = 0;

	for (size_t i = 0; i < comment.len; i++) {
		if (comment.data[i] == '\\')
			i++;
		else if (comment.data[i] == '(' && ++depth > deepest)
			deepest = depth;
		else if (comment.data[i] == ')')
			depth--;
	}
	return deepest;
}

size_t field_comment_depth(struct text text)
{
	struct field_token token;
	size_t deepest = 0;

	if (text.len == 0 || memchr(text.data, '(', text.len) == NULL)
		return 0;
	while (field_lex(&text, &token)) {
		size_t depth = token.kind == FIELD_COMMENT
				       ? depth_inside(token.text)
				       : 0;

		deepest = depth > deepest ? depth : deepest;
	}
	return deepest;
}
