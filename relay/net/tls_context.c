#include "relay/net/tls_context.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "proto/xalloc.h"
#include "relay/net/tls_internal.h"

/* OpenSSL's own words for a missing file are hard to read. */
static bool check_readable(const char *path, const char **error_r)
{
	FILE *file = fopen(path, "re");

	if (!file)
		return tls_fail(error_r, "%s: %s%s", path, strerror(errno),
		            errno == EACCES ? "; it is read as the user that "
		                              "lanpost runs as" : "");
	fclose(file);
	return true;
}

/* --- trust -------------------------------------------------------------- */

static const char *const hashed_dirs[] = {
	"/etc/ssl/certs",             /* Debian, Alpine */
	"/etc/pki/tls/certs",         /* Fedora */
};

static const char *const bundles[] = {
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem",
	"/etc/ssl/cert.pem",
};

/* "5ad8a5d6.0", as c_rehash makes them */
static bool is_hash_link(const char *name)
{
	return strspn(name, "0123456789abcdef") == 8 && name[8] == '.' &&
	       strspn(name + 9, "0123456789") == strlen(name + 9) &&
	       name[9] != '\0';
}

static bool has_hash_links(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	bool found = false;

	if (!dir)
		return false;
	while (!found && (entry = readdir(dir)))
		found = is_hash_link(entry->d_name);
	closedir(dir);
	return found;
}

/* Certificates are read from there one by one when a chain asks for them; a
 * whole bundle would take megabytes for good. */
static bool trust_dir(SSL_CTX *ssl, const char *path)
{
	return SSL_CTX_load_verify_dir(ssl, path) == 1;
}

static bool trust_file(SSL_CTX *ssl, const char *path, const char **error_r)
{
	if (!check_readable(path, error_r))
		return false;
	if (SSL_CTX_load_verify_file(ssl, path) == 1)
		return true;
	return tls_fail(error_r, "%s: no certificate could be read from it: %s",
	            path, tls_openssl_words());
}

/* SSL_CERT_FILE and SSL_CERT_DIR, as OpenSSL's own programs take them. */
static bool trust_environment(SSL_CTX *ssl, bool *found_r,
                              const char **error_r)
{
	const char *file = getenv("SSL_CERT_FILE");
	const char *dir = getenv("SSL_CERT_DIR");

	*found_r = (file && *file) || (dir && *dir);
	if (dir && *dir && !trust_dir(ssl, dir))
		return tls_fail(error_r, "SSL_CERT_DIR: %s: %s", dir,
		            tls_openssl_words());
	return !file || !*file || trust_file(ssl, file, error_r);
}

static bool trust_system(SSL_CTX *ssl, const char **error_r)
{
	bool found;

	if (!trust_environment(ssl, &found, error_r))
		return false;
	if (found)
		return true;
	for (size_t i = 0; i < sizeof(hashed_dirs) / sizeof(*hashed_dirs); i++)
		if (has_hash_links(hashed_dirs[i]))
			return trust_dir(ssl, hashed_dirs[i]);
	for (size_t i = 0; i < sizeof(bundles) / sizeof(*bundles); i++)
		if (check_readable(bundles[i], error_r))
			return trust_file(ssl, bundles[i], error_r);
	return tls_fail(error_r, "this system has no store of trusted certificates; "
	            "install the package ca-certificates, or set tls_ca_file");
}

/* A file named by the administrator is trusted as it is: a root, an
 * intermediate, or the very certificate of the server. */
static bool trust_ca_file(SSL_CTX *ssl, const char *path, const char **error_r)
{
	X509_STORE_set_flags(SSL_CTX_get_cert_store(ssl),
	                     X509_V_FLAG_PARTIAL_CHAIN);
	return trust_file(ssl, path, error_r);
}

/* --- the pin ------------------------------------------------------------ */

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c | 0x20) : NULL;

	return at ? (int)(at - digits) : -1;
}

static bool parse_pin(const char *hex, uint8_t pin[TLS_PIN_SIZE],
                      const char **error_r)
{
	size_t digits = 0;

	for (; *hex; hex++) {
		int digit = hex_digit(*hex);

		if (*hex == ':' || *hex == ' ')
			continue;
		if (digit < 0 || digits >= 2 * TLS_PIN_SIZE)
			break;
		pin[digits / 2] = (uint8_t)(pin[digits / 2] << 4 | digit);
		digits++;
	}
	if (*hex == '\0' && digits == 2 * TLS_PIN_SIZE)
		return true;
	return tls_fail(error_r, "a SHA-256 fingerprint has 64 hexadecimal digits; "
	            "`openssl x509 -noout -fingerprint -sha256 -in cert.pem` "
	            "prints it");
}

static int verify_pin(X509_STORE_CTX *store, void *arg)
{
	const struct tls_context *context = arg;
	SSL *ssl = X509_STORE_CTX_get_ex_data(
		store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_engine *engine = SSL_get_app_data(ssl);
	uint8_t shown[EVP_MAX_MD_SIZE] = { 0 };

	X509_digest(X509_STORE_CTX_get0_cert(store), EVP_sha256(), shown, NULL);
	if (memcmp(shown, context->pin, TLS_PIN_SIZE) == 0) {
		X509_STORE_CTX_set_error(store, X509_V_OK);
		return 1;
	}
	X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
	free(engine->verify_words);
	engine->verify_words = tls_pin_words(shown);
	return 0;
}

static int note_verify_error(int ok, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(
		store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_engine *engine = SSL_get_app_data(ssl);

	if (!ok && !engine->verify_words)
		engine->verify_words = tls_verify_words(store,
		                                        engine->peer_name);
	return ok;
}

/* --- contexts ----------------------------------------------------------- */

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_engine *engine = SSL_get_app_data(ssl);
	struct tls_context *context = engine->context;

	SSL_SESSION_free(context->session);
	context->session = session;
	if (!SSL_session_reused(ssl))
		context->verified_at = time(NULL);
	free(context->session_host);
	context->session_host = xstrdup(engine->peer_name);
	return 1; /* the reference is ours */
}

static struct tls_context *context_new(const SSL_METHOD *method)
{
	struct tls_context *context = xcalloc(1, sizeof(*context));

	ERR_clear_error();
	context->refs = 1;
	context->ssl = SSL_CTX_new(method);
	if (!context->ssl) {
		fprintf(stderr, "lanpost: OpenSSL: %s\n", tls_openssl_words());
		abort();
	}
	SSL_CTX_set_mode(context->ssl, SSL_MODE_RELEASE_BUFFERS |
	                 SSL_MODE_ENABLE_PARTIAL_WRITE |
	                 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_options(context->ssl, SSL_OP_NO_RENEGOTIATION |
	                    SSL_OP_NO_COMPRESSION |
	                    SSL_OP_IGNORE_UNEXPECTED_EOF);
	return context;
}

static bool client_setup(struct tls_context *context,
                         const struct tls_client_settings *settings,
                         const char **error_r)
{
	SSL_CTX *ssl = context->ssl;
	int min = settings->min_version ? settings->min_version : TLS1_2_VERSION;

	if (min < TLS1_2_VERSION)
		return tls_fail(error_r, "credentials are not sent below TLS 1.2");
	SSL_CTX_set_min_proto_version(ssl, min);
	SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, note_verify_error);
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_CLIENT |
	                               SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ssl, keep_session);
	if (settings->fingerprint) {
		context->has_pin = true;
		SSL_CTX_set_cert_verify_callback(ssl, verify_pin, context);
		return parse_pin(settings->fingerprint, context->pin, error_r);
	}
	if (settings->ca_file)
		return trust_ca_file(ssl, settings->ca_file, error_r);
	return trust_system(ssl, error_r);
}

struct tls_context *
tls_context_client(const struct tls_client_settings *settings,
                   const char **error_r)
{
	struct tls_context *context = context_new(TLS_client_method());

	if (!client_setup(context, settings, error_r))
		tls_context_unref(&context);
	ERR_clear_error();
	return context;
}

/* Without it OpenSSL would ask at the terminal. */
static int no_passphrase(char *out, int size, int writing, void *arg)
{
	(void)out, (void)size, (void)writing, (void)arg;
	return -1;
}

static bool load_key_pair(SSL_CTX *ssl,
                          const struct tls_server_settings *settings,
                          const char **error_r)
{
	const char *cert = settings->cert_file, *key = settings->key_file;

	SSL_CTX_set_default_passwd_cb(ssl, no_passphrase);
	if (!check_readable(cert, error_r) || !check_readable(key, error_r))
		return false;
	if (SSL_CTX_use_certificate_chain_file(ssl, cert) != 1)
		return tls_fail(error_r, "%s: no certificate in PEM could be read "
		            "from it: %s", cert, tls_openssl_words());
	if (SSL_CTX_use_PrivateKey_file(ssl, key, SSL_FILETYPE_PEM) == 1)
		return true;
	if (ERR_GET_REASON(ERR_peek_last_error()) ==
	    X509_R_KEY_VALUES_MISMATCH)
		return tls_fail(error_r, "%s: this is not the key of the "
		            "certificate in %s", key, cert);
	return tls_fail(error_r, "%s: no private key in PEM, without a "
	            "passphrase, could be read from it: %s", key,
	            tls_openssl_words());
}

/* Old devices know neither today's hashes nor today's key sizes, and many know
 * no key exchange but RSA's.  Only the LAN is ever met at this level, and only
 * where tls_min asks for it.  DHE goes last: its groups are too large for some
 * that offer it. */
static void allow_old_devices(SSL_CTX *ssl)
{
	SSL_CTX_set_cipher_list(ssl, "DEFAULT:+kDHE:!aNULL:!eNULL:@SECLEVEL=0");
	SSL_CTX_set_dh_auto(ssl, 1);
}

/* Without forward secrecy a key that is lost one day opens what was recorded
 * all the days before. */
static void demand_forward_secrecy(SSL_CTX *ssl)
{
	SSL_CTX_set_cipher_list(ssl, "DEFAULT:!kRSA:!aNULL:!eNULL");
}

static void server_setup(SSL_CTX *ssl, int min)
{
	if (min < TLS1_2_VERSION)
		allow_old_devices(ssl);
	else
		demand_forward_secrecy(ssl);
	SSL_CTX_set_min_proto_version(ssl, min);
	SSL_CTX_set_options(ssl, SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_verify(ssl, SSL_VERIFY_NONE, NULL);
	/* Tickets cost us nothing to keep; one a handshake is enough. */
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ssl, 1);
}

struct tls_context *
tls_context_server(const struct tls_server_settings *settings,
                   const char **error_r)
{
	struct tls_context *context = context_new(TLS_server_method());
	int min = settings->min_version ? settings->min_version : TLS1_2_VERSION;

	server_setup(context->ssl, min);
	if (!load_key_pair(context->ssl, settings, error_r))
		tls_context_unref(&context);
	ERR_clear_error();
	return context;
}

struct tls_context *tls_context_ref(struct tls_context *context)
{
	context->refs++;
	return context;
}

void tls_context_unref(struct tls_context **context_ptr)
{
	struct tls_context *context = *context_ptr;

	*context_ptr = NULL;
	if (!context || --context->refs > 0)
		return;
	SSL_SESSION_free(context->session);
	SSL_CTX_free(context->ssl);
	free(context->session_host);
	free(context);
}
