/*
 * refused -- the senders that a provider has refused an account (Send As).
 *
 * Providers count such refusals and then block the mailbox (Microsoft 550
 * 5.2.252), so one is enough: the pair of account and sender is remembered, on
 * disk too, and the account sends as itself in its place until what decides
 * such things in its configuration (host, username, senders, sender_policy) is
 * another.
 *
 * Addresses are compared without regard to case.  Bounded: beyond
 * STORE_REFUSED_MAX pairs the oldest is forgotten.
 */
#ifndef RELAY_OUTBOUND_REFUSED_H
#define RELAY_OUTBOUND_REFUSED_H

#include "relay/config/config.h"
#include "relay/services.h"

struct refused;

/* With what the store knew when it was opened. */
struct refused *refused_new(struct services *services);
void refused_free(struct refused **refused);

/* services->config was replaced: what was learnt under another configuration
 * of an account is forgotten. */
void refused_review(struct refused *refused);
bool refused_knows(const struct refused *refused,
                   const struct account_config *account, const char *sender);
/* The provider has just refused this sender: remember it and say so in the
 * log, unless it is known, or the account is configured otherwise by now.
 * The store has it before any outcome that is given to the queue later. */
void refused_learn(struct refused *refused,
                   const struct account_config *account, const char *sender,
                   const char *reply);
/* Everything that was learnt of that account: it may be tried again. */
void refused_forget_account(struct refused *refused, const char *account);
/* Save again what the disk refused; called when the store is well again. */
void refused_save_again(struct refused *refused);

#endif
