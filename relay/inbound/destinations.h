/*
 * destinations -- the recipients of a transaction, on their way from what the
 * device said to the messages they become.
 *
 *     add... -> settle -> divide
 *
 * Each recipient has the rule that is for it (policy/router.h), its address as
 * the rule has it, and its account.  A rule that asks for the From field is
 * known only when the header has been read: until then a destination is open,
 * and settle() decides it.  divide() makes one envelope of those with the same
 * rule; a transaction whose recipients all have the same is one message, as
 * nearly every one is.
 *
 * Refusals name what the device or the administrator can change; their words
 * are static and last for this turn.
 */
#ifndef RELAY_INBOUND_DESTINATIONS_H
#define RELAY_INBOUND_DESTINATIONS_H

#include "proto/smtp_path.h"
#include "proto/smtp_reply.h"
#include "relay/policy/router.h"
#include "relay/queue/envelope.h"

struct destination {
	char *given;                          /* as the device said it */
	char *address;                        /* as the rule has it */
	const struct rule_config *rule;       /* NULL: none matched */
	const struct account_config *account; /* NULL while open */
};

struct destinations {
	const struct config *config;
	struct route_query query;  /* all but `to`; kept up to date by the owner */
	struct destination *list;
	size_t n;
	bool completed;            /* a domain was added to one of them */
};

void destinations_init(struct destinations *destinations,
                       const struct config *config,
                       const struct route_query *query);
void destinations_free(struct destinations *destinations);

bool destinations_add(struct destinations *destinations,
                      const struct smtp_path *path,
                      struct smtp_reply *refusal_r);
/* The header is known (query says so): decide what was open.  False when one
 * of them cannot be accepted, and the message with it. */
bool destinations_settle(struct destinations *destinations,
                         struct smtp_reply *refusal_r);

/* How many messages it will be: one for each rule. */
size_t destinations_parts(const struct destinations *destinations);
/* One envelope for each rule, with its account, recipients and bcc.  draft
 * becomes the first; the others are its siblings with ids of their own. */
struct envelope **destinations_divide(const struct destinations *destinations,
                                      struct envelope **draft, size_t *n_r);

#endif
