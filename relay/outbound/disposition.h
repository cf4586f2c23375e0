/*
 * disposition -- what a failure means: the only file that decides.
 *
 * Protocol code reports, the catalogue knows the words (report/catalogue.h),
 * this file judges: is it the recipient, the message, the account or the
 * network; is it for good or for now.  Each verdict carries the words for the
 * log: a reason id, what happened, why, and what to do.
 *
 *   RETRY    this message, later               (4xx, lost connections)
 *   REWRITE  this message, once more at once, as the account itself: the
 *            provider refuses the sender        (Send As)
 *   FAIL     these recipients, for good        (5xx to MAIL, RCPT, DATA)
 *   PAUSE    the account: its login is refused, or a setting is wrong; one
 *            probe now and then, no mail is lost
 *   WAIT     the account: its provider cannot be reached or used; the retry
 *            schedule sets the probes
 *   REST     the account: too fast, or a quota is used up; after wait_ms it
 *            goes on by itself
 *
 * The catalogue's disposition is bent where it could lose mail.  A 4xx fails
 * nothing unless its entry names that very code.  Before a login has succeeded
 * nothing fails a message: whatever is said then is about the account.  What
 * breaks a connection that has served is no wrong setting, but for now.
 */
#ifndef RELAY_OUTBOUND_DISPOSITION_H
#define RELAY_OUTBOUND_DISPOSITION_H

#include "relay/outbound/upstream.h"

enum disposition_action {
	DISPOSITION_DONE, DISPOSITION_RETRY, DISPOSITION_REWRITE,
	DISPOSITION_FAIL,
	DISPOSITION_PAUSE, DISPOSITION_WAIT, DISPOSITION_REST
};

/* Strings live as long as config->catalogue; all are NULL with DONE. */
struct disposition {
	enum disposition_action action;
	const char *reason;      /* the catalogue's id */
	const char *title, *explanation;
	const char *fix;         /* catalogue_fill_fix() fills it in */
	int64_t wait_ms;         /* of REST; of RETRY: not before, 0: as the
	                            schedule has it.  The provider's own words
	                            go before the catalogue's
	                            (policy/announced.h) */
};

/* A reply at a stage of a mail transaction; problem: as the client told it. */
struct disposition disposition_of_reply(const struct config *config,
                                        const struct account_config *account,
                                        enum smtp_stage stage,
                                        enum smtp_problem problem,
                                        const struct smtp_reply *reply);
/* The same where that is REWRITE and it is no way out.  own: the sender was the
 * account itself already, so that all its mail will be refused: the account
 * pauses.  Else (the words blame the recipient, or the account has no address
 * of its own) the message fails. */
struct disposition disposition_of_refusal(const struct config *config,
                                          const struct account_config *account,
                                          enum smtp_stage stage,
                                          const struct smtp_reply *reply,
                                          bool own);
struct disposition
disposition_of_failure(const struct config *config,
                       const struct account_config *account,
                       const struct upstream_failure *failure);

/* Is it about the account, whatever the message? */
bool disposition_is_of_account(const struct disposition *disposition);

/* Verdicts that no reply brings. */
struct disposition disposition_of_expiry(const struct config *config);
struct disposition disposition_of_damage(const struct config *config);
                                         /* of the stored body */
struct disposition disposition_of_unreadable(const struct config *config);
                                         /* now, maybe not later */
struct disposition disposition_of_sender(const struct config *config);
                                         /* may not send as it */
struct disposition disposition_of_pace(const struct config *config);
                                         /* the account's budget is used */

/* A copy that outlives the configuration, its fix filled in for this account
 * and sender (NULL: not known); what was in *copy before, a copy or zero bytes,
 * is freed. */
void disposition_keep(struct disposition *copy,
                      const struct disposition *disposition,
                      const char *username, const char *address);
void disposition_forget(struct disposition *copy);

#endif
