/*
 * http_local -- one question by HTTP to a program of this machine, over its
 * Unix socket: for commands, which may wait; never on the loop.
 *
 * No proxy, no redirect, no other protocol; the answer is bounded in size and
 * time.
 */
#ifndef RELAY_NET_HTTP_LOCAL_H
#define RELAY_NET_HTTP_LOCAL_H

#include "proto/buf.h"

struct http_local_question {
	const char *folder, *name;  /* of the socket */
	const char *method;         /* "GET", "POST" without a body */
	const char *target;         /* "/api/v1/queue?limit=10" */
	long timeout_ms;            /* for all of it */
};

enum http_local_result {
	HTTP_LOCAL_ANSWERED,
	HTTP_LOCAL_NOBODY,          /* no such socket, or nobody listens */
	HTTP_LOCAL_FAILED
};

/* ANSWERED: *status_r is HTTP's, and the body is appended to answer, whose
 * maximum counts.  Else a sentence in *error_r, a buffer of the thread. */
enum http_local_result http_local_ask(const struct http_local_question *question,
                                      struct buf *answer, long *status_r,
                                      const char **error_r);

#endif
