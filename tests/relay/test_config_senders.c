/* Risks of devices, rules and senders, told before a provider tells them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/policy/check_rules.h"
#include "relay/config/config.h"
#include "relay/config/provider.h"
#include "tests/support/tempdir.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char *const nothing[] = { NULL };

#define OWN "[account]\nhost = h.example\nsenders = a@b.example, *@c.example\n"
#define PRESET(name)                                                           \
	"[account]\nprovider = " name "\nusername = a@b.example\n"             \
	"password = x\n"
#define GMAIL_WORDS                                                            \
	"another From is not refused but silently replaced by the account's "  \
	"address, unless it is a verified \"Send mail as\" address"

static const struct {
	const char *text, *warning; /* NULL: none */
} warned[] = {
	/* devices */
	{ OWN "[device a]\naddress = 10.0.0.1\n[device b]\n"
	      "address = 10.0.0.0/8, 10.0.0.2\n",
	  NULL },
	{ OWN "[device a]\naddress = 10.0.0.1\n[device b]\n"
	      "address = 10.0.0.9, 10.0.0.1\n",
	  "device b: 10.0.0.1 is the address of device a too, whose name and "
	  "settings are taken; give it to one of them" },
	{ OWN "[device a]\naddress = 10.0.0.1\nauth = any\n"
	      "[listener]\nauth = users\ntls = required\n",
	  NULL },
	{ OWN "[device a]\naddress = 203.0.113.0/24\nauth = any\n", NULL },
	{ OWN "[device a]\naddress = 203.0.113.0/24\nauth = any\n"
	      "[listener]\nauth = users\ntls = required\n",
	  "device a: 203.0.113.0/24 is public, so auth = any does not hold "
	  "for it where auth = FILE; give the device a line in that file" },
	{ OWN "[device a]\naddress = 10.0.0.1, fd00::1\nlf_end_of_data = yes\n",
	  NULL },
	{ OWN "[device a]\naddress = 10.1.0.0/24\nlf_end_of_data = yes\n",
	  "device a: lf_end_of_data loosens the end of a message for all of "
	  "10.1.0.0/24; give the addresses of the devices that need it" },
	/* listeners */
	{ OWN "[listener]\nauth = users\ntls = starttls\n"
	      "allow = private, 0.0.0.0/0\n",
	  NULL },
	{ OWN "[listener]\nauth = users\n",
	  "listener default: auth = FILE with tls = off lets the devices' "
	  "passwords travel in the clear; write tls = starttls, which asks "
	  "for them behind STARTTLS only" },
	{ OWN "[listener]\ntls = starttls\ntls_min = 1.1\n",
	  "listener default: tls_min = 1.1 admits TLS that can be broken; "
	  "keep it to old devices, on a listener of their own" },
	{ OWN "[listener]\ntls_min = 1.0\n", NULL },
	{ OWN "[listener]\ntls_cert = cert.pem\ntls_key = key.pem\n",
	  "listener default: tls is off, so tls_cert and tls_key are not "
	  "used; write tls = starttls" },
	/* rules */
	{ OWN "[rule x]\nfrom = a@b.example\n", NULL },
	{ OWN "[rule x]\nfrom = *@evil.example\nreject = No\n", NULL },
	{ OWN "[rule x]\nfrom = *@evil.example\nreject = No\n"
	      "bcc = a@b.example\n",
	  "rule x: reject refuses the message, so bcc does nothing" },
	{ OWN "[rule x]\nreject = No\n",
	  "rule x: it has no condition, so it refuses every message that no "
	  "rule before it matches" },
	{ OWN "[account two]\nhost = i.example\nsenders = x@y.example\n",
	  "account two: nothing sends by it; name it in account of a [rule], "
	  "or in failover of another account" },
	{ OWN "failover = two\n[account two]\nhost = i.example\n"
	      "senders = x@y.example\n",
	  NULL },
	{ OWN "[account two]\nhost = i.example\nsenders = x@y.example\n"
	      "[rule x]\nto = *@z.example\naccount = two\n",
	  NULL },
	{ OWN "[rule one]\nclient = 10.0.0.0/8\nadd_domain = b.example\n"
	      "[rule two]\nclient = 10.1.0.0/16\nbcc = a@b.example\n",
	  "rule two: it never matches, because rule one before it matches "
	  "all that it would; put it before that one" },
	{ OWN "[rule two]\nclient = 10.1.0.0/16\nbcc = a@b.example\n"
	      "[rule one]\nclient = 10.0.0.0/8\nadd_domain = b.example\n",
	  NULL },
	/* senders */
	{ OWN "sender_policy = pass\n", NULL },
	{ OWN "[rule x]\nsend_as = A@B.example\n", NULL },
	{ OWN "[rule x]\nsend_as = other@c.example\n", NULL },
	{ OWN "[rule x]\nsend_as = other@d.example\n",
	  "rule x: account default is not known to be allowed to send as "
	  "other@d.example; add it to senders of [account default] if its "
	  "server lets it" },
	{ OWN "[rule x]\nsend_as = other@d.example\nto = *\nreject = No\n",
	  "rule x: reject refuses the message, so send_as does nothing" },
	{ OWN "[rule x]\nfrom = *@c.example\non_behalf = yes\n", NULL },
	{ PRESET("fastmail") "sender_policy = pass\n",
	  "account default: sender_policy = pass lets every sender through, "
	  "and Fastmail refuses others (the From field must be an address of "
	  "the account; refused after the data with 551 5.7.1); write "
	  "sender_policy = rewrite" },
	{ PRESET("icloud") "senders = *@*\n",
	  "account default: senders lets every sender through, and iCloud "
	  "Mail refuses others (the envelope sender must be the account, an "
	  "alias of it or an address of its own domain; refused at MAIL with "
	  "550 5.7.0); list in senders what is allowed" },
	{ PRESET("gmail") "sender_policy = pass\n",
	  "account default: sender_policy = pass lets every sender through, "
	  "and Gmail puts the account in its place without a word "
	  "(" GMAIL_WORDS "); write sender_policy = rewrite, and lanpost does "
	  "it with the old sender in Reply-To" },
	{ PRESET("mailgun") "sender_policy = pass\n", NULL },
	{ PRESET("gmail") "[rule x]\nsend_as = o@b.example\n",
	  "rule x: account default is not known to be allowed to send as "
	  "o@b.example; add it to senders of [account default], and at the "
	  "provider add o@b.example as a \"Send mail as\" address of "
	  "a@b.example and verify it" },
	{ PRESET("gmail") "senders = a@b.example, o@b.example\n"
			  "[rule x]\nsend_as = o@b.example\n",
	  NULL },
	{ PRESET("yahoo") "[rule x]\nsend_as = o@b.example\n",
	  "rule x: account default is not known to be allowed to send as "
	  "o@b.example; Yahoo Mail lets no account send as another address" },
	{ PRESET("gmail") "[rule x]\nfrom = *\non_behalf = yes\n",
	  "rule x: on_behalf keeps From, but Gmail replaces it (" GMAIL_WORDS
	  "); write send_as, and the old sender goes into Reply-To" },
	{ PRESET("ses") "senders = *@b.example, x@b.example\n"
			"[rule x]\nfrom = *\non_behalf = yes\n",
	  "rule x: on_behalf keeps From, which Amazon SES checks (From, "
	  "Sender and Return-Path must be verified identities in the region; "
	  "refused with 554); it works only for senders the account has been "
	  "granted there" },
	{ PRESET("icloud") "[rule x]\nfrom = *\non_behalf = yes\n", NULL },
};

static void write_config(const char *text)
{
	char whole[2000];

	snprintf(whole, sizeof(whole), "[relay]\nhostname = r.example.com\nnotify = off\n%s",
		 text);
	tempdir_write("a.conf", whole);
	assert_int_equal(chmod("a.conf", 0600), 0);
}

static void test_risks_are_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(warned); i++) {
		struct config_warnings warnings;
		struct config_error error;
		struct config *config;

		write_config(warned[i].text);
		config = config_load("a.conf", nothing, &warnings, &error);
		if (!config)
			fail_msg("%s", error.message);
		check_rules(config, &warnings);
		if (warnings.n != (warned[i].warning ? 1 : 0))
			fail_msg("%zu warnings for %s: %s", warnings.n,
				 warned[i].text,
				 warnings.n ? warnings.messages[0] : "");
		if (warned[i].warning)
			assert_string_equal(warnings.messages[0],
					    warned[i].warning);
		config_warnings_free(&warnings);
		config_unref(&config);
	}
}

/* Microsoft's command is there to be copied. */
static void test_the_command_is_told(void **state)
{
	struct config_warnings warnings;
	struct config_error error;
	struct config *config;
	bool told = false;

	(void)state;
	write_config(PRESET("office365") "[rule x]\nclient = 10.0.0.0/8\n"
					 "send_as = scan@b.example\n");
	config = config_load("a.conf", nothing, &warnings, &error);
	assert_non_null(config);
	for (size_t i = 0; i < warnings.n; i++)
		told |= strstr(warnings.messages[i],
			       "run Add-RecipientPermission scan@b.example "
			       "-AccessRights SendAs -Trustee a@b.example "
			       "(Exchange Online PowerShell") != NULL;
	assert_true(told);
	assert_int_equal(warnings.n, 2);
	config_warnings_free(&warnings);
	config_unref(&config);
}

static int enter_tempdir(void **state)
{
	(void)state;
	tempdir_make();
	assert_int_equal(chdir(tempdir_path(".")), 0);
	tempdir_write("users", "");
	tempdir_write("cert.pem", "");
	tempdir_write("key.pem", "");
	return chmod("users", 0600) | chmod("key.pem", 0640);
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
		cmocka_unit_test(test_risks_are_named),
		cmocka_unit_test(test_the_command_is_told),
	};

	return cmocka_run_group_tests(tests, enter_tempdir, leave_tempdir);
}
