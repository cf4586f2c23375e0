#include "relay/config/value.h"

#include <stdlib.h>
#include <string.h>
#include "proto/xalloc.h"
#include "relay/config/config.h"
#include "relay/config/value_kind.h"

static const struct value_choice log_formats[] = {
	{ "text", LOG_FORMAT_TEXT },
	{ "json", LOG_FORMAT_JSON },
	{ 0 },
};
static const struct value_choice log_levels[] = {
	{ "error", LOG_ERROR },
	{ "warn", LOG_WARN },
	{ "info", LOG_INFO },
	{ "debug", LOG_DEBUG },
	{ 0 },
};
static const struct value_choice tls_policies[] = {
	{ "starttls", SMTP_TLS_STARTTLS },
	{ "implicit", SMTP_TLS_IMPLICIT },
	{ "none", SMTP_TLS_NONE },
	{ 0 },
};
static const struct value_choice tls_versions[] = {
	{ "1.2", 0x0303 },
	{ "1.3", 0x0304 },
	{ 0 },
};
static const struct value_choice listener_tls_versions[] = {
	{ "1.0", 0x0301 },
	{ "1.1", 0x0302 },
	{ "1.2", 0x0303 },
	{ "1.3", 0x0304 },
	{ 0 },
};
static const struct value_choice listener_tls[] = {
	{ "off", LISTENER_TLS_OFF },
	{ "starttls", LISTENER_TLS_STARTTLS },
	{ "required", LISTENER_TLS_REQUIRED },
	{ "implicit", LISTENER_TLS_IMPLICIT },
	{ 0 },
};
static const struct value_choice auth_methods[] = {
	{ "auto", AUTH_AUTO },
	{ "plain", AUTH_PLAIN },
	{ "login", AUTH_LOGIN },
	{ "none", AUTH_NONE },
	{ 0 },
};
static const struct value_choice pipelinings[] = {
	{ "yes", PIPELINING_YES },
	{ "no", PIPELINING_NO },
	{ "eager", PIPELINING_EAGER },
	{ 0 },
};
static const struct value_choice sender_policies[] = {
	{ "rewrite", SENDER_REWRITE },
	{ "reject", SENDER_REJECT },
	{ "pass", SENDER_PASS },
	{ 0 },
};

static const struct value_choice notifies[] = {
	{ "postmaster", NOTIFY_POSTMASTER },
	{ "sender", NOTIFY_SENDER },
	{ "both", NOTIFY_BOTH },
	{ "off", NOTIFY_OFF },
	{ 0 },
};

#define TEXT(parser)                                                           \
	{                                                                      \
		value_parse_##parser, value_print_text, value_free_text, NULL, \
			0, false                                               \
	}
#define NUMBER(type, least)                                                    \
	{                                                                      \
		value_parse_##type, value_print_##type, NULL, NULL, least,     \
			false                                                  \
	}
#define CHOICE(parser, choices)                                                \
	{                                                                      \
		value_parse_##parser, value_print_choice, NULL, choices, 0,    \
			false                                                  \
	}
#define OTHER(type)                                                            \
	{                                                                      \
		value_parse_##type, value_print_##type, value_free_##type,     \
			NULL, 0, false                                         \
	}
#define LIST(type)                                                             \
	{                                                                      \
		value_parse_##type, value_print_##type, value_free_##type,     \
			NULL, 0, true                                          \
	}

static const struct value_kind kinds[VALUE_TYPES] = {
	[VALUE_TEXT] = TEXT(text),
	[VALUE_SECRET] = { value_parse_text, value_print_secret,
			   value_free_text, NULL, 0, false },
	[VALUE_PATH] = TEXT(text),
	[VALUE_HOSTNAME] = TEXT(hostname),
	[VALUE_HOST] = TEXT(host),
	[VALUE_URL] = { value_parse_url, value_print_url, value_free_text, NULL,
			0, false },
	[VALUE_USER] = TEXT(user),
	[VALUE_VARIABLE] = TEXT(variable),
	[VALUE_FINGERPRINT] = TEXT(fingerprint),
	[VALUE_PROVIDER] = { NULL, value_print_provider, NULL,
			     NULL, 0, false },
	[VALUE_DURATION] = NUMBER(duration, 0),
	[VALUE_PERIOD] = NUMBER(duration, 1000),
	[VALUE_PERIODS] = LIST(durations),
	[VALUE_SIZE] = NUMBER(size, 1024),
	[VALUE_SIZE_OR_ZERO] = NUMBER(size, 0),
	[VALUE_COUNT] = NUMBER(count, 1),
	[VALUE_COUNT_OR_ZERO] = NUMBER(count, 0),
	[VALUE_PORT] = NUMBER(port, 1),
	[VALUE_BOOL] = NUMBER(bool, 0),
	[VALUE_LOG_FORMAT] = CHOICE(choice, log_formats),
	[VALUE_LOG_LEVEL] = CHOICE(choice, log_levels),
	[VALUE_TLS_POLICY] = CHOICE(choice, tls_policies),
	[VALUE_TLS_VERSION] = CHOICE(tls_version, tls_versions),
	[VALUE_AUTH] = CHOICE(auth, auth_methods),
	[VALUE_PIPELINING] = CHOICE(choice, pipelinings),
	[VALUE_SENDER_POLICY] = CHOICE(choice, sender_policies),
	[VALUE_NOTIFY] = CHOICE(choice, notifies),
	[VALUE_SENDERS] = LIST(senders),
	[VALUE_NETWORKS] = LIST(networks),
	[VALUE_ADDRESSES] = LIST(addresses),
	[VALUE_LISTENER_TLS] = CHOICE(choice, listener_tls),
	[VALUE_LISTENER_TLS_VERSION] = CHOICE(choice, listener_tls_versions),
	[VALUE_LOGIN] = OTHER(login),
	[VALUE_DEVICE_AUTH] = NUMBER(device_auth, 0),
	[VALUE_CHARSET] = TEXT(charset),
	[VALUE_NAME] = TEXT(name),
	[VALUE_NAMES] = { value_parse_names, value_print_senders,
			  value_free_senders, NULL, 0, true },
	[VALUE_CIDRS] = { value_parse_cidrs, value_print_networks,
			  value_free_networks, NULL, 0, true },
	[VALUE_CLIENTS] = LIST(clients),
	[VALUE_PATTERNS] = { value_parse_patterns, value_print_senders,
			     value_free_senders, NULL, 0, true },
	[VALUE_MAILBOX] = TEXT(mailbox),
	[VALUE_SENDER] = OTHER(sender),
	[VALUE_REPLY_TO] = OTHER(reply_to),
	[VALUE_RECIPIENT_MAP] = LIST(recipient_map),
	[VALUE_DOMAIN] = TEXT(domain),
	[VALUE_REPLY_TEXT] = TEXT(reply_text),
};

bool value_refuse(struct buf *why, struct text text, const char *allowed)
{
	buf_printf(why, "\"%.*s\" %s", TEXT_ARG(text), allowed);
	return false;
}

/* A relative path starts at the directory of the file. */
static bool parse_path(const struct value_kind *kind, struct text text,
		       const char *directory, void *field, struct buf *why)
{
	char *joined;
	bool good;

	if (!directory || text.len == 0 || text.data[0] == '/')
		return kind->parse(kind, text, field, why);
	joined = xasprintf("%s/%.*s", directory, TEXT_ARG(text));
	good = kind->parse(kind, text_of(joined), field, why);
	free(joined);
	return good;
}

bool value_parse(enum value_type type, struct text text, const char *directory,
		 void *field, struct buf *why)
{
	if (type == VALUE_PATH ||
	    (type == VALUE_LOGIN && value_login_is_file(text)))
		return parse_path(&kinds[type], text, directory, field, why);
	return kinds[type].parse(&kinds[type], text, field, why);
}

void value_print(enum value_type type, const void *field, struct buf *out)
{
	kinds[type].print(&kinds[type], field, out);
}

void value_free(enum value_type type, void *field)
{
	if (kinds[type].free)
		kinds[type].free(field);
}

bool value_is_list(enum value_type type)
{
	return kinds[type].list;
}

const char *value_type_words(enum value_type type)
{
	static const char *const words[VALUE_TYPES] = {
#define X(name, field, text) [VALUE_##name] = text,
		VALUE_TYPE_MAP(X)
#undef X
	};

	return words[type];
}
