#include "proto/smtp_reply_parser.h"

#include <string.h>

enum {
	LINE_MAX_OCTETS = 4096,
	LINES_MAX = 128,
	TEXT_MAX_OCTETS = 64 * 1024,
};

void smtp_reply_parser_init(struct smtp_reply_parser *parser)
{
	*parser = (struct smtp_reply_parser){
		.line = BUF_INIT(LINE_MAX_OCTETS),
		.text = BUF_INIT(TEXT_MAX_OCTETS),
	};
}

void smtp_reply_parser_free(struct smtp_reply_parser *parser)
{
	buf_free(&parser->line);
	buf_free(&parser->text);
}

static void begin_reply(struct smtp_reply_parser *parser)
{
	buf_clear(&parser->text);
	parser->lines = 0;
	parser->done = false;
	parser->status = (struct smtp_status){ 0 };
}

/* RFC 5321 4.2:  Reply-code = %x32-35 %x30-35 %x30-39; we take any second
 * digit, since only the first decides. */
static bool may_be_reply(struct text line)
{
	for (size_t i = 0; i < 3 && i < line.len; i++)
		if (line.data[i] < (i == 0 ? '2' : '0') ||
		    line.data[i] > (i == 0 ? '5' : '9'))
			return false;
	return true;
}

/* Move bytes up to and with the next LF into the line.  1: it is complete. */
static int gather_line(struct smtp_reply_parser *parser, struct text *input)
{
	const char *lf = memchr(input->data, '\n', input->len);
	size_t len = lf != NULL ? (size_t)(lf - input->data) + 1 : input->len;

	if (!buf_append(&parser->line, input->data, len))
		return -1;
	*input = text_skip(*input, len);
	if (!may_be_reply(buf_text(&parser->line)))
		return -1;
	return lf != NULL;
}

static struct text without_end(struct text line)
{
	line.len--;
	while (line.len > 0 && line.data[line.len - 1] == '\r')
		line.len--;
	return line;
}

static bool is_separator(char c)
{
	return c == ' ' || c == '-' || c == '\t';
}

/* Behind the code comes SP or "-"; a server that forgets it is understood. */
static struct text behind_code(struct text line)
{
	bool separated = line.len > 3 && is_separator(line.data[3]);

	return text_skip(line, separated ? 4 : 3);
}

static bool keep_text(struct smtp_reply_parser *parser, struct text line)
{
	if (++parser->lines > LINES_MAX)
		return false;
	if (parser->lines > 1 && !buf_putc(&parser->text, '\n'))
		return false;
	return buf_text_append(&parser->text, behind_code(line));
}

/* Take the status off each line, now that the code is known; the text only
 * gets shorter, so it moves in place. */
static void take_statuses(struct smtp_reply_parser *parser, int code)
{
	struct text rest = buf_text(&parser->text), line;
	char *to = parser->text.data + parser->text.start;
	struct smtp_status status;

	while (text_token(&rest, '\n', &line)) {
		bool last = line.data + line.len == rest.data;
		size_t len = smtp_status_parse(line, &status);

		if (len > 0 && (int)status.class == code / 100) {
			parser->status = status;
			line = text_skip(line, len);
		}
		memmove(to, line.data, line.len);
		to += line.len;
		if (!last)
			*to++ = '\n';
	}
	parser->text.end = (size_t)(to - parser->text.data);
}

static void complete(struct smtp_reply_parser *parser, struct text line,
		     struct smtp_reply *reply_r)
{
	int code = (line.data[0] - '0') * 100 + (line.data[1] - '0') * 10 +
		   (line.data[2] - '0');

	if (buf_len(&parser->text) > 0)
		take_statuses(parser, code);
	*reply_r = (struct smtp_reply){
		.code = code,
		.status = parser->status,
		.text = buf_text(&parser->text),
	};
	parser->done = true;
}

int smtp_reply_parser_push(struct smtp_reply_parser *parser, struct text *input,
			   struct smtp_reply *reply_r)
{
	if (parser->done && input->len > 0)
		begin_reply(parser);
	while (input->len > 0) {
		struct text line;
		int result = gather_line(parser, input);

		if (result <= 0)
			return result < 0 ? -1 : 0;
		line = without_end(buf_text(&parser->line));
		if (line.len < 3 || !keep_text(parser, line))
			return -1;
		if (line.len == 3 || line.data[3] != '-') {
			complete(parser, line, reply_r);
			buf_clear(&parser->line);
			return 1;
		}
		buf_clear(&parser->line);
	}
	return 0;
}

bool smtp_reply_parser_idle(const struct smtp_reply_parser *parser)
{
	return buf_len(&parser->line) == 0 &&
	       (parser->done || parser->lines == 0);
}

struct text smtp_reply_parser_rest(const struct smtp_reply_parser *parser)
{
	return buf_text(&parser->line);
}
