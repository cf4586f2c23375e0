/*
 * smtp_client_private -- what the files of the client engine share, and nobody
 * else includes: smtp_client.c (bytes in and out, replies to their questions),
 * smtp_client_walk.c (greeting to login), smtp_client_mail.c (transactions).
 */
#ifndef PROTO_SMTP_CLIENT_PRIVATE_H
#define PROTO_SMTP_CLIENT_PRIVATE_H

#include "proto/smtp_client.h"
#include "proto/smtp_data.h"
#include "proto/smtp_reply_parser.h"

enum { EXPECTED_MAX = 16 }; /* groups of replies outstanding */

/* What the next replies answer: count of them, in order. */
struct expected {
	enum smtp_stage stage;
	struct slot *slot;
	size_t count;
	bool ignored;     /* the answer changes nothing */
};

enum slot_state {
	SLOT_FREE,
	SLOT_COMMANDS,    /* MAIL, RCPT, DATA are out or on their way */
	SLOT_BODY,        /* 354 came, the caller hands over the body */
	SLOT_DOT,         /* the final dot is out */
	SLOT_DONE,        /* over; DONE is still to be told */
};

/* One mail transaction.  There are two, for eager pipelining. */
struct slot {
	enum slot_state state;
	const struct smtp_transaction *transaction;
	size_t sent, answered, accepted; /* recipients */
	enum smtp_stage stage;           /* where it ended, for DONE */
	enum smtp_problem problem;
	struct smtp_reply reply;         /* its text is in words */
	struct buf words;
	bool mail_refused;
};

struct smtp_client {
	struct smtp_client_settings settings;
	enum { WALKING, READY, QUITTING, OVER } state;
	bool tls, pipelining;
	struct smtp_caps caps;
	const struct sasl_mechanism *mechanism;
	unsigned auth_rounds;
	struct expected expected[EXPECTED_MAX];
	size_t expected_first, n_expected;
	struct slot slots[2];
	struct slot *receiving;   /* the transaction begun first */
	struct slot *sending;     /* the one whose body is next or under way */
	bool needs_rset;
	struct smtp_reply_parser parser;
	struct smtp_data_writer writer;
	struct text input;
	struct buf output, failure_words;
	bool output_secret;       /* wipe it once it is sent */
};

/* smtp_client.c */
void client_expect(struct smtp_client *client, enum smtp_stage stage,
                   struct slot *slot, size_t count);
void client_say(struct smtp_client *client, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void client_trace(struct smtp_client *client, enum smtp_side side,
                  struct text line);
enum smtp_client_event_type
client_fail(struct smtp_client *client, struct smtp_client_event *event,
            enum smtp_stage stage, enum smtp_problem problem,
            const struct smtp_reply *reply);

/* What a reply means: a function for each stage. */
typedef enum smtp_client_event_type
client_got_fn(struct smtp_client *client, const struct expected *expected,
              const struct smtp_reply *reply, struct smtp_client_event *event);

/* smtp_client_walk.c */
client_got_fn client_got_greeting, client_got_ehlo, client_got_starttls,
	client_got_auth;

/* smtp_client_mail.c */
client_got_fn client_got_mail, client_got_rcpt, client_got_data,
	client_got_data_end;
enum smtp_client_event_type client_tell_done(struct smtp_client *client,
                                             struct smtp_client_event *event);

#endif
