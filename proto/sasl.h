/*
 * sasl -- mechanisms of AUTH, client and server side (RFC 4422, RFC 4954).
 *
 * A client mechanism is a struct at the end of its own file, sasl_NAME.c, and
 * a row in sasl.c.  Each is a function from step and challenge to response;
 * the step is all the state there is.  Secrets go into the response and
 * nowhere else.
 */
#ifndef PROTO_SASL_H
#define PROTO_SASL_H

#include "proto/buf.h"

struct sasl_credentials {
	const char *username;
	const char *secret;   /* password, or OAuth2 access token */
};

enum sasl_result {
	SASL_RESPOND,         /* send the response and wait */
	SASL_FAILED,          /* the challenge makes no sense: cancel with "*" */
};

struct sasl_mechanism {
	const char *name;     /* "LOGIN" */
	bool client_first;    /* an initial response may ride on AUTH */
	bool wants_token;     /* the secret is an OAuth2 access token */
	/* step counts from 0; challenge and response are decoded bytes. */
	enum sasl_result (*respond)(unsigned step,
	                            const struct sasl_credentials *credentials,
	                            struct text challenge,
	                            struct buf *response);
};

extern const struct sasl_mechanism sasl_plain; /* RFC 4616 */
extern const struct sasl_mechanism sasl_login; /* draft-murchison-sasl-login */

const struct sasl_mechanism *sasl_mechanism_find(struct text name);

/* The server side of PLAIN and LOGIN: what a client's responses say. */
enum sasl_server_result {
	SASL_SERVER_CHALLENGE, /* send challenge_r, wait for the next response */
	SASL_SERVER_DONE,      /* username and password are known */
	SASL_SERVER_BAD,       /* not what the mechanism allows */
};

struct sasl_server {
	enum { SASL_SERVER_PLAIN, SASL_SERVER_LOGIN } mechanism;
	unsigned step;
	struct buf username, password; /* wiped by sasl_server_free() */
};

/* False when the mechanism is not one of the two. */
bool sasl_server_init(struct sasl_server *server, struct text mechanism);
void sasl_server_free(struct sasl_server *server);
/* response: decoded; has_response false when AUTH came without an initial
 * one.  LOGIN takes a user name there, as devices send it. */
enum sasl_server_result
sasl_server_step(struct sasl_server *server, bool has_response,
                 struct text response, struct text *challenge_r);

#endif
