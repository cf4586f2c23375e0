/*
 * certs -- certificates for practice: an authority, and what it signs.
 *
 * Keys are P-256, so that making one takes no time.  Whatever fails here ends
 * the process: there is no test without certificates.
 */
#ifndef TESTS_SUPPORT_CERTS_H
#define TESTS_SUPPORT_CERTS_H

#include <stdbool.h>

struct cert;

struct cert_settings {
	const char *common_name;
	const char *names;          /* "DNS:localhost,IP:127.0.0.1" or NULL */
	const struct cert *issuer;  /* NULL: self-signed */
	bool is_ca;
	long from_s, until_s;       /* relative to now; both 0: a day around */
};

struct cert *cert_new(const struct cert_settings *settings);
void cert_free(struct cert **cert);

/* Write PEM files: the certificate; its key, mode 0600. */
void cert_write(const struct cert *cert, const char *path);
void cert_write_key(const struct cert *cert, const char *path);
/* SHA-256 as 64 hexadecimal digits. */
void cert_fingerprint(const struct cert *cert, char out[65]);

#endif
