/*
 * sender -- as whom a queued message goes out through an account: what
 * policy/send_as.h says of its rule in the configuration in force, and of what
 * the provider has refused before.
 *
 * The account may be one that takes the place of the message's own (failover).
 * What its rule lets the own account send as, that one sends only if its
 * `senders` cover it, too.  A notice goes out as the account itself, whichever it
 * is, unless that lets everything pass.
 */
#ifndef RELAY_OUTBOUND_SENDER_H
#define RELAY_OUTBOUND_SENDER_H

#include "relay/outbound/refused.h"
#include "relay/policy/send_as.h"
#include "relay/queue/envelope.h"

void sender_decide(const struct config *config, const struct refused *refused,
                   const struct account_config *account,
                   const struct envelope *envelope, struct send_as *out);
/* The address in From as it goes out; NULL: none is known. */
const char *sender_from(const struct send_as *sender,
                        const struct envelope *envelope);

#endif
