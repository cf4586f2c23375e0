/*
 * buf -- a growing byte queue with a hard maximum given at creation.
 *
 * Bytes are appended at the end and consumed from the front.  Memory is
 * allocated with the first byte and given back by buf_release() once the
 * queue is empty, so that an idle connection holds none.  Anything a peer can
 * make grow is a buf, and its maximum is the answer to the attack.
 */
#ifndef PROTO_BUF_H
#define PROTO_BUF_H

#include <stdarg.h>
#include "proto/text.h"

struct buf {
	char *data;
	size_t start, end; /* the bytes held are data[start..end) */
	size_t size, max;
};

#define BUF_INIT(maximum) ((struct buf){ .max = (maximum) })

void buf_init(struct buf *buf, size_t max);
void buf_free(struct buf *buf);       /* forget all, memory too */
void buf_release(struct buf *buf);    /* give memory back if it holds nothing */
void buf_wipe(struct buf *buf);       /* overwrite the contents, then free */
void buf_clear(struct buf *buf);      /* forget the bytes, keep the memory */

size_t buf_len(const struct buf *buf);
struct text buf_text(const struct buf *buf); /* valid until the next change */
const char *buf_string(struct buf *buf);     /* the same, NUL-terminated */

/* All or nothing: false, and nothing appended, when the maximum would be
 * passed. */
bool buf_append(struct buf *buf, const void *data, size_t len);
bool buf_text_append(struct buf *buf, struct text text);
bool buf_puts(struct buf *buf, const char *string);
bool buf_putc(struct buf *buf, char c);
bool buf_printf(struct buf *buf, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
bool buf_vprintf(struct buf *buf, const char *format, va_list args);

/* Room for len more bytes to be written in place, NULL above the maximum;
 * then buf_added() says how many came. */
char *buf_room(struct buf *buf, size_t len);
void buf_added(struct buf *buf, size_t len);

void buf_consume(struct buf *buf, size_t len); /* drop from the front */

/* The bytes as a new C string; the buf is empty afterwards. */
char *buf_steal(struct buf *buf);

#endif
