/*
 * login_hash -- passwords as crypt(5) hashes: make one, compare with one.
 *
 * What is made is yescrypt with the library's default cost; what is accepted
 * is whatever libcrypt still finds strong ($y$, $gy$, $7$, $2b$, $6$, and $5$).
 * Comparing takes tens of milliseconds and megabytes on purpose: never on the
 * loop.  Thread-safe.
 */
#ifndef RELAY_INBOUND_LOGIN_HASH_H
#define RELAY_INBOUND_LOGIN_HASH_H

#include <stdbool.h>

enum { LOGIN_HASH_TEXT = 384 }; /* with the NUL */

/* False when the system has no random numbers, or the password is longer than
 * 512 octets. */
bool login_hash_make(const char *password, char out[LOGIN_HASH_TEXT]);
/* Beginning of a hash that nothing matches, for work that looks like real. */
void login_hash_decoy(char out[LOGIN_HASH_TEXT]);
/* In time that does not tell how near it was. */
bool login_hash_matches(const char *hash, const char *password);
/* What is wrong with it, as in "line 3: the hash ..."; NULL: nothing. */
const char *login_hash_fault(const char *hash);

#endif
