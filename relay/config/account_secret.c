#include "relay/config/config_build.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "proto/xalloc.h"
#include "relay/config/provider.h"
#include "relay/config/secret.h"

static const char *const source_keys[] = { "password_file", "password_env",
					   "password" };
enum { SOURCES = sizeof(source_keys) / sizeof(source_keys[0]) };

static bool drop_spaces(char *secret, struct buf *why)
{
	char *to = secret, *end = secret + strlen(secret);

	for (const char *from = secret; *from; from++) {
		if (*from != ' ')
			*to++ = *from;
	}
	explicit_bzero(to, (size_t)(end - to));
	if (secret[0] == '\0')
		buf_puts(why, "the password consists of spaces");
	return secret[0] != '\0';
}

static bool read_variable(struct account_config *account,
			  char *const *environment, struct buf *why)
{
	const char *value = config_getenv(environment, account->password_env);
	char *what =
		xasprintf("the environment variable %s", account->password_env);
	bool good = false;

	if (value)
		good = secret_take(text_of(value), what, &account->password,
				   why);
	else
		buf_printf(why, "%s is not set", what);
	free(what);
	return good;
}

static bool read_password(struct account_config *account,
			  char *const *environment, struct buf *why)
{
	const char *credentials =
		config_getenv(environment, "CREDENTIALS_DIRECTORY");

	if (account->password_file &&
	    !secret_read_file(account->password_file, credentials,
			      &account->password, why))
		return false;
	if (account->password_env && !read_variable(account, environment, why))
		return false;
	return !account->password || !account->provider ||
	       !account->provider->spaced_password ||
	       drop_spaces(account->password, why);
}

static const struct config_origin *source_origin(
	const struct account_config *account, size_t source)
{
	return config_origin(account->origins, source_keys[source],
			     CONFIG_SECTION_ACCOUNT);
}

static void forget_source(struct account_config *account, size_t source)
{
	const struct config_key *key = config_key_find(
		CONFIG_SECTION_ACCOUNT, text_of(source_keys[source]));

	value_free(key->type, (char *)account + key->offset);
	account->origins[key - config_keys].type = CONFIG_ORIGIN_DEFAULT;
}

/* Environment beats file, also where it uses another of the three keys. */
static void forget_beaten(struct account_config *account)
{
	unsigned set = 0;

	for (size_t i = 0; i < SOURCES; i++)
		set += source_origin(account, i)->type ==
		       CONFIG_ORIGIN_ENVIRONMENT;
	for (size_t i = 0; set > 0 && i < SOURCES; i++) {
		if (source_origin(account, i)->type == CONFIG_ORIGIN_FILE)
			forget_source(account, i);
	}
}

static bool has_one_source(struct config_build *build,
			   struct account_config *account)
{
	const char *first = NULL;

	forget_beaten(account);
	for (size_t i = 0; i < SOURCES; i++) {
		if (source_origin(account, i)->type == CONFIG_ORIGIN_DEFAULT)
			continue;
		if (first)
			return config_fail_account(build, account,
						   source_keys[i],
						   "%s and %s are both given; "
						   "keep one",
						   first, source_keys[i]);
		first = source_keys[i];
	}
	return true;
}

/* The file with the password in it is as secret as the password. */
static bool file_is_closed(struct config_build *build,
			   const struct account_config *account)
{
	const char *credentials =
		config_getenv(build->environment, "CREDENTIALS_DIRECTORY");

	if (source_origin(account, 2)->type != CONFIG_ORIGIN_FILE ||
	    secret_is_mounted(build->path, credentials))
		return true;
	if (build->mode & 006)
		return config_fail_account(
			build, account, "password",
			"password: this file is open to "
			"others (mode %03o); run \"chmod 600 "
			"%s\"",
			build->mode & 0777, build->path);
	if (build->mode & 060)
		config_warn(build,
			    "account %s: the password stands in a file "
			    "that its group may read; run \"chmod 600 %s\"",
			    account->name, build->path);
	return true;
}

static bool load_password(struct config_build *build,
			  struct account_config *account)
{
	struct buf why = BUF_INIT(16384);
	const char *key;
	bool good;

	if (!has_one_source(build, account))
		return false;
	key = account->password_file  ? "password_file"
	      : account->password_env ? "password_env"
				      : "password";
	good = read_password(account, build->environment, &why);
	if (!good)
		config_fail_account(build, account, key, "%s: %s", key,
				    buf_string(&why));
	buf_free(&why);
	return good;
}

bool config_read_secrets(struct config_build *build)
{
	for (size_t i = 0; i < build->config->n_accounts; i++) {
		if (!load_password(build, &build->config->accounts[i]))
			return false;
	}
	return true;
}

bool config_verify_file(struct config_build *build)
{
	if (build->mode & 002)
		config_warn(build,
			    "%s: everybody may write to this file (mode "
			    "%03o); run \"chmod o-w %s\"",
			    build->path, build->mode & 0777, build->path);
	for (size_t i = 0; i < build->config->n_accounts; i++) {
		if (!file_is_closed(build, &build->config->accounts[i]))
			return false;
	}
	return true;
}

bool account_reload_password(struct account_config *account,
			     const char **error_r)
{
	static _Thread_local char sentence[1024];
	struct buf why = BUF_INIT(sizeof(sentence) - 1);
	bool good = read_password(account, environ, &why);
	struct text text = buf_text(&why);

	memcpy(sentence, text.data, text.len);
	sentence[text.len] = '\0';
	if (!good)
		*error_r = sentence;
	buf_free(&why);
	return good;
}
