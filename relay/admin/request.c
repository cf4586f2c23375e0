#include "relay/admin/request.h"

#include <stdlib.h>
#include "proto/buf.h"
#include "relay/admin/views.h"

enum { SENTENCE_MAX = 2000 };

void request_clear(struct request *request)
{
	free(request->method);
	free(request->path);
	free(request->subject);
	json_decref(request->arguments);
	json_decref(request->live);
	json_decref(request->answer);
	*request = (struct request){ .config = request->config };
}

const char *request_argument(const struct request *request, const char *name)
{
	return json_string_value(json_object_get(request->arguments, name));
}

void request_answer(struct request *request, unsigned status, json_t *answer)
{
	json_decref(request->answer);
	request->status = status;
	request->answer = answer;
}

void request_fail(struct request *request, unsigned status, const char *fix,
                  const char *format, ...)
{
	struct buf sentence = BUF_INIT(SENTENCE_MAX);
	json_t *answer = json_object();
	va_list args;

	va_start(args, format);
	if (!buf_vprintf(&sentence, format, args))
		buf_puts(&sentence, "the request is wrong, and too long to be "
		                    "repeated");
	va_end(args);
	view_set_text(answer, "error", buf_string(&sentence));
	view_set_text(answer, "fix", fix);
	buf_free(&sentence);
	request_answer(request, status, answer);
}
