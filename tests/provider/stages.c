#include <string.h>

#include "proto/base64.h"
#include "tests/provider/session_internal.h"

/* --- the engine's questions, in the order of a session ------------------- */

static void ask_connect(struct session *session,
                        const struct smtp_server_event *event)
{
	struct verdict verdict = verdict_for(session, STAGE_CONNECT,
		text_of(session->client), 0, smtp_reply_make(220, NULL,
		PROVIDER_HOSTNAME " ESMTP practice provider"));

	(void)event;
	session_carry_out(session, &verdict);
}

static void ask_ehlo(struct session *session,
                     const struct smtp_server_event *event)
{
	struct verdict verdict = verdict_for(session, STAGE_EHLO,
		event->ehlo.helo_name, 0,
		smtp_reply_make(250, NULL, PROVIDER_HOSTNAME));

	snprintf(session->helo, sizeof(session->helo), "%.*s",
	         TEXT_ARG(event->ehlo.helo_name));
	session_carry_out(session, &verdict);
}

static void ask_starttls(struct session *session,
                         const struct smtp_server_event *event)
{
	struct verdict verdict = verdict_for(session, STAGE_STARTTLS,
		text_of(session->client), 0, session->no_starttls
		? smtp_reply_make(502, "5.5.1", "STARTTLS is not offered here")
		: smtp_reply_make(220, NULL, "Ready to start TLS"));

	(void)event;
	session_carry_out(session, &verdict);
}

static struct smtp_reply login_reply(struct session *session)
{
	const struct options *options = &session->provider->options;

	if (!options->user || login_matches(&session->login, options->user,
	                                    options->password))
		return smtp_reply_make(235, "2.7.0",
		                       "Authentication successful");
	return smtp_reply_make(535, "5.7.8", "Authentication credentials "
	                       "invalid");
}

static void finish_login(struct session *session)
{
	struct text user = login_user(&session->login);
	struct verdict verdict = verdict_for(session, STAGE_AUTH, user, 0,
	                                login_reply(session));

	if (verdict_says_yes(&verdict)) {
		snprintf(session->user, sizeof(session->user), "%.*s",
		         TEXT_ARG(user));
		session->provider->counts.logins++;
	}
	login_end(&session->login);
	session_carry_out(session, &verdict);
}

static void challenge(struct session *session, struct text words)
{
	struct buf encoded = BUF_INIT(1024);

	base64_encode(&encoded, words);
	smtp_server_replyf(session->server, 334, NULL, "%s",
	                   buf_string(&encoded));
	buf_free(&encoded);
}

static void ask_auth_response(struct session *session,
                              const struct smtp_server_event *event)
{
	struct text words;

	switch (login_step(&session->login, event->auth.has_response,
	                   event->auth.response, &words)) {
	case LOGIN_CHALLENGE:
		challenge(session, words);
		break;
	case LOGIN_DONE:
		finish_login(session);
		break;
	case LOGIN_BAD:
		login_end(&session->login);
		smtp_server_replyf(session->server, 501, "5.5.2",
		                   "This is no response of the mechanism");
		break;
	}
}

static void ask_auth(struct session *session,
                     const struct smtp_server_event *event)
{
	if (login_begin(&session->login, session->provider->options.auth,
	                event->auth.mechanism))
		ask_auth_response(session, event);
	else
		smtp_server_replyf(session->server, 504, "5.7.4",
		                   "Unrecognized authentication type");
}

static struct smtp_reply mail_reply(struct session *session)
{
	const struct options *options = &session->provider->options;

	if (options->tls == TLS_MODE_STARTTLS && !session->tls_version[0])
		return smtp_reply_make(530, "5.7.0",
		                       "Must issue a STARTTLS command first");
	if (options->user && !session->user[0])
		return smtp_reply_make(530, "5.7.0", "Authentication required");
	return smtp_reply_make(250, "2.1.0", "Sender ok");
}

static void ask_mail(struct session *session,
                     const struct smtp_server_event *event)
{
	struct text sender = event->mail.path.address;
	struct verdict verdict = verdict_for(session, STAGE_MAIL, sender, 0,
	                                mail_reply(session));

	buf_clear(&session->envelope.recipients);
	buf_clear(&session->envelope.sender);
	buf_text_append(&session->envelope.sender, sender);
	if (verdict_says_yes(&verdict))
		session->provider->counts.transactions++;
	session_carry_out(session, &verdict);
}

static size_t count_recipients(const struct session *session)
{
	struct text rest = buf_text(&session->envelope.recipients), line;
	size_t n = 0;

	while (text_token(&rest, '\n', &line))
		n += line.len > 0;
	return n;
}

static void ask_rcpt(struct session *session,
                     const struct smtp_server_event *event)
{
	struct text recipient = event->rcpt.path.address;
	struct smtp_reply usual = smtp_reply_make(250, "2.1.5", "Recipient ok");
	struct verdict verdict;

	limits_recipient(&session->provider->options.limits,
	                 count_recipients(session), &usual);
	verdict = verdict_for(session, STAGE_RCPT, recipient, 0, usual);

	if (verdict_says_yes(&verdict)) {
		buf_text_append(&session->envelope.recipients, recipient);
		buf_putc(&session->envelope.recipients, '\n');
	}
	session_carry_out(session, &verdict);
}

/* As verdict_for(), for the message at hand. */
static struct verdict verdict_for_message(struct session *session,
                                          enum stage stage, uint64_t progress,
                                          struct smtp_reply usual)
{
	struct buf parties = BUF_INIT(1024 * 1024);
	struct verdict verdict = { .reply = usual };

	if (!session->provider->script)
		return verdict;
	buf_text_append(&parties, buf_text(&session->envelope.sender));
	buf_putc(&parties, '\n');
	buf_text_append(&parties, buf_text(&session->envelope.recipients));
	verdict = verdict_for(session, stage, buf_text(&parties), progress,
	                      usual);
	buf_free(&parties);
	return verdict;
}

static void ask_data(struct session *session,
                     const struct smtp_server_event *event)
{
	struct verdict verdict = verdict_for_message(session, STAGE_DATA, 0,
		smtp_reply_make(354, NULL,
		                "End data with <CR><LF>.<CR><LF>"));

	(void)event;
	if (verdict.reply.code == 354 && rule_answers(verdict.rule))
		incoming_begin(&session->incoming, &session->provider->mailbox);
	session->body_octets = 0;
	session->body_ruled = false;
	session_carry_out(session, &verdict);
}

/* In the middle of the data no question is open: a reply goes past the engine,
 * and the connection ends with it. */
static void interrupt_body(struct session *session, const struct rule *rule)
{
	struct buf out = BUF_INIT(4096);

	if (rule->reply.code && !rule->raw)
		smtp_reply_print(&out, &rule->reply);
	if (rule->raw)
		buf_append(&out, rule->raw, rule->raw_len);
	outbox_send(&session->outbox, buf_text(&out).data, buf_len(&out));
	buf_free(&out);
	if (rule->deed == DEED_GARBAGE)
		session_say_garbage(session, &(struct verdict){ .rule = rule });
	session->then = rule->deed == DEED_RESET ? RESET
	              : rule->deed == DEED_HANG ? HANG : CLOSE;
	if (session->then == HANG)
		stream_pause(session->stream); /* and take no more of it */
}

static void take_chunk(struct session *session,
                       const struct smtp_server_event *event)
{
	const struct rule *rule;

	session->body_octets += event->chunk.len;
	incoming_write(&session->incoming, event->chunk);
	if (session->body_ruled)
		return;
	rule = verdict_for_message(session, STAGE_BODY, session->body_octets,
	                           (struct smtp_reply){ 0 }).rule;
	if (!rule)
		return;
	session->body_ruled = true;
	if (rule->deed == DEED_DELAY)
		session_start_delay(session, rule->amount);
	else
		interrupt_body(session, rule);
}

static void fill_envelope(struct session *session, uint64_t octets)
{
	struct envelope *envelope = &session->envelope;

	envelope->octets = octets;
	envelope->client = session->client;
	envelope->helo = session->helo;
	envelope->user = session->user[0] ? session->user : NULL;
	envelope->tls_version = session->tls_version[0]
	                        ? session->tls_version : NULL;
	envelope->tls_cipher = session->tls_cipher[0]
	                       ? session->tls_cipher : NULL;
}

static bool take_message(struct session *session, uint64_t octets)
{
	fill_envelope(session, octets);
	if (!incoming_take(&session->incoming, &session->envelope))
		return false;
	session->messages++;
	session->provider->counts.messages++;
	session->provider->counts.octets += octets;
	return true;
}

/* Close an idle connection behind the k-th message, or whatever else the
 * script does between two messages. */
void session_rest(struct session *session)
{
	struct verdict verdict = { .rule = script_match(
		session->provider->script, STAGE_IDLE, text_of(session->client),
		session->messages) };
	struct buf out = BUF_INIT(4096);

	if (!verdict.rule || session->then != GO_ON)
		return;
	session_take_output(session);
	if (verdict.rule->reply.code) {
		smtp_reply_print(&out, &verdict.rule->reply);
		outbox_send(&session->outbox, buf_text(&out).data,
		            buf_len(&out));
		buf_free(&out);
	}
	if (verdict.rule->deed == DEED_GARBAGE)
		session_say_garbage(session, &verdict);
	else if (verdict.rule->deed == DEED_CLOSE)
		session->then = CLOSE;
	else if (verdict.rule->deed == DEED_RESET)
		session->then = RESET;
	else if (verdict.rule->deed == DEED_HANG)
		session->then = HANG;
	else if (verdict.rule->deed == DEED_DELAY)
		session_start_delay(session, verdict.rule->amount);
}

static uint64_t count_sessions(const struct session *session)
{
	const struct session *other = session->provider->sessions;
	uint64_t n = 0;

	for (; other != NULL; other = other->next)
		n++;
	return n;
}

static void ask_data_end(struct session *session,
                         const struct smtp_server_event *event)
{
	struct smtp_reply usual = smtp_reply_make(250, "2.0.0",
	                                          "Message taken");
	struct verdict verdict;
	bool take;

	limits_message(&session->provider->options.limits,
	               count_recipients(session), count_sessions(session),
	               loop_now_ms(session->provider->loop), &usual);
	verdict = verdict_for_message(session, STAGE_DATA_END, 0, usual);
	take = verdict_says_yes(&verdict) || (verdict.rule && verdict.rule->keep);

	if (take && !take_message(session, event->data_end->octets))
		verdict = (struct verdict){ .reply = smtp_reply_make(452,
			"4.3.1", "The message could not be stored") };
	incoming_drop(&session->incoming);
	verdict.ends_message = true;
	session_carry_out(session, &verdict);
	if (!session->delayed)
		session_rest(session);
}

static void note_reset(struct session *session,
                       const struct smtp_server_event *event)
{
	(void)event;
	incoming_drop(&session->incoming);
}

static void note_refused(struct session *session,
                         const struct smtp_server_event *event)
{
	(void)session, (void)event;
}

static void note_close(struct session *session,
                       const struct smtp_server_event *event)
{
	(void)event;
	session->then = CLOSE;
}

static void (*const handlers[])(struct session *session,
                                const struct smtp_server_event *event) = {
	[SMTP_SERVER_EV_CONNECT] = ask_connect,
	[SMTP_SERVER_EV_EHLO] = ask_ehlo,
	[SMTP_SERVER_EV_STARTTLS] = ask_starttls,
	[SMTP_SERVER_EV_AUTH] = ask_auth,
	[SMTP_SERVER_EV_AUTH_RESPONSE] = ask_auth_response,
	[SMTP_SERVER_EV_MAIL] = ask_mail,
	[SMTP_SERVER_EV_RCPT] = ask_rcpt,
	[SMTP_SERVER_EV_DATA] = ask_data,
	[SMTP_SERVER_EV_DATA_CHUNK] = take_chunk,
	[SMTP_SERVER_EV_DATA_END] = ask_data_end,
	[SMTP_SERVER_EV_REFUSED] = note_refused,
	[SMTP_SERVER_EV_RESET] = note_reset,
	[SMTP_SERVER_EV_CLOSE] = note_close,
};

void session_handle(struct session *session,
                    const struct smtp_server_event *event)
{
	handlers[event->type](session, event);
}

/* --- questions the engine does not ask ----------------------------------- */

void session_handshake(struct session *session)
{
	struct verdict verdict = verdict_for(session, STAGE_TLS,
		text_of(session->client), 0, (struct smtp_reply){ 0 });
	enum deed deed = verdict.rule ? verdict.rule->deed : DEED_ANSWER;

	session->tls_begun = true;
	session->then = GO_ON;
	if (deed == DEED_CLOSE)
		session->then = CLOSE;
	else if (deed == DEED_RESET)
		session->then = RESET;
	else if (deed == DEED_HANG)
		session->then = HANG;
	else if (deed == DEED_GARBAGE)
		session->held = verdict; /* for when ClientHello comes */
	else if (deed == DEED_DELAY)
		session_start_delay(session, verdict.rule->amount);
	session->garbage_waits = deed == DEED_GARBAGE;
	session->tls_waits = deed == DEED_DELAY;
	if (deed == DEED_ANSWER)
		stream_start_tls(session->stream, session->provider->tls, NULL);
}
