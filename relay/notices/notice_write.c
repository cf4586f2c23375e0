#include "relay/notices/notice_write.h"

#include "proto/plain.h"
#include "proto/rfc5322.h"

enum {
	COLUMNS = 76,
	INDENT = 4,
	VALUE_MAX = 300,
	WORDS_MAX = 4000,      /* of a paragraph */
	QUOTE_MAX = 1000,
};

static void put_words(struct notice_write *write, struct text words,
		      size_t indent)
{
	size_t column = 0;
	struct text word;

	while (text_token(&words, ' ', &word)) {
		if (word.len == 0)
			continue;
		if (column > 0 && column + 1 + word.len > COLUMNS) {
			buf_putc(write->out, '\n');
			column = 0;
		}
		if (column > 0)
			buf_putc(write->out, ' ');
		else
			buf_printf(write->out, "%*s", (int)indent, "");
		column += word.len + (column > 0 ? 1 : indent);
		buf_text_append(write->out, word);
	}
	buf_putc(write->out, '\n');
}

static void put_line(struct buf *line, const char *format, va_list args,
		     size_t max)
{
	struct buf words = BUF_INIT(1024 * 1024);

	buf_vprintf(&words, format, args);
	plain_line(line, buf_text(&words), max);
	buf_free(&words);
}

static void write_item(struct notice_write *write, const char *format,
		       va_list args)
{
	struct buf line = BUF_INIT(WORDS_MAX + 4);

	put_line(&line, format, args, WORDS_MAX);
	notice_write_item(write, buf_string(&line));
	buf_free(&line);
}

void notice_write(struct notice_write *write, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_item(write, format, args);
	va_end(args);
}

void notice_write_end(struct notice_write *write)
{
	buf_putc(write->out, '\n');
}

void notice_write_paragraph(struct notice_write *write, const char *format, ...)
{
	struct buf line = BUF_INIT(WORDS_MAX + 4);
	va_list args;

	va_start(args, format);
	put_line(&line, format, args, WORDS_MAX);
	va_end(args);
	put_words(write, buf_text(&line), 0);
	notice_write_end(write);
	buf_free(&line);
}

void notice_write_command(struct notice_write *write, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_item(write, format, args);
	va_end(args);
	notice_write_end(write);
}

void notice_write_fact(struct notice_write *write, const char *name,
		       const char *value)
{
	struct buf label = BUF_INIT(64), line = BUF_INIT(VALUE_MAX + 4);

	if (value != NULL && *value != '\0') {
		buf_printf(&label, "%s:", name);
		plain_line(&line, text_of(value), VALUE_MAX);
		buf_printf(write->out, "%*s%-10s %s\n", INDENT, "",
			   buf_string(&label), buf_string(&line));
	}
	buf_free(&label);
	buf_free(&line);
}

void notice_write_time(struct notice_write *write, const char *name, int64_t ms)
{
	char date[40];

	rfc5322_date(date, ms / 1000, write->offset_minutes);
	notice_write_fact(write, name, date);
}

void notice_write_item(struct notice_write *write, const char *words)
{
	struct buf line = BUF_INIT(VALUE_MAX + 4);

	plain_line(&line, text_of(words), VALUE_MAX);
	buf_printf(write->out, "%*s%s\n", INDENT, "", buf_string(&line));
	buf_free(&line);
}

void notice_write_quote(struct notice_write *write, const char *words)
{
	struct buf line = BUF_INIT(QUOTE_MAX + 4);

	plain_line(&line, text_of(words), QUOTE_MAX);
	put_words(write, buf_text(&line), INDENT);
	notice_write_end(write);
	buf_free(&line);
}

void notice_write_signature(struct notice_write *write, const char *hostname)
{
	buf_printf(write->out, "-- \nlanpost %s on %s\n", LANPOST_VERSION,
		   hostname);
}

void notice_write_period(struct buf *out, int64_t ms)
{
	static const struct {
		int64_t ms;
		const char *name;
	} units[] = {
		{ 24 * 3600 * 1000, "day" },
		{ 3600 * 1000, "hour" },
		{ 60 * 1000, "minute" },
		{ 1000, "second" },
	};
	size_t i = 0;
	int64_t n;

	while (i < 3 && ms < 2 * units[i].ms)
		i++;
	n = (ms + units[i].ms / 2) / units[i].ms;
	buf_printf(out, "%lld %s%s", (long long)n, units[i].name,
		   n == 1 ? "" : "s");
}
