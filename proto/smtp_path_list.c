#include "proto/smtp_path_private.h"

static bool is_separator(char c)
{
	return c == ',' || c == ';';
}

/* How far the list goes: to its end, or to the parameters behind it. */
struct extent {
	size_t end;
	bool separated; /* a separator stood outside of brackets */
};

/* Asked at the first blank of several only, so that many cost no more. */
static bool ends_at(struct text arg, size_t i, bool behind_separator)
{
	return path_is_blank(arg.data[i]) && !behind_separator &&
	       (i == 0 || !path_is_blank(arg.data[i - 1])) &&
	       path_is_param(text_trim(text_skip(arg, i)));
}

static bool measure(struct text arg, struct extent *extent)
{
	size_t depth = 0, next;
	bool behind_separator = false;

	*extent = (struct extent){ 0 };
	for (size_t i = 0; i < arg.len; i = next) {
		char c = arg.data[i];

		next = path_unit_end(arg, i);
		if (next == SIZE_MAX)
			return false;
		if (depth == 0 && ends_at(arg, i, behind_separator))
			break;
		depth += c == '<';
		if (c == '>' && depth-- == 0)
			return false;
		if (depth == 0 && is_separator(c))
			extent->separated = behind_separator = true;
		else if (!path_is_blank(c))
			behind_separator = false;
		extent->end = next;
	}
	return depth == 0;
}

/* "<a@b,c@d>": between the brackets. */
static bool take_brackets(struct smtp_path_list *list)
{
	struct text inside = text_trim(list->rest);
	struct extent extent;

	if (inside.len < 2 || inside.data[0] != '<' ||
	    inside.data[inside.len - 1] != '>')
		return false;
	inside = text_make(inside.data + 1, inside.len - 2);
	if (!measure(inside, &extent) || !extent.separated ||
	    extent.end < inside.len)
		return false;
	*list = (struct smtp_path_list){ inside, true };
	return true;
}

bool smtp_path_list_parse(struct text arg, struct smtp_path_list *list_r,
			  struct text *rest_r)
{
	struct extent extent;

	arg = text_trim(arg);
	if (!measure(arg, &extent))
		return false;
	*list_r = (struct smtp_path_list){ text_make(arg.data, extent.end),
					   false };
	*rest_r = text_trim(text_skip(arg, extent.end));
	return extent.separated || take_brackets(list_r);
}

/* Up to a separator outside of brackets; it is known that they pair. */
static struct text take_item(struct text *rest)
{
	size_t depth = 0, i = 0;
	struct text item;

	while (i < rest->len &&
	       (depth > 0 || !is_separator(rest->data[i]))) {
		depth += rest->data[i] == '<';
		depth -= rest->data[i] == '>' && depth > 0;
		i = path_unit_end(*rest, i);
	}
	item = text_make(rest->data, i);
	*rest = text_skip(*rest, i + 1);
	return text_trim(item);
}

bool smtp_path_list_next(struct smtp_path_list *list, struct smtp_path *path_r,
			 const char **error_r)
{
	struct text item = text_of(""), rest;

	*error_r = NULL;
	while (item.len == 0 && list->rest.len > 0)
		item = take_item(&list->rest);
	if (item.len == 0 ||
	    !smtp_path_parse(item, path_r, &rest, error_r))
		return false;
	if (rest.len > 0)
		*error_r = "It is not clear which of the words is the address";
	if (list->bracketed)
		path_r->repairs &= ~SMTP_PATH_REPAIR(BRACKETS);
	return rest.len == 0;
}
