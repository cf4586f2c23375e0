/*
 * provider -- presets for mail providers: where to connect, how to log in,
 * which limits hold, what is done with a sender that is not the account's.
 *
 * conf/providers.ini is compiled in.  Files NAME.ini in the folder providers.d
 * beside the configuration file add to it, in the order of their names: a new
 * section is a new preset, which needs no more than host, and of one that is
 * there each key that is given takes the place of what was there, so that a
 * later lanpost's other keys still come through.  A value given there is
 * certain, unless `uncertain` is given with it.  An empty text is none, and so
 * is a limit of 0.
 *
 * Presets are read-only; they live as long as their list, which the
 * configuration that names them holds.
 */
#ifndef RELAY_CONFIG_PROVIDER_H
#define RELAY_CONFIG_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>
#include "proto/smtp_client.h"

/* A key that a file of the user's has set. */
struct provider_change {
	const char *key;
	const char *where;       /* "FILE:LINE" */
};

/* 0 in a limit: the provider publishes none, or none is known. */
struct provider {
	const char *name;        /* "office365" */
	const char *title;       /* "Microsoft 365" */
	const char *host;
	const char *other_hosts; /* of regions: comma list, * stands for
	                            anything; NULL: none */
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
	const char *page;        /* where that is written; NULL: nowhere */
	const char *file;        /* that began it; NULL: compiled in */
	struct provider_change *changes; /* of one that was compiled in, or
	                            began in another file */
	size_t n_changes;
};

/* Is the value of this key, "messages_per_day", certain?  A no that is not
 * certain means that nobody knows. */
bool provider_is_certain(const struct provider *provider, const char *key);
/* Where the value of this key is written: the page, or "FILE:LINE" of the
 * user's. */
const char *provider_source(const struct provider *provider, const char *key);

struct providers;
/* Those that are compiled in; they live as long as the process. */
const struct providers *providers_builtin(void);
/* And those of the folder, which need not be there, or be NULL.  NULL with a sentence,
 * "FILE:LINE: ...", which the caller frees. */
struct providers *providers_load(const char *folder, char **error_r);
/* The folder's name beside that file; NULL: beside the usual one.  The caller
 * frees it. */
char *providers_folder(const char *config_path);
void providers_free(struct providers **providers);

const struct provider *providers_find(const struct providers *providers,
                                      const char *name);
/* Whose host it is, any case; of two with one host the first.  NULL: nobody's.
 */
const struct provider *providers_of_host(const struct providers *providers,
                                         const char *host);
/* NULL at the end. */
const struct provider *providers_at(const struct providers *providers,
                                    size_t index);
/* The nearest name, for "did you mean"; NULL when none is near. */
const char *providers_nearest(const struct providers *providers,
                              const char *name);

#endif
