/*
 * upstream -- one connection to a provider: stream, SMTP engine, credentials.
 *
 * It connects, secures and logs in by itself and then takes jobs: one mail
 * transaction each, with eager pipelining a second one behind the first.  A
 * job's owner hears of each recipient, hands over the body when it is asked,
 * and gets exactly one of on_done and on_failure.
 *
 * The password is copied for the login and wiped after it.
 */
#ifndef RELAY_OUTBOUND_UPSTREAM_H
#define RELAY_OUTBOUND_UPSTREAM_H

#include "proto/smtp_client.h"
#include "relay/config/config.h"
#include "relay/net/stream.h"

struct upstream;

/* Why a connection ended. */
struct upstream_failure {
	enum {
		UPSTREAM_STREAM,   /* the network or TLS: end, words */
		UPSTREAM_SMTP,     /* the dialogue: problem, reply */
		UPSTREAM_TIMEOUT,  /* no reply in time */
	} kind;
	bool logged_in;            /* it had been of use before */
	enum smtp_stage stage;     /* where; CONNECT counts as GREETING */
	enum stream_end end;
	enum smtp_problem problem;
	struct smtp_reply reply;
	const char *words;         /* the system's, the resolver's, OpenSSL's */
	/* For a job: the connection had served before, and this job got no
	 * reply at all on it: a stale connection, not a failed attempt. */
	bool untried;
};

/* What has been reached, for the log and for `test`. */
enum upstream_step { UPSTREAM_CONNECTED, UPSTREAM_SECURED, UPSTREAM_LOGGED_IN };

struct upstream_callbacks {
	/* NULL if not wanted. */
	void (*on_step)(void *ctx, struct upstream *upstream,
	                enum upstream_step step);
	/* It can take a job (upstream_has_room()). */
	void (*on_ready)(void *ctx, struct upstream *upstream);
	/* It is over; failure NULL: in peace.  Jobs have been told before.  The
	 * owner calls upstream_close(). */
	void (*on_gone)(void *ctx, struct upstream *upstream,
	                const struct upstream_failure *failure);
};

struct upstream_settings {
	struct loop *loop;
	const struct account_config *account; /* outlives the upstream */
	const char *hostname;                 /* for EHLO; likewise */
	struct tls_context *tls;              /* NULL with tls = none */
	struct address *hint;                 /* the address that served last */
};

struct upstream_job {
	struct smtp_transaction transaction;
	void (*on_recipient)(void *ctx, size_t index,
	                     const struct smtp_reply *reply);
	/* Hand over the body with upstream_body(); called again when that had
	 * returned false and there is room. */
	void (*on_body)(void *ctx, struct upstream *upstream);
	void (*on_done)(void *ctx, enum smtp_stage stage,
	                enum smtp_problem problem,
	                const struct smtp_reply *reply);
	void (*on_failure)(void *ctx, const struct upstream_failure *failure);
	void *ctx;
	/* upstream's notes */
	struct upstream *upstream; /* that it was given to; valid in calls */
	bool had_reply;  /* something answered it */
	uint64_t said_from; /* where its dialogue begins */
};

struct upstream *upstream_open(const struct upstream_settings *settings,
                               const struct upstream_callbacks *callbacks,
                               void *ctx);
/* Says QUIT where that makes sense; jobs still open are dropped untold. */
void upstream_close(struct upstream **upstream);

bool upstream_has_room(const struct upstream *upstream);
bool upstream_is_idle(const struct upstream *upstream); /* no job at all */
bool upstream_is_logged_in(const struct upstream *upstream);
/* The job stays in place until it has been told its end. */
void upstream_begin(struct upstream *upstream, struct upstream_job *job);
/* Returns false when enough is on its way: wait for on_body. */
bool upstream_body(struct upstream *upstream, const void *data, size_t len,
                   bool last);
/* Give this job's connection up: its body cannot be had in full. */
void upstream_abort(struct upstream *upstream);

/* What has been said so far, for people (dialogue.h): while a job is told its
 * end, the session's opening and what has been said since that job began; else
 * all.  Secrets are masked.  Valid until the next call or event. */
const char *upstream_dialogue(const struct upstream *upstream);

/* What the server offers. */
const struct smtp_caps *upstream_caps(const struct upstream *upstream);

/* For the log: "smtp.example.com", "192.0.2.1:587", "LOGIN". */
const char *upstream_host(const struct upstream *upstream);
const char *upstream_peer(const struct upstream *upstream);
const char *upstream_mechanism(const struct upstream *upstream);
const struct tls_peer_info *upstream_tls(const struct upstream *upstream);
unsigned upstream_messages(const struct upstream *upstream); /* begun */

#endif
