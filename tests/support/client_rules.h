/*
 * client_rules -- what smtp_client.h promises about the order of events,
 * checked event by event.
 *
 * Each function returns NULL, or the rule that was broken.
 */
#ifndef TESTS_SUPPORT_CLIENT_RULES_H
#define TESTS_SUPPORT_CLIENT_RULES_H

#include "proto/smtp_client.h"

struct client_rules_transaction {
	const struct smtp_transaction *transaction; /* NULL: none */
	size_t answered;      /* recipients, in their order */
	size_t accepted;
	bool body;            /* asked for */
};

struct client_rules {
	enum smtp_tls_policy tls;
	bool is_secure;       /* what is sent now is under TLS, or may go clear */
	bool asked_tls, ready, over;
	struct client_rules_transaction open[2]; /* the older first */
};

void client_rules_init(struct client_rules *rules, enum smtp_tls_policy tls);

const char *client_rules_begin(struct client_rules *rules,
                               const struct smtp_transaction *transaction);
void client_rules_tls_established(struct client_rules *rules);
const char *client_rules_event(struct client_rules *rules,
                               const struct smtp_client_event *event);
/* One taking of output: before TLS, lines of EHLO and STARTTLS alone. */
const char *client_rules_output(const struct client_rules *rules,
                                struct text bytes);

#endif
