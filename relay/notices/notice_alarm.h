/*
 * notice_alarm -- news of accounts that wait to be written: one an account, the
 * latest, in the order in which they came.
 *
 * A pause that is over before it was told of is not told of, and neither is its
 * end.
 */
#ifndef RELAY_NOTICES_NOTICE_ALARM_H
#define RELAY_NOTICES_NOTICE_ALARM_H

#include "relay/notices/notice_text.h"

enum { NOTICE_RESUMED_AFTER_MS = 60 * 60 * 1000 };

struct notice_alarm {
	struct account_alarm facts; /* its strings are ours */
	bool is_resumed;
	struct notice_alarm *next;
};

void notice_alarm_add(struct notice_alarm **list,
                      const struct account_alarm *facts, bool is_resumed);
/* The first, for the caller to free; NULL: none waits. */
struct notice_alarm *notice_alarm_take(struct notice_alarm **list);
/* To be taken again, unless there is newer news of the account. */
void notice_alarm_put_back(struct notice_alarm **list,
                           struct notice_alarm **alarm);
void notice_alarm_free(struct notice_alarm **alarm);

#endif
