/*
 * config_keys -- every key of the configuration, once.
 *
 * config.c reads files and the environment by this table, `check` prints by
 * it, and a test holds conf/lanpost.conf and lanpost.conf(5) against it.  To
 * add a key: a field in config.h and a row here.
 *
 *     K(section, key, type, field, default, reload, help)
 *     L(section, key, default, today, help)      later: known, not yet there
 *
 * A default in parentheses is words for people: the value comes from elsewhere
 * (a preset, the system) or there is none.  LIVE: a reload changes it;
 * RESTART: only a restart does.  today: the values that describe what lanpost
 * does anyway and are therefore accepted; NULL: none.
 */
#ifndef RELAY_CONFIG_CONFIG_KEYS_H
#define RELAY_CONFIG_CONFIG_KEYS_H

#include "relay/config/config.h"
#include "relay/config/value.h"

#define CONFIG_SECTION_MAP(X)                        \
	/*  section   kind        struct          */ \
	X(RELAY,    "relay",    relay_config)        \
	X(LISTENER, "listener", listener_config)     \
	X(ACCOUNT,  "account",  account_config)      \
	X(DEVICE,   "device",   device_config)       \
	X(RULE,     "rule",     rule_config)

enum config_section {
#define X(name, kind, type) CONFIG_SECTION_##name,
	CONFIG_SECTION_MAP(X)
#undef X
	CONFIG_SECTIONS
};

#define CONFIG_KEY_MAP(K, L)                                                   \
	K(RELAY, "hostname", HOSTNAME, hostname, "(the system's full name)",   \
	  LIVE, "the name lanpost gives itself: banner, EHLO, Received, "      \
	  "Message-ID")                                                        \
	K(RELAY, "spool", PATH, spool, "/var/lib/lanpost", RESTART,            \
	  "directory of the database and of the bodies")                       \
	K(RELAY, "user", USER, user, "(none)", RESTART,                        \
	  "switch to this user after binding the ports")                       \
	K(RELAY, "expire", PERIOD, expire_ms, "5d", LIVE,                      \
	  "a message that is still undelivered after this fails")              \
	K(RELAY, "retry", PERIODS, retry, "1m, 2m, 5m, 10m, 30m, 1h", LIVE,    \
	  "waits between the attempts; the last one repeats; 10 % jitter")     \
	K(RELAY, "history", DURATION, history_ms, "30d", LIVE,                 \
	  "how long finished messages stay searchable, without their body")    \
	K(RELAY, "keep_failed", DURATION, keep_failed_ms, "7d", LIVE,          \
	  "how long a failed message's body is kept, so that it can be "       \
	  "released")                                                          \
	K(RELAY, "max_message_size", SIZE, max_message_size, "35M", LIVE,      \
	  "the largest message: announced with SIZE, enforced while reading")  \
	K(RELAY, "max_spool_size", SIZE, max_spool_size, "2G", LIVE,           \
	  "with more waiting new mail is answered 452 4.3.1")                  \
	K(RELAY, "min_free_disk", SIZE_OR_ZERO, min_free_disk, "100M", LIVE,   \
	  "with less free space new mail is answered 452 4.3.1")               \
	K(RELAY, "postmaster", MAILBOX, postmaster, "(none)", LIVE,            \
	  "address for failure notices and account alarms")                    \
	K(RELAY, "notify", NOTIFY, notify, "postmaster", LIVE,                 \
	  "who gets the notice of a failed message: postmaster, sender, "      \
	  "both or off")                                                       \
	K(RELAY, "alert_webhook", URL, alert_webhook, "(none)", LIVE,          \
	  "URL that gets a JSON POST when an account pauses or mail piles up") \
	K(RELAY, "alert_queue_age", PERIOD, alert_queue_age_ms, "1h", LIVE,    \
	  "a message queued longer than this raises the alarm")                \
	K(RELAY, "log_format", LOG_FORMAT, log_format, "text", LIVE,           \
	  "text (logfmt) or json")                                             \
	K(RELAY, "log_level", LOG_LEVEL, log_level, "info", LIVE,              \
	  "error, warn, info or debug; debug shows the SMTP dialogue, "        \
	  "secrets masked")                                                    \
	L(RELAY, "admin", "127.0.0.1:8025", "off",                             \
	  "address of the status page, API, metrics and health; or off")       \
	L(RELAY, "admin_token_file", "(none)", NULL,                           \
	  "bearer token; required if admin is not loopback")                   \
	K(RELAY, "shutdown_grace", DURATION, shutdown_grace_ms, "30s", LIVE,   \
	  "time for deliveries in flight when the server stops")               \
                                                                               \
	K(LISTENER, "address", ADDRESSES, address, "*:25", RESTART,            \
	  "where to listen: host:port or [v6]:port, several by comma")         \
	K(LISTENER, "allow", NETWORKS, allow, "private", LIVE,                 \
	  "networks that may submit; private is loopback, RFC 1918, RFC "      \
	  "4193 and link-local")                                               \
	K(LISTENER, "deny", NETWORKS, deny, "(none)", LIVE,                    \
	  "networks that may not; wins over allow")                            \
	K(LISTENER, "allow_public", BOOL, allow_public, "no", LIVE,            \
	  "yes admits a public network in allow without a login")              \
	K(LISTENER, "tls", LISTENER_TLS, tls, "off", LIVE,                     \
	  "off, starttls (offered), required (no mail without STARTTLS) or "   \
	  "implicit (from the first byte)")                                    \
	K(LISTENER, "tls_cert", PATH, tls_cert, "(self-made)", LIVE,           \
	  "PEM file with the certificate and its chain; read again at a "      \
	  "reload")                                                            \
	K(LISTENER, "tls_key", PATH, tls_key, "(self-made)", LIVE,             \
	  "PEM file with the certificate's key")                               \
	K(LISTENER, "tls_min", LISTENER_TLS_VERSION, tls_min, "1.2", LIVE,     \
	  "oldest TLS version; 1.0 or 1.1 for old devices only")               \
	K(LISTENER, "auth", LOGIN, auth, "off", LIVE,                          \
	  "off, any (accept whatever is given), or a file of user:hash lines") \
	L(LISTENER, "proxy_protocol", "(none)", NULL,                          \
	  "networks of the load balancers that send PROXY v1 or v2")           \
	K(LISTENER, "verdict_wait", DURATION, verdict_wait_ms, "0", LIVE,      \
	  "how long a device waits for the provider's verdict on its message") \
	K(LISTENER, "max_connections", COUNT, max_connections, "1000", LIVE,   \
	  "more connections at a time are answered 421 4.3.2")                 \
	K(LISTENER, "max_connections_per_client", COUNT,                       \
	  max_connections_per_client, "50", LIVE,                              \
	  "more connections from one address are answered 421 4.7.0")          \
	K(LISTENER, "messages_per_minute_per_client", COUNT_OR_ZERO,           \
	  messages_per_minute_per_client, "0", LIVE,                           \
	  "more messages from one address are answered 450 4.7.1 at MAIL; 0 "  \
	  "is no limit")                                                       \
	K(LISTENER, "max_recipients", COUNT, max_recipients, "500", LIVE,      \
	  "more recipients of one message are answered 452 4.5.3; those "      \
	  "before are kept")                                                   \
	K(LISTENER, "timeout", PERIOD, timeout_ms, "5m", LIVE,                 \
	  "for a whole command, however it trickles")                          \
	K(LISTENER, "strict", BOOL, strict, "no", LIVE,                        \
	  "yes refuses what would otherwise be repaired")                      \
	K(LISTENER, "drop_repeats", BOOL, drop_repeats, "yes", LIVE,           \
	  "yes takes a message once that a device sends again since it did "   \
	  "not hear the 250; no delivers it each time")                        \
                                                                               \
	K(ACCOUNT, "provider", PROVIDER, provider, "(none)", LIVE,             \
	  "a preset for host, port, tls and limits; lanpost providers "        \
	  "lists them")                                                        \
	K(ACCOUNT, "host", HOST, host, "(preset)", LIVE,                       \
	  "the provider's submission server")                                  \
	K(ACCOUNT, "port", PORT, port, "(preset, or what fits tls)", LIVE,     \
	  "its port")                                                          \
	K(ACCOUNT, "tls", TLS_POLICY, tls, "(preset, or starttls)", LIVE,      \
	  "starttls (required and verified), implicit, or none (without "      \
	  "login or to loopback)")                                             \
	K(ACCOUNT, "tls_ca_file", PATH, tls_ca_file, "(the system's store)",   \
	  LIVE, "PEM file of the authorities to trust")                        \
	K(ACCOUNT, "tls_fingerprint", FINGERPRINT, tls_fingerprint, "(none)",  \
	  LIVE, "trust only the certificate with this SHA-256 fingerprint")    \
	K(ACCOUNT, "tls_min", TLS_VERSION, tls_min, "1.2", LIVE,               \
	  "oldest TLS version: 1.2 or 1.3")                                    \
	K(ACCOUNT, "username", TEXT, username, "(none)", LIVE,                 \
	  "the name to log in with")                                           \
	K(ACCOUNT, "password_file", PATH, password_file, "(none)", LIVE,       \
	  "file with the password, mode 600; read again when it changes")      \
	K(ACCOUNT, "password_env", VARIABLE, password_env, "(none)", LIVE,     \
	  "environment variable with the password")                            \
	K(ACCOUNT, "password", SECRET, password, "(none)", LIVE,               \
	  "the password itself; better kept in a file of its own")             \
	K(ACCOUNT, "auth", AUTH, auth, "auto", LIVE,                           \
	  "auto takes the best offered inside TLS; plain, login or none "      \
	  "insist")                                                            \
	L(ACCOUNT, "transport", "smtp", "smtp",                                \
	  "smtp, or graph for Microsoft Graph sendMail")                       \
	L(ACCOUNT, "oauth_grant", "(preset)", NULL,                            \
	  "client_credentials, refresh_token or device_code")                  \
	L(ACCOUNT, "oauth_tenant", "(preset)", NULL,                           \
	  "the tenant's name or id")                                           \
	L(ACCOUNT, "oauth_client_id", "(preset)", NULL,                        \
	  "the registered application")                                        \
	L(ACCOUNT, "oauth_client_secret", "(none)", NULL,                      \
	  "the application's secret")                                          \
	L(ACCOUNT, "oauth_client_secret_file", "(none)", NULL,                 \
	  "file with the application's secret")                                \
	L(ACCOUNT, "oauth_certificate_file", "(none)", NULL,                   \
	  "certificate and key for a signed client assertion")                 \
	L(ACCOUNT, "oauth_token_url", "(preset)", NULL,                        \
	  "where tokens come from, HTTPS")                                     \
	L(ACCOUNT, "oauth_device_url", "(preset)", NULL,                       \
	  "where a device code comes from, HTTPS")                             \
	L(ACCOUNT, "oauth_scope", "(preset)", NULL,                            \
	  "what the token is asked to allow")                                  \
	L(ACCOUNT, "graph_url", "(preset)", NULL,                              \
	  "base of Microsoft Graph, HTTPS")                                    \
	L(ACCOUNT, "messages_per_minute", "(preset)", "0",                     \
	  "the account's pace; 0 is no limit")                                 \
	L(ACCOUNT, "messages_per_day", "(preset)", "0",                        \
	  "messages in 24 hours; 0 is no limit")                               \
	L(ACCOUNT, "recipients_per_day", "(preset)", "0",                      \
	  "recipients in 24 hours; 0 is no limit")                             \
	L(ACCOUNT, "recipients_per_message", "(preset)", "0",                  \
	  "a message to more is split; 0 is no limit")                         \
	K(ACCOUNT, "connections", COUNT, connections, "(preset, or 2)", LIVE,  \
	  "connections to the provider at a time")                             \
	K(ACCOUNT, "messages_per_connection", COUNT, messages_per_connection,  \
	  "(preset, or 50)", LIVE, "then the connection is made anew")         \
	K(ACCOUNT, "connection_idle", DURATION, connection_idle_ms, "20s",     \
	  LIVE, "how long an unused connection stays open")                    \
	K(ACCOUNT, "timeout", PERIOD, timeout_ms, "5m", LIVE,                  \
	  "time for a provider's reply")                                       \
	K(ACCOUNT, "pipelining", PIPELINING, pipelining, "(preset, or yes)",   \
	  LIVE, "no for a provider that stumbles; eager also sends the next "  \
	  "envelope behind the final dot")                                     \
	L(ACCOUNT, "chunking", "no", "no",                                     \
	  "BDAT where it is offered")                                          \
	K(ACCOUNT, "max_message_size", SIZE_OR_ZERO, max_message_size,         \
	  "(preset, or 0)", LIVE, "larger mail is refused to the device; 0: "  \
	  "the size the provider announces decides")                           \
	L(ACCOUNT, "throttle_patience", "0", "0, 0s",                          \
	  "after this long in throttling send regardless; 0 is never")         \
	K(ACCOUNT, "senders", SENDERS, senders, "(username)", LIVE,            \
	  "addresses and *-patterns the provider lets this account send as")   \
	K(ACCOUNT, "sender_policy", SENDER_POLICY, sender_policy, "rewrite",   \
	  LIVE, "for a sender not in senders: rewrite to username, reject or " \
	  "pass")                                                              \
	K(ACCOUNT, "failover", NAME, failover, "(none)", LIVE,                 \
	  "account to use while this one is paused or unreachable")            \
                                                                               \
	K(DEVICE, "address", CIDRS, address, "(none)", LIVE,                   \
	  "addresses or networks of the device; the most specific one wins")   \
	K(DEVICE, "auth", DEVICE_AUTH, auth_any, "(the listener's)", LIVE,     \
	  "any for a device that insists on logging in")                       \
	K(DEVICE, "single_line_ehlo", BOOL, single_line_ehlo, "no", LIVE,      \
	  "yes answers EHLO with one line, for a device that cannot read "     \
	  "several")                                                           \
	K(DEVICE, "lf_end_of_data", BOOL, lf_end_of_data, "no", LIVE,          \
	  "yes accepts LF.LF as the end while the message has held no CR, "    \
	  "and closes afterwards")                                             \
	K(DEVICE, "charset", CHARSET, charset, "windows-1252", LIVE,           \
	  "of raw 8-bit headers that are not UTF-8")                           \
                                                                               \
	K(RULE, "client", CLIENTS, client, "(any)", LIVE,                      \
	  "networks or device names, one of which must match")                 \
	K(RULE, "listener", NAMES, listener, "(any)", LIVE,                    \
	  "listeners, one of which must match")                                \
	K(RULE, "from", PATTERNS, from, "(any)", LIVE,                         \
	  "*-patterns on the envelope sender; <> is the null one")             \
	K(RULE, "header_from", PATTERNS, header_from, "(any)", LIVE,           \
	  "*-patterns on the address in the From field")                       \
	K(RULE, "to", PATTERNS, to, "(any)", LIVE,                             \
	  "*-patterns on a recipient")                                         \
	K(RULE, "account", NAME, account, "(the first)", LIVE,                 \
	  "account to send by")                                                \
	K(RULE, "send_as", SENDER, send_as, "(none)", LIVE,                    \
	  "envelope sender and From become this: an address, or \"Name\" "     \
	  "<address>")                                                         \
	K(RULE, "on_behalf", BOOL, on_behalf, "no", LIVE,                      \
	  "yes keeps From and makes the account the Sender")                   \
	K(RULE, "reply_to", REPLY_TO, reply_to, "original", LIVE,              \
	  "where answers go if From is changed: original, none, or an address")\
	K(RULE, "bcc", MAILBOX, bcc, "(none)", LIVE,                           \
	  "also deliver a copy to this address")                               \
	K(RULE, "to_rewrite", RECIPIENT_MAP, to_rewrite, "(none)", LIVE,       \
	  "pattern -> address: a recipient that matches becomes the address")  \
	K(RULE, "add_domain", DOMAIN, add_domain, "(none)", LIVE,              \
	  "completes senders and recipients that have no domain")              \
	K(RULE, "reject", REPLY_TEXT, reject, "(none)", LIVE,                  \
	  "refuse with 550 5.7.1 and this text")

struct config_key {
	enum config_section section;
	const char *name;
	enum value_type type;
	size_t offset;       /* of the field in the section's struct */
	const char *preset;  /* the default, or words in parentheses */
	bool live;           /* a reload changes it */
	const char *help;
	bool later;          /* not yet supported */
	const char *today;   /* values accepted all the same, by comma */
};

/* Rows in the order above. */
extern const struct config_key config_keys[];
extern const size_t config_n_keys;

const char *config_section_kind(enum config_section section);
/* Returns CONFIG_SECTIONS for none. */
enum config_section config_section_find(struct text kind);
const struct config_key *config_key_find(enum config_section section,
                                         struct text name);
/* Is it a kind of section, or a key of any? */
bool config_word_is_known(struct text word);
/* NULL for words in parentheses. */
const char *config_key_default(const struct config_key *key);

/* Where a value came from; one for each row, in every section's origins. */
struct config_origin {
	enum {
		CONFIG_ORIGIN_DEFAULT,
		CONFIG_ORIGIN_FILE,        /* line */
		CONFIG_ORIGIN_ENVIRONMENT, /* variable */
		CONFIG_ORIGIN_PRESET,
		CONFIG_ORIGIN_DERIVED,     /* from other keys, or the system */
	} type;
	unsigned line;
	char *variable;
};

struct config_origin *config_origins_new(void);
void config_origins_free(struct config_origin **origins);
/* The row's origin: origins as in the section's struct. */
const struct config_origin *
config_origin(const struct config_origin *origins, const char *key_name,
              enum config_section section);

#endif
