#include <stdlib.h>
#include <string.h>

#include "proto/xalloc.h"
#include "tests/provider/session_internal.h"

/* --- saying ------------------------------------------------------------- */

void session_take_output(struct session *session)
{
	const void *data;
	size_t len = smtp_server_output(session->server, &data);

	outbox_send(&session->outbox, data, len);
	smtp_server_output_sent(session->server, len);
}

static void throw_output_away(struct session *session)
{
	const void *data;

	smtp_server_output_sent(session->server,
	                        smtp_server_output(session->server, &data));
}

/* Octets of our own where the engine would have spoken. */
static void say_instead(struct session *session, const struct smtp_reply *reply,
                        const void *data, size_t len)
{
	session_take_output(session);
	if (smtp_server_is_asking(session->server))
		smtp_server_reply(session->server, reply);
	throw_output_away(session);
	outbox_send(&session->outbox, data, len);
}

void session_say_garbage(struct session *session, const struct verdict *verdict)
{
	size_t len = (size_t)verdict->rule->amount;
	char *garbage = xmalloc(len + 2);

	for (size_t i = 0; i < len; i++)
		garbage[i] = (char)(i * 167 + i / 251 + 128);
	memcpy(garbage + len, "\r\n", 2);
	say_instead(session, &verdict->reply, garbage, len + 2);
	free(garbage);
}

static void say_slowly(struct session *session, const struct verdict *verdict)
{
	const void *data;
	size_t len;

	session_take_output(session);
	smtp_server_reply(session->server, &verdict->reply);
	len = smtp_server_output(session->server, &data);
	outbox_trickle(&session->outbox, data, len, verdict->rule->amount);
	smtp_server_output_sent(session->server, len);
}

/* EHLO's reply again, without the line STARTTLS. */
static void say_without_starttls(struct session *session)
{
	struct buf lines = BUF_INIT(2048), out = BUF_INIT(4096);
	struct smtp_caps caps = {
		.set = session_capabilities(session, false) & ~SMTP_CAP(STARTTLS),
		.max_size = session->provider->options.size,
	};
	struct smtp_reply reply;

	buf_puts(&lines, PROVIDER_HOSTNAME "\n");
	smtp_caps_print(&lines, &caps);
	reply = smtp_reply_make(250, NULL, buf_string(&lines));
	reply.text = text_trim(reply.text);
	if (reply.text.data[reply.text.len - 1] == '\n')
		reply.text.len--;
	smtp_reply_print(&out, &reply);
	say_instead(session, &reply, buf_text(&out).data, buf_len(&out));
	session->no_starttls = true;
	buf_free(&lines);
	buf_free(&out);
}

static void say_with_injection(struct session *session,
                               const struct verdict *verdict)
{
	static const char lie[] = "250-" PROVIDER_HOSTNAME "\r\n"
	                          "250 AUTH PLAIN LOGIN\r\n";

	smtp_server_reply(session->server, &verdict->reply);
	session_take_output(session);
	outbox_send(&session->outbox, lie, sizeof(lie) - 1);
}

static void say(struct session *session, const struct verdict *verdict)
{
	const struct rule *rule = verdict->rule;

	if (rule && rule->raw)
		say_instead(session, &verdict->reply, rule->raw, rule->raw_len);
	else
		smtp_server_reply(session->server, &verdict->reply);
}

/* --- doing -------------------------------------------------------------- */

static void stop_delay(void *ctx);

void session_start_delay(struct session *session, uint64_t ms)
{
	if (!session->delay)
		session->delay = timer_new(session->provider->loop, stop_delay,
		                           session);
	session->delayed = true;
	stream_pause(session->stream);
	timer_start(session->delay, ms);
}

static void hold_verdict(struct session *session, const struct verdict *verdict)
{
	session->held = *verdict;
	session->has_held = true;
}

static void leave_by(struct session *session, const struct verdict *verdict,
                     enum next_step then)
{
	if (rule_answers(verdict->rule)) {
		say(session, verdict);
		session_take_output(session);
	}
	session->then = then;
}

/* The rule's deed, or simply the reply. */
void session_carry_out(struct session *session, const struct verdict *verdict)
{
	const struct rule *rule = verdict->rule;

	if (session->delayed) {
		hold_verdict(session, verdict);
		return;
	}
	switch (rule ? rule->deed : DEED_ANSWER) {
	case DEED_ANSWER:
		say(session, verdict);
		break;
	case DEED_CLOSE:
		leave_by(session, verdict, CLOSE);
		break;
	case DEED_RESET:
		leave_by(session, verdict, RESET);
		break;
	case DEED_HANG:
		leave_by(session, verdict, HANG);
		break;
	case DEED_DELAY:
		hold_verdict(session, verdict);
		session_start_delay(session, rule->amount);
		break;
	case DEED_GARBAGE:
		session_say_garbage(session, verdict);
		break;
	case DEED_TRICKLE:
		say_slowly(session, verdict);
		break;
	case DEED_DROP_STARTTLS:
		if (session->tls_version[0])
			say(session, verdict);
		else
			say_without_starttls(session);
		break;
	case DEED_INJECT:
		say_with_injection(session, verdict);
		break;
	case DEEDS:
		break;
	}
}

/* The delay is over: say what was held, and read on. */
static void stop_delay(void *ctx)
{
	struct session *session = ctx;
	struct verdict verdict = session->held;

	session->delayed = false;
	if (session->has_held && verdict.rule &&
	    verdict.rule->deed == DEED_DELAY)
		say(session, &verdict);
	else if (session->has_held)
		session_carry_out(session, &verdict);
	if (session->has_held && verdict.ends_message)
		session_rest(session);
	session->has_held = false;
	if (session->tls_waits)
		stream_start_tls(session->stream, session->provider->tls, NULL);
	session->tls_waits = false;
	session_proceed(session);
}

/* What the script, or without it the usual reply, says at this stage. */
struct verdict verdict_for(struct session *session, enum stage stage,
                             struct text subject, uint64_t progress,
                             struct smtp_reply usual)
{
	struct verdict verdict = {
		.reply = usual,
		.rule = script_match(session->provider->script, stage, subject,
		                     progress),
	};

	if (verdict.rule && verdict.rule->reply.code)
		verdict.reply = verdict.rule->reply;
	return verdict;
}

bool verdict_says_yes(const struct verdict *verdict)
{
	return smtp_reply_positive(&verdict->reply) &&
	       rule_answers(verdict->rule);
}
