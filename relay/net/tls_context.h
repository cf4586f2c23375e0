/*
 * tls_context -- what TLS is done with: trust, versions, own certificate.
 *
 * A client context verifies chain and name always; there is no switch to turn
 * that off.  It trusts the system's store, or a file, and may pin the leaf by
 * its SHA-256 fingerprint instead (then the pin is what is verified).  Trust
 * is loaded as it is needed, so that an idle relay stays small.  Contexts are
 * shared by reference: a reload makes a new one while connections keep theirs.
 *
 * A server context below TLS 1.2 is for old devices: it also takes their
 * ciphers and key exchange.  Renegotiation is off, certificates of clients are
 * not asked for.
 *
 * RFC 8314, RFC 8996: TLS 1.2 at least unless the configuration says less.
 */
#ifndef RELAY_NET_TLS_CONTEXT_H
#define RELAY_NET_TLS_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

struct tls_context;

struct tls_client_settings {
	const char *ca_file;      /* NULL: the system's store */
	const char *fingerprint;  /* SHA-256, hex, colons allowed; NULL: none */
	int min_version;          /* 0x0303 TLS 1.2, 0x0304 TLS 1.3 */
};

struct tls_server_settings {
	const char *cert_file, *key_file; /* PEM; the chain in cert_file */
	int min_version;          /* 0x0301 TLS 1.0 to 0x0304 */
};

/* NULL with a sentence in *error_r (static or thread-local, valid until the
 * next call). */
struct tls_context *tls_context_client(const struct tls_client_settings *settings,
                                       const char **error_r);
struct tls_context *tls_context_server(const struct tls_server_settings *settings,
                                       const char **error_r);
struct tls_context *tls_context_ref(struct tls_context *context);
void tls_context_unref(struct tls_context **context);

#endif
