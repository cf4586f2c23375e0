/*
 * session_internal -- a session as its three files see it: session.c moves
 * octets, stages.c answers the engine's questions, verdict.c carries out what
 * was decided.
 */
#ifndef TESTS_PROVIDER_SESSION_INTERNAL_H
#define TESTS_PROVIDER_SESSION_INTERNAL_H

#include "proto/smtp_server.h"
#include "tests/provider/login.h"
#include "tests/provider/outbox.h"
#include "tests/provider/session.h"

/* What follows once the outbox is empty. */
enum next_step { GO_ON, START_TLS, HANG, CLOSE, RESET };

/* What is to be said at a stage, and the rule that made it so. */
struct verdict {
	struct smtp_reply reply;
	const struct rule *rule;
	bool ends_message;
};

struct session {
	struct session *next, **link;
	struct provider *provider;
	struct stream *stream;
	struct smtp_server *server;
	struct outbox outbox;
	enum next_step then;
	bool hanging, tls_begun;
	/* A delay: the question that is open waits, verdict in hand. */
	struct timer *delay;
	bool delayed, has_held, tls_waits, garbage_waits;
	struct verdict held;
	bool no_starttls, body_ruled;
	uint64_t body_octets, messages;
	struct login login;
	struct incoming incoming;
	struct envelope envelope;
	char client[ADDRESS_TEXT_MAX], helo[256], user[256];
	char tls_version[32], tls_cipher[80];
};

/* session.c */
unsigned session_capabilities(const struct session *session, bool secure);
void session_proceed(struct session *session);

/* stages.c */
void session_handle(struct session *session,
                    const struct smtp_server_event *event);
void session_handshake(struct session *session);
/* Between two messages: what the script does to an idle connection. */
void session_rest(struct session *session);

/* verdict.c */
struct verdict verdict_for(struct session *session, enum stage stage,
                           struct text subject, uint64_t progress,
                           struct smtp_reply usual);
bool verdict_says_yes(const struct verdict *verdict);
/* The rule's deed, or simply the reply. */
void session_carry_out(struct session *session, const struct verdict *verdict);
void session_take_output(struct session *session);
void session_say_garbage(struct session *session,
                         const struct verdict *verdict);
void session_start_delay(struct session *session, uint64_t ms);

#endif
