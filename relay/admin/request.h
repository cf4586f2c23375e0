/*
 * request -- one question to the API, and its answer, whoever carries them:
 * HTTP (control.h), or a command where no server runs (api.h).
 *
 * The one answer is JSON.  What goes wrong is answered too, as
 *
 *     {"error": "a sentence", "fix": "what to do, or null"}
 *
 * with a status of HTTP: 400 the question is wrong, 404 there is no such
 * thing, 405 the wrong method, 409 not in this state, 413 too long, 503 not
 * now.
 */
#ifndef RELAY_ADMIN_REQUEST_H
#define RELAY_ADMIN_REQUEST_H

#include <jansson.h>
#include "relay/config/config.h"

struct route;

enum {
	ANSWER_OK = 200,
	ANSWER_WRONG = 400,
	ANSWER_UNKNOWN = 404,
	ANSWER_METHOD = 405,
	ANSWER_UNFIT = 409,
	ANSWER_TOO_LONG = 413,
	ANSWER_NOT_NOW = 503
};

struct request {
	char *method, *path;
	json_t *arguments;         /* of the query: strings by name */
	const struct route *route;
	char *subject;             /* what stands for '*' in the route's path */
	struct config *config;     /* a reference of the loop's; read-only */
	const char *spool;         /* folder; the carrier's */
	json_t *live;              /* what the running server says; NULL: none
	                              runs, or it has nothing to say */
	unsigned status;           /* 0: not answered yet */
	json_t *answer;
	/* The loop's part is over. */
	void (*done)(struct request *request);
};

/* The config stays: it is given back on the loop. */
void request_clear(struct request *request);

/* NULL: it was not given. */
const char *request_argument(const struct request *request, const char *name);

void request_answer(struct request *request, unsigned status, json_t *answer);
/* fix may be NULL. */
void request_fail(struct request *request, unsigned status, const char *fix,
                  const char *format, ...)
	__attribute__((format(printf, 4, 5)));

#endif
