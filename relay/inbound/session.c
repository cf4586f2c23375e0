#include "relay/inbound/session.h"

#include <stdlib.h>
#include <string.h>

#include "proto/smtp_server.h"
#include "proto/xalloc.h"
#include "relay/inbound/transaction.h"
#include "relay/queue/envelope.h"
#include "relay/report/log.h"

enum {
	MAX_BAD_COMMANDS = 20,
	DATA_RATE_MIN = 500,          /* octets a second */
	DATA_WINDOW_MS = 60 * 1000,   /* over which the rate is looked at */
	REFUSED_TIMEOUT_MS = 10 * 1000
};

static const char stopping[] = "lanpost is stopping, try again in a minute";

struct session {
	struct session_settings settings; /* refusal is ours */
	struct services *services;
	struct config *config;        /* in force when the transaction began */
	const struct listener_config *listener;
	struct stream *stream;        /* NULL once the device is gone */
	struct smtp_server *smtp;
	struct transaction *transaction;
	struct timer *deadline;
	struct address client;
	char client_text[ADDRESS_TEXT_MAX];
	char *helo;
	uint64_t window_octets;       /* of data, in the present window */
	bool is_esmtp, draining;
	bool pumping;                 /* do not enter again */
	bool unread_replies;          /* the device does not read them */
};

static void pump(struct session *session);

const struct address *session_client(const struct session *session)
{
	return &session->client;
}

/* The configuration now in force, until the next transaction. */
static void take_config(struct session *session)
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
}

/* ---- the log ---- */

static void log_rejected(struct session *session, const char *command,
                         const struct smtp_reply *reply)
{
	const struct envelope *envelope =
		session->transaction == NULL
			? NULL : transaction_envelope(session->transaction);
	struct buf line = BUF_INIT(2048);
	char id[MESSAGE_ID_TEXT], *to = NULL;

	smtp_reply_line(&line, reply);
	if (envelope != NULL)
		to = envelope_recipient_list(envelope, RECIPIENT_QUEUED, 500);
	log_event(LOG_WARN, EVENT_REJECTED,
	          F_STR("id", envelope ? message_id_print(envelope->id, id)
	                               : NULL),
	          F_STR("client", session->client_text),
	          F_STR("listener", session->listener->name),
	          F_STR("from", envelope ? envelope->reverse_path : NULL),
	          F_STR("to", to), F_STR("command", command),
	          F_TEXT("reply", buf_text(&line)));
	buf_free(&line);
	free(to);
}

static void on_trace(void *ctx, enum smtp_side said_by, struct text line)
{
	struct session *session = ctx;

	log_event(LOG_DEBUG, EVENT_DIALOGUE,
	          F_STR("client", session->client_text),
	          F_STR("side",
	                said_by == SMTP_SIDE_CLIENT ? "device" : "lanpost"),
	          F_TEXT("line", line));
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

static void on_deadline(void *ctx)
{
	struct session *session = ctx;
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
		log_rejected(session, "DATA", &reply);
	smtp_server_goodbye(session->smtp, 421, "4.4.2", text);
	pump(session);
}

/* ---- answers ---- */

static void answer(struct session *session, const char *command,
                   const struct smtp_reply *reply)
{
	if (!smtp_reply_positive(reply))
		log_rejected(session, command, reply);
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

static void update_reading(struct session *session);

static void on_transaction_drain(void *ctx)
{
	update_reading(ctx);
}

static void on_transaction_done(void *ctx, const struct smtp_reply *reply);

static void on_mail(struct session *session,
                    const struct smtp_server_event *event)
{
	static const struct transaction_callbacks callbacks = {
		on_transaction_drain, on_transaction_done };
	struct smtp_reply reply = smtp_reply_make(250, "2.1.0", "Sender ok");
	struct origin origin;

	take_config(session);
	origin = (struct origin){
		.client = session->client_text,
		.helo = session->helo,
		.is_esmtp = session->is_esmtp,
		.listener = session->listener,
		.tls = stream_is_secure(session->stream),
		.quirks = smtp_server_quirks(session->smtp),
	};
	if (session->draining)
		reply = smtp_reply_make(421, "4.3.2", stopping);
	else
		session->transaction = transaction_begin(
			session->services, session->config, &origin,
			&event->mail.path,
			event->mail.params.has_size ? event->mail.params.size
			                            : 0,
			&callbacks, session, &reply);
	answer(session, "MAIL", &reply);
}

static void on_rcpt(struct session *session,
                    const struct smtp_server_event *event)
{
	struct smtp_reply reply = smtp_reply_make(250, "2.1.5", "Recipient ok");

	transaction_recipient(session->transaction, &event->rcpt.path, &reply);
	answer(session, "RCPT", &reply);
}

static void on_data(struct session *session)
{
	transaction_data(session->transaction);
	smtp_server_replyf(session->smtp, 354, NULL,
	                   "End the message with a line of one dot");
}

static void on_chunk(struct session *session, struct text chunk)
{
	struct smtp_reply refusal;
	char status[16];

	session->window_octets += chunk.len;
	if (!transaction_chunk(session->transaction, chunk, &refusal))
		smtp_server_refuse_data(
			session->smtp, refusal.code,
			smtp_status_string(&refusal.status, status),
			refusal.text.data);
}

static void on_data_end(struct session *session,
                        const struct smtp_data_stats *stats)
{
	struct smtp_reply refusal;

	transaction_set_quirks(session->transaction,
	                       smtp_server_quirks(session->smtp));
	if (transaction_end(session->transaction, stats, &refusal))
		return; /* on_transaction_done() answers */
	answer(session, "DATA", &refusal);
	transaction_free(&session->transaction);
}

static void session_free(struct session *session);

static void on_transaction_done(void *ctx, const struct smtp_reply *reply)
{
	struct session *session = ctx;

	if (session->stream != NULL)
		answer(session, "DATA", reply);
	transaction_free(&session->transaction);
	if (session->stream != NULL)
		pump(session);
	else
		session_free(session);
}

static void on_refused(struct session *session,
                       const struct smtp_server_event *event)
{
	char *command = text_dup(event->refused.command);

	log_rejected(session, command, &event->refused.reply);
	free(command);
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
		on_mail(session, event);
		break;
	case SMTP_SERVER_EV_RCPT:
		on_rcpt(session, event);
		break;
	case SMTP_SERVER_EV_DATA:
		on_data(session);
		break;
	case SMTP_SERVER_EV_DATA_CHUNK:
		on_chunk(session, event->chunk);
		break;
	case SMTP_SERVER_EV_DATA_END:
		on_data_end(session, event->data_end);
		break;
	case SMTP_SERVER_EV_REFUSED:
		on_refused(session, event);
		break;
	case SMTP_SERVER_EV_RESET:
		transaction_free(&session->transaction);
		break;
	case SMTP_SERVER_EV_CLOSE:
		return false;
	case SMTP_SERVER_EV_STARTTLS: /* not offered, so never asked */
	case SMTP_SERVER_EV_AUTH:
	case SMTP_SERVER_EV_AUTH_RESPONSE:
	case SMTP_SERVER_EV_TLS_HELLO:
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
static void update_reading(struct session *session)
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

static bool is_committing(const struct session *session)
{
	return session->transaction != NULL &&
	       transaction_is_committing(session->transaction);
}

static void end_session(struct session *session)
{
	timer_stop(session->deadline);
	if (session->stream != NULL)
		stream_close(&session->stream);
	if (!is_committing(session)) /* else on_transaction_done() comes */
		session_free(session);
}

static void wait_for_more(struct session *session)
{
	update_reading(session);
	if (smtp_server_is_asking(session->smtp))
		timer_stop(session->deadline);
	else if (!timer_is_armed(session->deadline))
		arm_deadline(session);
}

static void pump(struct session *session)
{
	struct smtp_server_event event;
	bool open = true;

	if (session->pumping)
		return;
	session->pumping = true;
	while (open &&
	       smtp_server_next(session->smtp, &event) != SMTP_SERVER_EV_NONE) {
		/* A command is done: the next gets a deadline of its own. */
		if (event.type != SMTP_SERVER_EV_DATA_CHUNK)
			timer_stop(session->deadline);
		open = handle(session, &event);
		if (open && session->draining && session->transaction == NULL &&
		    !smtp_server_is_asking(session->smtp))
			smtp_server_goodbye(session->smtp, 421, "4.3.2",
			                    stopping);
	}
	session->pumping = false;
	flush(session);
	if (open)
		wait_for_more(session);
	else
		end_session(session);
}

void session_drain(struct session *session, bool now)
{
	session->draining = true;
	if (session->stream == NULL || smtp_server_is_asking(session->smtp) ||
	    (session->transaction != NULL && !now))
		return;
	smtp_server_goodbye(session->smtp, 421, "4.3.2", stopping);
	pump(session);
}

void session_abort(struct session *session)
{
	if (session->stream != NULL)
		stream_close(&session->stream);
	session_free(session);
}

/* ---- the stream ---- */

static void on_stream_data(void *owner, const void *data, size_t len)
{
	struct session *session = owner;

	smtp_server_feed(session->smtp, data, len);
	pump(session);
}

static void on_stream_drain(void *owner)
{
	struct session *session = owner;

	session->unread_replies = false;
	update_reading(session);
}

static void on_stream_end(void *owner, enum stream_end end, const char *why)
{
	struct session *session = owner;
	struct smtp_reply none = { .text = text_of(
		"(none: the device hung up before the end of its message)") };

	if (smtp_server_state(session->smtp) == SMTP_SERVER_DATA &&
	    !is_committing(session))
		log_rejected(session, "DATA", &none);
	end_session(session);
}

/* ---- life ---- */

static struct smtp_server *new_engine(struct session *session)
{
	struct smtp_server_settings settings = {
		.capabilities = SMTP_CAP(SIZE) | SMTP_CAP(PIPELINING) |
		                SMTP_CAP(8BITMIME) |
		                SMTP_CAP(ENHANCEDSTATUSCODES),
		.max_message_size = session->config->relay.max_message_size,
		.max_recipients = session->listener->max_recipients,
		.max_bad_commands = MAX_BAD_COMMANDS,
	};

	if (log_enabled(LOG_DEBUG))
		settings.trace = (struct smtp_trace){ on_trace, session };
	return smtp_server_new(&settings);
}

struct session *session_new(const struct session_settings *settings,
                            struct stream **stream)
{
	static const struct stream_callbacks callbacks = {
		.on_data = on_stream_data,
		.on_drain = on_stream_drain,
		.on_end = on_stream_end,
	};
	struct session *session = xcalloc(1, sizeof *session);

	session->settings = *settings;
	session->settings.refusal = xstrdup(settings->refusal);
	session->services = settings->services;
	session->stream = *stream;
	*stream = NULL;
	session->client = *stream_peer(session->stream);
	address_print(&session->client, session->client_text);
	session->deadline =
		timer_new(session->services->loop, on_deadline, session);
	take_config(session);
	session->smtp = new_engine(session);
	stream_adopt(session->stream, &callbacks, session);
	pump(session);
	return session;
}

static void session_free(struct session *session)
{
	session->settings.on_end(session->settings.ctx, session);
	transaction_free(&session->transaction);
	smtp_server_free(&session->smtp);
	timer_free(&session->deadline);
	config_unref(&session->config);
	free((char *)session->settings.refusal);
	free(session->helo);
	free(session);
}
