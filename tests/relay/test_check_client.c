#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "relay/cli/check_client.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ENV(...)     ((char *const *)(const char *const[]){ __VA_ARGS__, NULL })

static struct config *make_config(void)
{
	struct config_error error;
	struct config *config = config_load(
		NULL,
		ENV("LANPOST_RELAY_HOSTNAME=r.example.com",
		    "LANPOST_ACCOUNT_PROVIDER=postmark",
		    "LANPOST_ACCOUNT_USERNAME=token",
		    "LANPOST_ACCOUNT_PASSWORD=hunter2",
		    "LANPOST_ACCOUNT_SENDERS=relay@b.example, *@c.example",
		    "LANPOST_LISTENER_ADDRESS=*:25",
		    "LANPOST_LISTENER_DENY=192.168.1.9"),
		NULL, &error);

	if (!config)
		fail_msg("%s", error.message);
	return config;
}

static const struct {
	const char *client, *from, *said;
} cases[] = {
	{ "192.168.1.20", "scan@b.example",
	  "client 192.168.1.20\n"
	  "  listener default (*:25): allowed by private in allow\n"
	  "    account  default, by smtp.postmarkapp.com:587\n"
	  "    sender   <scan@b.example> goes out as <relay@b.example> (the "
	  "account may not send as this sender: it sends as itself)\n"
	  "    limits   messages up to 10M, 500 recipients each, 50 "
	  "connections "
	  "at a time\n" },
	{ "::ffff:10.1.2.3", NULL,
	  "client 10.1.2.3\n"
	  "  listener default (*:25): allowed by private in allow\n"
	  "    account  default, by smtp.postmarkapp.com:587\n"
	  "    sender   may be relay@b.example, *@c.example; any other sender "
	  "is replaced by relay@b.example\n"
	  "    limits   messages up to 10M, 500 recipients each, 50 "
	  "connections "
	  "at a time\n" },
	{ "203.0.113.9", NULL,
	  "client 203.0.113.9\n"
	  "  listener default (*:25): refused: no network in allow holds it\n"
	  "    to admit it, in [listener default]:\n"
	  "        allow = private, 203.0.113.9\n"
	  "        allow_public = yes\n" },
	{ "192.168.1.9", NULL,
	  "client 192.168.1.9\n"
	  "  listener default (*:25): refused: 192.168.1.9 in deny holds it\n"
	  "    to admit it, in [listener default]:\n"
	  "        take it out of deny\n" },
};

static void test_says_what_a_client_may_do(void **state)
{
	struct config *config = make_config();

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct address client;
		char *said = NULL;
		size_t len;
		FILE *out = open_memstream(&said, &len);

		assert_true(address_parse(text_of(cases[i].client), &client));
		check_client_print(out, config, &client, cases[i].from);
		fclose(out);
		assert_string_equal(said, cases[i].said);
		free(said);
	}
	config_unref(&config);
}

static void test_says_it_in_json(void **state)
{
	struct config *config = make_config();
	struct address client;
	json_t *json, *expected;

	(void)state;
	assert_true(address_parse(text_of("192.168.1.20"), &client));
	json = check_client_json(config, &client, "a@c.example");
	expected = json_loads(
		"{\"address\": \"192.168.1.20\", \"listeners\": [{\"name\": "
		"\"default\", \"allowed\": true, \"reason\": \"allowed by "
		"private in allow\", \"account\": \"default\", \"sender\": "
		"{\"from\": \"a@c.example\", \"allowed\": true, \"sends_as\": "
		"\"a@c.example\", \"reason\": \"the account may send as this "
		"sender\"}, \"limits\": {\"max_message_size\": 10485760, "
		"\"max_recipients\": 500, \"max_connections_per_client\": "
		"50}}]}",
		0, NULL);
	assert_non_null(expected);
	assert_true(json_equal(json, expected));
	json_decref(json);
	json_decref(expected);
	assert_true(address_parse(text_of("2001:db8::1"), &client));
	json = check_client_json(config, &client, NULL);
	expected = json_loads(
		"{\"address\": \"2001:db8::1\", \"listeners\": [{\"name\": "
		"\"default\", \"allowed\": false, \"reason\": \"refused: no "
		"network in allow holds it\", \"fix\": \"allow = private, "
		"2001:db8::1\\nallow_public = yes\"}]}",
		0, NULL);
	assert_non_null(expected);
	assert_true(json_equal(json, expected));
	json_decref(json);
	json_decref(expected);
	config_unref(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_says_what_a_client_may_do),
		cmocka_unit_test(test_says_it_in_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
