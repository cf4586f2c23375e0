#include "proto/smtp_server.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base64.h"
#include "proto/smtp_command.h"
#include "proto/smtp_syntax.h"
#include "proto/xalloc.h"

enum {
	LINE_MAX_OCTETS = 12288,     /* RFC 4954 4; RFC 5321 asks for 512 */
	LINE_GIVE_UP = 1024 * 1024,  /* of an over-long line: then close */
	DATA_LINE_MAX = 1000000,     /* octets in a line of mail data */
	OVERSIZE_MAX = 64 * 1024 * 1024, /* read in vain behind a 552 to come */
	REFUSED_COMMANDS = 10,       /* after a 554 greeting */
	KEPT_MAX = 1024 * 1024,
	OUTPUT_MAX = 256 * 1024
};

/* The question that is open, if one is. */
enum question {
	ASK_NOTHING, ASK_CONNECT, ASK_EHLO, ASK_STARTTLS, ASK_AUTH, ASK_MAIL,
	ASK_RCPT, ASK_DATA, ASK_DATA_END
};

struct smtp_server {
	struct smtp_server_settings settings;
	enum smtp_server_state state;
	enum question asking;
	bool is_esmtp, authenticated;
	bool transaction;            /* MAIL was accepted and not yet ended */
	unsigned recipients;         /* accepted in this transaction */
	unsigned bad_commands;       /* since the last good one */
	unsigned refused_commands;
	uint64_t skipping;           /* octets of an over-long line so far */
	struct smtp_data_reader data;
	bool discarding;             /* the rest of the data is not wanted */
	struct smtp_reply refusal;   /* and this is its answer */
	char refusal_text[200];
	bool owes_reset, owes_close; /* news to be told by the next next() */
	bool has_refused;
	struct smtp_reply refused_reply;
	char refused_command[128], refused_text[256];
	struct text input;           /* what feed() was given, not yet read */
	struct buf kept;             /* input that outlived its feed() */
	struct buf line;             /* the command line views point into */
	struct buf decoded;          /* a SASL response */
	struct buf output;
};

static const char *const state_texts[] = {
#define X(name, meaning) meaning,
	SMTP_SERVER_STATE_MAP(X)
#undef X
};

const char *smtp_server_state_text(enum smtp_server_state state)
{
	return state_texts[state];
}

struct smtp_server *smtp_server_new(const struct smtp_server_settings *settings)
{
	struct smtp_server *server = xcalloc(1, sizeof *server);

	server->settings = *settings;
	buf_init(&server->kept, KEPT_MAX);
	buf_init(&server->line, LINE_MAX_OCTETS);
	buf_init(&server->decoded, LINE_MAX_OCTETS);
	buf_init(&server->output, OUTPUT_MAX);
	return server;
}

void smtp_server_free(struct smtp_server **server)
{
	if (*server == NULL)
		return;
	buf_wipe(&(*server)->kept);
	buf_wipe(&(*server)->line);
	buf_wipe(&(*server)->decoded);
	buf_free(&(*server)->output);
	free(*server);
	*server = NULL;
}

enum smtp_server_state smtp_server_state(const struct smtp_server *server)
{
	return server->state;
}

bool smtp_server_is_asking(const struct smtp_server *server)
{
	return server->asking != ASK_NOTHING;
}

static void set_state(struct smtp_server *server, enum smtp_server_state state)
{
	if (server->state != SMTP_SERVER_CLOSED)
		server->state = state;
}

static void trace(struct smtp_server *server, enum smtp_side side,
                  struct text line)
{
	if (server->settings.trace.line != NULL)
		server->settings.trace.line(server->settings.trace.ctx, side,
		                            line);
}

/* ---- input ---- */

void smtp_server_feed(struct smtp_server *server, const void *data, size_t len)
{
	if (server->state == SMTP_SERVER_CLOSED)
		return;
	if (buf_len(&server->kept) > 0) {
		/* More than the bound means a caller that ignores is_full(). */
		if (!buf_append(&server->kept, data, len))
			smtp_server_goodbye(server, 421, "4.7.0",
			                    "Too much input ahead of replies");
		return;
	}
	server->input = text_make(data, len);
}

bool smtp_server_is_full(const struct smtp_server *server)
{
	return server->asking != ASK_NOTHING && buf_len(&server->kept) > 0;
}

/* Where unread input is: what was kept comes before what was fed. */
static struct text unread(const struct smtp_server *server)
{
	if (buf_len(&server->kept) > 0)
		return buf_text(&server->kept);
	return server->input;
}

static void consume(struct smtp_server *server, size_t len)
{
	if (buf_len(&server->kept) > 0)
		buf_consume(&server->kept, len);
	else
		server->input = text_skip(server->input, len);
}

static void keep_unread(struct smtp_server *server)
{
	if (server->input.len > 0)
		buf_text_append(&server->kept, server->input);
	server->input = (struct text){ NULL, 0 };
	buf_release(&server->kept);
}

static void forget_input(struct smtp_server *server)
{
	server->input = (struct text){ NULL, 0 };
	buf_wipe(&server->kept);
}

/* ---- output ---- */

size_t smtp_server_output(struct smtp_server *server, const void **data_r)
{
	struct text output = buf_text(&server->output);

	*data_r = output.data;
	return output.len;
}

void smtp_server_output_sent(struct smtp_server *server, size_t len)
{
	buf_consume(&server->output, len);
	buf_release(&server->output);
}

static void trace_output(struct smtp_server *server, size_t from)
{
	struct text rest = text_skip(buf_text(&server->output), from);
	struct text line;

	if (server->settings.trace.line == NULL)
		return;
	while (text_token(&rest, '\n', &line)) {
		if (line.len > 0 && line.data[line.len - 1] == '\r')
			line.len--;
		if (line.len > 0)
			trace(server, SMTP_SIDE_SERVER, line);
	}
}

static void close_session(struct smtp_server *server)
{
	set_state(server, SMTP_SERVER_CLOSED);
	server->owes_close = true;
	if (server->transaction)
		server->owes_reset = true;
	server->transaction = false;
	forget_input(server);
}

static void say(struct smtp_server *server, const struct smtp_reply *reply)
{
	size_t before = buf_len(&server->output);

	smtp_reply_print(&server->output, reply);
	trace_output(server, before);
	/* A peer that pipelines and never reads (RFC 2920 allows the first). */
	if (buf_len(&server->output) > OUTPUT_MAX / 2)
		close_session(server);
}

static void say_simple(struct smtp_server *server, int code,
                       const char *status, const char *text)
{
	struct smtp_reply reply = smtp_reply_make(code, status, text);

	say(server, &reply);
}

/* ---- transactions ---- */

/* The one place where a transaction ends. */
static void end_transaction(struct smtp_server *server, bool tell)
{
	if (server->transaction && tell)
		server->owes_reset = true;
	server->transaction = false;
	server->recipients = 0;
	server->discarding = false;
	if (server->state == SMTP_SERVER_MAIL ||
	    server->state == SMTP_SERVER_RCPT ||
	    server->state == SMTP_SERVER_DATA)
		set_state(server, SMTP_SERVER_READY);
}

/* The engine's own refusal: said, told, counted. */
static void refuse(struct smtp_server *server, struct text command,
                   const struct smtp_reply *reply)
{
	smtp_command_masked(command, server->refused_command,
	                    sizeof server->refused_command);
	snprintf(server->refused_text, sizeof server->refused_text, "%.*s",
	         TEXT_ARG(reply->text));
	server->refused_reply = *reply;
	server->refused_reply.text = text_of(server->refused_text);
	server->has_refused = true;
	say(server, reply);
	if (server->settings.max_bad_commands > 0 &&
	    ++server->bad_commands >= server->settings.max_bad_commands) {
		say_simple(server, 421, "4.7.0",
		           "Too many errors, closing the connection");
		close_session(server);
	}
}

/* The same for the command line that is being run. */
static void refuse_line(struct smtp_server *server, int code,
                        const char *status, const char *text)
{
	struct smtp_reply reply = smtp_reply_make(code, status, text);

	refuse(server, buf_text(&server->line), &reply);
}

void smtp_server_refuse_data(struct smtp_server *server, int code,
                             const char *status, const char *text)
{
	if (server->state != SMTP_SERVER_DATA || server->discarding)
		return;
	snprintf(server->refusal_text, sizeof server->refusal_text, "%s", text);
	server->refusal =
		smtp_reply_make(code, status, server->refusal_text);
	server->discarding = true;
	if (server->transaction)
		server->owes_reset = true;
	server->transaction = false;
}

void smtp_server_goodbye(struct smtp_server *server, int code,
                         const char *status, const char *text)
{
	if (server->state == SMTP_SERVER_CLOSED)
		return;
	say_simple(server, code, status, text);
	close_session(server);
}

void smtp_server_tls_established(struct smtp_server *server,
                                 unsigned capabilities)
{
	server->settings.capabilities = capabilities;
	server->is_esmtp = server->authenticated = false;
	end_transaction(server, true);
	forget_input(server);
	set_state(server, SMTP_SERVER_START);
}

/* ---- commands ---- */

typedef enum smtp_server_event_type
(*command_fn)(struct smtp_server *server, const struct smtp_command *command,
              struct smtp_server_event *event);

static enum smtp_server_event_type ask(struct smtp_server *server,
                                       enum question question,
                                       enum smtp_server_event_type type)
{
	server->asking = question;
	return type;
}

static enum smtp_server_event_type
command_hello(struct smtp_server *server, const struct smtp_command *command,
              struct smtp_server_event *event)
{
	end_transaction(server, true);
	event->ehlo.helo_name = command->argument;
	event->ehlo.is_esmtp = command->verb == SMTP_VERB_EHLO;
	server->is_esmtp = event->ehlo.is_esmtp;
	return ask(server, ASK_EHLO, SMTP_SERVER_EV_EHLO);
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
		return ask(server, ASK_STARTTLS, SMTP_SERVER_EV_STARTTLS);
	return SMTP_SERVER_EV_NONE;
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
	if (!(server->settings.capabilities & SMTP_CAP(AUTH)))
		refuse_line(server, 503, "5.5.1",
		            "AUTH is not offered here; send without login");
	else if (server->authenticated || server->transaction)
		refuse_line(server, 503, "5.5.1",
		            "AUTH is not allowed now");
	else if (mechanism.len == 0)
		refuse_line(server, 501, "5.5.4",
		            "AUTH needs a mechanism");
	else if (!decode_response(server, rest))
		refuse_line(server, 501, "5.5.2",
		            "The initial response is not base64");
	else {
		event->auth.mechanism = mechanism;
		event->auth.has_response = rest.len > 0;
		event->auth.response = buf_text(&server->decoded);
		return ask(server, ASK_AUTH, SMTP_SERVER_EV_AUTH);
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
		refuse(server, buf_text(&server->line), &error);
		return SMTP_SERVER_EV_NONE;
	}
	if (!size_fits(server, command, &event->mail.params))
		return SMTP_SERVER_EV_NONE;
	return ask(server, ASK_MAIL, SMTP_SERVER_EV_MAIL);
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
		refuse(server, buf_text(&server->line), &error);
		return SMTP_SERVER_EV_NONE;
	}
	return ask(server, ASK_RCPT, SMTP_SERVER_EV_RCPT);
}

/* Bytes behind a refused DATA may be a body that would read as commands: a
 * client that did not wait for the 354 is not listening (RFC 2920 3.1). */
static void close_if_talking(struct smtp_server *server)
{
	if (unread(server).len > 0)
		close_session(server);
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
		return ask(server, ASK_DATA, SMTP_SERVER_EV_DATA);
	close_if_talking(server);
	return SMTP_SERVER_EV_NONE;
}

static enum smtp_server_event_type
command_bdat(struct smtp_server *server, const struct smtp_command *command,
             struct smtp_server_event *event)
{
	refuse_line(server, 502, "5.5.1",
	              "BDAT is not offered here, closing the connection");
	close_session(server);
	return SMTP_SERVER_EV_NONE;
}

static enum smtp_server_event_type
command_rset(struct smtp_server *server, const struct smtp_command *command,
             struct smtp_server_event *event)
{
	end_transaction(server, true);
	say_simple(server, 250, "2.0.0", "Ok");
	return SMTP_SERVER_EV_NONE;
}

static enum smtp_server_event_type
command_noop(struct smtp_server *server, const struct smtp_command *command,
             struct smtp_server_event *event)
{
	say_simple(server, 250, "2.0.0", "Ok");
	return SMTP_SERVER_EV_NONE;
}

static enum smtp_server_event_type
command_help(struct smtp_server *server, const struct smtp_command *command,
             struct smtp_server_event *event)
{
	say_simple(server, 214, "2.0.0",
	           "HELO EHLO MAIL RCPT DATA RSET NOOP QUIT");
	return SMTP_SERVER_EV_NONE;
}

static enum smtp_server_event_type
command_vrfy(struct smtp_server *server, const struct smtp_command *command,
             struct smtp_server_event *event)
{
	say_simple(server, 252, "2.0.0",
	           "Cannot verify; send the message and see");
	return SMTP_SERVER_EV_NONE;
}

static enum smtp_server_event_type
command_expn(struct smtp_server *server, const struct smtp_command *command,
             struct smtp_server_event *event)
{
	refuse_line(server, 502, "5.5.1", "EXPN is not offered");
	return SMTP_SERVER_EV_NONE;
}

static enum smtp_server_event_type
command_quit(struct smtp_server *server, const struct smtp_command *command,
             struct smtp_server_event *event)
{
	say_simple(server, 221, "2.0.0", "Bye");
	close_session(server);
	return SMTP_SERVER_EV_NONE;
}

static enum smtp_server_event_type
command_unknown(struct smtp_server *server, const struct smtp_command *command,
                struct smtp_server_event *event)
{
	refuse_line(server, 500, "5.5.2", "Unknown command");
	return SMTP_SERVER_EV_NONE;
}

static const struct {
	command_fn run;
	bool needs_hello;   /* else 503 before EHLO */
} commands[] = {
	[SMTP_VERB_UNKNOWN] = { command_unknown, false },
	[SMTP_VERB_HELO] = { command_hello, false },
	[SMTP_VERB_EHLO] = { command_hello, false },
	[SMTP_VERB_STARTTLS] = { command_starttls, true },
	[SMTP_VERB_AUTH] = { command_auth, true },
	[SMTP_VERB_MAIL] = { command_mail, true },
	[SMTP_VERB_RCPT] = { command_rcpt, true },
	[SMTP_VERB_DATA] = { command_data, true },
	[SMTP_VERB_BDAT] = { command_bdat, false },
	[SMTP_VERB_RSET] = { command_rset, false },
	[SMTP_VERB_NOOP] = { command_noop, false },
	[SMTP_VERB_HELP] = { command_help, false },
	[SMTP_VERB_VRFY] = { command_vrfy, false },
	[SMTP_VERB_EXPN] = { command_expn, false },
	[SMTP_VERB_QUIT] = { command_quit, false },
};

static enum smtp_server_event_type
refused_session(struct smtp_server *server, const struct smtp_command *command,
                struct smtp_server_event *event)
{
	if (command->verb == SMTP_VERB_QUIT)
		return command_quit(server, command, event);
	refuse_line(server, 503, "5.5.1",
	              "Not allowed here, see the greeting; QUIT");
	if (++server->refused_commands >= REFUSED_COMMANDS)
		close_session(server);
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

	set_state(server, SMTP_SERVER_READY);
	if (text_is(line, "*")) {
		refuse(server, text_of("AUTH"), &cancelled);
		return SMTP_SERVER_EV_NONE;
	}
	if (!decode_response(server, line)) {
		refuse(server, text_of("AUTH"), &undecodable);
		return SMTP_SERVER_EV_NONE;
	}
	event->auth.mechanism = text_of("");
	event->auth.has_response = true;
	event->auth.response = buf_text(&server->decoded);
	return ask(server, ASK_AUTH, SMTP_SERVER_EV_AUTH_RESPONSE);
}

static enum smtp_server_event_type
run_command(struct smtp_server *server, struct text line,
            struct smtp_server_event *event)
{
	struct smtp_command command;

	smtp_command_parse(line, &command);
	if (server->state == SMTP_SERVER_REFUSED)
		return refused_session(server, &command, event);
	if (commands[command.verb].needs_hello &&
	    server->state == SMTP_SERVER_START) {
		refuse_line(server, 503, "5.5.1",
		            "EHLO or HELO comes first");
		return SMTP_SERVER_EV_NONE;
	}
	return commands[command.verb].run(server, &command, event);
}

/* A whole line is in server->line, its end taken off. */
static enum smtp_server_event_type
run_line(struct smtp_server *server, struct smtp_server_event *event)
{
	struct text line = buf_text(&server->line);
	char masked[160];

	if (server->state == SMTP_SERVER_AUTH) {
		trace(server, SMTP_SIDE_CLIENT, text_of("(login response)"));
		return auth_response(server, line, event);
	}
	smtp_command_masked(line, masked, sizeof masked);
	trace(server, SMTP_SIDE_CLIENT, text_of(masked));
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

/* ---- reading lines ---- */

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
	consume(server, input.len);
	if (newline != NULL) {
		server->skipping = 0;
		if (in_auth)
			set_state(server, SMTP_SERVER_READY);
		refuse(server, buf_text(&server->line), &reply);
		buf_clear(&server->line);
	} else if (server->skipping > LINE_GIVE_UP) {
		smtp_server_goodbye(server, 421, "4.7.0",
		                    "Line without an end");
	}
}

/* Move input into server->line.  True when a line is complete there. */
static bool gather_line(struct smtp_server *server)
{
	struct text input = unread(server);
	const char *newline;

	if (input.len == 0)
		return false;
	newline = memchr(input.data, '\n', input.len);
	if (newline != NULL)
		input.len = (size_t)(newline + 1 - input.data);
	if (server->skipping > 0 ||
	    buf_len(&server->line) + input.len > LINE_MAX_OCTETS) {
		skip_line(server, input, newline);
		return false;
	}
	buf_text_append(&server->line, input);
	consume(server, input.len);
	return newline != NULL;
}

static void trim_line_end(struct buf *line)
{
	line->end--;
	if (buf_len(line) > 0 && line->data[line->end - 1] == '\r')
		line->end--;
}

static enum smtp_server_event_type
next_command(struct smtp_server *server, struct smtp_server_event *event)
{
	while (unread(server).len > 0 &&
	       server->state != SMTP_SERVER_CLOSED && !server->has_refused) {
		enum smtp_server_event_type type;

		if (!gather_line(server))
			continue;
		trim_line_end(&server->line);
		event->type = SMTP_SERVER_EV_NONE;
		type = run_line(server, event);
		if (type != SMTP_SERVER_EV_NONE)
			return type; /* views into line stay until answered */
		buf_clear(&server->line);
		if (server->owes_reset)
			break;
	}
	if (buf_len(&server->line) == 0)
		buf_release(&server->line);
	return SMTP_SERVER_EV_NONE;
}

/* ---- mail data ---- */

static void check_data(struct smtp_server *server)
{
	const struct smtp_data_stats *stats = &server->data.stats;
	uint64_t max = server->settings.max_message_size;
	char text[160];

	if (server->discarding)
		return;
	if (max > 0 && stats->octets > max) {
		snprintf(text, sizeof text,
		         "The message is larger than the %llu octets allowed "
		         "here", (unsigned long long)max);
		smtp_server_refuse_data(server, 552, "5.3.4", text);
	} else if (stats->nul > 0) {
		smtp_server_refuse_data(server, 554, "5.6.0",
		                        "The message holds NUL characters");
	} else if (stats->longest_line > DATA_LINE_MAX ||
	           server->data.line > DATA_LINE_MAX) {
		smtp_server_refuse_data(server, 554, "5.6.0",
		                        "The message has a line of more than "
		                        "a million octets");
	}
}

static enum smtp_server_event_type end_data(struct smtp_server *server,
                                            struct smtp_server_event *event)
{
	if (server->discarding) {
		struct smtp_reply refusal = server->refusal;

		end_transaction(server, false);
		refuse(server, text_of("DATA"), &refusal);
		return SMTP_SERVER_EV_NONE;
	}
	event->data_end = &server->data.stats;
	return ask(server, ASK_DATA_END, SMTP_SERVER_EV_DATA_END);
}

static enum smtp_server_event_type next_data(struct smtp_server *server,
                                             struct smtp_server_event *event)
{
	uint64_t max = server->settings.max_message_size;
	struct text input, piece;
	int result;

	for (;;) {
		input = unread(server);
		if (input.len == 0)
			return SMTP_SERVER_EV_NONE;
		piece = input;
		result = smtp_data_read(&server->data, &input, &event->chunk);
		consume(server, piece.len - input.len);
		if (result < 0)
			return end_data(server, event);
		check_data(server);
		if (max > 0 && server->data.stats.octets >
		                       2 * max + OVERSIZE_MAX) {
			/* It was told by SIZE and goes on all the same. */
			smtp_server_goodbye(server, 552, "5.3.4",
			                    "The message is far too large, "
			                    "closing the connection");
			return SMTP_SERVER_EV_NONE;
		}
		if (server->owes_reset || result == 0)
			return SMTP_SERVER_EV_NONE;
		if (!server->discarding)
			return SMTP_SERVER_EV_DATA_CHUNK;
	}
}

/* ---- the pull ---- */

/* News that is owed comes before anything new is read. */
static enum smtp_server_event_type owed(struct smtp_server *server,
                                        struct smtp_server_event *event)
{
	if (server->has_refused) {
		server->has_refused = false;
		event->refused.command = text_of(server->refused_command);
		event->refused.reply = server->refused_reply;
		return SMTP_SERVER_EV_REFUSED;
	}
	if (server->owes_reset) {
		server->owes_reset = false;
		return SMTP_SERVER_EV_RESET;
	}
	if (server->owes_close) {
		server->owes_close = false;
		return SMTP_SERVER_EV_CLOSE;
	}
	return SMTP_SERVER_EV_NONE;
}

static enum smtp_server_event_type read_on(struct smtp_server *server,
                                           struct smtp_server_event *event)
{
	enum smtp_server_event_type type;

	do {
		type = server->state == SMTP_SERVER_DATA
		               ? next_data(server, event)
		               : next_command(server, event);
		if (type == SMTP_SERVER_EV_NONE)
			type = owed(server, event);
	} while (type == SMTP_SERVER_EV_NONE &&
	         server->state != SMTP_SERVER_CLOSED &&
	         server->state != SMTP_SERVER_TLS && unread(server).len > 0);
	return type;
}

enum smtp_server_event_type smtp_server_next(struct smtp_server *server,
                                             struct smtp_server_event *event_r)
{
	enum smtp_server_event_type type = SMTP_SERVER_EV_NONE;

	memset(event_r, 0, sizeof *event_r);
	if (server->asking == ASK_NOTHING) {
		type = owed(server, event_r);
		if (type == SMTP_SERVER_EV_NONE &&
		    server->state == SMTP_SERVER_CONNECT)
			type = ask(server, ASK_CONNECT,
			           SMTP_SERVER_EV_CONNECT);
		else if (type == SMTP_SERVER_EV_NONE &&
		         server->state != SMTP_SERVER_TLS &&
		         server->state != SMTP_SERVER_CLOSED)
			type = read_on(server, event_r);
	}
	event_r->type = type;
	if (type == SMTP_SERVER_EV_NONE)
		keep_unread(server);
	return type;
}

/* ---- answers ---- */

static void answered_connect(struct smtp_server *server, int code)
{
	if (code / 100 == 2)
		set_state(server, SMTP_SERVER_START);
	else
		set_state(server, SMTP_SERVER_REFUSED);
}

/* "250 name" gets the capabilities behind it. */
static void say_ehlo(struct smtp_server *server, const struct smtp_reply *reply)
{
	struct buf lines = BUF_INIT(1024);
	struct smtp_caps caps = { .set = server->settings.capabilities,
		.max_size = server->settings.max_message_size };
	struct smtp_reply full = *reply;

	if (server->settings.mechanisms != NULL)
		snprintf(caps.mechanisms, sizeof caps.mechanisms, "%s",
		         server->settings.mechanisms);
	buf_text_append(&lines, reply->text);
	buf_putc(&lines, '\n');
	smtp_caps_print(&lines, &caps);
	full.text = buf_text(&lines);
	if (full.text.len > 0 && full.text.data[full.text.len - 1] == '\n')
		full.text.len--;
	say(server, &full);
	buf_free(&lines);
}

static void answered_starttls(struct smtp_server *server, int code)
{
	if (code / 100 != 2)
		return;
	/* What was pipelined behind STARTTLS is an attack or a mistake; its
	 * sender cannot be served either way (RFC 3207 4.2). */
	if (unread(server).len > 0) {
		close_session(server);
		return;
	}
	set_state(server, SMTP_SERVER_TLS);
}

static void answered_auth(struct smtp_server *server, int code)
{
	buf_wipe(&server->decoded);
	if (code == 334)
		set_state(server, SMTP_SERVER_AUTH);
	else if (code / 100 == 2)
		server->authenticated = true;
}

static void answered_mail(struct smtp_server *server, int code)
{
	if (code / 100 != 2)
		return;
	server->transaction = true;
	server->recipients = 0;
	set_state(server, SMTP_SERVER_MAIL);
}

static void answered_rcpt(struct smtp_server *server, int code)
{
	if (code / 100 != 2)
		return;
	server->recipients++;
	set_state(server, SMTP_SERVER_RCPT);
}

static void answered_data(struct smtp_server *server, int code)
{
	if (code != 354) {
		end_transaction(server, true);
		close_if_talking(server);
		return;
	}
	smtp_data_reader_init(&server->data);
	server->discarding = false;
	set_state(server, SMTP_SERVER_DATA);
}

static void answered(struct smtp_server *server, enum question question,
                     int code)
{
	switch (question) {
	case ASK_CONNECT:
		answered_connect(server, code);
		break;
	case ASK_EHLO:
		if (code / 100 == 2)
			set_state(server, SMTP_SERVER_READY);
		break;
	case ASK_STARTTLS:
		answered_starttls(server, code);
		break;
	case ASK_AUTH:
		answered_auth(server, code);
		break;
	case ASK_MAIL:
		answered_mail(server, code);
		break;
	case ASK_RCPT:
		answered_rcpt(server, code);
		break;
	case ASK_DATA:
		answered_data(server, code);
		break;
	case ASK_DATA_END:
		end_transaction(server, false);
		break;
	case ASK_NOTHING:
		break;
	}
}

void smtp_server_reply(struct smtp_server *server,
                       const struct smtp_reply *reply)
{
	enum question question = server->asking;

	assert(question != ASK_NOTHING);
	server->asking = ASK_NOTHING;
	if (question == ASK_EHLO && reply->code == 250 && server->is_esmtp &&
	    server->settings.capabilities != 0)
		say_ehlo(server, reply);
	else
		say(server, reply);
	buf_wipe(&server->line);
	if (reply->code == 421)
		close_session(server);
	else
		answered(server, question, reply->code);
	if (smtp_reply_positive(reply) || reply->code == 354)
		server->bad_commands = 0;
}

void smtp_server_replyf(struct smtp_server *server, int code,
                        const char *status, const char *format, ...)
{
	char text[1024];
	struct smtp_reply reply;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	reply = smtp_reply_make(code, status, text);
	smtp_server_reply(server, &reply);
}
