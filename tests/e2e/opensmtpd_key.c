/*
 * Preloaded into Debian 12's OpenSMTPD 6.8 so that its STARTTLS works.  It
 * marks the RSA key it gets from EVP_PKEY_get1_RSA() and expects the mark on
 * the key itself; OpenSSL 3 hands out a copy (OpenSMTPD issue 1171).  Putting
 * the copy back makes both the same object again.
 */
#define OPENSSL_API_COMPAT 0x10100000L
#include <dlfcn.h>
#include <openssl/evp.h>

RSA *EVP_PKEY_get1_RSA(EVP_PKEY *key);

RSA *EVP_PKEY_get1_RSA(EVP_PKEY *key)
{
	RSA *(*get)(EVP_PKEY *) = (RSA * (*)(EVP_PKEY *))
		dlsym(RTLD_NEXT, "EVP_PKEY_get1_RSA");
	RSA *rsa = get(key);

	if (rsa)
		EVP_PKEY_set1_RSA(key, rsa);
	return rsa;
}
