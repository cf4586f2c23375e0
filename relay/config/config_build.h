/*
 * config_build -- a configuration while it is being made; inside config*.c.
 *
 *     config_read_file()         the file, by the table of config_keys.h
 *     config_read_environment()  LANPOST_*, which beats the file
 *     config_fill()              presets and what follows from other keys
 *     config_read_secrets()      passwords from where they lie
 *     config_verify()            whether it all makes sense together
 *       config_verify_listeners(), _names() (do the sections exist that are
 *       named), _rules(), config_warn_senders() (what the providers will say)
 *                                are parts of it
 *     config_verify_file()       whether a password in the file is safe there
 *
 * Each returns false after config_fail(); the first complaint stays.
 */
#ifndef RELAY_CONFIG_CONFIG_BUILD_H
#define RELAY_CONFIG_CONFIG_BUILD_H

#include "relay/config/config.h"
#include "relay/config/config_keys.h"

struct config_build {
	struct config *config;
	const char *path;          /* NULL: no file */
	char *directory;           /* of the file */
	unsigned mode;             /* its permissions */
	char *const *environment;
	struct config_warnings *warnings; /* NULL: nobody asks */
	char *error;
};

/* A section, whatever its kind. */
struct config_place {
	enum config_section section;
	void *base;                /* its struct; NULL: there is none */
	struct config_origin *origins;
	const char *name;          /* NULL: [relay] */
	unsigned line;             /* 0: not from the file */
};

bool config_read_file(struct config_build *build);
bool config_read_environment(struct config_build *build);
void config_fill(struct config_build *build);
bool config_read_secrets(struct config_build *build);
bool config_verify(struct config_build *build);
bool config_verify_listeners(struct config_build *build);
bool config_verify_names(struct config_build *build);
bool config_verify_rules(struct config_build *build); /* and devices */
void config_warn_senders(struct config_build *build);
bool config_verify_file(struct config_build *build);

size_t config_n_places(const struct config *config,
                       enum config_section section);
/* What is const in the configuration is so in its places: nothing is changed
 * by them once it is made. */
struct config_place config_place_at(const struct config *config,
                                    enum config_section section, size_t index);
struct config_place config_place_relay(struct config_build *build);
/* The section of that name, NULL for the unnamed. */
struct config_place config_place_find(const struct config *config,
                                      enum config_section section,
                                      const char *name);
/* Behind the others of its kind, with the defaults. */
struct config_place config_place_add(struct config_build *build,
                                     enum config_section section,
                                     const char *name, unsigned line);
void config_place_relay_init(struct config *config);
/* Bring the sections from that one on into an order of their own. */
void config_places_sort(struct config *config, enum config_section section,
                        size_t from);
void config_places_free(struct config *config); /* all of them */
/* A rule's client takes networks and devices: what reads as a network, or as
 * "any", can name no device.  NULL is no name. */
bool config_is_device_name(const char *name);
extern const char config_device_name_advice[];
/* Set a key from text; where, "FILE:LINE" or "LANPOST_X", begins a complaint;
 * only the first needs to be told the key. */
bool config_place_set(struct config_build *build,
                      const struct config_place *place,
                      const struct config_key *key, struct text value,
                      const char *where, bool is_variable);

bool config_fail(struct config_build *build, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Begins with where the key was set, or the section if it is NULL. */
bool config_fail_place(struct config_build *build,
                       const struct config_place *place, const char *key,
                       const char *format, ...)
	__attribute__((format(printf, 4, 5)));
bool config_fail_account(struct config_build *build,
                         const struct account_config *account,
                         const char *key, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
bool config_fail_listener(struct config_build *build,
                          const struct listener_config *listener,
                          const char *key, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void config_warn(struct config_build *build, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Has the account an address of its own?  send_as.h chooses it. */
bool config_has_identity(const struct account_config *account);
/* Is all of it private? */
bool config_network_is_private(const struct network *network);
const char *config_getenv(char *const *environment, const char *name);
/* The system's full name, as good as it can be had; looked up once. */
const char *config_system_name(void);

#endif
