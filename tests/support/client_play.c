#include "tests/support/client_play.h"

#include <stdlib.h>

#include "proto/xalloc.h"

struct client_play {
	struct client_play_settings settings;
	struct smtp_client *client;
	struct client_rules rules;
	struct record record;
	struct buf trace;
	const char *broken;
	bool draining;
};

static void break_rule(struct client_play *play, const char *rule)
{
	if (play->broken == NULL)
		play->broken = rule;
}

/* ---- the record ---- */

static const char *problem_name(enum smtp_problem problem)
{
	static const char *const names[] = {
#define X(name, text) #name,
		SMTP_PROBLEM_MAP(X)
#undef X
	};

	return names[problem];
}

static void print_reply(struct buf *out, const struct smtp_reply *reply)
{
	struct buf line = BUF_INIT(SIZE_MAX);

	if (reply->code == 0)
		return;
	smtp_reply_line(&line, reply);
	buf_putc(out, ' ');
	record_escape(out, buf_text(&line));
	buf_free(&line);
}

static void print_name(struct buf *out, const struct smtp_client_event *event)
{
	if (event->transaction == NULL)
		buf_puts(out, " (none)");
	else
		buf_printf(out, " %s", (const char *)event->transaction->owner);
}

static void print_event(struct buf *out, const struct smtp_client_event *event)
{
	static const char *const names[] = { "NONE",      "STARTTLS", "READY",
					     "RECIPIENT", "BODY",     "DONE",
					     "FAILED",    "CLOSED" };

	buf_puts(out, names[event->type]);
	if (event->type == SMTP_CLIENT_EV_RECIPIENT ||
	    event->type == SMTP_CLIENT_EV_BODY ||
	    event->type == SMTP_CLIENT_EV_DONE)
		print_name(out, event);
	if (event->type == SMTP_CLIENT_EV_RECIPIENT) {
		buf_printf(out, " %zu", event->recipient);
		print_reply(out, &event->reply);
	}
	if (event->type == SMTP_CLIENT_EV_DONE ||
	    event->type == SMTP_CLIENT_EV_FAILED) {
		buf_printf(out, " %s", smtp_stage_name(event->stage));
		if (event->problem != SMTP_PROBLEM_NONE)
			buf_printf(out, " %s", problem_name(event->problem));
		print_reply(out, &event->reply);
	}
}

static void record(struct client_play *play,
		   const struct smtp_client_event *event)
{
	struct buf line = BUF_INIT(SIZE_MAX);

	print_event(&line, event);
	record_event(&play->record, "%s", buf_string(&line));
	buf_free(&line);
}

static void on_trace(void *ctx, enum smtp_side said_by, struct text line)
{
	struct client_play *play = ctx;

	buf_puts(&play->trace, said_by == SMTP_SIDE_CLIENT ? "C: " : "S: ");
	record_escape(&play->trace, line);
	buf_putc(&play->trace, '\n');
}

/* ---- the conversation ---- */

static void hand_on(struct client_play *play, const void *data, size_t len)
{
	record_output(&play->record, data, len);
	if (play->settings.output != NULL)
		play->settings.output(play->settings.ctx, text_make(data, len));
	smtp_client_output_sent(play->client, len);
}

static void take_output(struct client_play *play)
{
	const void *data;
	size_t len = smtp_client_output(play->client, &data);

	if (len == 0)
		return;
	break_rule(play,
		   client_rules_output(&play->rules, text_make(data, len)));
	if (!play->settings.sips) {
		hand_on(play, data, len);
		return;
	}
	for (; len > 0; len--) {
		if (smtp_client_output(play->client, &data) != len)
			break_rule(play, "what was not sent stays");
		hand_on(play, data, 1);
	}
	if (smtp_client_output(play->client, &data) != 0)
		break_rule(play, "what was sent is gone");
}

static bool step(struct client_play *play)
{
	struct smtp_client_event event = { 0 };
	enum smtp_client_event_type type =
		smtp_client_next(play->client, &event);

	if (type != event.type)
		break_rule(play, "next() returns the event's type");
	if (type == SMTP_CLIENT_EV_NONE)
		return false;
	record(play, &event);
	break_rule(play, client_rules_event(&play->rules, &event));
	if (play->settings.event != NULL && play->broken == NULL)
		play->settings.event(play->settings.ctx, play, &event);
	return true;
}

static void drain(struct client_play *play)
{
	if (play->draining)
		return;
	play->draining = true;
	while (play->broken == NULL && step(play))
		;
	play->draining = false;
	take_output(play);
}

void client_play_feed(struct client_play *play, struct text bytes)
{
	smtp_client_feed(play->client, bytes.data, bytes.len);
	drain(play);
}

void client_play_tls_established(struct client_play *play)
{
	/* What waits was written for the clear. */
	take_output(play);
	client_rules_tls_established(&play->rules);
	smtp_client_tls_established(play->client);
	drain(play);
}

void client_play_begin(struct client_play *play,
		       const struct smtp_transaction *transaction)
{
	break_rule(play, client_rules_begin(&play->rules, transaction));
	if (play->broken != NULL)
		return;
	smtp_client_begin(play->client, transaction);
	drain(play);
}

void client_play_body(struct client_play *play, struct text bytes, bool last)
{
	while (play->settings.sips && bytes.len > 1) {
		smtp_client_body(play->client, bytes.data, 1, false);
		bytes = text_skip(bytes, 1);
		drain(play);
	}
	smtp_client_body(play->client, bytes.data, bytes.len, last);
	drain(play);
}

void client_play_quit(struct client_play *play)
{
	smtp_client_quit(play->client);
	drain(play);
}

/* ---- life ---- */

struct client_play *client_play_new(const struct client_play_settings *settings)
{
	struct client_play *play = xcalloc(1, sizeof(*play));
	struct smtp_client_settings engine = settings->engine;

	play->settings = *settings;
	buf_init(&play->trace, SIZE_MAX);
	record_init(&play->record, 'C');
	client_rules_init(&play->rules, engine.tls);
	engine.trace = (struct smtp_trace){ on_trace, play };
	play->client = smtp_client_new(&engine);
	drain(play);
	return play;
}

void client_play_free(struct client_play **play)
{
	if (*play == NULL)
		return;
	smtp_client_free(&(*play)->client);
	record_free(&(*play)->record);
	buf_free(&(*play)->trace);
	free(*play);
	*play = NULL;
}

struct smtp_client *client_play_engine(struct client_play *play)
{
	return play->client;
}

struct record *client_play_record(struct client_play *play)
{
	return &play->record;
}

const char *client_play_broken(const struct client_play *play)
{
	return play->broken;
}

bool client_play_is_over(const struct client_play *play)
{
	return play->rules.over;
}

struct text client_play_trace(const struct client_play *play)
{
	return buf_text(&play->trace);
}
