#include "proto/plain.h"

#include <string.h>

#include "proto/field_text.h"
#include "proto/utf8.h"

static bool is_between(struct text at, const char *first, const char *last)
{
	size_t len = strlen(first);

	return at.len >= len && memcmp(at.data, first, len) >= 0 &&
	       memcmp(at.data, last, len) <= 0;
}

/* Octets of a character here that only steers, 0: none is. */
static size_t steering(struct text at)
{
	if (is_between(at, "\xC2\x80", "\xC2\x9F")) /* C1 */
		return 2;
	if (is_between(at, "\xE2\x80\x8B", "\xE2\x80\x8F") || /* zero width */
	    is_between(at, "\xE2\x80\xA8", "\xE2\x80\xAE") || /* bidi, lines */
	    is_between(at, "\xE2\x81\xA0", "\xE2\x81\xAF") ||
	    is_between(at, "\xEF\xBB\xBF", "\xEF\xBB\xBF"))
		return 3;
	return 0;
}

static bool is_blank(char c)
{
	return (unsigned char)c <= ' ' || c == 127;
}

static void put_blank(struct buf *line)
{
	struct text so_far = buf_text(line);

	if (so_far.len > 0 && so_far.data[so_far.len - 1] != ' ')
		buf_putc(line, ' ');
}

static void squeeze(struct buf *line, struct text text)
{
	while (text.len > 0) {
		size_t n = steering(text);

		if (is_blank(text.data[0]))
			put_blank(line);
		else if (n == 0)
			buf_putc(line, text.data[0]);
		text = text_skip(text, n > 0 ? n : 1);
	}
}

static void put_cut(struct buf *out, struct text line, size_t max)
{
	struct text part = line;

	if (line.len > max)
		part = text_trim(utf8_cut(line, max > 3 ? max - 3 : 0));
	buf_text_append(out, part);
	if (part.len < line.len)
		buf_puts(out, "...");
}

/* Blanks and what steers are dropped before it is cut: there may be much of
 * it, but not without end. */
enum { DROPPED_MAX = 4096 };

void plain_line(struct buf *out, struct text text, size_t max)
{
	struct text part = utf8_cut(text, max + DROPPED_MAX);
	struct buf spaced = BUF_INIT(part.len + 1);
	struct buf decoded = BUF_INIT(8 * part.len + 1);
	struct buf line = BUF_INIT(8 * part.len + 1);

	for (size_t i = 0; i < part.len; i++)
		buf_putc(&spaced, is_blank(part.data[i]) ? ' ' : part.data[i]);
	field_text(&decoded, buf_text(&spaced), NULL);
	squeeze(&line, buf_text(&decoded));
	put_cut(out, text_trim(buf_text(&line)), max);
	buf_free(&spaced);
	buf_free(&decoded);
	buf_free(&line);
}

char *plain_dup(const char *string, size_t max)
{
	struct buf line = BUF_INIT(max + 4);

	if (string == NULL)
		return NULL;
	plain_line(&line, text_of(string), max);
	return buf_steal(&line);
}
