#include "proto/sasl.h"

/* Servers word their prompts as they like; only the order counts. */
static enum sasl_result login_respond(
	unsigned step, const struct sasl_credentials *credentials,
	struct text challenge, struct buf *response)
{
	const char *const answers[] = { credentials->username,
					credentials->secret };

	(void)challenge;
	if (step > 1 || !buf_puts(response, answers[step]))
		return SASL_FAILED;
	return SASL_RESPOND;
}

const struct sasl_mechanism sasl_login = {
	.name = "LOGIN",
	.respond = login_respond,
};
