/* Replies read whole and in pieces are the same, within their limits, and
 * what we print of one reads back as it was. */
#include <stdlib.h>
#include <string.h>

#include "proto/smtp_caps.h"
#include "proto/smtp_reply_parser.h"
#include "tests/fuzz/fuzz.h"

static void write_down(struct buf *log, const struct smtp_reply *reply)
{
	buf_printf(log, "%d %u.%u.%u %zu ", reply->code, reply->status.class,
		   reply->status.subject, reply->status.detail,
		   reply->text.len);
	buf_text_append(log, reply->text);
}

static void check_limits(const struct smtp_reply *reply)
{
	unsigned lines = 1;

	for (size_t i = 0; i < reply->text.len; i++)
		lines += reply->text.data[i] == '\n';
	must(reply->code >= 200 && reply->code <= 599);
	must(lines <= 128 && reply->text.len <= 64 * 1024);
	must(reply->status.class == 0 ||
	     (int)reply->status.class == reply->code / 100);
}

static void check_print(const struct smtp_reply *reply)
{
	struct buf wire = BUF_INIT(1 << 20), line = BUF_INIT(1 << 20);
	struct smtp_reply_parser parser;
	struct smtp_reply again;
	struct smtp_caps caps;
	struct text input;

	smtp_reply_print(&wire, reply);
	smtp_reply_line(&line, reply);
	must(memchr(buf_text(&line).data, '\n', buf_len(&line)) == NULL);
	input = buf_text(&wire);
	smtp_reply_parser_init(&parser);
	must(smtp_reply_parser_push(&parser, &input, &again) == 1);
	must(input.len == 0 && again.code == reply->code);
	smtp_caps_parse(&caps, reply);
	must(strlen(caps.mechanisms) < sizeof(caps.mechanisms));
	smtp_reply_parser_free(&parser);
	buf_free(&wire);
	buf_free(&line);
}

static void read_all(struct text input, unsigned step, struct buf *log)
{
	struct smtp_reply_parser parser;
	struct smtp_reply reply;
	struct text piece;
	int result = 0;

	smtp_reply_parser_init(&parser);
	while (result == 0 && fuzz_piece(&input, &step, &piece)) {
		while ((result = smtp_reply_parser_push(&parser, &piece,
							&reply)) == 1) {
			check_limits(&reply);
			check_print(&reply);
			write_down(log, &reply);
		}
		must(result < 0 || piece.len == 0);
	}
	buf_puts(log, result < 0                        ? "broken"
		      : smtp_reply_parser_idle(&parser) ? "idle"
							: "more");
	smtp_reply_parser_free(&parser);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = BUF_INIT(SIZE_MAX), split = BUF_INIT(SIZE_MAX);
	unsigned step = fuzz_step(&data, &size);

	read_all(text_make((const char *)data, size), 0, &whole);
	read_all(text_make((const char *)data, size), step, &split);
	must(text_equal(buf_text(&whole), buf_text(&split)));
	buf_free(&whole);
	buf_free(&split);
	return 0;
}
