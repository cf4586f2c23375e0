/*
 * login_users -- the lines `user:hash` of a file, read.
 *
 * Empty lines and those that begin with '#' say nothing.  A line that cannot
 * be used is told to complain() and counts for nothing; the others stand.
 * Read-only once made, so that threads may share it.
 */
#ifndef RELAY_INBOUND_LOGIN_USERS_H
#define RELAY_INBOUND_LOGIN_USERS_H

#include "proto/text.h"
#include "relay/inbound/login_hash.h"

enum { LOGIN_USER_MAX = 255, LOGIN_USERS_MAX = 10000 };

struct login_users;

/* fault: one line, as in "no colon; ..."; never holds a hash. */
typedef void (*login_complaint)(void *ctx, unsigned line, const char *fault);

struct login_users *login_users_parse(struct text contents,
                                      login_complaint complain, void *ctx);
void login_users_free(struct login_users **users);
size_t login_users_count(const struct login_users *users);
/* May a line begin with it?  NULL: yes; else what is wrong. */
const char *login_user_fault(struct text user);

/* On a thread: the same work whether there is such a user or not. */
bool login_users_match(const struct login_users *users, const char *user,
                       const char *password);

#endif
