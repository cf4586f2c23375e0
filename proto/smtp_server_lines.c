#include "proto/smtp_server_private.h"

#include <string.h>

enum { LINE_GIVE_UP = 1024 * 1024 }; /* of an over-long line: then close */

/* An over-long line is answered once, when its end comes, so that the session
 * stays in step; without an end within a megabyte it is over. */
static void skip_line(struct smtp_server *server, struct text input,
		      const char *newline)
{
	bool in_auth = server->state == SMTP_SERVER_AUTH;
	struct smtp_reply reply =
		in_auth ? smtp_reply_make(500, "5.5.6", "Login line too long")
			: smtp_reply_make(500, "5.5.2", "Line too long");

	server->skipping += input.len;
	server_consume(server, input.len);
	if (server->wary && !in_auth) {
		server_close_on_mail_data(server);
	} else if (newline != NULL) {
		server->skipping = 0;
		if (in_auth)
			server_set_state(server, SMTP_SERVER_READY);
		server_refuse(server,
			      in_auth ? text_of("AUTH")
				      : buf_text(&server->line),
			      &reply);
		buf_clear(&server->line);
	} else if (server->skipping > LINE_GIVE_UP) {
		smtp_server_goodbye(server, 421, "4.7.0",
				    "Line without an end");
	}
}

/* Move input into server->line.  True when a line is complete there. */
static bool gather_line(struct smtp_server *server)
{
	struct text input = server_unread(server);
	size_t room = SERVER_LINE_MAX - buf_len(&server->line);
	const char *newline;

	if (input.len == 0)
		return false;
	newline = memchr(input.data, '\n', input.len);
	if (newline != NULL)
		input.len = (size_t)(newline + 1 - input.data);
	if (server->skipping > 0 || input.len > room) {
		buf_append(&server->line, input.data, room);
		skip_line(server, input, newline);
		return false;
	}
	buf_text_append(&server->line, input);
	server_consume(server, input.len);
	return newline != NULL;
}

static void trim_line_end(struct buf *line)
{
	line->end--;
	if (buf_len(line) > 0 && line->data[line->end - 1] == '\r')
		line->end--;
}

/* RFC 8446 5.1: a TLS record of type handshake, of any version. */
static bool is_tls_hello(const struct smtp_server *server)
{
	struct text line = buf_text(&server->line);
	struct text unread = server_unread(server);
	char first[2] = "";

	for (size_t i = 0; i < 2; i++) {
		if (i < line.len)
			first[i] = line.data[i];
		else if (i - line.len < unread.len)
			first[i] = unread.data[i - line.len];
	}
	return !server->secure && first[0] == 0x16 && first[1] == 0x03;
}

/* A reply would read as a broken record there: silence tells it as much. */
static enum smtp_server_event_type meet_tls_hello(struct smtp_server *server)
{
	server_trace(server, SMTP_SIDE_CLIENT, text_of("(TLS hello)"));
	server_close(server);
	buf_clear(&server->line);
	return SMTP_SERVER_EV_TLS_HELLO;
}

enum smtp_server_event_type server_next_command(struct smtp_server *server,
						struct smtp_server_event *event)
{
	while ((server->run_again || server_unread(server).len > 0) &&
	       server->state != SMTP_SERVER_CLOSED && !server->has_refused) {
		enum smtp_server_event_type type;

		if (is_tls_hello(server))
			return meet_tls_hello(server);
		if (!server->run_again) {
			if (!gather_line(server))
				continue;
			trim_line_end(&server->line);
		}
		event->type = SMTP_SERVER_EV_NONE;
		type = server_run_line(server, event);
		if (type != SMTP_SERVER_EV_NONE)
			return type; /* views into line stay until answered */
		if (!server->run_again)
			buf_clear(&server->line);
		if (server->owes_reset)
			break;
	}
	if (buf_len(&server->line) == 0)
		buf_release(&server->line);
	return SMTP_SERVER_EV_NONE;
}
