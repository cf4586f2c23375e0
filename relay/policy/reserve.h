/*
 * reserve -- what of a budget is set aside on disk before it is sent, so that
 * a crash forgets nothing.
 *
 * A lease is a row of the store: so many messages and recipients that may be
 * sent within a minute.  Whatever is sent is sent under one that is durable.
 * When nothing can be sent under it any longer its row is brought down to what
 * was really sent; one that a crash left behind counts whole, since its last
 * message may have been sent a moment before.  So a crash costs a hundredth of
 * a day's budget at most, or what was left of a minute's, and never exceeds it;
 * and a write is needed about once a minute, not once a message.
 *
 * Pure: time (monotonic milliseconds) is an argument.
 */
#ifndef RELAY_POLICY_RESERVE_H
#define RELAY_POLICY_RESERVE_H

#include "relay/policy/budget.h"

enum { LEASE_MS = 60000 };

struct lease {
	size_t messages, recipients;             /* set aside */
	size_t taken_messages, taken_recipients; /* sent, or on the way */
	size_t under_way;                        /* messages */
	uint64_t until_ms;                       /* no more is sent then */
	uint64_t spent_at;                       /* the last one's end */
};

/* A lease for a message to so many recipients and for what may follow it: a
 * hundredth of what a day has, or all that a minute has, if there is so much
 * left.  It holds at least the one message. */
struct lease lease_for(struct budget *budget, size_t recipients,
                       uint64_t now_ms);
/* Does it hold one more such message, as far as there are limits? */
bool lease_covers(const struct lease *lease, const struct budget *budget,
                  size_t recipients, uint64_t now_ms);
/* Nothing can be sent under it any longer, or nothing is on its way and the
 * next message needs another. */
bool lease_is_over(const struct lease *lease, uint64_t now_ms);

void lease_take(struct lease *lease, size_t recipients);
void lease_spend(struct lease *lease, uint64_t now_ms);
void lease_give_back(struct lease *lease, size_t recipients);

#endif
