/*
 * tls_engine -- one TLS connection over memory, without a socket.
 *
 * Four flows, named as seen from the engine ("app": plaintext of the
 * application, "rec": TLS records on the wire; "put" goes in, "get" comes out):
 *
 *     put_app --> [ engine ] --> get_rec --> network
 *     get_app <-- [ engine ] <-- put_rec <-- network
 *
 * OpenSSL with memory BIOs; stream.c is the only caller.  After every call the
 * caller drains get_rec, also after a failure, since an alert may wait there.
 */
#ifndef RELAY_NET_TLS_ENGINE_H
#define RELAY_NET_TLS_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_context;
struct tls_engine;

enum tls_engine_state {
	TLS_ENGINE_HANDSHAKE, /* more records are needed or waiting to go out */
	TLS_ENGINE_OPEN,      /* plaintext may flow */
	TLS_ENGINE_CLOSED,    /* close_notify received or sent */
	TLS_ENGINE_FAILED,    /* see tls_engine_error() */
};

/* Why a handshake failed, as far as it decides what somebody should change. */
#define TLS_FAILURE_MAP(X)                                                  \
	X(NONE,        "it has not")                                        \
	X(SILENT,      "the peer said nothing at all")                      \
	X(NOT_TLS,     "the peer speaks something else")                    \
	X(VERSION,     "no version in common")                              \
	X(CIPHER,      "no cipher in common")                               \
	X(CERTIFICATE, "the certificate is not accepted, ours or theirs")   \
	X(LEFT,        "the peer left in the middle")                       \
	X(OTHER,       "see the words")

enum tls_failure {
#define X(name, text) TLS_FAILURE_##name,
	TLS_FAILURE_MAP(X)
#undef X
};

/* What the peer showed; valid as long as the engine. */
struct tls_peer_info {
	const char *version, *cipher;   /* "TLSv1.3", "TLS_AES_256_GCM_SHA384" */
	const char *subject, *issuer;   /* NULL without a certificate */
	int64_t not_after;              /* unix seconds; 0 without one */
	bool verified;
	const char *verify_error;       /* OpenSSL's words when not verified */
};

/* peer_name: for SNI (unless it is an address) and the certificate check; NULL
 * on the server side. */
struct tls_engine *tls_engine_new(struct tls_context *context,
                                  const char *peer_name);
void tls_engine_free(struct tls_engine **engine);

enum tls_engine_state tls_engine_handshake(struct tls_engine *engine);
void   tls_engine_put_rec(struct tls_engine *engine,
                          const void *data, size_t len);
/* Records to send, in place: a view, then how many of them have gone. */
size_t tls_engine_rec(struct tls_engine *engine, const void **data_r);
void   tls_engine_rec_sent(struct tls_engine *engine, size_t len);
size_t tls_engine_put_app(struct tls_engine *engine,
                          const void *data, size_t len);
size_t tls_engine_get_app(struct tls_engine *engine, void *data, size_t size);
void tls_engine_close(struct tls_engine *engine);  /* queue close_notify */

enum tls_engine_state tls_engine_state(const struct tls_engine *engine);
/* "certificate verify failed: certificate has expired"; never NULL. */
const char *tls_engine_error(const struct tls_engine *engine);
/* While the handshake goes on: what it would be if it ended now. */
enum tls_failure tls_engine_failure(const struct tls_engine *engine);
void tls_engine_peer_info(struct tls_engine *engine,
                          struct tls_peer_info *info_r);

#endif
