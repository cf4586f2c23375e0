/*
 * options -- the command line of the practice provider.
 */
#ifndef TESTS_PROVIDER_OPTIONS_H
#define TESTS_PROVIDER_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include "tests/provider/limits.h"

enum tls_mode { TLS_MODE_STARTTLS, TLS_MODE_IMPLICIT, TLS_MODE_NONE };

struct options {
	const char *listen;         /* address */
	uint16_t port;              /* 0: the system's choice */
	const char *port_file;
	enum tls_mode tls;
	const char *cert, *key;
	const char *auth;           /* mechanisms; "": none */
	const char *user, *password;
	const char *dir, *journal, *script;
	bool discard, quiet, trace;
	unsigned latency_ms;
	unsigned caps;              /* SMTP_CAP() bits, without STARTTLS, AUTH */
	uint64_t size;              /* 0: no limit */
	struct limits limits;
};

/* Ends the process with 0 after --help, with 64 when it is not understood. */
void options_parse(struct options *options_r, int argc, char **argv);

#endif
