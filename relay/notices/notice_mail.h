/*
 * notice_mail -- a notice as a message: its envelope, and the octets that are
 * stored, ready for the way that all mail takes.
 *
 * It comes from the null reverse-path, as `lanpost` at the address of the
 * account that sends it (outbound/sender.h sees to it where another one does);
 * it is one of ours (is_notice), so that nothing is ever told about it.
 *
 * Pure: time and chance are in the occasion.
 */
#ifndef RELAY_NOTICES_NOTICE_MAIL_H
#define RELAY_NOTICES_NOTICE_MAIL_H

#include "relay/notices/notice_audience.h"
#include "relay/notices/notice_text.h"

struct notice_occasion {
	const struct config *config;
	const char *account;   /* that carries it; NULL: that of the mail */
	int64_t now_ms;
	uint32_t random;
	int offset_minutes;    /* of the local time zone */
};

struct notice_mail {
	struct envelope *envelope;
	struct buf bytes;
};
void notice_mail_free(struct notice_mail *mail);

/* header: of the message told of; empty: it cannot be read. */
void notice_mail_failure(struct notice_mail *mail,
                         const struct notice_occasion *occasion,
                         const struct notice_audience *audience,
                         const struct notice_case *one, struct text header);
void notice_mail_digest(struct notice_mail *mail,
                        const struct notice_occasion *occasion,
                        const struct notice_audience *audience,
                        const struct notice_digest *digest);
/* To the postmaster, by account alarm->by. */
void notice_mail_paused(struct notice_mail *mail,
                        const struct notice_occasion *occasion,
                        const struct account_alarm *alarm);
void notice_mail_resumed(struct notice_mail *mail,
                         const struct notice_occasion *occasion,
                         const struct account_alarm *alarm);

#endif
