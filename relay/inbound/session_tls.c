#include "relay/inbound/session_private.h"

#include <stdlib.h>

#include "relay/report/log.h"

/* What TLS costs: about 15 KiB for each client that stays connected, idle or
 * not (2.5 KiB without TLS), so 17 MiB for a listener that is full with
 * max_connections = 1000; and half a megabyte at the most while a handshake
 * goes on, for who sends more than it needs. */

enum {
	HANDSHAKE_MS = 60 * 1000,  /* at most; less with a shorter timeout */
	PROBE_MS = 3 * 1000        /* who leaves sooner has waited for nothing */
};

unsigned session_capabilities(const struct session *session, bool secure)
{
	enum listener_tls tls = session->listener->tls;
	unsigned set = SMTP_CAP(SIZE) | SMTP_CAP(PIPELINING) |
	               SMTP_CAP(8BITMIME) | SMTP_CAP(ENHANCEDSTATUSCODES);

	if (!secure && (tls == LISTENER_TLS_STARTTLS ||
	                tls == LISTENER_TLS_REQUIRED))
		set |= SMTP_CAP(STARTTLS);
	if (session_offers_login(session, secure))
		set |= SMTP_CAP(AUTH);
	return set;
}

/* ---- the handshake ---- */

void session_on_starttls(struct session *session)
{
	smtp_server_replyf(session->smtp, 220, "2.0.0", "Ready for TLS");
}

void session_start_tls(struct session *session)
{
	uint64_t timeout = (uint64_t)session->listener->timeout_ms;

	session->securing = true;
	session->secured_from = loop_now_ms(session->services->loop);
	timer_start(session->deadline,
	            timeout < HANDSHAKE_MS ? timeout : HANDSHAKE_MS);
	stream_start_tls(session->stream, session->files->tls, NULL);
}

void session_on_secure(void *owner, const struct tls_peer_info *info)
{
	struct session *session = owner;

	session->securing = false;
	timer_stop(session->deadline);
	/* What was said in the clear may have been said by anybody. */
	free(session->helo);
	session->helo = NULL;
	session->is_esmtp = false;
	log_event(LOG_DEBUG, EVENT_CONNECTED,
	          F_STR("client", session->client_text),
	          F_STR("device",
	                session->device ? session->device->name : NULL),
	          F_STR("listener", session->listener->name),
	          F_STR("tls", info->version), F_STR("cipher", info->cipher));
	smtp_server_tls_established(session->smtp,
	                            session_capabilities(session, true));
	session_pump(session);
}

/* ---- what goes wrong ---- */

static void log_tls_error(const struct session *session, const char *error,
                          const char *fix)
{
	log_event(LOG_WARN, EVENT_TLS_ERROR,
	          F_STR("client", session->client_text),
	          F_STR("device",
	                session->device ? session->device->name : NULL),
	          F_STR("listener", session->listener->name),
	          F_STR("error", error), F_STR("fix", fix));
}

static const char *fix_for_age(const struct session *session)
{
	if (session->listener->tls_min > 0x0303)
		return "set tls_min = 1.2, the default, on this listener; for "
		       "a device that is older still, set tls_min = 1.0 on a "
		       "listener for old devices";
	if (session->listener->tls_min > 0x0301)
		return "set tls_min = 1.0 on a listener for old devices";
	return "the device is too old for TLS: switch TLS off in it, and let "
	       "it use a listener with tls = off";
}

static const char *fix_for_plain(const struct session *session)
{
	if (session->listener->tls == LISTENER_TLS_IMPLICIT)
		return "on this listener TLS begins with the first byte: set "
		       "the device to SSL/TLS (not STARTTLS), or let it use a "
		       "listener with tls = starttls or off";
	return "the device must begin TLS after STARTTLS; if it does not, "
	       "switch TLS off in it, or let it use a listener with tls = off";
}

static const char *fix_for(const struct session *session)
{
	switch (stream_tls_failure(session->stream)) {
	case TLS_FAILURE_VERSION:
	case TLS_FAILURE_CIPHER:
		return fix_for_age(session);
	case TLS_FAILURE_SILENT:
	case TLS_FAILURE_NOT_TLS:
		return fix_for_plain(session);
	case TLS_FAILURE_LEFT:
	case TLS_FAILURE_CERTIFICATE:
		return "let the device trust this listener's certificate, or "
		       "switch its check off, or set tls_cert and tls_key to "
		       "one that it trusts";
	case TLS_FAILURE_NONE:
	case TLS_FAILURE_OTHER:
		break;
	}
	return "try with TLS switched off in the device, on a listener with "
	       "tls = off";
}

/* Somebody looked whether the port is open. */
static bool is_probe(const struct session *session)
{
	uint64_t now = loop_now_ms(session->services->loop);

	return session->securing &&
	       stream_tls_failure(session->stream) == TLS_FAILURE_SILENT &&
	       now - session->secured_from < PROBE_MS;
}

void session_on_tls_failure(struct session *session, const char *why)
{
	if (!is_probe(session))
		log_tls_error(session, why,
		              session->securing ? fix_for(session) : NULL);
}

void session_on_tls_timeout(struct session *session)
{
	bool silent = stream_tls_failure(session->stream) == TLS_FAILURE_SILENT;

	log_tls_error(session, silent
		? "no TLS handshake came in time: the client waits for a "
		  "greeting in the clear, or does not go on"
		: "the TLS handshake was not completed in time",
		fix_for(session));
}

void session_on_tls_hello(struct session *session)
{
	log_tls_error(session, "the client begins with TLS where the "
	              "conversation begins in the clear",
	              "if the device can do no other, let it use a listener "
	              "of its own with tls = implicit; or switch TLS off in "
	              "the device, or to STARTTLS where the listener has "
	              "tls = starttls");
}
