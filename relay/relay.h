/*
 * relay -- the running server: the composition root.
 *
 * The only file that knows every part.  It builds them from a configuration,
 * replaces that on SIGHUP (a bad file keeps the old one), drains on SIGTERM,
 * and takes everything down in reverse order.
 */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include "relay/config/config.h"

struct relay_settings {
	const char *config_path;   /* read again on SIGHUP; may be NULL */
	char *const *environment;
	struct config *config;     /* the caller's reference is borrowed */
	const struct config_warnings *warnings; /* told in the log */
};

/* Serves until it is told to stop.  Returns an exit code of sysexits.h; what
 * went wrong stands in the log. */
int relay_run(const struct relay_settings *settings);

#endif
