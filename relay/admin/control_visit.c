#include "relay/admin/control_private.h"

#include <stdlib.h>
#include <string.h>

#include "proto/buf.h"
#include "proto/text.h"
#include "proto/xalloc.h"

enum {
	BODY_MAX = 16 * 1024,       /* no request needs one */
	BODY_STUBBORN = 1024 * 1024 /* then the connection is closed */
};

/* ---- reading ---- */

/* A value with a NUL in it, or one that is no UTF-8, is nobody's. */
static enum MHD_Result add_argument(void *ctx, enum MHD_ValueKind kind,
                                    const char *key, size_t key_size,
                                    const char *value, size_t value_size)
{
	struct request *request = ctx;
	json_t *text = value == NULL ? json_string("")
	                             : json_stringn(value, value_size);

	(void)kind;
	if (text == NULL || memchr(key, '\0', key_size) != NULL ||
	    (value != NULL && memchr(value, '\0', value_size) != NULL) ||
	    json_object_set_new(request->arguments, key, text) != 0) {
		request_fail(request, ANSWER_WRONG, NULL,
		             "an argument of the request is no text in UTF-8");
		return MHD_NO;
	}
	return MHD_YES;
}

/* Less is read to its end, so that whoever sends it reads our answer. */
static bool says_too_much(struct MHD_Connection *connection)
{
	const char *length = MHD_lookup_connection_value(
		connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
	uint64_t octets = 0;

	return length != NULL && (!text_to_u64(text_of(length), &octets) ||
	                          octets > BODY_STUBBORN);
}

static void refuse_length(struct request *request)
{
	request_fail(request, ANSWER_TOO_LONG, "send no body",
	             "the request is too long");
}

static struct visit *visit_new(struct control *control,
                               struct MHD_Connection *connection,
                               const char *url, const char *method)
{
	struct visit *visit = xcalloc(1, sizeof *visit);
	struct request *request = &visit->request;

	visit->control = control;
	visit->connection = connection;
	request->method = xstrdup(strcmp(method, "HEAD") == 0 ? "GET" : method);
	request->path = xstrdup(url);
	request->arguments = json_object();
	MHD_get_connection_values_n(connection, MHD_GET_ARGUMENT_KIND,
	                            add_argument, request);
	if (request->status == 0)
		api_find(request);
	return visit;
}

void visit_free(struct visit *visit)
{
	request_clear(&visit->request);
	free(visit);
}

/* ---- answering ---- */

static void add_allow(struct MHD_Response *response, const char *path)
{
	struct buf methods = BUF_INIT(100);

	api_methods(path, &methods);
	MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW,
	                        buf_string(&methods));
	buf_free(&methods);
}

static struct MHD_Response *make_response(const struct request *request)
{
	char *text = json_dumps(request->answer, JSON_INDENT(2));
	struct MHD_Response *response;
	char *lines;

	if (text == NULL)
		return NULL;
	lines = xasprintf("%s\n", text);
	free(text);
	response = MHD_create_response_from_buffer(strlen(lines), lines,
	                                           MHD_RESPMEM_MUST_FREE);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
	                        "application/json");
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
	                        "no-store");
	if (request->status == ANSWER_METHOD)
		add_allow(response, request->path);
	return response;
}

static enum MHD_Result send_answer(struct visit *visit)
{
	struct request *request = &visit->request;
	struct MHD_Response *response = make_response(request);
	enum MHD_Result result;

	if (response == NULL)
		return MHD_NO;
	result = MHD_queue_response(visit->connection, request->status,
	                            response);
	MHD_destroy_response(response);
	return result;
}

/* Suspended before it is posted: the loop may be quicker than we. */
static enum MHD_Result post(struct visit *visit)
{
	visit->posted = true;
	MHD_suspend_connection(visit->connection);
	if (control_post(visit->control, visit))
		return MHD_YES;
	visit->posted = false;
	request_fail(&visit->request, ANSWER_NOT_NOW,
	             "ask again when it has started anew",
	             "the server is stopping");
	MHD_resume_connection(visit->connection);
	return MHD_YES;
}

/* All of the request is here, or the loop has done its part. */
static enum MHD_Result go_on(struct visit *visit)
{
	struct request *request = &visit->request;

	if (request->status == 0 && !visit->posted)
		return post(visit);
	if (request->status == 0 && request->route->read != NULL)
		request->route->read(request);
	return send_answer(visit);
}

static enum MHD_Result drop_body(struct visit *visit, size_t *size)
{
	visit->body += *size;
	*size = 0;
	if (visit->body > BODY_MAX && visit->request.status == 0)
		refuse_length(&visit->request);
	return visit->body > BODY_STUBBORN ? MHD_NO : MHD_YES;
}

static enum MHD_Result begin(struct visit *visit)
{
	if (!says_too_much(visit->connection))
		return MHD_YES;
	refuse_length(&visit->request);
	return send_answer(visit);
}

enum MHD_Result visit_access(void *control, struct MHD_Connection *connection,
                             const char *url, const char *method,
                             const char *version, const char *upload,
                             size_t *upload_size, void **visit_p)
{
	struct visit *visit = *visit_p;

	(void)version;
	(void)upload;
	if (visit == NULL) {
		*visit_p = visit = visit_new(control, connection, url, method);
		return begin(visit);
	}
	if (*upload_size > 0)
		return drop_body(visit, upload_size);
	return go_on(visit);
}

void visit_completed(void *control, struct MHD_Connection *connection,
                     void **visit_p, enum MHD_RequestTerminationCode code)
{
	struct visit *visit = *visit_p;

	(void)connection;
	(void)code;
	*visit_p = NULL;
	if (visit == NULL)
		return;
	if (visit->posted)
		control_return(control, visit);
	else
		visit_free(visit);
}
