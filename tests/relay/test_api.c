#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>
#include "proto/buf.h"
#include "proto/xalloc.h"
#include "relay/admin/api.h"

static struct request ask(const char *method, const char *path)
{
	struct request request = { .method = xstrdup(method),
		.path = xstrdup(path), .arguments = json_object() };

	return request;
}

static void assert_status(const char *method, const char *path,
                          unsigned status, const char *subject)
{
	struct request request = ask(method, path);

	assert_int_equal(api_find(&request), status == 0);
	assert_int_equal(request.status, status);
	if (subject != NULL)
		assert_string_equal(request.subject, subject);
	else if (status == 0)
		assert_null(request.subject);
	request_clear(&request);
}

static void test_routes(void **state)
{
	(void)state;
	assert_status("GET", "/healthz", 0, NULL);
	assert_status("GET", "/api/v1/status", 0, NULL);
	assert_status("GET", "/api/v1/messages/1m7y1t68wxm5b", 0,
	              "1m7y1t68wxm5b");
	assert_status("POST", "/api/v1/queue/retry", 0, NULL);
	assert_status("POST", "/api/v1/queue/1m7y1t68wxm5b/hold", 0,
	              "1m7y1t68wxm5b");
	assert_status("POST", "/api/v1/accounts/a/b/pause", 0, "a/b");
}

static void test_what_is_none(void **state)
{
	(void)state;
	assert_status("GET", "", ANSWER_UNKNOWN, NULL);
	assert_status("GET", "/", ANSWER_UNKNOWN, NULL);
	assert_status("GET", "/healthz/", ANSWER_UNKNOWN, NULL);
	assert_status("GET", "/api/v1/messages/", ANSWER_UNKNOWN, NULL);
	assert_status("POST", "/api/v1/queue/hold", ANSWER_UNKNOWN, NULL);
	assert_status("POST", "/api/v1/queue//hold", ANSWER_UNKNOWN, NULL);
	assert_status("POST", "/healthz", ANSWER_METHOD, NULL);
	assert_status("get", "/healthz", ANSWER_METHOD, NULL);
	assert_status("GET", "/api/v1/queue/x/hold", ANSWER_METHOD, NULL);
}

static void test_methods(void **state)
{
	struct buf methods = BUF_INIT(100);

	(void)state;
	api_methods("/api/v1/queue", &methods);
	assert_string_equal(buf_string(&methods), "GET");
	buf_clear(&methods);
	api_methods("/api/v1/queue/x/delete", &methods);
	assert_string_equal(buf_string(&methods), "POST");
	buf_clear(&methods);
	api_methods("/nothing", &methods);
	assert_int_equal(buf_len(&methods), 0);
	buf_free(&methods);
}

static void test_arguments(void **state)
{
	struct request request = ask("GET", "/api/v1/history");

	(void)state;
	json_object_set_new(request.arguments, "since", json_string("2h"));
	json_object_set_new(request.arguments, "to", json_string("boss"));
	assert_true(api_find(&request));
	assert_string_equal(request_argument(&request, "since"), "2h");
	assert_null(request_argument(&request, "from"));
	json_object_set_new(request.arguments, "sinc", json_string("2h"));
	assert_false(api_find(&request));
	assert_int_equal(request.status, ANSWER_WRONG);
	request_clear(&request);
}

/* What is wrong may be long, and may be anything. */
static void test_a_refusal_is_bounded(void **state)
{
	struct request request = { 0 };
	char *path = xmalloc(100001);
	const char *error;

	(void)state;
	memset(path, 'x', 100000);
	path[100000] = '\0';
	request.method = xstrdup("GET");
	request.path = path;
	request.arguments = json_object();
	assert_false(api_find(&request));
	error = json_string_value(json_object_get(request.answer, "error"));
	assert_non_null(error);
	assert_true(strlen(error) < 1000);
	request_fail(&request, ANSWER_WRONG, NULL, "%s", path);
	error = json_string_value(json_object_get(request.answer, "error"));
	assert_true(strlen(error) < 1000);
	request_fail(&request, ANSWER_WRONG, "mend it", "a\xff\x1b");
	error = json_string_value(json_object_get(request.answer, "error"));
	assert_string_equal(error, "a\\xff\\u001b");
	request_clear(&request);
}

/* Changes need the server. */
static void test_without_a_server(void **state)
{
	struct request request = ask("POST", "/api/v1/queue/retry");

	(void)state;
	assert_false(api_without_server(&request));
	assert_int_equal(request.status, 0);
	request_clear(&request);
	request = ask("GET", "/api/v1/messages/zzz");
	assert_true(api_without_server(&request));
	assert_int_equal(request.status, ANSWER_UNKNOWN);
	request_clear(&request);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_what_is_none),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_a_refusal_is_bounded),
		cmocka_unit_test(test_without_a_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
