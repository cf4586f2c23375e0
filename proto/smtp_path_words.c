#include "proto/smtp_path_private.h"

#include <string.h>
#include "proto/smtp_syntax.h"

bool path_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static size_t quoted_end(struct text text, size_t i)
{
	for (i++; i < text.len; i++) {
		if (text.data[i] == '"')
			return i + 1;
		if (text.data[i] == '\\')
			i++;
	}
	return SIZE_MAX;
}

/* RFC 5322 3.2.2:  comment = "(" *([FWS] ccontent) [FWS] ")" */
static size_t comment_end(struct text text, size_t i)
{
	size_t depth = 0;

	for (; i < text.len; i++) {
		if (text.data[i] == '(')
			depth++;
		else if (text.data[i] == ')' && --depth == 0)
			return i + 1;
		else if (text.data[i] == '\\')
			i++;
	}
	return SIZE_MAX;
}

size_t path_unit_end(struct text text, size_t i)
{
	if (text.data[i] == '"')
		return quoted_end(text, i);
	if (text.data[i] == '(')
		return comment_end(text, i);
	return i + 1;
}

size_t path_find(struct text text, const char *stop)
{
	size_t i = 0;

	while (i < text.len) {
		char c = text.data[i];

		if (c != '\0' && strchr(stop, c) != NULL)
			return i;
		i = path_unit_end(text, i);
	}
	return i == SIZE_MAX ? SIZE_MAX : text.len;
}

bool path_is_param(struct text text)
{
	size_t equals = path_find(text, "= \t<>,;\"(");

	return equals < text.len && text.data[equals] == '=' &&
	       smtp_is_keyword(text_make(text.data, equals));
}

bool path_is_phrase(struct text arg)
{
	size_t open = path_find(arg, "<"), word;

	if (open >= arg.len)
		return false;
	for (word = open; word > 0 && !path_is_blank(arg.data[word - 1]);)
		word--;
	return !path_is_param(text_skip(arg, word));
}

bool path_skip_comments(struct text *text)
{
	*text = text_trim(*text);
	while (text->len > 0 && text->data[0] == '(') {
		size_t end = path_unit_end(*text, 0);

		if (end == SIZE_MAX)
			return false;
		*text = text_trim(text_skip(*text, end));
	}
	return true;
}

static unsigned count_at(struct text text)
{
	unsigned n = 0;
	size_t at;

	while ((at = path_find(text, "@")) < text.len) {
		text = text_skip(text, at + 1);
		n++;
	}
	return n;
}

/* The one pair of brackets that holds no other, in the first that close, with
 * every "@" there is. */
static bool find_innermost(struct text arg, struct text *inner_r,
			   struct text *rest_r)
{
	size_t depth = 0, open = 0, end;
	unsigned pairs = 0;
	bool fresh = false;

	*inner_r = *rest_r = text_of("");
	for (size_t i = 0; i < arg.len; i = end) {
		end = path_unit_end(arg, i);
		if (end == SIZE_MAX)
			return false;
		if (arg.data[i] == '<') {
			depth++;
			open = end;
			fresh = true;
		} else if (arg.data[i] == '>' && depth-- > 0) {
			if (fresh && ++pairs == 1)
				*inner_r = text_make(arg.data + open, i - open);
			fresh = false;
			*rest_r = text_skip(arg, end);
		} else if (arg.data[i] == '>') {
			return false;
		}
		if (pairs > 0 && depth == 0)
			break;
	}
	arg.len -= rest_r->len;
	return pairs == 1 && depth == 0 &&
	       count_at(arg) == count_at(*inner_r);
}

/* A word between comments, up to a space. */
static bool find_word(struct text arg, struct text *word_r, struct text *rest_r)
{
	size_t end;

	if (!path_skip_comments(&arg))
		return false;
	end = path_find(arg, " \t");
	if (end == SIZE_MAX)
		return false;
	*word_r = text_make(arg.data, end);
	*rest_r = text_skip(arg, end);
	return true;
}

static struct text without_final_comments(struct text text)
{
	size_t last = 0;

	for (size_t i = 0, end; i < text.len; i = end) {
		end = path_unit_end(text, i);
		if (end == SIZE_MAX)
			return text;
		if (text.data[i] != '(' && !path_is_blank(text.data[i]))
			last = end;
	}
	return text_make(text.data, last);
}

struct text path_unquote(struct text text)
{
	struct text inside;
	char quote = text.len > 2 ? text.data[0] : '\0';

	if ((quote != '"' && quote != '\'') ||
	    text.data[text.len - 1] != quote)
		return text;
	inside = text_make(text.data + 1, text.len - 2);
	if (memchr(inside.data, '\\', inside.len) != NULL ||
	    memchr(inside.data, quote, inside.len) != NULL ||
	    memchr(inside.data, '@', inside.len) == NULL)
		return text;
	return text_trim(inside);
}

bool path_among_words(struct text arg, struct text *address_r,
		      struct text *rest_r)
{
	bool found = path_is_phrase(arg)
			     ? find_innermost(arg, address_r, rest_r)
			     : find_word(arg, address_r, rest_r);

	arg.len -= found ? rest_r->len : 0;
	if (!found || smtp_has_control(arg) || !path_skip_comments(address_r) ||
	    (rest_r->len > 0 && !path_is_blank(rest_r->data[0])))
		return false;
	*address_r = path_unquote(without_final_comments(*address_r));
	return address_r->len > 0;
}
