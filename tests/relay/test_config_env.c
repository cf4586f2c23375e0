#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/config/config.h"
#include "relay/config/config_keys.h"
#include "tests/support/tempdir.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ENV(...)     ((char *const *)(const char *const[]){ __VA_ARGS__, NULL })

static struct config *load_good(const char *path, char *const *environment)
{
	struct config_error error;
	struct config *config = config_load(path, environment, NULL, &error);

	if (!config)
		fail_msg("%s", error.message);
	return config;
}

static void write_file(const char *text)
{
	tempdir_write("a.conf", text);
	assert_int_equal(chmod("a.conf", 0600), 0);
}

static void test_environment_alone_is_enough(void **state)
{
	struct config *config = load_good(
		NULL, ENV("HOME=/root", "LANPOST_ACCOUNT_PROVIDER=gmail",
			  "LANPOST_ACCOUNT_USERNAME=a@gmail.com",
			  "LANPOST_ACCOUNT_PASSWORD=abcd efgh ijkl mnop",
			  "LANPOST_LISTENER_ADDRESS=127.0.0.1:2525",
			  "LANPOST_RELAY_HOSTNAME=app.example.com"));

	(void)state;
	assert_null(config->path);
	assert_string_equal(config->accounts[0].host, "smtp.gmail.com");
	assert_string_equal(config->accounts[0].password, "abcdefghijklmnop");
	assert_int_equal(config->listeners[0].address.n, 1);
	assert_string_equal(config->relay.hostname, "app.example.com");
	config_unref(&config);
}

static void test_environment_beats_file(void **state)
{
	const struct config_origin *origin;
	struct config *config;

	(void)state;
	write_file("[account]\nhost = old.example\nport = 25\n"
		   "username = a@b.example\npassword_file = /none/there\n"
		   "senders = old@b.example\n"
		   "[listener lan-1.a]\naddress = *:26\n");
	config = load_good("a.conf",
			   ENV("LANPOST_ACCOUNT_HOST=new.example",
			       "LANPOST_ACCOUNT_PASSWORD=x",
			       "LANPOST_ACCOUNT_SENDERS=",
			       "LANPOST_LISTENER_LAN_1_A__MAX_RECIPIENTS=7",
			       "LANPOST_LISTENER_NEW__ADDRESS=*:27"));
	assert_string_equal(config->accounts[0].host, "new.example");
	assert_int_equal(config->accounts[0].port, 25);
	assert_string_equal(config->accounts[0].password, "x");
	assert_null(config->accounts[0].password_file);
	assert_string_equal(config->accounts[0].senders.words[0],
			    "old@b.example");
	assert_int_equal(config->n_listeners, 2);
	assert_int_equal(config->listeners[0].max_recipients, 7);
	assert_string_equal(config->listeners[1].name, "new");
	origin = config_origin(config->accounts[0].origins, "host",
			       CONFIG_SECTION_ACCOUNT);
	assert_int_equal(origin->type, CONFIG_ORIGIN_ENVIRONMENT);
	assert_string_equal(origin->variable, "LANPOST_ACCOUNT_HOST");
	config_unref(&config);
}

static void test_password_env_is_looked_up(void **state)
{
	struct config_error error;
	struct config *config = load_good(
		NULL, ENV("LANPOST_ACCOUNT_HOST=h.example",
			  "LANPOST_ACCOUNT_USERNAME=a@b.example",
			  "LANPOST_ACCOUNT_PASSWORD_ENV=SMTP_PASSWORD",
			  "SMTP_PASSWORD=hunter2"));

	(void)state;
	assert_string_equal(config->accounts[0].password, "hunter2");
	config_unref(&config);
	assert_null(
		config_load(NULL,
			    ENV("LANPOST_ACCOUNT_HOST=h.example",
				"LANPOST_ACCOUNT_USERNAME=a@b.example",
				"LANPOST_ACCOUNT_PASSWORD_ENV=SMTP_PASSWORD"),
			    NULL, &error));
	assert_string_equal(error.message,
			    "LANPOST_ACCOUNT_PASSWORD_ENV: password_env: the "
			    "environment variable SMTP_PASSWORD is not set");
	config_error_free(&error);
}

#define BASE                                                                   \
	"LANPOST_ACCOUNT_HOST=h.example",                                      \
		"LANPOST_ACCOUNT_SENDERS=a@b.example",                         \
		"LANPOST_RELAY_POSTMASTER=it@r.example",                       \
		"LANPOST_RELAY_HOSTNAME=r.example.com"

static const struct {
	const char *variable, *error;
} bad[] = {
	{ "LANPOST_ACCOUNT_PASWORD=hunter2",
	  "LANPOST_ACCOUNT_PASWORD: unknown key \"pasword\" in [account]; did "
	  "you mean LANPOST_ACCOUNT_PASSWORD?" },
	{ "LANPOST_LISTENER_LAN__MAX_CONECTIONS=3",
	  "LANPOST_LISTENER_LAN__MAX_CONECTIONS: unknown key "
	  "\"max_conections\" "
	  "in [listener]; did you mean "
	  "LANPOST_LISTENER_LAN__MAX_CONNECTIONS?" },
	{ "LANPOST_RELAY_ZEBRA=1",
	  "LANPOST_RELAY_ZEBRA: unknown key \"zebra\" in [relay]; "
	  "lanpost.conf(5) lists the keys" },
	{ "LANPOST_RELAY_X__SPOOL=/x",
	  "LANPOST_RELAY_X__SPOOL: [relay] takes no name; there is just one" },
	{ "LANPOST_DEVICE_ADDRESS=192.168.1.9",
	  "LANPOST_DEVICE_ADDRESS: a device needs a name, and one that is "
	  "neither a network nor a word such as any or private; write it like "
	  "[device scanner-2]; here LANPOST_DEVICE_SCANNER_2__ADDRESS" },
	{ "LANPOST_RELAY_ADMIN=*:80",
	  "LANPOST_RELAY_ADMIN: \"admin\" is not yet supported; leave it out, "
	  "or write admin = off" },
	{ "LANPOST_RELAY_EXPIRE=soon",
	  "LANPOST_RELAY_EXPIRE: \"soon\" is not a duration; write a number "
	  "and "
	  "s, m, h or d, such as 30s, 5m, 2h or 7d" },
	{ "LANPOST_RELAY_LOG_LEVEL=\033[31m\nx",
	  "LANPOST_RELAY_LOG_LEVEL: \"?[31m?x\" is not one of error, warn, "
	  "info "
	  "or debug" },
	{ "LANPOST_LISTENER_ALLOW=::/0",
	  "LANPOST_LISTENER_ALLOW: allow: ::/0 is a public network: everybody "
	  "on "
	  "the Internet could send mail in your name; allow less, let the "
	  "devices log in (auth = FILE), or write allow_public = yes if you "
	  "mean it" },
	{ "LANPOST_RELAY_USER=no-such-user-here",
	  "LANPOST_RELAY_USER: there is no user \"no-such-user-here\" on this "
	  "system" },
};

static void test_bad_variables_get_a_sentence(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct config_error error;

		assert_null(config_load(NULL, ENV(BASE, bad[i].variable), NULL,
					&error));
		assert_string_equal(error.message, bad[i].error);
		config_error_free(&error);
	}
}

static void test_a_named_account_is_named_in_the_variable(void **state)
{
	struct config_error error;

	(void)state;
	write_file("[account big-office]\nhost = h.example\n");
	assert_null(config_load("a.conf",
				ENV("LANPOST_ACCOUNT_SENDERS=a@b.example"),
				NULL, &error));
	assert_string_equal(error.message,
			    "LANPOST_ACCOUNT_SENDERS: there is no [account "
			    "default] in a.conf; the first one there is called "
			    "\"big-office\", and its keys are set with "
			    "LANPOST_ACCOUNT_BIG_OFFICE__KEY");
	config_error_free(&error);
}

static const struct {
	const char *variable, *warning; /* NULL: none */
} odd[] = {
	{ "LANPOST_BUILD=/tmp/x", NULL },
	{ "LANPOST_SERVICE_HOST=10.0.0.7", NULL },
	{ "LANPOST_PORT=tcp://10.0.0.7:25", NULL },
	{ "LANPOST_PORT_25_TCP_ADDR=10.0.0.7", NULL },
	{ "LANPOST_RELAY_SERVICE_PORT_SMTP=25", NULL },
	{ "LANPOST_RELAY_PORT=tcp://10.0.0.7:25", NULL },
	{ "LANPOST_RELAY_PORT_25_TCP=tcp://10.0.0.7:25", NULL },
	{ "LANPOST_RELAY_EXPIRE=", NULL },
	{ "LANPOST_=x", NULL },
	{ "LANPOSTACCOUNT=x", NULL },
	{ "LANPOST_ACOUNT_HOST=x",
	  "LANPOST_ACOUNT_HOST: this variable sets nothing; did you mean "
	  "LANPOST_ACCOUNT_HOST?" },
	{ "LANPOST_IMAGE=x",
	  "LANPOST_IMAGE: this variable sets nothing; names are "
	  "LANPOST_KIND_KEY and LANPOST_KIND_NAME__KEY, of ACCOUNT, LISTENER, "
	  "RELAY, DEVICE and RULE" },
};

static void test_other_peoples_variables_are_left_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(odd); i++) {
		struct config_warnings warnings;
		struct config_error error;
		struct config *config = config_load(
			NULL, ENV(BASE, odd[i].variable), &warnings, &error);

		if (!config)
			fail_msg("%s", error.message);
		if (warnings.n != (odd[i].warning ? 1 : 0))
			fail_msg("%s: %zu warnings, %s", odd[i].variable,
				 warnings.n, warnings.messages[0]);
		if (odd[i].warning)
			assert_string_equal(warnings.messages[0],
					    odd[i].warning);
		config_warnings_free(&warnings);
		config_unref(&config);
	}
}

static void test_chooses_the_path(void **state)
{
	(void)state;
	assert_string_equal(config_choose_path("x", ENV("A=b")), "x");
	if (access(CONFIG_DEFAULT_PATH, F_OK) == 0)
		skip();
	assert_string_equal(config_choose_path(NULL, ENV("A=b")),
			    CONFIG_DEFAULT_PATH);
	assert_null(config_choose_path(
		NULL, ENV("A=b", "LANPOST_ACCOUNT_PROVIDER=gmail")));
}

static int enter_tempdir(void **state)
{
	(void)state;
	tempdir_make();
	return chdir(tempdir_path("."));
}

static int leave_tempdir(void **state)
{
	(void)state;
	tempdir_remove();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_environment_alone_is_enough),
		cmocka_unit_test(test_environment_beats_file),
		cmocka_unit_test(test_password_env_is_looked_up),
		cmocka_unit_test(test_bad_variables_get_a_sentence),
		cmocka_unit_test(test_a_named_account_is_named_in_the_variable),
		cmocka_unit_test(test_other_peoples_variables_are_left_alone),
		cmocka_unit_test(test_chooses_the_path),
	};

	return cmocka_run_group_tests(tests, enter_tempdir, leave_tempdir);
}
