/*
 * server_rules -- what smtp_server.h promises about the order of events,
 * checked event by event and reply by reply.
 *
 * Each function returns NULL, or the rule that was broken.
 */
#ifndef TESTS_SUPPORT_SERVER_RULES_H
#define TESTS_SUPPORT_SERVER_RULES_H

#include "proto/smtp_server.h"

struct server_rules {
	enum smtp_server_event_type open; /* the question; NONE */
	bool in_transaction, in_data;
	unsigned recipients, max_recipients;
	bool connected, closed;
	unsigned greetings;    /* replies that bear no enhanced status: the
	                          greeting, those to EHLO and HELO */
};

void server_rules_init(struct server_rules *rules, unsigned max_recipients);
bool server_rules_is_question(enum smtp_server_event_type type);

const char *server_rules_event(struct server_rules *rules,
                               enum smtp_server_event_type type);
/* Before smtp_server_reply(). */
const char *server_rules_reply(struct server_rules *rules, int code);
/* One taking of output: whole replies, each fit for the wire. */
const char *server_rules_output(struct server_rules *rules, struct text bytes);

#endif
