/*
 * smtp_client -- the client side of one SMTP session, without I/O.
 *
 * The caller moves bytes and the clock; the engine decides what to say.  It
 * walks greeting, EHLO, STARTTLS, EHLO again and AUTH by itself, then takes
 * mail transactions.  Sending and receiving have a state each: the sender runs
 * ahead of the receiver except where RFC 2920 asks it to wait.
 *
 *     feed(bytes); while (next(&event) != NONE) act(event); flush(output)
 *
 * With eager set, begin() may be called again as soon as the body of the
 * transaction before has been handed over (smtp_client_can_begin()): the next
 * MAIL, RCPT and DATA then ride behind the final dot, and a message costs one
 * round trip.  At most two transactions are open; events name theirs.
 *
 * A refusal by the server is a result, not an error: it arrives as a reply in
 * an event.  What is no SMTP, or less than the settings demand (no STARTTLS,
 * no usable mechanism), arrives as EV_FAILED with a problem.  Nothing but EHLO
 * and STARTTLS leaves before TLS is on, unless the policy is SMTP_TLS_NONE.
 *
 * RFC 5321, 1870, 2034, 2920, 3207, 4954, 6152.
 */
#ifndef PROTO_SMTP_CLIENT_H
#define PROTO_SMTP_CLIENT_H

#include "proto/sasl.h"
#include "proto/smtp_caps.h"
#include "proto/smtp_reply.h"
#include "proto/smtp_trace.h"

struct smtp_client;

enum smtp_tls_policy {
	SMTP_TLS_NONE,      /* in the clear, for loopback and tests */
	SMTP_TLS_STARTTLS,  /* required: without it the session fails */
	SMTP_TLS_IMPLICIT,  /* the stream is under TLS from the first byte */
};

/* Where a session stands, with the words for it and how long a reply may take
 * (RFC 5321 4.5.3.2), as a share of the caller's time-out in percent. */
#define SMTP_STAGE_MAP(X)                                 \
	X(GREETING, "the greeting", 100)                  \
	X(EHLO,     "the EHLO command", 100)              \
	X(STARTTLS, "the STARTTLS command", 40)           \
	X(TLS,      "the TLS handshake", 40)              \
	X(AUTH,     "the AUTH command", 100)              \
	X(READY,    "the pause between messages", 100)    \
	X(MAIL,     "the MAIL FROM command", 100)         \
	X(RCPT,     "the RCPT TO command", 100)           \
	X(DATA,     "the DATA command", 40)               \
	X(BODY,     "sending the mail data", 100)          \
	X(DATA_END, "the end of mail data", 200)          \
	X(QUIT,     "the QUIT command", 20)

enum smtp_stage {
#define X(name, text, share) SMTP_STAGE_##name,
	SMTP_STAGE_MAP(X)
#undef X
};

#define SMTP_PROBLEM_MAP(X)                                                 \
	X(NONE,       "none")                                               \
	X(REFUSED,    "the server refused")                                 \
	X(SYNTAX,     "what the server sent is no SMTP reply")              \
	X(UNEXPECTED, "the server sent a reply that nothing asked for")     \
	X(NO_STARTTLS, "the server does not offer STARTTLS")                \
	X(INJECTION,  "bytes in the clear followed the reply to STARTTLS")  \
	X(NO_AUTH,    "the server offers no login")                         \
	X(NO_MECHANISM, "the server offers no login mechanism we may use")  \
	X(ADDRESS,    "an address may not stand in an SMTP command")        \
	X(TOO_BIG,    "the message is larger than the server takes")        \
	X(NO_8BITMIME, "the server does not take 8-bit mail")

enum smtp_problem {
#define X(name, text) SMTP_PROBLEM_##name,
	SMTP_PROBLEM_MAP(X)
#undef X
};

struct smtp_client_settings {
	const char *helo_name;
	enum smtp_tls_policy tls;
	const struct sasl_credentials *credentials; /* NULL: no AUTH */
	const char *const *mechanisms; /* in order of preference, NULL-ended */
	bool pipelining;               /* use it when offered */
	bool eager;                    /* also behind the final dot */
	struct smtp_trace trace;
};

/* Addresses are as they go between the brackets.  One with a control
 * character, a bracket, or a space outside quotes never leaves: the
 * transaction is DONE at MAIL with problem ADDRESS.  So is one that the
 * server's SIZE or its want of 8BITMIME rules out; the reply is then ours. */
struct smtp_transaction {
	const char *reverse_path;        /* "" for the null path */
	const char *const *recipients;
	size_t n_recipients;
	uint64_t size;                   /* octets for SIZE=; 0: not known */
	bool size_is_least;              /* the body grows on its way: size has
	                                    to fit, but is not said */
	bool has_8bit;                   /* BODY=8BITMIME where offered */
	bool can_7bit;                   /* where it is not, the caller hands
	                                    the body over 7-bit; else the
	                                    transaction fails at once */
	void *owner;                     /* the caller's */
};

enum smtp_client_event_type {
	SMTP_CLIENT_EV_NONE,       /* feed more, or send the output */
	SMTP_CLIENT_EV_STARTTLS,   /* flush, shake hands, tls_established() */
	SMTP_CLIENT_EV_READY,      /* logged in: begin() a transaction */
	SMTP_CLIENT_EV_RECIPIENT,  /* RCPT answered: recipient, reply */
	SMTP_CLIENT_EV_BODY,       /* 354: hand over the mail data with body() */
	SMTP_CLIENT_EV_DONE,       /* the transaction ended at stage with reply;
	                              at RCPT: all were refused, no reply */
	SMTP_CLIENT_EV_FAILED,     /* the session is of no more use: stage,
	                              problem, reply; open transactions with it */
	SMTP_CLIENT_EV_CLOSED,     /* QUIT answered */
};

/* Views stay valid until the next call on the same client. */
struct smtp_client_event {
	enum smtp_client_event_type type;
	enum smtp_stage stage;
	enum smtp_problem problem;
	const struct smtp_transaction *transaction;
	size_t recipient;
	struct smtp_reply reply;
};

/* Settings are copied; the strings and credentials outlive the client. */
struct smtp_client *
smtp_client_new(const struct smtp_client_settings *settings);
void smtp_client_free(struct smtp_client **client);

/* Give bytes from the server; they stay in place until next() returned NONE. */
void smtp_client_feed(struct smtp_client *client, const void *data, size_t len);
enum smtp_client_event_type
smtp_client_next(struct smtp_client *client, struct smtp_client_event *event_r);
void smtp_client_tls_established(struct smtp_client *client);

/* Start a transaction.  It is not copied: it stays in place until its DONE, or
 * FAILED.  can_begin: READY, or eager and the body before is handed over. */
bool smtp_client_can_begin(const struct smtp_client *client);
void smtp_client_begin(struct smtp_client *client,
                       const struct smtp_transaction *transaction);
/* Mail data with CRLF lines; the engine adds dots, and with last the final
 * "." line.  Takes everything; the caller bounds what it gives by looking at
 * how much output waits. */
void smtp_client_body(struct smtp_client *client,
                      const void *data, size_t len, bool last);
void smtp_client_quit(struct smtp_client *client);

size_t smtp_client_output(struct smtp_client *client, const void **data_r);
void   smtp_client_output_sent(struct smtp_client *client, size_t len);

const struct smtp_caps *smtp_client_caps(const struct smtp_client *client);
const char *smtp_client_mechanism(const struct smtp_client *client); /* used */
/* What we wait for now: the stage of the oldest reply outstanding. */
enum smtp_stage smtp_client_stage(const struct smtp_client *client);
const char *smtp_stage_text(enum smtp_stage stage);
const char *smtp_stage_name(enum smtp_stage stage); /* "MAIL" */
unsigned smtp_stage_share(enum smtp_stage stage);   /* percent */
const char *smtp_problem_text(enum smtp_problem problem);

#endif
