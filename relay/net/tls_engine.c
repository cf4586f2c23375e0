#include "relay/net/tls_engine.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "proto/xalloc.h"
#include "relay/net/address.h"
#include "relay/net/tls_internal.h"

enum {
	RECORDS_IN_MAX = 512 * 1024,
	RECORDS_OUT_MAX = 512 * 1024,
	FLIGHT = 64 * 1024,         /* records gathered for one write */
	RECORD = 16 * 1024,         /* plaintext of one at most */
	RESUME_S = 3600,            /* after the last full handshake */
};

/* --- the wire: a BIO over two buffers that hold no memory when empty ----- */

static int wire_read(BIO *bio, char *data, int size)
{
	struct tls_engine *engine = BIO_get_data(bio);
	struct text in = buf_text(&engine->in);
	size_t len = in.len < (size_t)size ? in.len : (size_t)size;

	BIO_clear_retry_flags(bio);
	if (len == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(data, in.data, len);
	buf_consume(&engine->in, len);
	return (int)len;
}

static int wire_write(BIO *bio, const char *data, int len)
{
	struct tls_engine *engine = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (buf_append(&engine->out, data, (size_t)len))
		return len;
	BIO_set_retry_write(bio);
	return -1;
}

static long wire_ctrl(BIO *bio, int command, long number, void *pointer)
{
	(void)bio, (void)number, (void)pointer;
	return command == BIO_CTRL_FLUSH;
}

static BIO *wire_new(struct tls_engine *engine)
{
	static BIO_METHOD *method;
	BIO *bio;

	if (!method) {
		method = BIO_meth_new(BIO_get_new_index() |
		                      BIO_TYPE_SOURCE_SINK, "wire");
		BIO_meth_set_read(method, wire_read);
		BIO_meth_set_write(method, wire_write);
		BIO_meth_set_ctrl(method, wire_ctrl);
	}
	bio = BIO_new(method);
	BIO_set_data(bio, engine);
	BIO_set_init(bio, 1);
	return bio;
}

/* --- life --------------------------------------------------------------- */

static void resume_session(struct tls_engine *engine)
{
	const struct tls_context *context = engine->context;
	time_t age = time(NULL) - context->verified_at;

	if (context->session && age >= 0 && age < RESUME_S &&
	    strcmp(context->session_host, engine->peer_name) == 0)
		SSL_set_session(engine->ssl, context->session);
}

/* An address is checked against the certificate but has no place in SNI
 * (RFC 6066 3). */
static void expect_peer(struct tls_engine *engine)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(engine->ssl);
	const char *name = engine->peer_name;
	struct address address;

	if (address_parse(text_of(name), &address)) {
		X509_VERIFY_PARAM_set1_ip(param, address.bytes,
		                          address.is_v6 ? 16 : 4);
		return;
	}
	SSL_set_hostflags(engine->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	SSL_set1_host(engine->ssl, name);
	SSL_set_tlsext_host_name(engine->ssl, name);
}

static char *without_last_dot(const char *name)
{
	size_t len = strlen(name);

	return xmemdup0(name, len > 1 && name[len - 1] == '.' ? len - 1 : len);
}

struct tls_engine *tls_engine_new(struct tls_context *context,
                                  const char *peer_name)
{
	struct tls_engine *engine = xcalloc(1, sizeof(*engine));
	BIO *wire = wire_new(engine);

	buf_init(&engine->in, RECORDS_IN_MAX);
	buf_init(&engine->out, RECORDS_OUT_MAX);
	engine->context = tls_context_ref(context);
	engine->ssl = SSL_new(context->ssl);
	SSL_set_bio(engine->ssl, wire, wire);
	SSL_set_app_data(engine->ssl, engine);
	if (peer_name) {
		engine->peer_name = without_last_dot(peer_name);
		SSL_set_connect_state(engine->ssl);
		expect_peer(engine);
		resume_session(engine);
	} else {
		SSL_set_accept_state(engine->ssl);
	}
	return engine;
}

void tls_engine_free(struct tls_engine **engine_ptr)
{
	struct tls_engine *engine = *engine_ptr;

	if (!engine)
		return;
	*engine_ptr = NULL;
	/* Without a shutdown OpenSSL would take the session for a bad one. */
	if (engine->state == TLS_ENGINE_OPEN)
		SSL_set_shutdown(engine->ssl, SSL_SENT_SHUTDOWN);
	SSL_free(engine->ssl);
	tls_context_unref(&engine->context);
	buf_free(&engine->in);
	buf_free(&engine->out);
	free(engine->peer_name);
	free(engine->verify_words);
	free(engine->error);
	free(engine->subject);
	free(engine->issuer);
	free(engine);
}

/* --- failures ----------------------------------------------------------- */

static void forget_session(struct tls_context *context)
{
	SSL_SESSION_free(context->session);
	context->session = NULL;
}

static void fail(struct tls_engine *engine)
{
	free(engine->error);
	engine->failure = tls_failure_of(engine);
	engine->error = tls_failure_words(engine);
	/* A session that can no longer be resumed must not fail twice. */
	if (engine->peer_name && engine->state == TLS_ENGINE_HANDSHAKE)
		forget_session(engine->context);
	engine->state = TLS_ENGINE_FAILED;
}

/* Nothing happened but waiting, or the end of the connection. */
static void take_result(struct tls_engine *engine, int result)
{
	switch (SSL_get_error(engine->ssl, result)) {
	case SSL_ERROR_NONE:
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		break;
	case SSL_ERROR_ZERO_RETURN:
		engine->state = TLS_ENGINE_CLOSED;
		break;
	default:
		fail(engine);
	}
	ERR_clear_error();
}

/* --- the four flows ----------------------------------------------------- */

enum tls_engine_state tls_engine_handshake(struct tls_engine *engine)
{
	int result;

	if (engine->state != TLS_ENGINE_HANDSHAKE)
		return engine->state;
	ERR_clear_error();
	result = SSL_do_handshake(engine->ssl);
	if (result == 1)
		engine->state = TLS_ENGINE_OPEN;
	else
		take_result(engine, result);
	buf_release(&engine->in);
	return engine->state;
}

void tls_engine_put_rec(struct tls_engine *engine, const void *data, size_t len)
{
	engine->heard = true;
	if (buf_append(&engine->in, data, len) ||
	    engine->state == TLS_ENGINE_FAILED)
		return;
	free(engine->error);
	engine->failure = TLS_FAILURE_OTHER;
	engine->error = xstrdup("the peer sends more than can be kept");
	engine->state = TLS_ENGINE_FAILED;
}

size_t tls_engine_rec(struct tls_engine *engine, const void **data_r)
{
	struct text out = buf_text(&engine->out);

	*data_r = out.data;
	return out.len;
}

void tls_engine_rec_sent(struct tls_engine *engine, size_t len)
{
	buf_consume(&engine->out, len);
	buf_release(&engine->out);
}

static bool may_write(const struct tls_engine *engine)
{
	return engine->state == TLS_ENGINE_OPEN ||
	       (engine->state == TLS_ENGINE_CLOSED && !engine->close_sent);
}

size_t tls_engine_put_app(struct tls_engine *engine,
                          const void *data, size_t len)
{
	size_t taken = 0;

	if (len > RECORD) /* one allocation for the flight, not one a record */
		buf_room(&engine->out, FLIGHT + 2 * RECORD);
	while (taken < len && may_write(engine) &&
	       buf_len(&engine->out) < FLIGHT) {
		size_t written = 0;
		int result;

		ERR_clear_error();
		result = SSL_write_ex(engine->ssl, (const char *)data + taken,
		                      len - taken, &written);
		if (result != 1) {
			take_result(engine, result);
			break;
		}
		taken += written;
	}
	return taken;
}

size_t tls_engine_get_app(struct tls_engine *engine, void *data, size_t size)
{
	size_t len = 0;

	while (len < size && engine->state == TLS_ENGINE_OPEN) {
		size_t got = 0;
		int result;

		ERR_clear_error();
		result = SSL_read_ex(engine->ssl, (char *)data + len,
		                     size - len, &got);
		if (result != 1) {
			take_result(engine, result);
			break;
		}
		len += got;
	}
	buf_release(&engine->in);
	return len;
}

void tls_engine_close(struct tls_engine *engine)
{
	if (!may_write(engine))
		return;
	ERR_clear_error();
	SSL_shutdown(engine->ssl);
	ERR_clear_error();
	engine->close_sent = true;
	engine->state = TLS_ENGINE_CLOSED;
}

/* --- questions ---------------------------------------------------------- */

enum tls_engine_state tls_engine_state(const struct tls_engine *engine)
{
	return engine->state;
}

const char *tls_engine_error(const struct tls_engine *engine)
{
	return engine->error ? engine->error : "no error";
}

enum tls_failure tls_engine_failure(const struct tls_engine *engine)
{
	if (engine->state != TLS_ENGINE_HANDSHAKE)
		return engine->failure;
	return engine->heard ? TLS_FAILURE_LEFT : TLS_FAILURE_SILENT;
}

static int64_t cert_end(const X509 *cert)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) != 1)
		return 0;
	return timegm(&tm);
}

static void describe_cert(struct tls_engine *engine, X509 *cert,
                          struct tls_peer_info *info_r)
{
	if (!engine->subject) {
		engine->subject = tls_name_words(X509_get_subject_name(cert));
		engine->issuer = tls_name_words(X509_get_issuer_name(cert));
	}
	info_r->subject = engine->subject;
	info_r->issuer = engine->issuer;
	info_r->not_after = cert_end(cert);
}

void tls_engine_peer_info(struct tls_engine *engine,
                          struct tls_peer_info *info_r)
{
	X509 *cert = SSL_get0_peer_certificate(engine->ssl);
	long result = SSL_get_verify_result(engine->ssl);

	memset(info_r, 0, sizeof(*info_r));
	info_r->version = SSL_get_version(engine->ssl);
	info_r->cipher = SSL_get_cipher_name(engine->ssl);
	if (cert)
		describe_cert(engine, cert, info_r);
	info_r->verified = cert && result == X509_V_OK &&
	                   engine->state != TLS_ENGINE_HANDSHAKE &&
	                   engine->state != TLS_ENGINE_FAILED;
	if (engine->verify_words)
		info_r->verify_error = engine->verify_words;
	else if (cert && result != X509_V_OK)
		info_r->verify_error = X509_verify_cert_error_string(result);
}
