#include "proto/base64.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			       "abcdefghijklmnopqrstuvwxyz0123456789+/";

static void encode_group(char *out, const unsigned char *in, size_t n)
{
	unsigned bits = (unsigned)in[0] << 16;

	if (n > 1)
		bits |= (unsigned)in[1] << 8;
	if (n > 2)
		bits |= in[2];
	out[0] = alphabet[bits >> 18];
	out[1] = alphabet[bits >> 12 & 63];
	out[2] = n > 1 ? alphabet[bits >> 6 & 63] : '=';
	out[3] = n > 2 ? alphabet[bits & 63] : '=';
}

bool base64_encode(struct buf *out, struct text in)
{
	const unsigned char *data = (const unsigned char *)in.data;
	size_t groups = in.len / 3 + (in.len % 3 != 0);
	char *room = buf_room(out, groups * 4);

	if (room == NULL)
		return false;
	for (size_t i = 0; i < in.len; i += 3, room += 4)
		encode_group(room, data + i, in.len - i);
	buf_added(out, groups * 4);
	return true;
}

static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* Four characters, the last two maybe "=": n octets, -1 if they are none. */
static int decode_group(char out[3], const char *in)
{
	int n = in[3] != '=' ? 3 : in[2] != '=' ? 2 : 1;
	unsigned bits = 0;

	for (int i = 0; i < 4; i++) {
		int value = i <= n ? value_of(in[i]) : 0;

		if (value < 0)
			return -1;
		bits = bits << 6 | (unsigned)value;
	}
	if ((bits & (0xffffffu >> 8 * n)) != 0)
		return -1;
	out[0] = (char)(bits >> 16);
	out[1] = (char)(bits >> 8 & 255);
	out[2] = (char)(bits & 255);
	return n;
}

bool base64_decode(struct buf *out, struct text in)
{
	size_t len = in.len / 4 * 3, done = 0;
	char *room;

	if (in.len % 4 != 0)
		return false;
	if (len > 0 && in.data[in.len - 1] == '=')
		len -= in.data[in.len - 2] == '=' ? 2 : 1;
	room = buf_room(out, len);
	if (room == NULL)
		return false;
	for (size_t i = 0; i < in.len; i += 4) {
		char group[3];
		int n = decode_group(group, in.data + i);

		if (n < 0 || (n < 3 && i + 4 < in.len))
			return false;
		memcpy(room + done, group, (size_t)n);
		done += (size_t)n;
	}
	buf_added(out, done);
	return true;
}

/* ---- lines ---- */

enum { LINE_COLUMNS = 76, PAD_ROOM = 16 };

static char *break_line(char *end)
{
	*end++ = '\r';
	*end++ = '\n';
	return end;
}

static char *put_group(struct base64_lines *lines, char *end)
{
	if (lines->column == LINE_COLUMNS) {
		end = break_line(end);
		lines->column = 0;
	}
	encode_group(end, lines->held, lines->n_held);
	lines->n_held = 0;
	lines->column += 4;
	return end + 4;
}

bool base64_lines_add(struct base64_lines *lines, struct text piece,
		      struct buf *out)
{
	char *room = buf_room(out, 2 * piece.len + PAD_ROOM), *end = room;

	if (room == NULL)
		return false;
	for (size_t i = 0; i < piece.len; i++) {
		lines->held[lines->n_held++] = (unsigned char)piece.data[i];
		if (lines->n_held == 3)
			end = put_group(lines, end);
	}
	buf_added(out, (size_t)(end - room));
	return true;
}

bool base64_lines_finish(struct base64_lines *lines, struct buf *out)
{
	char *room = buf_room(out, PAD_ROOM), *end = room;

	if (room == NULL)
		return false;
	if (lines->n_held > 0)
		end = put_group(lines, end);
	buf_added(out, (size_t)(end - room));
	return true;
}

/* A line begun here begins with what base64 is made of, and none with a hyphen:
 * it is no boundary, whatever was left out before it. */
bool base64_wrap(unsigned *column, struct text piece, struct buf *out)
{
	char *room = buf_room(out, 2 * piece.len + PAD_ROOM), *end = room;

	if (room == NULL)
		return false;
	for (size_t i = 0; i < piece.len; i++) {
		char c = piece.data[i];
		bool is_line_end = c == '\r' || c == '\n';

		if ((unsigned char)c > 127 || (*column == 0 && c == '-'))
			continue;
		if (*column == LINE_COLUMNS && !is_line_end) {
			if (value_of(c) < 0 && c != '=')
				continue;
			end = break_line(end);
			*column = 0;
		}
		*column = is_line_end ? 0 : *column + 1;
		*end++ = c;
	}
	buf_added(out, (size_t)(end - room));
	return true;
}
