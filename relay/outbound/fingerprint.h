/*
 * fingerprint -- has what decides an account's login changed since it was
 * refused, a restart in between or not?
 *
 * The fingerprint is kept in the store: a random salt, and 16 bits of the
 * SHA-256 of salt, host, port, user name and password.  So few say next to
 * nothing about the password, whoever tries how many of them; that one changed
 * login in 65,536 goes unnoticed costs a wait, until the next probe.
 */
#ifndef RELAY_OUTBOUND_FINGERPRINT_H
#define RELAY_OUTBOUND_FINGERPRINT_H

#include "relay/config/config.h"

enum { FINGERPRINT_TEXT = 32 };

/* With a new salt. */
void fingerprint_make(const struct account_config *account,
                      char out[FINGERPRINT_TEXT]);
/* NULL or nonsense never fits. */
bool fingerprint_fits(const struct account_config *account,
                      const char *fingerprint);

#endif
