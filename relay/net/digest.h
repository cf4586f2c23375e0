/*
 * digest -- SHA-256, by OpenSSL.
 *
 *     digest_new -> digest_add... -> digest_end, or digest_free
 */
#ifndef RELAY_NET_DIGEST_H
#define RELAY_NET_DIGEST_H

#include <stddef.h>

enum { DIGEST_SIZE = 32 };

struct digest;

struct digest *digest_new(void);
void digest_add(struct digest *digest, const void *data, size_t len);
/* Frees it. */
void digest_end(struct digest **digest, unsigned char hash_r[DIGEST_SIZE]);
void digest_free(struct digest **digest); /* given up */

#endif
