/*
 * disposition -- what a failure means: the only file that decides.
 *
 * Protocol code reports, this file judges: is it the recipient, the message,
 * the account or the network; is it for good or for now.  Each verdict carries
 * the words for the log: a reason id, what happened, and what to do.
 *
 *   RETRY    this message, later               (4xx, lost connections)
 *   REWRITE  this message, once more at once, as the account itself: the
 *            provider refuses the sender        (Send As)
 *   FAIL     these recipients, for good        (5xx to MAIL, RCPT, DATA)
 *   PAUSE    the account: its login is refused (5xx to AUTH); one probe now
 *            and then, no mail is lost
 *   WAIT     the account: its provider cannot be reached or used; the retry
 *            schedule sets the probes
 */
#ifndef RELAY_OUTBOUND_DISPOSITION_H
#define RELAY_OUTBOUND_DISPOSITION_H

#include "relay/outbound/upstream.h"

enum disposition_action {
	DISPOSITION_DONE, DISPOSITION_RETRY, DISPOSITION_REWRITE,
	DISPOSITION_FAIL,
	DISPOSITION_PAUSE, DISPOSITION_WAIT
};

/* Strings are static. */
struct disposition {
	enum disposition_action action;
	const char *reason, *explanation, *fix;
};

/* A reply at a stage of a mail transaction; problem: as the client told it. */
struct disposition disposition_of_reply(enum smtp_stage stage,
                                        enum smtp_problem problem,
                                        const struct smtp_reply *reply);
/* The same where REWRITE is no way out: the sender was the account itself. */
struct disposition disposition_of_refusal(enum smtp_stage stage,
                                          enum smtp_problem problem,
                                          const struct smtp_reply *reply);
struct disposition disposition_of_failure(const struct upstream_failure *failure);

/* Is it about the account, whatever the message? */
bool disposition_is_of_account(const struct disposition *disposition);

/* Verdicts that no reply brings. */
struct disposition disposition_of_expiry(void);
struct disposition disposition_of_damage(void);   /* the stored body */
struct disposition disposition_of_unreadable(void); /* now, maybe not later */
struct disposition disposition_of_sender(void);   /* may not send as it */

#endif
