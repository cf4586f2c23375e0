#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "proto/xalloc.h"
#include "relay/net/tls_context.h"
#include "relay/net/tls_engine.h"
#include "relay/net/tls_internal.h"
#include "tests/support/certs.h"
#include "tests/support/tempdir.h"

/* --- certificates ------------------------------------------------------- */

enum { DAY = 86400 };

static struct cert *ca, *old_ca, *stranger_ca;

static int make_authorities(void **state)
{
	(void)state;
	tempdir_make();
	ca = cert_new(&(struct cert_settings){ .common_name = "Practice CA",
	                                       .is_ca = true });
	old_ca = cert_new(&(struct cert_settings){
		.common_name = "Old CA", .is_ca = true,
		.from_s = -20 * DAY, .until_s = -10 * DAY });
	stranger_ca = cert_new(&(struct cert_settings){
		.common_name = "Stranger CA", .is_ca = true });
	cert_write(ca, tempdir_path("ca.pem"));
	cert_write(old_ca, tempdir_path("old-ca.pem"));
	return 0;
}

static int remove_authorities(void **state)
{
	(void)state;
	cert_free(&ca);
	cert_free(&old_ca);
	cert_free(&stranger_ca);
	tempdir_remove();
	return 0;
}

static struct tls_context *server_context(const struct cert_settings *settings,
                                          int min_version, char pin[65])
{
	struct cert *cert = cert_new(settings);
	struct tls_server_settings server = {
		.cert_file = tempdir_path("cert.pem"),
		.key_file = tempdir_path("key.pem"),
		.min_version = min_version,
	};
	const char *error = NULL;
	struct tls_context *context;

	cert_write(cert, server.cert_file);
	cert_write_key(cert, server.key_file);
	if (pin)
		cert_fingerprint(cert, pin);
	cert_free(&cert);
	context = tls_context_server(&server, &error);
	if (!context)
		fail_msg("%s", error);
	return context;
}

static struct tls_context *good_server(void)
{
	return server_context(&(struct cert_settings){
		.common_name = "practice", .issuer = ca,
		.names = "DNS:localhost,DNS:*.example.org,IP:127.0.0.1,IP:::1",
	}, 0, NULL);
}

static struct tls_context *client_context(const char *ca_file, const char *pin,
                                          int min_version)
{
	struct tls_client_settings settings = {
		.ca_file = ca_file, .fingerprint = pin,
		.min_version = min_version,
	};
	const char *error = NULL;
	struct tls_context *context = tls_context_client(&settings, &error);

	if (!context)
		fail_msg("%s", error);
	return context;
}

static struct tls_context *good_client(void)
{
	return client_context(tempdir_path("ca.pem"), NULL, 0);
}

/* --- two engines and the wire between them ------------------------------ */

/* Carry records over, at most step octets at a time; true: some moved. */
static bool carry(struct tls_engine *from, struct tls_engine *to, size_t step)
{
	const void *data;
	size_t len = tls_engine_rec(from, &data);

	if (len == 0)
		return false;
	if (len > step)
		len = step;
	tls_engine_put_rec(to, data, len);
	tls_engine_rec_sent(from, len);
	tls_engine_handshake(to);
	return true;
}

static void handshake(struct tls_engine *client, struct tls_engine *server,
                      size_t step)
{
	bool moved = true;

	tls_engine_handshake(client);
	while (moved) {
		moved = carry(client, server, step);
		moved = carry(server, client, step) || moved;
	}
}

struct pair {
	struct tls_context *client_context, *server_context;
	struct tls_engine *client, *server;
};

static void pair_start(struct pair *pair, const char *name)
{
	pair->client = tls_engine_new(pair->client_context, name);
	pair->server = tls_engine_new(pair->server_context, NULL);
	handshake(pair->client, pair->server, SIZE_MAX);
}

static void pair_stop(struct pair *pair)
{
	tls_engine_free(&pair->client);
	tls_engine_free(&pair->server);
}

static void pair_free(struct pair *pair)
{
	pair_stop(pair);
	tls_context_unref(&pair->client_context);
	tls_context_unref(&pair->server_context);
}

static void assert_open(const struct tls_engine *engine)
{
	if (tls_engine_state(engine) != TLS_ENGINE_OPEN)
		fail_msg("not open: %s", tls_engine_error(engine));
}

static void assert_error_has(const char *error, const char *words)
{
	if (!strstr(error, words))
		fail_msg("\"%s\" lacks \"%s\"", error, words);
}

/* The client refuses, says why, and the server hears of it. */
static void assert_refused(struct pair *pair, const char *words)
{
	assert_int_equal(tls_engine_state(pair->client), TLS_ENGINE_FAILED);
	assert_error_has(tls_engine_error(pair->client), words);
	/* Under TLS 1.3 the server had finished before the alert came. */
	tls_engine_get_app(pair->server, (char[16]){ 0 }, 16);
	assert_int_equal(tls_engine_state(pair->server), TLS_ENGINE_FAILED);
	assert_error_has(tls_engine_error(pair->server), "alert");
}

static void talk(struct tls_engine *from, struct tls_engine *to,
                 const char *words)
{
	char got[256];
	size_t len;

	assert_int_equal(tls_engine_put_app(from, words, strlen(words)),
	                 strlen(words));
	while (carry(from, to, SIZE_MAX))
		;
	len = tls_engine_get_app(to, got, sizeof(got));
	assert_int_equal(len, strlen(words));
	assert_memory_equal(got, words, len);
}

/* --- handshakes that succeed -------------------------------------------- */

static void test_talks_both_ways(void **state)
{
	static const size_t steps[] = { SIZE_MAX, 1, 7, 1000 };
	struct tls_peer_info info;

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct pair pair = { .client_context = good_client(),
		                     .server_context = good_server() };

		pair.client = tls_engine_new(pair.client_context, "localhost");
		pair.server = tls_engine_new(pair.server_context, NULL);
		handshake(pair.client, pair.server, steps[i]);
		assert_open(pair.client);
		assert_open(pair.server);
		talk(pair.client, pair.server, "EHLO printer\r\n");
		talk(pair.server, pair.client, "250 practice\r\n");
		tls_engine_peer_info(pair.client, &info);
		assert_string_equal(info.version, "TLSv1.3");
		assert_string_equal(info.subject, "CN=practice");
		assert_string_equal(info.issuer, "CN=Practice CA");
		assert_true(info.not_after > time(NULL));
		assert_true(info.verified);
		assert_null(info.verify_error);
		pair_free(&pair);
	}
}

static void test_server_sees_no_certificate(void **state)
{
	struct pair pair = { .client_context = good_client(),
	                     .server_context = good_server() };
	struct tls_peer_info info;

	(void)state;
	pair_start(&pair, "localhost");
	tls_engine_peer_info(pair.server, &info);
	assert_null(info.subject);
	assert_false(info.verified);
	assert_int_equal(info.not_after, 0);
	pair_free(&pair);
}

static void test_accepts_names_of_the_certificate(void **state)
{
	static const char *const names[] = {
		"localhost", "LOCALHOST", "localhost.", "mail.example.org",
		"127.0.0.1", "::1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct pair pair = { .client_context = good_client(),
		                     .server_context = good_server() };

		pair_start(&pair, names[i]);
		if (tls_engine_state(pair.client) != TLS_ENGINE_OPEN)
			fail_msg("%s: %s", names[i],
			         tls_engine_error(pair.client));
		pair_free(&pair);
	}
}

static void test_idle_engine_keeps_no_records(void **state)
{
	struct pair pair = { .client_context = good_client(),
	                     .server_context = good_server() };

	(void)state;
	pair_start(&pair, "localhost");
	talk(pair.client, pair.server, "NOOP\r\n");
	talk(pair.server, pair.client, "250 2.0.0 Ok\r\n");
	assert_null(pair.client->in.data);
	assert_null(pair.client->out.data);
	assert_null(pair.server->in.data);
	assert_null(pair.server->out.data);
	pair_free(&pair);
}

static void test_carries_a_large_message(void **state)
{
	enum { SIZE = 3 * 1024 * 1024 + 17 };
	struct pair pair = { .client_context = good_client(),
	                     .server_context = good_server() };
	char *sent = xmalloc(SIZE), *got = xmalloc(SIZE + 1);
	size_t out = 0, in = 0;

	(void)state;
	for (size_t i = 0; i < SIZE; i++)
		sent[i] = (char)(i * 31 + i / 4096);
	pair_start(&pair, "localhost");
	while (in < SIZE) {
		size_t taken = tls_engine_put_app(pair.client, sent + out,
		                                  SIZE - out);

		assert_true(taken > 0 || out == SIZE);
		out += taken;
		assert_true(carry(pair.client, pair.server, SIZE_MAX));
		in += tls_engine_get_app(pair.server, got + in, SIZE + 1 - in);
	}
	assert_int_equal(in, SIZE);
	assert_memory_equal(sent, got, SIZE);
	free(sent);
	free(got);
	pair_free(&pair);
}

/* --- certificates that are refused -------------------------------------- */

static void test_refuses_certificates_in_clear_words(void **state)
{
	const struct {
		struct cert_settings settings;
		const char *ca_file, *name, *words;
	} rows[] = {
		{ { .common_name = "a", .names = "DNS:localhost", .issuer = ca,
		    .from_s = -9 * DAY, .until_s = -2 * DAY },
		  "ca.pem", "localhost",
		  "certificate verify failed: certificate has expired on 20" },
		{ { .common_name = "a", .names = "DNS:localhost", .issuer = ca,
		    .from_s = 2 * DAY, .until_s = 9 * DAY },
		  "ca.pem", "localhost", "certificate is not yet valid before" },
		{ { .common_name = "box", .names = "DNS:localhost" },
		  "ca.pem", "localhost", "self-signed certificate: \"CN=box\"" },
		{ { .common_name = "a", .names = "DNS:localhost",
		    .issuer = stranger_ca },
		  "ca.pem", "localhost", "unknown issuer: \"CN=Stranger CA\"" },
		{ { .common_name = "a", .names = "DNS:localhost",
		    .issuer = old_ca },
		  "old-ca.pem", "localhost", "(the issuer's, \"CN=Old CA\")" },
		{ { .common_name = "a", .issuer = ca,
		    .names = "DNS:smtp.example.org,DNS:mail.example.org" },
		  "ca.pem", "localhost",
		  "hostname mismatch: the certificate is for smtp.example.org, "
		  "mail.example.org, not for localhost" },
		{ { .common_name = "localhost.evil", .issuer = ca },
		  "ca.pem", "localhost",
		  "the certificate is for CN=localhost.evil, not for" },
		{ { .common_name = "a", .names = "DNS:*.example.org",
		    .issuer = ca },
		  "ca.pem", "a.b.example.org", "for *.example.org, not for a.b" },
		{ { .common_name = "a", .names = "IP:127.0.0.2,DNS:127.0.0.1",
		    .issuer = ca },
		  "ca.pem", "127.0.0.1",
		  "IP address mismatch: the certificate is for 127.0.0.2, " },
		{ { .common_name = "a", .issuer = ca,
		    .names = "DNS:1.x,DNS:2.x,DNS:3.x,DNS:4.x,DNS:5.x,DNS:6.x,"
		             "DNS:7.x,DNS:8.x,DNS:9.x,DNS:10.x" },
		  "ca.pem", "localhost", "8.x and 2 more, not for localhost" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pair pair = { 0 };
		struct tls_peer_info info;

		pair.client_context = client_context(
			tempdir_path(rows[i].ca_file), NULL, 0);
		pair.server_context = server_context(&rows[i].settings, 0,
		                                     NULL);
		pair_start(&pair, rows[i].name);
		assert_refused(&pair, rows[i].words);
		tls_engine_peer_info(pair.client, &info);
		assert_false(info.verified);
		assert_non_null(info.verify_error);
		pair_free(&pair);
	}
}

static void test_names_cannot_spoil_the_log(void **state)
{
	struct pair pair = { .client_context = good_client() };

	(void)state;
	pair.server_context = server_context(&(struct cert_settings){
		.common_name = "evil\nlevel=info \x1b[2J" }, 0, NULL);
	pair_start(&pair, "localhost");
	assert_int_equal(tls_engine_state(pair.client), TLS_ENGINE_FAILED);
	assert_null(strchr(tls_engine_error(pair.client), '\n'));
	assert_null(strchr(tls_engine_error(pair.client), '\x1b'));
	pair_free(&pair);
}

/* --- pins --------------------------------------------------------------- */

static const struct cert_settings unknown = { .common_name = "appliance",
                                              .names = "DNS:elsewhere" };

static void test_pin_stands_for_chain_and_name(void **state)
{
	char pin[65], colons[96];
	struct pair pair = { .server_context = server_context(&unknown, 0,
	                                                      pin) };
	struct tls_peer_info info;

	(void)state;
	for (int i = 0; i < 32; i++)
		sprintf(colons + 3 * i, "%.2s%s", pin + 2 * i,
		        i < 31 ? ":" : "");
	pair.client_context = client_context(NULL, colons, 0);
	pair_start(&pair, "localhost");
	assert_open(pair.client);
	tls_engine_peer_info(pair.client, &info);
	assert_true(info.verified);
	pair_free(&pair);
}

static void test_wrong_pin_is_refused(void **state)
{
	char pin[65];
	struct pair pair = { .server_context = server_context(
		&(struct cert_settings){ .common_name = "a", .issuer = ca,
		                         .names = "DNS:localhost" }, 0, pin) };

	(void)state;
	pin[63] = pin[63] == '0' ? '1' : '0';
	pair.client_context = client_context(tempdir_path("ca.pem"), pin, 0);
	pair_start(&pair, "localhost");
	assert_refused(&pair, "SHA-256 fingerprint is ");
	pair_free(&pair);
}

static void test_bad_pin_is_no_pin(void **state)
{
	static const char *const pins[] = {
		"", "ab", "sha256:ab", "zz",
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde",
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pins) / sizeof(pins[0]); i++) {
		struct tls_client_settings settings = { .fingerprint = pins[i] };
		const char *error = NULL;

		assert_null(tls_context_client(&settings, &error));
		assert_error_has(error, "64 hexadecimal digits");
	}
}

/* --- other implementations: OpenSSL without our settings ----------------- */

struct raw {
	SSL_CTX *context;
	SSL *ssl;
	BIO *in, *out;
};

static void raw_start(struct raw *raw, bool is_server, int min, int max)
{
	raw->context = SSL_CTX_new(is_server ? TLS_server_method()
	                                     : TLS_client_method());
	SSL_CTX_set_cipher_list(raw->context, "ALL:@SECLEVEL=0");
	SSL_CTX_set_min_proto_version(raw->context, min);
	SSL_CTX_set_max_proto_version(raw->context, max);
	if (is_server) {
		SSL_CTX_use_certificate_file(raw->context,
			tempdir_path("cert.pem"), SSL_FILETYPE_PEM);
		SSL_CTX_use_PrivateKey_file(raw->context,
			tempdir_path("key.pem"), SSL_FILETYPE_PEM);
	}
	raw->ssl = SSL_new(raw->context);
	raw->in = BIO_new(BIO_s_mem());
	raw->out = BIO_new(BIO_s_mem());
	SSL_set_bio(raw->ssl, raw->in, raw->out);
	if (is_server)
		SSL_set_accept_state(raw->ssl);
	else
		SSL_set_connect_state(raw->ssl);
}

static void raw_stop(struct raw *raw)
{
	SSL_free(raw->ssl);
	SSL_CTX_free(raw->context);
	ERR_clear_error();
}

/* Carry records both ways until neither side has any. */
static void raw_carry(struct raw *raw, struct tls_engine *engine)
{
	char records[4096];
	const void *data;
	bool moved = true;

	while (moved) {
		int got = BIO_read(raw->out, records, sizeof(records));
		size_t len;

		if (got > 0) {
			tls_engine_put_rec(engine, records, (size_t)got);
			tls_engine_handshake(engine);
		}
		len = tls_engine_rec(engine, &data);
		if (len > 0) {
			BIO_write(raw->in, data, (int)len);
			tls_engine_rec_sent(engine, len);
			SSL_do_handshake(raw->ssl);
		}
		moved = got > 0 || len > 0;
	}
}

static void raw_handshake(struct raw *raw, struct tls_engine *engine)
{
	tls_engine_handshake(engine);
	SSL_do_handshake(raw->ssl);
	raw_carry(raw, engine);
}

static void test_old_server_is_refused(void **state)
{
	struct tls_context *files = good_server(), *context = good_client();
	struct tls_engine *client = tls_engine_new(context, "localhost");
	struct raw old;

	(void)state;
	raw_start(&old, true, TLS1_VERSION, TLS1_1_VERSION);
	raw_handshake(&old, client);
	assert_int_equal(tls_engine_state(client), TLS_ENGINE_FAILED);
	assert_error_has(tls_engine_error(client), "none of our TLS versions");
	assert_int_equal(SSL_is_init_finished(old.ssl), 0);
	raw_stop(&old);
	tls_engine_free(&client);
	tls_context_unref(&context);
	tls_context_unref(&files);
}

static void test_old_client_is_refused(void **state)
{
	struct tls_context *context = good_server();
	struct tls_engine *server = tls_engine_new(context, NULL);
	struct raw old;

	(void)state;
	raw_start(&old, false, TLS1_VERSION, TLS1_1_VERSION);
	raw_handshake(&old, server);
	assert_int_equal(tls_engine_state(server), TLS_ENGINE_FAILED);
	assert_error_has(tls_engine_error(server), "too old");
	raw_stop(&old);
	tls_engine_free(&server);
	tls_context_unref(&context);
}

static void test_old_client_is_admitted_where_asked_for(void **state)
{
	struct tls_context *context = server_context(
		&(struct cert_settings){ .common_name = "a", .issuer = ca },
		TLS1_VERSION, NULL);
	struct tls_engine *server = tls_engine_new(context, NULL);
	struct tls_peer_info info;
	struct raw old;

	(void)state;
	raw_start(&old, false, TLS1_VERSION, TLS1_VERSION);
	raw_handshake(&old, server);
	assert_open(server);
	tls_engine_peer_info(server, &info);
	assert_string_equal(info.version, "TLSv1");
	raw_stop(&old);
	tls_engine_free(&server);
	tls_context_unref(&context);
}

static void test_credentials_need_tls_1_2(void **state)
{
	struct tls_client_settings settings = { .min_version = TLS1_1_VERSION };
	const char *error = NULL;

	(void)state;
	assert_null(tls_context_client(&settings, &error));
	assert_error_has(error, "TLS 1.2");
}

static void test_minimum_of_1_3_refuses_1_2(void **state)
{
	struct tls_context *files = good_server();
	struct tls_context *context = client_context(tempdir_path("ca.pem"),
	                                             NULL, TLS1_3_VERSION);
	struct tls_engine *client = tls_engine_new(context, "localhost");
	struct raw peer;

	(void)state;
	raw_start(&peer, true, TLS1_2_VERSION, TLS1_2_VERSION);
	raw_handshake(&peer, client);
	assert_int_equal(tls_engine_state(client), TLS_ENGINE_FAILED);
	raw_stop(&peer);
	tls_engine_free(&client);
	tls_context_unref(&context);
	tls_context_unref(&files);
}

static const char *sni_seen(const char *peer_name, char out[64])
{
	struct tls_context *files = good_server(), *context = good_client();
	struct tls_engine *client = tls_engine_new(context, peer_name);
	const char *name;
	struct raw peer;

	raw_start(&peer, true, TLS1_2_VERSION, TLS1_2_VERSION);
	raw_handshake(&peer, client);
	assert_open(client);
	name = SSL_get_servername(peer.ssl, TLSEXT_NAMETYPE_host_name);
	snprintf(out, 64, "%s", name ? name : "none");
	raw_stop(&peer);
	tls_engine_free(&client);
	tls_context_unref(&context);
	tls_context_unref(&files);
	return out;
}

static void test_names_but_no_addresses_in_sni(void **state)
{
	char out[64];

	(void)state;
	assert_string_equal(sni_seen("localhost", out), "localhost");
	assert_string_equal(sni_seen("localhost.", out), "localhost");
	assert_string_equal(sni_seen("127.0.0.1", out), "none");
	assert_string_equal(sni_seen("::1", out), "none");
}

static void test_renegotiation_is_refused(void **state)
{
	struct tls_context *files = good_server(), *context = good_client();
	struct tls_engine *client = tls_engine_new(context, "localhost");
	const void *records;
	char data[16];
	struct raw peer;

	(void)state;
	raw_start(&peer, true, TLS1_2_VERSION, TLS1_2_VERSION);
	raw_handshake(&peer, client);
	assert_open(client);
	assert_int_equal(SSL_renegotiate(peer.ssl), 1);
	SSL_do_handshake(peer.ssl); /* HelloRequest */
	raw_carry(&peer, client);
	assert_int_equal(tls_engine_get_app(client, data, sizeof(data)), 0);
	assert_true(SSL_is_init_finished(client->ssl));
	/* An alert at most, by no means a ClientHello. */
	assert_true(tls_engine_rec(client, &records) < 64);
	raw_carry(&peer, client);
	assert_true(SSL_is_init_finished(client->ssl));
	raw_stop(&peer);
	tls_engine_free(&client);
	tls_context_unref(&context);
	tls_context_unref(&files);
}

static void test_key_update_is_answered(void **state)
{
	struct tls_context *context = good_server();
	struct tls_engine *server = tls_engine_new(context, NULL);
	char data[16];
	struct raw peer;

	(void)state;
	raw_start(&peer, false, TLS1_3_VERSION, TLS1_3_VERSION);
	raw_handshake(&peer, server);
	assert_open(server);
	assert_int_equal(SSL_key_update(peer.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
	assert_int_equal(SSL_write(peer.ssl, "NOOP\r\n", 6), 6);
	raw_carry(&peer, server);
	assert_int_equal(tls_engine_get_app(server, data, sizeof(data)), 6);
	assert_int_equal(tls_engine_put_app(server, "250 x\r\n", 7), 7);
	raw_carry(&peer, server);
	assert_int_equal(SSL_read(peer.ssl, data, sizeof(data)), 7);
	raw_stop(&peer);
	tls_engine_free(&server);
	tls_context_unref(&context);
}

/* --- what is not TLS, and the end --------------------------------------- */

static void test_plain_text_is_recognised(void **state)
{
	struct pair pair = { .client_context = good_client(),
	                     .server_context = good_server() };

	(void)state;
	pair.client = tls_engine_new(pair.client_context, "localhost");
	pair.server = tls_engine_new(pair.server_context, NULL);
	tls_engine_handshake(pair.client);
	tls_engine_put_rec(pair.client, "220 mail.example.org ESMTP\r\n", 28);
	tls_engine_handshake(pair.client);
	assert_int_equal(tls_engine_state(pair.client), TLS_ENGINE_FAILED);
	assert_error_has(tls_engine_error(pair.client), "does not speak TLS");
	tls_engine_put_rec(pair.server, "EHLO printer.example.org\r\n", 26);
	tls_engine_handshake(pair.server);
	assert_int_equal(tls_engine_state(pair.server), TLS_ENGINE_FAILED);
	assert_error_has(tls_engine_error(pair.server), "does not speak TLS");
	pair_free(&pair);
}

static void test_close_notify_closes_one_direction(void **state)
{
	struct pair pair = { .client_context = good_client(),
	                     .server_context = good_server() };
	char data[16];

	(void)state;
	pair_start(&pair, "localhost");
	tls_engine_close(pair.client);
	assert_int_equal(tls_engine_state(pair.client), TLS_ENGINE_CLOSED);
	assert_int_equal(tls_engine_put_app(pair.client, "x", 1), 0);
	while (carry(pair.client, pair.server, SIZE_MAX))
		;
	assert_int_equal(tls_engine_get_app(pair.server, data, sizeof(data)),
	                 0);
	assert_int_equal(tls_engine_state(pair.server), TLS_ENGINE_CLOSED);
	assert_int_equal(tls_engine_put_app(pair.server, "221 bye\r\n", 9), 9);
	pair_free(&pair);
}

static void test_tampering_is_noticed(void **state)
{
	struct pair pair = { .client_context = good_client(),
	                     .server_context = good_server() };
	const void *view;
	char records[256], data[16];
	size_t len;

	(void)state;
	pair_start(&pair, "localhost");
	tls_engine_put_app(pair.client, "RCPT TO:<a@b>\r\n", 15);
	len = tls_engine_rec(pair.client, &view);
	assert_true(len < sizeof(records));
	memcpy(records, view, len);
	records[len - 1] ^= 1;
	tls_engine_put_rec(pair.server, records, len);
	assert_int_equal(tls_engine_get_app(pair.server, data, sizeof(data)),
	                 0);
	assert_int_equal(tls_engine_state(pair.server), TLS_ENGINE_FAILED);
	assert_true(tls_engine_rec(pair.server, &view) > 0); /* the alert */
	pair_free(&pair);
}

/* --- resumption --------------------------------------------------------- */

static bool second_is_resumed(const char *first_name, const char *second_name)
{
	struct pair pair = { .client_context = good_client(),
	                     .server_context = good_server() };
	struct tls_peer_info info;
	bool resumed;
	char data[4];

	pair_start(&pair, first_name);
	assert_open(pair.client);
	tls_engine_get_app(pair.client, data, sizeof(data)); /* the ticket */
	pair_stop(&pair);
	pair_start(&pair, second_name);
	assert_open(pair.client);
	resumed = SSL_session_reused(pair.client->ssl);
	tls_engine_peer_info(pair.client, &info);
	assert_true(info.verified);
	assert_string_equal(info.subject, "CN=practice");
	pair_free(&pair);
	return resumed;
}

static void test_resumes_with_the_same_host_only(void **state)
{
	(void)state;
	assert_true(second_is_resumed("localhost", "localhost"));
	assert_false(second_is_resumed("localhost", "mail.example.org"));
	assert_false(second_is_resumed("127.0.0.1", "localhost"));
}

/* --- contexts ----------------------------------------------------------- */

static void test_key_pair_errors_name_the_file(void **state)
{
	static const struct {
		const char *cert, *key, *words;
	} rows[] = {
		{ "none.pem", "key.pem", "none.pem: No such file" },
		{ "cert.pem", "none.pem", "none.pem: No such file" },
		{ "junk.pem", "key.pem", "junk.pem: no certificate in PEM" },
		{ "cert.pem", "junk.pem", "junk.pem: no private key in PEM" },
		{ "ca.pem", "key.pem", "not the key of the certificate" },
	};
	struct tls_context *files = good_server();

	(void)state;
	tempdir_write("junk.pem", "this is not PEM\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_server_settings settings = {
			.cert_file = tempdir_path(rows[i].cert),
			.key_file = tempdir_path(rows[i].key),
		};
		const char *error = NULL;

		assert_null(tls_context_server(&settings, &error));
		assert_error_has(error, rows[i].words);
	}
	tls_context_unref(&files);
}

static void test_ca_file_errors_name_the_file(void **state)
{
	struct tls_client_settings settings = { 0 };
	const char *error = NULL;

	(void)state;
	settings.ca_file = tempdir_path("nowhere.pem");
	assert_null(tls_context_client(&settings, &error));
	assert_error_has(error, "nowhere.pem: No such file");
	tempdir_write("junk.pem", "this is not PEM\n");
	settings.ca_file = tempdir_path("junk.pem");
	assert_null(tls_context_client(&settings, &error));
	assert_error_has(error, "junk.pem: no certificate could be read");
}

static void assert_system_store_trusts(bool expected)
{
	struct pair pair = { .server_context = good_server(),
	                     .client_context = client_context(NULL, NULL, 0) };

	pair_start(&pair, "localhost");
	if ((tls_engine_state(pair.client) == TLS_ENGINE_OPEN) != expected)
		fail_msg("%s", tls_engine_error(pair.client));
	pair_free(&pair);
}

static void link_by_hash(const char *name)
{
	FILE *file = fopen(tempdir_path("ca.pem"), "r");
	X509 *x509 = PEM_read_X509(file, NULL, NULL, NULL);
	char link[64];

	fclose(file);
	snprintf(link, sizeof(link), "%s/%08lx.0", name,
	         X509_NAME_hash_ex(X509_get_subject_name(x509), NULL, NULL,
	                           NULL));
	X509_free(x509);
	assert_int_equal(symlink(tempdir_path("ca.pem"), tempdir_path(link)),
	                 0);
}

static void test_environment_names_the_store(void **state)
{
	char command[8192];

	(void)state;
	snprintf(command, sizeof(command), "mkdir '%s' '%s'",
	         tempdir_path("empty"), tempdir_path("hashed"));
	assert_int_equal(system(command), 0);
	link_by_hash("hashed");
	setenv("SSL_CERT_DIR", tempdir_path("empty"), 1);
	assert_system_store_trusts(false);
	setenv("SSL_CERT_DIR", tempdir_path("hashed"), 1);
	assert_system_store_trusts(true);
	unsetenv("SSL_CERT_DIR");
	setenv("SSL_CERT_FILE", tempdir_path("ca.pem"), 1);
	assert_system_store_trusts(true);
	unsetenv("SSL_CERT_FILE");
}

static void test_ca_file_may_be_the_certificate_itself(void **state)
{
	struct pair pair = { .server_context = good_server() };

	(void)state;
	pair.client_context = client_context(tempdir_path("cert.pem"), NULL, 0);
	pair_start(&pair, "localhost");
	assert_open(pair.client);
	pair_free(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_talks_both_ways),
		cmocka_unit_test(test_server_sees_no_certificate),
		cmocka_unit_test(test_accepts_names_of_the_certificate),
		cmocka_unit_test(test_idle_engine_keeps_no_records),
		cmocka_unit_test(test_carries_a_large_message),
		cmocka_unit_test(test_refuses_certificates_in_clear_words),
		cmocka_unit_test(test_names_cannot_spoil_the_log),
		cmocka_unit_test(test_pin_stands_for_chain_and_name),
		cmocka_unit_test(test_wrong_pin_is_refused),
		cmocka_unit_test(test_bad_pin_is_no_pin),
		cmocka_unit_test(test_old_server_is_refused),
		cmocka_unit_test(test_old_client_is_refused),
		cmocka_unit_test(test_old_client_is_admitted_where_asked_for),
		cmocka_unit_test(test_credentials_need_tls_1_2),
		cmocka_unit_test(test_minimum_of_1_3_refuses_1_2),
		cmocka_unit_test(test_names_but_no_addresses_in_sni),
		cmocka_unit_test(test_renegotiation_is_refused),
		cmocka_unit_test(test_key_update_is_answered),
		cmocka_unit_test(test_plain_text_is_recognised),
		cmocka_unit_test(test_close_notify_closes_one_direction),
		cmocka_unit_test(test_tampering_is_noticed),
		cmocka_unit_test(test_resumes_with_the_same_host_only),
		cmocka_unit_test(test_key_pair_errors_name_the_file),
		cmocka_unit_test(test_ca_file_errors_name_the_file),
		cmocka_unit_test(test_environment_names_the_store),
		cmocka_unit_test(test_ca_file_may_be_the_certificate_itself),
	};
	return cmocka_run_group_tests(tests, make_authorities,
	                              remove_authorities);
}
