/* A notice about whatever was said: a message that may be sent, whose parts are
 * ours alone. */
#include <string.h>

#include "proto/dsn.h"
#include "tests/fuzz/fuzz.h"

enum { PIECES = 8, ROOM = 1 << 22 };

/* The input in strings, cut at NUL. */
static void cut(struct text input, char *pieces[PIECES])
{
	for (size_t i = 0; i < PIECES; i++) {
		struct text piece = { "", 0 };

		text_token(&input, '\0', &piece);
		pieces[i] = text_dup(piece);
	}
}

static void check_lines(struct text message)
{
	struct text line;

	must(message.len > 2 && message.data[message.len - 1] == '\n');
	while (text_token(&message, '\n', &line)) {
		must(line.len > 0 && line.data[line.len - 1] == '\r');
		line.len--;
		must(line.len <= 998);
		for (size_t i = 0; i < line.len; i++)
			must((line.data[i] >= ' ' && line.data[i] < 127) ||
			     line.data[i] == '\t');
	}
}

static size_t count_lines(struct text message, const char *prefix)
{
	struct text line;
	size_t n = 0;

	while (text_token(&message, '\n', &line))
		n += text_starts(line, prefix);
	return n;
}

/* Three parts, however the boundary is called. */
static void check_parts(struct buf *out, bool has_header)
{
	const char *begin = strstr(buf_string(out), "\tboundary=\"") + 11;
	struct text name =
		text_make(begin, (size_t)(strchr(begin, '"') - begin));
	struct buf line = BUF_INIT(200);

	buf_printf(&line, "--%.*s", TEXT_ARG(name));
	must(count_lines(buf_text(out), buf_string(&line)) ==
	     (has_header ? 4 : 3));
	buf_free(&line);
}

static void check_header(struct text message)
{
	static const char *const once[] = { "From:", "To:",  "Subject:",
					    "Date:", "Bcc:", "Auto-Submitted:" };

	message.len =
		(size_t)text_find_nocase(message, text_of("\r\n\r\n")) + 2;
	for (size_t i = 0; i < sizeof(once) / sizeof(*once); i++)
		must(count_lines(message, once[i]) ==
		     (strcmp(once[i], "Bcc:") == 0 ? 0 : 1));
}

static void check(char *pieces[PIECES], struct text header)
{
	const char *const to[] = { pieces[0], pieces[1] };
	struct dsn_letter letter = {
		.from_name = "lanpost", .from = pieces[2], .to = to, .n_to = 2,
		.subject = pieces[3], .id = "0ABC", .hostname = "relay.example",
		.about = pieces[4], .auto_submitted = "auto-replied",
		.seconds = 1800000000, .text = pieces[5],
	};
	struct dsn_recipient recipient = {
		.address = pieces[0], .original = pieces[1],
		.status = dsn_status(pieces[6], false), .host = pieces[7],
		.reply = pieces[6], .attempt_seconds = 1800000000,
	};
	struct dsn_report report = {
		.id = "0DEF", .arrival_seconds = 1800000000,
		.recipients = &recipient, .n_recipients = 1, .header = header,
	};
	struct buf out = BUF_INIT(ROOM);

	must(dsn_print(&out, &letter, &report));
	check_lines(buf_text(&out));
	check_header(buf_text(&out));
	check_parts(&out, header.len > 0);
	must(count_lines(buf_text(&out), "Final-Recipient:") >= 1);
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text input = text_make((const char *)data, size);
	char *pieces[PIECES];

	cut(input, pieces);
	check(pieces, input);
	for (size_t i = 0; i < PIECES; i++)
		free(pieces[i]);
	return 0;
}
