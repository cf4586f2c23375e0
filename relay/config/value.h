/*
 * value -- the types of configuration values: parse, print, free.
 *
 * A type is a row of one table; a value lives in a field of a configuration
 * struct, of the C type named below.  A refusal is a sentence that begins with
 * what was given and ends with what is allowed and an example.
 */
#ifndef RELAY_CONFIG_VALUE_H
#define RELAY_CONFIG_VALUE_H

#include <stdbool.h>
#include "proto/buf.h"

#define VALUE_TYPE_MAP(X)                                                  \
	/*  type            field            in the manual             */  \
	X(TEXT,          char *,                "text")                    \
	X(SECRET,        char *,                "text, secret")            \
	X(PATH,          char *,                "file or directory")       \
	X(HOSTNAME,      char *,                "host name")               \
	X(HOST,          char *,                "host name or IP address") \
	X(URL,           char *,                "https URL, secret")       \
	X(USER,          char *,                "user of this system")     \
	X(VARIABLE,      char *,                "environment variable")    \
	X(FINGERPRINT,   char *,                "SHA-256 in hex")          \
	X(PROVIDER,      const struct provider *, "preset")                \
	X(DURATION,      int64_t,               "duration")                \
	X(PERIOD,        int64_t,               "duration, not 0")         \
	X(PERIODS,       struct duration_list,  "list of durations")       \
	X(SIZE,          uint64_t,              "size, at least 1K")       \
	X(SIZE_OR_ZERO,  uint64_t,              "size")                    \
	X(COUNT,         unsigned,              "number, at least 1")      \
	X(COUNT_OR_ZERO, unsigned,              "number")                  \
	X(PORT,          uint16_t,              "port")                    \
	X(BOOL,          bool,                  "yes or no")               \
	X(LOG_FORMAT,    enum log_format,       "text or json")            \
	X(LOG_LEVEL,     enum log_level,        "error, warn, info or debug") \
	X(TLS_POLICY,    enum smtp_tls_policy,  "starttls, implicit or none") \
	X(TLS_VERSION,   int,                   "1.2 or 1.3")              \
	X(AUTH,          enum auth_method,      "auto, plain, login or none") \
	X(PIPELINING,    enum pipelining,       "yes, no or eager")        \
	X(SENDER_POLICY, enum sender_policy,    "rewrite, reject or pass") \
	X(NOTIFY,        enum notify,           "postmaster, sender, both or off") \
	X(SENDERS,       struct word_list,      "list of addresses and patterns") \
	X(NETWORKS,      struct network_list,   "list of networks")        \
	X(ADDRESSES,     struct address_list,   "list of address:port")    \
	X(LISTENER_TLS,  enum listener_tls, "off, starttls, required or implicit") \
	X(LISTENER_TLS_VERSION, int,            "1.0, 1.1, 1.2 or 1.3")    \
	X(LOGIN,         struct login_value,    "off, any or a file")      \
	X(DEVICE_AUTH,   bool,                  "any")                     \
	X(CHARSET,       char *,                "charset")                 \
	X(NAME,          char *,                "name of a section")       \
	X(NAMES,         struct word_list,      "list of names")           \
	X(CIDRS,         struct network_list,   "list of networks")        \
	X(CLIENTS,       struct client_list,    "list of networks and devices") \
	X(PATTERNS,      struct word_list,      "list of patterns")        \
	X(MAILBOX,       char *,                "address")                 \
	X(SENDER,        struct sender_value,   "address with or without a name") \
	X(REPLY_TO,      struct reply_to_value, "original, none or an address") \
	X(RECIPIENT_MAP, struct recipient_map,  "list of pattern -> address") \
	X(DOMAIN,        char *,                "domain")                  \
	X(REPLY_TEXT,    char *,                "text, ASCII")

enum value_type {
#define X(name, field, words) VALUE_##name,
	VALUE_TYPE_MAP(X)
#undef X
	VALUE_TYPES
};

/* PROVIDER is set by config_place.c, which knows the presets.
 * text: as in the file; the parts of a list are separated by ',' or '\n'.
 * directory: what a relative path is relative to, NULL: as it is.  The field
 * holds a value of the type, or zero bytes; it is replaced, or kept when the
 * answer is false and the sentence is in why. */
bool value_parse(enum value_type type, struct text text, const char *directory,
                 void *field, struct buf *why);
/* As it may stand in a file; a secret as eight asterisks, however long. */
void value_print(enum value_type type, const void *field, struct buf *out);
void value_free(enum value_type type, void *field);
bool value_is_list(enum value_type type);
const char *value_type_words(enum value_type type);

#endif
