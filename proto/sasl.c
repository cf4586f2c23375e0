#include "proto/sasl.h"

#include <string.h>
#include "proto/smtp_syntax.h"

enum { SASL_WORD_MAX = 1024 };

static const struct sasl_mechanism *const mechanisms[] = {
	&sasl_plain,
	&sasl_login,
};

const struct sasl_mechanism *sasl_mechanism_find(struct text name)
{
	for (size_t i = 0; i < sizeof(mechanisms) / sizeof(mechanisms[0]); i++)
		if (text_is(name, mechanisms[i]->name))
			return mechanisms[i];
	return NULL;
}

bool sasl_server_init(struct sasl_server *server, struct text mechanism)
{
	*server = (struct sasl_server){
		.mechanism = SASL_SERVER_PLAIN,
		.username = BUF_INIT(SASL_WORD_MAX),
		.password = BUF_INIT(SASL_WORD_MAX),
	};
	if (text_is(mechanism, "LOGIN"))
		server->mechanism = SASL_SERVER_LOGIN;
	return text_is(mechanism, "LOGIN") || text_is(mechanism, "PLAIN");
}

void sasl_server_free(struct sasl_server *server)
{
	buf_wipe(&server->username);
	buf_wipe(&server->password);
}

static bool take_username(struct sasl_server *server, struct text username)
{
	return !smtp_has_control(username) &&
	       buf_text_append(&server->username, username);
}

static bool take_password(struct sasl_server *server, struct text password)
{
	return (password.len == 0 ||
		memchr(password.data, '\0', password.len) == NULL) &&
	       buf_text_append(&server->password, password);
}

/* RFC 4616 2:  message = [authzid] UTF8NUL authcid UTF8NUL passwd
 * Whoever logs in acts as himself; an authzid changes nothing. */
static enum sasl_server_result take_plain(struct sasl_server *server,
					  struct text response)
{
	struct text authzid, authcid = text_of("");

	if (!text_token(&response, '\0', &authzid) ||
	    !text_token(&response, '\0', &authcid) ||
	    authcid.data + authcid.len == response.data ||
	    !take_username(server, authcid) || !take_password(server, response))
		return SASL_SERVER_BAD;
	return SASL_SERVER_DONE;
}

static enum sasl_server_result step_plain(struct sasl_server *server,
					  bool has_response,
					  struct text response)
{
	if (has_response)
		return take_plain(server, response);
	return server->step++ == 0 ? SASL_SERVER_CHALLENGE : SASL_SERVER_BAD;
}

/* The prompts are to the letter what devices compare with. */
static enum sasl_server_result step_login(struct sasl_server *server,
					  bool has_response,
					  struct text response,
					  struct text *challenge_r)
{
	if (server->step == 0 && !has_response) {
		*challenge_r = text_of("Username:");
		server->step = 1;
		return SASL_SERVER_CHALLENGE;
	}
	if (server->step <= 1 && take_username(server, response)) {
		*challenge_r = text_of("Password:");
		server->step = 2;
		return SASL_SERVER_CHALLENGE;
	}
	if (server->step == 2 && take_password(server, response))
		return SASL_SERVER_DONE;
	return SASL_SERVER_BAD;
}

enum sasl_server_result sasl_server_step(struct sasl_server *server,
					 bool has_response,
					 struct text response,
					 struct text *challenge_r)
{
	*challenge_r = text_of("");
	if (server->mechanism == SASL_SERVER_PLAIN)
		return step_plain(server, has_response, response);
	return step_login(server, has_response, response, challenge_r);
}
