/*
 * smtp_server -- the server side of one SMTP session, without I/O.
 *
 * Bytes from the peer go in through smtp_server_feed(); decoded events come
 * out of smtp_server_next(); an event that asks a question is answered once,
 * with smtp_server_reply(); bytes for the peer are taken from
 * smtp_server_output().  While a question is open next() returns NONE, so
 * pipelined commands are answered in order (RFC 2920) and a slow disk only
 * delays the reply it belongs to.
 *
 *     feed(bytes); while (next(&event) != NONE) answer(event); flush(output)
 *
 * The engine answers by itself whatever is protocol rather than policy: NOOP,
 * HELP, RSET, VRFY, unknown verbs (500), bad syntax (501), bad order (503),
 * BDAT (502, and the session ends, since its payload would read as commands).
 * It refuses by itself, at the end of data, mail that is larger than allowed
 * (552 5.3.4) or holds NUL (554 5.6.0).  Each refusal is told as EV_REFUSED, so
 * that a log can name it.
 *
 * It is kind where that gives the bytes no second meaning, and tells by
 * smtp_server_quirks() what it forgave:
 *  - Envelope fields that reach the caller hold no control characters.
 *  - MAIL inside a transaction is 503 (RFC 5321 4.1.4), but for one whose every
 *    recipient was refused: it can carry no mail, so RESET is told and the next
 *    one begins (NESTED_MAIL).
 *  - A RCPT that names several is asked about one by one and answered once,
 *    with the worst of the answers; those accepted stay (SEVERAL_RCPT).
 *  - Behind STARTTLS, MAIL and AUTH may come without EHLO; then no EV_EHLO
 *    comes, and the old name holds (NO_HELO).
 *  - What looks like a header field where a command belongs, and behind the end
 *    of data or a refused DATA what is no command, ends the session: a client
 *    talks over a refusal, or behind a lone dot in its message (421 4.7.0).
 *
 * See also: smtp_client.h (the other side), smtp_data.h (dots, line ends).
 * RFC 5321, 1870, 2034, 2920, 3207, 4954, 6152.
 */
#ifndef PROTO_SMTP_SERVER_H
#define PROTO_SMTP_SERVER_H

#include "proto/smtp_caps.h"
#include "proto/smtp_data.h"
#include "proto/smtp_params.h"
#include "proto/smtp_path.h"
#include "proto/smtp_reply.h"
#include "proto/smtp_trace.h"

struct smtp_server;

#define SMTP_SERVER_STATE_MAP(X)                                         \
	X(CONNECT, "greeting not sent yet")                              \
	X(START,   "greeting sent, EHLO expected")                       \
	X(READY,   "EHLO done, no mail transaction")                     \
	X(MAIL,    "reverse-path accepted")                              \
	X(RCPT,    "at least one forward-path accepted")                 \
	X(DATA,    "354 sent, mail data arriving")                       \
	X(AUTH,    "334 sent, SASL response expected")                   \
	X(TLS,     "220 to STARTTLS sent, handshake expected")           \
	X(REFUSED, "554 greeting sent, QUIT expected")                   \
	X(CLOSED,  "221 or 421 sent, flush and close")

enum smtp_server_state {
#define X(name, meaning) SMTP_SERVER_##name,
	SMTP_SERVER_STATE_MAP(X)
#undef X
};

enum smtp_server_event_type {
	SMTP_SERVER_EV_NONE,          /* feed more, or answer what is open */
	SMTP_SERVER_EV_CONNECT,       /* question: 220, or 554 or 421 */
	SMTP_SERVER_EV_EHLO,          /* question: helo_name, is_esmtp; a 250
	                                 says our name and gets the
	                                 capabilities added */
	SMTP_SERVER_EV_STARTTLS,      /* question: 220, then handshake; where
	                                 commands came behind it the engine says
	                                 554 in its place, REFUSED and CLOSE */
	SMTP_SERVER_EV_AUTH,          /* question: mechanism, initial response;
	                                 334 asks on, 235 or 535 ends */
	SMTP_SERVER_EV_AUTH_RESPONSE, /* question: the next SASL response */
	SMTP_SERVER_EV_MAIL,          /* question: path, mail_params */
	SMTP_SERVER_EV_RCPT,          /* question: path, rcpt_params */
	SMTP_SERVER_EV_DATA,          /* question: 354 or 4xx/5xx */
	SMTP_SERVER_EV_DATA_CHUNK,    /* news: content, dots removed, CRLF only */
	SMTP_SERVER_EV_DATA_END,      /* question: 250 once it is durable */
	SMTP_SERVER_EV_REFUSED,       /* news: the engine itself refused command
	                                 with reply; a transaction it ends is
	                                 told by RESET */
	SMTP_SERVER_EV_RESET,         /* news: the open transaction is gone */
	SMTP_SERVER_EV_TLS_HELLO,     /* news: the peer speaks TLS where plain
	                                 SMTP is spoken; CLOSE follows */
	SMTP_SERVER_EV_CLOSE,         /* news: flush the output and close */
};

/* Views inside an event stay valid until the next call on the same server. */
struct smtp_server_event {
	enum smtp_server_event_type type;
	union {
		struct { struct text helo_name; bool is_esmtp; } ehlo;
		/* response: decoded from base64 */
		struct { struct text mechanism, response; bool has_response; } auth;
		struct { struct smtp_path path; struct smtp_mail_params params; } mail;
		struct { struct smtp_path path; struct smtp_rcpt_params params; } rcpt;
		struct { struct text command; struct smtp_reply reply; } refused;
		const struct smtp_data_stats *data_end;
		struct text chunk;
	};
};

/* What a device did otherwise than the RFCs have it, and was forgiven; see
 * also SMTP_PATH_REPAIR_MAP.  Those of the session stay until its end (TLS
 * begins it anew), those of a transaction until the next MAIL. */
#define SMTP_QUIRK_MAP(X)                                                  \
	X(PREGREET, SESSION, "command before the greeting")                \
	X(TELNET, SESSION, "telnet negotiation dropped")                   \
	X(HELO_EMPTY, SESSION, "HELO without a name")                      \
	X(HELO_ODD, SESSION, "HELO name that is no name")                  \
	X(NO_HELO, SESSION, "no HELO")                                     \
	X(EMPTY_LINES, SESSION, "empty lines between commands")            \
	X(AUTH_UNOFFERED, SESSION, "login that was not offered")           \
	X(NESTED_MAIL, TRANSACTION, "MAIL inside a transaction")           \
	X(PARAMETER, TRANSACTION, "parameter that was not offered")        \
	X(SEVERAL_RCPT, TRANSACTION, "several recipients in one command")  \
	X(LF_END, TRANSACTION, "LF.LF taken as the end of data")

enum smtp_quirk {
#define X(name, lasts, text) SMTP_QUIRK_BIT_##name,
	SMTP_QUIRK_MAP(X)
#undef X
	SMTP_QUIRKS
};
#define SMTP_QUIRK(name) (1u << SMTP_QUIRK_BIT_##name)
const char *smtp_quirk_text(enum smtp_quirk quirk);

struct smtp_server_settings {
	const char *hostname;          /* said in 221; NULL: left out */
	unsigned    capabilities;      /* SMTP_CAP() bits offered in EHLO */
	const char *mechanisms;        /* "PLAIN LOGIN" if AUTH is offered */
	uint64_t    max_message_size;  /* octets, announced by SIZE; 0: no limit */
	unsigned    max_recipients;    /* accepted a transaction; then 452 4.5.3 */
	unsigned    max_bad_commands;  /* with none that the caller accepted
	                                  between; then 421 4.7.0 */
	bool single_line_ehlo;         /* answer EHLO like HELO */
	bool any_login;                /* AUTH is asked about though it was not
	                                  offered, with any mechanism */
	bool lf_end_of_data;           /* smtp_data.h */
	bool tls_required;             /* 530 5.7.0 before STARTTLS */
	bool login_required;           /* 530 5.7.0 to MAIL before AUTH */
	bool strict;                   /* what is a quirk or a path repair is
	                                  refused, with 5xx and the reason; but
	                                  for source routes (RFC 5321's own) and
	                                  what the settings above ask for */
	struct smtp_trace trace;
};

/* The settings are copied, the strings in them are not: they outlive it. */
struct smtp_server *
smtp_server_new(const struct smtp_server_settings *settings);
void smtp_server_free(struct smtp_server **server);

/* Give bytes from the peer.  They stay in place until next() has returned
 * NONE; what is unread by then is kept, and while anything is kept because a
 * question is open the caller stops reading (smtp_server_is_full()). */
void smtp_server_feed(struct smtp_server *server, const void *data, size_t len);
bool smtp_server_is_full(const struct smtp_server *server);

enum smtp_server_event_type
smtp_server_next(struct smtp_server *server, struct smtp_server_event *event_r);

/* Answer the open question.  The code decides the next state. */
void smtp_server_reply(struct smtp_server *server,
                       const struct smtp_reply *reply);
/* status: "2.1.0", or NULL where none belongs (220, 250 to EHLO, 3xx). */
void smtp_server_replyf(struct smtp_server *server, int code,
                        const char *status, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* While data arrives: take no more of it, and answer its end with this
 * instead of asking.  EV_RESET comes at once, EV_REFUSED with the answer. */
void smtp_server_refuse_data(struct smtp_server *server, int code,
                             const char *status, const char *text);

/* End the session from outside (time-out, shutdown): the reply, then CLOSED.
 * No question may be open. */
void smtp_server_goodbye(struct smtp_server *server, int code,
                         const char *status, const char *text);

/* The handshake is done: forget the greeting, capabilities and all that was
 * read in the clear (RFC 3207 4.2); offer these capabilities from now on.
 * Where TLS comes first (RFC 8314) it is called before the first next(). */
void smtp_server_tls_established(struct smtp_server *server,
                                 unsigned capabilities);

/* SMTP_QUIRK() bits of the session and of the present transaction. */
unsigned smtp_server_quirks(const struct smtp_server *server);

/* Of the data that arrives, or came last: for a log of what never ended.
 * lf_dot tells of a device that says LF.LF. */
const struct smtp_data_stats *
smtp_server_data_stats(const struct smtp_server *server);

/* Bytes for the peer, valid until the next call; 0 when there are none. */
size_t smtp_server_output(struct smtp_server *server, const void **data_r);
void   smtp_server_output_sent(struct smtp_server *server, size_t len);

enum smtp_server_state smtp_server_state(const struct smtp_server *server);
const char *smtp_server_state_text(enum smtp_server_state state);
/* A question is open: the peer waits for us, not we for the peer. */
bool smtp_server_is_asking(const struct smtp_server *server);

#endif
