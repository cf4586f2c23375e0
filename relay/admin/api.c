#include "relay/admin/api.h"

#include <stdlib.h>
#include <string.h>

#include "proto/buf.h"
#include "relay/admin/desk.h"
#include "relay/admin/records.h"

static const struct route routes[] = {
	{ "GET", "/healthz", "", desk_alive, NULL },
	{ "GET", "/readyz", "", desk_health, NULL },
	{ "GET", "/api/v1/status", "", desk_status, records_status },
	{ "GET", "/api/v1/accounts", "", desk_status, records_accounts },
	{ "GET", "/api/v1/queue", "limit", desk_status, records_queue },
	{ "GET", "/api/v1/history",
	  "since status from to client id limit", NULL, records_history },
	{ "GET", "/api/v1/messages/*", "", desk_status, records_message },
	{ "GET", "/api/v1/explain", "reply provider stage", NULL, records_explain },
	{ "POST", "/api/v1/queue/retry", "", desk_retry_all, NULL },
	{ "POST", "/api/v1/queue/*/retry", "", desk_retry, NULL },
	{ "POST", "/api/v1/queue/*/hold", "", desk_hold, NULL },
	{ "POST", "/api/v1/queue/*/release", "", desk_release, NULL },
	{ "POST", "/api/v1/queue/*/delete", "", desk_delete, NULL },
	{ "POST", "/api/v1/accounts/*/pause", "", desk_pause, NULL },
	{ "POST", "/api/v1/accounts/*/resume", "", desk_resume, NULL },
};

enum { ROUTES = sizeof(routes) / sizeof(*routes) };

/* ---- paths ---- */

/* *subject_r: what stands for '*', or nothing. */
static bool path_fits(const char *pattern, const char *path,
                      struct text *subject_r)
{
	const char *star = strchr(pattern, '*');
	size_t before = star ? (size_t)(star - pattern) : strlen(pattern);
	size_t len = strlen(path), after = star ? strlen(star + 1) : 0;

	*subject_r = text_make(NULL, 0);
	if (star == NULL)
		return strcmp(pattern, path) == 0;
	if (len <= before + after || strncmp(path, pattern, before) != 0 ||
	    strcmp(path + len - after, star + 1) != 0)
		return false;
	*subject_r = text_make(path + before, len - before - after);
	return true;
}

void api_methods(const char *path, struct buf *out)
{
	struct text subject;
	size_t i;

	for (i = 0; i < ROUTES; i++) {
		if (path_fits(routes[i].path, path, &subject))
			buf_printf(out, "%s%s", buf_len(out) > 0 ? ", " : "",
			           routes[i].method);
	}
}

static const struct route *find(const char *method, const char *path,
                                struct text *subject_r)
{
	size_t i;

	for (i = 0; i < ROUTES; i++) {
		if (strcmp(routes[i].method, method) == 0 &&
		    path_fits(routes[i].path, path, subject_r))
			return &routes[i];
	}
	return NULL;
}

static bool refuse_path(struct request *request)
{
	struct buf methods = BUF_INIT(100);

	api_methods(request->path, &methods);
	if (buf_len(&methods) > 0)
		request_fail(request, ANSWER_METHOD, NULL,
		             "%.200s is asked by %s, not by %.20s",
		             request->path, buf_string(&methods),
		             request->method);
	else
		request_fail(request, ANSWER_UNKNOWN,
		             "the paths begin with /api/v1/: status, queue, "
		             "history, messages/ID, accounts, explain",
		             "there is nothing at %.200s", request->path);
	buf_free(&methods);
	return false;
}

/* ---- arguments ---- */

static bool is_known(const char *names, const char *name)
{
	struct text rest = text_of(names), word;

	while (text_token(&rest, ' ', &word)) {
		if (text_equal(word, text_of(name)))
			return true;
	}
	return false;
}

static bool check_arguments(struct request *request)
{
	const char *known = request->route->arguments, *name;
	json_t *value;

	json_object_foreach(request->arguments, name, value) {
		if (is_known(known, name))
			continue;
		request_fail(request, ANSWER_WRONG,
		             *known ? "leave it out" : "ask without any",
		             "%s has no argument \"%.100s\"%s%s",
		             request->path, name,
		             *known ? "; those it has: " : "", known);
		return false;
	}
	return true;
}

bool api_find(struct request *request)
{
	struct text subject;

	request->route = find(request->method, request->path, &subject);
	if (request->route == NULL)
		return refuse_path(request);
	request->subject = subject.len > 0 ? text_dup(subject) : NULL;
	return check_arguments(request);
}

bool api_without_server(struct request *request)
{
	if (!api_find(request))
		return true;
	if (request->route->read == NULL)
		return false;
	request->route->read(request);
	return true;
}
