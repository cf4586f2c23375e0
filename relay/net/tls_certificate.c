#include "relay/net/tls_certificate.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "proto/buf.h"
#include "proto/smtp_syntax.h"
#include "proto/xalloc.h"
#include "relay/net/address.h"
#include "relay/net/tls_internal.h"

enum {
	KEY_BITS = 2048,
	SERIAL_BITS = 127,
	ADDRESSES_MAX = 32,         /* of this machine, in the certificate */
	COMMON_NAME_MAX = 64,       /* RFC 5280 A.1, ub-common-name */
	FOREWARNED_S = 24 * 3600    /* clocks of devices are never right */
};

/* --- files -------------------------------------------------------------- */

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static bool sync_folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash ? xmemdup0(path, (size_t)(slash - path) + 1)
	                     : xstrdup(".");
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool synced = fd >= 0 && fsync(fd) == 0;

	free(folder);
	if (fd >= 0)
		close(fd);
	return synced;
}

static bool write_all(int fd, struct text text)
{
	while (text.len > 0) {
		ssize_t n = write(fd, text.data, text.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		text = text_skip(text, (size_t)n);
	}
	return fsync(fd) == 0;
}

/* The whole file under its name, or nothing. */
static bool put_file(const char *path, mode_t mode, struct text text,
                     const char **error_r)
{
	char *draft = xasprintf("%s.new", path);
	int fd;
	bool put;

	unlink(draft); /* of a start that was cut short */
	fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
	          mode);
	put = fd >= 0 && write_all(fd, text);
	if (fd >= 0)
		put = close(fd) == 0 && put;
	put = put && rename(draft, path) == 0 && sync_folder_of(path);
	if (!put)
		tls_fail(error_r, "%s cannot be written: %s", path,
		     strerror(errno));
	if (!put && fd >= 0)
		unlink(draft);
	free(draft);
	return put;
}

static bool put_pem(const char *path, mode_t mode, BIO *pem,
                    const char **error_r)
{
	char *data;
	long len = BIO_get_mem_data(pem, &data);

	return put_file(path, mode, text_make(data, (size_t)len), error_r);
}

/* --- the key ------------------------------------------------------------ */

/* Without it OpenSSL would ask at the terminal. */
static int no_passphrase(char *out, int size, int writing, void *arg)
{
	(void)out, (void)size, (void)writing, (void)arg;
	return -1;
}

static EVP_PKEY *read_key(const char *path, const char **error_r)
{
	FILE *file = fopen(path, "re");
	EVP_PKEY *key;

	if (!file) {
		tls_fail(error_r, "%s: %s", path, strerror(errno));
		return NULL;
	}
	key = PEM_read_PrivateKey(file, NULL, no_passphrase, NULL);
	fclose(file);
	if (!key)
		tls_fail(error_r, "%s holds no private key (%s); remove it, and the "
		     "next start makes a new one", path, tls_openssl_words());
	return key;
}

static EVP_PKEY *make_key(const char *path, const char **error_r)
{
	EVP_PKEY *key = EVP_RSA_gen(KEY_BITS);
	BIO *pem = BIO_new(BIO_s_secmem());

	if (!key || PEM_write_bio_PrivateKey(pem, key, NULL, NULL, 0, NULL,
	                                     NULL) != 1) {
		tls_fail(error_r, "OpenSSL cannot make a key: %s", tls_openssl_words());
		EVP_PKEY_free(key);
		key = NULL;
	} else if (!put_pem(path, 0600, pem, error_r)) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	BIO_free(pem);
	return key;
}

/* --- the names ---------------------------------------------------------- */

static void add_name(GENERAL_NAMES *names, int type, const void *data,
                     size_t len)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_STRING *value = type == GEN_DNS ? ASN1_IA5STRING_new()
	                                     : ASN1_OCTET_STRING_new();

	ASN1_STRING_set(value, data, (int)len);
	GENERAL_NAME_set0_value(name, type, value);
	sk_GENERAL_NAME_push(names, name);
}

static void add_host(GENERAL_NAMES *names, struct text host)
{
	if (host.len > 0 && !smtp_has_control(host))
		add_name(names, GEN_DNS, host.data, host.len);
}

static bool is_link_local(const struct address *address)
{
	return address->is_v6 && address->bytes[0] == 0xfe &&
	       (address->bytes[1] & 0xc0) == 0x80;
}

/* Devices are often given an address instead of a name. */
static void add_addresses(GENERAL_NAMES *names)
{
	struct ifaddrs *all = NULL, *one;
	struct address address;
	int added = 0;

	if (getifaddrs(&all) != 0)
		return;
	for (one = all; one && added < ADDRESSES_MAX; one = one->ifa_next) {
		if (!one->ifa_addr || (one->ifa_addr->sa_family != AF_INET &&
		                       one->ifa_addr->sa_family != AF_INET6))
			continue;
		address_from_sockaddr(one->ifa_addr, &address);
		if (is_link_local(&address))
			continue;
		add_name(names, GEN_IPADD, address.bytes,
		         address.is_v6 ? 16 : 4);
		added++;
	}
	freeifaddrs(all);
}

static bool add_names(X509 *x509, const char *hostname)
{
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	struct text host = text_of(hostname), rest = host, label;
	bool added;

	add_host(names, host);
	if (text_token(&rest, '.', &label) && label.len < host.len)
		add_host(names, label);
	add_host(names, text_of("localhost"));
	add_addresses(names);
	added = X509_add1_ext_i2d(x509, NID_subject_alt_name, names, 0, 0) == 1;
	GENERAL_NAMES_free(names);
	return added;
}

static bool set_name(X509 *x509, const char *hostname)
{
	X509_NAME *name = X509_get_subject_name(x509);
	const char *common = strlen(hostname) > COMMON_NAME_MAX ? "lanpost"
	                                                        : hostname;

	return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
	                                  (const unsigned char *)common, -1, -1,
	                                  0) == 1 &&
	       X509_set_issuer_name(x509, name) == 1;
}

/* --- the certificate ---------------------------------------------------- */

static bool add_extension(X509 *x509, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;
	bool added;

	X509V3_set_ctx(&context, x509, x509, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	added = extension && X509_add_ext(x509, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return added;
}

static bool set_serial(X509 *x509)
{
	BIGNUM *serial = BN_new();
	bool set = BN_rand(serial, SERIAL_BITS, BN_RAND_TOP_ONE,
	                   BN_RAND_BOTTOM_ANY) == 1 &&
	           BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(x509));

	BN_free(serial);
	return set;
}

/* No authority: a device that is told to trust it trusts this relay and
 * nobody else.  keyEncipherment is for RSA key exchange. */
static bool fill_in(X509 *x509, EVP_PKEY *key, const char *hostname)
{
	X509_set_version(x509, X509_VERSION_3);
	X509_gmtime_adj(X509_getm_notBefore(x509), -FOREWARNED_S);
	X509_time_adj_ex(X509_getm_notAfter(x509), TLS_SELF_MADE_DAYS, 0, NULL);
	return set_serial(x509) && set_name(x509, hostname) &&
	       X509_set_pubkey(x509, key) == 1 &&
	       add_extension(x509, NID_basic_constraints, "critical,CA:FALSE") &&
	       add_extension(x509, NID_key_usage,
	                     "critical,digitalSignature,keyEncipherment") &&
	       add_extension(x509, NID_ext_key_usage, "serverAuth") &&
	       add_extension(x509, NID_subject_key_identifier, "hash") &&
	       add_names(x509, hostname) &&
	       X509_sign(x509, key, EVP_sha256()) > 0;
}

static bool make_certificate(const struct tls_self_made *settings,
                             EVP_PKEY *key, const char **error_r)
{
	X509 *x509 = X509_new();
	BIO *pem = BIO_new(BIO_s_mem());
	bool made = fill_in(x509, key, settings->hostname) &&
	            PEM_write_bio_X509(pem, x509) == 1;

	if (!made)
		tls_fail(error_r, "OpenSSL cannot make a certificate for %s: %s",
		     settings->hostname, tls_openssl_words());
	made = made && put_pem(settings->cert_file, 0644, pem, error_r);
	BIO_free(pem);
	X509_free(x509);
	return made;
}

bool tls_certificate_make(const struct tls_self_made *settings, bool *made_r,
                          const char **error_r)
{
	EVP_PKEY *key;

	*made_r = false;
	if (exists(settings->cert_file) && exists(settings->key_file))
		return true;
	ERR_clear_error();
	key = exists(settings->key_file)
	              ? read_key(settings->key_file, error_r)
	              : make_key(settings->key_file, error_r);
	*made_r = key && make_certificate(settings, key, error_r);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return *made_r;
}

/* --- reading ------------------------------------------------------------ */

static void print_fingerprint(const X509 *x509, char out[TLS_FINGERPRINT_TEXT])
{
	uint8_t digest[EVP_MAX_MD_SIZE] = { 0 };
	int at = 0;

	X509_digest(x509, EVP_sha256(), digest, NULL);
	for (int i = 0; i < TLS_PIN_SIZE; i++)
		at += snprintf(out + at, TLS_FINGERPRINT_TEXT - (size_t)at,
		               "%s%02X", i > 0 ? ":" : "", digest[i]);
}

static void read_facts(X509 *x509, const char *hostname,
                       struct tls_certificate_facts *facts_r)
{
	struct tm tm = { 0 };

	print_fingerprint(x509, facts_r->fingerprint);
	ASN1_TIME_to_tm(X509_get0_notAfter(x509), &tm);
	facts_r->not_after = timegm(&tm);
	facts_r->names_host = X509_check_host(x509, hostname, 0, 0, NULL) == 1;
}

bool tls_certificate_read(const char *cert_file, const char *hostname,
                          struct tls_certificate_facts *facts_r,
                          const char **error_r)
{
	FILE *file = fopen(cert_file, "re");
	X509 *x509;

	if (!file)
		return tls_fail(error_r, "%s: %s", cert_file, strerror(errno));
	ERR_clear_error();
	x509 = PEM_read_X509(file, NULL, no_passphrase, NULL);
	fclose(file);
	if (!x509)
		return tls_fail(error_r, "%s: no certificate in PEM could be read "
		            "from it: %s", cert_file, tls_openssl_words());
	read_facts(x509, hostname, facts_r);
	X509_free(x509);
	ERR_clear_error();
	return true;
}
