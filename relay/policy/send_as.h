/*
 * send_as -- as whom a message goes out.
 *
 * Providers compare the envelope's reverse-path or the From field with the
 * account, and refuse (Microsoft 365 550 5.7.60, iCloud 550 5.7.0) or replace
 * silently (Gmail).  So both are settled here, before the provider sees them,
 * by the first of these that applies:
 *
 *   as_itself   the provider has refused this sender before: the account's
 *               identity, in envelope and From
 *   send_as     the rule's address (and name), in envelope and From
 *   on_behalf   From stays, Sender and envelope are the account's identity
 *   the policy  of the account.  `rewrite`: From decides.  One that `senders`
 *               covers stays, and goes into the envelope as well where the
 *               reverse-path may not; any other becomes the identity, and the
 *               envelope with it.  Without From a reverse-path that is covered
 *               becomes From.  `reject` refuses what is not covered, `pass`
 *               lets everything through.
 *
 * Addresses without a domain are completed by the rule's add_domain first.
 * The null reverse-path of a device is no exception, unless the preset says
 * that the provider takes it: other submission servers do not.
 *
 * Pure: configuration and addresses in, a decision out.
 */
#ifndef RELAY_POLICY_SEND_AS_H
#define RELAY_POLICY_SEND_AS_H

#include "relay/config/config.h"

/* The address an account sends by itself: the user name if it is one, else the
 * first plain address in `senders`; NULL if there is neither. */
const char *account_identity(const struct account_config *account);

/* Does `senders` (or the user name) cover the address? */
bool account_may_send_as(const struct account_config *account,
                         const char *address);

struct send_as_query {
	const struct account_config *account;
	const struct rule_config *rule; /* NULL: none matched */
	const char *reverse_path;       /* "" for the null path */
	const char *header_from;        /* the address in From; NULL: none, or
	                                   not known yet (at MAIL) */
	bool as_itself;
};

enum send_as_verdict { SEND_AS_OK, SEND_AS_REJECTED };

/* The strings are the decision's, but for the reason. */
struct send_as {
	enum send_as_verdict verdict;
	char *reverse_path;      /* for MAIL FROM */
	char *from;              /* for the From field; NULL: it stays */
	char *from_name;         /* its display name; NULL: the device's */
	char *sender;            /* for the Sender field; NULL: none of ours */
	char *identity;          /* the account's, for rewrite.h; NULL: none */
	bool any_sender;         /* a Sender of the device's may stay */
	bool any_from;           /* and so may whoever else stands in From */
	struct reply_to_value reply_to;
	const char *reason;      /* why, in a few words, for log and check */
	char *warning;           /* what the provider will do about it, by its
	                            preset; NULL: nothing */
};

void send_as_decide(const struct send_as_query *query, struct send_as *out);
void send_as_free(struct send_as *decision);

#endif
