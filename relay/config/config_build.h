/*
 * config_build -- a configuration while it is being made; inside config*.c.
 *
 *     config_read_file()         the file, by the table of config_keys.h
 *     config_read_environment()  LANPOST_*, which beats the file
 *     config_fill()              presets and what follows from other keys
 *     config_read_secrets()      passwords from where they lie
 *     config_verify()            whether it all makes sense together
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

/* A section being filled. */
struct config_place {
	enum config_section section;
	void *base;                /* its struct */
	struct config_origin *origins;
};

bool config_read_file(struct config_build *build);
bool config_read_environment(struct config_build *build);
void config_fill(struct config_build *build);
bool config_read_secrets(struct config_build *build);
bool config_verify(struct config_build *build);
bool config_verify_file(struct config_build *build);

/* The section of that name, NULL for the unnamed; add makes it if missing. */
struct config_place config_place_relay(struct config_build *build);
struct config_place config_place_find(struct config_build *build,
                                      enum config_section section,
                                      const char *name);
struct config_place config_place_add(struct config_build *build,
                                     enum config_section section,
                                     const char *name, unsigned line);
/* Set a key from text; where, "FILE:LINE" or "LANPOST_X", begins a complaint;
 * only the first needs to be told the key. */
bool config_place_set(struct config_build *build,
                      const struct config_place *place,
                      const struct config_key *key, struct text value,
                      const char *where, bool is_variable);

bool config_fail(struct config_build *build, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Begins with where the account's key was set, or its section. */
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

const char *config_getenv(char *const *environment, const char *name);
/* The system's full name, as good as it can be had; looked up once. */
const char *config_system_name(void);

#endif
