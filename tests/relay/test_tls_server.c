#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "relay/net/tls_certificate.h"
#include "relay/net/tls_context.h"
#include "relay/net/tls_engine.h"
#include "tests/support/tempdir.h"

/* --- the self-made certificate ------------------------------------------- */

static struct tls_self_made self_made(void)
{
	return (struct tls_self_made){
		.cert_file = tempdir_path("tls-cert.pem"),
		.key_file = tempdir_path("tls-key.pem"),
		.hostname = "relay.contoso.test",
	};
}

static bool make(void)
{
	struct tls_self_made settings = self_made();
	const char *error = NULL;
	bool made;

	if (!tls_certificate_make(&settings, &made, &error))
		fail_msg("%s", error);
	return made;
}

static int set_up(void **state)
{
	(void)state;
	tempdir_make();
	return make() ? 0 : -1;
}

static int take_down(void **state)
{
	(void)state;
	tempdir_remove();
	return 0;
}

static X509 *read_certificate(void)
{
	FILE *file = fopen(tempdir_path("tls-cert.pem"), "r");
	X509 *x509 = PEM_read_X509(file, NULL, NULL, NULL);

	fclose(file);
	assert_non_null(x509);
	return x509;
}

static void read_text(const char *name, char out[8192])
{
	FILE *file = fopen(tempdir_path(name), "r");
	size_t len = fread(out, 1, 8191, file);

	fclose(file);
	out[len] = '\0';
	assert_true(len > 0);
}

static mode_t mode_of(const char *name)
{
	struct stat status;

	assert_int_equal(stat(tempdir_path(name), &status), 0);
	return status.st_mode & 07777;
}

static void test_what_is_made(void **state)
{
	X509 *x509 = read_certificate();
	EVP_PKEY *key = X509_get0_pubkey(x509);
	int days, seconds;

	(void)state;
	assert_int_equal(EVP_PKEY_base_id(key), EVP_PKEY_RSA);
	assert_true(EVP_PKEY_bits(key) >= 2048);
	assert_int_equal(X509_check_host(x509, "relay.contoso.test", 0, 0,
	                                 NULL), 1);
	assert_int_equal(X509_check_host(x509, "relay", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(x509, "other.contoso.test", 0, 0,
	                                 NULL), 0);
	assert_int_equal(X509_check_ip_asc(x509, "127.0.0.1", 0), 1);
	assert_int_equal(X509_check_ca(x509), 0);
	assert_int_equal(X509_get_key_usage(x509),
	                 KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT);
	assert_int_equal(X509_verify(x509, key), 1);
	ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(x509));
	assert_in_range(days, TLS_SELF_MADE_DAYS - 2, TLS_SELF_MADE_DAYS);
	assert_true(X509_cmp_current_time(X509_get0_notBefore(x509)) < 0);
	assert_int_equal(mode_of("tls-key.pem"), 0600);
	X509_free(x509);
}

static void test_what_is_there_is_kept(void **state)
{
	char before[8192], after[8192];

	(void)state;
	read_text("tls-cert.pem", before);
	assert_false(make());
	read_text("tls-cert.pem", after);
	assert_string_equal(before, after);
}

/* As after a crash between the two, or by an administrator. */
static void test_a_lost_certificate_is_made_for_the_same_key(void **state)
{
	char before[8192], after[8192];

	(void)state;
	read_text("tls-key.pem", before);
	assert_int_equal(unlink(tempdir_path("tls-cert.pem")), 0);
	assert_true(make());
	read_text("tls-key.pem", after);
	assert_string_equal(before, after);
	assert_false(make());
}

static void test_a_draft_left_behind_does_no_harm(void **state)
{
	(void)state;
	assert_int_equal(unlink(tempdir_path("tls-cert.pem")), 0);
	tempdir_write("tls-cert.pem.new", "half a certif");
	assert_true(make());
	assert_int_equal(access(tempdir_path("tls-cert.pem.new"), F_OK), -1);
	X509_free(read_certificate());
}

static void test_a_key_that_is_none_is_not_replaced(void **state)
{
	struct tls_self_made settings = self_made();
	const char *error = NULL;
	bool made = true;

	(void)state;
	settings.key_file = tempdir_path("not-a-key.pem");
	settings.cert_file = tempdir_path("never.pem");
	tempdir_write("not-a-key.pem", "hello\n");
	assert_false(tls_certificate_make(&settings, &made, &error));
	assert_false(made);
	assert_non_null(strstr(error, "not-a-key.pem holds no private key"));
	assert_int_equal(access(settings.cert_file, F_OK), -1);
}

static void test_no_folder(void **state)
{
	struct tls_self_made settings = self_made();
	const char *error = NULL;
	bool made;

	(void)state;
	settings.key_file = tempdir_path("missing/key.pem");
	settings.cert_file = tempdir_path("missing/cert.pem");
	assert_false(tls_certificate_make(&settings, &made, &error));
	assert_non_null(strstr(error, "missing/key.pem cannot be written"));
}

static void test_long_and_odd_host_names(void **state)
{
	static const char *const names[] = {
		"a", "printer-relay.a-very-long-company-name.and-its-department."
		"of-scanners.example.test", "192.168.1.5", "bücher.test",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char cert[32], key[32];
		struct tls_self_made settings = { .hostname = names[i] };
		const char *error = NULL;
		bool made;

		snprintf(cert, sizeof(cert), "cert%zu.pem", i);
		snprintf(key, sizeof(key), "key%zu.pem", i);
		settings.cert_file = tempdir_path(cert);
		settings.key_file = tempdir_path(key);
		if (!tls_certificate_make(&settings, &made, &error))
			fail_msg("%s: %s", names[i], error);
	}
}

static void test_facts(void **state)
{
	struct tls_certificate_facts facts;
	const char *error = NULL, *file = tempdir_path("tls-cert.pem");

	(void)state;
	assert_true(tls_certificate_read(file, "relay.contoso.test", &facts,
	                                 &error));
	assert_int_equal(strlen(facts.fingerprint), 95);
	assert_int_equal(strspn(facts.fingerprint, "0123456789ABCDEF:"), 95);
	assert_true(facts.names_host);
	assert_in_range(facts.not_after,
	                time(NULL) + (TLS_SELF_MADE_DAYS - 1) * 86400L,
	                time(NULL) + (TLS_SELF_MADE_DAYS + 1) * 86400L);
	assert_true(tls_certificate_read(file, "new.test", &facts, &error));
	assert_false(facts.names_host);
	assert_false(tls_certificate_read(tempdir_path("none"), "x", &facts,
	                                  &error));
	tempdir_write("text.pem", "no certificate\n");
	assert_false(tls_certificate_read(tempdir_path("text.pem"), "x", &facts,
	                                  &error));
	assert_non_null(strstr(error, "no certificate in PEM"));
}

/* --- devices, as OpenSSL can play them ------------------------------------ */

struct device {
	int min, max;
	const char *ciphers;
};

static unsigned certificates_asked_for;

static int note_request(SSL *ssl, X509 **x509, EVP_PKEY **key)
{
	(void)ssl, (void)x509, (void)key;
	certificates_asked_for++;
	return 0;
}

static SSL *device_new(const struct device *device)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL *ssl;

	SSL_CTX_set_security_level(context, 0);
	SSL_CTX_set_cipher_list(context, device->ciphers);
	SSL_CTX_set_client_cert_cb(context, note_request);
	SSL_CTX_set_min_proto_version(context, device->min);
	SSL_CTX_set_max_proto_version(context, device->max);
	ssl = SSL_new(context);
	SSL_CTX_free(context);
	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(ssl);
	return ssl;
}

/* Carry records both ways until neither side has any. */
static void shake_hands(SSL *device, struct tls_engine *engine)
{
	char records[4096];
	const void *data;
	bool moved = true;

	while (moved) {
		int got;
		size_t len;

		SSL_do_handshake(device);
		got = BIO_read(SSL_get_wbio(device), records, sizeof(records));
		if (got > 0)
			tls_engine_put_rec(engine, records, (size_t)got);
		tls_engine_handshake(engine);
		len = tls_engine_rec(engine, &data);
		if (len > 0)
			BIO_write(SSL_get_rbio(device), data, (int)len);
		tls_engine_rec_sent(engine, len);
		moved = got > 0 || len > 0;
	}
	ERR_clear_error();
}

static struct tls_engine *server_engine(int min_version)
{
	struct tls_server_settings settings = {
		.cert_file = tempdir_path("tls-cert.pem"),
		.key_file = tempdir_path("tls-key.pem"),
		.min_version = min_version,
	};
	const char *error = NULL;
	struct tls_context *context = tls_context_server(&settings, &error);
	struct tls_engine *engine;

	if (!context)
		fail_msg("%s", error);
	engine = tls_engine_new(context, NULL);
	tls_context_unref(&context);
	return engine;
}

/* What becomes of a device at a listener: a version and cipher, or words. */
static void assert_meeting(int tls_min, const struct device *device,
                           const char *version, const char *cipher,
                           enum tls_failure failure, const char *words)
{
	struct tls_engine *engine = server_engine(tls_min);
	SSL *ssl = device_new(device);
	struct tls_peer_info info;

	shake_hands(ssl, engine);
	assert_int_equal(tls_engine_failure(engine), failure);
	if (failure == TLS_FAILURE_NONE) {
		assert_int_equal(tls_engine_state(engine), TLS_ENGINE_OPEN);
		tls_engine_peer_info(engine, &info);
		assert_string_equal(info.version, version);
		if (cipher)
			assert_string_equal(info.cipher, cipher);
	} else {
		assert_int_equal(tls_engine_state(engine), TLS_ENGINE_FAILED);
		if (!strstr(tls_engine_error(engine), words))
			fail_msg("\"%s\" lacks \"%s\"",
			         tls_engine_error(engine), words);
	}
	SSL_free(ssl);
	tls_engine_free(&engine);
}

static const struct device tls10 = { TLS1_VERSION, TLS1_VERSION, "ALL" };
static const struct device tls11 = { TLS1_1_VERSION, TLS1_1_VERSION, "ALL" };
static const struct device rsa10 = { TLS1_VERSION, TLS1_VERSION,
	"AES128-SHA" };
static const struct device rsa12 = { TLS1_2_VERSION, TLS1_2_VERSION,
	"AES128-SHA:AES256-GCM-SHA384" };
static const struct device dhe12 = { TLS1_2_VERSION, TLS1_2_VERSION,
	"DHE-RSA-AES128-SHA:AES128-SHA" };
static const struct device modern = { TLS1_2_VERSION, TLS1_3_VERSION, "ALL" };

static void test_old_devices_where_they_are_asked_for(void **state)
{
	(void)state;
	assert_meeting(TLS1_VERSION, &tls10, "TLSv1", NULL, TLS_FAILURE_NONE,
	               NULL);
	assert_meeting(TLS1_VERSION, &tls11, "TLSv1.1", NULL, TLS_FAILURE_NONE,
	               NULL);
	assert_meeting(TLS1_VERSION, &rsa10, "TLSv1", "AES128-SHA",
	               TLS_FAILURE_NONE, NULL);
	assert_meeting(TLS1_VERSION, &rsa12, "TLSv1.2", NULL, TLS_FAILURE_NONE,
	               NULL);
	assert_meeting(TLS1_1_VERSION, &rsa12, "TLSv1.2", NULL,
	               TLS_FAILURE_NONE, NULL);
	assert_meeting(TLS1_VERSION, &dhe12, "TLSv1.2", "AES128-SHA",
	               TLS_FAILURE_NONE, NULL);
	assert_meeting(TLS1_VERSION, &modern, "TLSv1.3", NULL,
	               TLS_FAILURE_NONE, NULL);
	assert_meeting(TLS1_1_VERSION, &tls10, NULL, NULL, TLS_FAILURE_VERSION,
	               "the client offers at most TLS 1.0");
}

static void test_old_devices_elsewhere(void **state)
{
	(void)state;
	assert_meeting(TLS1_2_VERSION, &tls10, NULL, NULL, TLS_FAILURE_VERSION,
	               "the client offers at most TLS 1.0");
	assert_meeting(TLS1_2_VERSION, &tls11, NULL, NULL, TLS_FAILURE_VERSION,
	               "the client offers at most TLS 1.1");
	assert_meeting(TLS1_2_VERSION, &rsa12, NULL, NULL, TLS_FAILURE_CIPHER,
	               "but AES128-SHA AES256-GCM-SHA384");
	assert_meeting(TLS1_2_VERSION, &modern, "TLSv1.3", NULL,
	               TLS_FAILURE_NONE, NULL);
	assert_meeting(TLS1_3_VERSION, &rsa12, NULL, NULL, TLS_FAILURE_VERSION,
	               "the client offers at most TLS 1.2");
}

static void test_what_is_no_tls(void **state)
{
	static const struct {
		const char *bytes;
		enum tls_failure failure;
	} cases[] = {
		{ "", TLS_FAILURE_SILENT },
		{ "EH", TLS_FAILURE_LEFT },
		{ "EHLO printer\r\n", TLS_FAILURE_NOT_TLS },
		{ "GET / HTTP/1.1\r\n\r\n", TLS_FAILURE_NOT_TLS },
		{ "MAIL FROM:<a@b>\r\n", TLS_FAILURE_NOT_TLS },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tls_engine *engine = server_engine(TLS1_2_VERSION);

		if (cases[i].bytes[0])
			tls_engine_put_rec(engine, cases[i].bytes,
			                   strlen(cases[i].bytes));
		tls_engine_handshake(engine);
		assert_int_equal(tls_engine_failure(engine), cases[i].failure);
		tls_engine_free(&engine);
	}
}

static void test_anonymous_ciphers_are_refused_everywhere(void **state)
{
	static const struct device anonymous = { TLS1_2_VERSION, TLS1_2_VERSION,
		"aNULL" };
	static const struct device naked = { TLS1_2_VERSION, TLS1_2_VERSION,
		"eNULL" };

	(void)state;
	assert_meeting(TLS1_VERSION, &anonymous, NULL, NULL, TLS_FAILURE_CIPHER,
	               "no cipher that is safe");
	assert_meeting(TLS1_VERSION, &naked, NULL, NULL, TLS_FAILURE_CIPHER,
	               "no cipher that is safe");
}

static void test_no_renegotiation(void **state)
{
	static const struct device tls12 = { TLS1_2_VERSION, TLS1_2_VERSION,
		"ALL" };
	struct tls_engine *engine = server_engine(TLS1_2_VERSION);
	SSL *ssl = device_new(&tls12);
	char records[4096];
	const void *data;
	size_t len;
	int got;

	(void)state;
	shake_hands(ssl, engine);
	assert_int_equal(tls_engine_state(engine), TLS_ENGINE_OPEN);
	assert_int_equal(SSL_renegotiate(ssl), 1);
	SSL_do_handshake(ssl);
	got = BIO_read(SSL_get_wbio(ssl), records, sizeof(records));
	tls_engine_put_rec(engine, records, (size_t)got);
	assert_int_equal(tls_engine_get_app(engine, records, sizeof(records)),
	                 0);
	assert_int_equal(tls_engine_state(engine), TLS_ENGINE_OPEN);
	len = tls_engine_rec(engine, &data);
	BIO_write(SSL_get_rbio(ssl), data, (int)len);
	ERR_clear_error();
	assert_int_equal(SSL_do_handshake(ssl), -1);
	assert_int_equal(ERR_GET_REASON(ERR_peek_error()),
	                 SSL_R_NO_RENEGOTIATION);
	ERR_clear_error();
	SSL_free(ssl);
	tls_engine_free(&engine);
}

static void test_certificates_of_clients_are_not_asked_for(void **state)
{
	(void)state;
	certificates_asked_for = 0;
	assert_meeting(TLS1_VERSION, &tls10, "TLSv1", NULL, TLS_FAILURE_NONE,
	               NULL);
	assert_meeting(TLS1_2_VERSION, &modern, "TLSv1.3", NULL,
	               TLS_FAILURE_NONE, NULL);
	assert_int_equal(certificates_asked_for, 0);
}

/* A client context never goes as low, whatever a listener does. */
static void test_clients_stay_strict(void **state)
{
	struct tls_client_settings settings = { .min_version = TLS1_VERSION };
	const char *error = NULL;

	(void)state;
	assert_null(tls_context_client(&settings, &error));
	assert_non_null(strstr(error, "below TLS 1.2"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_made),
		cmocka_unit_test(test_what_is_there_is_kept),
		cmocka_unit_test(
			test_a_lost_certificate_is_made_for_the_same_key),
		cmocka_unit_test(test_a_draft_left_behind_does_no_harm),
		cmocka_unit_test(test_a_key_that_is_none_is_not_replaced),
		cmocka_unit_test(test_no_folder),
		cmocka_unit_test(test_long_and_odd_host_names),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_old_devices_where_they_are_asked_for),
		cmocka_unit_test(test_old_devices_elsewhere),
		cmocka_unit_test(test_what_is_no_tls),
		cmocka_unit_test(test_anonymous_ciphers_are_refused_everywhere),
		cmocka_unit_test(test_no_renegotiation),
		cmocka_unit_test(
			test_certificates_of_clients_are_not_asked_for),
		cmocka_unit_test(test_clients_stay_strict),
	};

	return cmocka_run_group_tests(tests, set_up, take_down);
}
