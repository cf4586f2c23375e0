#include "proto/text.h"

#include <string.h>
#include "proto/xalloc.h"

static unsigned char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c | 0x20)
				    : (unsigned char)c;
}

static bool same_nocase(const char *a, const char *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (lower(a[i]) != lower(b[i]))
			return false;
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct text text_of(const char *string)
{
	return text_make(string, string != NULL ? strlen(string) : 0);
}

struct text text_make(const char *data, size_t len)
{
	return (struct text){ data != NULL ? data : "", len };
}

char *text_dup(struct text text)
{
	return xmemdup0(text.data, text.len);
}

bool text_equal(struct text a, struct text b)
{
	return a.len == b.len &&
	       (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool text_equal_nocase(struct text a, struct text b)
{
	return a.len == b.len && same_nocase(a.data, b.data, a.len);
}

bool text_is(struct text a, const char *b)
{
	return text_equal_nocase(a, text_of(b));
}

bool text_starts(struct text text, const char *prefix)
{
	size_t len = strlen(prefix);

	return text.len >= len && same_nocase(text.data, prefix, len);
}

ptrdiff_t text_find_nocase(struct text text, struct text needle)
{
	for (size_t i = 0; needle.len + i <= text.len; i++)
		if (same_nocase(text.data + i, needle.data, needle.len))
			return (ptrdiff_t)i;
	return -1;
}

struct text text_skip(struct text text, size_t n)
{
	if (n == 0)
		return text;
	if (n > text.len)
		n = text.len;
	return text_make(text.data + n, text.len - n);
}

struct text text_trim(struct text text)
{
	while (text.len > 0 && is_blank(text.data[0]))
		text = text_skip(text, 1);
	while (text.len > 0 && is_blank(text.data[text.len - 1]))
		text.len--;
	return text;
}

bool text_token(struct text *rest, char separator, struct text *token_r)
{
	const char *end;

	if (rest->len == 0)
		return false;
	end = memchr(rest->data, separator, rest->len);
	*token_r = *rest;
	if (end != NULL)
		token_r->len = (size_t)(end - rest->data);
	*rest = text_skip(*rest, token_r->len + (end != NULL));
	return true;
}

bool text_to_u64(struct text text, uint64_t *value_r)
{
	uint64_t value = 0;

	for (size_t i = 0; i < text.len; i++) {
		unsigned digit = (unsigned char)text.data[i] - (unsigned)'0';

		if (digit > 9 || value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*value_r = value;
	return text.len > 0;
}

/* Only the last star needs to be tried again: at most pattern times text
 * steps. */
bool text_glob(struct text pattern, struct text text)
{
	size_t p = 0, t = 0, after_star = 0, retry = 0;

	while (t < text.len) {
		if (p < pattern.len && pattern.data[p] == '*') {
			after_star = ++p;
			retry = t;
		} else if (p < pattern.len &&
			   lower(pattern.data[p]) == lower(text.data[t])) {
			p++;
			t++;
		} else if (after_star > 0) {
			p = after_star;
			t = ++retry;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.data[p] == '*')
		p++;
	return p == pattern.len;
}
