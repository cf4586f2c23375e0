#include "relay/inbound/session_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base64.h"
#include "proto/sasl.h"
#include "proto/xalloc.h"

enum { FAILED_LOGINS_MAX = 3, CHALLENGE_MAX = 200 };

/* One AUTH, until its verdict. */
struct session_login {
	struct sasl_server sasl;
	bool known;                 /* sasl knows the mechanism */
	struct login_check *check;  /* of the password; NULL: not yet */
};

/* ---- who must, who may ---- */

/* A device may be let off the login of its listener, but a stranger from a
 * public network comes in by that login alone. */
static bool must_prove_itself(const struct session *session)
{
	return session->listener->auth.kind == LOGIN_FILE &&
	       !session->listener->allow_public &&
	       !address_is_private(&session->client);
}

enum login session_login_kind(const struct session *session)
{
	if (session->device != NULL && session->device->auth_any &&
	    !must_prove_itself(session))
		return LOGIN_ANY;
	return session->listener->auth.kind;
}

/* A password that counts is not asked for in the clear, unless the listener
 * has nothing else. */
bool session_offers_login(const struct session *session, bool secure)
{
	switch (session->login_kind) {
	case LOGIN_OFF:
		return false;
	case LOGIN_ANY:
		return true;
	case LOGIN_FILE:
		break;
	}
	return secure || session->listener->tls == LISTENER_TLS_OFF;
}

/* ---- the verdict ---- */

void session_login_free(struct session *session)
{
	struct session_login *login = session->login;

	if (login == NULL)
		return;
	login_check_cancel(&login->check);
	sasl_server_free(&login->sasl);
	free(login);
	session->login = NULL;
}

static void succeed(struct session *session)
{
	if (session->login_kind == LOGIN_FILE)
		session->user =
			text_dup(buf_text(&session->login->sasl.username));
	session->logged_in = true;
	session_login_free(session);
	smtp_server_replyf(session->smtp, 235, "2.7.0", "Welcome");
}

/* Nothing is wrong with what was said. */
static void put_off(struct session *session, const char *text)
{
	struct smtp_reply reply = smtp_reply_make(454, "4.7.0", text);

	session_log_failed_login(
		session, buf_text(&session->login->sasl.username), &reply);
	session_login_free(session);
	smtp_server_reply(session->smtp, &reply);
}

static void deny(struct session *session, int code, const char *status,
                 const char *text)
{
	struct smtp_reply reply = smtp_reply_make(code, status, text);

	session_log_failed_login(
		session, buf_text(&session->login->sasl.username), &reply);
	session_login_free(session);
	smtp_server_reply(session->smtp, &reply);
	if (++session->failed_logins >= FAILED_LOGINS_MAX)
		smtp_server_goodbye(session->smtp, 421, "4.7.0",
		                    "Too many failed logins, closing the "
		                    "connection");
}

static void on_verdict(void *ctx, enum login_verdict verdict)
{
	struct session *session = ctx;

	session->login->check = NULL; /* it is gone */
	switch (verdict) {
	case LOGIN_RIGHT:
		succeed(session);
		break;
	case LOGIN_WRONG:
		deny(session, 535, "5.7.8", "User name or password is wrong");
		break;
	case LOGIN_UNREADABLE:
		put_off(session, "Logins cannot be checked now, try again "
		                 "later");
		break;
	}
	session_pump(session);
}

static void check(struct session *session)
{
	struct session_login *login = session->login;

	login->check = login_check_start(session->files->logins,
	                                 buf_text(&login->sasl.username),
	                                 buf_text(&login->sasl.password),
	                                 on_verdict, session);
	buf_wipe(&login->sasl.password);
	if (login->check == NULL)
		put_off(session, "Too many logins at once, try again in a "
		                 "minute");
}

/* ---- the dialogue ---- */

static void ask_on(struct session *session, struct text challenge)
{
	struct buf encoded = BUF_INIT(CHALLENGE_MAX);

	base64_encode(&encoded, challenge);
	smtp_server_replyf(session->smtp, 334, NULL, "%s",
	                   buf_string(&encoded));
	buf_free(&encoded);
}

/* A device that insists is content with any mechanism, as long as it is asked
 * once and then believed.  The form is CRAM-MD5's (RFC 2195 2). */
static void believe(struct session *session, bool has_response)
{
	char challenge[CHALLENGE_MAX / 2];

	if (has_response) {
		succeed(session);
		return;
	}
	snprintf(challenge, sizeof challenge, "<%llu@lanpost>",
	         (unsigned long long)loop_now_ms(session->services->loop));
	ask_on(session, text_of(challenge));
}

static void step(struct session *session,
                 const struct smtp_server_event *event)
{
	bool any = session->login_kind == LOGIN_ANY;
	struct text challenge;

	if (!session->login->known) {
		believe(session, event->auth.has_response);
		return;
	}
	switch (sasl_server_step(&session->login->sasl,
	                         event->auth.has_response,
	                         event->auth.response, &challenge)) {
	case SASL_SERVER_CHALLENGE:
		ask_on(session, challenge);
		return;
	case SASL_SERVER_DONE:
		if (any)
			succeed(session);
		else
			check(session);
		return;
	case SASL_SERVER_BAD:
		break;
	}
	if (any)
		succeed(session);
	else
		deny(session, 535, "5.7.8", "The login cannot be read");
}

/* The engine asks for mechanisms that were offered, or, where any login will
 * do, for whatever the device says. */
void session_on_auth(struct session *session,
                     const struct smtp_server_event *event)
{
	session_login_free(session); /* one that was cancelled */
	session->login = xcalloc(1, sizeof *session->login);
	session->login->known = sasl_server_init(&session->login->sasl,
	                                         event->auth.mechanism);
	step(session, event);
}

void session_on_auth_response(struct session *session,
                              const struct smtp_server_event *event)
{
	step(session, event);
}
