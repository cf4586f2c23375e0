#include "proto/utf8.h"

/* The octets of the UTF-8 character at data[0] (RFC 3629 4); 0: none is. */
static size_t utf8_length(const unsigned char *data, size_t len)
{
	size_t n = data[0] < 0x80   ? 1
		   : data[0] < 0xc2 ? 0
		   : data[0] < 0xe0 ? 2
		   : data[0] < 0xf0 ? 3
		   : data[0] < 0xf5 ? 4
				    : 0;

	if (n == 0 || n > len)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((data[i] & 0xc0) != 0x80)
			return 0;
	if ((data[0] == 0xe0 && data[1] < 0xa0) ||
	    (data[0] == 0xed && data[1] > 0x9f) ||
	    (data[0] == 0xf0 && data[1] < 0x90) ||
	    (data[0] == 0xf4 && data[1] > 0x8f))
		return 0;
	return n;
}

bool utf8_is_valid(struct text text)
{
	while (text.len > 0) {
		size_t n =
			utf8_length((const unsigned char *)text.data, text.len);

		if (n == 0)
			return false;
		text = text_skip(text, n);
	}
	return true;
}

struct text utf8_cut(struct text text, size_t max)
{
	size_t len = max;

	if (text.len <= max)
		return text;
	while (len + 3 > max && len > 0 && (text.data[len] & 0xc0) == 0x80)
		len--;
	return text_make(text.data, len);
}

void utf8_mend(char *data, size_t len)
{
	size_t i = 0, n;

	while (i < len) {
		n = utf8_length((const unsigned char *)data + i, len - i);
		if (n == 0 || data[i] == '\0')
			data[i] = '?';
		i += n > 0 ? n : 1;
	}
}

/* RFC 3629 4: what may follow depends on the first octet. */
static void begin_character(struct utf8_check *check, unsigned char c)
{
	check->wanted = c < 0x80   ? 0
	                : c < 0xe0 ? 1
	                : c < 0xf0 ? 2
	                           : 3;
	check->failed = (c >= 0x80 && c < 0xc2) || c > 0xf4;
	check->low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	check->high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
}

void utf8_check_init(struct utf8_check *check)
{
	*check = (struct utf8_check){ .low = 0x80, .high = 0xbf };
}

void utf8_check_add(struct utf8_check *check, struct text piece)
{
	for (size_t i = 0; i < piece.len && !check->failed; i++) {
		unsigned char c = (unsigned char)piece.data[i];

		if (check->wanted == 0) {
			begin_character(check, c);
			continue;
		}
		check->failed = c < check->low || c > check->high;
		check->wanted--;
		check->low = 0x80;
		check->high = 0xbf;
	}
}

bool utf8_check_done(const struct utf8_check *check)
{
	return !check->failed && check->wanted == 0;
}
