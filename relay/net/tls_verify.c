#include "relay/net/tls_internal.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/x509v3.h>

#include "proto/xalloc.h"

enum {
	WORDS_MAX = 1000,
	NAMES_MAX = 8, /* of a certificate, before "and 93 more" */
};

/* --- pieces ------------------------------------------------------------- */

/* What a certificate says is a stranger's text. */
static void append_safely(struct buf *out, const unsigned char *data, int len)
{
	for (int i = 0; i < len && i < 128; i++)
		buf_putc(out, data[i] > ' ' && data[i] < 127 ? (char)data[i]
		                                             : '?');
}

char *tls_name_words(const X509_NAME *name)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data, *words;
	long len;

	X509_NAME_print_ex(bio, name, 0, XN_FLAG_ONELINE & ~XN_FLAG_SPC_EQ);
	len = BIO_get_mem_data(bio, &data);
	words = xmemdup0(data, len > 0 ? (size_t)len : 0);
	BIO_free(bio);
	return words;
}

static void append_date(struct buf *out, const ASN1_TIME *time)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(time, &tm) == 1)
		buf_printf(out, "%04d-%02d-%02d %02d:%02d UTC",
		           tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
		           tm.tm_hour, tm.tm_min);
	else
		buf_puts(out, "an unreadable date");
}

/* --- the names a certificate is for ------------------------------------- */

static bool append_general_name(struct buf *out, const GENERAL_NAME *name)
{
	char ip[INET6_ADDRSTRLEN];
	int len;

	if (name->type == GEN_DNS) {
		append_safely(out, ASN1_STRING_get0_data(name->d.dNSName),
		              ASN1_STRING_length(name->d.dNSName));
		return true;
	}
	if (name->type != GEN_IPADD)
		return false;
	len = ASN1_STRING_length(name->d.iPAddress);
	if ((len != 4 && len != 16) ||
	    !inet_ntop(len == 4 ? AF_INET : AF_INET6,
	               ASN1_STRING_get0_data(name->d.iPAddress), ip, sizeof(ip)))
		return false;
	return buf_puts(out, ip);
}

static unsigned append_alternative_names(struct buf *out, X509 *cert)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name,
	                                        NULL, NULL);
	unsigned found = 0;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type != GEN_DNS && name->type != GEN_IPADD)
			continue;
		if (found >= NAMES_MAX) {
			found++;
			continue;
		}
		if (found > 0)
			buf_puts(out, ", ");
		if (append_general_name(out, name))
			found++;
	}
	GENERAL_NAMES_free(names);
	if (found > NAMES_MAX)
		buf_printf(out, " and %u more", found - NAMES_MAX);
	return found;
}

static void append_cert_names(struct buf *out, X509 *cert)
{
	char *subject;

	if (append_alternative_names(out, cert) > 0)
		return;
	subject = tls_name_words(X509_get_subject_name(cert));
	buf_puts(out, subject);
	free(subject);
}

/* --- the words of each failure ------------------------------------------ */

struct trouble {
	X509 *cert;
	const char *peer_name;
};

static void say_expired(struct buf *out, const struct trouble *trouble)
{
	buf_puts(out, " on ");
	append_date(out, X509_get0_notAfter(trouble->cert));
}

static void say_not_yet(struct buf *out, const struct trouble *trouble)
{
	buf_puts(out, " before ");
	append_date(out, X509_get0_notBefore(trouble->cert));
	buf_puts(out, "; is this computer's clock right?");
}

static void say_issuer(struct buf *out, const struct trouble *trouble)
{
	char *issuer = tls_name_words(X509_get_issuer_name(trouble->cert));

	buf_printf(out, ": \"%s\" is not among the trusted authorities",
	           issuer);
	free(issuer);
}

static void say_names(struct buf *out, const struct trouble *trouble)
{
	buf_puts(out, ": the certificate is for ");
	append_cert_names(out, trouble->cert);
	buf_printf(out, ", not for %s", trouble->peer_name);
}

static const struct words {
	int error;
	const char *text; /* NULL: OpenSSL's own */
	void (*say)(struct buf *out, const struct trouble *trouble);
} words[] = {
	{ X509_V_ERR_CERT_HAS_EXPIRED, "certificate has expired", say_expired },
	{ X509_V_ERR_CERT_NOT_YET_VALID, "certificate is not yet valid",
	  say_not_yet },
	{ X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "self-signed certificate",
	  say_issuer },
	{ X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
	  "unknown issuer (self-signed certificate in chain)", say_issuer },
	{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, "unknown issuer", say_issuer },
	{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "unknown issuer",
	  say_issuer },
	{ X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, "unknown issuer",
	  say_issuer },
	{ X509_V_ERR_HOSTNAME_MISMATCH, "hostname mismatch", say_names },
	{ X509_V_ERR_IP_ADDRESS_MISMATCH, "IP address mismatch", say_names },
};

static const struct words *find_words(int error)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i].error == error)
			return &words[i];
	return NULL;
}

static void say_which(struct buf *out, const struct trouble *trouble, int depth)
{
	char *subject;

	if (depth == 0)
		return;
	subject = tls_name_words(X509_get_subject_name(trouble->cert));
	buf_printf(out, " (the issuer's, \"%s\")", subject);
	free(subject);
}

char *tls_verify_words(X509_STORE_CTX *store, const char *peer_name)
{
	int error = X509_STORE_CTX_get_error(store);
	const struct words *known = find_words(error);
	struct trouble trouble = { X509_STORE_CTX_get_current_cert(store),
	                           peer_name ? peer_name : "" };
	struct buf out = BUF_INIT(WORDS_MAX);

	if (!known || !trouble.cert) {
		buf_puts(&out, X509_verify_cert_error_string(error));
		return buf_steal(&out);
	}
	buf_puts(&out, known->text);
	known->say(&out, &trouble);
	if (known->say == say_expired || known->say == say_not_yet)
		say_which(&out, &trouble, X509_STORE_CTX_get_error_depth(store));
	return buf_steal(&out);
}

char *tls_pin_words(const uint8_t shown[TLS_PIN_SIZE])
{
	struct buf out = BUF_INIT(WORDS_MAX);

	buf_puts(&out, "the certificate's SHA-256 fingerprint is ");
	for (int i = 0; i < TLS_PIN_SIZE; i++)
		buf_printf(&out, i ? ":%02X" : "%02X", shown[i]);
	buf_puts(&out, ", not the one configured");
	return buf_steal(&out);
}
