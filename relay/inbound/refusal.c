#include "relay/inbound/refusal.h"

#include <stdarg.h>
#include <stdio.h>

enum { WORDS_MAX = 512 - 16 }; /* without "550 5.7.1 " and CRLF */

bool refuse(struct smtp_reply *refusal_r, int code, const char *status,
            const char *format, ...)
{
	static char words[WORDS_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(words, sizeof words, format, args);
	va_end(args);
	*refusal_r = smtp_reply_make(code, status, words);
	return false;
}
