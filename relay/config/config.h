/*
 * config -- the configuration as structs, read-only once loaded.
 *
 * config_load() reads a file and the environment into one struct config, or
 * says in config_error what is wrong and where; nothing half-read ever comes
 * out.  Sessions and deliveries hold a reference, so a reload replaces the
 * whole at once and nobody sees two configurations in one transaction.
 *
 * The keys, their types, defaults and help stand in one table, config_keys.h;
 * the fields below are its targets.  Presets (provider.h) fill what the file
 * leaves out.  design.md section 4 is the manual.
 */
#ifndef RELAY_CONFIG_CONFIG_H
#define RELAY_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "proto/smtp_client.h"
#include "relay/net/address.h"

struct provider;
struct config_origin; /* where each value came from: config_keys.h */

/* Read without -c, if it is there. */
#define CONFIG_DEFAULT_PATH "/etc/lanpost/lanpost.conf"

/* A comma-separated list of words. */
struct word_list {
	char **words;
	size_t n;
};

struct network_list {
	struct network *networks;
	size_t n;
	bool private;          /* the word `private` stood in it */
};

struct address_list {
	struct address *addresses; /* a wildcard '*' became [::] and 0.0.0.0 */
	size_t n;
};

struct duration_list {
	int64_t *ms;
	size_t n;
};

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct relay_config {
	char *hostname;
	char *spool;
	char *user;
	int64_t expire_ms;
	struct duration_list retry;
	int64_t history_ms, keep_failed_ms;
	uint64_t max_message_size, max_spool_size, min_free_disk;
	enum log_format log_format;
	enum log_level log_level;
	int64_t shutdown_grace_ms;
	struct config_origin *origins;
};

struct listener_config {
	char *name;            /* "default" for the unnamed one */
	unsigned line;         /* of its section; 0: not from the file */
	struct address_list address;
	struct network_list allow, deny;
	bool allow_public;
	unsigned max_connections, max_connections_per_client;
	unsigned max_recipients;
	int64_t timeout_ms;
	struct config_origin *origins;
};

enum auth_method {
	AUTH_AUTO, AUTH_PLAIN, AUTH_LOGIN, AUTH_NONE
};
enum pipelining { PIPELINING_NO, PIPELINING_YES, PIPELINING_EAGER };
enum sender_policy { SENDER_REWRITE, SENDER_REJECT, SENDER_PASS };

struct account_config {
	char *name;            /* "default" for the unnamed one */
	unsigned line;         /* of its section; 0: not from the file */
	const struct provider *provider; /* NULL: none named */
	char *host;
	uint16_t port;
	enum smtp_tls_policy tls;
	char *tls_ca_file, *tls_fingerprint;
	int tls_min;           /* 0x0303, 0x0304 */
	char *username;        /* NULL: no login */
	char *password_file, *password_env;
	char *password;        /* as read from whichever of the three; secret */
	enum auth_method auth;
	unsigned connections, messages_per_connection;
	int64_t connection_idle_ms;
	int64_t timeout_ms;    /* for a provider's reply; see SMTP_STAGE_MAP */
	enum pipelining pipelining;
	uint64_t max_message_size; /* 0: the provider's SIZE decides */
	struct word_list senders;
	enum sender_policy sender_policy;
	struct config_origin *origins;
};

struct config {
	char *path;            /* NULL: from the environment alone */
	struct relay_config relay;
	struct listener_config *listeners;
	size_t n_listeners;
	struct account_config *accounts;
	size_t n_accounts;
	unsigned refs;
};

/* Where and what: "lanpost.conf:12: unknown key "pasword" in [account]; did you
 * mean "password"?"  Each message is one line. */
struct config_error {
	char *message;
};

/* A thing worth saying that stops nothing: a public listener, a password for
 * an account that will need OAuth2, a missing postmaster. */
struct config_warnings {
	char **messages;
	size_t n;
};

/* Which file to read: the one given with -c, else the default one; NULL when
 * that is missing and LANPOST_ACCOUNT_* are set, which are then enough. */
const char *config_choose_path(const char *given, char *const *environment);

/* path NULL: no file, environment only.  environ: "NAME=value" strings, as the
 * process has them.  Returns NULL with error_r filled (caller frees with
 * config_error_free()) and no warnings; warnings_r may be NULL. */
struct config *config_load(const char *path, char *const *environment,
                           struct config_warnings *warnings_r,
                           struct config_error *error_r);
struct config *config_ref(struct config *config);
void config_unref(struct config **config); /* wipes the secrets */
void config_error_free(struct config_error *error);
void config_warnings_free(struct config_warnings *warnings);

const struct account_config *config_account(const struct config *config,
                                            const char *name);
/* The first key that a reload cannot change and that differs, as in "[relay]
 * spool"; NULL: none. */
const char *config_needs_restart(const struct config *old,
                                 const struct config *now);
/* Read the password again from where it came; false with the reason. */
bool account_reload_password(struct account_config *account,
                             const char **error_r);

#endif
