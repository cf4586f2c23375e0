#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "proto/xalloc.h"
#include "relay/outbound/credentials.h"
#include "relay/outbound/fingerprint.h"
#include "tests/support/tempdir.h"

static struct config *config;
static struct account_config *account;
static struct credentials credentials;

static void write_password(const char *name, const char *text)
{
	tempdir_write(name, text);
	assert_int_equal(chmod(tempdir_path(name), 0600), 0);
}

static struct config *load(const char *more)
{
	static char *const environment[] = { NULL };
	struct config_error error = { NULL };
	struct config *loaded;
	char *text = xasprintf("[account]\nhost = 127.0.0.1\ntls = none\n"
			       "username = me@example.com\n%s\n", more);

	tempdir_write("lanpost.conf", text);
	assert_int_equal(chmod(tempdir_path("lanpost.conf"), 0600), 0);
	free(text);
	loaded = config_load(tempdir_path("lanpost.conf"), environment, NULL,
			     &error);
	if (loaded == NULL)
		fail_msg("%s", error.message);
	return loaded;
}

static int setup(void **state)
{
	(void)state;
	tempdir_make();
	write_password("password", "first\n");
	config = load("password_file = password");
	account = &config->accounts[0];
	credentials_read(&credentials, account);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	config_unref(&config);
	tempdir_remove();
	return 0;
}

/* --- the password file -------------------------------------------------- */

static void test_another_password(void **state)
{
	(void)state;
	assert_false(credentials_changed(&credentials, account));
	write_password("password", "second one\n");
	assert_true(credentials_changed(&credentials, account));
	assert_string_equal(account->password, "second one");
	assert_false(credentials_changed(&credentials, account));
}

static void test_another_file_of_that_name(void **state)
{
	(void)state;
	write_password("new", "other\n");
	assert_int_equal(rename(tempdir_path("new"), tempdir_path("password")),
			 0);
	assert_true(credentials_changed(&credentials, account));
	assert_string_equal(account->password, "other");
}

static void test_the_same_password_is_no_news(void **state)
{
	(void)state;
	write_password("new", "first\n");
	assert_int_equal(rename(tempdir_path("new"), tempdir_path("password")),
			 0);
	assert_false(credentials_changed(&credentials, account));
}

/* An editor that is in the middle of it; what was read stays. */
static void test_a_file_that_is_being_written(void **state)
{
	(void)state;
	write_password("password", "");
	assert_false(credentials_changed(&credentials, account));
	assert_string_equal(account->password, "first");
	write_password("password", "second\n");
	assert_true(credentials_changed(&credentials, account));
	assert_int_equal(unlink(tempdir_path("password")), 0);
	assert_false(credentials_changed(&credentials, account));
	write_password("password", "third\n");
	assert_true(credentials_changed(&credentials, account));
	assert_string_equal(account->password, "third");
}

static void test_a_password_in_the_configuration(void **state)
{
	struct config *other = load("password = x");
	struct credentials none = { 0 };

	(void)state;
	credentials_read(&none, &other->accounts[0]);
	assert_false(credentials_changed(&none, &other->accounts[0]));
	assert_string_equal(other->accounts[0].password, "x");
	config_unref(&other);
}

/* --- fingerprints ------------------------------------------------------- */

static void test_fingerprints(void **state)
{
	char one[FINGERPRINT_TEXT], two[FINGERPRINT_TEXT];
	struct account_config other = *account;

	(void)state;
	fingerprint_make(account, one);
	fingerprint_make(account, two);
	assert_string_not_equal(one, two); /* salted */
	assert_true(fingerprint_fits(account, one));
	assert_true(fingerprint_fits(account, two));
	assert_null(strstr(one, "first"));
	other.connections++;
	assert_true(fingerprint_fits(&other, one));
}

/* One of 65,536 others fits by chance: two salts are enough for a test. */
static bool fits_both(const struct account_config *other, const char *one,
		      const char *two)
{
	return fingerprint_fits(other, one) && fingerprint_fits(other, two);
}

static void test_what_decides_a_login(void **state)
{
	char one[FINGERPRINT_TEXT], two[FINGERPRINT_TEXT];
	struct account_config other = *account;

	(void)state;
	fingerprint_make(account, one);
	fingerprint_make(account, two);
	other.password = (char *)"firsT";
	assert_false(fits_both(&other, one, two));
	other.password = NULL;
	assert_false(fits_both(&other, one, two));
	other = *account;
	other.username = (char *)"you@example.com";
	assert_false(fits_both(&other, one, two));
	other = *account;
	other.host = (char *)"127.0.0.2";
	assert_false(fits_both(&other, one, two));
	other = *account;
	other.port++;
	assert_false(fits_both(&other, one, two));
}

static void test_nonsense_fits_nobody(void **state)
{
	static const char *const texts[] = { NULL, "", "0123456789abcdef",
		"0123456789abcdef-", "x", "0123456789abcdef-00000000000000" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		assert_false(fingerprint_fits(account, texts[i]));
}

/* --- two configurations ------------------------------------------------- */

static void test_accounts_that_differ(void **state)
{
	struct config *same = load("password_file = password");
	struct config *more = load("password_file = password\nconnections = 7");

	(void)state;
	assert_false(config_accounts_differ(account, &same->accounts[0]));
	assert_true(config_accounts_differ(account, &more->accounts[0]));
	write_password("password", "other\n");
	config_unref(&same);
	same = load("password_file = password");
	assert_true(config_accounts_differ(account, &same->accounts[0]));
	config_unref(&same);
	config_unref(&more);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_another_password),
		TEST(test_another_file_of_that_name),
		TEST(test_the_same_password_is_no_news),
		TEST(test_a_file_that_is_being_written),
		TEST(test_a_password_in_the_configuration),
		TEST(test_fingerprints),
		TEST(test_what_decides_a_login),
		TEST(test_nonsense_fits_nobody),
		TEST(test_accounts_that_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
