#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <jansson.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "proto/buf.h"
#include "proto/utf8.h"
#include "proto/xalloc.h"
#include "relay/report/log.h"
#include "tests/support/bytes.h"
#include "tests/support/tempdir.h"

enum { ROOM = 16 * 1024 * 1024, VALUE_MAX = 1000 };

/* --- a pipe to log into ------------------------------------------------- */

static int pipe_in, pipe_out;

static void pipe_open(enum log_format format, enum log_level level)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	pipe_in = ends[0];
	pipe_out = ends[1];
	assert_int_equal(fcntl(pipe_in, F_SETFL, O_NONBLOCK), 0);
	log_setup(pipe_out, format, level);
}

static void pipe_close(void)
{
	log_flush();
	close(pipe_in);
	close(pipe_out);
}

/* What is in the pipe now. */
static void pipe_read(struct buf *out)
{
	char block[8192];
	ssize_t n;

	while ((n = read(pipe_in, block, sizeof(block))) > 0)
		assert_true(buf_append(out, block, (size_t)n));
}

static struct buf flushed(void)
{
	struct buf out = BUF_INIT(ROOM);

	log_flush();
	pipe_read(&out);
	return out;
}

/* --- a line read back --------------------------------------------------- */

struct field {
	char key[64];
	struct buf value;
};

struct line {
	char time[64], level[16], event[64];
	struct field fields[32];
	size_t n;
};

static void line_free(struct line *line)
{
	for (size_t i = 0; i < line->n; i++)
		buf_free(&line->fields[i].value);
}

static const struct buf *line_value(const struct line *line, const char *key)
{
	for (size_t i = 0; i < line->n; i++)
		if (strcmp(line->fields[i].key, key) == 0)
			return &line->fields[i].value;
	return NULL;
}

static void add_utf8(struct buf *out, unsigned c)
{
	if (c < 0x80) {
		buf_putc(out, (char)c);
	} else if (c < 0x800) {
		buf_putc(out, (char)(0xc0 | c >> 6));
		buf_putc(out, (char)(0x80 | (c & 0x3f)));
	} else {
		buf_putc(out, (char)(0xe0 | c >> 12));
		buf_putc(out, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_putc(out, (char)(0x80 | (c & 0x3f)));
	}
}

static unsigned hex(const char *at, int digits)
{
	char word[8] = "";
	char *end;
	unsigned value;

	memcpy(word, at, (size_t)digits);
	value = (unsigned)strtoul(word, &end, 16);
	assert_ptr_equal(end, word + digits);
	return value;
}

/* What stands behind a backslash; returns how much of it was read. */
static size_t read_escape(const char *at, struct buf *out)
{
	static const char letters[] = "\"\"\\\\n\nr\rt\t";

	for (const char *c = letters; *c != '\0'; c += 2)
		if (*at == c[0]) {
			buf_putc(out, c[1]);
			return 1;
		}
	if (*at != 'u')
		fail_msg("unknown escape \\%c", *at);
	add_utf8(out, hex(at + 1, 4));
	return 5;
}

/* Returns what follows the value. */
static const char *read_value(const char *at, struct buf *out)
{
	if (*at != '"') {
		for (; *at != ' ' && *at != '\n'; at++) {
			assert_null(strchr("\"\\=", *at));
			buf_putc(out, *at);
		}
		return at;
	}
	for (at++; *at != '"'; at++) {
		assert_true(*at != '\0' && *at != '\n');
		if (*at == '\\')
			at += read_escape(at + 1, out);
		else
			buf_putc(out, *at);
	}
	return at + 1;
}

static const char *read_word(const char *at, const char *end, char *out,
                             size_t size)
{
	size_t len = strcspn(at, end);

	assert_true(len > 0 && len < size);
	memcpy(out, at, len);
	out[len] = '\0';
	return at + len;
}

/* time level event key=value ... */
static const char *read_text(const char *at, struct line *line)
{
	memset(line, 0, sizeof(*line));
	at = read_word(at, " ", line->time, sizeof(line->time)) + 1;
	at = read_word(at, " ", line->level, sizeof(line->level)) + 1;
	at = read_word(at, " \n", line->event, sizeof(line->event));
	while (*at == ' ') {
		struct field *field = &line->fields[line->n++];

		assert_true(line->n <= COUNT(line->fields));
		at = read_word(at + 1, "= \n", field->key, sizeof(field->key));
		assert_int_equal(*at, '=');
		field->value = BUF_INIT(ROOM);
		at = read_value(at + 1, &field->value);
	}
	assert_int_equal(*at, '\n');
	return at + 1;
}

static void take_json(struct line *line, const char *key, json_t *value)
{
	struct field *field = &line->fields[line->n];

	if (strcmp(key, "time") == 0) {
		strcpy(line->time, json_string_value(value));
	} else if (strcmp(key, "level") == 0) {
		strcpy(line->level, json_string_value(value));
	} else if (strcmp(key, "event") == 0) {
		strcpy(line->event, json_string_value(value));
	} else {
		line->n++;
		strcpy(field->key, key);
		field->value = BUF_INIT(ROOM);
		if (json_is_integer(value))
			buf_printf(&field->value, "%" JSON_INTEGER_FORMAT,
			           json_integer_value(value));
		else
			buf_append(&field->value, json_string_value(value),
			           json_string_length(value));
	}
}

static const char *read_json(const char *at, struct line *line)
{
	const char *end = strchr(at, '\n');
	json_error_t error;
	json_t *root, *value;
	const char *key;

	assert_non_null(end);
	memset(line, 0, sizeof(*line));
	root = json_loadb(at, (size_t)(end - at),
	                  JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
	if (!json_is_object(root))
		fail_msg("%s: %.*s", error.text, (int)(end - at), at);
	json_object_foreach(root, key, value)
		take_json(line, key, value);
	json_decref(root);
	return end + 1;
}

static const char *read_line(enum log_format format, const char *at,
                             struct line *line)
{
	return format == LOG_FORMAT_JSON ? read_json(at, line)
	                                 : read_text(at, line);
}

/* What a terminal could take for more than text. */
static void assert_harmless(struct text bytes)
{
	static const char *const bad[] = {
		"\xd8\x9c",     "\xe2\x80\x8e", "\xe2\x80\x8f", "\xe2\x80\xa8",
		"\xe2\x80\xa9", "\xe2\x80\xaa", "\xe2\x80\xab", "\xe2\x80\xac",
		"\xe2\x80\xad", "\xe2\x80\xae", "\xe2\x81\xa6", "\xe2\x81\xa7",
		"\xe2\x81\xa8", "\xe2\x81\xa9", "\xc2\x9b",     "\xc2\x85",
	};

	assert_true(utf8_is_valid(bytes));
	for (size_t i = 0; i + 1 < bytes.len; i++)
		if ((unsigned char)bytes.data[i] < 32 || bytes.data[i] == 127)
			fail_msg("byte %02x", (unsigned char)bytes.data[i]);
	for (size_t i = 0; i < COUNT(bad); i++)
		if (text_find_nocase(bytes, text_of(bad[i])) >= 0)
			fail_msg("bidi or C1 control %zu", i);
}

/* One line in out, read. */
static void read_only_line(enum log_format format, struct buf *out,
                           struct line *line)
{
	const char *bytes = buf_string(out);
	size_t len = buf_len(out);

	assert_true(len > 0);
	assert_harmless(buf_text(out));
	assert_ptr_equal(read_line(format, bytes, line), bytes + len);
}

static const enum log_format formats[] = { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* --- values ------------------------------------------------------------- */

static const struct text values[] = {
	BYTES("plain"), BYTES("two words"), BYTES(""), BYTES(" "),
	BYTES("a=b"), BYTES("\"quoted\""), BYTES("\""), BYTES("back\\slash"),
	BYTES("\\"), BYTES("\\n"), BYTES("\\x41"), BYTES("\\u0041"),
	BYTES("it's"), BYTES("{\"a\":1}"), BYTES("%s%n%d"), BYTES("ends in \\"),
	BYTES("a\r\nfake level event key=value"),
	BYTES("a\n2026-11-20T12:00:00Z info accepted id=1"),
	BYTES("\x1b[2J\x1b]0;title\x07"), BYTES("\b\f\v\t\x01\x1f\x7f"),
	BYTES("a\0b"), BYTES("\0"), BYTES("J\xc3\xbcrgen"),
	BYTES("\xe2\x82\xac \xf0\x9f\x98\x80"), BYTES("\xc2\x80\xc2\x9b" "31m"),
	BYTES("\xc2\x85"), BYTES("\xe2\x80\xae" "txt.exe"),
	BYTES("\xe2\x81\xa6x\xe2\x81\xa9"), BYTES("\xe2\x80\xa8\xe2\x80\xa9"),
	BYTES("\xe2\x80\x8e\xe2\x80\x8f\xd8\x9c"), BYTES("null"),
	BYTES("true"), BYTES("12"), BYTES("<a@b.example>"),
	BYTES("a@b.example,c@d.example"),
	BYTES("535 5.7.3 Authentication unsuccessful"),
};

static void test_values_are_read_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(values) * COUNT(formats); i++) {
		struct text value = values[i / COUNT(formats)];
		enum log_format format = formats[i % COUNT(formats)];
		struct line line;
		struct buf out;

		pipe_open(format, LOG_INFO);
		log_event(LOG_INFO, EVENT_ACCEPTED, F_TEXT("subject", value),
		          F_STR("id", "after"));
		out = flushed();
		read_only_line(format, &out, &line);
		assert_int_equal(line.n, 2);
		assert_string_equal(line.fields[0].key, "subject");
		assert_bytes("value", buf_text(&line.fields[0].value), value);
		assert_bytes("id", buf_text(&line.fields[1].value),
		             TEXT("after"));
		line_free(&line);
		buf_free(&out);
		pipe_close();
	}
}

/* Bytes that are no UTF-8 are told in words, the same in both formats. */
static const struct {
	struct text value, read;
} broken[] = {
	{ BYTES("J\xfcrgen"), BYTES("J\\xfcrgen") },
	{ BYTES("\xff"), BYTES("\\xff") },
	{ BYTES("\xc3"), BYTES("\\xc3") },
	{ BYTES("\xc3("), BYTES("\\xc3(") },
	{ BYTES("\xe2\x82"), BYTES("\\xe2\\x82") },
	{ BYTES("a\xf0\x9f\x98z"), BYTES("a\\xf0\\x9f\\x98z") },
	{ BYTES("\x80\x80"), BYTES("\\x80\\x80") },
	{ BYTES("\xc0\xaf"), BYTES("\\xc0\\xaf") },
	{ BYTES("\xed\xa0\x80"), BYTES("\\xed\\xa0\\x80") },
	{ BYTES("\xf5\x80"), BYTES("\\xf5\\x80") },
	{ BYTES("\xf4\x90\x80\x80"), BYTES("\\xf4\\x90\\x80\\x80") },
	{ BYTES("\xff\"\\\x1b \xfe"), BYTES("\\xff\"\\\x1b \\xfe") },
};

static void test_bytes_that_are_no_utf8(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(broken) * COUNT(formats); i++) {
		struct text value = broken[i / COUNT(formats)].value;
		enum log_format format = formats[i % COUNT(formats)];
		struct line line;
		struct buf out;

		pipe_open(format, LOG_INFO);
		log_event(LOG_INFO, EVENT_ACCEPTED, F_TEXT("subject", value),
		          F_STR("id", "after"));
		out = flushed();
		read_only_line(format, &out, &line);
		assert_int_equal(line.n, 2);
		assert_bytes("value", buf_text(&line.fields[0].value),
		             broken[i / COUNT(formats)].read);
		line_free(&line);
		buf_free(&out);
		pipe_close();
	}
}

/* Every byte, at every place of three. */
static void test_every_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < 256 * 3 * COUNT(formats); i++) {
		enum log_format format = formats[i % COUNT(formats)];
		char value[3] = "ab";
		struct line line;
		struct buf out;

		value[i / COUNT(formats) % 3] = (char)(i / 6);
		pipe_open(format, LOG_INFO);
		log_event(LOG_INFO, EVENT_ACCEPTED,
		          F_TEXT("subject", text_make(value, 2)));
		out = flushed();
		read_only_line(format, &out, &line);
		if (i / 6 < 128)
			assert_bytes("value", buf_text(&line.fields[0].value),
			             text_make(value, 2));
		line_free(&line);
		buf_free(&out);
		pipe_close();
	}
}

static const struct {
	const char *piece;
	size_t count;
} longs[] = {
	{ "x", 1000 },          { "x", 1001 },      { "x", 100000 },
	{ "\xc3\xa4", 501 },    { "\xc3\xa4", 50000 },
	{ "\xe2\x82\xac", 334 }, { "\xf0\x9f\x98\x80", 300 },
	{ "\x1b", 5000 },       { "\"", 5000 },     { "\\", 5000 },
	{ "\xff", 5000 },       { "a b", 5000 },
};

static void test_long_values_are_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(longs) * COUNT(formats); i++) {
		enum log_format format = formats[i % COUNT(formats)];
		const char *piece = longs[i / 2].piece;
		struct buf value = BUF_INIT(ROOM), out;
		struct line line;
		struct text cut;

		for (size_t k = 0; k < longs[i / 2].count; k++)
			buf_puts(&value, piece);
		pipe_open(format, LOG_INFO);
		log_event(LOG_INFO, EVENT_ACCEPTED,
		          F_TEXT("subject", buf_text(&value)),
		          F_STR("id", "after"));
		out = flushed();
		read_only_line(format, &out, &line);
		cut = buf_text(&line.fields[0].value);
		/* The cut may show; what came through begins as it was. */
		assert_true(cut.len <= 4 * VALUE_MAX + 3);
		if (utf8_is_valid(text_of(piece))) {
			assert_in_range(cut.len, VALUE_MAX - 10, VALUE_MAX + 3);
			assert_memory_equal(cut.data, buf_text(&value).data,
			                    VALUE_MAX - 10);
		}
		assert_bytes("id", buf_text(&line.fields[1].value),
		             TEXT("after"));
		assert_true(buf_len(&out) < 8 * VALUE_MAX);
		line_free(&line);
		buf_free(&out);
		buf_free(&value);
		pipe_close();
	}
}

/* A line is whole or it is not there, whatever its fields hold. */
static void test_many_long_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(formats); i++) {
		char value[2000];
		struct text text = text_make(value, sizeof(value));
		struct line line;
		struct buf out = BUF_INIT(ROOM);

		memset(value, '\x1b', sizeof(value));
		pipe_open(formats[i], LOG_INFO);
		assert_true(fcntl(pipe_out, F_SETPIPE_SZ, 1 << 20) > 0);
		log_event(LOG_INFO, EVENT_FAILED, F_TEXT("client", text),
		          F_TEXT("listener", text), F_TEXT("from", text),
		          F_TEXT("to", text), F_TEXT("subject", text),
		          F_TEXT("account", text), F_TEXT("rule", text),
		          F_TEXT("reply", text), F_TEXT("reason", text),
		          F_TEXT("explanation", text), F_TEXT("fix", text),
		          F_TEXT("host", text), F_TEXT("stage", text),
		          F_TEXT("error", text), F_TEXT("repairs", text),
		          F_TEXT("helo", text));
		log_flush();
		pipe_read(&out);
		read_only_line(formats[i], &out, &line);
		assert_int_equal(line.n, 16);
		line_free(&line);
		buf_free(&out);
		pipe_close();
	}
}

/* --- the frame ---------------------------------------------------------- */

#define TIME "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}" \
	"([.][0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$"

static void assert_time(const char *time)
{
	regex_t pattern;

	assert_int_equal(regcomp(&pattern, TIME, REG_EXTENDED | REG_NOSUB), 0);
	if (regexec(&pattern, time, 0, NULL, 0) != 0)
		fail_msg("no RFC 3339 time: %s", time);
	regfree(&pattern);
}

static const struct {
	enum log_level level;
	const char *name;
} levels[] = {
	{ LOG_ERROR, "error" }, { LOG_WARN, "warn" },
	{ LOG_INFO, "info" },   { LOG_DEBUG, "debug" },
};

static const char *const event_names[] = {
#define X(name, text) text,
	LOG_EVENT_MAP(X)
#undef X
};

/* design.md section 6: others build on these. */
static void test_every_event_at_every_level(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(formats) * COUNT(levels); i++) {
		enum log_format format = formats[i % 2];

		pipe_open(format, LOG_DEBUG);
		for (size_t e = 0; e < COUNT(event_names); e++) {
			struct line line;
			struct buf out;

			log_event(levels[i / 2].level, (enum log_event_name)e,
			          F_INT("size", e));
			out = flushed();
			read_only_line(format, &out, &line);
			assert_time(line.time);
			assert_string_equal(line.level, levels[i / 2].name);
			assert_string_equal(line.event, event_names[e]);
			assert_int_equal(line.n, 1);
			line_free(&line);
			buf_free(&out);
		}
		pipe_close();
	}
}

static void test_levels_are_a_threshold(void **state)
{
	(void)state;
	for (size_t at = 0; at < COUNT(levels); at++) {
		struct buf out;
		struct line line;
		const char *next;

		pipe_open(LOG_FORMAT_TEXT, levels[at].level);
		for (size_t i = 0; i < COUNT(levels); i++) {
			assert_int_equal(log_enabled(levels[i].level), i <= at);
			log_event(levels[i].level, EVENT_WARNING,
			          F_INT("size", i));
		}
		out = flushed();
		next = buf_string(&out);
		for (size_t i = 0; i <= at; i++) {
			next = read_text(next, &line);
			assert_string_equal(line.level, levels[i].name);
			line_free(&line);
		}
		assert_int_equal(*next, '\0');
		buf_free(&out);
		pipe_close();
	}
}

static void test_fields_in_order_and_numbers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(formats); i++) {
		struct line line;
		struct buf out;

		pipe_open(formats[i], LOG_INFO);
		log_event(LOG_WARN, EVENT_DELIVERED, F_STR("id", "1"),
		          F_INT("size", INT64_MIN), F_STR("from", NULL),
		          F_INT("attempt", 0), F_STR("to", ""),
		          F_INT("delay_ms", INT64_MAX));
		out = flushed();
		read_only_line(formats[i], &out, &line);
		assert_int_equal(line.n, 5); /* NULL is left out, "" is not */
		assert_null(line_value(&line, "from"));
		assert_string_equal(line.fields[0].key, "id");
		assert_string_equal(line.fields[1].key, "size");
		assert_bytes("size", buf_text(&line.fields[1].value),
		             TEXT("-9223372036854775808"));
		assert_bytes("attempt", buf_text(line_value(&line, "attempt")),
		             TEXT("0"));
		assert_bytes("to", buf_text(line_value(&line, "to")), TEXT(""));
		assert_bytes("delay_ms",
		             buf_text(line_value(&line, "delay_ms")),
		             TEXT("9223372036854775807"));
		line_free(&line);
		buf_free(&out);
		pipe_close();
	}
}

/* --- where it goes ------------------------------------------------------ */

static void test_nothing_is_written_before_the_flush(void **state)
{
	struct buf out = BUF_INIT(ROOM);

	(void)state;
	pipe_open(LOG_FORMAT_TEXT, LOG_INFO);
	log_event(LOG_INFO, EVENT_STARTED, F_STR("id", "x"));
	pipe_read(&out);
	assert_int_equal(buf_len(&out), 0);
	log_flush();
	pipe_read(&out);
	assert_true(buf_len(&out) > 0);
	log_flush(); /* nothing twice */
	buf_clear(&out);
	pipe_read(&out);
	assert_int_equal(buf_len(&out), 0);
	buf_free(&out);
	pipe_close();
}

/* Count the events, and what log-dropped says was lost.  Each line is whole. */
static void count_lines(enum log_format format, struct buf *out,
                        unsigned long *events, unsigned long *dropped)
{
	const char *next = buf_string(out);
	unsigned long last = 0;

	while (*next != '\0') {
		struct line line;

		next = read_line(format, next, &line);
		if (strcmp(line.event, "log-dropped") == 0) {
			assert_true(line.n > 0);
			*dropped += strtoul(
				buf_string(&line.fields[0].value), NULL, 10);
		} else {
			unsigned long number = strtoul(
				buf_string(&line.fields[0].value), NULL, 10);

			assert_true(number > last);
			last = number;
			++*events;
		}
		line_free(&line);
	}
}

/* A reader that stands still for a while, and reads on: nothing waits for it,
 * and what is missing is told. */
static void test_a_full_pipe_blocks_nobody(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(formats); i++) {
		unsigned long written = 0, events = 0, dropped = 0;
		struct buf out = BUF_INIT(ROOM);

		pipe_open(formats[i], LOG_INFO);
		while (written < 50000) {
			log_event(LOG_INFO, EVENT_ACCEPTED,
			          F_INT("size", ++written),
			          F_STR("subject", "some words that take room"));
			if (written % 100 == 0)
				log_flush();
		}
		for (unsigned turn = 0; turn < 500; turn++) {
			pipe_read(&out);
			log_event(LOG_INFO, EVENT_ACCEPTED,
			          F_INT("size", ++written));
			log_flush();
		}
		pipe_read(&out);
		count_lines(formats[i], &out, &events, &dropped);
		assert_true(dropped > 0);
		assert_int_equal(events + dropped, written);
		buf_free(&out);
		pipe_close();
	}
}

/* One turn of the loop may have more to say than a pipe holds. */
static void test_a_burst_without_a_flush_is_bounded(void **state)
{
	unsigned long written = 0, events = 0, dropped = 0;
	struct buf out = BUF_INIT(ROOM);

	(void)state;
	pipe_open(LOG_FORMAT_TEXT, LOG_INFO);
	while (written < 200000)
		log_event(LOG_INFO, EVENT_ACCEPTED, F_INT("size", ++written),
		          F_STR("subject", "some words that take room"));
	for (unsigned turn = 0; turn < 2000; turn++) {
		log_flush();
		pipe_read(&out);
	}
	log_event(LOG_INFO, EVENT_ACCEPTED, F_INT("size", ++written));
	log_flush();
	pipe_read(&out);
	count_lines(LOG_FORMAT_TEXT, &out, &events, &dropped);
	assert_int_equal(events + dropped, written);
	buf_free(&out);
	pipe_close();
}

/* The reader is gone: mail flows on. */
static void test_a_closed_pipe_does_no_harm(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	pipe_open(LOG_FORMAT_TEXT, LOG_INFO);
	close(pipe_in);
	for (unsigned i = 0; i < 20000; i++) {
		log_event(LOG_INFO, EVENT_ACCEPTED, F_INT("size", i));
		if (i % 50 == 0)
			log_flush();
	}
	log_flush();
	close(pipe_out);
	for (unsigned i = 0; i < 100; i++) /* EBADF */
		log_event(LOG_INFO, EVENT_ACCEPTED, F_INT("size", i));
	log_flush();
}

static void test_a_file_gets_everything(void **state)
{
	unsigned long events = 0, dropped = 0;
	struct buf content = BUF_INIT(ROOM);
	int fd = open(tempdir_path("log"), O_CREAT | O_RDWR | O_APPEND, 0600);
	struct stat info;

	(void)state;
	assert_true(fd >= 0);
	log_setup(fd, LOG_FORMAT_JSON, LOG_INFO);
	for (unsigned i = 1; i <= 20000; i++) {
		log_event(LOG_INFO, EVENT_ACCEPTED, F_INT("size", i));
		if (i % 10 == 0)
			log_flush();
	}
	log_flush();
	assert_int_equal(fstat(fd, &info), 0);
	assert_true(pread(fd, buf_room(&content, (size_t)info.st_size),
	                  (size_t)info.st_size, 0) == info.st_size);
	buf_added(&content, (size_t)info.st_size);
	count_lines(LOG_FORMAT_JSON, &content, &events, &dropped);
	assert_int_equal(events, 20000);
	assert_int_equal(dropped, 0);
	buf_free(&content);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_are_read_back),
		cmocka_unit_test(test_bytes_that_are_no_utf8),
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_long_values_are_cut),
		cmocka_unit_test(test_many_long_values),
		cmocka_unit_test(test_every_event_at_every_level),
		cmocka_unit_test(test_levels_are_a_threshold),
		cmocka_unit_test(test_fields_in_order_and_numbers),
		cmocka_unit_test(test_nothing_is_written_before_the_flush),
		cmocka_unit_test(test_a_full_pipe_blocks_nobody),
		cmocka_unit_test(test_a_burst_without_a_flush_is_bounded),
		cmocka_unit_test(test_a_file_gets_everything),
		/* the last one: what it says goes nowhere */
		cmocka_unit_test(test_a_closed_pipe_does_no_harm),
	};
	int failed;

	alarm(120);
	tempdir_make();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	tempdir_remove();
	return failed;
}
