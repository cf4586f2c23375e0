#include "tests/support/transcript_internal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/smtp_caps.h"
#include "proto/xalloc.h"

void transcript_fail(const struct transcript *transcript, unsigned line,
		     const char *format, ...)
{
	struct buf message = BUF_INIT(SIZE_MAX);
	va_list args;

	va_start(args, format);
	buf_vprintf(&message, format, args);
	va_end(args);
	fail_msg("%s:%u: %s", transcript->path, line, buf_string(&message));
	abort();
}

/* ---- words ---- */

size_t transcript_words(const char *text, char **words_r, size_t max)
{
	struct text rest = text_of(text), word;
	size_t n = 0;

	while (n < max && text_token(&rest, ' ', &word))
		if (word.len > 0)
			words_r[n++] = text_dup(word);
	return n;
}

void transcript_words_free(char **words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(words[i]);
}

unsigned transcript_caps(const char *words)
{
	static const char *const keywords[] = {
#define X(name, keyword) keyword,
		SMTP_CAP_MAP(X)
#undef X
	};
	struct text rest = text_of(words), word;
	unsigned caps = 0;

	while (text_token(&rest, ' ', &word))
		for (unsigned i = 0; i < SMTP_CAP_BITS; i++)
			if (text_is(word, keywords[i]))
				caps |= 1u << i;
	return caps;
}

/* ---- escapes ---- */

static int hex(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = c == '\0' ? NULL : strchr(digits, c);

	return found == NULL ? 0 : (int)(found - digits);
}

/* "{3 abc}", without the backslash before; returns its length, 0: it is none */
static size_t repeat(struct buf *out, struct text text)
{
	const char *end = memchr(text.data, '}', text.len);
	const char *gap = memchr(text.data, ' ', text.len);
	uint64_t times;

	if (end == NULL || gap == NULL || gap > end ||
	    !text_to_u64(
		    text_make(text.data + 1, (size_t)(gap - text.data) - 1),
		    &times))
		return 0;
	for (; times > 0; times--)
		transcript_unescape(
			out, text_make(gap + 1, (size_t)(end - gap) - 1));
	return (size_t)(end - text.data) + 1;
}

/* What follows a backslash; returns how much of it belongs to the escape. */
static size_t unescape(struct buf *out, struct text text)
{
	static const char letters[] = "rnt\\", bytes[] = "\r\n\t\\";
	const char *found = strchr(letters, text.data[0]);

	if (found != NULL && *found != '\0') {
		buf_putc(out, bytes[found - letters]);
		return 1;
	}
	if (text.data[0] == 'x' && text.len >= 3) {
		buf_putc(out,
			 (char)(hex(text.data[1]) << 4 | hex(text.data[2])));
		return 3;
	}
	return text.data[0] == '{' ? repeat(out, text) : 0;
}

void transcript_unescape(struct buf *out, struct text text)
{
	while (text.len > 0) {
		size_t used = 1;

		if (text.data[0] == '\\' && text.len > 1)
			used = 1 + unescape(out, text_skip(text, 1));
		else
			buf_putc(out, text.data[0]);
		text = text_skip(text, used);
	}
}

/* ---- lines ---- */

static void read_bytes(struct transcript_step *step)
{
	struct text text = text_of(step->text);
	size_t slashes = 0;

	while (slashes < text.len && text.data[text.len - 1 - slashes] == '\\')
		slashes++;
	if (slashes % 2 == 1)
		text.len--;
	transcript_unescape(&step->bytes, text);
	if (slashes % 2 == 0)
		buf_puts(&step->bytes, "\r\n");
}

static void read_act(struct transcript_step *step)
{
	char *end = step->text + strcspn(step->text, " ");

	step->word =
		text_dup(text_make(step->text, (size_t)(end - step->text)));
	memmove(step->text, end + (*end == ' '),
		strlen(end + (*end == ' ')) + 1);
}

static void read_line(struct transcript *transcript, unsigned number,
		      const char *line)
{
	bool is_pair = strchr("CSDE", line[0]) != NULL && line[1] == ':';
	bool is_mark = strchr("!?", line[0]) != NULL && line[1] == ' ';
	struct transcript_step *step;
	const char *text = line + (is_pair && line[2] == ' ' ? 3 : 2);

	if (line[0] == '\0' || line[0] == '#')
		return;
	if (!is_pair && !is_mark)
		transcript_fail(transcript, number, "what is this: %s", line);
	transcript->steps = xrealloc(transcript->steps,
				     (transcript->n_steps + 1) * sizeof(*step));
	step = &transcript->steps[transcript->n_steps++];
	*step = (struct transcript_step){ .kind = line[0],
					  .line = number,
					  .text = xstrdup(text),
					  .bytes = BUF_INIT(SIZE_MAX) };
	if (is_mark)
		read_act(step);
	else if (line[0] != 'E')
		read_bytes(step);
}

static void read_lines(struct transcript *transcript, FILE *file)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	for (unsigned number = 1; (len = getline(&line, &size, file)) >= 0;
	     number++) {
		if (len > 0 && line[len - 1] == '\n')
			line[len - 1] = '\0';
		read_line(transcript, number, line);
	}
	free(line);
}

/* ---- settings ---- */

static bool is_setting(const struct transcript_step *step)
{
	static const char *const names[] = {
		"play",           "caps",    "mechanisms", "max_size",
		"max_recipients", "max_bad", "tls",        "login",
		"pipelining",     "eager",   "one_piece",  "past_ehlo",
		"single_line_ehlo", "any_login",  "lf_end_of_data",
		"tls_required",   "login_required", "strict", "sasl",
		"early",
	};

	for (size_t i = 0;
	     step->kind == '!' && i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(step->word, names[i]) == 0)
			return true;
	return false;
}

const char *transcript_setting(const struct transcript *transcript,
			       const char *name)
{
	for (size_t i = 0; i < transcript->n_settings; i++)
		if (strcmp(transcript->steps[i].word, name) == 0)
			return transcript->steps[i].text;
	return NULL;
}

static void read_settings(struct transcript *transcript)
{
	const char *engine;

	while (transcript->n_settings < transcript->n_steps &&
	       is_setting(&transcript->steps[transcript->n_settings]))
		transcript->n_settings++;
	engine = transcript_setting(transcript, "play");
	if (engine == NULL ||
	    (strcmp(engine, "server") != 0 && strcmp(engine, "client") != 0))
		transcript_fail(transcript, 1,
				"begin with \"! play server\" or client");
	transcript->is_client = strcmp(engine, "client") == 0;
	transcript->one_piece =
		transcript_setting(transcript, "one_piece") != NULL;
}

struct transcript *transcript_read(const char *path)
{
	struct transcript *transcript = xcalloc(1, sizeof(*transcript));
	FILE *file = fopen(path, "r");

	transcript->path = xstrdup(path);
	if (file == NULL)
		transcript_fail(transcript, 0, "%s", strerror(errno));
	read_lines(transcript, file);
	fclose(file);
	read_settings(transcript);
	return transcript;
}

void transcript_free(struct transcript **transcript)
{
	struct transcript *it = *transcript;

	if (it == NULL)
		return;
	for (size_t i = 0; i < it->n_steps; i++) {
		free(it->steps[i].word);
		free(it->steps[i].text);
		buf_free(&it->steps[i].bytes);
	}
	free(it->steps);
	free(it->path);
	free(it);
	*transcript = NULL;
}

bool transcript_is_of_client(const struct transcript *transcript)
{
	return transcript->is_client;
}

static void offer(struct buf *out, const char *capabilities)
{
	struct text rest = text_of(capabilities), line;

	buf_puts(out, "220 mx.example ESMTP\r\n250-mx.example\r\n");
	while (text_token(&rest, ',', &line))
		buf_printf(out, "250-%.*s\r\n", TEXT_ARG(line));
	buf_puts(out, "250 HELP\r\n");
}

void transcript_prologue(const struct transcript *transcript, struct buf *out)
{
	const char *past = transcript_setting(transcript, "past_ehlo");

	if (past != NULL && transcript->is_client)
		offer(out, past);
	else if (past != NULL)
		buf_puts(out, "EHLO printer\r\n");
}

void transcript_input(const struct transcript *transcript, struct buf *out)
{
	char peer = transcript->is_client ? 'S' : 'C';

	transcript_prologue(transcript, out);
	for (size_t i = 0; i < transcript->n_steps; i++)
		if (transcript->steps[i].kind == peer)
			buf_text_append(out,
					buf_text(&transcript->steps[i].bytes));
}
