#include "tests/support/transcript_internal.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base64.h"
#include "proto/sasl.h"
#include "proto/xalloc.h"
#include "tests/support/server_play.h"

enum { ANSWERS_MAX = 64 };

struct answer {
	enum smtp_server_event_type question;
	const struct transcript_step *step;
};

struct cast {
	const struct transcript *transcript;
	struct server_play *play;
	char *helo_name;
	struct answer answers[ANSWERS_MAX]; /* to come */
	size_t n_answers;
	struct sasl_server *sasl;           /* NULL: the answers say it */
	struct buf early;                   /* before the greeting */
	struct buf challenge;
	enum sasl_server_result result;
};

static const struct {
	const char *word;
	enum smtp_server_event_type question;
	int code;
	const char *status, *text;
} yes[] = {
	{ "connect", SMTP_SERVER_EV_CONNECT, 220, NULL,
	  "relay.example ESMTP ready" },
	{ "ehlo", SMTP_SERVER_EV_EHLO, 250, NULL, "relay.example" },
	{ "starttls", SMTP_SERVER_EV_STARTTLS, 220, "2.0.0", "Go ahead" },
	{ "auth", SMTP_SERVER_EV_AUTH, 235, "2.7.0", "Welcome" },
	{ "response", SMTP_SERVER_EV_AUTH_RESPONSE, 235, "2.7.0", "Welcome" },
	{ "mail", SMTP_SERVER_EV_MAIL, 250, "2.1.0", "Sender ok" },
	{ "rcpt", SMTP_SERVER_EV_RCPT, 250, "2.1.5", "Recipient ok" },
	{ "data", SMTP_SERVER_EV_DATA, 354, NULL, "Go ahead" },
	{ "end", SMTP_SERVER_EV_DATA_END, 250, "2.0.0", "Kept" },
};

enum { N_YES = sizeof(yes) / sizeof(yes[0]) };

/* ---- answers ---- */

struct reply_words {
	char *words[2]; /* code, status or "-" */
	int code;
	const char *status, *text;
};

static struct reply_words read_reply(const struct transcript_step *step)
{
	struct reply_words reply = { 0 };
	const char *text = step->text;

	if (transcript_words(text, reply.words, 2) < 2)
		return reply;
	reply.code = atoi(reply.words[0]);
	reply.status = strcmp(reply.words[1], "-") == 0 ? NULL : reply.words[1];
	text += strlen(reply.words[0]) + 1 + strlen(reply.words[1]);
	reply.text = *text == ' ' ? text + 1 : text;
	return reply;
}

static void reply_with(struct server_play *play,
		       const struct transcript_step *step)
{
	struct reply_words reply = read_reply(step);

	server_play_reply(play, reply.code, reply.status, reply.text);
	transcript_words_free(reply.words, 2);
}

/* ---- logins ---- */

static void on_event(void *ctx, const struct smtp_server_event *event)
{
	struct cast *cast = ctx;
	struct text challenge = text_of("");
	bool begins = event->type == SMTP_SERVER_EV_AUTH;

	if (cast->sasl == NULL ||
	    (!begins && event->type != SMTP_SERVER_EV_AUTH_RESPONSE))
		return;
	cast->result = SASL_SERVER_BAD;
	if (begins)
		sasl_server_free(cast->sasl);
	if (!begins || sasl_server_init(cast->sasl, event->auth.mechanism))
		cast->result = sasl_server_step(
			cast->sasl, event->auth.has_response,
			event->auth.response, &challenge);
	buf_clear(&cast->challenge);
	base64_encode(&cast->challenge, challenge);
}

static void answer_login(struct cast *cast)
{
	struct buf words = BUF_INIT(2000);

	buf_printf(&words, "Welcome %s with %s",
		   buf_string(&cast->sasl->username),
		   buf_string(&cast->sasl->password));
	if (cast->result == SASL_SERVER_CHALLENGE)
		server_play_reply(cast->play, 334, NULL,
				  buf_string(&cast->challenge));
	else if (cast->result == SASL_SERVER_DONE)
		server_play_reply(cast->play, 235, "2.7.0", buf_string(&words));
	else
		server_play_reply(cast->play, 501, "5.5.2", "No such login");
	buf_free(&words);
}

static void on_question(void *ctx, struct server_play *play,
			enum smtp_server_event_type question)
{
	struct cast *cast = ctx;

	if (cast->sasl != NULL && (question == SMTP_SERVER_EV_AUTH ||
				   question == SMTP_SERVER_EV_AUTH_RESPONSE)) {
		answer_login(cast);
		return;
	}
	for (size_t i = 0; i < cast->n_answers; i++) {
		if (cast->answers[i].question != question)
			continue;
		reply_with(play, cast->answers[i].step);
		cast->n_answers--;
		memmove(&cast->answers[i], &cast->answers[i + 1],
			(cast->n_answers - i) * sizeof(cast->answers[0]));
		return;
	}
	for (size_t i = 0; i < N_YES; i++)
		if (yes[i].question == question)
			server_play_reply(play, yes[i].code, yes[i].status,
					  yes[i].text);
}

static void add_answer(struct cast *cast, const struct transcript_step *step)
{
	for (size_t i = 0; i < N_YES; i++) {
		if (strcmp(step->word, yes[i].word) != 0)
			continue;
		if (cast->n_answers == ANSWERS_MAX)
			break;
		cast->answers[cast->n_answers++] =
			(struct answer){ yes[i].question, step };
		return;
	}
	transcript_fail(cast->transcript, step->line, "what is \"%s\"",
			step->word);
}

/* ---- what is done from outside ---- */

static void goodbye(struct cast *cast, const struct transcript_step *step)
{
	struct reply_words reply = read_reply(step);

	smtp_server_goodbye(server_play_engine(cast->play), reply.code,
			    reply.status, reply.text);
	transcript_words_free(reply.words, 2);
}

static void refuse_data(struct cast *cast, const struct transcript_step *step)
{
	struct reply_words reply = read_reply(step);

	smtp_server_refuse_data(server_play_engine(cast->play), reply.code,
				reply.status, reply.text);
	transcript_words_free(reply.words, 2);
}

static void server_act(void *ctx, const struct transcript_step *step)
{
	struct cast *cast = ctx;

	if (strcmp(step->word, "goodbye") != 0 &&
	    strcmp(step->word, "refuse_data") != 0 &&
	    strcmp(step->word, "secure") != 0) {
		add_answer(cast, step);
		return;
	}
	server_play_settle(cast->play);
	if (strcmp(step->word, "goodbye") == 0)
		goodbye(cast, step);
	else if (strcmp(step->word, "refuse_data") == 0)
		refuse_data(cast, step);
	else
		smtp_server_tls_established(server_play_engine(cast->play),
					    transcript_caps(step->text));
	server_play_drain(cast->play);
}

/* ---- the player ---- */

static uint64_t number(const struct transcript *transcript, const char *name,
		       uint64_t otherwise)
{
	const char *text = transcript_setting(transcript, name);
	uint64_t value = otherwise;

	if (text != NULL && !text_to_u64(text_of(text), &value))
		transcript_fail(transcript, 1, "%s is no number", name);
	return value;
}

static bool flag(const struct transcript *transcript, const char *name)
{
	return transcript_setting(transcript, name) != NULL;
}

static void speak_early(struct cast *cast)
{
	const char *words = transcript_setting(cast->transcript, "early");
	struct text early;

	if (words == NULL)
		return;
	transcript_unescape(&cast->early, text_of(words));
	early = buf_text(&cast->early);
	smtp_server_feed(server_play_engine(cast->play), early.data, early.len);
}

static void *server_begin(const struct transcript *transcript,
			  const struct transcript_way *way)
{
	struct cast *cast = xcalloc(1, sizeof(*cast));
	const char *caps = transcript_setting(transcript, "caps");
	struct server_play_settings settings = {
		.engine = {
			.hostname = "relay.example",
			.capabilities = transcript_caps(
				caps != NULL ? caps
					     : "SIZE PIPELINING 8BITMIME "
					       "ENHANCEDSTATUSCODES"),
			.mechanisms =
				transcript_setting(transcript, "mechanisms"),
			.max_message_size =
				number(transcript, "max_size", 36700160),
			.max_recipients = (unsigned)number(
				transcript, "max_recipients", 100),
			.max_bad_commands =
				(unsigned)number(transcript, "max_bad", 10),
			.single_line_ehlo = flag(transcript, "single_line_ehlo"),
			.any_login = flag(transcript, "any_login"),
			.lf_end_of_data = flag(transcript, "lf_end_of_data"),
			.tls_required = flag(transcript, "tls_required"),
			.login_required = flag(transcript, "login_required"),
			.strict = flag(transcript, "strict"),
		},
		.answer = on_question,
		.event = on_event,
		.ctx = cast,
		.late = way->late,
		.sips = way->everywhere,
	};

	cast->transcript = transcript;
	cast->early = cast->challenge = BUF_INIT(SIZE_MAX);
	if (flag(transcript, "sasl"))
		cast->sasl = xcalloc(1, sizeof(*cast->sasl));
	cast->play = server_play_new(&settings);
	speak_early(cast);
	return cast;
}

static void server_feed(void *ctx, struct text piece)
{
	struct cast *cast = ctx;

	server_play_feed(cast->play, piece);
}

static struct record *server_settle(void *ctx)
{
	struct cast *cast = ctx;

	server_play_settle(cast->play);
	return server_play_record(cast->play);
}

static void print_quirks(struct buf *out, unsigned quirks)
{
	static const char *const names[] = {
#define X(name, lasts, text) #name,
		SMTP_QUIRK_MAP(X)
#undef X
	};

	if (quirks == 0)
		buf_puts(out, "none");
	for (unsigned i = 0; i < SMTP_QUIRKS; i++)
		if (quirks & 1u << i)
			buf_printf(out, "%s%s", buf_len(out) > 0 ? " " : "",
				   names[i]);
}

static void server_ask(void *ctx, const char *question, struct buf *answer)
{
	static const char *const states[] = {
#define X(name, meaning) #name,
		SMTP_SERVER_STATE_MAP(X)
#undef X
	};
	struct cast *cast = ctx;
	const struct smtp_server *server = server_play_engine(cast->play);

	if (strcmp(question, "state") == 0)
		buf_puts(answer, states[smtp_server_state(server)]);
	else if (strcmp(question, "quirks") == 0)
		print_quirks(answer, smtp_server_quirks(server));
	else
		buf_printf(answer, "not a question to a server");
}

static const char *server_broken(void *ctx)
{
	struct cast *cast = ctx;

	return server_play_broken(cast->play);
}

static struct text server_trace(void *ctx)
{
	struct cast *cast = ctx;

	return server_play_trace(cast->play);
}

static void server_end(void *ctx)
{
	struct cast *cast = ctx;

	if (cast->n_answers > 0)
		transcript_fail(cast->transcript, cast->answers[0].step->line,
				"nobody asked for this answer");
	server_play_free(&cast->play);
	if (cast->sasl != NULL)
		sasl_server_free(cast->sasl);
	free(cast->sasl);
	buf_free(&cast->early);
	buf_free(&cast->challenge);
	free(cast);
}

const struct transcript_player transcript_server_player = {
	.begin = server_begin,
	.feed = server_feed,
	.act = server_act,
	.settle = server_settle,
	.ask = server_ask,
	.broken = server_broken,
	.trace = server_trace,
	.end = server_end,
};
