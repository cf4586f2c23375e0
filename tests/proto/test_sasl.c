#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/sasl.h"
#include "tests/support/bytes.h"
#include "tests/support/guarded.h"

static const struct sasl_credentials who = {
	.username = "scanner@example.com",
	.secret = "hunter2 ",
};

static void test_finds_mechanisms(void **state)
{
	(void)state;
	assert_ptr_equal(sasl_mechanism_find(TEXT("PLAIN")), &sasl_plain);
	assert_ptr_equal(sasl_mechanism_find(TEXT("login")), &sasl_login);
	assert_null(sasl_mechanism_find(TEXT("LOGI")));
	assert_null(sasl_mechanism_find(TEXT("")));
	assert_null(sasl_mechanism_find(TEXT("NTLM")));
	assert_true(sasl_plain.client_first);
	assert_false(sasl_login.client_first);
	assert_false(sasl_plain.wants_token);
	assert_false(sasl_login.wants_token);
}

static const struct {
	const struct sasl_mechanism *mechanism;
	unsigned step;
	struct text challenge;
	enum sasl_result result;
	struct text response;
} responses[] = {
	{ &sasl_plain, 0, BYTES(""), SASL_RESPOND,
	  BYTES("\0scanner@example.com\0hunter2 ") },
	{ &sasl_plain, 1, BYTES(""), SASL_FAILED, BYTES("") },
	{ &sasl_login, 0, BYTES("Username:"), SASL_RESPOND,
	  BYTES("scanner@example.com") },
	{ &sasl_login, 0, BYTES("User Name\0"), SASL_RESPOND,
	  BYTES("scanner@example.com") },
	{ &sasl_login, 1, BYTES("Password:"), SASL_RESPOND, BYTES("hunter2 ") },
	{ &sasl_login, 1, BYTES(""), SASL_RESPOND, BYTES("hunter2 ") },
	{ &sasl_login, 2, BYTES("More:"), SASL_FAILED, BYTES("") },
};

static void test_client(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(responses); i++) {
		struct guarded challenge = guarded_copy(responses[i].challenge);
		struct buf out = BUF_INIT(100);
		enum sasl_result result = responses[i].mechanism->respond(
			responses[i].step, &who, challenge.text, &out);

		assert_int_equal(result, responses[i].result);
		if (result == SASL_RESPOND)
			assert_bytes("response", buf_text(&out),
				     responses[i].response);
		buf_free(&out);
		guarded_free(&challenge);
	}
}

static void test_a_response_that_does_not_fit_fails(void **state)
{
	struct buf out = BUF_INIT(20);

	(void)state;
	assert_int_equal(sasl_plain.respond(0, &who, TEXT(""), &out),
			 SASL_FAILED);
	buf_free(&out);
}

/* What the client says, step by step; NULL data: AUTH without a response. */
#define NO_RESPONSE                                                            \
	{                                                                      \
		NULL, 0                                                        \
	}
#define END                                                                    \
	{                                                                      \
		"end", 0                                                       \
	}

static const struct {
	const char *name, *mechanism;
	struct text said[4];
	const char *challenges; /* joined by '|' */
	enum sasl_server_result result;
	struct text username, password;
} logins[] = {
	{ "PLAIN at once",
	  "PLAIN",
	  { BYTES("\0me\0secret"), END },
	  "",
	  SASL_SERVER_DONE,
	  BYTES("me"),
	  BYTES("secret") },
	{ "PLAIN after a challenge",
	  "plain",
	  { NO_RESPONSE, BYTES("\0me\0secret"), END },
	  "|",
	  SASL_SERVER_DONE,
	  BYTES("me"),
	  BYTES("secret") },
	{ "an authzid changes nothing",
	  "PLAIN",
	  { BYTES("boss\0me\0secret"), END },
	  "",
	  SASL_SERVER_DONE,
	  BYTES("me"),
	  BYTES("secret") },
	{ "no password",
	  "PLAIN",
	  { BYTES("\0me\0"), END },
	  "",
	  SASL_SERVER_DONE,
	  BYTES("me"),
	  BYTES("") },
	{ "one NUL",
	  "PLAIN",
	  { BYTES("me\0secret"), END },
	  "",
	  SASL_SERVER_BAD,
	  BYTES(""),
	  BYTES("") },
	{ "three NULs",
	  "PLAIN",
	  { BYTES("\0me\0se\0cret"), END },
	  "",
	  SASL_SERVER_BAD,
	  BYTES(""),
	  BYTES("") },
	{ "no NUL",
	  "PLAIN",
	  { BYTES("secret"), END },
	  "",
	  SASL_SERVER_BAD,
	  BYTES(""),
	  BYTES("") },
	{ "nothing",
	  "PLAIN",
	  { BYTES(""), END },
	  "",
	  SASL_SERVER_BAD,
	  BYTES(""),
	  BYTES("") },
	{ "line end in the name",
	  "PLAIN",
	  { BYTES("\0m\r\ne\0secret"), END },
	  "",
	  SASL_SERVER_BAD,
	  BYTES(""),
	  BYTES("") },
	{ "LOGIN",
	  "LOGIN",
	  { NO_RESPONSE, BYTES("me"), BYTES("secret"), END },
	  "Username:|Password:|",
	  SASL_SERVER_DONE,
	  BYTES("me"),
	  BYTES("secret") },
	{ "LOGIN with the name at once",
	  "login",
	  { BYTES("me"), BYTES("secret"), END },
	  "Password:|",
	  SASL_SERVER_DONE,
	  BYTES("me"),
	  BYTES("secret") },
	{ "LOGIN with NUL in the name",
	  "LOGIN",
	  { BYTES("m\0e"), END },
	  "",
	  SASL_SERVER_BAD,
	  BYTES(""),
	  BYTES("") },
	{ "LOGIN with NUL in the password",
	  "LOGIN",
	  { BYTES("me"), BYTES("sec\0ret"), END },
	  "Password:|",
	  SASL_SERVER_BAD,
	  BYTES(""),
	  BYTES("") },
	{ "LOGIN without words",
	  "LOGIN",
	  { NO_RESPONSE, BYTES(""), BYTES(""), END },
	  "Username:|Password:|",
	  SASL_SERVER_DONE,
	  BYTES(""),
	  BYTES("") },
};

static bool is_end(struct text said)
{
	return said.data != NULL && strcmp(said.data, "end") == 0;
}

static void log_in(size_t i)
{
	enum sasl_server_result result = SASL_SERVER_CHALLENGE;
	struct buf challenges = BUF_INIT(1000);
	struct sasl_server server;
	struct text challenge;

	assert_true(sasl_server_init(&server, text_of(logins[i].mechanism)));
	for (size_t n = 0; !is_end(logins[i].said[n]); n++) {
		struct guarded said = guarded_copy(logins[i].said[n]);

		assert_int_equal(result, SASL_SERVER_CHALLENGE);
		result = sasl_server_step(&server,
					  logins[i].said[n].data != NULL,
					  said.text, &challenge);
		if (result == SASL_SERVER_CHALLENGE) {
			buf_text_append(&challenges, challenge);
			buf_putc(&challenges, '|');
		}
		guarded_free(&said);
	}
	assert_int_equal(result, logins[i].result);
	assert_string_equal(buf_string(&challenges), logins[i].challenges);
	if (result == SASL_SERVER_DONE) {
		assert_bytes(logins[i].name, buf_text(&server.username),
			     logins[i].username);
		assert_bytes(logins[i].name, buf_text(&server.password),
			     logins[i].password);
	}
	sasl_server_free(&server);
	assert_null(server.password.data);
	buf_free(&challenges);
}

static void test_server(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(logins); i++)
		log_in(i);
}

static void test_server_refuses_other_mechanisms(void **state)
{
	struct sasl_server server;

	(void)state;
	assert_false(sasl_server_init(&server, TEXT("CRAM-MD5")));
	assert_false(sasl_server_init(&server, TEXT("")));
}

static void test_server_bounds_what_it_keeps(void **state)
{
	char name[2000];
	struct sasl_server server;
	struct text challenge;

	(void)state;
	memset(name, 'a', sizeof(name));
	assert_true(sasl_server_init(&server, TEXT("LOGIN")));
	assert_int_equal(sasl_server_step(&server, true, text_make(name, 2000),
					  &challenge),
			 SASL_SERVER_BAD);
	sasl_server_free(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finds_mechanisms),
		cmocka_unit_test(test_client),
		cmocka_unit_test(test_a_response_that_does_not_fit_fails),
		cmocka_unit_test(test_server),
		cmocka_unit_test(test_server_refuses_other_mechanisms),
		cmocka_unit_test(test_server_bounds_what_it_keeps),
	};

	return cmocka_run_group_tests_name("sasl", tests, NULL, NULL);
}
