#include "relay/report/log.h"

#include <errno.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "proto/printable.h"

enum {
	VALUE_MAX = 1000,
	PENDING_MAX = 256 * 1024,
	CHUNK = 4096 /* a pipe that polls writable takes this much: PIPE_BUF */
};

static struct {
	int fd;
	enum log_format format;
	enum log_level level;
	struct buf pending;
	uint64_t dropped;
} out = { STDERR_FILENO, LOG_FORMAT_TEXT, LOG_INFO, BUF_INIT(PENDING_MAX), 0 };

static const char *const level_names[] = {
	[LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info",
	[LOG_DEBUG] = "debug"
};

static const char *const event_names[] = {
#define X(name, text) text,
	LOG_EVENT_MAP(X)
#undef X
};

void log_setup(int fd, enum log_format format, enum log_level level)
{
	out.fd = fd;
	out.format = format;
	out.level = level;
}

bool log_enabled(enum log_level level)
{
	return level <= out.level;
}

/* ---- making values harmless ---- */

/* As it stands between quotes, at most VALUE_MAX octets of it.  A byte that is
 * no UTF-8 is told in words, "\xfc": neither format has an escape for it. */
static void print_value(struct buf *to, struct text value)
{
	size_t n, room = VALUE_MAX;
	uint32_t code;

	for (; value.len > 0; value = text_skip(value, n), room -= n) {
		enum printable kind = printable_next(value, &n, &code);

		if (n > room)
			break;
		if (kind == PRINTABLE_BYTE)
			buf_printf(to, "\\\\x%02x", (unsigned char)*value.data);
		else if (kind == PRINTABLE_CODE)
			printable_code(to, code);
		else if (code == '"' || code == '\\')
			buf_printf(to, "\\%c", (char)code);
		else
			buf_append(to, value.data, n);
	}
	if (value.len > 0)
		buf_puts(to, "...");
}

static void print_quoted(struct buf *to, struct text value)
{
	buf_putc(to, '"');
	print_value(to, value);
	buf_putc(to, '"');
}

/* ---- lines ---- */

static void print_time(struct buf *to)
{
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	buf_printf(to, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
	           tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
	           tm.tm_min, tm.tm_sec, (int)(now.tv_nsec / 1000000));
}

static bool wants_quotes(struct text value)
{
	size_t i;

	for (i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.data[i];

		if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7f)
			return true;
	}
	return value.len == 0;
}

static bool is_left_out(const struct log_field *field)
{
	return field->type == LOG_FIELD_TEXT && field->text.data == NULL;
}

static void text_field(struct buf *line, const struct log_field *field)
{
	buf_printf(line, " %s=", field->key);
	if (field->type == LOG_FIELD_NUMBER)
		buf_printf(line, "%lld", (long long)field->number);
	else if (wants_quotes(field->text))
		print_quoted(line, field->text);
	else
		print_value(line, field->text);
}

static void text_line(struct buf *line, enum log_level level,
                      enum log_event_name event,
                      const struct log_field *fields)
{
	print_time(line);
	buf_printf(line, " %s %s", level_names[level], event_names[event]);
	for (; fields->key != NULL; fields++) {
		if (!is_left_out(fields))
			text_field(line, fields);
	}
	buf_putc(line, '\n');
}

static void json_field(struct buf *line, const struct log_field *field)
{
	buf_printf(line, ",\"%s\":", field->key);
	if (field->type == LOG_FIELD_NUMBER)
		buf_printf(line, "%lld", (long long)field->number);
	else
		print_quoted(line, field->text);
}

static void json_line(struct buf *line, enum log_level level,
                      enum log_event_name event,
                      const struct log_field *fields)
{
	buf_puts(line, "{\"time\":\"");
	print_time(line);
	buf_printf(line, "\",\"level\":\"%s\",\"event\":\"%s\"",
	           level_names[level], event_names[event]);
	for (; fields->key != NULL; fields++) {
		if (!is_left_out(fields))
			json_field(line, fields);
	}
	buf_puts(line, "}\n");
}

void log_fields(enum log_level level, enum log_event_name event,
                const struct log_field *fields)
{
	struct buf line = BUF_INIT(PENDING_MAX);

	if (!log_enabled(level))
		return;
	if (out.format == LOG_FORMAT_JSON)
		json_line(&line, level, event, fields);
	else
		text_line(&line, level, event, fields);
	if (!buf_text_append(&out.pending, buf_text(&line)))
		out.dropped++;
	buf_free(&line);
	if (buf_len(&out.pending) > PENDING_MAX / 4)
		log_flush();
}

/* ---- writing without ever waiting ---- */

static bool write_some(void)
{
	struct pollfd ready = { .fd = out.fd, .events = POLLOUT };
	struct text text = buf_text(&out.pending);
	ssize_t written;

	if (poll(&ready, 1, 0) != 1 || !(ready.revents & POLLOUT))
		return false;
	do
		written = write(out.fd, text.data,
		                text.len < CHUNK ? text.len : CHUNK);
	while (written < 0 && errno == EINTR);
	if (written <= 0)
		return false;
	buf_consume(&out.pending, (size_t)written);
	return true;
}

void log_flush(void)
{
	uint64_t dropped = out.dropped;

	while (buf_len(&out.pending) > 0 && write_some())
		;
	if (dropped > 0 && buf_len(&out.pending) == 0) {
		out.dropped = 0;
		log_event(LOG_WARN, EVENT_LOG_DROPPED, F_INT("lines", dropped));
	}
}
