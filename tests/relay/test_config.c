#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/config/config.h"
#include "relay/config/config_keys.h"
#include "relay/config/config_print.h"
#include "relay/config/provider.h"
#include "tests/support/tempdir.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char *const nothing[] = { NULL };

static struct config *load(const char *text, struct config_warnings *warnings_r,
			   struct config_error *error_r)
{
	tempdir_write("a.conf", text);
	assert_int_equal(chmod("a.conf", 0600), 0);
	return config_load("a.conf", nothing, warnings_r, error_r);
}

static struct config *load_good(const char *text)
{
	struct config_error error;
	struct config *config = load(text, NULL, &error);

	if (!config)
		fail_msg("%s", error.message);
	return config;
}

#define ACCOUNT "[account]\nhost = h.example\nsenders = a@b.example\n"
#define OFFICE                                                                 \
	"[account]\nprovider = office365\nusername = a@b.example\n"            \
	"password = hunter2\n"

static void test_three_lines_are_enough(void **state)
{
	struct config *config = load_good(OFFICE);
	const struct account_config *account = config_account(config, NULL);

	(void)state;
	assert_ptr_equal(account, config_account(config, "default"));
	assert_null(config_account(config, "other"));
	assert_string_equal(account->provider->name, "office365");
	assert_string_equal(account->host, "smtp.office365.com");
	assert_int_equal(account->port, 587);
	assert_int_equal(account->tls, SMTP_TLS_STARTTLS);
	assert_int_equal(account->connections, 3);
	assert_string_equal(account->password, "hunter2");
	assert_int_equal(account->senders.n, 1);
	assert_string_equal(account->senders.words[0], "a@b.example");
	assert_int_equal(account->sender_policy, SENDER_REWRITE);
	assert_int_equal(account->timeout_ms, 300000);
	assert_int_equal(config->n_listeners, 1);
	assert_string_equal(config->listeners[0].name, "default");
	assert_int_equal(config->listeners[0].address.n, 2);
	assert_true(config->listeners[0].allow.private);
	assert_int_equal(config->relay.retry.n, 6);
	assert_int_equal(config->relay.retry.ms[5], 3600000);
	assert_int_equal(config->relay.max_message_size, 35 << 20);
	assert_string_equal(config->relay.spool, "/var/lib/lanpost");
	config_unref(&config);
	assert_null(config);
}

static const struct account_config *first(const struct config *config)
{
	return &config->accounts[0];
}

static void test_presets_set_the_pace(void **state)
{
	struct config *config = load_good(OFFICE);

	(void)state;
	assert_int_equal(first(config)->messages_per_minute, 30);
	assert_int_equal(first(config)->messages_per_day, 0);
	assert_int_equal(first(config)->recipients_per_day, 10000);
	assert_int_equal(first(config)->recipients_per_message, 500);
	assert_int_equal(first(config)->throttle_patience_ms, 0);
	config_unref(&config);
	config = load_good(OFFICE "messages_per_minute = 10\n"
				  "recipients_per_day = 0\n");
	assert_int_equal(first(config)->messages_per_minute, 10);
	assert_int_equal(first(config)->recipients_per_day, 0);
	config_unref(&config);
	config = load_good(ACCOUNT);
	assert_int_equal(first(config)->messages_per_minute, 0);
	assert_int_equal(first(config)->recipients_per_message, 0);
	config_unref(&config);
}

/* 500 messages a day are what people say of Gmail. */
static void test_what_is_not_certain_is_not_enforced(void **state)
{
	struct config *config =
		load_good("[account]\nprovider = gmail\nusername = "
			  "a@b.example\npassword = x\n");

	(void)state;
	assert_int_equal(first(config)->messages_per_day, 0);
	assert_int_equal(first(config)->recipients_per_message, 100);
	config_unref(&config);
	config = load_good("[account]\nprovider = sendgrid\nusername = "
			   "apikey\npassword = x\nsenders = a@b.example\n");
	assert_int_equal(first(config)->connections, 2);
	config_unref(&config);
}

static void test_every_key_is_read(void **state)
{
	struct config *config = load_good(
		"[relay]\nhostname = relay.example.com\nspool = /srv/lanpost\n"
		"expire = 2d\nretry = 1s, 90s,\n  2h ; slow\n  1d\nhistory = "
		"0\n"
		"keep_failed = 12h\nmax_message_size = 1K\nmax_spool_size = "
		"3t\n"
		"min_free_disk = 0\nlog_format = json\nlog_level = debug\n"
		"shutdown_grace = 0s\nadmin = off\nnotify = off\n"
		"[listener lan]\naddress = 192.168.1.1:25, [fd00::1]:2525\n"
		"allow = private, 203.0.113.9, 2001:db8::/32\n"
		"deny = 192.168.1.9\nallow_public = yes\nmax_connections = 7\n"
		"max_connections_per_client = 3\nmax_recipients = 1\n"
		"timeout = 30s\ntls = off\nauth = off\nverdict_wait = 0s\n"
		"strict = no\nmessages_per_minute_per_client = 0\n"
		"[listener up]\naddress = *:26\n"
		"[account out]\nhost = mail.example.com\nport = 2465\n"
		"tls_min = 1.3\nusername = user\npassword = a;b #c\nauth = "
		"login\n"
		"transport = smtp\nmessages_per_minute = 7\nmessages_per_day = 8\n"
		"recipients_per_day = 9\nrecipients_per_message = 10\n"
		"connections = 9\n"
		"messages_per_connection = 1\nconnection_idle = 1m\n"
		"timeout = 10s\npipelining = eager\nchunking = no\n"
		"max_message_size = 20M\nthrottle_patience = 2h\n"
		"senders = a@b.example,\n  *@c.example\nsender_policy = "
		"reject\n");
	const struct listener_config *lan = &config->listeners[0];
	const struct account_config *account = &config->accounts[0];

	(void)state;
	assert_string_equal(config->relay.hostname, "relay.example.com");
	assert_int_equal(config->relay.retry.n, 4);
	assert_int_equal(config->relay.retry.ms[0], 1000);
	assert_int_equal(config->relay.retry.ms[3], 86400000);
	assert_int_equal(config->relay.history_ms, 0);
	assert_true(config->relay.max_spool_size == 3ULL << 40);
	assert_int_equal(config->relay.log_format, LOG_FORMAT_JSON);
	assert_int_equal(config->relay.log_level, LOG_DEBUG);
	assert_int_equal(config->n_listeners, 2);
	assert_string_equal(lan->name, "lan");
	assert_int_equal(lan->address.n, 2);
	assert_int_equal(lan->address.addresses[1].port, 2525);
	assert_true(lan->address.addresses[1].is_v6);
	assert_true(lan->allow.private);
	assert_int_equal(lan->allow.n, 2);
	assert_int_equal(lan->deny.n, 1);
	assert_int_equal(lan->timeout_ms, 30000);
	assert_string_equal(account->name, "out");
	assert_int_equal(account->tls, SMTP_TLS_IMPLICIT);
	assert_int_equal(account->tls_min, 0x0304);
	assert_string_equal(account->password, "a;b #c");
	assert_int_equal(account->auth, AUTH_LOGIN);
	assert_int_equal(account->pipelining, PIPELINING_EAGER);
	assert_int_equal(account->max_message_size, 20 << 20);
	assert_int_equal(account->messages_per_minute, 7);
	assert_int_equal(account->messages_per_day, 8);
	assert_int_equal(account->recipients_per_day, 9);
	assert_int_equal(account->recipients_per_message, 10);
	assert_int_equal(account->throttle_patience_ms, 7200000);
	assert_int_equal(account->senders.n, 2);
	assert_int_equal(account->sender_policy, SENDER_REJECT);
	config_unref(&config);
}

static const struct {
	const char *lines; /* in [account], without a preset or with one */
	unsigned port;
	enum smtp_tls_policy tls;
} ports[] = {
	{ "host = h", 587, SMTP_TLS_STARTTLS },
	{ "host = h\ntls = implicit", 465, SMTP_TLS_IMPLICIT },
	{ "host = h\nport = 465", 465, SMTP_TLS_IMPLICIT },
	{ "host = h\nport = 25", 25, SMTP_TLS_STARTTLS },
	{ "host = localhost\ntls = none", 25, SMTP_TLS_NONE },
	{ "host = 127.0.0.1\ntls = none\nport = 1025", 1025, SMTP_TLS_NONE },
	{ "provider = gmail", 465, SMTP_TLS_IMPLICIT },
	{ "provider = gmail\nport = 587", 587, SMTP_TLS_STARTTLS },
	{ "provider = gmail\ntls = starttls", 587, SMTP_TLS_STARTTLS },
	{ "provider = smtp2go\ntls = starttls", 2525, SMTP_TLS_STARTTLS },
	{ "provider = office365\nport = 25", 25, SMTP_TLS_STARTTLS },
};

static void test_port_and_tls_follow_each_other(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(ports); i++) {
		char text[300];
		struct config *config;

		snprintf(text, sizeof(text),
			 "[account]\n%s\nusername = a@b.example\n"
			 "password = x\n",
			 ports[i].lines);
		config = load_good(text);
		if (config->accounts[0].port != ports[i].port ||
		    config->accounts[0].tls != ports[i].tls)
			fail_msg("%s: port %u, tls %d", ports[i].lines,
				 config->accounts[0].port,
				 config->accounts[0].tls);
		config_unref(&config);
	}
}

static const struct {
	const char *text, *error;
} bad[] = {
	/* sections and keys */
	{ "[acount]\n",
	  "a.conf:1: unknown section [acount]; did you mean [account]?" },
	{ "[zebra]\n",
	  "a.conf:1: unknown section [zebra]; sections are [relay], "
	  "[listener NAME], [account NAME], [device NAME] and [rule NAME]" },
	{ "[relay x]\n", "a.conf:1: [relay] takes no name; there is just one" },
	{ "[relay]\n[account]\n[relay]\n",
	  "a.conf:3: [relay] stands here a second time; the first is in line "
	  "1" },
	{ "[account]\n[account DEFAULT]\n",
	  "a.conf:2: [account DEFAULT] stands here a second time; the first is "
	  "in line 1" },
	{ "[account]\npasword = x\n",
	  "a.conf:2: unknown key \"pasword\" in [account]; did you mean "
	  "\"password\"?" },
	{ "[account]\nspool = x\n", "a.conf:2: unknown key \"spool\" in "
				    "[account]; it belongs to [relay]" },
	{ "[account]\nzebra = x\n",
	  "a.conf:2: unknown key \"zebra\" in "
	  "[account]; lanpost.conf(5) lists the keys" },
	{ "[account]\npassword hunter2 = x\n",
	  "a.conf:2: behind \"password\" comes \"=\", then the value" },
	{ "# hello\nprovider = gmail\n",
	  "a.conf:2: \"provider\" stands before any section; put a line with "
	  "[account] above it" },
	{ "spool = /x\n",
	  "a.conf:1: \"spool\" stands before any section; put a "
	  "line with [relay] above it" },
	{ "[account]\nhost = a\nport = 1\nhost = b\n",
	  "a.conf:4: \"host\" is set a second time; the first is in line 2" },
	{ "[account]\nsenders = a@b\nsenders = c@d\n",
	  "a.conf:3: \"senders\" is set a second time; the first is in line 2 "
	  "(a "
	  "list goes on in indented lines)" },
	{ "[account]\nhost = a\n   b\n",
	  "a.conf:3: this line is indented and so continues \"host\", which "
	  "holds one value; a line of its own begins without spaces" },
	{ "[account]\nhost =\n", "a.conf:2: \"host\" has no value; leave the "
				 "line out for the default" },
	{ "[account]\npassword = hunter2 ;x\n",
	  "a.conf:2: password: the value would be cut at \" ;\", where a "
	  "comment "
	  "begins; put it into a file and name that with password_file" },
	/* not yet */
	{ "[account]\noauth_client_secret = hunter2\n",
	  "a.conf:2: \"oauth_client_secret\" is not yet supported" },
	{ "[account]\ntransport = graph\n",
	  "a.conf:2: \"transport\" is not yet supported; leave it out, or "
	  "write "
	  "transport = smtp" },
	{ "[listener]\nverdict_wait = 10\n",
	  "a.conf:2: verdict_wait: \"10\" has no unit; write a number and s, "
	  "m, h or d, such as 30s, 5m, 2h or 7d" },
	{ "[account]\nauth = xoauth2\n", "a.conf:2: auth: \"xoauth2\" is not "
					 "yet supported; today auth is auto, "
					 "plain, login or none" },
	/* types */
	{ "[relay]\nexpire = 5\n", "a.conf:2: expire: \"5\" has no unit; write "
				   "a number and s, m, h or d, "
				   "such as 30s, 5m, 2h or 7d" },
	{ "[relay]\nexpire = -5d\n", "a.conf:2: expire: \"-5d\" is not a "
				     "duration; write a number and s, m, "
				     "h or d, such as 30s, 5m, 2h or 7d" },
	{ "[relay]\nexpire = 5 weeks\n",
	  "a.conf:2: expire: \"5 weeks\" is not a duration; write a number and "
	  "s, "
	  "m, h or d, such as 30s, 5m, 2h or 7d" },
	{ "[relay]\nexpire = 0\n",
	  "a.conf:2: expire: \"0\" is too short; 1s is the least" },
	{ "[relay]\nexpire = 3651d\n",
	  "a.conf:2: expire: \"3651d\" is too long; 3650d is the most" },
	{ "[relay]\nexpire = 99999999999999999999d\n",
	  "a.conf:2: expire: \"99999999999999999999d\" is not a duration; "
	  "write "
	  "a number and s, m, h or d, such as 30s, 5m, 2h or 7d" },
	{ "[relay]\nretry = 1m, 0\n",
	  "a.conf:2: retry: \"0\" is too short; 1s is the least" },
	{ "[relay]\nretry = ,\n",
	  "a.conf:2: retry: the list is empty; leave the "
	  "line out for the default" },
	{ "[relay]\nmax_message_size = 35MB\n",
	  "a.conf:2: max_message_size: \"35MB\" is not a size; write a number "
	  "and K, M or G, such as 64K, 35M or 2G" },
	{ "[relay]\nmax_message_size = 0\n",
	  "a.conf:2: max_message_size: \"0\" is too small; 1K is the least" },
	{ "[relay]\nmax_spool_size = 18446744073709551615T\n",
	  "a.conf:2: max_spool_size: \"18446744073709551615T\" is too large; "
	  "1024T is the most" },
	{ "[relay]\nhostname = my_relay\n",
	  "a.conf:2: hostname: \"my_relay\" is not a host name; write it with "
	  "letters, digits, '-' and '.', such as relay.example.com" },
	{ "[relay]\nlog_level = verbose\n",
	  "a.conf:2: log_level: \"verbose\" is not one of error, warn, info or "
	  "debug" },
	{ "[relay]\nlog_level = inof\n",
	  "a.conf:2: log_level: \"inof\" is not one of error, warn, info or "
	  "debug; did you mean \"info\"?" },
	{ "[relay]\nlog_level = debug # loud\n",
	  "a.conf:2: log_level: \"debug # loud\" is not one of error, warn, "
	  "info "
	  "or debug (a comment behind a value begins with \";\")" },
	{ "[relay]\nuser = no-such-user-here\n" ACCOUNT,
	  "a.conf:2: user: there is no user \"no-such-user-here\" on this "
	  "system; run \"adduser --system --group no-such-user-here\"" },
	{ "[listener]\nmax_connections = many\n",
	  "a.conf:2: max_connections: \"many\" is not a number from 1 to "
	  "1000000" },
	{ "[listener]\nmax_recipients = 0\n",
	  "a.conf:2: max_recipients: \"0\" is not a number from 1 to 1000000" },
	{ ACCOUNT "messages_per_minute = -1\n",
	  "a.conf:4: messages_per_minute: \"-1\" is not a number from 0 to "
	  "1000000" },
	{ ACCOUNT "recipients_per_day = 1000001\n",
	  "a.conf:4: recipients_per_day: \"1000001\" is not a number from 0 "
	  "to 1000000" },
	{ ACCOUNT "throttle_patience = -2h\n",
	  "a.conf:4: throttle_patience: \"-2h\" is not a duration; write a "
	  "number and s, m, h or d, such as 30s, 5m, 2h or 7d" },
	{ "[listener]\nallow_public = true\n",
	  "a.conf:2: allow_public: \"true\" is neither yes nor no" },
	{ "[listener]\naddress = 25\n",
	  "a.conf:2: address: \"25\" is not an address with a port; write it "
	  "like *:25, 192.0.2.1:25 or [2001:db8::1]:25" },
	{ "[listener]\naddress = fd00::1:25\n",
	  "a.conf:2: address: \"fd00::1:25\" is not an address with a port; "
	  "write "
	  "it like *:25, 192.0.2.1:25 or [2001:db8::1]:25" },
	{ "[listener]\naddress = relay.example.com:25\n",
	  "a.conf:2: address: \"relay.example.com:25\" names a host; a "
	  "listener "
	  "takes an IP address of this machine, or *" },
	{ "[listener]\naddress = *:70000\n",
	  "a.conf:2: address: \"*:70000\" has no port from 1 to 65535; write "
	  "it "
	  "like *:25" },
	{ "[listener]\nallow = 10.0.0.0/33\n",
	  "a.conf:2: allow: \"10.0.0.0/33\" is not a network: the prefix "
	  "length "
	  "must be a number from 0 to 32" },
	{ "[listener]\nallow = 10.0.0.1/8\n",
	  "a.conf:2: allow: \"10.0.0.1/8\" is not a network: it has bits set "
	  "behind the prefix; the network would be 10.0.0.0/8" },
	{ "[listener]\nallow = private, all\n",
	  "a.conf:2: allow: \"all\" is not a network; the whole Internet is "
	  "0.0.0.0/0, ::/0" },
	{ "[account]\nprovider = ofice365\n",
	  "a.conf:2: provider: there is no preset \"ofice365\"; did you mean "
	  "\"office365\"? \"lanpost providers\" lists them; for any other "
	  "provider give host, port and tls" },
	{ "[account]\nhost = smtp.example.com:587\n",
	  "a.conf:2: host: \"smtp.example.com:587\" is not a host name or IP "
	  "address; a port goes into the key \"port\"" },
	{ "[account]\nhost = smtp://example.com\n",
	  "a.conf:2: host: \"smtp://example.com\" is a URL; write only the "
	  "host, "
	  "such as smtp.example.com" },
	{ "[account]\nport = 0\n", "a.conf:2: port: \"0\" is not a port; write "
				   "a number from 1 to 65535, "
				   "such as 587" },
	{ "[account]\ntls = off\n", "a.conf:2: tls: \"off\" is not one of "
				    "starttls, implicit or none" },
	{ "[account]\ntls_min = 1.0\n", "a.conf:2: tls_min: \"1.0\" is too old "
					"to protect a password; write 1.2 "
					"or 1.3" },
	{ "[account]\ntls_fingerprint = ab:cd\n",
	  "a.conf:2: tls_fingerprint: \"ab:cd\" is not a SHA-256 fingerprint; "
	  "write its 64 hex digits, with or without colons, as \"openssl x509 "
	  "-fingerprint -sha256\" shows" },
	{ "[account]\nsenders = scanner\n",
	  "a.conf:2: senders: \"scanner\" is neither an address nor a pattern; "
	  "write it like scanner@example.com or *@example.com" },
	{ "[account]\npassword_env = hunter-2\n",
	  "a.conf:2: password_env: the value is not the name of an environment "
	  "variable, such as SMTP_PASSWORD; the secret itself goes into "
	  "\"password\"" },
	/* taken together */
	{ "[relay]\n", "a.conf: there is no [account], so mail cannot go "
		       "anywhere; add [account] with provider, username and "
		       "password_file" },
	{ "\n[account]\nusername = a@b.example\npassword = hunter2\n",
	  "a.conf:2: account default has no host; write provider = NAME "
	  "(\"lanpost providers\" lists them) or host = SERVER" },
	{ "[account x]\nprovider = gmail\nusername = a@gmail.com\n",
	  "a.conf:3: account x has a username and no password; put an app "
	  "password of 16 letters into a file of mode 600 and add "
	  "password_file "
	  "= FILE, or write auth = none" },
	{ "[account]\nhost = h\npassword = hunter2\n",
	  "a.conf:1: account default has a password and no username; add "
	  "username = NAME" },
	{ ACCOUNT "auth = login\n", "a.conf:4: auth: a login needs a username "
				    "and a password; add them, or "
				    "write auth = none" },
	{ "[account]\nhost = h\nusername = u\npassword = hunter2\n"
	  "password_env = X\n",
	  "a.conf:4: password_env and password are both given; keep one" },
	{ "[account]\nhost = mail.example.com\nusername = u@b.example\n"
	  "password = hunter2\ntls = none\n",
	  "a.conf:5: tls: none would send the password in the clear to "
	  "mail.example.com; write starttls or implicit" },
	{ "[account]\nhost = h\nusername = u\npassword = hunter2\n",
	  "a.conf:3: account default has no address to put in place of a "
	  "sender: "
	  "its username is none; add senders = ADDRESS, or write sender_policy "
	  "= "
	  "pass" },
	{ "[account]\nhost = h\nsenders = *@b.example\n",
	  "a.conf:3: account default has no address to put in place of a "
	  "sender: "
	  "senders holds patterns only; add senders = ADDRESS, or write "
	  "sender_policy = pass" },
	{ "[account]\nhost = h\n",
	  "a.conf:1: account default has no address to put in place of a "
	  "sender: "
	  "it has no username; add senders = ADDRESS, or write sender_policy = "
	  "pass" },
	{ ACCOUNT "tls_ca_file = no/ca.pem\n",
	  "a.conf:4: tls_ca_file: no/ca.pem cannot be read: No such file or "
	  "directory" },
	{ "[listener]\nallow = private,\n  0.0.0.0/0\n",
	  "a.conf:2: allow: 0.0.0.0/0 is a public network: everybody on the "
	  "Internet could send mail in your name; allow less, let the devices "
	  "log in (auth = FILE), or write allow_public = yes if you mean it" },
	{ "[listener]\nallow = 10.0.0.0/7\n",
	  "a.conf:2: allow: 10.0.0.0/7 is a public network: all its 33554432 "
	  "addresses could send mail in your name; allow less, let the devices "
	  "log in (auth = FILE), or write allow_public = yes if you mean it" },
	{ "[listener]\nallow = 2001:db8::1\n",
	  "a.conf:2: allow: 2001:db8::1 is a public network: that address "
	  "could send mail in your name; allow less, let the devices log in "
	  "(auth = FILE), or write allow_public = yes if you mean it" },
	{ "[listener]\naddress = *:25, 127.0.0.1:25\n",
	  "a.conf:2: address: 127.0.0.1:25 is taken by 0.0.0.0:25 of [listener "
	  "default]; give one of them another port" },
	{ "[listener a]\naddress = [::1]:25\n[listener b]\naddress = *:25\n",
	  "a.conf:4: address: [::]:25 is taken by [::1]:25 of [listener a]; "
	  "give "
	  "one of them another port" },
};

static void test_bad_files_get_a_sentence(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct config_warnings warnings;
		struct config_error error;
		struct config *config = load(bad[i].text, &warnings, &error);

		if (config)
			fail_msg("read without an error: %s", bad[i].text);
		assert_string_equal(error.message, bad[i].error);
		assert_null(strstr(error.message, "hunter"));
		assert_int_equal(warnings.n, 0);
		config_error_free(&error);
	}
}

static const struct {
	const char *text, *warning; /* NULL: none */
} warned[] = {
	{ ACCOUNT, NULL },
	{ OFFICE, "account default: Microsoft switches password logins (SMTP "
		  "AUTH basic authentication) off by default at the end of "
		  "December 2026; an administrator can switch them on again, "
		  "tenants created later start without, and the date of the "
		  "final removal will be announced in the second half of 2027 "
		  "(message center MC786329)" },
	{ "[account]\nprovider = ses\nsenders = a@b.example\n",
	  "account default: Amazon SES wants a login, and there is no username "
	  "(the SMTP user name, which begins with AKIA)" },
	{ "[account]\nprovider = google-relay\nsenders = a@b.example\n", NULL },
	{ ACCOUNT "tls = none\n",
	  "account default: tls is none, so mail goes to h.example in the "
	  "clear" },
	{ ACCOUNT "tls = starttls\nport = 465\n",
	  "account default: port 465 speaks TLS from the first byte; write tls "
	  "= "
	  "implicit, or port = 587" },
	{ ACCOUNT "username = u\npassword = x\nauth = none\n",
	  "account default: auth is none, so the password is not used" },
	{ ACCOUNT "[listener]\nallow = 203.0.113.0/24\nallow_public = yes\n",
	  "listener default: 203.0.113.0/24 is a public network: all its 256 "
	  "addresses may send mail through this relay without a login" },
	{ "[account]\nprovider = postmark\nusername = u\npassword = x\n"
	  "senders = a@b.example\nconnections = 20\n",
	  "account default: connections = 20 is more than the 10 that Postmark "
	  "allows "
	  "(https://postmarkapp.com/developer/user-guide/"
	  "send-email-with-smtp)" },
	{ "[account]\nprovider = postmark\nusername = u\npassword = x\n"
	  "senders = a@b.example\nmax_message_size = 11M\n",
	  "account default: max_message_size = 11M is more than the 10M that "
	  "Postmark takes "
	  "(https://postmarkapp.com/developer/user-guide/"
	  "send-email-with-smtp)" },
	{ "[relay]\nmax_message_size = 35M\nhostname = relay.example.com\n"
	  "notify = off\n"
	  "[account]\nprovider = postmark\nusername = u\npassword = x\n"
	  "senders = a@b.example\n",
	  "relay: max_message_size is more than account default takes; mail "
	  "over "
	  "10M is refused to the device" },
	{ "[account]\nprovider = acs\nusername = u\npassword = x\n"
	  "senders = a@b.example\nmessages_per_minute = 31\n",
	  "account default: messages_per_minute = 31 is more than the 30 that "
	  "Azure Communication Services allows (https://learn.microsoft.com/"
	  "en-us/azure/communication-services/concepts/service-limits)" },
	{ "[account]\nprovider = google-workspace\nusername = a@b.example\n"
	  "password = x\nrecipients_per_day = 0\n",
	  "account default: recipients_per_day = 0 is no limit, and Google "
	  "Workspace allows 10000 "
	  "(https://support.google.com/a/answer/166852)" },
	{ "[account]\nprovider = postmark\nusername = u\npassword = x\n"
	  "senders = a@b.example\nrecipients_per_message = 51\n",
	  "account default: recipients_per_message = 51 is more than the 50 "
	  "that Postmark allows "
	  "(https://postmarkapp.com/developer/user-guide/"
	  "send-email-with-smtp)" },
	{ "[relay]\nhostname = r.example.com\n" ACCOUNT,
	  "relay: there is no postmaster, so nobody is written to when a "
	  "message fails or an account is paused; write postmaster = ADDRESS "
	  "in [relay], or notify = off if the log is read" },
	{ "[relay]\nhostname = r.example.com\nnotify = sender\n" ACCOUNT,
	  "relay: there is no postmaster, so nobody is written to when an "
	  "account is paused; write postmaster = ADDRESS in [relay], or "
	  "notify = off if the log is read" },
	{ "[relay]\nhostname = scans\nnotify = off\n" ACCOUNT,
	  "relay: the name \"scans\" has no domain, and some providers refuse "
	  "such a greeting; write hostname = scans.example.com, with your "
	  "domain, in [relay]" },
};

static void test_risks_are_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(warned); i++) {
		struct config_warnings warnings;
		struct config_error error;
		struct config *config;
		char text[1000];
		bool named = strncmp(warned[i].text, "[relay]", 7) == 0;

		snprintf(text, sizeof(text), "%s%s",
			 named ? "" : "[relay]\nhostname = r.example.com\n"
				    "postmaster = it@r.example\n",
			 warned[i].text);
		config = load(text, &warnings, &error);
		if (!config)
			fail_msg("%s", error.message);
		if (warnings.n != (warned[i].warning ? 1 : 0))
			fail_msg("%zu warnings for %s", warnings.n, text);
		if (warned[i].warning)
			assert_string_equal(warnings.messages[0],
					    warned[i].warning);
		config_warnings_free(&warnings);
		config_unref(&config);
	}
}

static void test_files_that_are_none(void **state)
{
	struct config_error error;

	(void)state;
	assert_null(config_load("none.conf", nothing, NULL, &error));
	assert_string_equal(error.message,
			    "none.conf: there is no such file; give another "
			    "one with -c FILE, or set LANPOST_ACCOUNT_* in the "
			    "environment");
	config_error_free(&error);
	assert_int_equal(mkdir("etc", 0700), 0);
	assert_null(config_load("etc", nothing, NULL, &error));
	assert_string_equal(error.message,
			    "etc: this is a directory; name the file in it, "
			    "such as etc/lanpost.conf");
	config_error_free(&error);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_null(config_load("fifo", nothing, NULL, &error));
	assert_string_equal(error.message, "fifo: this is not a plain file");
	config_error_free(&error);
}

static void test_a_huge_file_is_refused(void **state)
{
	struct config_error error;

	(void)state;
	tempdir_write("huge.conf", "");
	assert_int_equal(truncate("huge.conf", 1024 * 1024 + 1), 0);
	assert_null(config_load("huge.conf", nothing, NULL, &error));
	assert_string_equal(error.message,
			    "huge.conf: the file has more than 1 "
			    "MiB; is it the right one?");
	config_error_free(&error);
}

static void test_relative_paths_start_at_the_file(void **state)
{
	struct config_error error;
	struct config *config;

	(void)state;
	assert_int_equal(mkdir("sub", 0700), 0);
	tempdir_write("sub/b.conf", "[relay]\nspool = spool\n" ACCOUNT);
	config = config_load("sub/b.conf", nothing, NULL, &error);
	assert_non_null(config);
	assert_string_equal(config->relay.spool, "sub/spool");
	config_unref(&config);
}

static char *printed(const struct config *config)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	config_print(out, config);
	fclose(out);
	return text;
}

static void test_print_shows_sources_and_hides_secrets(void **state)
{
	struct config *config = load_good(OFFICE), *longer;
	char *text = printed(config), *other;
	json_t *json = config_to_json(config);
	char *dumped = json_dumps(json, 0);

	(void)state;
	assert_non_null(strstr(text, "[account default]\n"));
	assert_non_null(strstr(text, "host = smtp.office365.com                "
				     "    ; preset office365\n"));
	assert_non_null(strstr(text, "; line 3\n"));
	assert_non_null(strstr(text, "\npassword = ********  "));
	assert_null(strstr(text, "hunter2"));
	assert_null(strstr(dumped, "hunter2"));
	assert_string_equal(
		json_string_value(json_object_get(
			json_array_get(json_object_get(json, "accounts"), 0),
			"name")),
		"default");
	longer = load_good("[account]\nprovider = office365\nusername = "
			   "a@b.example\npassword = hunter2hunter2hunter2\n");
	other = printed(longer);
	assert_string_equal(text, other);
	free(text);
	free(other);
	free(dumped);
	json_decref(json);
	config_unref(&config);
	config_unref(&longer);
}

/* What is printed may be read again, but for the secret. */
static void test_print_can_be_read_again(void **state)
{
	struct config *config = load_good(
		ACCOUNT
		"[relay]\nretry = 1s, 90s\n[listener a]\naddress = *:25, "
		"[::1]:26\nallow = private, 10.0.0.0/8\n");
	char *text = printed(config), *clean = malloc(strlen(text) + 1), *again;
	char *line, *rest = text, *to = clean;
	struct config *second;

	(void)state;
	while ((line = strsep(&rest, "\n"))) {
		if (!strstr(line, "= (") && *line)
			to += sprintf(to, "%s\n", line);
	}
	second = load_good(clean);
	again = printed(second);
	assert_non_null(strstr(again, "address = *:25, [::1]:26"));
	assert_non_null(strstr(again, "retry = 1s, 90s"));
	assert_non_null(strstr(again, "allow = private, 10.0.0.0/8"));
	free(text);
	free(clean);
	free(again);
	config_unref(&config);
	config_unref(&second);
}

static void test_needs_restart(void **state)
{
	struct config *old = load_good(ACCOUNT);
	struct config *same =
		load_good("[relay]\nexpire = 1d\n[listener]\nallow = "
			  "10.0.0.0/8\n" ACCOUNT);
	struct config *spool = load_good("[relay]\nspool = /x\n" ACCOUNT);
	struct config *port = load_good("[listener]\naddress = *:26\n" ACCOUNT);
	struct config *two =
		load_good("[listener]\n[listener b]\naddress = *:27\n" ACCOUNT);

	(void)state;
	assert_null(config_needs_restart(old, same));
	assert_string_equal(config_needs_restart(old, spool), "[relay] spool");
	assert_string_equal(config_needs_restart(old, port),
			    "[listener default] address");
	assert_string_equal(config_needs_restart(old, two),
			    "number of [listener] sections");
	config_unref(&old);
	config_unref(&same);
	config_unref(&spool);
	config_unref(&port);
	config_unref(&two);
}

static void test_references_are_counted(void **state)
{
	struct config *config = load_good(ACCOUNT);
	struct config *other = config_ref(config);

	(void)state;
	config_unref(&config);
	assert_null(config);
	assert_string_equal(other->accounts[0].host, "h.example");
	config_unref(&other);
}

/* Every default in words that are no words parses, and prints as it stands. */
static void test_defaults_are_values_of_their_type(void **state)
{
	(void)state;
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];
		const char *text = config_key_default(key);
		struct buf why = BUF_INIT(1000), out = BUF_INIT(1000);
		union {
			char space[64];
			uint64_t align;
		} field = { { 0 } };

		if (key->later || !text)
			continue;
		if (!value_parse(key->type, text_of(text), NULL, &field, &why))
			fail_msg("%s: %s", key->name, buf_string(&why));
		value_print(key->type, &field, &out);
		assert_string_equal(buf_string(&out), text);
		value_free(key->type, &field);
		buf_free(&out);
	}
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
		cmocka_unit_test(test_three_lines_are_enough),
		cmocka_unit_test(test_presets_set_the_pace),
		cmocka_unit_test(test_what_is_not_certain_is_not_enforced),
		cmocka_unit_test(test_every_key_is_read),
		cmocka_unit_test(test_port_and_tls_follow_each_other),
		cmocka_unit_test(test_bad_files_get_a_sentence),
		cmocka_unit_test(test_risks_are_named),
		cmocka_unit_test(test_files_that_are_none),
		cmocka_unit_test(test_a_huge_file_is_refused),
		cmocka_unit_test(test_relative_paths_start_at_the_file),
		cmocka_unit_test(test_print_shows_sources_and_hides_secrets),
		cmocka_unit_test(test_print_can_be_read_again),
		cmocka_unit_test(test_needs_restart),
		cmocka_unit_test(test_references_are_counted),
		cmocka_unit_test(test_defaults_are_values_of_their_type),
	};

	return cmocka_run_group_tests(tests, enter_tempdir, leave_tempdir);
}
