#include "proto/sasl.h"

/* RFC 4616 2:  message = [authzid] UTF8NUL authcid UTF8NUL passwd */
static enum sasl_result plain_respond(
	unsigned step, const struct sasl_credentials *credentials,
	struct text challenge, struct buf *response)
{
	(void)challenge;
	if (step > 0 || !buf_putc(response, '\0') ||
	    !buf_puts(response, credentials->username) ||
	    !buf_putc(response, '\0') ||
	    !buf_puts(response, credentials->secret))
		return SASL_FAILED;
	return SASL_RESPOND;
}

const struct sasl_mechanism sasl_plain = {
	.name = "PLAIN",
	.client_first = true,
	.respond = plain_respond,
};
