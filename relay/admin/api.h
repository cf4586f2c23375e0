/*
 * api -- what can be asked of lanpost: a table of methods, paths and
 * functions.
 *
 * A request passes one or two places:
 *
 *     ask    on the loop: what the running server knows, or is to do (desk.h);
 *            it ends with request->done, at once or later
 *     read   in a thread that may wait: what stands in the database
 *            (records.h); without a server this is all there is
 *
 * It goes on to read when ask has not answered it.
 */
#ifndef RELAY_ADMIN_API_H
#define RELAY_ADMIN_API_H

#include "relay/admin/request.h"

struct desk;

struct route {
	const char *method;
	const char *path;          /* one '*' at most: the subject */
	const char *arguments;     /* names that are known: "since limit" */
	void (*ask)(struct desk *desk, struct request *request);
	void (*read)(struct request *request);
};

/* Find the route by method and path, and check the names of the arguments;
 * false: there is none, and the request is answered. */
bool api_find(struct request *request);
/* For 405: "GET", or "GET, POST". */
void api_methods(const char *path, struct buf *out);

/* Without a server: find and read.  False, and not answered: only a running
 * server can do that. */
bool api_without_server(struct request *request);

#endif
