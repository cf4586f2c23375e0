#include "proto/smtp_server_private.h"

#include <stdio.h>
#include <string.h>

#include "proto/base64.h"
#include "proto/smtp_syntax.h"

enum { HELO_NAME_MAX = 255, MECHANISM_MAX_OCTETS = 20 };

/* As written by those who know it only from a socket: no brackets. */
static bool is_bare_ipv6(struct text name)
{
	char literal[80];

	if (name.len > 64)
		return false;
	snprintf(literal, sizeof literal, "[IPv6:%.*s]", TEXT_ARG(name));
	return smtp_is_address_literal(text_of(literal));
}

static unsigned helo_quirks(struct text name)
{
	if (name.len == 0)
		return SMTP_QUIRK(HELO_EMPTY);
	if (smtp_is_domain(name) || smtp_is_address_literal(name) ||
	    is_bare_ipv6(name))
		return 0;
	return SMTP_QUIRK(HELO_ODD);
}

/* RFC 5321 4.1.4: that a name does not verify is no reason to refuse. */
enum smtp_server_event_type server_hello(struct smtp_server *server,
					 const struct smtp_command *command,
					 struct smtp_server_event *event)
{
	struct text name = command->argument;
	unsigned quirks = helo_quirks(name);

	if (smtp_has_control(name) ||
	    (server->settings.strict && quirks != 0)) {
		server_refuse_line(server, 501, "5.5.4",
				   "The name of your host belongs here, or its "
				   "address as in [192.0.2.1]");
		return SMTP_SERVER_EV_NONE;
	}
	if (name.len > HELO_NAME_MAX)
		name.len = HELO_NAME_MAX;
	server->quirks |= quirks;
	server_end_transaction(server, true);
	event->ehlo.helo_name = name;
	event->ehlo.is_esmtp = command->verb == SMTP_VERB_EHLO;
	server->is_esmtp = event->ehlo.is_esmtp;
	return server_ask(server, ASK_EHLO, SMTP_SERVER_EV_EHLO);
}

enum smtp_server_event_type server_starttls(struct smtp_server *server,
					    const struct smtp_command *command,
					    struct smtp_server_event *event)
{
	if (!(server->settings.capabilities & SMTP_CAP(STARTTLS)))
		server_refuse_line(server, 502, "5.5.1",
				   "STARTTLS is not offered here");
	else if (command->argument.len > 0)
		server_refuse_line(server, 501, "5.5.4",
				   "STARTTLS takes no argument");
	else if (server->transaction)
		server_refuse_line(server, 503, "5.5.1",
				   "STARTTLS inside a mail transaction");
	else
		return server_ask(server, ASK_STARTTLS,
				  SMTP_SERVER_EV_STARTTLS);
	return SMTP_SERVER_EV_NONE;
}

/* A login is taken after HELO too where logins are known here at all. */
static bool takes_login(struct smtp_server *server)
{
	bool known = server->settings.any_login ||
		     (server->settings.capabilities & SMTP_CAP(AUTH)) != 0;

	if (server_offered(server) & SMTP_CAP(AUTH))
		return true;
	if (!known || (server->settings.strict && !server->settings.any_login))
		return false;
	server->quirks |= SMTP_QUIRK(AUTH_UNOFFERED);
	return true;
}

/* RFC 4954 6 has 538 where logins come with TLS, and TLS can be had. */
static bool wants_tls_first(const struct smtp_server *server)
{
	unsigned capabilities = server->settings.capabilities;

	return server->settings.login_required && !server->secure &&
	       (capabilities & SMTP_CAP(STARTTLS)) != 0 &&
	       (capabilities & SMTP_CAP(AUTH)) == 0;
}

static void refuse_login(struct smtp_server *server)
{
	if (wants_tls_first(server))
		server_refuse_line(server, 538, "5.7.11",
				   "A login is taken inside TLS only: "
				   "STARTTLS first");
	else
		server_refuse_line(server, 503, "5.5.1",
				   "AUTH is not offered here; send without "
				   "login");
}

/* RFC 4422 3.1:  sasl-mech = 1*20mech-char, in any case here */
static bool is_mechanism(struct text name)
{
	size_t i;

	for (i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.data[i];

		if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z') &&
		    !(c >= '0' && c <= '9') && c != '-' && c != '_')
			return false;
	}
	return name.len > 0 && name.len <= MECHANISM_MAX_OCTETS;
}

static bool has_mechanism(const struct smtp_server *server, struct text name)
{
	struct text words = text_of(server->settings.mechanisms), word;

	while (text_token(&words, ' ', &word))
		if (text_equal_nocase(word, name))
			return true;
	return server->settings.any_login;
}

static bool decode_response(struct smtp_server *server, struct text encoded)
{
	buf_clear(&server->decoded);
	if (encoded.len == 1 && encoded.data[0] == '=')
		return true;
	return base64_decode(&server->decoded, encoded);
}

enum smtp_server_event_type server_auth(struct smtp_server *server,
					const struct smtp_command *command,
					struct smtp_server_event *event)
{
	struct text rest = command->argument;
	struct text mechanism = { "", 0 };

	text_token(&rest, ' ', &mechanism);
	rest = text_trim(rest);
	if (!takes_login(server))
		refuse_login(server);
	else if (server->authenticated || server->transaction)
		server_refuse_line(server, 503, "5.5.1",
				   "AUTH is not allowed now");
	else if (!is_mechanism(mechanism))
		server_refuse_line(server, 501, "5.5.4",
				   "AUTH needs the name of a mechanism");
	else if (!has_mechanism(server, mechanism))
		server_refuse_line(server, 504, "5.5.4",
				   "This login mechanism is not offered here");
	else if (!decode_response(server, rest))
		server_refuse_line(server, 501, "5.5.2",
				   "The initial response is not base64");
	else {
		event->auth.mechanism = mechanism;
		event->auth.has_response = rest.len > 0;
		event->auth.response = buf_text(&server->decoded);
		return server_ask(server, ASK_AUTH, SMTP_SERVER_EV_AUTH);
	}
	return SMTP_SERVER_EV_NONE;
}

enum smtp_server_event_type server_auth_response(
	struct smtp_server *server, struct text line,
	struct smtp_server_event *event)
{
	struct smtp_reply cancelled =
		smtp_reply_make(501, "5.7.0", "Login cancelled");
	struct smtp_reply undecodable =
		smtp_reply_make(501, "5.5.2", "The response is not base64");

	server_set_state(server, SMTP_SERVER_READY);
	if (text_is(line, "*")) {
		server_refuse(server, text_of("AUTH"), &cancelled);
		return SMTP_SERVER_EV_NONE;
	}
	if (!decode_response(server, line)) {
		server->login_ended = true;
		server_refuse(server, text_of("AUTH"), &undecodable);
		return SMTP_SERVER_EV_NONE;
	}
	event->auth.mechanism = text_of("");
	event->auth.has_response = true;
	event->auth.response = buf_text(&server->decoded);
	return server_ask(server, ASK_AUTH, SMTP_SERVER_EV_AUTH_RESPONSE);
}
