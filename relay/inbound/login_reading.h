/*
 * login_reading -- a login file as it was at one time; for login_file.c alone.
 *
 * Made on any thread, then read-only but for refs, which belongs to the loop.
 */
#ifndef RELAY_INBOUND_LOGIN_READING_H
#define RELAY_INBOUND_LOGIN_READING_H

#include <stdbool.h>
#include <sys/stat.h>
#include "proto/buf.h"
#include "relay/inbound/login_users.h"

struct login_reading {
	unsigned refs;
	struct stat stamp;
	bool young;                /* it may change again without a trace */
	struct login_users *users; /* NULL: it could not be read */
	struct buf faults;         /* sentences with file and line, a line each */
	unsigned n_faults;
};

struct login_reading *login_reading_new(const char *path);
void login_reading_unref(struct login_reading **reading);
/* The file is no longer as it was. */
bool login_reading_is_stale(const struct login_reading *reading,
                            const char *path);

#endif
