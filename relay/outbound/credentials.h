/*
 * credentials -- an account's password as it was read last, and whether it is
 * another one now.
 *
 *     read -> (a login is refused) -> changed? ... changed!
 *
 * A password file that was written again with the same password is no news: a
 * refused login is not repeated for it.
 */
#ifndef RELAY_OUTBOUND_CREDENTIALS_H
#define RELAY_OUTBOUND_CREDENTIALS_H

#include <sys/stat.h>

#include "relay/config/config.h"

struct credentials {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified, changed;
};

/* Read the password again, for a login.  One that cannot be read is told in the
 * log, and what was read before stays in use. */
void credentials_read(struct credentials *credentials,
                      struct account_config *account);
/* Only the file is looked at, unless it is another since it was read: then the
 * password is read.  True: that is another one. */
bool credentials_changed(struct credentials *credentials,
                         struct account_config *account);

#endif
