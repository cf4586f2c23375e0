#include "proto/smtp_server_private.h"

#include <stdio.h>
#include <string.h>

enum {
	REFUSED_COMMANDS = 10, /* after a 554 greeting */
	EMPTY_LINES_MAX = 20
};

void server_refuse_line(struct smtp_server *server, int code,
			const char *status, const char *text)
{
	struct smtp_reply reply = smtp_reply_make(code, status, text);

	server_refuse(server, buf_text(&server->line), &reply);
}

unsigned server_offered(const struct smtp_server *server)
{
	return server->is_esmtp && !server->settings.single_line_ehlo
		       ? server->settings.capabilities
		       : 0;
}

static enum smtp_server_event_type command_bdat(
	struct smtp_server *server, const struct smtp_command *command,
	struct smtp_server_event *event)
{
	server_refuse_line(server, 502, "5.5.1",
			   "BDAT is not offered here, closing the connection");
	server_close(server);
	return SMTP_SERVER_EV_NONE;
}

static enum smtp_server_event_type command_rset(
	struct smtp_server *server, const struct smtp_command *command,
	struct smtp_server_event *event)
{
	server_end_transaction(server, true);
	server_say_simple(server, 250, "2.0.0", "Ok");
	return SMTP_SERVER_EV_NONE;
}

static enum smtp_server_event_type command_quit(
	struct smtp_server *server, const struct smtp_command *command,
	struct smtp_server_event *event)
{
	const char *hostname = server->settings.hostname;
	char text[300];

	snprintf(text, sizeof text, "%s%sclosing the connection",
		 hostname == NULL ? "" : hostname, hostname == NULL ? "" : " ");
	server_say_simple(server, 221, "2.0.0", text);
	server_close(server);
	return SMTP_SERVER_EV_NONE;
}

/* Verbs whose answer never changes. */
static const struct {
	int code;
	const char *status, *text;
} fixed_answers[] = {
	[SMTP_VERB_NOOP] = { 250, "2.0.0", "Ok" },
	[SMTP_VERB_HELP] = { 214, "2.0.0",
			     "HELO EHLO MAIL RCPT DATA RSET NOOP QUIT" },
	[SMTP_VERB_VRFY] = { 252, "2.0.0",
			     "Cannot verify; send the message and see" },
	[SMTP_VERB_EXPN] = { 502, "5.5.1", "EXPN is not offered" },
	[SMTP_VERB_TURN] = { 502, "5.5.1", "TURN is not offered" },
	[SMTP_VERB_ETRN] = { 502, "5.5.1", "ETRN is not offered" },
	[SMTP_VERB_XCLIENT] = { 502, "5.5.1", "XCLIENT is not offered" },
	[SMTP_VERB_XFORWARD] = { 502, "5.5.1", "XFORWARD is not offered" },
	[SMTP_VERB_UNKNOWN] = { 500, "5.5.2", "Unknown command" },
};

static enum smtp_server_event_type command_fixed(
	struct smtp_server *server, const struct smtp_command *command,
	struct smtp_server_event *event)
{
	int code = fixed_answers[command->verb].code;

	if (code < 400)
		server_say_simple(server, code,
				  fixed_answers[command->verb].status,
				  fixed_answers[command->verb].text);
	else
		server_refuse_line(server, code,
				   fixed_answers[command->verb].status,
				   fixed_answers[command->verb].text);
	return SMTP_SERVER_EV_NONE;
}

static const struct {
	server_verb *run;
	bool needs_hello; /* else 503 before EHLO */
	bool in_clear;    /* else 530 before a required STARTTLS, RFC 3207 4 */
} commands[] = {
	[SMTP_VERB_UNKNOWN] = { command_fixed, false, false },
	[SMTP_VERB_HELO] = { server_hello, false, false },
	[SMTP_VERB_EHLO] = { server_hello, false, true },
	[SMTP_VERB_STARTTLS] = { server_starttls, true, true },
	[SMTP_VERB_AUTH] = { server_auth, true, false },
	[SMTP_VERB_MAIL] = { server_mail, true, false },
	[SMTP_VERB_RCPT] = { server_rcpt, true, false },
	[SMTP_VERB_DATA] = { server_data, true, false },
	[SMTP_VERB_BDAT] = { command_bdat, false, true },
	[SMTP_VERB_RSET] = { command_rset, false, false },
	[SMTP_VERB_NOOP] = { command_fixed, false, true },
	[SMTP_VERB_HELP] = { command_fixed, false, false },
	[SMTP_VERB_VRFY] = { command_fixed, false, false },
	[SMTP_VERB_EXPN] = { command_fixed, false, false },
	[SMTP_VERB_TURN] = { command_fixed, false, false },
	[SMTP_VERB_ETRN] = { command_fixed, false, false },
	[SMTP_VERB_XCLIENT] = { command_fixed, false, false },
	[SMTP_VERB_XFORWARD] = { command_fixed, false, false },
	[SMTP_VERB_QUIT] = { command_quit, false, true },
};

/* RFC 3207 4.2 has it greet again behind the handshake; some go on at once. */
static bool is_greeted(struct smtp_server *server, enum smtp_verb verb)
{
	if (server->state != SMTP_SERVER_START)
		return true;
	if (!server->greeted_in_clear || server->settings.strict ||
	    (verb != SMTP_VERB_MAIL && verb != SMTP_VERB_AUTH))
		return false;
	server->quirks |= SMTP_QUIRK(NO_HELO);
	server_set_state(server, SMTP_SERVER_READY);
	return true;
}

/* What holds for a verb whatever its argument; false: it has been refused. */
static bool may_run(struct smtp_server *server, enum smtp_verb verb)
{
	const struct smtp_server_settings *settings = &server->settings;

	if (settings->tls_required && !server->secure &&
	    !commands[verb].in_clear)
		server_refuse_line(server, 530, "5.7.0",
				   "Must issue a STARTTLS command first");
	else if (commands[verb].needs_hello && !is_greeted(server, verb))
		server_refuse_line(server, 503, "5.5.1",
				   "EHLO or HELO comes first");
	else if (verb == SMTP_VERB_MAIL && settings->login_required &&
		 !server->authenticated)
		server_refuse_line(server, 530, "5.7.0",
				   "Authentication required: log in first");
	else
		return true;
	if (verb == SMTP_VERB_DATA)
		server_close_if_talking(server);
	return false;
}

static enum smtp_server_event_type refused_session(
	struct smtp_server *server, const struct smtp_command *command,
	struct smtp_server_event *event)
{
	if (command->verb == SMTP_VERB_QUIT)
		return command_quit(server, command, event);
	server_refuse_line(server, 503, "5.5.1",
			   "Not allowed here, see the greeting; QUIT");
	if (++server->refused_commands >= REFUSED_COMMANDS)
		smtp_server_goodbye(server, 421, "4.7.0",
				    "Not allowed here, closing the connection");
	return SMTP_SERVER_EV_NONE;
}

/* RFC 5322 2.2: a field name, and at once a colon.  No command looks so. */
static bool looks_like_field(struct text line)
{
	size_t i = 0;

	while (i < line.len && line.data[i] > ' ' && line.data[i] < 127 &&
	       line.data[i] != ':')
		i++;
	return i > 0 && i < line.len && line.data[i] == ':';
}

/* A client that talks on over a refusal, or behind a lone dot in its message,
 * sends what must never be read as commands. */
static bool is_mail_data(const struct smtp_server *server, struct text line,
			 const struct smtp_command *command)
{
	bool is_path = command->verb == SMTP_VERB_MAIL ||
		       command->verb == SMTP_VERB_RCPT;

	if (command->verb == SMTP_VERB_UNKNOWN && looks_like_field(line))
		return true;
	if (!server->wary || text_is(line, "."))
		return false;
	return command->verb == SMTP_VERB_UNKNOWN ||
	       (is_path && !command->has_keyword);
}

void server_close_on_mail_data(struct smtp_server *server)
{
	struct smtp_reply reply =
		smtp_reply_make(421, "4.7.0",
				"Mail data came where a command belongs, "
				"closing the connection");

	server_refuse(server, text_of("(mail data)"), &reply);
	server_close(server);
}

/* Words that begin a sentence as well prove nothing. */
static bool is_plain_command(enum smtp_verb verb)
{
	return verb == SMTP_VERB_HELO || verb == SMTP_VERB_EHLO ||
	       verb == SMTP_VERB_MAIL || verb == SMTP_VERB_RSET;
}

static enum smtp_server_event_type run_command(struct smtp_server *server,
					       struct text line,
					       struct smtp_server_event *event)
{
	struct smtp_command command;

	smtp_command_parse(line, &command);
	if (command.verb != SMTP_VERB_UNKNOWN)
		server->login_ended = command.verb == SMTP_VERB_AUTH;
	if (server->state == SMTP_SERVER_REFUSED)
		return refused_session(server, &command, event);
	if (is_mail_data(server, line, &command)) {
		server_close_on_mail_data(server);
		return SMTP_SERVER_EV_NONE;
	}
	if (is_plain_command(command.verb))
		server->wary = false;
	if (!may_run(server, command.verb))
		return SMTP_SERVER_EV_NONE;
	return commands[command.verb].run(server, &command, event);
}

/* Once RESET has been told, the line that was seen before. */
static enum smtp_server_event_type run_line_again(
	struct smtp_server *server, struct smtp_server_event *event)
{
	enum smtp_server_event_type type =
		run_command(server, buf_text(&server->line), event);

	server->run_again = false;
	return type;
}

/* RFC 854: IAC, a verb, and from WILL on an option.  A telnet client sends them
 * before anything else. */
static void drop_telnet(struct smtp_server *server)
{
	struct text line = buf_text(&server->line);
	size_t len = 0;

	while (len + 2 <= line.len && (unsigned char)line.data[len] == 0xff &&
	       (unsigned char)line.data[len + 1] >= 0xf0 &&
	       (unsigned char)line.data[len + 1] != 0xff)
		len += (unsigned char)line.data[len + 1] >= 0xfb ? 3 : 2;
	if (len == 0 || len > line.len || server->settings.strict)
		return;
	buf_consume(&server->line, len);
	server->quirks |= SMTP_QUIRK(TELNET);
}

static void meet_empty_line(struct smtp_server *server)
{
	if (++server->empty_lines > EMPTY_LINES_MAX || server->settings.strict)
		server_refuse_line(server, 500, "5.5.2",
				   "An empty line is no command");
	else
		server->quirks |= SMTP_QUIRK(EMPTY_LINES);
}

static bool has_bad_bytes(struct text line)
{
	return memchr(line.data, '\0', line.len) != NULL ||
	       memchr(line.data, '\r', line.len) != NULL;
}

/* A whole line is in server->line, its end taken off. */
enum smtp_server_event_type server_run_line(struct smtp_server *server,
					    struct smtp_server_event *event)
{
	struct text line;
	char masked[160];

	if (server->run_again)
		return run_line_again(server, event);
	if (server->state == SMTP_SERVER_AUTH) {
		server_trace(server, SMTP_SIDE_CLIENT,
			     text_of("(login response)"));
		return server_auth_response(server, buf_text(&server->line),
					    event);
	}
	if (!server->met_line)
		drop_telnet(server);
	line = buf_text(&server->line);
	server_mask(server, line, masked, sizeof masked);
	server_trace(server, SMTP_SIDE_CLIENT, text_of(masked));
	if (line.len == 0) {
		meet_empty_line(server);
		return SMTP_SERVER_EV_NONE;
	}
	server->met_line = true;
	server->empty_lines = 0;
	if (has_bad_bytes(line)) {
		server_refuse_line(server, 500, "5.5.2",
				   "The command holds a NUL or a bare CR");
		return SMTP_SERVER_EV_NONE;
	}
	return run_command(server, line, event);
}
