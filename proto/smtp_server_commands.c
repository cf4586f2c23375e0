#include "proto/smtp_server_private.h"

#include <stdio.h>
#include <string.h>

#include "proto/base64.h"
#include "proto/smtp_command.h"

enum { REFUSED_COMMANDS = 10 }; /* after a 554 greeting */

/* Refuse the command line that is being run. */
static void refuse_line(struct smtp_server *server, int code,
                        const char *status, const char *text)
{
	struct smtp_reply reply = smtp_reply_make(code, status, text);

	server_refuse(server, buf_text(&server->line), &reply);
}

typedef enum smtp_server_event_type
(*command_fn)(struct smtp_server *server, const struct smtp_command *command,
              struct smtp_server_event *event);

static enum smtp_server_event_type
command_hello(struct smtp_server *server, const struct smtp_command *command,
              struct smtp_server_event *event)
{
	server_end_transaction(server, true);
	event->ehlo.helo_name = command->argument;
	event->ehlo.is_esmtp = command->verb == SMTP_VERB_EHLO;
	server->is_esmtp = event->ehlo.is_esmtp;
	return server_ask(server, ASK_EHLO, SMTP_SERVER_EV_EHLO);
}

static enum smtp_server_event_type
command_starttls(struct smtp_server *server, const struct smtp_command *command,
                 struct smtp_server_event *event)
{
	if (!(server->settings.capabilities & SMTP_CAP(STARTTLS)))
		refuse_line(server, 502, "5.5.1",
		            "STARTTLS is not offered here");
	else if (command->argument.len > 0)
		refuse_line(server, 501, "5.5.4",
		            "STARTTLS takes no argument");
	else if (server->transaction)
		refuse_line(server, 503, "5.5.1",
		            "STARTTLS inside a mail transaction");
	else
		return server_ask(server, ASK_STARTTLS, SMTP_SERVER_EV_STARTTLS);
	return SMTP_SERVER_EV_NONE;
}

/* What the EHLO reply said; after HELO it was nothing. */
static bool was_offered(const struct smtp_server *server, unsigned capability)
{
	return server->is_esmtp && !server->settings.single_line_ehlo &&
	       (server->settings.capabilities & capability) != 0;
}

/* A login is taken after HELO too where logins are known here at all. */
static bool takes_login(struct smtp_server *server)
{
	bool known = server->settings.any_login ||
	             (server->settings.capabilities & SMTP_CAP(AUTH)) != 0;

	if (was_offered(server, SMTP_CAP(AUTH)))
		return true;
	if (!known || (server->settings.strict && !server->settings.any_login))
		return false;
	server->quirks |= SMTP_QUIRK(AUTH_UNOFFERED);
	return true;
}

static void refuse_login(struct smtp_server *server)
{
	if (server->settings.login_required && !server->secure)
		refuse_line(server, 538, "5.7.11",
		            "A login is taken inside TLS only: STARTTLS first");
	else
		refuse_line(server, 503, "5.5.1",
		            "AUTH is not offered here; send without login");
}

static bool has_mechanism(const struct smtp_server *server, struct text name)
{
	struct text words = text_of(server->settings.mechanisms), word;

	while (text_token(&words, ' ', &word))
		if (text_equal_nocase(word, name))
			return true;
	return server->settings.any_login;
}

static bool decode_response(struct smtp_server *server, struct text encoded)
{
	buf_clear(&server->decoded);
	if (encoded.len == 1 && encoded.data[0] == '=')
		return true;
	return base64_decode(&server->decoded, encoded);
}

static enum smtp_server_event_type
command_auth(struct smtp_server *server, const struct smtp_command *command,
             struct smtp_server_event *event)
{
	struct text rest = command->argument;
	struct text mechanism = { "", 0 };

	text_token(&rest, ' ', &mechanism);
	rest = text_trim(rest);
	if (!takes_login(server))
		refuse_login(server);
	else if (server->authenticated || server->transaction)
		refuse_line(server, 503, "5.5.1",
		            "AUTH is not allowed now");
	else if (mechanism.len == 0)
		refuse_line(server, 501, "5.5.4",
		            "AUTH needs a mechanism");
	else if (!has_mechanism(server, mechanism))
		refuse_line(server, 504, "5.5.4",
		            "This login mechanism is not offered here");
	else if (!decode_response(server, rest))
		refuse_line(server, 501, "5.5.2",
		            "The initial response is not base64");
	else {
		event->auth.mechanism = mechanism;
		event->auth.has_response = rest.len > 0;
		event->auth.response = buf_text(&server->decoded);
		return server_ask(server, ASK_AUTH, SMTP_SERVER_EV_AUTH);
	}
	return SMTP_SERVER_EV_NONE;
}

/* Checks that MAIL and RCPT share; false when the answer has been given. */
static bool read_path(struct smtp_server *server,
                      const struct smtp_command *command,
                      struct smtp_path *path_r, struct text *params_r)
{
	bool is_mail = command->verb == SMTP_VERB_MAIL;
	const char *error = NULL;
	char text[160];

	if (!command->has_keyword)
		error = is_mail ? "the command is MAIL FROM:<address>"
		                : "the command is RCPT TO:<address>";
	else
		smtp_path_parse(command->argument, path_r, params_r, &error);
	if (error == NULL)
		return true;
	snprintf(text, sizeof text, "Bad %s address: %s",
	         is_mail ? "sender" : "recipient", error);
	refuse_line(server, 501, is_mail ? "5.1.7" : "5.1.3", text);
	return false;
}

static bool size_fits(struct smtp_server *server,
                      const struct smtp_command *command,
                      const struct smtp_mail_params *params)
{
	char text[160];
	uint64_t max = server->settings.max_message_size;

	if (max == 0 || !params->has_size || params->size <= max)
		return true;
	snprintf(text, sizeof text,
	         "The message is larger than the %llu octets allowed here",
	         (unsigned long long)max);
	refuse_line(server, 552, "5.3.4", text);
	return false;
}

static enum smtp_server_event_type
command_mail(struct smtp_server *server, const struct smtp_command *command,
             struct smtp_server_event *event)
{
	struct text params;
	struct smtp_reply error;

	if (server->transaction) {
		refuse_line(server, 503, "5.5.1",
		            "A mail transaction is open already");
		return SMTP_SERVER_EV_NONE;
	}
	if (!read_path(server, command, &event->mail.path, &params))
		return SMTP_SERVER_EV_NONE;
	if (!smtp_mail_params_parse(params, &event->mail.params, &error)) {
		server_refuse(server, buf_text(&server->line), &error);
		return SMTP_SERVER_EV_NONE;
	}
	if (!size_fits(server, command, &event->mail.params))
		return SMTP_SERVER_EV_NONE;
	return server_ask(server, ASK_MAIL, SMTP_SERVER_EV_MAIL);
}

static enum smtp_server_event_type
command_rcpt(struct smtp_server *server, const struct smtp_command *command,
             struct smtp_server_event *event)
{
	struct text params;
	struct smtp_reply error;

	if (!server->transaction) {
		refuse_line(server, 503, "5.5.1",
		            "MAIL FROM comes before RCPT TO");
		return SMTP_SERVER_EV_NONE;
	}
	if (server->settings.max_recipients > 0 &&
	    server->recipients >= server->settings.max_recipients) {
		/* RFC 5321 4.5.3.1.10: 452, and those before are kept. */
		refuse_line(server, 452, "4.5.3",
		            "Too many recipients for one message");
		return SMTP_SERVER_EV_NONE;
	}
	if (!read_path(server, command, &event->rcpt.path, &params))
		return SMTP_SERVER_EV_NONE;
	if (smtp_path_is_null(&event->rcpt.path)) {
		refuse_line(server, 501, "5.1.3",
		            "Bad recipient address: it is empty");
		return SMTP_SERVER_EV_NONE;
	}
	if (!smtp_rcpt_params_parse(params, &event->rcpt.params, &error)) {
		server_refuse(server, buf_text(&server->line), &error);
		return SMTP_SERVER_EV_NONE;
	}
	return server_ask(server, ASK_RCPT, SMTP_SERVER_EV_RCPT);
}

static enum smtp_server_event_type
command_data(struct smtp_server *server, const struct smtp_command *command,
             struct smtp_server_event *event)
{
	if (!server->transaction)
		refuse_line(server, 503, "5.5.1",
		            "MAIL FROM and RCPT TO come before DATA");
	else if (server->recipients == 0)
		refuse_line(server, 554, "5.5.1",
		            "No valid recipients");
	else if (command->argument.len > 0)
		refuse_line(server, 501, "5.5.4",
		            "DATA takes no argument");
	else
		return server_ask(server, ASK_DATA, SMTP_SERVER_EV_DATA);
	server_close_if_talking(server);
	return SMTP_SERVER_EV_NONE;
}

static enum smtp_server_event_type
command_bdat(struct smtp_server *server, const struct smtp_command *command,
             struct smtp_server_event *event)
{
	refuse_line(server, 502, "5.5.1",
	              "BDAT is not offered here, closing the connection");
	server_close(server);
	return SMTP_SERVER_EV_NONE;
}

static enum smtp_server_event_type
command_rset(struct smtp_server *server, const struct smtp_command *command,
             struct smtp_server_event *event)
{
	server_end_transaction(server, true);
	server_say_simple(server, 250, "2.0.0", "Ok");
	return SMTP_SERVER_EV_NONE;
}

static enum smtp_server_event_type
command_quit(struct smtp_server *server, const struct smtp_command *command,
             struct smtp_server_event *event)
{
	const char *hostname = server->settings.hostname;
	char text[300];

	snprintf(text, sizeof text, "%s%sclosing the connection",
	         hostname == NULL ? "" : hostname,
	         hostname == NULL ? "" : " ");
	server_say_simple(server, 221, "2.0.0", text);
	server_close(server);
	return SMTP_SERVER_EV_NONE;
}

/* Verbs whose answer never changes. */
static enum smtp_server_event_type
command_fixed(struct smtp_server *server, const struct smtp_command *command,
              struct smtp_server_event *event)
{
	static const struct {
		int code;
		const char *status, *text;
	} answers[] = {
		[SMTP_VERB_NOOP] = { 250, "2.0.0", "Ok" },
		[SMTP_VERB_HELP] = { 214, "2.0.0",
			"HELO EHLO MAIL RCPT DATA RSET NOOP QUIT" },
		[SMTP_VERB_VRFY] = { 252, "2.0.0",
			"Cannot verify; send the message and see" },
		[SMTP_VERB_EXPN] = { 502, "5.5.1", "EXPN is not offered" },
		[SMTP_VERB_UNKNOWN] = { 500, "5.5.2", "Unknown command" },
	};
	int code = answers[command->verb].code;

	if (code < 400)
		server_say_simple(server, code, answers[command->verb].status,
		                  answers[command->verb].text);
	else
		refuse_line(server, code, answers[command->verb].status,
		            answers[command->verb].text);
	return SMTP_SERVER_EV_NONE;
}

static const struct {
	command_fn run;
	bool needs_hello;   /* else 503 before EHLO */
	bool in_clear;      /* else 530 before a required STARTTLS, RFC 3207 4 */
} commands[] = {
	[SMTP_VERB_UNKNOWN] = { command_fixed, false, false },
	[SMTP_VERB_HELO] = { command_hello, false, false },
	[SMTP_VERB_EHLO] = { command_hello, false, true },
	[SMTP_VERB_STARTTLS] = { command_starttls, true, true },
	[SMTP_VERB_AUTH] = { command_auth, true, false },
	[SMTP_VERB_MAIL] = { command_mail, true, false },
	[SMTP_VERB_RCPT] = { command_rcpt, true, false },
	[SMTP_VERB_DATA] = { command_data, true, false },
	[SMTP_VERB_BDAT] = { command_bdat, false, true },
	[SMTP_VERB_RSET] = { command_rset, false, false },
	[SMTP_VERB_NOOP] = { command_fixed, false, true },
	[SMTP_VERB_HELP] = { command_fixed, false, false },
	[SMTP_VERB_VRFY] = { command_fixed, false, false },
	[SMTP_VERB_EXPN] = { command_fixed, false, false },
	[SMTP_VERB_QUIT] = { command_quit, false, true },
};

/* What holds for a verb whatever its argument; false: it has been refused. */
static bool may_run(struct smtp_server *server, enum smtp_verb verb)
{
	const struct smtp_server_settings *settings = &server->settings;

	if (settings->tls_required && !server->secure &&
	    !commands[verb].in_clear)
		refuse_line(server, 530, "5.7.0",
		            "Must issue a STARTTLS command first");
	else if (commands[verb].needs_hello &&
	         server->state == SMTP_SERVER_START)
		refuse_line(server, 503, "5.5.1",
		            "EHLO or HELO comes first");
	else if (verb == SMTP_VERB_MAIL && settings->login_required &&
	         !server->authenticated)
		refuse_line(server, 530, "5.7.0",
		            "Authentication required: log in first");
	else
		return true;
	if (verb == SMTP_VERB_DATA)
		server_close_if_talking(server);
	return false;
}

static enum smtp_server_event_type
refused_session(struct smtp_server *server, const struct smtp_command *command,
                struct smtp_server_event *event)
{
	if (command->verb == SMTP_VERB_QUIT)
		return command_quit(server, command, event);
	refuse_line(server, 503, "5.5.1",
	              "Not allowed here, see the greeting; QUIT");
	if (++server->refused_commands >= REFUSED_COMMANDS)
		smtp_server_goodbye(server, 421, "4.7.0",
		                    "Not allowed here, closing the connection");
	return SMTP_SERVER_EV_NONE;
}

static enum smtp_server_event_type
auth_response(struct smtp_server *server, struct text line,
              struct smtp_server_event *event)
{
	struct smtp_reply cancelled =
		smtp_reply_make(501, "5.7.0", "Login cancelled");
	struct smtp_reply undecodable =
		smtp_reply_make(501, "5.5.2", "The response is not base64");

	server_set_state(server, SMTP_SERVER_READY);
	if (text_is(line, "*")) {
		server_refuse(server, text_of("AUTH"), &cancelled);
		return SMTP_SERVER_EV_NONE;
	}
	if (!decode_response(server, line)) {
		server->login_refused = true;
		server_refuse(server, text_of("AUTH"), &undecodable);
		return SMTP_SERVER_EV_NONE;
	}
	event->auth.mechanism = text_of("");
	event->auth.has_response = true;
	event->auth.response = buf_text(&server->decoded);
	return server_ask(server, ASK_AUTH, SMTP_SERVER_EV_AUTH_RESPONSE);
}

static enum smtp_server_event_type
run_command(struct smtp_server *server, struct text line,
            struct smtp_server_event *event)
{
	struct smtp_command command;

	smtp_command_parse(line, &command);
	if (command.verb != SMTP_VERB_UNKNOWN)
		server->login_refused = command.verb == SMTP_VERB_AUTH;
	if (server->state == SMTP_SERVER_REFUSED)
		return refused_session(server, &command, event);
	if (!may_run(server, command.verb))
		return SMTP_SERVER_EV_NONE;
	return commands[command.verb].run(server, &command, event);
}

/* A whole line is in server->line, its end taken off. */
enum smtp_server_event_type
server_run_line(struct smtp_server *server, struct smtp_server_event *event)
{
	struct text line = buf_text(&server->line);
	char masked[160];

	if (server->state == SMTP_SERVER_AUTH) {
		server_trace(server, SMTP_SIDE_CLIENT, text_of("(login response)"));
		return auth_response(server, line, event);
	}
	server_mask(server, line, masked, sizeof masked);
	server_trace(server, SMTP_SIDE_CLIENT, text_of(masked));
	if (line.len == 0)
		return SMTP_SERVER_EV_NONE; /* devices send them; harmless */
	if (memchr(line.data, '\0', line.len) != NULL ||
	    memchr(line.data, '\r', line.len) != NULL) {
		refuse_line(server, 500, "5.5.2",
		            "The command holds a NUL or a bare CR");
		return SMTP_SERVER_EV_NONE;
	}
	return run_command(server, line, event);
}
