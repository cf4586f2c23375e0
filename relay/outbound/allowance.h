/*
 * allowance -- what each mailbox at a provider may still send: its budget, kept
 * on disk, so that neither a restart nor a crash makes it more.
 *
 * A budget belongs to what the provider counts.  Accounts whose user name is an
 * address and that log in with it at the same host are one mailbox, whatever
 * they are called: they share a budget, the smallest of their limits holds for
 * all of them, and one that is renamed keeps what it has used.  Where the user
 * name is none, or a word such as "apikey" or a token, the account's name
 * tells: it begins anew under another one.
 *
 * The pool, before it sends a message:
 *
 *     switch (allowance_take(allowance, recipients, false, &ticket, &wait)) {
 *     case ALLOWANCE_GO:        send it; then ticket_spend(&ticket), or
 *                               ticket_give_back(&ticket) if MAIL was not sent
 *     case ALLOWANCE_WAIT:      not for wait.ms, by wait.limit
 *     case ALLOWANCE_RESERVING: the disk is being told; on_reserved() of those
 *                               who watch is called, then ask again
 *     }
 *
 * An account without limits never waits for the disk and writes nothing.
 *
 *     allowances_new()           after the store
 *     allowances_review()        after each reload
 *     allowances_stop()          when no delivery is left, before store_close()
 *     allowances_free()          after it
 */
#ifndef RELAY_OUTBOUND_ALLOWANCE_H
#define RELAY_OUTBOUND_ALLOWANCE_H

#include <sys/queue.h>
#include "relay/policy/budget.h"
#include "relay/services.h"

struct account_config;
struct allowances;
struct allowance;

struct allowances *allowances_new(struct services *services);
void allowances_stop(struct allowances *allowances);
void allowances_free(struct allowances **allowances);
/* The limits of services->config hold from now on. */
void allowances_review(struct allowances *allowances);

/* Of an account in the configuration in force when it was last reviewed; lives
 * as long as the allowances do. */
struct allowance *allowance_of(struct allowances *allowances,
                               const struct account_config *account);
/* For budget_view(), budget_slow_down(), budget_connections() and how many
 * recipients are left; not to be taken from. */
struct budget *allowance_budget(struct allowance *allowance);

/* One message on its way.  Zero bytes: none. */
struct ticket {
	struct allowance *allowance;
	struct row *row;       /* of the store; NULL: there are no limits */
	size_t recipients;
};

enum allowance_answer { ALLOWANCE_GO, ALLOWANCE_WAIT, ALLOWANCE_RESERVING };

struct allowance_wait {
	uint64_t ms;
	enum budget_limit limit; /* BUDGET_LIMITS: the disk refuses */
};

/* regardless: the limit, but not the disk (throttle_patience is over). */
enum allowance_answer allowance_take(struct allowance *allowance,
                                     size_t recipients, bool regardless,
                                     struct ticket *ticket_r,
                                     struct allowance_wait *wait_r);
/* Its outcome is known, whatever it is; the ticket is none then. */
void ticket_spend(struct ticket *ticket);
void ticket_give_back(struct ticket *ticket);

/* Told when a reservation is on disk, or could not be; and soon after a ticket
 * was given back, for which another account may wait. */
struct allowance_watch {
	void (*on_reserved)(void *ctx);
	void *ctx;
	TAILQ_ENTRY(allowance_watch) link;
};
void allowance_watch(struct allowance *allowance,
                     struct allowance_watch *watch);
void allowance_unwatch(struct allowance *allowance,
                       struct allowance_watch *watch);

#endif
