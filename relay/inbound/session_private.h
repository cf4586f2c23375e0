/*
 * session_private -- what the files of a session share, and nobody else
 * includes: session.c (the pump, the stream, deadlines, life), session_mail.c
 * (MAIL to the end of data), session_login.c (AUTH), session_tls.c (TLS from
 * the first byte or by STARTTLS), session_log.c.
 */
#ifndef RELAY_INBOUND_SESSION_PRIVATE_H
#define RELAY_INBOUND_SESSION_PRIVATE_H

#include "proto/smtp_server.h"
#include "relay/inbound/listener_files.h"
#include "relay/inbound/session.h"
#include "relay/inbound/transaction.h"

enum { SESSION_TAIL = 16 };

struct session_login;

struct session {
	struct session_settings settings; /* refusal is ours */
	struct services *services;
	struct config *config;        /* in force when the transaction began */
	const struct listener_config *listener;
	const struct device_config *device; /* NULL: it has no name */
	struct listener_files *files; /* in force when the session began */
	struct stream *stream;        /* NULL once the device is gone */
	struct smtp_server *smtp;
	struct transaction *transaction;
	struct client_hold hold;      /* its place in the client's minute */
	message_id answered;          /* 250, and no word came since; or 0 */
	struct envelope *refused;     /* whose data is refused, until its end */
	struct session_login *login;  /* between AUTH and its verdict */
	struct timer *deadline;
	struct address client;
	char client_text[ADDRESS_TEXT_MAX];
	char *helo;
	char *user;                   /* who logged in by a file */
	enum login login_kind;        /* as the session began */
	unsigned failed_logins;
	uint64_t window_octets;       /* of data, in the present window */
	uint64_t secured_from;        /* when the handshake began */
	uint8_t tail[SESSION_TAIL];   /* the last octets of the data */
	unsigned n_tail;
	bool is_esmtp, logged_in, draining;
	bool hung_up;                 /* while a question was open */
	bool securing;                /* the handshake is under way */
	bool pumping;                 /* do not enter again */
	bool unread_replies;          /* the device does not read them */
};

/* ---- session.c ---- */

#define SESSION_STOPPING "lanpost is stopping, try again in a minute"

/* The configuration now in force, until the next transaction. */
void session_take_config(struct session *session);
void session_pump(struct session *session);
void session_update_reading(struct session *session);
/* Reply, with a line in the log unless it is a good one. */
void session_answer(struct session *session, const char *command,
                    const struct smtp_reply *reply);
/* Closed, and freed unless a commit is under way. */
void session_end(struct session *session);
void session_free(struct session *session);

/* ---- session_mail.c ---- */

void session_on_mail(struct session *session,
                     const struct smtp_server_event *event);
void session_on_rcpt(struct session *session,
                     const struct smtp_server_event *event);
void session_on_data(struct session *session);
void session_on_chunk(struct session *session, struct text chunk);
void session_on_data_end(struct session *session,
                         const struct smtp_data_stats *stats);
void session_on_reset(struct session *session);
bool session_is_committing(const struct session *session);

/* ---- session_login.c ---- */

#define SESSION_MECHANISMS "PLAIN LOGIN"

/* What the listener and the device say of logins for this client. */
enum login session_login_kind(const struct session *session);
bool session_offers_login(const struct session *session, bool secure);
void session_on_auth(struct session *session,
                     const struct smtp_server_event *event);
void session_on_auth_response(struct session *session,
                              const struct smtp_server_event *event);
void session_login_free(struct session *session);

/* ---- session_tls.c ---- */

unsigned session_capabilities(const struct session *session, bool secure);
void session_on_starttls(struct session *session);
/* stream_callbacks.on_secure or on_end(TLS) follows. */
void session_start_tls(struct session *session);
void session_on_secure(void *owner, const struct tls_peer_info *info);
void session_on_tls_failure(struct session *session, const char *why);
void session_on_tls_timeout(struct session *session);
void session_on_tls_hello(struct session *session);

/* ---- session_log.c ---- */

void session_log_rejected(struct session *session, const char *command,
                          const struct smtp_reply *reply);
/* Of a MAIL or RCPT, and of the address it names. */
void session_log_rejected_address(struct session *session, const char *command,
                                  struct text address,
                                  const struct smtp_reply *reply);
/* Of a MAIL that is one too many of its client (limits.h). */
void session_log_limited(struct session *session, struct text address,
                         const struct smtp_reply *reply);
/* The engine's own refusals. */
void session_log_refused(struct session *session,
                         const struct smtp_server_event *event);
void session_log_failed_login(struct session *session, struct text user,
                              const struct smtp_reply *reply);
/* The data ends without its end: by a hang-up, or by reply. */
void session_log_unfinished(struct session *session,
                            const struct smtp_reply *reply);
void session_log_trace(void *ctx, enum smtp_side said_by, struct text line);
/* Remember the last octets, for session_log_unfinished(). */
void session_note_tail(struct session *session, const void *data, size_t len);

#endif
