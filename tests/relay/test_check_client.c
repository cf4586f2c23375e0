#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "relay/cli/check_client.h"
#include "tests/support/tempdir.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ENV(...)     ((char *const *)(const char *const[]){ __VA_ARGS__, NULL })

static struct config *load(char *const *environment)
{
	struct config_error error;
	struct config *config = config_load(NULL, environment, NULL, &error);

	if (!config)
		fail_msg("%s", error.message);
	return config;
}

static struct config *simple_config(void)
{
	return load(ENV("LANPOST_RELAY_HOSTNAME=r.example.com",
			"LANPOST_ACCOUNT_PROVIDER=postmark",
			"LANPOST_ACCOUNT_USERNAME=token",
			"LANPOST_ACCOUNT_PASSWORD=hunter2",
			"LANPOST_ACCOUNT_SENDERS=relay@b.example, *@c.example",
			"LANPOST_LISTENER_ADDRESS=*:25",
			"LANPOST_LISTENER_DENY=192.168.1.9"));
}

/* Without presets, which have their own word on senders. */
static const char rich[] =
	"[relay]\n"
	"hostname = r.example.com\n"
	"[account]\n"
	"host = smtp.contoso.com\n"
	"username = scan@contoso.com\n"
	"password_env = PW\n"
	"failover = backup\n"
	"[account backup]\n"
	"host = smtp.b.example\n"
	"port = 465\n"
	"tls = implicit\n"
	"username = relay@b.example\n"
	"password_env = PW\n"
	"sender_policy = pass\n"
	"[device copier]\n"
	"address = 192.168.1.20\n"
	"auth = any\n"
	"[listener default]\n"
	"address = *:25\n"
	"tls = required\n"
	"[rule spam]\n"
	"from = *@evil.example\n"
	"reject = Go away\n"
	"[rule internal]\n"
	"to = *@contoso.com, root\n"
	"account = backup\n"
	"add_domain = contoso.com\n"
	"[rule copier]\n"
	"client = copier\n"
	"send_as = \"Copier\" <sales@contoso.com>\n"
	"reply_to = desk@contoso.com\n"
	"bcc = archive@contoso.com\n"
	"[rule behalf]\n"
	"client = 192.168.1.21\n"
	"on_behalf = yes\n";

static struct config *rich_config(void)
{
	struct config_error error;
	struct config *config;

	tempdir_make();
	tempdir_write("rich", rich);
	config = config_load(tempdir_path("rich"), ENV("PW=hunter2"), NULL,
			     &error);
	tempdir_remove();
	if (!config)
		fail_msg("%s", error.message);
	return config;
}

static char *say(const struct config *config, const char *client,
		 const char *from, const char *to)
{
	struct address address;
	struct check_query query = { &address, from, to };
	char *said = NULL;
	size_t len;
	FILE *out = open_memstream(&said, &len);

	assert_true(address_parse(text_of(client), &address));
	check_client_print(out, config, &query);
	fclose(out);
	return said;
}

#define LISTENER "  listener default (*:25): allowed by private in allow\n"
#define LIMITS(size)                                                      \
	"    limits   messages up to " size ", 500 recipients each, 50 " \
	"connections at a time\n"
#define POSTMARK "    account  default, by smtp.postmarkapp.com:587\n"

static const struct {
	const char *client, *from, *said;
} cases[] = {
	{ "192.168.1.20", "scan@b.example",
	  "client 192.168.1.20\n" LISTENER POSTMARK
	  "    sender   <scan@b.example> goes out as <relay@b.example> (the "
	  "account may not send as this sender: it sends as itself)\n"
	  LIMITS("10M") },
	{ "::ffff:10.1.2.3", NULL,
	  "client 10.1.2.3\n" LISTENER POSTMARK
	  "    sender   may be relay@b.example, *@c.example; any other sender "
	  "is replaced by relay@b.example\n" LIMITS("10M") },
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
	struct config *config = simple_config();

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *said = say(config, cases[i].client, cases[i].from, NULL);

		assert_string_equal(said, cases[i].said);
		free(said);
	}
	config_unref(&config);
}

#define COPIER                                                              \
	"client 192.168.1.20, device copier\n" LISTENER                     \
	"    session  TLS by STARTTLS, required; any login is right, none " \
	"is needed\n"
#define OTHER(host)                        \
	"client " host "\n" LISTENER       \
	"    session  TLS by STARTTLS, required\n"
#define OFFICE                                                               \
	"    account  default, by smtp.contoso.com:587; by backup while it " \
	"is paused or cannot be reached\n"
#define BACKUP "    account  backup, by smtp.b.example:465\n"
#define INTERNAL_MAYBE "    rule     internal, line 24: if to matches *@contoso.com, root\n"

static const struct {
	const char *client, *from, *to, *said;
} ruled[] = {
	{ "192.168.1.20", "x@evil.example", "a@b.example",
	  COPIER "    rule     spam, line 21: from x@evil.example matches *@evil.example\n"
		 "    refused  550 5.7.1 Go away\n" },
	{ "192.168.1.20", "x@y.example", "a@b.example",
	  COPIER "    rule     copier, line 28: client 192.168.1.20 is device copier\n" OFFICE
		 "    sender   <x@y.example> goes out as <sales@contoso.com>, "
		 "answers to <desk@contoso.com> (the rule's send_as)\n"
		 ""
		 "    bcc      a copy goes to <archive@contoso.com>\n" LIMITS(
			 "35M") },
	{ "192.168.1.21", "x@y.example", "a@b.example",
	  OTHER("192.168.1.21") "    rule     behalf, line 33: client 192.168.1.21 is in "
		"192.168.1.21\n" OFFICE
		"    sender   <x@y.example> goes out as <scan@contoso.com>, "
		"From stays, Sender <scan@contoso.com> (on behalf of From, by "
		"the rule)\n" LIMITS("35M") },
	{ "192.168.1.22", "x@y.example", "root",
	  OTHER("192.168.1.22") "    rule     internal, line 24: to root matches root\n" BACKUP
		"    sender   <x@y.example> goes out as <x@y.example> "
		"(sender_policy = pass)\n"
		"    to       <root> becomes <root@contoso.com>\n" LIMITS(
			"35M") },
	{ "192.168.1.22", "x", NULL,
	  OTHER("192.168.1.22") INTERNAL_MAYBE BACKUP
		"    sender   <x> goes out as <x@contoso.com> "
		"(sender_policy = pass)\n" LIMITS("35M")
		"    rule     no other rule matches: the first account\n" OFFICE
		"    sender   <x> goes out as <scan@contoso.com> (the account "
		"may not send as this sender: it sends as itself)\n" LIMITS(
			"35M") },
	{ "192.168.1.20", NULL, NULL,
	  COPIER "    rule     spam, line 21: if from matches *@evil.example\n"
		 "    refused  550 5.7.1 Go away\n" INTERNAL_MAYBE BACKUP
		 "    sender   may be relay@b.example; any other sender is passed "
		 "on as it is\n" LIMITS("35M")
		 "    rule     copier, line 28: client 192.168.1.20 is device copier\n" OFFICE
		 "    sender   any goes out as <sales@contoso.com>, by "
		 "send_as\n"
		 "    bcc      a copy goes to <archive@contoso.com>\n" LIMITS(
			 "35M") },
};

static void test_says_which_rule_decides(void **state)
{
	struct config *config = rich_config();

	(void)state;
	for (size_t i = 0; i < COUNT(ruled); i++) {
		char *said = say(config, ruled[i].client, ruled[i].from,
				 ruled[i].to);

		assert_string_equal(said, ruled[i].said);
		free(said);
	}
	config_unref(&config);
}

static void assert_json(const struct config *config, const char *client,
			const char *from, const char *to, const char *expected)
{
	struct address address;
	struct check_query query = { &address, from, to };
	json_t *json, *wanted = json_loads(expected, 0, NULL);
	char *text;

	assert_true(address_parse(text_of(client), &address));
	json = check_client_json(config, &query);
	assert_non_null(wanted);
	text = json_dumps(json, 0);
	if (!json_equal(json, wanted))
		fail_msg("%s", text);
	free(text);
	json_decref(json);
	json_decref(wanted);
}

#define LIMITS_JSON(size)                                                  \
	"\"limits\": {\"max_message_size\": " size ", \"max_recipients\": " \
	"500, \"max_connections_per_client\": 50, "              \
	"\"messages_per_minute_per_client\": 0}"
#define ROUTE_JSON                                                            \
	"\"rule\": null, \"certain\": true, \"why\": \"no rule matches: the "  \
	"first account\", \"account\": \"default\", \"failover\": null, "       \
	"\"sender\": {\"from\": \"a@c.example\", \"allowed\": true, "          \
	"\"sends_as\": \"a@c.example\", \"header_from\": \"a@c.example\", "    \
	"\"sender\": null, \"reason\": \"the account may send as this sender\"," \
	" \"warning\": null}, " LIMITS_JSON("10485760")

static void test_says_it_in_json(void **state)
{
	struct config *config = simple_config();

	(void)state;
	assert_json(config, "192.168.1.20", "a@c.example", NULL,
		    "{\"address\": \"192.168.1.20\", \"device\": null, "
		    "\"listeners\": [{\"name\": \"default\", \"allowed\": "
		    "true, \"reason\": \"allowed by private in allow\", "
		    "\"session\": \"\", " ROUTE_JSON ", \"routes\": [{"
		    ROUTE_JSON "}]}]}");
	assert_json(config, "2001:db8::1", NULL, NULL,
		    "{\"address\": \"2001:db8::1\", \"device\": null, "
		    "\"listeners\": [{\"name\": \"default\", \"allowed\": "
		    "false, \"reason\": \"refused: no network in allow holds "
		    "it\", \"fix\": \"allow = private, 2001:db8::1\\n"
		    "allow_public = yes\"}]}");
	config_unref(&config);
}

static void test_says_in_json_which_rule_may_decide(void **state)
{
	struct config *config = rich_config();

	(void)state;
	assert_json(config, "192.168.1.20", NULL, "root@b.example",
		    "{\"address\": \"192.168.1.20\", \"device\": \"copier\", "
		    "\"listeners\": [{\"name\": \"default\", \"allowed\": "
		    "true, \"reason\": \"allowed by private in allow\", "
		    "\"session\": \"TLS by STARTTLS, required; any login is "
		    "right, none is needed\", \"routes\": [{\"rule\": \"spam\", "
		    "\"certain\": false, \"why\": \"rule spam, line 21: if "
		    "from matches *@evil.example\", \"reject\": \"Go away\", "
		    LIMITS_JSON("36700160") "}, {\"rule\": \"copier\", "
		    "\"certain\": true, \"why\": \"rule copier, line 28: client "
		    "192.168.1.20 is device copier\", \"account\": \"default\", "
		    "\"failover\": \"backup\", \"to\": \"root@b.example\", "
		    "\"bcc\": \"archive@contoso.com\", "
		    LIMITS_JSON("36700160") "}]}]}");
	config_unref(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_says_what_a_client_may_do),
		cmocka_unit_test(test_says_which_rule_decides),
		cmocka_unit_test(test_says_it_in_json),
		cmocka_unit_test(test_says_in_json_which_rule_may_decide),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
