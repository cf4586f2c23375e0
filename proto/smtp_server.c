#include "proto/smtp_server_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/xalloc.h"

enum {
	KEPT_MAX = 1024 * 1024,
	OUTPUT_MAX = 256 * 1024
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

const char *smtp_quirk_text(enum smtp_quirk quirk)
{
	static const char *const texts[] = {
#define X(name, lasts, text) text,
		SMTP_QUIRK_MAP(X)
#undef X
	};

	return texts[quirk];
}

unsigned smtp_server_quirks(const struct smtp_server *server)
{
	return server->quirks;
}

struct smtp_server *smtp_server_new(const struct smtp_server_settings *settings)
{
	struct smtp_server *server = xcalloc(1, sizeof *server);

	server->settings = *settings;
	buf_init(&server->kept, KEPT_MAX);
	buf_init(&server->line, SERVER_LINE_MAX);
	buf_init(&server->decoded, SERVER_LINE_MAX);
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

void server_set_state(struct smtp_server *server, enum smtp_server_state state)
{
	if (server->state != SMTP_SERVER_CLOSED)
		server->state = state;
}

void server_trace(struct smtp_server *server, enum smtp_side side,
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
	if (server->state == SMTP_SERVER_CONNECT && len > 0)
		server->quirks |= SMTP_QUIRK(PREGREET);
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
struct text server_unread(const struct smtp_server *server)
{
	if (buf_len(&server->kept) > 0)
		return buf_text(&server->kept);
	return server->input;
}

void server_consume(struct smtp_server *server, size_t len)
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

void server_forget_input(struct smtp_server *server)
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
			server_trace(server, SMTP_SIDE_SERVER, line);
	}
}

void server_close(struct smtp_server *server)
{
	server_set_state(server, SMTP_SERVER_CLOSED);
	server->owes_close = true;
	if (server->transaction)
		server->owes_reset = true;
	server->transaction = false;
	server->several.left = 0;
	server->run_again = false;
	server_forget_input(server);
}

void server_say(struct smtp_server *server, const struct smtp_reply *reply)
{
	size_t before = buf_len(&server->output);

	smtp_reply_print(&server->output, reply);
	trace_output(server, before);
	/* A peer that pipelines and never reads (RFC 2920 allows the first). */
	if (buf_len(&server->output) > OUTPUT_MAX / 2)
		server_close(server);
}

void server_say_simple(struct smtp_server *server, int code,
                       const char *status, const char *text)
{
	struct smtp_reply reply = smtp_reply_make(code, status, text);

	server_say(server, &reply);
}

/* ---- transactions ---- */

void server_end_transaction(struct smtp_server *server, bool tell)
{
	if (server->transaction && tell)
		server->owes_reset = true;
	server->transaction = false;
	server->recipients = 0;
	server->recipient_refused = false;
	server->discarding = false;
	if (server->state == SMTP_SERVER_MAIL ||
	    server->state == SMTP_SERVER_RCPT ||
	    server->state == SMTP_SERVER_DATA)
		server_set_state(server, SMTP_SERVER_READY);
}

void server_mask(const struct smtp_server *server, struct text line, char *out,
                 size_t size)
{
	struct smtp_command command;

	smtp_command_parse(line, &command);
	if (server->login_ended && command.verb == SMTP_VERB_UNKNOWN)
		snprintf(out, size, "***");
	else
		smtp_command_masked(line, out, size);
}

/* A message too large, or a recipient too many, is no bad command. */
static bool is_bad_command(const struct smtp_reply *reply)
{
	return smtp_reply_permanent(reply) &&
	       (reply->code < 510 || reply->code == 530 || reply->code == 538 ||
	        reply->status.subject == 5);
}

void server_refuse(struct smtp_server *server, struct text command,
                   const struct smtp_reply *reply)
{
	server_mask(server, command, server->refused_command,
	            sizeof server->refused_command);
	snprintf(server->refused_text, sizeof server->refused_text, "%.*s",
	         TEXT_ARG(reply->text));
	server->refused_reply = *reply;
	server->refused_reply.text = text_of(server->refused_text);
	server->has_refused = true;
	server_say(server, reply);
	if (is_bad_command(reply) && server->settings.max_bad_commands > 0 &&
	    ++server->bad_commands >= server->settings.max_bad_commands) {
		server_say_simple(server, 421, "4.7.0",
		           "Too many errors, closing the connection");
		server_close(server);
	}
}

void smtp_server_goodbye(struct smtp_server *server, int code,
                         const char *status, const char *text)
{
	if (server->state == SMTP_SERVER_CLOSED)
		return;
	server_say_simple(server, code, status, text);
	server_close(server);
}

void smtp_server_tls_established(struct smtp_server *server,
                                 unsigned capabilities)
{
	server->settings.capabilities = capabilities;
	server->greeted_in_clear = server->state == SMTP_SERVER_TLS;
	server->wary = server->login_ended = false;
	server->secure = true;
	server->is_esmtp = server->authenticated = false;
	server->quirks = 0;
	server_end_transaction(server, true);
	server_forget_input(server);
	buf_wipe(&server->line);
	if (server->state != SMTP_SERVER_CONNECT) /* TLS from the beginning */
		server_set_state(server, SMTP_SERVER_START);
}

enum smtp_server_event_type server_ask(struct smtp_server *server,
                                       enum question question,
                                       enum smtp_server_event_type type)
{
	server->asking = question;
	return type;
}

void server_close_if_talking(struct smtp_server *server)
{
	server->wary = true;
	if (server_unread(server).len > 0)
		smtp_server_goodbye(server, 421, "4.7.0",
		                    "Mail data came without a 354, closing "
		                    "the connection");
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
		               ? server_next_data(server, event)
		               : server_next_command(server, event);
		if (type == SMTP_SERVER_EV_NONE)
			type = owed(server, event);
	} while (type == SMTP_SERVER_EV_NONE &&
	         server->state != SMTP_SERVER_CLOSED &&
	         server->state != SMTP_SERVER_TLS &&
	         (server->run_again || server_unread(server).len > 0));
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
			type = server_ask(server, ASK_CONNECT,
			           SMTP_SERVER_EV_CONNECT);
		else if (type == SMTP_SERVER_EV_NONE &&
		         server->several.left > 0)
			type = server_next_recipient(server, event_r);
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
