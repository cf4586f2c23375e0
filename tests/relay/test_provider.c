#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "relay/config/provider.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

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
		const struct provider *provider = provider_find(names[i]);

		if (!provider)
			fail_msg("there is no preset %s", names[i]);
		assert_string_equal(provider->name, names[i]);
		assert_ptr_equal(provider_at(i), provider);
	}
	assert_null(provider_at(COUNT(names)));
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
	for (size_t i = 0; (provider = provider_at(i)); i++) {
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
	for (size_t i = 0; (provider = provider_at(i)); i++) {
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

/* A doubt is about a value that is there. */
static void test_every_doubt_is_about_something(void **state)
{
	const struct provider *provider;

	(void)state;
	for (size_t i = 0; (provider = provider_at(i)); i++) {
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
	const struct provider *provider = provider_find("Office365");

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
		const struct provider *provider = provider_at(i);
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
	assert_true(provider_find("gmail")->spaced_password);
	assert_true(provider_find("google-workspace")->spaced_password);
	assert_false(provider_find("office365")->spaced_password);
}

static void test_finds_the_nearest(void **state)
{
	(void)state;
	assert_null(provider_find("ofice365"));
	assert_null(provider_find(""));
	assert_string_equal(provider_nearest("ofice365"), "office365");
	assert_string_equal(provider_nearest("GMIAL"), "gmail");
	assert_string_equal(provider_nearest("sendgird"), "sendgrid");
	assert_null(provider_nearest("example"));
	assert_null(provider_nearest(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_preset_is_there),
		cmocka_unit_test(test_every_preset_is_complete),
		cmocka_unit_test(test_every_mechanism_is_known),
		cmocka_unit_test(test_every_doubt_is_about_something),
		cmocka_unit_test(test_microsoft_365),
		cmocka_unit_test(test_what_is_done_with_senders),
		cmocka_unit_test(test_google_drops_the_spaces),
		cmocka_unit_test(test_finds_the_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
