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
#include "relay/config/config.h"
#include "relay/config/secret.h"
#include "tests/support/tempdir.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ENV(...)     ((char *const *)(const char *const[]){ __VA_ARGS__, NULL })

static void write_bytes(const char *name, const char *bytes, size_t len,
			unsigned mode)
{
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(name, mode), 0);
}

static void write_secret(const char *name, const char *text, unsigned mode)
{
	write_bytes(name, text, strlen(text), mode);
}

static const struct {
	const char *bytes;
	size_t len;
	const char *secret; /* NULL: refused */
	const char *error;
} contents[] = {
#define BYTES(literal) literal, sizeof(literal) - 1
	{ BYTES("hunter2"), "hunter2", NULL },
	{ BYTES("hunter2\n"), "hunter2", NULL },
	{ BYTES("hunter2\r\n"), "hunter2", NULL },
	{ BYTES(" hunter2 \n"), " hunter2 ", NULL },
	{ BYTES("h\xfcnter\n"), "h\xfcnter", NULL },
	{ BYTES("a ;b #c\n"), "a ;b #c", NULL },
	{ BYTES(""), NULL, "s is empty; put the password in" },
	{ BYTES("\n"), NULL, "s is empty; put the password in" },
	{ BYTES("\r\n"), NULL, "s is empty; put the password in" },
	{ BYTES("hunter2\n\n"), NULL,
	  "s holds more than one line, or a NUL "
	  "byte; the password alone belongs there" },
	{ BYTES("hunter2\nmore"), NULL,
	  "s holds more than one line, or a NUL "
	  "byte; the password alone belongs "
	  "there" },
	{ BYTES("hunter\0002"), NULL,
	  "s holds more than one line, or a NUL "
	  "byte; the password alone belongs there" },
};

static void test_contents(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(contents); i++) {
		struct buf why = BUF_INIT(1000);
		char *secret = NULL;
		bool good;

		write_bytes("s", contents[i].bytes, contents[i].len, 0600);
		good = secret_read_file("s", NULL, &secret, &why);
		assert_int_equal(good, contents[i].secret != NULL);
		if (good)
			assert_string_equal(secret, contents[i].secret);
		else
			assert_string_equal(buf_string(&why),
					    contents[i].error);
		xfree_secret(&secret);
		buf_free(&why);
	}
}

static void test_a_long_file_is_no_password(void **state)
{
	struct buf why = BUF_INIT(1000);
	char *secret = NULL, bytes[5000];

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	write_bytes("s", bytes, 4096, 0600);
	assert_true(secret_read_file("s", NULL, &secret, &why));
	assert_int_equal(strlen(secret), 4096);
	write_bytes("s", bytes, 5000, 0600);
	assert_false(secret_read_file("s", NULL, &secret, &why));
	assert_string_equal(buf_string(&why), "s holds more than 4096 bytes; a "
					      "password is all that belongs "
					      "there");
	assert_int_equal(strlen(secret), 4096);
	xfree_secret(&secret);
	buf_free(&why);
}

static void test_modes(void **state)
{
	static const struct {
		unsigned mode;
		bool good;
	} modes[] = {
		{ 0600, true },  { 0400, true },  { 0700, true },
		{ 0711, true },  { 0640, false }, { 0604, false },
		{ 0644, false }, { 0620, false }, { 0602, false },
		{ 0666, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(modes); i++) {
		struct buf why = BUF_INIT(1000);
		char *secret = NULL, expected[200];

		write_secret("s", "hunter2\n", modes[i].mode);
		assert_int_equal(secret_read_file("s", NULL, &secret, &why),
				 modes[i].good);
		snprintf(expected, sizeof(expected),
			 "s is open to others (mode %03o); run \"chmod 600 s\"",
			 modes[i].mode);
		if (!modes[i].good)
			assert_string_equal(buf_string(&why), expected);
		xfree_secret(&secret);
		buf_free(&why);
	}
}

static void test_a_mounted_secret_may_be_open(void **state)
{
	struct buf why = BUF_INIT(1000);
	char *secret = NULL;

	(void)state;
	assert_int_equal(mkdir("mount", 0755), 0);
	write_secret("mount/s", "hunter2\n", 0444);
	write_secret("outside", "hunter2\n", 0444);
	assert_int_equal(symlink("../outside", "mount/link"), 0);
	assert_true(secret_read_file("mount/s", "mount", &secret, &why));
	assert_true(secret_read_file("mount/s", tempdir_path("mount/"), &secret,
				     &why));
	assert_false(secret_read_file("mount/s", "moun", &secret, &why));
	assert_false(
		secret_read_file("mount/../outside", "mount", &secret, &why));
	assert_false(secret_read_file("mount/link", "mount", &secret, &why));
	xfree_secret(&secret);
	buf_free(&why);
}

/* The name may be the secret, put where its file's name belongs. */
static void test_a_missing_file_is_not_quoted(void **state)
{
	static const struct {
		const char *path, *error;
	} missing[] = {
		{ "hunter2", "there is no such file in this directory; create "
			     "it with the password as its one line" },
		{ "/hunter2", "there is no such file in /; create it with the "
			      "password as its one line" },
		{ "/none/hunter2", "there is no such file in /none; create it "
				   "with the password as its one line" },
	};
	char *secret = NULL;

	(void)state;
	for (size_t i = 0; i < COUNT(missing); i++) {
		struct buf why = BUF_INIT(1000);

		assert_false(
			secret_read_file(missing[i].path, NULL, &secret, &why));
		assert_string_equal(buf_string(&why), missing[i].error);
		buf_free(&why);
	}
}

static void test_what_is_no_file(void **state)
{
	struct buf why = BUF_INIT(1000);
	char *secret = NULL;

	(void)state;
	assert_int_equal(mkdir("d", 0700), 0);
	assert_false(secret_read_file("d", NULL, &secret, &why));
	assert_string_equal(buf_string(&why), "d is not a plain file");
	buf_clear(&why);
	assert_int_equal(mkfifo("f", 0600), 0);
	assert_false(secret_read_file("f", NULL, &secret, &why));
	assert_string_equal(buf_string(&why), "f is not a plain file");
	buf_free(&why);
}

#define ACCOUNT "[account]\nhost = h.example\nusername = a@b.example\n"

static void test_the_configuration_file_is_as_secret(void **state)
{
	static const char text[] = ACCOUNT "password = hunter2\n";
	struct config_warnings warnings;
	struct config_error error;
	struct config *config;

	(void)state;
	write_secret("a.conf", text, 0644);
	assert_null(config_load("a.conf", ENV("A=b"), NULL, &error));
	assert_string_equal(error.message,
			    "a.conf:4: password: this file is open to others "
			    "(mode 644); run \"chmod 600 a.conf\"");
	config_error_free(&error);
	write_secret("a.conf", text, 0640);
	config = config_load("a.conf",
			     ENV("LANPOST_RELAY_HOSTNAME=r.example.com",
				 "LANPOST_RELAY_NOTIFY=off"),
			     &warnings, &error);
	assert_non_null(config);
	assert_int_equal(warnings.n, 1);
	assert_string_equal(warnings.messages[0],
			    "account default: the password stands in a file "
			    "that its group may read; run \"chmod 600 "
			    "a.conf\"");
	config_warnings_free(&warnings);
	config_unref(&config);
	write_secret("a.conf", ACCOUNT "password_file = s\n", 0644);
	write_secret("s", "hunter2\n", 0600);
	config = config_load("a.conf", ENV("A=b"), NULL, &error);
	assert_non_null(config);
	config_unref(&config);
}

static void test_a_file_open_for_writing_is_named(void **state)
{
	struct config_warnings warnings;
	struct config_error error;
	struct config *config;

	(void)state;
	write_secret("s", "hunter2\n", 0600);
	write_secret("a.conf", ACCOUNT "password_file = s\n", 0666);
	config = config_load("a.conf",
			     ENV("LANPOST_RELAY_HOSTNAME=r.example.com",
				 "LANPOST_RELAY_NOTIFY=off"),
			     &warnings, &error);
	assert_non_null(config);
	assert_int_equal(warnings.n, 1);
	assert_string_equal(warnings.messages[0],
			    "a.conf: everybody may write to this file (mode "
			    "666); run \"chmod o-w a.conf\"");
	config_warnings_free(&warnings);
	config_unref(&config);
}

static void test_google_passwords_lose_their_spaces(void **state)
{
	struct config_error error;
	struct config *config;

	(void)state;
	write_secret("s", "abcd efgh ijkl mnop\n", 0600);
	write_secret("a.conf",
		     "[account]\nprovider = google-workspace\n"
		     "username = a@b.example\npassword_file = s\n",
		     0644);
	config = config_load("a.conf", ENV("A=b"), NULL, &error);
	assert_non_null(config);
	assert_string_equal(config->accounts[0].password, "abcdefghijklmnop");
	config_unref(&config);
	write_secret("a.conf", ACCOUNT "password_file = s\n", 0644);
	config = config_load("a.conf", ENV("A=b"), NULL, &error);
	assert_string_equal(config->accounts[0].password,
			    "abcd efgh ijkl mnop");
	config_unref(&config);
}

static void test_reload_reads_the_file_again(void **state)
{
	const char *why = NULL;
	struct config_error error;
	struct config *config;
	struct account_config *account;

	(void)state;
	write_secret("s", "first\n", 0600);
	write_secret("a.conf", ACCOUNT "password_file = s\n", 0644);
	config = config_load("a.conf", ENV("A=b"), NULL, &error);
	assert_non_null(config);
	account = &config->accounts[0];
	write_secret("s", "second\n", 0600);
	assert_true(account_reload_password(account, &why));
	assert_string_equal(account->password, "second");
	write_secret("s", "", 0600);
	assert_false(account_reload_password(account, &why));
	assert_string_equal(why, "s is empty; put the password in");
	assert_string_equal(account->password, "second");
	assert_int_equal(unlink("s"), 0);
	assert_false(account_reload_password(account, &why));
	assert_string_equal(account->password, "second");
	config_unref(&config);
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
		cmocka_unit_test(test_contents),
		cmocka_unit_test(test_a_long_file_is_no_password),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_a_mounted_secret_may_be_open),
		cmocka_unit_test(test_a_missing_file_is_not_quoted),
		cmocka_unit_test(test_what_is_no_file),
		cmocka_unit_test(test_the_configuration_file_is_as_secret),
		cmocka_unit_test(test_a_file_open_for_writing_is_named),
		cmocka_unit_test(test_google_passwords_lose_their_spaces),
		cmocka_unit_test(test_reload_reads_the_file_again),
	};

	return cmocka_run_group_tests(tests, enter_tempdir, leave_tempdir);
}
