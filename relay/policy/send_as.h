/*
 * send_as -- as whom an account may send, and what to do with other senders.
 *
 * Providers compare the envelope's reverse-path or the From field with the
 * account, and refuse (Microsoft 365 550 5.7.60, iCloud 550 5.7.0) or replace
 * silently (Gmail).  So both are settled here, before the provider sees them.
 * Under sender_policy = rewrite From decides: one that `senders` covers stays,
 * and goes into the envelope as well where the reverse-path may not; any other
 * becomes the account's identity, and the envelope with it.  Without From a
 * reverse-path that is covered becomes From.  The null reverse-path of a device
 * is no exception: submission servers do not take it.
 *
 * Pure: configuration and addresses in, a decision out.
 */
#ifndef RELAY_POLICY_SEND_AS_H
#define RELAY_POLICY_SEND_AS_H

#include "relay/config/config.h"

enum send_as_verdict { SEND_AS_OK, SEND_AS_REJECTED };

struct send_as {
	enum send_as_verdict verdict;
	const char *reverse_path; /* for MAIL FROM */
	const char *from;         /* for the From field; NULL: it stays */
	const char *reason;       /* why, in a few words, for log and check */
};

/* The address an account sends by itself: the user name if it is one, else the
 * first plain address in `senders`; NULL if there is neither. */
const char *account_identity(const struct account_config *account);

/* Does `senders` (or the user name) cover the address? */
bool account_may_send_as(const struct account_config *account,
                         const char *address);

/* reverse_path: "" for the null path.  header_from: the address in From, NULL
 * when there is none, or when it is not known yet (at MAIL).  Pointers in the
 * decision are into the arguments. */
struct send_as send_as_decide(const struct account_config *account,
                              const char *reverse_path,
                              const char *header_from);

#endif
