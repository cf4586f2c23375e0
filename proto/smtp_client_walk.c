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

/* ---- echoes ---- */

enum { DISGUISES = 3, SECRET_MIN = 3 };

/* Padding may be missing in an echo, so it is no part of a disguise. */
static void encode_unpadded(struct buf *out, struct text in)
{
	base64_encode(out, in);
	while (out->end > out->start && out->data[out->end - 1] == '=')
		out->end--;
}

/* The password as it is, as LOGIN sends it, and as PLAIN does. */
static void disguise(const struct sasl_credentials *who,
                     struct buf disguises[DISGUISES])
{
	struct buf plain = BUF_INIT(16 * 1024);

	for (int i = 0; i < DISGUISES; i++)
		buf_init(&disguises[i], 32 * 1024);
	buf_puts(&disguises[0], who->secret);
	encode_unpadded(&disguises[1], buf_text(&disguises[0]));
	buf_putc(&plain, '\0');
	buf_puts(&plain, who->username);
	buf_putc(&plain, '\0');
	buf_puts(&plain, who->secret);
	encode_unpadded(&disguises[2], buf_text(&plain));
	buf_wipe(&plain);
}

/* How many octets of a secret stand at the beginning of said. */
static size_t secret_at(const struct buf disguises[DISGUISES],
                        struct text said)
{
	for (int i = DISGUISES - 1; i >= 0; i--) {
		struct text secret = buf_text(&disguises[i]);
		size_t len = secret.len;

		if (len < SECRET_MIN || said.len < len ||
		    memcmp(said.data, secret.data, len) != 0)
			continue;
		while (i > 0 && len < said.len && said.data[len] == '=')
			len++;
		return len;
	}
	return 0;
}

bool client_has_secret(const struct smtp_client *client)
{
	const struct sasl_credentials *who = client->settings.credentials;

	return who != NULL && who->secret[0] != '\0';
}

void client_mask_secrets(const struct smtp_client *client, struct buf *out,
                         struct text said)
{
	struct buf disguises[DISGUISES];
	size_t len;

	if (!client_has_secret(client)) {
		buf_text_append(out, said);
		return;
	}
	disguise(client->settings.credentials, disguises);
	while (said.len > 0) {
		len = secret_at(disguises, said);
		if (len > 0)
			buf_puts(out, "(masked)");
		else
			buf_putc(out, said.data[0]);
		said = text_skip(said, len > 0 ? len : 1);
	}
	for (int i = 0; i < DISGUISES; i++)
		buf_wipe(&disguises[i]);
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

