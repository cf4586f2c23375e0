#include "tests/provider/login.h"

#include <string.h>

enum { TOKEN_MAX = 16 * 1024 };

static bool is_offered(const char *offered, struct text mechanism)
{
	struct text rest = text_of(offered), word;

	while (text_token(&rest, ' ', &word))
		if (text_equal_nocase(word, mechanism))
			return true;
	return false;
}

bool login_begin(struct login *login, const char *offered,
                 struct text mechanism)
{
	login_end(login);
	if (!is_offered(offered, mechanism))
		return false;
	login->is_xoauth2 = text_is(mechanism, "XOAUTH2");
	buf_init(&login->user, TOKEN_MAX);
	buf_init(&login->token, TOKEN_MAX);
	login->active = login->is_xoauth2 ||
	                sasl_server_init(&login->sasl, mechanism);
	return login->active;
}

void login_end(struct login *login)
{
	if (!login->active)
		return;
	if (!login->is_xoauth2)
		sasl_server_free(&login->sasl);
	buf_wipe(&login->user);
	buf_wipe(&login->token);
	login->active = false;
}

/* "user=" USER ^A "auth=Bearer " TOKEN ^A ^A */
static enum login_result read_xoauth2(struct login *login, struct text response)
{
	static const char user[] = "user=", auth[] = "auth=Bearer ";
	struct text part;

	while (text_token(&response, '\1', &part)) {
		if (text_starts(part, user))
			buf_text_append(&login->user,
			                text_skip(part, strlen(user)));
		else if (text_starts(part, auth))
			buf_text_append(&login->token,
			                text_skip(part, strlen(auth)));
	}
	return buf_len(&login->user) && buf_len(&login->token) ? LOGIN_DONE
	                                                       : LOGIN_BAD;
}

enum login_result login_step(struct login *login, bool has_response,
                             struct text response, struct text *challenge_r)
{
	*challenge_r = text_of("");
	if (login->is_xoauth2)
		return has_response ? read_xoauth2(login, response)
		                    : LOGIN_CHALLENGE;
	switch (sasl_server_step(&login->sasl, has_response, response,
	                         challenge_r)) {
	case SASL_SERVER_CHALLENGE: return LOGIN_CHALLENGE;
	case SASL_SERVER_DONE: return LOGIN_DONE;
	case SASL_SERVER_BAD: break;
	}
	return LOGIN_BAD;
}

struct text login_user(const struct login *login)
{
	return buf_text(login->is_xoauth2 ? &login->user
	                                  : &login->sasl.username);
}

bool login_matches(const struct login *login, const char *user,
                   const char *password)
{
	const struct buf *given = login->is_xoauth2 ? &login->token
	                                            : &login->sasl.password;

	return text_equal_nocase(login_user(login), text_of(user)) &&
	       text_equal(buf_text(given), text_of(password));
}
