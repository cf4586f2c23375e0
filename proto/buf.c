#include "proto/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/xalloc.h"

enum { BUF_SIZE_MIN = 256 };

void buf_init(struct buf *buf, size_t max)
{
	*buf = BUF_INIT(max);
}

void buf_free(struct buf *buf)
{
	free(buf->data);
	*buf = BUF_INIT(buf->max);
}

void buf_release(struct buf *buf)
{
	if (buf_len(buf) == 0)
		buf_free(buf);
}

void buf_wipe(struct buf *buf)
{
	if (buf->data != NULL)
		explicit_bzero(buf->data, buf->size);
	buf_free(buf);
}

void buf_clear(struct buf *buf)
{
	buf->start = buf->end = 0;
}

size_t buf_len(const struct buf *buf)
{
	return buf->end - buf->start;
}

struct text buf_text(const struct buf *buf)
{
	if (buf->data == NULL)
		return text_make("", 0);
	return text_make(buf->data + buf->start, buf_len(buf));
}

static size_t size_for(const struct buf *buf, size_t needed)
{
	size_t size = buf->size > BUF_SIZE_MIN ? buf->size : BUF_SIZE_MIN;

	while (size < needed && size <= buf->max / 2)
		size *= 2;
	if (size < needed)
		size = buf->max;
	return size < buf->max ? size : buf->max;
}

/* The bytes held move to the front, of this memory or of more.  One byte
 * beyond size is always there for buf_string()'s NUL. */
static void make_room(struct buf *buf, size_t len)
{
	size_t held = buf_len(buf);
	size_t size = size_for(buf, held + len);
	char *data = buf->data;

	if (data == NULL || size > buf->size)
		data = xmalloc(size + 1);
	if (held > 0)
		memmove(data, buf->data + buf->start, held);
	if (data != buf->data) {
		free(buf->data);
		buf->data = data;
		buf->size = size;
	}
	buf->start = 0;
	buf->end = held;
}

char *buf_room(struct buf *buf, size_t len)
{
	if (len > buf->max - buf_len(buf))
		return NULL;
	if (buf->data == NULL || len > buf->size - buf->end)
		make_room(buf, len);
	return buf->data + buf->end;
}

void buf_added(struct buf *buf, size_t len)
{
	buf->end += len;
}

const char *buf_string(struct buf *buf)
{
	char *end = buf_room(buf, 0);

	*end = '\0';
	return buf->data + buf->start;
}

bool buf_append(struct buf *buf, const void *data, size_t len)
{
	char *room;

	if (len == 0)
		return true;
	room = buf_room(buf, len);
	if (room == NULL)
		return false;
	memcpy(room, data, len);
	buf_added(buf, len);
	return true;
}

bool buf_text_append(struct buf *buf, struct text text)
{
	return buf_append(buf, text.data, text.len);
}

bool buf_puts(struct buf *buf, const char *string)
{
	return buf_append(buf, string, strlen(string));
}

bool buf_putc(struct buf *buf, char c)
{
	return buf_append(buf, &c, 1);
}

bool buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args;
	bool done;

	va_start(args, format);
	done = buf_vprintf(buf, format, args);
	va_end(args);
	return done;
}

bool buf_vprintf(struct buf *buf, const char *format, va_list args)
{
	va_list again;
	char *room;
	int len;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, again);
	va_end(again);
	room = len >= 0 ? buf_room(buf, (size_t)len) : NULL;
	if (room == NULL)
		return false;
	vsnprintf(room, (size_t)len + 1, format, args);
	buf_added(buf, (size_t)len);
	return true;
}

void buf_consume(struct buf *buf, size_t len)
{
	if (len < buf_len(buf))
		buf->start += len;
	else
		buf_clear(buf);
}

char *buf_steal(struct buf *buf)
{
	char *string;

	if (buf_len(buf) > 0 && buf->start == 0) {
		buf_string(buf);
		string = buf->data;
		buf->data = NULL;
	} else {
		string = text_dup(buf_text(buf));
	}
	buf_free(buf);
	return string;
}
