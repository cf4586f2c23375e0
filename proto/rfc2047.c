#include "proto/rfc2047.h"

#include <string.h>
#include "proto/base64.h"
#include "proto/utf8.h"

/* The frame is "=?", "?B?" and "?=". */
enum { WORD_MAX_OCTETS = 75, FRAME_OCTETS = 7 };

/* RFC 2047 2, 5 (3):  encoded-word = "=?" charset "?B?" base64 "?=" */
void rfc2047_encode(struct buf *out, struct text text, const char *charset)
{
	size_t room;

	if (utf8_is_valid(text))
		charset = "UTF-8";
	room = (WORD_MAX_OCTETS - FRAME_OCTETS - strlen(charset)) / 4 * 3;
	while (text.len > 0) {
		struct text part = utf8_cut(text, room);

		text = text_skip(text, part.len);
		buf_printf(out, "=?%s?B?", charset);
		base64_encode(out, part);
		buf_puts(out, text.len > 0 ? "?= " : "?=");
	}
}

/* Printable, and not what frames the parts. */
static bool is_part(struct text part)
{
	for (size_t i = 0; i < part.len; i++)
		if ((unsigned char)part.data[i] <= ' ' ||
		    (unsigned char)part.data[i] >= 127)
			return false;
	return true;
}

/* The part up to the next '?'. */
static bool take_part(struct text *rest, struct text *part_r)
{
	const char *end = rest->len ? memchr(rest->data, '?', rest->len) : NULL;

	if (end == NULL)
		return false;
	*part_r = text_make(rest->data, (size_t)(end - rest->data));
	*rest = text_skip(*rest, part_r->len + 1);
	return is_part(*part_r);
}

bool rfc2047_word_parse(struct text token, struct rfc2047_word *word_r)
{
	struct text rest = text_skip(token, 2), encoding;
	const char *star;

	if (!text_starts(token, "=?") ||
	    !take_part(&rest, &word_r->charset) ||
	    !take_part(&rest, &encoding) || !take_part(&rest, &word_r->text) ||
	    !text_is(rest, "=") || word_r->charset.len == 0 ||
	    !(text_is(encoding, "B") || text_is(encoding, "Q")))
		return false;
	word_r->encoding = text_is(encoding, "B") ? 'B' : 'Q';
	star = memchr(word_r->charset.data, '*', word_r->charset.len);
	if (star != NULL)
		word_r->charset.len = (size_t)(star - word_r->charset.data);
	return true;
}

static int hex_value(char c)
{
	const char *digits = "0123456789abcdef", *at;

	if (c >= 'A' && c <= 'F')
		c = (char)(c - 'A' + 'a');
	at = c != '\0' ? strchr(digits, c) : NULL;
	return at != NULL ? (int)(at - digits) : -1;
}

/* RFC 2047 4.2:  "_" is a space, "=" and two digits an octet. */
static bool decode_q(struct buf *out, struct text text)
{
	while (text.len > 0) {
		char c = text.data[0];
		size_t taken = 1;

		if (c == '=') {
			int high = text.len > 2 ? hex_value(text.data[1]) : -1;
			int low = text.len > 2 ? hex_value(text.data[2]) : -1;

			if (high < 0 || low < 0)
				return false;
			c = (char)(high << 4 | low);
			taken = 3;
		}
		if (!buf_putc(out, taken == 1 && c == '_' ? ' ' : c))
			return false;
		text = text_skip(text, taken);
	}
	return true;
}

bool rfc2047_word_decode(struct buf *out, const struct rfc2047_word *word)
{
	struct buf octets = BUF_INIT(word->text.len + 1);
	bool ok = word->encoding == 'B' ? base64_decode(&octets, word->text)
					: decode_q(&octets, word->text);

	ok = ok && buf_text_append(out, buf_text(&octets));
	buf_free(&octets);
	return ok;
}
