#include "relay/outbound/upstream.h"

#include <stdlib.h>
#include <string.h>

#include "proto/xalloc.h"
#include "relay/outbound/dialogue.h"
#include "relay/report/log.h"

enum { CONNECT_MS = 30 * 1000, JOBS = 2, FLUSH_OCTETS = 64 * 1024 };

struct upstream {
	struct upstream_settings settings;
	const struct upstream_callbacks *callbacks;
	void *ctx;
	struct stream *stream;
	struct smtp_client *smtp;
	struct timer *deadline;
	struct sasl_credentials credentials;
	char *secret;                   /* the copy; gone once logged in */
	struct upstream_job *jobs[JOBS]; /* in the order of their begin */
	size_t n_jobs;
	struct tls_peer_info tls;
	char peer[ADDRESS_TEXT_MAX];
	struct dialogue *dialogue;
	uint64_t opened_ms;
	uint64_t said_from;             /* of the job that is told its end */
	uint64_t body_given;            /* octets */
	unsigned begun, finished;
	struct upstream_job *giving;    /* hands its body over */
	bool waiting;                   /* until the stream has drained */
	bool logged_in, over;
	bool busy, closing;             /* inside the pump; free after it */
	enum smtp_stage armed_for;
};

static void pump(struct upstream *upstream);

static bool has_login(const struct account_config *account)
{
	return account->username != NULL && account->auth != AUTH_NONE;
}

/* ---- what others may ask ---- */

const char *upstream_host(const struct upstream *upstream)
{
	return upstream->settings.account->host;
}

const char *upstream_peer(const struct upstream *upstream)
{
	return upstream->peer;
}

const struct smtp_caps *upstream_caps(const struct upstream *upstream)
{
	return smtp_client_caps(upstream->smtp);
}

const char *upstream_mechanism(const struct upstream *upstream)
{
	return smtp_client_mechanism(upstream->smtp);
}

const struct tls_peer_info *upstream_tls(const struct upstream *upstream)
{
	return upstream->tls.version == NULL ? NULL : &upstream->tls;
}

unsigned upstream_messages(const struct upstream *upstream)
{
	return upstream->begun;
}

const char *upstream_dialogue(const struct upstream *upstream)
{
	const struct account_config *account = upstream->settings.account;
	struct sasl_credentials who = { account->username, account->password };

	return dialogue_text(upstream->dialogue, upstream->said_from,
	                     has_login(account) ? &who : NULL);
}

bool upstream_is_idle(const struct upstream *upstream)
{
	return upstream->n_jobs == 0;
}

bool upstream_is_logged_in(const struct upstream *upstream)
{
	return upstream->logged_in;
}

bool upstream_has_room(const struct upstream *upstream)
{
	unsigned most = upstream->settings.account->messages_per_connection;

	return !upstream->over && !upstream->closing &&
	       upstream->n_jobs < JOBS &&
	       (most == 0 || upstream->begun < most) &&
	       smtp_client_can_begin(upstream->smtp);
}

/* ---- deadlines ---- */

static void arm(struct upstream *upstream, enum smtp_stage stage)
{
	uint64_t ms = (uint64_t)upstream->settings.account->timeout_ms *
	              smtp_stage_share(stage) / 100;

	upstream->armed_for = stage;
	timer_start(upstream->deadline, ms);
}

/* Between messages the clock is connection_idle, and its end is no failure. */
static void arm_idle(struct upstream *upstream)
{
	upstream->armed_for = SMTP_STAGE_READY;
	timer_start(upstream->deadline,
	            (uint64_t)upstream->settings.account->connection_idle_ms);
}

/* ---- the flight recorder ---- */

static unsigned long long age_ms(const struct upstream *upstream)
{
	return loop_now_ms(upstream->settings.loop) - upstream->opened_ms;
}

static void note_connecting(struct upstream *upstream)
{
	dialogue_note(upstream->dialogue, "connecting to %s port %u",
	              upstream->settings.account->host,
	              (unsigned)upstream->settings.account->port);
}

static void note_connected(struct upstream *upstream)
{
	dialogue_note(upstream->dialogue, "connected to %s after %llu ms",
	              upstream->peer, age_ms(upstream));
}

static void note_secured(struct upstream *upstream)
{
	const struct tls_peer_info *tls = &upstream->tls;

	dialogue_note(upstream->dialogue,
	              "%s %s after %llu ms; certificate of %s by %s, %s%s",
	              tls->version, tls->cipher, age_ms(upstream),
	              tls->subject ? tls->subject : "nobody",
	              tls->issuer ? tls->issuer : "nobody",
	              tls->verified ? "verified" : "not verified: ",
	              tls->verified || !tls->verify_error ? ""
	                                                  : tls->verify_error);
}

static void note_begin(struct upstream *upstream, struct upstream_job *job)
{
	job->said_from = dialogue_begin(upstream->dialogue);
	dialogue_note(upstream->dialogue,
	              "message %u of this connection, after %llu ms",
	              upstream->begun, age_ms(upstream));
}

static void note_end(struct upstream *upstream,
                     const struct upstream_failure *failure)
{
	if (failure->reply.code == 0 && failure->reply.text.len > 0)
		dialogue_line(upstream->dialogue, '<', failure->reply.text);
	dialogue_note(upstream->dialogue, "over after %llu ms: %s, at %s",
	              age_ms(upstream), failure->words,
	              smtp_stage_text(failure->stage));
}

/* ---- the end ---- */

static void forget_secret(struct upstream *upstream)
{
	xfree_secret(&upstream->secret);
	upstream->credentials.secret = "";
}

static void tell_jobs(struct upstream *upstream,
                      struct upstream_failure *failure)
{
	size_t i, n = upstream->n_jobs;

	upstream->n_jobs = 0;
	upstream->giving = NULL;
	for (i = 0; i < n; i++) {
		struct upstream_job *job = upstream->jobs[i];

		failure->untried = upstream->finished > 0 && !job->had_reply;
		upstream->said_from = job->said_from;
		job->on_failure(job->ctx, failure);
	}
	upstream->said_from = 0;
}

static void end(struct upstream *upstream, struct upstream_failure *failure)
{
	if (upstream->over)
		return;
	upstream->over = true;
	timer_stop(upstream->deadline);
	if (failure != NULL) {
		failure->logged_in = upstream->logged_in;
		note_end(upstream, failure);
		tell_jobs(upstream, failure);
	}
	upstream->callbacks->on_gone(upstream->ctx, upstream, failure);
}

static void on_deadline(void *ctx)
{
	struct upstream *upstream = ctx;
	struct upstream_failure failure = {
		.kind = UPSTREAM_TIMEOUT,
		.stage = upstream->armed_for,
		.words = "no reply in time",
	};

	if (upstream->armed_for == SMTP_STAGE_READY)
		end(upstream, NULL);
	else
		end(upstream, &failure);
}

static void upstream_free(struct upstream *upstream)
{
	forget_secret(upstream);
	smtp_client_free(&upstream->smtp);
	timer_free(&upstream->deadline);
	dialogue_free(&upstream->dialogue);
	free(upstream);
}

void upstream_close(struct upstream **upstream_p)
{
	struct upstream *upstream = *upstream_p;
	const void *data;
	size_t len;

	if (upstream == NULL)
		return;
	*upstream_p = NULL;
	if (upstream->logged_in && upstream->stream != NULL &&
	    upstream->n_jobs == 0) {
		smtp_client_quit(upstream->smtp);
		len = smtp_client_output(upstream->smtp, &data);
		if (len > 0)
			stream_write(upstream->stream, data, len);
	}
	if (upstream->stream != NULL)
		stream_close(&upstream->stream);
	upstream->over = upstream->closing = true;
	timer_stop(upstream->deadline);
	if (!upstream->busy)
		upstream_free(upstream);
}

void upstream_abort(struct upstream *upstream)
{
	struct upstream_failure failure = {
		.kind = UPSTREAM_STREAM,
		.stage = SMTP_STAGE_BODY,
		.end = STREAM_END_RESET,
		.words = "given up by lanpost: the stored message could not be "
		         "read",
	};

	end(upstream, &failure);
}

/* ---- jobs ---- */

void upstream_begin(struct upstream *upstream, struct upstream_job *job)
{
	job->transaction.owner = job;
	job->had_reply = false;
	job->upstream = upstream;
	upstream->jobs[upstream->n_jobs++] = job;
	upstream->begun++;
	note_begin(upstream, job);
	smtp_client_begin(upstream->smtp, &job->transaction);
	pump(upstream);
}

static struct upstream_job *job_of(const struct smtp_client_event *event)
{
	return event->transaction->owner;
}

static void flush(struct upstream *upstream)
{
	const void *data;
	size_t len = smtp_client_output(upstream->smtp, &data);

	if (len == 0 || upstream->stream == NULL)
		return;
	upstream->waiting = !stream_write(upstream->stream, data, len);
	smtp_client_output_sent(upstream->smtp, len);
}

static void body_given(struct upstream *upstream)
{
	dialogue_note(upstream->dialogue, "%llu octets of mail data, and a dot",
	              (unsigned long long)upstream->body_given);
	upstream->giving = NULL;
	upstream->body_given = 0;
}

/* Inside the pump a small body is not flushed: what begins behind it goes out
 * in the same write. */
bool upstream_body(struct upstream *upstream, const void *data, size_t len,
                   bool last)
{
	const void *output;

	if (upstream->over)
		return true; /* the job has been told */
	smtp_client_body(upstream->smtp, data, len, last);
	upstream->body_given += len;
	if (last)
		body_given(upstream);
	if (smtp_client_output(upstream->smtp, &output) > FLUSH_OCTETS)
		flush(upstream);
	if (!upstream->busy)
		pump(upstream);
	return !upstream->waiting;
}

static void job_done(struct upstream *upstream,
                     const struct smtp_client_event *event)
{
	struct upstream_job *job = job_of(event);

	upstream->n_jobs--;
	upstream->jobs[0] = upstream->jobs[1];
	upstream->finished++;
	upstream->said_from = job->said_from;
	job->on_done(job->ctx, event->stage, event->problem, &event->reply);
	upstream->said_from = 0;
}

/* ---- events ---- */

static void session_failed(struct upstream *upstream,
                           const struct smtp_client_event *event)
{
	struct upstream_failure failure = {
		.kind = UPSTREAM_SMTP,
		.stage = event->stage,
		.problem = event->problem,
		.reply = event->reply,
		.words = smtp_problem_text(event->problem),
	};

	if (event->stage == SMTP_STAGE_READY)
		end(upstream, NULL); /* hung up between messages: its right */
	else
		end(upstream, &failure);
}

static void logged_in(struct upstream *upstream)
{
	upstream->logged_in = true;
	forget_secret(upstream);
	if (upstream->callbacks->on_step != NULL)
		upstream->callbacks->on_step(upstream->ctx, upstream,
		                             UPSTREAM_LOGGED_IN);
}

static void handle(struct upstream *upstream,
                   const struct smtp_client_event *event)
{
	struct upstream_job *job;

	switch (event->type) {
	case SMTP_CLIENT_EV_STARTTLS:
		flush(upstream);
		stream_start_tls(upstream->stream, upstream->settings.tls,
		                 upstream->settings.account->host);
		break;
	case SMTP_CLIENT_EV_READY:
		logged_in(upstream);
		break;
	case SMTP_CLIENT_EV_RECIPIENT:
		job = job_of(event);
		job->had_reply = true;
		job->on_recipient(job->ctx, event->recipient, &event->reply);
		break;
	case SMTP_CLIENT_EV_BODY:
		job = job_of(event);
		job->had_reply = true;
		upstream->giving = job;
		job->on_body(job->ctx, upstream);
		break;
	case SMTP_CLIENT_EV_DONE:
		job_done(upstream, event);
		break;
	case SMTP_CLIENT_EV_FAILED:
		session_failed(upstream, event);
		break;
	case SMTP_CLIENT_EV_CLOSED:
		end(upstream, NULL);
		break;
	case SMTP_CLIENT_EV_NONE:
		break;
	}
}

static bool is_resting(const struct upstream *upstream)
{
	return upstream->logged_in && upstream->n_jobs == 0;
}

/* A deadline is for a whole reply: bytes that trickle do not move it, an
 * event or another stage does. */
static void update_deadline(struct upstream *upstream, bool had_event)
{
	enum smtp_stage stage = smtp_client_stage(upstream->smtp);

	if (is_resting(upstream)) {
		if (upstream->armed_for != SMTP_STAGE_READY || had_event)
			arm_idle(upstream);
	} else if (had_event || stage != upstream->armed_for) {
		arm(upstream, stage);
	}
}

/* Room for a job, or none ever again: messages_per_connection is reached. */
static void offer(struct upstream *upstream)
{
	if (upstream_has_room(upstream))
		upstream->callbacks->on_ready(upstream->ctx, upstream);
	else if (upstream->n_jobs == 0)
		end(upstream, NULL);
}

static bool take_events(struct upstream *upstream)
{
	struct smtp_client_event event;
	bool had_event = false;

	while (!upstream->over &&
	       smtp_client_next(upstream->smtp, &event) !=
	               SMTP_CLIENT_EV_NONE) {
		had_event = true;
		handle(upstream, &event);
	}
	return had_event;
}

/* Behind the login the engine has it for as long as it reads, to mask what a
 * refusal may echo: the account's, which may be replaced in between. */
static void lend_secret(struct upstream *upstream)
{
	const struct account_config *account = upstream->settings.account;

	if (upstream->logged_in && has_login(account))
		upstream->credentials.secret = account->password;
}

static void take_secret_back(struct upstream *upstream)
{
	if (upstream->secret == NULL)
		upstream->credentials.secret = "";
}

/* A job that begins goes out in the same write as what came before it; one
 * that cannot be sent at all is DONE at once, so events are looked at again. */
static void pump(struct upstream *upstream)
{
	bool had_event = false;
	unsigned begun;

	if (upstream->busy)
		return;
	upstream->busy = true;
	lend_secret(upstream);
	do {
		begun = upstream->begun;
		had_event |= take_events(upstream);
		if (!upstream->over && upstream->logged_in)
			offer(upstream);
	} while (upstream->begun != begun);
	if (!upstream->over) {
		flush(upstream);
		update_deadline(upstream, had_event);
	}
	take_secret_back(upstream);
	upstream->busy = false;
	if (upstream->closing)
		upstream_free(upstream);
}

/* ---- the stream ---- */

static void on_open(void *owner)
{
	struct upstream *upstream = owner;

	address_print_port(stream_peer(upstream->stream), upstream->peer);
	note_connected(upstream);
	if (upstream->callbacks->on_step != NULL)
		upstream->callbacks->on_step(upstream->ctx, upstream,
		                             UPSTREAM_CONNECTED);
	if (upstream->settings.account->tls == SMTP_TLS_IMPLICIT) {
		arm(upstream, SMTP_STAGE_TLS);
		stream_start_tls(upstream->stream, upstream->settings.tls,
		                 upstream->settings.account->host);
	} else {
		arm(upstream, SMTP_STAGE_GREETING);
	}
}

static void on_secure(void *owner, const struct tls_peer_info *info)
{
	struct upstream *upstream = owner;

	upstream->tls = *info;
	note_secured(upstream);
	if (upstream->callbacks->on_step != NULL)
		upstream->callbacks->on_step(upstream->ctx, upstream,
		                             UPSTREAM_SECURED);
	if (upstream->settings.account->tls == SMTP_TLS_STARTTLS)
		smtp_client_tls_established(upstream->smtp);
	pump(upstream);
}

static void on_data(void *owner, const void *data, size_t len)
{
	struct upstream *upstream = owner;

	smtp_client_feed(upstream->smtp, data, len);
	pump(upstream);
}

static void on_drain(void *owner)
{
	struct upstream *upstream = owner;

	upstream->waiting = false;
	if (upstream->over || upstream->giving == NULL)
		return;
	arm(upstream, SMTP_STAGE_BODY);
	upstream->giving->on_body(upstream->giving->ctx, upstream);
}

static void on_stream_end(void *owner, enum stream_end stream_end,
                          const char *why)
{
	struct upstream *upstream = owner;
	struct upstream_failure failure = {
		.kind = UPSTREAM_STREAM,
		.stage = stream_end == STREAM_END_TLS
		                 ? SMTP_STAGE_TLS
		                 : smtp_client_stage(upstream->smtp),
		.end = stream_end,
		.words = why,
	};

	if (is_resting(upstream))
		end(upstream, NULL);
	else
		end(upstream, &failure);
}

/* ---- life ---- */

static void on_trace(void *ctx, enum smtp_side said_by, struct text line)
{
	struct upstream *upstream = ctx;

	dialogue_line(upstream->dialogue,
	              said_by == SMTP_SIDE_CLIENT ? '>' : '<', line);
	if (!log_enabled(LOG_DEBUG))
		return;
	log_event(LOG_DEBUG, EVENT_DIALOGUE,
	          F_STR("account", upstream->settings.account->name),
	          F_STR("side",
	                said_by == SMTP_SIDE_CLIENT ? "lanpost" : "provider"),
	          F_TEXT("line", line));
}

/* Mechanisms in order of preference; an explicit one stands alone. */
static const char *const *mechanisms_of(const struct account_config *account)
{
	static const char *const by_offer[] = { "PLAIN", "LOGIN", NULL };
	static const char *const plain[] = { "PLAIN", NULL };
	static const char *const login[] = { "LOGIN", NULL };

	switch (account->auth) {
	case AUTH_PLAIN:
		return plain;
	case AUTH_LOGIN:
		return login;
	case AUTH_AUTO:
	case AUTH_NONE:
		break;
	}
	return by_offer;
}

static struct smtp_client *new_engine(struct upstream *upstream)
{
	const struct account_config *account = upstream->settings.account;
	struct smtp_client_settings settings = {
		.helo_name = upstream->settings.hostname,
		.tls = account->tls,
		.mechanisms = mechanisms_of(account),
		.pipelining = account->pipelining != PIPELINING_NO,
		.eager = account->pipelining == PIPELINING_EAGER,
	};

	if (has_login(account)) {
		upstream->secret = xstrdup(account->password);
		upstream->credentials.username = account->username;
		upstream->credentials.secret = upstream->secret;
		settings.credentials = &upstream->credentials;
	}
	settings.trace = (struct smtp_trace){ on_trace, upstream };
	return smtp_client_new(&settings);
}

struct upstream *upstream_open(const struct upstream_settings *settings,
                               const struct upstream_callbacks *callbacks,
                               void *ctx)
{
	static const struct stream_callbacks stream_callbacks = {
		.on_open = on_open,
		.on_secure = on_secure,
		.on_data = on_data,
		.on_drain = on_drain,
		.on_end = on_stream_end,
	};
	const struct account_config *account = settings->account;
	struct upstream *upstream = xcalloc(1, sizeof *upstream);
	unsigned connect_ms = account->timeout_ms < CONNECT_MS
	                              ? (unsigned)account->timeout_ms
	                              : CONNECT_MS;

	upstream->settings = *settings;
	upstream->callbacks = callbacks;
	upstream->ctx = ctx;
	upstream->opened_ms = loop_now_ms(settings->loop);
	upstream->dialogue = dialogue_new();
	note_connecting(upstream);
	upstream->deadline = timer_new(settings->loop, on_deadline, upstream);
	upstream->smtp = new_engine(upstream);
	upstream->stream =
		stream_connect(settings->loop, account->host, account->port,
	                       connect_ms, settings->hint, &stream_callbacks,
	                       upstream);
	return upstream;
}
