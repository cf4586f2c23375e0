/*
 * provider -- presets for mail providers, from conf/providers.ini (compiled
 * in): where to connect, how to log in, which limits hold, what is done with a
 * sender that is not the account's.
 *
 * Presets are read-only and live as long as the process.
 */
#ifndef RELAY_CONFIG_PROVIDER_H
#define RELAY_CONFIG_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>
#include "proto/smtp_client.h"

/* 0 in a limit: the provider publishes none, or none is known. */
struct provider {
	const char *name;        /* "office365" */
	const char *title;       /* "Microsoft 365" */
	const char *host;
	unsigned port;
	enum smtp_tls_policy tls;
	const char *mechanisms;  /* offered, in order of preference */
	const char *username;    /* what the user name is, in words */
	const char *password;    /* what the password is, in words */
	bool spaced_password;    /* shown in groups, sent without the spaces */
	unsigned messages_per_minute, messages_per_day, recipients_per_day;
	unsigned recipients_per_message, connections, messages_per_connection;
	uint64_t max_message_size;
	const char *pipelining;  /* "yes", "no" */
	const char *sender_check; /* what is compared, and how it reacts */
	bool checks_envelope;    /* MAIL FROM is compared with the account */
	bool checks_from;        /* the From field is */
	bool replaces_from;      /* silently, instead of refusing */
	bool takes_null_sender;  /* MAIL FROM:<> */
	const char *grant;       /* what lets an account send as another, in
	                            words that follow "at the provider"; the
	                            words ADDRESS and ACCOUNT stand for the two.
	                            NULL: it cannot be had */
	const char *password_warning; /* NULL, or why a password is a risk */
	const char *uncertain;   /* comma list of the keys above that are not
	                            certain, NULL: none */
	const char *notes;       /* what an administrator should know */
	const char *page;        /* where that is written */
};

/* Is the value of this key, "messages_per_day", certain?  A no that is not
 * certain means that nobody knows. */
bool provider_is_certain(const struct provider *provider, const char *key);

const struct provider *provider_find(const char *name);
const struct provider *provider_at(size_t index); /* NULL at the end */
/* The nearest name, for "did you mean"; NULL when none is near. */
const char *provider_nearest(const char *name);

#endif
