#include "relay/net/digest.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include "proto/xalloc.h"

struct digest {
	EVP_MD_CTX *context;
};

/* It fails for want of memory alone, as xcalloc() does. */
static void check(bool good)
{
	if (!good)
		abort();
}

struct digest *digest_new(void)
{
	struct digest *digest = xcalloc(1, sizeof(*digest));

	digest->context = EVP_MD_CTX_new();
	check(digest->context != NULL &&
	      EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL) == 1);
	return digest;
}

void digest_add(struct digest *digest, const void *data, size_t len)
{
	check(EVP_DigestUpdate(digest->context, data, len) == 1);
}

void digest_end(struct digest **digest_p, unsigned char hash_r[DIGEST_SIZE])
{
	struct digest *digest = *digest_p;

	check(EVP_DigestFinal_ex(digest->context, hash_r, NULL) == 1);
	digest_free(digest_p);
}

void digest_free(struct digest **digest)
{
	if (*digest == NULL)
		return;
	EVP_MD_CTX_free((*digest)->context);
	free(*digest);
	*digest = NULL;
}
