#include "proto/printable.h"

/* The length of a well-formed UTF-8 sequence at the start of text, 0 if there
 * is none; *code_r is its code point. */
static size_t utf8_length(struct text text, uint32_t *code_r)
{
	const unsigned char *p = (const unsigned char *)text.data;
	size_t n = p[0] < 0x80 ? 1 : p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3
	         : p[0] >> 3 == 30 ? 4 : 0;
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t code = n == 1 ? p[0] : n == 0 ? 0 : p[0] & (0x7f >> n);
	size_t i;

	if (n == 0 || n > text.len)
		return 0;
	for (i = 1; i < n; i++) {
		if (p[i] >> 6 != 2)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	if (code < least[n] || code > 0x10ffff ||
	    (code >= 0xd800 && code < 0xe000))
		return 0;
	*code_r = code;
	return n;
}

/* Control characters, and those that turn a line of text around or hide. */
static bool is_treacherous(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) ||
	       code == 0x61c || (code >= 0x200b && code <= 0x200f) ||
	       (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2060 && code <= 0x2069) || code == 0xfeff;
}

enum printable printable_next(struct text text, size_t *len_r,
                              uint32_t *code_r)
{
	*len_r = utf8_length(text, code_r);
	if (*len_r == 0) {
		*len_r = 1;
		return PRINTABLE_BYTE;
	}
	return is_treacherous(*code_r) ? PRINTABLE_CODE : PRINTABLE_PLAIN;
}

void printable_code(struct buf *out, uint32_t code)
{
	if (code == '\n')
		buf_puts(out, "\\n");
	else if (code == '\r')
		buf_puts(out, "\\r");
	else if (code == '\t')
		buf_puts(out, "\\t");
	else
		buf_printf(out, "\\u%04x", code);
}

void printable_append(struct buf *out, struct text text, size_t max)
{
	size_t len, room = max;
	uint32_t code;

	for (; text.len > 0; text = text_skip(text, len), room -= len) {
		enum printable kind = printable_next(text, &len, &code);

		if (len > room)
			break;
		if (kind == PRINTABLE_PLAIN)
			buf_append(out, text.data, len);
		else if (kind == PRINTABLE_CODE)
			printable_code(out, code);
		else
			buf_printf(out, "\\x%02x", (unsigned char)*text.data);
	}
	if (text.len > 0)
		buf_puts(out, "...");
}
