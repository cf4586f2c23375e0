#include "proto/smtp_client_private.h"

#include <stdio.h>
#include <string.h>

#include "proto/base64.h"

enum {
	AUTH_ROUNDS_MAX = 8,
	AUTH_CANCELLED = AUTH_ROUNDS_MAX + 1,
	INITIAL_RESPONSE_MAX = 400 /* keeps AUTH under 512 octets */
};

static void say_ehlo(struct smtp_client *client)
{
	client_say(client, "EHLO %s", client->settings.helo_name);
	client_expect(client, SMTP_STAGE_EHLO, NULL, 1);
}

static enum smtp_client_event_type become_ready(struct smtp_client *client)
{
	client->state = READY;
	return SMTP_CLIENT_EV_READY;
}

enum smtp_client_event_type
client_got_greeting(struct smtp_client *client, const struct expected *expected,
                    const struct smtp_reply *reply, struct smtp_client_event *event)
{
	if (reply->code / 100 != 2)
		return client_fail(client, event, SMTP_STAGE_GREETING,
		            SMTP_PROBLEM_REFUSED, reply);
	say_ehlo(client);
	return SMTP_CLIENT_EV_NONE;
}

static const struct sasl_mechanism *
choose_mechanism(const struct smtp_client *client)
{
	const char *const *name = client->settings.mechanisms;

	for (; name != NULL && *name != NULL; name++) {
		if (smtp_caps_has_mechanism(&client->caps, *name))
			return sasl_mechanism_find(text_of(*name));
	}
	return NULL;
}

/* The response in base64 behind prefix, never traced. */
static bool say_response(struct smtp_client *client, const char *prefix,
                         struct text challenge)
{
	struct buf response = BUF_INIT(16 * 1024);
	enum sasl_result result;

	result = client->mechanism->respond(client->auth_rounds++,
	                                    client->settings.credentials,
	                                    challenge, &response);
	if (result == SASL_FAILED) {
		buf_wipe(&response);
		return false;
	}
	buf_puts(&client->output, prefix);
	base64_encode(&client->output, buf_text(&response));
	buf_puts(&client->output, "\r\n");
	client->output_secret = true;
	buf_wipe(&response);
	return true;
}

static bool initial_response_fits(const struct smtp_client *client)
{
	const struct sasl_credentials *who = client->settings.credentials;

	return client->mechanism->client_first &&
	       strlen(who->username) + strlen(who->secret) <
	               INITIAL_RESPONSE_MAX * 3 / 4;
}

static enum smtp_client_event_type log_in(struct smtp_client *client,
                                          struct smtp_client_event *event)
{
	char prefix[64];

	if (!(client->caps.set & SMTP_CAP(AUTH)))
		return client_fail(client, event, SMTP_STAGE_AUTH,
		            SMTP_PROBLEM_NO_AUTH, NULL);
	client->mechanism = choose_mechanism(client);
	if (client->mechanism == NULL)
		return client_fail(client, event, SMTP_STAGE_AUTH,
		            SMTP_PROBLEM_NO_MECHANISM, NULL);
	client_expect(client, SMTP_STAGE_AUTH, NULL, 1);
	if (initial_response_fits(client)) {
		snprintf(prefix, sizeof prefix, "AUTH %s ",
		         client->mechanism->name);
		say_response(client, prefix, text_of(""));
		snprintf(prefix, sizeof prefix, "AUTH %s (masked)",
		         client->mechanism->name);
		client_trace(client, SMTP_SIDE_CLIENT, text_of(prefix));
	} else {
		client_say(client, "AUTH %s", client->mechanism->name);
	}
	return SMTP_CLIENT_EV_NONE;
}

enum smtp_client_event_type
client_got_ehlo(struct smtp_client *client, const struct expected *expected,
                const struct smtp_reply *reply, struct smtp_client_event *event)
{
	if (reply->code / 100 != 2)
		return client_fail(client, event, SMTP_STAGE_EHLO,
		            SMTP_PROBLEM_REFUSED, reply);
	if (reply->code != 250) /* a second greeting, say: out of step */
		return client_fail(client, event, SMTP_STAGE_EHLO,
		            SMTP_PROBLEM_UNEXPECTED, reply);
	smtp_caps_parse(&client->caps, reply);
	if (client->settings.tls == SMTP_TLS_STARTTLS && !client->tls) {
		if (!(client->caps.set & SMTP_CAP(STARTTLS)))
			return client_fail(client, event, SMTP_STAGE_EHLO,
			            SMTP_PROBLEM_NO_STARTTLS, NULL);
		client_say(client, "STARTTLS");
		client_expect(client, SMTP_STAGE_STARTTLS, NULL, 1);
		return SMTP_CLIENT_EV_NONE;
	}
	client->pipelining = client->settings.pipelining &&
	                     (client->caps.set & SMTP_CAP(PIPELINING));
	if (client->settings.credentials != NULL)
		return log_in(client, event);
	return become_ready(client);
}

enum smtp_client_event_type
client_got_starttls(struct smtp_client *client, const struct expected *expected,
                    const struct smtp_reply *reply, struct smtp_client_event *event)
{
	if (reply->code != 220)
		return client_fail(client, event, SMTP_STAGE_STARTTLS,
		            SMTP_PROBLEM_REFUSED, reply);
	/* CVE-2011-0411: what came in the clear must not count inside. */
	if (client->input.len > 0)
		return client_fail(client, event, SMTP_STAGE_STARTTLS,
		            SMTP_PROBLEM_INJECTION, NULL);
	return SMTP_CLIENT_EV_STARTTLS;
}

void smtp_client_tls_established(struct smtp_client *client)
{
	client->tls = true;
	memset(&client->caps, 0, sizeof client->caps);
	say_ehlo(client);
}

static enum smtp_client_event_type
got_challenge(struct smtp_client *client, const struct smtp_reply *reply,
              struct smtp_client_event *event)
{
	struct buf challenge = BUF_INIT(16 * 1024);

	if (client->auth_rounds == AUTH_CANCELLED)
		return client_fail(client, event, SMTP_STAGE_AUTH,
		            SMTP_PROBLEM_UNEXPECTED, reply);
	/* Some servers put prose where base64 belongs: an empty challenge
	 * then, which PLAIN and LOGIN do not look at anyway. */
	base64_decode(&challenge, text_trim(reply->text));
	client_expect(client, SMTP_STAGE_AUTH, NULL, 1);
	if (client->auth_rounds >= AUTH_ROUNDS_MAX ||
	    !say_response(client, "", buf_text(&challenge))) {
		client_say(client, "*");
		client->auth_rounds = AUTH_CANCELLED;
	} else {
		client_trace(client, SMTP_SIDE_CLIENT, text_of("(masked)"));
	}
	buf_free(&challenge);
	return SMTP_CLIENT_EV_NONE;
}

enum smtp_client_event_type
client_got_auth(struct smtp_client *client, const struct expected *expected,
                const struct smtp_reply *reply, struct smtp_client_event *event)
{
	if (reply->code == 334)
		return got_challenge(client, reply, event);
	if (reply->code / 100 != 2)
		return client_fail(client, event, SMTP_STAGE_AUTH,
		            SMTP_PROBLEM_REFUSED, reply);
	return become_ready(client);
}

