/*
 * notices -- tells people of what failed: messages that could not be delivered,
 * in words and for programs (RFC 3464), and accounts that are paused.
 *
 * A failure is written down as due in the very outcome that makes it one
 * (outcome->notice), and the notice is stored in the transaction that marks it
 * told (queue/store_notice.h): whatever dies in between, it is told once.  At
 * start, and whenever an outcome is saved, notices_kick() goes on where things
 * stand: look in the store, decide (notice_pace.h), read the header of what
 * failed, write (notice_mail.h), store, hand it to the queue, look again.  One
 * notice is under way at a time, and while the pace allows none nothing is
 * looked up, however much fails.
 *
 * Who is told: notice_audience.h.  Never anybody about a notice.  A notice goes
 * by the account of what it tells of, and by another one while that cannot work.
 */
#ifndef RELAY_NOTICES_NOTICES_H
#define RELAY_NOTICES_NOTICES_H

#include "relay/notices/notice_text.h"
#include "relay/services.h"

struct notices;

struct notices_means {
	int64_t (*now_ms)(void);   /* the wall clock */
	/* Which account is to carry news about this one: itself if it works,
	 * else one that does; NULL: none does. */
	const char *(*carrier)(void *ctx, const char *account);
	void *ctx;
};

struct notices *notices_new(struct services *services,
                            const struct notices_means *means);
/* After the store was closed. */
void notices_free(struct notices **notices);

/* Something may be due: at start, when a failure was saved, after a reload. */
void notices_kick(struct notices *notices);

/* To the postmaster, if there is one and an account to send it by (alarm->by is
 * found here).  notices NULL: nothing happens. */
void notices_account_paused(struct notices *notices,
                            const struct account_alarm *alarm);
/* Told only after a pause of more than an hour. */
void notices_account_resumed(struct notices *notices,
                             const struct account_alarm *alarm);

#endif
