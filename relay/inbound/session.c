#include "relay/inbound/session_private.h"

#include <stdlib.h>
#include <string.h>

#include "proto/xalloc.h"
#include "relay/queue/repeats.h"
#include "relay/report/log.h"

enum {
	MAX_BAD_COMMANDS = 20,
	DATA_RATE_MIN = 500,          /* octets a second */
	DATA_WINDOW_MS = 60 * 1000,   /* over which the rate is looked at */
	REFUSED_TIMEOUT_MS = 10 * 1000
};

const struct address *session_client(const struct session *session)
{
	return &session->client;
}

void session_take_config(struct session *session)
{
	const struct config *config = session->services->config;
	size_t i;

	config_unref(&session->config);
	session->config = config_ref(session->services->config);
	session->listener = &config->listeners[0]; /* if it went at a reload */
	for (i = 0; i < config->n_listeners; i++) {
		if (strcmp(config->listeners[i].name,
		           session->settings.listener) == 0)
			session->listener = &config->listeners[i];
	}
	session->device = config_device(config, &session->client);
}

/* ---- deadlines ---- */

static uint64_t data_window_ms(const struct session *session)
{
	uint64_t timeout = (uint64_t)session->listener->timeout_ms;

	return timeout < DATA_WINDOW_MS ? timeout : DATA_WINDOW_MS;
}

static void arm_deadline(struct session *session)
{
	uint64_t ms = (uint64_t)session->listener->timeout_ms;

	if (smtp_server_state(session->smtp) == SMTP_SERVER_DATA) {
		session->window_octets = 0;
		ms = data_window_ms(session);
	} else if (session->settings.refusal != NULL) {
		ms = REFUSED_TIMEOUT_MS;
	}
	timer_start(session->deadline, ms);
}

static void on_smtp_deadline(struct session *session)
{
	bool in_data = smtp_server_state(session->smtp) == SMTP_SERVER_DATA;
	const char *text = in_data ? "The mail data comes too slowly"
	                           : "No command came in time";
	struct smtp_reply reply = smtp_reply_make(421, "4.4.2", text);

	/* While the disk is behind we are the slow one. */
	if (in_data &&
	    (transaction_is_behind(session->transaction) ||
	     session->window_octets * 1000 >=
	             DATA_RATE_MIN * data_window_ms(session))) {
		arm_deadline(session);
		return;
	}
	if (in_data)
		session_log_unfinished(session, &reply);
	smtp_server_goodbye(session->smtp, 421, "4.4.2", text);
	session_pump(session);
}

static void on_deadline(void *ctx)
{
	struct session *session = ctx;

	if (session->securing) {
		session_on_tls_timeout(session);
		session_end(session);
	} else {
		on_smtp_deadline(session);
	}
}

/* ---- answers ---- */

void session_answer(struct session *session, const char *command,
                    const struct smtp_reply *reply)
{
	if (!smtp_reply_positive(reply))
		session_log_rejected(session, command, reply);
	smtp_server_reply(session->smtp, reply);
}

static void on_connect(struct session *session)
{
	if (session->settings.refusal != NULL)
		smtp_server_replyf(session->smtp, 554, NULL, "%s",
		                   session->settings.refusal);
	else
		smtp_server_replyf(session->smtp, 220, NULL,
		                   "%s ESMTP lanpost ready",
		                   session->config->relay.hostname);
}

static void on_ehlo(struct session *session,
                    const struct smtp_server_event *event)
{
	free(session->helo);
	session->helo = text_dup(event->ehlo.helo_name);
	session->is_esmtp = event->ehlo.is_esmtp;
	smtp_server_replyf(session->smtp, 250, NULL, "%s",
	                   session->config->relay.hostname);
}

/* Returns false when the session is over. */
static bool handle(struct session *session,
                   const struct smtp_server_event *event)
{
	switch (event->type) {
	case SMTP_SERVER_EV_CONNECT:
		on_connect(session);
		break;
	case SMTP_SERVER_EV_EHLO:
		on_ehlo(session, event);
		break;
	case SMTP_SERVER_EV_MAIL:
		session_on_mail(session, event);
		break;
	case SMTP_SERVER_EV_RCPT:
		session_on_rcpt(session, event);
		break;
	case SMTP_SERVER_EV_DATA:
		session_on_data(session);
		break;
	case SMTP_SERVER_EV_DATA_CHUNK:
		session_on_chunk(session, event->chunk);
		break;
	case SMTP_SERVER_EV_DATA_END:
		session_on_data_end(session, event->data_end);
		break;
	case SMTP_SERVER_EV_REFUSED:
		session_log_refused(session, event);
		envelope_free(&session->refused);
		break;
	case SMTP_SERVER_EV_RESET:
		session_on_reset(session);
		break;
	case SMTP_SERVER_EV_CLOSE:
		return false;
	case SMTP_SERVER_EV_STARTTLS:
		session_on_starttls(session);
		break;
	case SMTP_SERVER_EV_AUTH:
		session_on_auth(session, event);
		break;
	case SMTP_SERVER_EV_AUTH_RESPONSE:
		session_on_auth_response(session, event);
		break;
	case SMTP_SERVER_EV_TLS_HELLO:
		session_on_tls_hello(session);
		break;
	case SMTP_SERVER_EV_NONE:
		break;
	}
	return true;
}

/* ---- the pump ---- */

static void flush(struct session *session)
{
	const void *data;
	size_t len = smtp_server_output(session->smtp, &data);

	if (len == 0)
		return;
	session->unread_replies = !stream_write(session->stream, data, len);
	smtp_server_output_sent(session->smtp, len);
}

/* Nothing is read that could not be kept within bounds. */
void session_update_reading(struct session *session)
{
	if (session->stream == NULL)
		return;
	if (smtp_server_is_full(session->smtp) || session->unread_replies ||
	    (session->transaction != NULL &&
	     transaction_is_behind(session->transaction)))
		stream_pause(session->stream);
	else
		stream_resume(session->stream);
}

/* Nobody may be there to hear a verdict, or nobody may wait for one. */
static void session_hurry(struct session *session)
{
	if (session_is_committing(session))
		transaction_hurry(session->transaction);
}

void session_end(struct session *session)
{
	timer_stop(session->deadline);
	session_login_free(session);
	if (session->stream != NULL)
		stream_close(&session->stream);
	if (session_is_committing(session))
		session_hurry(session); /* its end will do it */
	else
		session_free(session);
}

static void wait_for_more(struct session *session)
{
	session_update_reading(session);
	if (smtp_server_is_asking(session->smtp))
		timer_stop(session->deadline);
	else if (!timer_is_armed(session->deadline))
		arm_deadline(session);
}

/* Returns false when the session is over. */
static bool run_events(struct session *session)
{
	struct smtp_server_event event;
	bool open = true;

	while (open &&
	       smtp_server_next(session->smtp, &event) != SMTP_SERVER_EV_NONE) {
		/* A command is done: the next gets a deadline of its own. */
		if (event.type != SMTP_SERVER_EV_DATA_CHUNK)
			timer_stop(session->deadline);
		open = handle(session, &event);
		if (open && session->draining && session->transaction == NULL &&
		    !smtp_server_is_asking(session->smtp))
			smtp_server_goodbye(session->smtp, 421, "4.3.2",
			                    SESSION_STOPPING);
	}
	return open;
}

/* Nothing more comes, and nothing is left to be answered. */
static bool is_forsaken(const struct session *session)
{
	return session->hung_up && !smtp_server_is_asking(session->smtp);
}

void session_pump(struct session *session)
{
	bool open;

	if (session->pumping || session->securing)
		return;
	session->pumping = true;
	open = run_events(session);
	session->pumping = false;
	flush(session);
	if (!open || is_forsaken(session))
		session_end(session);
	else if (smtp_server_state(session->smtp) == SMTP_SERVER_TLS)
		session_start_tls(session);
	else
		wait_for_more(session);
}

void session_drain(struct session *session, bool now)
{
	session->draining = true;
	if (session->securing) {
		session_end(session);
		return;
	}
	if (now)
		session_hurry(session);
	if (session->stream == NULL || smtp_server_is_asking(session->smtp) ||
	    (session->transaction != NULL && !now))
		return;
	smtp_server_goodbye(session->smtp, 421, "4.3.2", SESSION_STOPPING);
	session_pump(session);
}

void session_abort(struct session *session)
{
	session_login_free(session);
	if (session->stream != NULL)
		stream_close(&session->stream);
	session_free(session);
}

/* ---- the stream ---- */

static void on_stream_data(void *owner, const void *data, size_t len)
{
	struct session *session = owner;

	session->answered = 0;
	session_note_tail(session, data, len);
	smtp_server_feed(session->smtp, data, len);
	session_pump(session);
}

static void on_stream_drain(void *owner)
{
	struct session *session = owner;

	session->unread_replies = false;
	session_update_reading(session);
}

static void on_stream_end(void *owner, enum stream_end end, const char *why)
{
	struct session *session = owner;
	struct smtp_reply none = { .text = text_of(
		"(none: the device hung up before the end of its message)") };

	/* A device that has said all it has to say may still listen. */
	if (end == STREAM_END_EOF && smtp_server_is_asking(session->smtp)) {
		session->hung_up = true;
		session_hurry(session);
		return;
	}
	if (end == STREAM_END_TLS)
		session_on_tls_failure(session, why);
	/* Closed with our answer in its socket, unread. */
	if (end == STREAM_END_RESET && session->answered != 0)
		repeats_unheard_id(session->services->repeats,
		                   session->answered);
	if (smtp_server_state(session->smtp) == SMTP_SERVER_DATA &&
	    !session_is_committing(session))
		session_log_unfinished(session, &none);
	session_end(session);
}

/* ---- life ---- */

static struct smtp_server *new_engine(struct session *session)
{
	const struct device_config *device = session->device;
	const struct listener_config *listener = session->listener;
	struct smtp_server_settings settings = {
		.capabilities = session_capabilities(session, false),
		.mechanisms = SESSION_MECHANISMS,
		.max_message_size = session->config->relay.max_message_size,
		.max_recipients = listener->max_recipients,
		.max_bad_commands = MAX_BAD_COMMANDS,
		.single_line_ehlo = device != NULL && device->single_line_ehlo,
		.lf_end_of_data = device != NULL && device->lf_end_of_data,
		.any_login = session->login_kind == LOGIN_ANY,
		.login_required = session->login_kind == LOGIN_FILE,
		.tls_required = listener->tls == LISTENER_TLS_REQUIRED,
		.strict = listener->strict,
	};

	if (log_enabled(LOG_DEBUG))
		settings.trace =
			(struct smtp_trace){ session_log_trace, session };
	return smtp_server_new(&settings);
}

struct session *session_new(const struct session_settings *settings,
                            struct stream **stream)
{
	static const struct stream_callbacks callbacks = {
		.on_secure = session_on_secure,
		.on_data = on_stream_data,
		.on_drain = on_stream_drain,
		.on_end = on_stream_end,
	};
	struct session *session = xcalloc(1, sizeof *session);

	session->settings = *settings;
	session->settings.refusal = xstrdup(settings->refusal);
	session->services = settings->services;
	session->files = listener_files_ref(settings->files);
	session->stream = *stream;
	*stream = NULL;
	session->client = *stream_peer(session->stream);
	address_print(&session->client, session->client_text);
	session->deadline =
		timer_new(session->services->loop, on_deadline, session);
	session_take_config(session);
	session->login_kind = session_login_kind(session);
	session->smtp = new_engine(session);
	stream_adopt(session->stream, &callbacks, session);
	if (session->listener->tls == LISTENER_TLS_IMPLICIT)
		session_start_tls(session);
	else
		session_pump(session);
	return session;
}

void session_free(struct session *session)
{
	session->settings.on_end(session->settings.ctx, session);
	session_login_free(session);
	envelope_free(&session->refused);
	client_pace_give_back(&session->hold);
	transaction_free(&session->transaction);
	smtp_server_free(&session->smtp);
	timer_free(&session->deadline);
	listener_files_unref(&session->files);
	config_unref(&session->config);
	free((char *)session->settings.refusal);
	free(session->helo);
	free(session->user);
	free(session);
}
