#include "proto/xalloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *memory)
{
	if (memory != NULL)
		return memory;
	fputs("lanpost: out of memory; give the process more and start it "
	      "again, mail that was answered 250 is on disk\n",
	      stderr);
	abort();
}

void *xmalloc(size_t size)
{
	return checked(malloc(size > 0 ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
	if (count == 0 || size == 0)
		count = size = 1;
	return checked(calloc(count, size));
}

void *xrealloc(void *memory, size_t size)
{
	return checked(realloc(memory, size > 0 ? size : 1));
}

char *xstrdup(const char *string)
{
	return string != NULL ? checked(strdup(string)) : NULL;
}

char *xmemdup0(const void *data, size_t len)
{
	char *copy = xmalloc(len + 1);

	if (len > 0)
		memcpy(copy, data, len);
	copy[len] = '\0';
	return copy;
}

char *xasprintf(const char *format, ...)
{
	va_list args;
	char *string;
	int len;

	va_start(args, format);
	len = vasprintf(&string, format, args);
	va_end(args);
	return checked(len >= 0 ? string : NULL);
}

void xfree_secret(char **secret)
{
	if (*secret != NULL)
		explicit_bzero(*secret, strlen(*secret));
	free(*secret);
	*secret = NULL;
}
