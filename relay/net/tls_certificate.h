/*
 * tls_certificate -- a certificate of our own making, and what one says.
 *
 * A listener without tls_cert gets a self-signed certificate: RSA of 2048
 * bits, which old devices understand too, for ten years.  The key is written
 * before the certificate, each in one piece or not at all, so that after a
 * crash either both are there or the next start makes what is missing; a key
 * that is there is never replaced.
 *
 * Making the key takes some tenths of a second: at start, not on the loop.
 */
#ifndef RELAY_NET_TLS_CERTIFICATE_H
#define RELAY_NET_TLS_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TLS_FINGERPRINT_TEXT = 96, /* "AB:CD:...", 32 octets, and the NUL */
	TLS_SELF_MADE_DAYS = 3650
};

struct tls_self_made {
	const char *cert_file, *key_file; /* PEM; the key with mode 0600 */
	const char *hostname;             /* the subject, and the first name */
};

/* Make what is missing.  Names: the host's, without its domain too, localhost,
 * and the addresses this machine has now.  False with a sentence in *error_r
 * (thread-local). */
bool tls_certificate_make(const struct tls_self_made *settings, bool *made_r,
                          const char **error_r);

/* The first certificate of a PEM file, read for the log. */
struct tls_certificate_facts {
	char fingerprint[TLS_FINGERPRINT_TEXT]; /* SHA-256 */
	int64_t not_after;                      /* unix seconds */
	bool names_host;                        /* it is for hostname */
};
bool tls_certificate_read(const char *cert_file, const char *hostname,
                          struct tls_certificate_facts *facts_r,
                          const char **error_r);

#endif
