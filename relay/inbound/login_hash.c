#include "relay/inbound/login_hash.h"

#include <assert.h>
#include <crypt.h>
#include <stdlib.h>
#include <string.h>

#include "proto/xalloc.h"

enum { SHORTEST_DIGEST = 43 }; /* characters behind the last '$' */

static_assert(CRYPT_OUTPUT_SIZE <= LOGIN_HASH_TEXT, "a hash fits");
static_assert(CRYPT_GENSALT_OUTPUT_SIZE <= LOGIN_HASH_TEXT, "a salt fits");

static bool hash(const char *password, const char *setting,
                 char out[LOGIN_HASH_TEXT])
{
	struct crypt_data *data = xcalloc(1, sizeof *data);
	const char *made = crypt_rn(password, setting, data,
	                            (int)sizeof *data);

	if (made != NULL)
		memcpy(out, made, strlen(made) + 1);
	explicit_bzero(data, sizeof *data);
	free(data);
	return made != NULL;
}

bool login_hash_make(const char *password, char out[LOGIN_HASH_TEXT])
{
	char salt[CRYPT_GENSALT_OUTPUT_SIZE];

	return crypt_gensalt_rn("$y$", 0, NULL, 0, salt, sizeof salt) != NULL &&
	       hash(password, salt, out);
}

void login_hash_decoy(char out[LOGIN_HASH_TEXT])
{
	if (crypt_gensalt_rn("$y$", 0, NULL, 0, out, LOGIN_HASH_TEXT) == NULL)
		strcpy(out, "$y$j9T$LD5KthyVA6/o2OB1ZWdKW1");
}

bool login_hash_matches(const char *expected, const char *password)
{
	char made[LOGIN_HASH_TEXT] = "";
	unsigned char differs = 0;
	size_t i, len = strlen(expected);

	if (!hash(password, expected, made) || strlen(made) != len)
		return false;
	for (i = 0; i < len; i++)
		differs |= (unsigned char)(made[i] ^ expected[i]);
	return differs == 0;
}

static bool is_whole(const char *text)
{
	const char *digest = strrchr(text, '$');

	return digest != NULL && strlen(text) < LOGIN_HASH_TEXT &&
	       strlen(digest + 1) >= SHORTEST_DIGEST &&
	       strspn(digest + 1, "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                          "abcdefghijklmnopqrstuvwxyz") ==
	               strlen(digest + 1);
}

const char *login_hash_fault(const char *text)
{
	/* What could be one of DES, of thirty years ago, is a password that
	 * somebody has written there. */
	if (text[0] != '$')
		return "what follows the colon is no hash; `lanpost password "
		       "USER` makes one";
	switch (crypt_checksalt(text)) {
	case CRYPT_SALT_OK:
		break;
	case CRYPT_SALT_METHOD_LEGACY:
		if (strncmp(text, "$5$", 3) == 0)
			break;
		return "the hash is of a kind that is too weak today";
	default:
		return "what follows the colon is no hash that crypt(5) knows here";
	}
	return is_whole(text) ? NULL : "the hash is not whole";
}
