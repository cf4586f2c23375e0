#include "relay/config/config_build.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>
#include "proto/smtp_path.h"
#include "relay/config/provider.h"

static bool is_loopback(const char *host)
{
	struct address address;

	if (address_parse(text_of(host), &address))
		return address_is_loopback(&address);
	return text_is(text_of(host), "localhost");
}

static bool check_login(struct config_build *build,
			const struct account_config *account)
{
	const char *wanted = account->provider && account->provider->password
				     ? account->provider->password
				     : "the password";

	if (account->auth == AUTH_NONE) {
		if (account->password)
			config_warn(build,
				    "account %s: auth is none, so the "
				    "password is not used",
				    account->name);
		return true;
	}
	if (account->password && !account->username)
		return config_fail_account(build, account, NULL,
					   "account %s has "
					   "a password and no username; add "
					   "username = NAME",
					   account->name);
	if (account->username && !account->password)
		return config_fail_account(build, account, "username",
					   "account "
					   "%s has a username and no password; "
					   "put %s into a file of mode 600 and "
					   "add password_file = FILE, or write "
					   "auth = none",
					   account->name, wanted);
	if (!account->username && account->auth != AUTH_AUTO)
		return config_fail_account(
			build, account, "auth",
			"auth: a login "
			"needs a username and a password; add "
			"them, or write auth = none");
	return true;
}

static bool logs_in(const struct account_config *account)
{
	return account->username && account->password &&
	       account->auth != AUTH_NONE;
}

static bool check_tls(struct config_build *build,
		      const struct account_config *account)
{
	if (account->tls == SMTP_TLS_NONE && !is_loopback(account->host)) {
		if (logs_in(account))
			return config_fail_account(build, account, "tls",
						   "tls: none would send the "
						   "password in the clear to "
						   "%s; write starttls or "
						   "implicit",
						   account->host);
		config_warn(build,
			    "account %s: tls is none, so mail goes to %s "
			    "in the clear",
			    account->name, account->host);
	}
	if (account->tls == SMTP_TLS_STARTTLS && account->port == 465)
		config_warn(build,
			    "account %s: port 465 speaks TLS from the "
			    "first byte; write tls = implicit, or port = 587",
			    account->name);
	if (account->tls_ca_file && access(account->tls_ca_file, R_OK) < 0)
		return config_fail_account(build, account, "tls_ca_file",
					   "tls_ca_file: %s cannot be read: %s",
					   account->tls_ca_file,
					   strerror(errno));
	return true;
}

/* See send_as.h, which chooses it. */
bool config_has_identity(const struct account_config *account)
{
	struct smtp_path path;

	if (account->username &&
	    smtp_address_parse(text_of(account->username), &path))
		return true;
	for (size_t i = 0; i < account->senders.n; i++) {
		if (!strchr(account->senders.words[i], '*'))
			return true;
	}
	return false;
}

static bool check_sender(struct config_build *build,
			 const struct account_config *account)
{
	const char *key = account->username ? "username" : NULL;

	if (account->sender_policy != SENDER_REWRITE ||
	    config_has_identity(account))
		return true;
	if (account->senders.n > 0)
		key = "senders";
	return config_fail_account(build, account, key,
				   "account %s has no "
				   "address to put in place of a sender: %s; "
				   "add senders = ADDRESS, or write "
				   "sender_policy = pass",
				   account->name,
				   account->senders.n > 0
					   ? "senders holds patterns only"
				   : account->username ? "its username is none"
						       : "it has no username");
}

/* 0 is no limit for some, and cannot be written for the others. */
static void warn_limit(struct config_build *build,
		       const struct account_config *account, const char *key,
		       unsigned value, unsigned limit)
{
	const struct provider *preset = account->provider;

	if (limit == 0 || !provider_is_certain(preset, key))
		return;
	if (value == 0)
		config_warn(build,
			    "account %s: %s = 0 is no limit, and %s allows "
			    "%u (%s)",
			    account->name, key, preset->title, limit,
			    provider_source(preset, key));
	if (value > limit)
		config_warn(build,
			    "account %s: %s = %u is more than the %u that %s "
			    "allows (%s)",
			    account->name, key, value, limit, preset->title,
			    provider_source(preset, key));
}

static void warn_budgets(struct config_build *build,
			 const struct account_config *account)
{
	const struct provider *preset = account->provider;

	warn_limit(build, account, "messages_per_minute",
		   account->messages_per_minute, preset->messages_per_minute);
	warn_limit(build, account, "messages_per_day",
		   account->messages_per_day, preset->messages_per_day);
	warn_limit(build, account, "recipients_per_day",
		   account->recipients_per_day, preset->recipients_per_day);
	warn_limit(build, account, "recipients_per_message",
		   account->recipients_per_message,
		   preset->recipients_per_message);
}

static void warn_size(struct config_build *build,
		      const struct account_config *account)
{
	const struct provider *preset = account->provider;
	uint64_t limit = preset->max_message_size;
	struct buf given = BUF_INIT(64), allowed = BUF_INIT(64);

	if (limit == 0 || account->max_message_size <= limit ||
	    !provider_is_certain(preset, "max_message_size"))
		return;
	value_print(VALUE_SIZE, &account->max_message_size, &given);
	value_print(VALUE_SIZE, &limit, &allowed);
	config_warn(build,
		    "account %s: max_message_size = %s is more than the "
		    "%s that %s takes (%s)",
		    account->name, buf_string(&given), buf_string(&allowed),
		    preset->title,
		    provider_source(preset, "max_message_size"));
	buf_free(&given);
	buf_free(&allowed);
}

static void warn_preset(struct config_build *build,
			const struct account_config *account)
{
	const struct provider *preset = account->provider;

	if (!preset)
		return;
	if (preset->password_warning && logs_in(account))
		config_warn(build, "account %s: %s", account->name,
			    preset->password_warning);
	if (!account->username && account->auth == AUTH_AUTO &&
	    !text_starts(text_of(preset->mechanisms), "none"))
		config_warn(build,
			    "account %s: %s wants a login, and there is "
			    "no username (%s)",
			    account->name, preset->title, preset->username);
	warn_budgets(build, account);
	warn_limit(build, account, "connections", account->connections,
		   preset->connections);
	warn_limit(build, account, "messages_per_connection",
		   account->messages_per_connection,
		   preset->messages_per_connection);
	warn_size(build, account);
}

/* Said only if the relay's size was chosen: its default is no promise. */
static void warn_relay_size(struct config_build *build,
			    const struct account_config *account)
{
	const struct relay_config *relay = &build->config->relay;
	int type = config_origin(relay->origins, "max_message_size",
				 CONFIG_SECTION_RELAY)
			   ->type;
	struct buf size = BUF_INIT(64);

	if (type == CONFIG_ORIGIN_DEFAULT || account->max_message_size == 0 ||
	    account->max_message_size >= relay->max_message_size)
		return;
	value_print(VALUE_SIZE, &account->max_message_size, &size);
	config_warn(build,
		    "relay: max_message_size is more than account %s "
		    "takes; mail over %s is refused to the device",
		    account->name, buf_string(&size));
	buf_free(&size);
}

static bool check_account(struct config_build *build,
			  const struct account_config *account)
{
	if (!account->host)
		return config_fail_account(
			build, account, NULL,
			"account %s has "
			"no host; write provider = NAME "
			"(\"lanpost providers\" lists them) or "
			"host = SERVER",
			account->name);
	if (!check_login(build, account) || !check_tls(build, account) ||
	    !check_sender(build, account))
		return false;
	warn_preset(build, account);
	warn_relay_size(build, account);
	return true;
}

static void warn_postmaster(struct config_build *build)
{
	const struct relay_config *relay = &build->config->relay;

	if (relay->postmaster || relay->notify == NOTIFY_OFF)
		return;
	config_warn(build,
		    "relay: there is no postmaster, so nobody is written to "
		    "when %s; write postmaster = ADDRESS in [relay], or "
		    "notify = off if the log is read",
		    relay->notify == NOTIFY_SENDER
			    ? "an account is paused"
			    : "a message fails or an account is paused");
}

static void warn_webhook(struct config_build *build)
{
	const char *url = build->config->relay.alert_webhook;

	if (url && !text_starts(text_of(url), "https:"))
		config_warn(build,
			    "relay: alert_webhook is no https URL: alerts go "
			    "in the clear, and only where the host has a "
			    "loopback or private address");
}

static bool check_relay(struct config_build *build)
{
	const struct relay_config *relay = &build->config->relay;
	const struct config_origin *origin =
		config_origin(relay->origins, "user", CONFIG_SECTION_RELAY);

	if (!strchr(relay->hostname, '.'))
		config_warn(build,
			    "relay: the name \"%s\" has no domain, and "
			    "some providers refuse such a greeting; write "
			    "hostname = %s.example.com, with your domain, in "
			    "[relay]",
			    relay->hostname, relay->hostname);
	warn_webhook(build);
	if (!relay->user || getpwnam(relay->user))
		return true;
	if (origin->type == CONFIG_ORIGIN_ENVIRONMENT)
		return config_fail(build,
				   "%s: there is no user \"%s\" on this "
				   "system",
				   origin->variable, relay->user);
	return config_fail(build,
			   "%s:%u: user: there is no user \"%s\" on this "
			   "system; run \"adduser --system --group %s\"",
			   build->path, origin->line, relay->user, relay->user);
}

bool config_verify(struct config_build *build)
{
	struct config *config = build->config;

	if (!check_relay(build))
		return false;
	warn_postmaster(build);
	if (!config_verify_listeners(build))
		return false;
	if (config->n_accounts == 0)
		return config_fail(build,
				   "%s: there is no [account], so mail "
				   "cannot go anywhere; add [account] with "
				   "provider, username and password_file",
				   build->path ? build->path : "environment");
	for (size_t i = 0; i < config->n_accounts; i++) {
		if (!check_account(build, &config->accounts[i]))
			return false;
	}
	if (!config_verify_names(build) || !config_verify_rules(build))
		return false;
	config_warn_senders(build);
	return true;
}
