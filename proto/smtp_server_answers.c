#include "proto/smtp_server_private.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

static void answered_connect(struct smtp_server *server, int code)
{
	if (code / 100 == 2)
		server_set_state(server, SMTP_SERVER_START);
	else
		server_set_state(server, SMTP_SERVER_REFUSED);
}

/* "250 name" gets the capabilities behind it. */
static void say_ehlo(struct smtp_server *server, const struct smtp_reply *reply)
{
	struct buf lines = BUF_INIT(1024);
	struct smtp_caps caps = { .set = server->settings.capabilities,
				  .max_size =
					  server->settings.max_message_size };
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
	server_say(server, &full);
	buf_free(&lines);
}

/* What was pipelined behind STARTTLS is an attack or a mistake; its sender
 * cannot be served either way (RFC 3207 4.2). */
static bool is_injection(const struct smtp_server *server,
			 enum question question, int code)
{
	return question == ASK_STARTTLS && code / 100 == 2 &&
	       server_unread(server).len > 0;
}

static void refuse_injection(struct smtp_server *server)
{
	struct smtp_reply reply = smtp_reply_make(
		554, "5.5.1",
		"Commands came behind STARTTLS, closing the connection");

	server_refuse(server, text_of("STARTTLS"), &reply);
	server_close(server);
}

static void answered_starttls(struct smtp_server *server, int code)
{
	if (code / 100 == 2)
		server_set_state(server, SMTP_SERVER_TLS);
}

static void answered_auth(struct smtp_server *server, int code)
{
	buf_wipe(&server->decoded);
	if (code == 334)
		server_set_state(server, SMTP_SERVER_AUTH);
	else if (code / 100 == 2)
		server->authenticated = true;
	/* Behind 235, too: it may be out of step, and say its password again. */
	server->login_ended = code != 334;
}

static void answered_mail(struct smtp_server *server, int code)
{
	if (code / 100 != 2)
		return;
	server->transaction = true;
	server->recipients = 0;
	server_set_state(server, SMTP_SERVER_MAIL);
}

static void answered_rcpt(struct smtp_server *server, int code)
{
	if (code / 100 != 2) {
		server->recipient_refused = true;
		return;
	}
	server->recipients++;
	server_set_state(server, SMTP_SERVER_RCPT);
}

static void answered_data(struct smtp_server *server, int code)
{
	if (code != 354) {
		server_end_transaction(server, true);
		server_close_if_talking(server);
		return;
	}
	smtp_data_reader_init(&server->data);
	server->data.lf_end = server->settings.lf_end_of_data;
	server->discarding = false;
	server_set_state(server, SMTP_SERVER_DATA);
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
			server_set_state(server, SMTP_SERVER_READY);
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
	case ASK_NOTHING:
		break;
	}
}

/* What comes before the greeting is RFC 5321's to refuse (4.3.1). */
static bool is_too_early(const struct smtp_server *server,
			 enum question question, int code)
{
	return question == ASK_CONNECT && code / 100 == 2 &&
	       server->settings.strict &&
	       (server->quirks & SMTP_QUIRK(PREGREET)) != 0;
}

static void refuse_early(struct smtp_server *server)
{
	struct smtp_reply reply = smtp_reply_make(
		554, "5.5.0",
		"Commands came before the greeting, closing the connection");

	server_refuse(server, text_of("(early)"), &reply);
	server_close(server);
}

static void say_answer(struct smtp_server *server, enum question question,
		       const struct smtp_reply *reply)
{
	if (question == ASK_EHLO && reply->code == 250 && server->is_esmtp &&
	    server->settings.capabilities != 0 &&
	    !server->settings.single_line_ehlo)
		say_ehlo(server, reply);
	else
		server_say(server, reply);
}

static void conclude(struct smtp_server *server, const struct smtp_reply *reply)
{
	buf_wipe(&server->line);
	if (reply->code == 421 || server->state == SMTP_SERVER_CLOSED)
		server_close(server); /* and the transaction just opened */
	if (smtp_reply_positive(reply) || reply->code == 354)
		server->bad_commands = 0;
}

static void take_answer(struct smtp_server *server, enum question question,
			const struct smtp_reply *reply)
{
	say_answer(server, question, reply);
	if (question == ASK_DATA_END)
		server_end_transaction(server, false);
	if (reply->code != 421)
		answered(server, question, reply->code);
	/* Behind LF.LF nobody knows where commands begin. */
	if (question == ASK_DATA_END && server->data.stats.lf_ended)
		server_close(server);
	conclude(server, reply);
}

static void take_answer_of_several(struct smtp_server *server,
				   const struct smtp_reply *reply)
{
	struct smtp_reply worst = *reply;

	if (reply->code != 421)
		answered_rcpt(server, reply->code);
	if (!server_merge_answer(server, &worst))
		return;
	if (server->several.full)
		server_refuse(server, buf_text(&server->line), &worst);
	else
		server_say(server, &worst);
	conclude(server, &worst);
}

void smtp_server_reply(struct smtp_server *server,
		       const struct smtp_reply *reply)
{
	enum question question = server->asking;

	assert(question != ASK_NOTHING);
	server->asking = ASK_NOTHING;
	if (is_injection(server, question, reply->code))
		refuse_injection(server);
	else if (is_too_early(server, question, reply->code))
		refuse_early(server);
	else if (question == ASK_RCPT && server->several.left > 0)
		take_answer_of_several(server, reply);
	else
		take_answer(server, question, reply);
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
