/*
 * notice_pace -- how many notices: one for each message that failed, at most
 * NOTICES_AN_HOUR in any hour; what is more is gathered, and a digest tells of
 * all of it, once an hour at most.
 *
 * Gathering begins when more are due than may be told one by one; a few minutes
 * later they are a digest, so that a flood is known early and costs little.
 * Where each sender is told by himself there is a digest for each, and these
 * count like any notice.
 *
 * Pure: what the store knows and the time in, a step out.
 */
#ifndef RELAY_NOTICES_NOTICE_PACE_H
#define RELAY_NOTICES_NOTICE_PACE_H

#include "relay/queue/store_notice.h"

enum {
	NOTICES_AN_HOUR = 20,
	NOTICE_HOUR_MS = 60 * 60 * 1000,
	NOTICE_GATHER_MS = 5 * 60 * 1000,
};

enum notice_action {
	NOTICE_REST,      /* until then, or until something is due */
	NOTICE_SINGLE,    /* the next one by itself */
	NOTICE_DIGEST,    /* all that is due */
};

struct notice_step {
	enum notice_action action;
	int64_t until_ms; /* of a rest; 0: nothing is due */
};

struct notice_step notice_pace(const struct notice_news *news,
                               bool for_each_sender, int64_t now_ms);
/* How many may be made now, of those that count. */
size_t notice_pace_left(const struct notice_news *news);
/* When that grows; 0: it does not. */
int64_t notice_pace_more_ms(const struct notice_news *news);

#endif
