#include "tests/provider/session.h"

#include <stdlib.h>

#include "proto/xalloc.h"
#include "tests/provider/session_internal.h"

enum { MAX_RECIPIENTS = 1000, MAX_BAD_COMMANDS = 50, ENVELOPE_MAX = 512 * 1024 };

/* --- life --------------------------------------------------------------- */

static void session_free(struct session *session)
{
	*session->link = session->next;
	if (session->next)
		session->next->link = session->link;
	stream_close(&session->stream);
	smtp_server_free(&session->server);
	outbox_free(&session->outbox);
	timer_free(&session->delay);
	login_end(&session->login);
	incoming_drop(&session->incoming);
	buf_free(&session->envelope.sender);
	buf_free(&session->envelope.recipients);
	free(session);
}

void session_end_all(struct provider *provider)
{
	while (provider->sessions)
		session_free(provider->sessions);
}

unsigned session_capabilities(const struct session *session, bool secure)
{
	const struct options *options = &session->provider->options;
	bool plain = options->tls == TLS_MODE_NONE;

	return options->caps |
	       (options->tls == TLS_MODE_STARTTLS && !secure
	                ? SMTP_CAP(STARTTLS) : 0) |
	       ((plain || secure) && *options->auth ? SMTP_CAP(AUTH) : 0);
}

/* --- the pump ----------------------------------------------------------- */

/* What is to follow, once all has been said; the session may be gone then. */
static void settle(struct session *session)
{
	if (!outbox_is_empty(&session->outbox))
		return;
	if (session->then == START_TLS)
		session_handshake(session);
	switch (session->then) {
	case GO_ON:
	case START_TLS:
		break;
	case HANG:
		session->hanging = true;
		break;
	case RESET:
		stream_reset(&session->stream);
		session_free(session);
		break;
	case CLOSE:
		session_free(session);
		break;
	}
}

static void outbox_emptied(void *ctx)
{
	settle(ctx);
}

void session_proceed(struct session *session)
{
	struct smtp_server_event event;

	while (session->then == GO_ON &&
	       smtp_server_next(session->server, &event) !=
	               SMTP_SERVER_EV_NONE)
		session_handle(session, &event);
	session_take_output(session);
	if (session->then == GO_ON && !session->tls_begun &&
	    smtp_server_state(session->server) == SMTP_SERVER_TLS)
		session->then = START_TLS;
	if (session->then == GO_ON && !session->delayed &&
	    !smtp_server_is_full(session->server))
		stream_resume(session->stream);
	settle(session);
}

/* --- the stream's news --------------------------------------------------- */

static void on_data(void *owner, const void *data, size_t len)
{
	struct session *session = owner;

	if (session->hanging || session->then != GO_ON)
		return;
	if (session->garbage_waits) {
		session_say_garbage(session, &session->held);
		session->then = HANG;
		settle(session);
		return;
	}
	smtp_server_feed(session->server, data, len);
	session_proceed(session);
}

static void on_secure(void *owner, const struct tls_peer_info *info)
{
	struct session *session = owner;

	snprintf(session->tls_version, sizeof(session->tls_version), "%s",
	         info->version);
	snprintf(session->tls_cipher, sizeof(session->tls_cipher), "%s",
	         info->cipher);
	if (smtp_server_state(session->server) == SMTP_SERVER_TLS)
		smtp_server_tls_established(session->server,
		                            session_capabilities(session, true));
	session_proceed(session);
}

static void on_drain(void *owner)
{
	(void)owner;
}

static void on_end(void *owner, enum stream_end end, const char *why)
{
	struct session *session = owner;

	if (session->provider->options.trace)
		fprintf(stderr, "%s %s: %s\n", session->client,
		        stream_end_text(end), why);
	session_free(session);
}

static void trace_line(void *ctx, enum smtp_side said_by, struct text line)
{
	const struct session *session = ctx;

	fprintf(stderr, "%s %c: %.*s\n", session->client,
	        said_by == SMTP_SIDE_CLIENT ? 'C' : 'S', TEXT_ARG(line));
}

static struct smtp_server *new_server(struct session *session)
{
	const struct options *options = &session->provider->options;
	struct smtp_server_settings settings = {
		.hostname = PROVIDER_HOSTNAME,
		.capabilities = session_capabilities(session,
			options->tls == TLS_MODE_IMPLICIT),
		.mechanisms = options->auth,
		.max_message_size = options->size,
		.max_recipients = MAX_RECIPIENTS,
		.max_bad_commands = MAX_BAD_COMMANDS,
	};

	if (options->trace)
		settings.trace = (struct smtp_trace){ trace_line, session };
	return smtp_server_new(&settings);
}

void session_start(struct provider *provider, struct stream *stream)
{
	static const struct stream_callbacks callbacks = {
		.on_secure = on_secure, .on_data = on_data,
		.on_drain = on_drain, .on_end = on_end,
	};
	struct session *session = xcalloc(1, sizeof(*session));

	session->provider = provider;
	session->stream = stream;
	session->next = provider->sessions;
	session->link = &provider->sessions;
	if (session->next)
		session->next->link = &session->next;
	provider->sessions = session;
	provider->counts.connections++;
	address_print(stream_peer(stream), session->client);
	session->server = new_server(session);
	outbox_init(&session->outbox, provider->loop, &session->stream,
	            provider->options.latency_ms, outbox_emptied, session);
	buf_init(&session->envelope.sender, ENVELOPE_MAX);
	buf_init(&session->envelope.recipients, ENVELOPE_MAX);
	stream_adopt(stream, &callbacks, session);
	if (provider->options.tls == TLS_MODE_IMPLICIT) {
		session->then = START_TLS;
		settle(session);
	} else {
		session_proceed(session);
	}
}
