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

struct catalogue;
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

/* Who sends: networks, and names of [device] sections. */
struct client_list {
	struct network_list networks;
	struct word_list devices;
};

/* `pattern -> address`: a recipient that matches becomes the address. */
struct recipient_map {
	struct recipient_mapping {
		char *pattern, *address;
	} *mappings;
	size_t n;
};

/* `"Name" <address>`; name NULL: the device's stays. */
struct sender_value {
	char *name, *address;  /* address NULL: none given */
};

/* Where answers go when From was changed. */
enum reply_to { REPLY_TO_ORIGINAL, REPLY_TO_NONE, REPLY_TO_ADDRESS };
struct reply_to_value {
	enum reply_to kind;
	char *address;         /* of REPLY_TO_ADDRESS */
};

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Who hears of a message that failed; bits. */
enum notify {
	NOTIFY_OFF, NOTIFY_POSTMASTER, NOTIFY_SENDER,
	NOTIFY_BOTH = NOTIFY_POSTMASTER | NOTIFY_SENDER
};

struct relay_config {
	char *hostname;
	char *spool;
	char *user;
	int64_t expire_ms;
	struct duration_list retry;
	int64_t history_ms, keep_failed_ms;
	uint64_t max_message_size, max_spool_size, min_free_disk;
	char *postmaster;      /* NULL: none */
	enum notify notify;
	char *alert_webhook;   /* NULL: none; may hold a secret */
	int64_t alert_queue_age_ms;
	enum log_format log_format;
	enum log_level log_level;
	int64_t shutdown_grace_ms;
	struct config_origin *origins;
};

enum listener_tls {
	LISTENER_TLS_OFF, LISTENER_TLS_STARTTLS, LISTENER_TLS_REQUIRED,
	LISTENER_TLS_IMPLICIT
};

/* May or must a device log in?  ANY: whatever it says is right. */
enum login { LOGIN_OFF, LOGIN_ANY, LOGIN_FILE };
struct login_value {
	enum login kind;
	char *file;            /* of LOGIN_FILE: lines of user:hash */
};

struct listener_config {
	char *name;            /* "default" for the unnamed one */
	unsigned line;         /* of its section; 0: not from the file */
	struct address_list address;
	struct network_list allow, deny;
	bool allow_public;
	unsigned max_connections, max_connections_per_client;
	unsigned messages_per_minute_per_client; /* 0: no limit */
	unsigned max_recipients;
	int64_t timeout_ms;
	int64_t verdict_wait_ms; /* 0: answer once the message is durable */
	enum listener_tls tls;
	char *tls_cert, *tls_key; /* NULL: self-made, in the spool folder */
	int tls_min;           /* 0x0301 to 0x0304 */
	struct login_value auth;
	bool strict;           /* refuse what would be repaired */
	bool drop_repeats;     /* take what is sent again once */
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
	char *failover;        /* account to use while this one cannot work */
	struct config_origin *origins;
};

/* A name for a client, and what it needs. */
struct device_config {
	char *name;
	unsigned line;
	struct network_list address;
	bool auth_any;         /* else as the listener says */
	bool single_line_ehlo, lf_end_of_data;
	char *charset;         /* that iconv knows */
	struct config_origin *origins;
};

/* All that is given must match; an empty list matches anything. */
struct rule_config {
	char *name;
	unsigned line;
	struct client_list client;
	struct word_list listener;              /* names */
	struct word_list from, header_from, to; /* *-patterns; <> is the null
	                                           reverse-path */
	char *account;         /* NULL: the first */
	struct sender_value send_as;
	bool on_behalf;
	struct reply_to_value reply_to;
	char *bcc;
	struct recipient_map to_rewrite;
	char *add_domain;
	char *reject;          /* NULL, or the words of the 550 */
	struct config_origin *origins;
};

struct config {
	char *path;            /* NULL: from the environment alone */
	struct relay_config relay;
	struct listener_config *listeners;
	size_t n_listeners;
	struct account_config *accounts;
	size_t n_accounts;
	struct device_config *devices;
	size_t n_devices;
	struct rule_config *rules; /* in file order */
	size_t n_rules;
	struct catalogue *catalogue; /* ours, and the user's (catalogue.h) */
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
/* The user's part of the error catalogue: `catalogue.d` beside the file, or
 * where the default one would be.  The caller frees it. */
char *config_catalogue_folder(const char *path);

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
/* One more, by those who see risks that the configuration alone does not show;
 * NULL: nobody asks. */
void config_warnings_add(struct config_warnings *warnings, const char *format,
                         ...) __attribute__((format(printf, 2, 3)));

const struct account_config *config_account(const struct config *config,
                                            const char *name);
const struct rule_config *config_rule(const struct config *config,
                                      const char *name);
/* The device of that address: the most specific network wins, the first of
 * equals; NULL: it has no name. */
const struct device_config *config_device(const struct config *config,
                                          const struct address *client);
/* The first key that a reload cannot change and that differs, as in "[relay]
 * spool"; NULL: none. */
const char *config_needs_restart(const struct config *old,
                                 const struct config *now);
/* Two configurations of an account: is any key of it another, or the password? */
bool config_accounts_differ(const struct account_config *old,
                            const struct account_config *now);
/* Read the password again from where it came; false with the reason. */
bool account_reload_password(struct account_config *account,
                             const char **error_r);

#endif
