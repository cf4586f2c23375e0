/*
 * session -- one submission connection: it answers the engine's questions.
 *
 * The protocol is proto/smtp_server's; what is decided here is policy, and
 * what takes time: a message is answered 250 when the store has it.  A device
 * that hangs up while that is under way changes nothing: a committed message
 * is delivered, and the session ends when the disk is done.
 *
 * TLS begins with the first byte, or by STARTTLS, as the listener says; what it
 * costs is told in session_tls.c.  A login is asked for as listener and device
 * say: of any login nothing is kept.
 *
 * Deadlines: `timeout` for a whole command, however it trickles, and for a
 * stretch of data that brings less than 500 octets a second.
 */
#ifndef RELAY_INBOUND_SESSION_H
#define RELAY_INBOUND_SESSION_H

#include "relay/config/config.h"
#include "relay/inbound/limits.h"
#include "relay/inbound/listener_files.h"
#include "relay/net/stream.h"
#include "relay/services.h"

struct session;

struct session_settings {
	struct services *services;
	const char *listener;        /* name; looked up in each configuration */
	struct listener_files *files; /* the session takes a reference */
	struct limits *limits;        /* the listener's */
	/* The greeting: 220 when NULL, else the words of the 554. */
	const char *refusal;
	void (*on_end)(void *ctx, struct session *session);
	void *ctx;
};

/* Takes the stream over, and a reference to the configuration. */
struct session *session_new(const struct session_settings *settings,
                            struct stream **stream);
const struct address *session_client(const struct session *session);
/* Shutdown: idle ones are told 421 and closed, busy ones when their message
 * is through; now: all at once, except those in the middle of a commit. */
void session_drain(struct session *session, bool now);
/* The end of the process: the store is closed, no callback will come. */
void session_abort(struct session *session);

#endif
