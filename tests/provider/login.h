/*
 * login -- one exchange of AUTH from the provider's side: LOGIN, PLAIN and
 * XOAUTH2, whose token takes the place of the password.
 */
#ifndef TESTS_PROVIDER_LOGIN_H
#define TESTS_PROVIDER_LOGIN_H

#include "proto/sasl.h"

enum login_result {
	LOGIN_CHALLENGE,  /* send it and wait for the response */
	LOGIN_DONE,       /* user and password are known */
	LOGIN_BAD,        /* not what the mechanism allows */
};

struct login {
	bool active, is_xoauth2;
	struct sasl_server sasl;
	struct buf user, token; /* of XOAUTH2 */
};

/* offered: "LOGIN PLAIN"; false when the mechanism is not among them. */
bool login_begin(struct login *login, const char *offered,
                 struct text mechanism);
void login_end(struct login *login);
enum login_result login_step(struct login *login, bool has_response,
                             struct text response, struct text *challenge_r);
struct text login_user(const struct login *login);
bool login_matches(const struct login *login, const char *user,
                   const char *password);

#endif
