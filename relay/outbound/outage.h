/*
 * outage -- an account that cannot work for now: why, since when, until when,
 * and who has been told.
 *
 * Around the breaker (queue/breaker.h) it keeps the words.  What happened is
 * told once for the account, and once more by each probe that fails:
 *
 *     account-paused    its login is refused, or a person holds it
 *     throttled         the provider wants a rest
 *     upstream-failed   the provider cannot be used
 *
 * then once for the account that sends in its place, once for each message that
 * has to wait because of it (deferred), and once before the first of them
 * reaches `expire` (a warning).  The end is account-resumed.
 *
 * Where it begins and where it ends the queue is asked to divert: its messages
 * go by another account meanwhile, if there is one.
 *
 * What must outlive a restart is in the store (store_save_account()).
 */
#ifndef RELAY_OUTBOUND_OUTAGE_H
#define RELAY_OUTBOUND_OUTAGE_H

#include "relay/config/config.h"
#include "relay/outbound/disposition.h"
#include "relay/queue/breaker.h"
#include "relay/queue/store.h"
#include "relay/services.h"

/* What has come. */
struct trouble {
	enum breaker_trouble kind;
	const char *reason, *title, *explanation, *fix;
	const char *reply;          /* the provider's words, or the system's */
	uint64_t wait_ms;           /* as breaker_failure() takes it */
	bool behind_login;          /* a login proves nothing then */
};

struct outage {
	struct services *services;
	const char *account;        /* name; the owner's */
	struct breaker breaker;
	/* of the present or the last outage */
	struct trouble trouble;     /* its strings are the outage's */
	int64_t since_ms;           /* wall clock */
	unsigned number;            /* counts outages; see message_tell_once() */
	bool untold;                /* who waits has not heard of it */
	bool alarmed;               /* alerts_raise() has been called */
	bool warned;                /* of mail that is about to expire */
	char *failover;             /* that was told to send in its place */
};

void outage_init(struct outage *outage, struct services *services,
                 const char *account);
void outage_free(struct outage *outage);

/* Trouble has come, or come again at a probe; that of other connections in the
 * same outage is no news.  account: that was used. */
void outage_begin(struct outage *outage, const struct account_config *account,
                  const struct trouble *trouble, uint64_t now_ms);
/* A person holds the account, whatever else is the matter with it. */
void outage_hold(struct outage *outage, const struct account_config *account);
/* Something was mended: the next probe is due now, and so is what waits. */
void outage_hurry(struct outage *outage, uint64_t now_ms);
/* A probe has succeeded, or a person has ended it: account-resumed, and what
 * waits is ready.  Nothing happens when there was no outage. */
void outage_end(struct outage *outage);

/* As it was before the restart; a login that was refused is tried at once if
 * what decides it has changed since. */
void outage_restore(struct outage *outage, const struct account_config *account,
                    const struct account_record *record, uint64_t now_ms);

bool outage_lasts(const struct outage *outage);
bool outage_is_held(const struct outage *outage);
/* The probe that is due is a message, and not a login alone. */
bool outage_needs_mail(const struct outage *outage);
/* Mail goes by that account meanwhile: said once. */
void outage_tell_failover(struct outage *outage, const char *account);
/* Some came back to wait, and may not have heard of it. */
void outage_untold(struct outage *outage);

/* May connections be opened?  A true that follows an outage is the probe. */
bool outage_is_over(struct outage *outage, uint64_t now_ms);
bool outage_is_probing(const struct outage *outage);
/* Milliseconds to the next probe; BREAKER_NEVER: none comes by itself. */
uint64_t outage_wait(const struct outage *outage, uint64_t now_ms);
/* Tell the messages that are ready and cannot go. */
void outage_tell(struct outage *outage);
/* Now and then while it lasts: warns, once, when the first message that waits
 * is about to expire. */
void outage_watch(struct outage *outage);

/* ---- outage_record.c ---- */

/* Into the store, if it is of a kind that outlives a restart. */
void outage_save(const struct outage *outage,
                 const struct account_config *account);
void outage_forget(const struct outage *outage);
/* Is it of that kind?  A provider that could not be reached is tried at once;
 * if that follows a refused login, the row of the login stays. */
bool outage_is_kept(enum breaker_trouble kind);
/* What the record's reason means, for disposition_forget(); and how long the
 * account has still to wait. */
void outage_record_words(const struct account_record *record,
                         const struct config *config,
                         const struct account_config *account,
                         struct disposition *kept);
uint64_t outage_record_wait(const struct account_record *record);

#endif
