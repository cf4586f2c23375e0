#include "tests/support/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "proto/buf.h"

static void escape(struct buf *out, struct text text)
{
	buf_putc(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c == '\r')
			buf_puts(out, "\\r");
		else if (c == '\n')
			buf_puts(out, "\\n");
		else if (c < 32 || c > 126 || c == '"' || c == '\\')
			buf_printf(out, "\\x%02x", c);
		else
			buf_putc(out, (char)c);
	}
	buf_putc(out, '"');
}

void assert_bytes(const char *name, struct text actual, struct text expected)
{
	struct buf out = BUF_INIT(1024 * 1024);

	if (text_equal(actual, expected))
		return;
	buf_printf(&out, "%s: ", name);
	escape(&out, actual);
	buf_puts(&out, " instead of ");
	escape(&out, expected);
	fail_msg("%s", buf_string(&out));
}
