#include "tests/support/certs.h"

#include <errno.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "proto/xalloc.h"

struct cert {
	X509 *x509;
	EVP_PKEY *key;
};

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "certs: %s: %s\n", what,
	        errno ? strerror(errno) : "OpenSSL refuses");
	ERR_print_errors_fp(stderr);
	exit(1);
}

/* --- making ------------------------------------------------------------- */

static void set_serial(X509 *x509)
{
	uint32_t serial;

	require(RAND_bytes((unsigned char *)&serial, sizeof(serial)) == 1,
	        "random serial");
	ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509), serial | 1);
}

static void set_subject(X509 *x509, const char *common_name)
{
	X509_NAME *name = X509_get_subject_name(x509);

	require(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
	                                   (const unsigned char *)common_name,
	                                   -1, -1, 0) == 1, "subject");
}

static void set_times(X509 *x509, const struct cert_settings *settings)
{
	bool unsaid = settings->from_s == 0 && settings->until_s == 0;

	X509_gmtime_adj(X509_getm_notBefore(x509),
	                unsaid ? -86400 : settings->from_s);
	X509_gmtime_adj(X509_getm_notAfter(x509),
	                unsaid ? 86400 : settings->until_s);
}

static void add_extension(X509 *x509, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;

	X509V3_set_ctx(&context, issuer, x509, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	require(extension && X509_add_ext(x509, extension, -1) == 1, value);
	X509_EXTENSION_free(extension);
}

static void add_extensions(X509 *x509, X509 *issuer,
                           const struct cert_settings *settings)
{
	add_extension(x509, issuer, NID_subject_key_identifier, "hash");
	if (settings->is_ca) {
		add_extension(x509, issuer, NID_basic_constraints,
		              "critical,CA:TRUE");
		add_extension(x509, issuer, NID_key_usage,
		              "critical,keyCertSign,cRLSign");
	} else {
		add_extension(x509, issuer, NID_ext_key_usage, "serverAuth");
	}
	if (settings->names)
		add_extension(x509, issuer, NID_subject_alt_name,
		              settings->names);
}

struct cert *cert_new(const struct cert_settings *settings)
{
	struct cert *cert = xcalloc(1, sizeof(*cert));
	const struct cert *issuer = settings->issuer ? settings->issuer : cert;

	errno = 0;
	cert->key = EVP_EC_gen("P-256");
	cert->x509 = X509_new();
	require(cert->key && cert->x509, "key");
	X509_set_version(cert->x509, X509_VERSION_3);
	set_serial(cert->x509);
	set_subject(cert->x509, settings->common_name);
	set_times(cert->x509, settings);
	X509_set_issuer_name(cert->x509, X509_get_subject_name(issuer->x509));
	X509_set_pubkey(cert->x509, cert->key);
	add_extensions(cert->x509, issuer->x509, settings);
	require(X509_sign(cert->x509, issuer->key, EVP_sha256()) > 0, "sign");
	return cert;
}

void cert_free(struct cert **cert)
{
	if (!*cert)
		return;
	X509_free((*cert)->x509);
	EVP_PKEY_free((*cert)->key);
	free(*cert);
	*cert = NULL;
}

/* --- writing ------------------------------------------------------------ */

static FILE *create(const char *path, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

	require(file != NULL, path);
	return file;
}

void cert_write(const struct cert *cert, const char *path)
{
	FILE *file = create(path, 0644);

	require(PEM_write_X509(file, cert->x509) == 1, path);
	require(fclose(file) == 0, path);
}

void cert_write_key(const struct cert *cert, const char *path)
{
	FILE *file = create(path, 0600);

	require(PEM_write_PrivateKey(file, cert->key, NULL, NULL, 0, NULL,
	                             NULL) == 1, path);
	require(fclose(file) == 0, path);
}

void cert_fingerprint(const struct cert *cert, char out[65])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len;

	require(X509_digest(cert->x509, EVP_sha256(), digest, &len) == 1,
	        "fingerprint");
	for (unsigned i = 0; i < 32; i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
}
