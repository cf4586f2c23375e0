#include "relay/net/tls_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>

#include "proto/xalloc.h"

enum {
	CIPHERS_NAMED = 12, /* of those a client offers */
	CIPHER_WORDS_MAX = 600,
};

bool tls_fail(const char **error_r, const char *format, ...)
{
	static _Thread_local char error[600];
	va_list args;

	va_start(args, format);
	vsnprintf(error, sizeof(error), format, args);
	va_end(args);
	*error_r = error;
	return false;
}

const char *tls_openssl_words(void)
{
	const char *words = ERR_reason_error_string(ERR_peek_last_error());

	return words ? words : "OpenSSL gives no reason";
}

static const struct hint {
	int reason;
	enum tls_failure failure;
	const char *text;
} hints[] = {
	{ SSL_R_WRONG_VERSION_NUMBER, TLS_FAILURE_NOT_TLS,
	  "the peer does not speak TLS here; perhaps STARTTLS and implicit TLS "
	  "are mixed up" },
	{ SSL_R_HTTP_REQUEST, TLS_FAILURE_NOT_TLS, "the peer speaks HTTP" },
	{ SSL_R_HTTPS_PROXY_REQUEST, TLS_FAILURE_NOT_TLS,
	  "the peer speaks HTTP" },
	{ SSL_R_UNSUPPORTED_PROTOCOL, TLS_FAILURE_VERSION,
	  "the peer offers only TLS versions that are too old" },
	{ SSL_R_VERSION_TOO_LOW, TLS_FAILURE_VERSION,
	  "the peer offers only TLS versions that are too old" },
	{ SSL_R_UNKNOWN_PROTOCOL, TLS_FAILURE_VERSION,
	  "the peer offers only TLS versions that are too old" },
	{ SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, TLS_FAILURE_VERSION,
	  "the peer accepts none of our TLS versions" },
	{ SSL_R_NO_SHARED_CIPHER, TLS_FAILURE_CIPHER,
	  "the peer offers no cipher that is safe" },
	{ SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, TLS_FAILURE_CIPHER,
	  "the peer found no version, cipher or certificate in common" },
	{ SSL_R_TLSV1_ALERT_UNKNOWN_CA, TLS_FAILURE_CERTIFICATE,
	  "the peer does not trust the issuer of our certificate" },
	{ SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, TLS_FAILURE_CERTIFICATE,
	  "the peer does not accept our certificate" },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, TLS_FAILURE_CERTIFICATE,
	  "the peer does not accept our certificate" },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, TLS_FAILURE_CERTIFICATE,
	  "the peer finds our certificate expired" },
};

static const struct hint *find_hint(unsigned long code)
{
	if (ERR_GET_LIB(code) != ERR_LIB_SSL)
		return NULL;
	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if (hints[i].reason == ERR_GET_REASON(code))
			return &hints[i];
	return NULL;
}

enum tls_failure tls_failure_of(const struct tls_engine *engine)
{
	const struct hint *hint = find_hint(ERR_peek_error());

	if (engine->verify_words)
		return TLS_FAILURE_CERTIFICATE;
	return hint ? hint->failure : TLS_FAILURE_OTHER;
}

static const char *version_name(int version)
{
	switch (version) {
	case SSL3_VERSION:
		return "SSL 3.0";
	case TLS1_VERSION:
		return "TLS 1.0";
	case TLS1_1_VERSION:
		return "TLS 1.1";
	case TLS1_2_VERSION:
		return "TLS 1.2";
	default:
		return "SSL 2.0";
	}
}

static char *version_words(const struct tls_engine *engine, const char *reason)
{
	return xasprintf("%s: the client offers at most %s, which is too old "
	                 "here", reason,
	                 version_name(SSL_client_version(engine->ssl)));
}

/* Those that OpenSSL still has a name for. */
static char *cipher_words(const struct tls_engine *engine, const char *reason)
{
	STACK_OF(SSL_CIPHER) *offered = SSL_get_client_ciphers(engine->ssl);
	int n = offered ? sk_SSL_CIPHER_num(offered) : 0;
	struct buf out = BUF_INIT(CIPHER_WORDS_MAX);

	buf_printf(&out, "%s: the client offers no cipher that is safe", reason);
	for (int i = 0; i < n && i < CIPHERS_NAMED; i++)
		buf_printf(&out, "%s%s", i == 0 ? ", but " : " ",
		           SSL_CIPHER_get_name(sk_SSL_CIPHER_value(offered, i)));
	if (n > CIPHERS_NAMED)
		buf_printf(&out, " and %d more", n - CIPHERS_NAMED);
	return buf_steal(&out);
}

/* What a client of ours has offered is known; what a server would accept is
 * not. */
static char *offer_words(const struct tls_engine *engine, const char *reason,
                         int code)
{
	if (engine->peer_name)
		return NULL;
	if (code == SSL_R_NO_SHARED_CIPHER)
		return cipher_words(engine, reason);
	if (code == SSL_R_UNSUPPORTED_PROTOCOL ||
	    code == SSL_R_VERSION_TOO_LOW || code == SSL_R_UNKNOWN_PROTOCOL)
		return version_words(engine, reason);
	return NULL;
}

char *tls_failure_words(const struct tls_engine *engine)
{
	unsigned long code = ERR_peek_error();
	const char *reason = ERR_reason_error_string(code);
	const struct hint *hint = find_hint(code);
	char *words;

	if (engine->verify_words)
		return xasprintf("certificate verify failed: %s",
		                 engine->verify_words);
	if (!reason)
		return xstrdup("the TLS connection broke off");
	if (!hint)
		return xstrdup(reason);
	words = offer_words(engine, reason, hint->reason);
	return words ? words : xasprintf("%s: %s", reason, hint->text);
}
