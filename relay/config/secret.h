/*
 * secret -- a password from a file, as a secret must be kept.
 *
 * The file may be read by its owner alone, unless it lies where a secret is
 * mounted by others: /run/secrets (Docker, Podman), the directory of systemd's
 * credentials.  One line end behind the secret does not belong to it.
 */
#ifndef RELAY_CONFIG_SECRET_H
#define RELAY_CONFIG_SECRET_H

#include <stdbool.h>
#include "proto/buf.h"

/* credentials: $CREDENTIALS_DIRECTORY, or NULL.  False with a sentence. */
bool secret_read_file(const char *path, const char *credentials,
                      char **secret_r, struct buf *why);
/* The same rules for a secret that came otherwise; what names its source. */
bool secret_take(struct text bytes, const char *what, char **secret_r,
                 struct buf *why);
bool secret_is_mounted(const char *path, const char *credentials);

#endif
