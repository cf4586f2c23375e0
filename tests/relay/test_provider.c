#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/xalloc.h"
#include "relay/config/provider.h"
#include "tests/support/tempdir.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct provider *at(size_t index)
{
	return providers_at(providers_builtin(), index);
}

static const struct provider *find(const char *name)
{
	return providers_find(providers_builtin(), name);
}

static const char *nearest(const char *name)
{
	return providers_nearest(providers_builtin(), name);
}

static const char *const names[] = {
	"office365",
	"office365-hve",
	"outlook",
	"gmail",
	"google-workspace",
	"google-relay",
	"ses",
	"sendgrid",
	"mailgun",
	"postmark",
	"mailjet",
	"brevo",
	"sparkpost",
	"resend",
	"smtp2go",
	"zoho",
	"fastmail",
	"icloud",
	"yahoo",
	"yandex",
	"gmx",
	"proton-bridge",
	"acs",
};

static void test_every_preset_is_there(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		const struct provider *provider = find(names[i]);

		if (!provider)
			fail_msg("there is no preset %s", names[i]);
		assert_string_equal(provider->name, names[i]);
		assert_ptr_equal(at(i), provider);
	}
	assert_null(at(COUNT(names)));
}

static void need(const struct provider *provider, const char *key,
		 const char *value)
{
	if (!value || !*value)
		fail_msg("%s has no %s", provider->name, key);
}

static void test_every_preset_is_complete(void **state)
{
	const struct provider *provider;

	(void)state;
	for (size_t i = 0; (provider = at(i)); i++) {
		need(provider, "title", provider->title);
		need(provider, "host", provider->host);
		need(provider, "mechanisms", provider->mechanisms);
		need(provider, "username", provider->username);
		need(provider, "password", provider->password);
		need(provider, "sender_check", provider->sender_check);
		need(provider, "notes", provider->notes);
		need(provider, "page", provider->page);
		need(provider, "pipelining", provider->pipelining);
		assert_in_range(provider->port, 1, 65535);
		assert_int_equal(strncmp(provider->page, "https://", 8), 0);
		assert_true(provider->tls == SMTP_TLS_STARTTLS ||
			    provider->tls == SMTP_TLS_IMPLICIT);
		assert_null(strchr(provider->notes, '\n'));
	}
}

static void test_every_mechanism_is_known(void **state)
{
	static const char *const known[] = { "none", "plain", "login",
					     "xoauth2", "oauthbearer" };
	const struct provider *provider;

	(void)state;
	for (size_t i = 0; (provider = at(i)); i++) {
		struct text rest = text_of(provider->mechanisms), word;

		while (text_token(&rest, ',', &word)) {
			size_t k = 0;

			while (k < COUNT(known) &&
			       !text_is(text_trim(word), known[k]))
				k++;
			if (k == COUNT(known))
				fail_msg("%s: %.*s", provider->name,
					 TEXT_ARG(word));
		}
	}
}

static void test_a_host_tells_whose_it_is(void **state)
{
	static const struct {
		const char *host, *name;
	} rows[] = {
		{ "smtp.office365.com", "office365" },
		{ "SMTP.Office365.com", "office365" },
		{ "smtp.gmail.com", "gmail" },
		{ "email-smtp.us-east-1.amazonaws.com", "ses" },
		{ "email-smtp.eu-central-1.amazonaws.com", "ses" },
		{ "smtp.eu.mailgun.org", "mailgun" },
		{ "smtp.eu.sparkpostmail.com", "sparkpost" },
		{ "mail-eu.smtp2go.com", "smtp2go" },
		{ "smtppro.zoho.eu", "zoho" },
		{ "smtp.zoho.com.au", "zoho" },
		{ "smtp.yandex.ru", "yandex" },
		{ "mail.gmx.com", "gmx" },
		{ "email-smtp.eu-central-1.amazonaws.com.evil.test", NULL },
		{ "mail.example.com", NULL },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct provider *provider =
			providers_of_host(providers_builtin(), rows[i].host);

		if (!rows[i].name && provider)
			fail_msg("%s is of %s", rows[i].host, provider->name);
		if (rows[i].name &&
		    (!provider || strcmp(provider->name, rows[i].name) != 0))
			fail_msg("%s is not of %s", rows[i].host, rows[i].name);
	}
}

/* A doubt is about a value that is there. */
static void test_every_doubt_is_about_something(void **state)
{
	const struct provider *provider;

	(void)state;
	for (size_t i = 0; (provider = at(i)); i++) {
		const struct {
			const char *key;
			bool given;
		} keys[] = {
			{ "host", true },
			{ "port", true },
			{ "messages_per_minute",
			  provider->messages_per_minute > 0 },
			{ "messages_per_day", provider->messages_per_day > 0 },
			{ "recipients_per_day",
			  provider->recipients_per_day > 0 },
			{ "recipients_per_message",
			  provider->recipients_per_message > 0 },
			{ "connections", provider->connections > 0 },
			{ "messages_per_connection",
			  provider->messages_per_connection > 0 },
			{ "max_message_size", provider->max_message_size > 0 },
			{ "checks_envelope", true },
			{ "checks_from", true },
			{ "replaces_from", provider->replaces_from },
			{ "takes_null_sender", true },
		};
		struct text rest = text_of(provider->uncertain), word;

		while (text_token(&rest, ',', &word)) {
			size_t k = 0;

			while (k < COUNT(keys) &&
			       !(keys[k].given &&
				 text_is(text_trim(word), keys[k].key)))
				k++;
			if (k == COUNT(keys))
				fail_msg("%s is uncertain of %.*s",
					 provider->name, TEXT_ARG(word));
			assert_false(
				provider_is_certain(provider, keys[k].key));
		}
	}
}

static void test_microsoft_365(void **state)
{
	const struct provider *provider = find("Office365");

	(void)state;
	assert_non_null(provider);
	assert_string_equal(provider->host, "smtp.office365.com");
	assert_int_equal(provider->port, 587);
	assert_int_equal(provider->tls, SMTP_TLS_STARTTLS);
	assert_int_equal(provider->messages_per_minute, 30);
	assert_int_equal(provider->recipients_per_day, 10000);
	assert_int_equal(provider->connections, 3);
	assert_true(provider_is_certain(provider, "connections"));
	assert_false(provider_is_certain(provider, "messages_per_connection"));
	assert_non_null(strstr(provider->password_warning,
			       "off by default at the end of December 2026"));
	assert_non_null(strstr(provider->password_warning, "2027"));
}

/* What is done with a sender that is not the account's; '?' is not known. */
static const struct {
	const char *name, *checks; /* envelope, From, silently replaced, <> */
} senders[] = {
	{ "office365", "yyn?" },
	{ "office365-hve", "yyn?" },
	{ "outlook", "yyn?" },
	{ "gmail", "nny?" },
	{ "google-workspace", "nny?" },
	{ "google-relay", "y?n?" },
	{ "ses", "yyn?" },
	{ "sendgrid", "?yn?" },
	{ "mailgun", "nnn?" },
	{ "postmark", "?yn?" },
	{ "mailjet", "?yn?" },
	{ "brevo", "?yn?" },
	{ "sparkpost", "?yn?" },
	{ "resend", "?yn?" },
	{ "smtp2go", "?yn?" },
	{ "zoho", "y?n?" },
	{ "fastmail", "?yn?" },
	{ "icloud", "y?n?" },
	{ "yahoo", "y?n?" },
	{ "yandex", "y?nn" },
	{ "gmx", "y?n?" },
	{ "proton-bridge", "?yn?" },
	{ "acs", "y?n?" },
};

static char answer(const struct provider *provider, const char *key, bool yes)
{
	if (yes)
		return 'y';
	return provider_is_certain(provider, key) ? 'n' : '?';
}

static void test_what_is_done_with_senders(void **state)
{
	(void)state;
	assert_int_equal(COUNT(senders), COUNT(names));
	for (size_t i = 0; i < COUNT(senders); i++) {
		const struct provider *provider = at(i);
		char checks[5] = "";

		checks[0] = answer(provider, "checks_envelope",
				   provider->checks_envelope);
		checks[1] =
			answer(provider, "checks_from", provider->checks_from);
		checks[2] = answer(provider, "replaces_from",
				   provider->replaces_from);
		checks[3] = answer(provider, "takes_null_sender",
				   provider->takes_null_sender);
		assert_string_equal(provider->name, senders[i].name);
		if (strcmp(checks, senders[i].checks) != 0)
			fail_msg("%s: %s", provider->name, checks);
		assert_false(provider->replaces_from && provider->checks_from);
		if (provider->grant)
			assert_non_null(strstr(provider->grant, "ADDRESS"));
	}
}

static void test_google_drops_the_spaces(void **state)
{
	(void)state;
	assert_true(find("gmail")->spaced_password);
	assert_true(find("google-workspace")->spaced_password);
	assert_false(find("office365")->spaced_password);
}

static void test_finds_the_nearest(void **state)
{
	(void)state;
	assert_null(find("ofice365"));
	assert_null(find(""));
	assert_string_equal(nearest("ofice365"), "office365");
	assert_string_equal(nearest("GMIAL"), "gmail");
	assert_string_equal(nearest("sendgird"), "sendgrid");
	assert_null(nearest("example"));
	assert_null(nearest(""));
}

/* --- providers.d ---------------------------------------------------------- */

static struct providers *load(char **error_r)
{
	return providers_load("providers.d", error_r);
}

static struct providers *load_good(void)
{
	char *error;
	struct providers *providers = load(&error);

	if (!providers)
		fail_msg("%s", error);
	return providers;
}

static int make_folder(void **state)
{
	(void)state;
	tempdir_make();
	assert_int_equal(chdir(tempdir_path(".")), 0);
	return mkdir("providers.d", 0755);
}

static int remove_folder(void **state)
{
	(void)state;
	tempdir_remove();
	return 0;
}

static void test_a_preset_of_ones_own(void **state)
{
	const struct provider *own;
	struct providers *providers;

	(void)state;
	tempdir_write("providers.d/own.ini",
		      "[intern]\nhost = mail.example.com\ntls = implicit\n"
		      "messages_per_minute = 60\nnotes = Ask the\n  operators\n");
	providers = load_good();
	own = providers_find(providers, "Intern");
	assert_string_equal(own->name, "intern");
	assert_string_equal(own->title, "intern");
	assert_string_equal(own->file, "providers.d/own.ini");
	assert_string_equal(own->host, "mail.example.com");
	assert_int_equal(own->port, 465);
	assert_int_equal(own->messages_per_minute, 60);
	assert_string_equal(own->notes, "Ask the operators");
	assert_true(provider_is_certain(own, "messages_per_minute"));
	assert_false(provider_is_certain(own, "takes_null_sender"));
	assert_string_equal(provider_source(own, "messages_per_minute"),
			    "providers.d/own.ini");
	assert_ptr_equal(providers_at(providers, COUNT(names)), own);
	assert_null(find("intern"));
	providers_free(&providers);
}

static void test_a_preset_is_changed_key_by_key(void **state)
{
	const struct provider *gmail;
	struct providers *providers;

	(void)state;
	tempdir_write("providers.d/a.ini", "[gmail]\nmessages_per_day = 400\n"
					   "connections = 9\n");
	tempdir_write("providers.d/b.ini", "[Gmail]\nconnections = 4\n"
					   "uncertain = connections\n");
	tempdir_write("providers.d/c.txt", "[nonsense");
	tempdir_write("providers.d/.d.ini", "[nonsense");
	providers = load_good();
	gmail = providers_find(providers, "gmail");
	assert_null(gmail->file);
	assert_int_equal(gmail->messages_per_day, 400);
	assert_int_equal(gmail->connections, 4);
	assert_string_equal(gmail->host, "smtp.gmail.com");
	assert_string_equal(gmail->uncertain, "connections");
	assert_int_equal(gmail->n_changes, 4);
	assert_string_equal(provider_source(gmail, "messages_per_day"),
			    "providers.d/a.ini:2");
	assert_string_equal(provider_source(gmail, "connections"),
			    "providers.d/b.ini:2");
	assert_int_equal(
		strncmp(provider_source(gmail, "host"), "https://", 8), 0);
	assert_int_equal(find("gmail")->messages_per_day, 500);
	providers_free(&providers);
}

static void test_what_is_given_is_certain(void **state)
{
	const struct provider *gmail;
	struct providers *providers;

	(void)state;
	tempdir_write("providers.d/a.ini", "[gmail]\nmessages_per_day = 400\n");
	providers = load_good();
	gmail = providers_find(providers, "gmail");
	assert_true(provider_is_certain(gmail, "messages_per_day"));
	assert_false(provider_is_certain(gmail, "max_message_size"));
	providers_free(&providers);
}

static const struct {
	const char *text, *error;
} broken[] = {
	{ "[gmail]\nconections = 3\n",
	  "providers.d/x.ini:2: unknown key \"conections\" in a preset; did "
	  "you mean \"connections\"?" },
	{ "[gmail]\nconnections = many\n",
	  "providers.d/x.ini:2: connections: \"many\" is not a number from 0 "
	  "to 1000000" },
	{ "[new]\ntls = implicit\n",
	  "providers.d/x.ini:1: the preset new has no host; write host = "
	  "SERVER" },
	{ "[new]\nhost = a.example\nport = 70000\n",
	  "providers.d/x.ini:1: the preset new: 70000 is not a port; write a "
	  "number from 1 to 65535" },
	{ "[new]\nhost = a.example\ntls = none\n",
	  "providers.d/x.ini:3: tls: \"none\" is unknown; write starttls or "
	  "implicit" },
	{ "[gmail]\nmechanisms = plain, cram-md5\n",
	  "providers.d/x.ini:2: mechanisms: \"cram-md5\" is unknown; "
	  "mechanisms are none, plain, login, xoauth2 and oauthbearer" },
	{ "[gmail]\nuncertain = conections\n",
	  "providers.d/x.ini:2: uncertain: \"conections\" is unknown; name "
	  "keys of a preset" },
	{ "[gmail]\nport = 1\n\nport = 2\n",
	  "providers.d/x.ini:4: \"port\" is set a second time; the first is in "
	  "line 2" },
	{ "[gmail]\nport = 1\n[gmail]\nhost = a.example\n",
	  "providers.d/x.ini:3: [gmail] stands here a second time; the first "
	  "is in line 1" },
	{ "[account gmail]\nport = 1\n",
	  "providers.d/x.ini:1: [account gmail]: a preset has one word as its "
	  "name" },
	{ "port = 1\n",
	  "providers.d/x.ini:1: \"port\" stands before any section; put a line "
	  "with [NAME] above it" },
};

static void test_what_is_wrong_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(broken); i++) {
		struct providers *providers;
		char *error;

		tempdir_write("providers.d/x.ini", broken[i].text);
		providers = load(&error);
		assert_null(providers);
		assert_string_equal(error, broken[i].error);
		free(error);
	}
}

static void test_no_folder_is_none(void **state)
{
	struct providers *providers;
	char *error, *folder;

	(void)state;
	assert_int_equal(rmdir("providers.d"), 0);
	providers = load_good();
	assert_non_null(providers_find(providers, "gmail"));
	providers_free(&providers);
	tempdir_write("providers.d", "");
	assert_null(load(&error));
	assert_string_equal(error, "providers.d: Not a directory");
	free(error);
	folder = providers_folder("/srv/a/b.conf");
	assert_string_equal(folder, "/srv/a/providers.d");
	free(folder);
	folder = providers_folder("b.conf");
	assert_string_equal(folder, "providers.d");
	free(folder);
	folder = providers_folder(NULL);
	assert_string_equal(folder, "/etc/lanpost/providers.d");
	free(folder);
}

static void test_a_file_that_is_none(void **state)
{
	char *error;

	(void)state;
	assert_int_equal(mkfifo("providers.d/f.ini", 0600), 0);
	assert_null(load(&error));
	assert_string_equal(error,
			    "providers.d/f.ini: this is not a plain file");
	free(error);
}

#define FOLDER_TEST(name) \
	cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_preset_is_there),
		cmocka_unit_test(test_every_preset_is_complete),
		cmocka_unit_test(test_every_mechanism_is_known),
		cmocka_unit_test(test_a_host_tells_whose_it_is),
		cmocka_unit_test(test_every_doubt_is_about_something),
		cmocka_unit_test(test_microsoft_365),
		cmocka_unit_test(test_what_is_done_with_senders),
		cmocka_unit_test(test_google_drops_the_spaces),
		cmocka_unit_test(test_finds_the_nearest),
		FOLDER_TEST(test_a_preset_of_ones_own),
		FOLDER_TEST(test_a_preset_is_changed_key_by_key),
		FOLDER_TEST(test_what_is_given_is_certain),
		FOLDER_TEST(test_what_is_wrong_is_named),
		FOLDER_TEST(test_no_folder_is_none),
		FOLDER_TEST(test_a_file_that_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
