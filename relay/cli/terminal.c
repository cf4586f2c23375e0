#include "relay/cli/terminal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "proto/printable.h"
#include "proto/utf8.h"

enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE, DAY = 24 * HOUR };

void terminal_append(struct buf *out, const char *text, size_t max)
{
	printable_append(out, text_of(text ? text : "-"), max);
}

void terminal_print(FILE *out, const char *text)
{
	struct buf line = BUF_INIT(10 * TERMINAL_TEXT_MAX);

	terminal_append(&line, text, TERMINAL_TEXT_MAX);
	fputs(buf_string(&line), out);
	buf_free(&line);
}

const char *member_text(json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

int64_t member_number(json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* ---- numbers ---- */

static bool is_same_day(const struct tm *a, const struct tm *b)
{
	return a->tm_year == b->tm_year && a->tm_yday == b->tm_yday;
}

void terminal_time(struct buf *out, const char *rfc3339, int64_t now_s)
{
	struct tm utc = { 0 }, local, today;
	time_t now = (time_t)now_s, then;
	char text[40];

	if (rfc3339 == NULL ||
	    strptime(rfc3339, "%Y-%m-%dT%H:%M:%SZ", &utc) == NULL) {
		terminal_append(out, rfc3339, 40);
		return;
	}
	then = timegm(&utc);
	localtime_r(&then, &local);
	localtime_r(&now, &today);
	strftime(text, sizeof text,
	         is_same_day(&local, &today) ? "%H:%M:%S"
	                                     : "%Y-%m-%d %H:%M:%S",
	         &local);
	buf_puts(out, text);
}

void terminal_duration(struct buf *out, int64_t ms)
{
	if (ms < 1000)
		buf_printf(out, "%lld ms", (long long)ms);
	else if (ms < MINUTE)
		buf_printf(out, "%.1f s", (double)ms / 1000);
	else if (ms < 2 * HOUR)
		buf_printf(out, "%lld min", (long long)(ms / MINUTE));
	else if (ms < 2 * (int64_t)DAY)
		buf_printf(out, "%lld hours", (long long)(ms / HOUR));
	else
		buf_printf(out, "%lld days", (long long)(ms / DAY));
}

void terminal_octets(struct buf *out, int64_t octets)
{
	static const char units[] = "kMGT";
	double size = (double)octets;
	int unit = -1;

	while (size >= 1000 && unit < 3) {
		size /= 1000;
		unit++;
	}
	if (unit < 0)
		buf_printf(out, "%lld B", (long long)octets);
	else
		buf_printf(out, "%.1f %cB", size, units[unit]);
}

/* ---- paragraphs ---- */

static void print_words(FILE *out, const char *words, int indent, int column)
{
	while (*words != '\0') {
		size_t len = strcspn(words, " ");

		if (column > indent && column + 1 + (int)len > TERMINAL_WIDTH) {
			fprintf(out, "\n%*s", indent, "");
			column = indent;
		} else if (column > indent) {
			fputc(' ', out);
			column++;
		}
		fprintf(out, "%.*s", (int)len, words);
		column += (int)len;
		words += len + strspn(words + len, " ");
	}
	fputc('\n', out);
}

void terminal_paragraph(FILE *out, int indent, const char *label,
                        const char *text)
{
	struct buf line = BUF_INIT(40 * TERMINAL_TEXT_MAX);

	if (text == NULL)
		return;
	terminal_append(&line, text, 4 * TERMINAL_TEXT_MAX);
	fprintf(out, "%-*s", indent, label);
	print_words(out, buf_string(&line), indent, indent);
	buf_free(&line);
}

void terminal_line(FILE *out, const char *label, const char *text)
{
	size_t room = TERMINAL_WIDTH - strlen(label);
	struct text all = text_of(text), cut = utf8_cut(all, room);

	if (cut.len < all.len)
		cut = utf8_cut(all, room - 3);
	fprintf(out, "%s%.*s%s\n", label, TEXT_ARG(cut),
	        cut.len < all.len ? "..." : "");
}

void terminal_json(json_t *value)
{
	json_dumpf(value, stdout,
	           JSON_INDENT(2) | JSON_ENSURE_ASCII | JSON_ENCODE_ANY);
	putchar('\n');
}
