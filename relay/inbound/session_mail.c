#include "relay/inbound/session_private.h"

#include "relay/queue/envelope.h"

static void on_transaction_drain(void *ctx)
{
	session_update_reading(ctx);
}

static void drop_transaction(struct session *session)
{
	client_pace_give_back(&session->hold);
	transaction_free(&session->transaction);
}

static void note_accepted(struct session *session)
{
	session->answered = transaction_id(session->transaction);
	if (session->answered != 0)
		limits_count(session->settings.limits, &session->hold);
}

static void on_transaction_done(void *ctx, const struct smtp_reply *reply)
{
	struct session *session = ctx;

	if (smtp_reply_positive(reply))
		note_accepted(session);
	if (session->stream != NULL)
		session_answer(session, "DATA", reply);
	drop_transaction(session);
	if (session->stream != NULL)
		session_pump(session);
	else
		session_free(session);
}

static const struct transaction_callbacks callbacks = { on_transaction_drain,
	on_transaction_done };

static struct origin origin_of(const struct session *session)
{
	return (struct origin){
		.client = session->client_text,
		.address = &session->client,
		.helo = session->helo != NULL ? session->helo : "",
		.is_esmtp = session->is_esmtp,
		.listener = session->listener,
		.device = session->device,
		.user = session->user,
		.tls = stream_is_secure(session->stream),
		.logged_in = session->logged_in,
		.quirks = smtp_server_quirks(session->smtp),
	};
}

static void answer_path(struct session *session, const char *command,
                        const struct smtp_path *path,
                        const struct smtp_reply *reply)
{
	if (!smtp_reply_positive(reply))
		session_log_rejected_address(session, command, path->address,
		                             reply);
	smtp_server_reply(session->smtp, reply);
}

static void begin(struct session *session,
                  const struct smtp_server_event *event,
                  struct smtp_reply *reply)
{
	const struct smtp_mail_params *params = &event->mail.params;
	struct origin origin = origin_of(session);

	session->transaction = transaction_begin(
		session->services, session->config, &origin, &event->mail.path,
		params->has_size ? params->size : 0, &callbacks, session,
		reply);
	if (session->transaction == NULL)
		client_pace_give_back(&session->hold);
}

void session_on_mail(struct session *session,
                     const struct smtp_server_event *event)
{
	struct smtp_reply reply = smtp_reply_make(250, "2.1.0", "Sender ok");

	session_take_config(session);
	if (session->draining) {
		reply = smtp_reply_make(421, "4.3.2", SESSION_STOPPING);
	} else if (!limits_reserve(session->settings.limits, session->listener,
	                           &session->client, &session->hold, &reply)) {
		session_log_limited(session, event->mail.path.address, &reply);
		smtp_server_reply(session->smtp, &reply);
		return;
	} else {
		begin(session, event, &reply);
	}
	answer_path(session, "MAIL", &event->mail.path, &reply);
}

void session_on_rcpt(struct session *session,
                     const struct smtp_server_event *event)
{
	struct smtp_reply reply = smtp_reply_make(250, "2.1.5", "Recipient ok");

	transaction_recipient(session->transaction, &event->rcpt.path, &reply);
	answer_path(session, "RCPT", &event->rcpt.path, &reply);
}

void session_on_data(struct session *session)
{
	transaction_data(session->transaction);
	session->n_tail = 0;
	smtp_server_replyf(session->smtp, 354, NULL,
	                   "End the message with a line of one dot");
}

void session_on_chunk(struct session *session, struct text chunk)
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

void session_on_data_end(struct session *session,
                         const struct smtp_data_stats *stats)
{
	struct smtp_reply refusal;

	transaction_set_quirks(session->transaction,
	                       smtp_server_quirks(session->smtp));
	if (transaction_end(session->transaction, stats, &refusal))
		return; /* on_transaction_done() answers */
	session_answer(session, "DATA", &refusal);
	drop_transaction(session);
}

/* Whose data was refused while it came is told with the reply, at its end. */
void session_on_reset(struct session *session)
{
	envelope_free(&session->refused);
	if (smtp_server_state(session->smtp) == SMTP_SERVER_DATA &&
	    session->transaction != NULL)
		session->refused = transaction_drop(&session->transaction);
	drop_transaction(session);
}

bool session_is_committing(const struct session *session)
{
	return session->transaction != NULL &&
	       transaction_is_committing(session->transaction);
}
