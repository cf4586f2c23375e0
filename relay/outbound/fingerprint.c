#include "relay/outbound/fingerprint.h"

#include <stdio.h>
#include <string.h>

#include "relay/net/digest.h"
#include "relay/net/loop.h"

enum { SALT_TEXT = 16 };

static void add(struct digest *digest, const char *text)
{
	digest_add(digest, text != NULL ? text : "",
	           text != NULL ? strlen(text) + 1 : 1);
}

static void print(const struct account_config *account,
                  const char salt[SALT_TEXT + 1], char out[FINGERPRINT_TEXT])
{
	struct digest *digest = digest_new();
	unsigned char hash[DIGEST_SIZE];
	char port[8];

	snprintf(port, sizeof port, "%u", (unsigned)account->port);
	add(digest, salt);
	add(digest, account->host);
	add(digest, port);
	add(digest, account->username);
	add(digest, account->password);
	digest_end(&digest, hash);
	snprintf(out, FINGERPRINT_TEXT, "%s-%02x%02x", salt, hash[0], hash[1]);
	explicit_bzero(hash, sizeof hash);
}

void fingerprint_make(const struct account_config *account,
                      char out[FINGERPRINT_TEXT])
{
	char salt[SALT_TEXT + 1];

	snprintf(salt, sizeof salt, "%08x%08x", (unsigned)random_u32(),
	         (unsigned)random_u32());
	print(account, salt, out);
}

bool fingerprint_fits(const struct account_config *account,
                      const char *fingerprint)
{
	char salt[SALT_TEXT + 1], now[FINGERPRINT_TEXT];

	if (fingerprint == NULL || strlen(fingerprint) <= SALT_TEXT)
		return false;
	memcpy(salt, fingerprint, SALT_TEXT);
	salt[SALT_TEXT] = '\0';
	print(account, salt, now);
	return strcmp(now, fingerprint) == 0;
}
