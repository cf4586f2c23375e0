/*
 * notice_text -- what a notice says to people.
 *
 * Which message, what happened and why, what mends it, the provider's words,
 * until when the message can still be sent and by which command.  The words
 * about failures are the catalogue's; all that came from outside is one bounded
 * line each (proto/plain.h).
 *
 * Pure: facts in, UTF-8 in lines of '\n' out, wrapped where it is ours.
 */
#ifndef RELAY_NOTICES_NOTICE_TEXT_H
#define RELAY_NOTICES_NOTICE_TEXT_H

#include "relay/config/config.h"
#include "relay/queue/store_notice.h"

/* An account that sends nothing, or does so again.  Strings may be NULL where
 * nothing is known. */
struct account_alarm {
	const char *account;      /* its name */
	const char *reason, *title, *explanation, *fix;
	const char *reply;        /* the provider's words */
	int64_t since_ms;         /* when it was paused */
	size_t waiting;           /* messages that are for it */
	int64_t expires_ms;       /* when the first of them fails; 0: none
	                             waits */
	const char *by;           /* the account that carries the news */
};

enum {
	NOTICE_TEXT_MAX = 256 * 1024,
	NOTICE_DIGEST_LISTED = 50, /* messages that a digest names */
};

/* Was its time over, rather than that somebody refused it for good? */
bool notice_is_expired(const struct config *config,
                       const struct notice_case *one,
                       const struct recipient *recipient);

void notice_text_failure(struct buf *out, const struct config *config,
                         const struct notice_case *one, int offset_minutes);
void notice_text_digest(struct buf *out, const struct config *config,
                        const struct notice_digest *digest, int offset_minutes);
void notice_text_paused(struct buf *out, const struct config *config,
                        const struct account_alarm *alarm, int offset_minutes);
void notice_text_resumed(struct buf *out, const struct config *config,
                         const struct account_alarm *alarm, int64_t now_ms,
                         int offset_minutes);

/* New strings. */
char *notice_subject_failure(const struct notice_case *one);
char *notice_subject_digest(const struct notice_digest *digest);
char *notice_subject_paused(const struct account_alarm *alarm);
char *notice_subject_resumed(const struct account_alarm *alarm);

#endif
