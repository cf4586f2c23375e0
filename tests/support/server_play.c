#include "tests/support/server_play.h"

#include <stdlib.h>
#include <string.h>

#include "proto/xalloc.h"

struct server_play {
	struct server_play_settings settings;
	struct smtp_server *server;
	struct server_rules rules;
	struct record record;
	struct buf trace;
	const char *broken;
	bool draining;
};

static void break_rule(struct server_play *play, const char *rule)
{
	if (play->broken == NULL)
		play->broken = rule;
}

/* ---- the record ---- */

const char *server_play_event_name(enum smtp_server_event_type type)
{
	static const char *const names[] = {
		[SMTP_SERVER_EV_NONE] = "NONE",
		[SMTP_SERVER_EV_CONNECT] = "CONNECT",
		[SMTP_SERVER_EV_EHLO] = "EHLO",
		[SMTP_SERVER_EV_STARTTLS] = "STARTTLS",
		[SMTP_SERVER_EV_AUTH] = "AUTH",
		[SMTP_SERVER_EV_AUTH_RESPONSE] = "RESPONSE",
		[SMTP_SERVER_EV_MAIL] = "MAIL",
		[SMTP_SERVER_EV_RCPT] = "RCPT",
		[SMTP_SERVER_EV_DATA] = "DATA",
		[SMTP_SERVER_EV_DATA_CHUNK] = "CHUNK",
		[SMTP_SERVER_EV_DATA_END] = "END",
		[SMTP_SERVER_EV_REFUSED] = "REFUSED",
		[SMTP_SERVER_EV_RESET] = "RESET",
		[SMTP_SERVER_EV_TLS_HELLO] = "TLS_HELLO",
		[SMTP_SERVER_EV_CLOSE] = "CLOSE",
	};

	return names[type];
}

static void print_path(struct buf *out, const struct smtp_path *path)
{
	buf_puts(out, " <");
	record_escape(out, path->address);
	buf_putc(out, '>');
	for (unsigned i = 0; i < SMTP_PATH_REPAIRS; i++)
		if (path->repairs & 1u << i)
			buf_printf(out, " (%s)", smtp_path_repair_text(i));
}

static void print_mail_params(struct buf *out,
			      const struct smtp_mail_params *params)
{
	static const char *const bodies[] = { "", " 7bit", " 8bit" };

	if (params->has_size)
		buf_printf(out, " size=%llu", (unsigned long long)params->size);
	buf_puts(out, bodies[params->body]);
	if (params->smtputf8)
		buf_puts(out, " utf8");
}

static void print_count(struct buf *out, const char *name, uint64_t count)
{
	if (count > 0)
		buf_printf(out, " %s=%llu", name, (unsigned long long)count);
}

static void print_stats(struct buf *out, const struct smtp_data_stats *stats)
{
	print_count(out, "octets", stats->octets);
	print_count(out, "bare_cr", stats->bare_cr);
	print_count(out, "bare_lf", stats->bare_lf);
	print_count(out, "nul", stats->nul);
	print_count(out, "8bit", stats->has_8bit);
	if (stats->lf_dot)
		buf_puts(out, " lf_dot");
	if (stats->lf_ended)
		buf_puts(out, " lf_ended");
}

static void print_auth(struct buf *out, const struct smtp_server_event *event)
{
	if (event->type == SMTP_SERVER_EV_AUTH) {
		buf_putc(out, ' ');
		record_escape(out, event->auth.mechanism);
	}
	if (!event->auth.has_response)
		return;
	buf_puts(out, " \"");
	record_escape(out, event->auth.response);
	buf_putc(out, '"');
}

static void print_refused(struct buf *out,
			  const struct smtp_server_event *event)
{
	char status[16];

	buf_puts(out, " \"");
	record_escape(out, event->refused.command);
	buf_printf(out, "\" %d %s", event->refused.reply.code,
		   smtp_status_string(&event->refused.reply.status, status));
}

static void print_ehlo(struct buf *out, const struct smtp_server_event *event)
{
	buf_printf(out, " %s ", event->ehlo.is_esmtp ? "esmtp" : "smtp");
	record_escape(out, event->ehlo.helo_name);
}

static void print_event(struct buf *out, const struct smtp_server_event *event)
{
	if (event->type == SMTP_SERVER_EV_EHLO)
		print_ehlo(out, event);
	if (event->type == SMTP_SERVER_EV_AUTH ||
	    event->type == SMTP_SERVER_EV_AUTH_RESPONSE)
		print_auth(out, event);
	if (event->type == SMTP_SERVER_EV_MAIL) {
		print_path(out, &event->mail.path);
		print_mail_params(out, &event->mail.params);
	}
	if (event->type == SMTP_SERVER_EV_RCPT) {
		print_path(out, &event->rcpt.path);
		if (event->rcpt.params.notify_never)
			buf_puts(out, " never");
	}
	if (event->type == SMTP_SERVER_EV_DATA_END)
		print_stats(out, event->data_end);
	if (event->type == SMTP_SERVER_EV_REFUSED)
		print_refused(out, event);
}

static void record(struct server_play *play,
		   const struct smtp_server_event *event)
{
	struct buf line = BUF_INIT(SIZE_MAX);

	if (event->type == SMTP_SERVER_EV_DATA_CHUNK) {
		record_content(&play->record, event->chunk);
		return;
	}
	if (event->type == SMTP_SERVER_EV_DATA_END ||
	    event->type == SMTP_SERVER_EV_RESET)
		record_content_done(&play->record,
				    event->type == SMTP_SERVER_EV_DATA_END);
	print_event(&line, event);
	if (server_rules_is_question(event->type))
		record_cut(&play->record);
	record_event(&play->record, "%s%s", server_play_event_name(event->type),
		     buf_string(&line));
	if (server_rules_is_question(event->type))
		record_cut(&play->record);
	buf_free(&line);
}

static void on_trace(void *ctx, enum smtp_side said_by, struct text line)
{
	struct server_play *play = ctx;

	buf_puts(&play->trace, said_by == SMTP_SIDE_CLIENT ? "C: " : "S: ");
	record_escape(&play->trace, line);
	buf_putc(&play->trace, '\n');
}

/* ---- the output ---- */

static void hand_on(struct server_play *play, const void *data, size_t len)
{
	record_output(&play->record, data, len);
	if (play->settings.output != NULL)
		play->settings.output(play->settings.ctx, text_make(data, len));
	smtp_server_output_sent(play->server, len);
}

static void take_output(struct server_play *play)
{
	const void *data;
	size_t len = smtp_server_output(play->server, &data);

	if (len == 0)
		return;
	break_rule(play,
		   server_rules_output(&play->rules, text_make(data, len)));
	if (!play->settings.sips) {
		hand_on(play, data, len);
		return;
	}
	for (; len > 0; len--) {
		if (smtp_server_output(play->server, &data) != len)
			break_rule(play, "what was not sent stays");
		hand_on(play, data, 1);
	}
	if (smtp_server_output(play->server, &data) != 0)
		break_rule(play, "what was sent is gone");
}

/* ---- the conversation ---- */

static bool is_open(const struct server_play *play)
{
	bool open = play->rules.open != SMTP_SERVER_EV_NONE;

	return open;
}

static void check_asking(struct server_play *play)
{
	struct smtp_server_event event;

	if (smtp_server_is_asking(play->server) != is_open(play))
		break_rule(play, "is_asking() tells of the open question");
	if (is_open(play) && play->settings.late &&
	    smtp_server_next(play->server, &event) != SMTP_SERVER_EV_NONE)
		break_rule(play, "NONE while a question is open");
}

static void answer(struct server_play *play)
{
	enum smtp_server_event_type question = play->rules.open;

	play->settings.answer(play->settings.ctx, play, question);
	if (is_open(play))
		break_rule(play, "the play answers each question");
	take_output(play);
}

static bool step(struct server_play *play)
{
	struct smtp_server_event event = { 0 };
	enum smtp_server_event_type type =
		smtp_server_next(play->server, &event);

	if (type != event.type)
		break_rule(play, "next() returns the event's type");
	break_rule(play, server_rules_event(&play->rules, type));
	take_output(play);
	if (type == SMTP_SERVER_EV_NONE)
		return false;
	record(play, &event);
	if (play->settings.event != NULL)
		play->settings.event(play->settings.ctx, &event);
	check_asking(play);
	if (is_open(play) && !play->settings.late)
		answer(play);
	return true;
}

void server_play_drain(struct server_play *play)
{
	if (play->draining)
		return;
	play->draining = true;
	while (step(play) && play->broken == NULL)
		;
	play->draining = false;
	if (!is_open(play) && smtp_server_is_full(play->server) &&
	    !play->rules.closed)
		break_rule(play, "full only while a question is open");
}

void server_play_feed(struct server_play *play, struct text bytes)
{
	server_play_drain(play);
	while (is_open(play) && smtp_server_is_full(play->server) &&
	       play->broken == NULL) {
		answer(play);
		server_play_drain(play);
	}
	smtp_server_feed(play->server, bytes.data, bytes.len);
	server_play_drain(play);
}

void server_play_settle(struct server_play *play)
{
	server_play_drain(play);
	while (is_open(play) && play->broken == NULL) {
		answer(play);
		server_play_drain(play);
	}
}

void server_play_reply(struct server_play *play, int code, const char *status,
		       const char *text)
{
	break_rule(play, server_rules_reply(&play->rules, code));
	smtp_server_replyf(play->server, code, status, "%s", text);
}

/* ---- life ---- */

struct server_play *server_play_new(const struct server_play_settings *settings)
{
	struct server_play *play = xcalloc(1, sizeof(*play));
	struct smtp_server_settings engine = settings->engine;

	play->settings = *settings;
	buf_init(&play->trace, SIZE_MAX);
	record_init(&play->record, 'S');
	server_rules_init(&play->rules, engine.max_recipients);
	engine.trace = (struct smtp_trace){ on_trace, play };
	play->server = smtp_server_new(&engine);
	return play;
}

void server_play_free(struct server_play **play)
{
	if (*play == NULL)
		return;
	smtp_server_free(&(*play)->server);
	record_free(&(*play)->record);
	buf_free(&(*play)->trace);
	free(*play);
	*play = NULL;
}

struct smtp_server *server_play_engine(struct server_play *play)
{
	return play->server;
}

struct record *server_play_record(struct server_play *play)
{
	return &play->record;
}

const char *server_play_broken(const struct server_play *play)
{
	return play->broken;
}

struct text server_play_trace(const struct server_play *play)
{
	return buf_text(&play->trace);
}
