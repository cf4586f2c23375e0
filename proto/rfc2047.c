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
