#include "proto/smtp_reply.h"

#include <stdio.h>

struct smtp_reply smtp_reply_make(int code, const char *status,
				  const char *text)
{
	struct smtp_reply reply = { .code = code, .text = text_of(text) };

	smtp_status_parse(text_of(status), &reply.status);
	if ((int)reply.status.class != smtp_reply_class(&reply))
		reply.status = (struct smtp_status){ 0 };
	return reply;
}

int smtp_reply_class(const struct smtp_reply *reply)
{
	return reply->code / 100;
}

bool smtp_reply_positive(const struct smtp_reply *reply)
{
	return smtp_reply_class(reply) == 2;
}

bool smtp_reply_transient(const struct smtp_reply *reply)
{
	return smtp_reply_class(reply) == 4;
}

bool smtp_reply_permanent(const struct smtp_reply *reply)
{
	return smtp_reply_class(reply) == 5;
}

/* Up to three digits at *at, which moves behind them. */
static bool read_number(struct text text, size_t *at, unsigned *number_r)
{
	size_t begin = *at;

	*number_r = 0;
	while (*at < text.len && *at - begin < 3 && text.data[*at] >= '0' &&
	       text.data[*at] <= '9')
		*number_r =
			*number_r * 10 + (unsigned)(text.data[(*at)++] - '0');
	return *at > begin;
}

static bool read_dot(struct text text, size_t *at)
{
	return *at < text.len && text.data[(*at)++] == '.';
}

/*
 * RFC 3463 2:  status-code = class "." subject "." detail
 *              class = "2"/"4"/"5"   subject, detail = 1*3digit
 */
size_t smtp_status_parse(struct text text, struct smtp_status *status_r)
{
	struct smtp_status status;
	size_t at = 0;

	*status_r = (struct smtp_status){ 0 };
	if (!read_number(text, &at, &status.class) || at != 1 ||
	    (status.class != 2 && status.class != 4 && status.class != 5) ||
	    !read_dot(text, &at) || !read_number(text, &at, &status.subject) ||
	    !read_dot(text, &at) || !read_number(text, &at, &status.detail))
		return 0;
	if (at < text.len && text.data[at] != ' ' && text.data[at] != '\n')
		return 0;
	*status_r = status;
	return at + (at < text.len && text.data[at] == ' ');
}

bool smtp_status_is(const struct smtp_status *status, const char *dotted)
{
	char own[16];

	return text_equal(text_of(smtp_status_string(status, own)),
			  text_of(dotted));
}

const char *smtp_status_string(const struct smtp_status *status, char out[16])
{
	out[0] = '\0';
	if (status->class > 0)
		snprintf(out, 16, "%u.%u.%u", status->class % 10,
			 status->subject % 1000, status->detail % 1000);
	return out;
}

/* RFC 5321 4.2:  textstring = 1*(%d09 / %d32-126) */
static char printable(char c)
{
	return c == '\t' || (c >= ' ' && c <= '~') ? c : '?';
}

static void print_line(struct buf *out, const struct smtp_reply *reply,
		       struct text line, bool last)
{
	char wire[SMTP_REPLY_LINE_MAX], status[16];
	size_t len;

	smtp_status_string(&reply->status, status);
	len = (size_t)snprintf(wire, sizeof(wire), "%03u%c%s",
			       (unsigned)reply->code % 1000, last ? ' ' : '-',
			       status);
	if (status[0] != '\0' && line.len > 0)
		wire[len++] = ' ';
	for (size_t i = 0; i < line.len && len < sizeof(wire) - 2; i++)
		wire[len++] = printable(line.data[i]);
	wire[len++] = '\r';
	wire[len++] = '\n';
	buf_append(out, wire, len);
}

void smtp_reply_print(struct buf *out, const struct smtp_reply *reply)
{
	struct text rest = reply->text, line = text_of("");

	do {
		text_token(&rest, '\n', &line);
		print_line(out, reply, line, rest.len == 0);
	} while (rest.len > 0);
}

void smtp_reply_line(struct buf *out, const struct smtp_reply *reply)
{
	struct text rest = reply->text, line;
	char status[16];

	buf_printf(out, "%03d", reply->code);
	if (reply->status.class > 0)
		buf_printf(out, " %s",
			   smtp_status_string(&reply->status, status));
	while (text_token(&rest, '\n', &line)) {
		buf_putc(out, ' ');
		buf_text_append(out, line);
	}
}
