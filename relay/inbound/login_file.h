/*
 * login_file -- who may log in to a listener with `auth = FILE`.
 *
 * The file is read when it is opened, and again by the first check after it
 * has changed; what is wrong with it is told in the log once for each reading,
 * with file and line.  A file that has become unreadable lets nobody in, for
 * now (454), until it is mended.
 *
 * A check runs on a thread, for the hash takes its time.  All files together
 * run two at once, and let sixty-four wait; whoever comes then is put off.  A
 * password is wiped as soon as the check has used it.
 */
#ifndef RELAY_INBOUND_LOGIN_FILE_H
#define RELAY_INBOUND_LOGIN_FILE_H

#include "proto/text.h"
#include "relay/net/loop.h"

struct login_file;
struct login_check;

enum login_verdict {
	LOGIN_RIGHT,
	LOGIN_WRONG,
	LOGIN_UNREADABLE,  /* the file; its reason is in the log */
};

/* NULL with a sentence in *error_r (thread-local) when it cannot be read; lines
 * that cannot be used are no such reason. */
struct login_file *login_file_open(struct loop *loop, const char *path,
                                   const char **error_r);
struct login_file *login_file_ref(struct login_file *file);
void login_file_unref(struct login_file **file);
size_t login_file_users(const struct login_file *file); /* at last reading */

/* on_verdict comes on the loop, never from inside the call, and the check is
 * gone afterwards; unless it is cancelled before.  NULL: too many wait. */
struct login_check *
login_check_start(struct login_file *file, struct text user,
                  struct text password,
                  void (*on_verdict)(void *ctx, enum login_verdict verdict),
                  void *ctx);
void login_check_cancel(struct login_check **check);

#endif
