/*
 * tls_internal -- what the tls_*.c files share: the structs behind the two
 * headers, and the words for what went wrong.
 */
#ifndef RELAY_NET_TLS_INTERNAL_H
#define RELAY_NET_TLS_INTERNAL_H

#include <time.h>
#include <openssl/ssl.h>
#include "proto/buf.h"
#include "relay/net/tls_context.h"
#include "relay/net/tls_engine.h"

enum { TLS_PIN_SIZE = 32 }; /* SHA-256 */

struct tls_context {
	SSL_CTX *ssl;
	unsigned refs;
	bool has_pin;
	uint8_t pin[TLS_PIN_SIZE];
	/* The client's last session, for an abbreviated handshake with the
	 * same host.  Resuming verifies nothing anew, so a session is not
	 * used for long after the last full handshake. */
	SSL_SESSION *session;
	char *session_host;
	time_t verified_at;
};

struct tls_engine {
	SSL *ssl;
	struct tls_context *context;
	enum tls_engine_state state;
	enum tls_failure failure;
	bool close_sent;
	bool heard;               /* anything from the peer */
	struct buf in, out;       /* records, from and for the peer */
	char *peer_name;          /* NULL: we are the server */
	char *verify_words, *error;
	char *subject, *issuer;
};

/* The sentence, in thread-local memory until the next one; always false. */
bool tls_fail(const char **error_r, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The last of OpenSSL's error queue. */
const char *tls_openssl_words(void);
/* Why the certificate at hand was not accepted, with the facts one needs to
 * mend it; the caller frees. */
char *tls_verify_words(X509_STORE_CTX *store, const char *peer_name);
char *tls_pin_words(const uint8_t shown[TLS_PIN_SIZE]);
/* What OpenSSL's error queue says of a failure, for machines and for people;
 * the caller frees. */
enum tls_failure tls_failure_of(const struct tls_engine *engine);
char *tls_failure_words(const struct tls_engine *engine);
/* One line of printable ASCII; the caller frees. */
char *tls_name_words(const X509_NAME *name);

#endif
