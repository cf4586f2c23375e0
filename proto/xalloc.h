/*
 * xalloc -- allocation that cannot fail: without memory the process ends with
 * a message, and what was answered 250 is on disk already.  Whatever a peer
 * can make grow is bounded before it gets here (see buf.h).
 */
#ifndef PROTO_XALLOC_H
#define PROTO_XALLOC_H

#include <stddef.h>

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size); /* zeroed */
void *xrealloc(void *memory, size_t size);
char *xstrdup(const char *string);        /* NULL gives NULL */
char *xmemdup0(const void *data, size_t len); /* adds a NUL */
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Overwrite a secret so that the compiler cannot leave it out, then free. */
void xfree_secret(char **secret);

#endif
