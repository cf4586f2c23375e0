/*
 * budget -- how much an account may still send: messages a minute, messages
 * and recipients a day, and the pace that a throttling provider has taught.
 *
 * What is sent counts for a whole minute, and a whole day of 24 hours, since
 * its END: the provider counts it at some time between our first octet and its
 * last reply, and only so is there no span of a minute or a day, wherever it
 * begins, in which it counts more than the limit.
 *
 *     wait = budget_wait(budget, recipients, now, &limit)
 *     if (wait == 0) {
 *             budget_take(budget, recipients);        before MAIL
 *             ...
 *             budget_spend(budget, recipients, now);  its outcome is known
 *     or      budget_give_back(budget, recipients);   MAIL was never sent
 *     }
 *
 * Ask for the message whose turn it is and for no other while that one waits:
 * small ones that slip by would starve a large one.
 *
 * Everything is counted, with a limit or without, so that a reload may set one.
 * Pure: time (monotonic milliseconds) is an argument.  12 KB an account.
 */
#ifndef RELAY_POLICY_BUDGET_H
#define RELAY_POLICY_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 0: no limit. */
struct budget_limits {
	unsigned messages_per_minute, messages_per_day, recipients_per_day;
};

#define BUDGET_LIMIT_MAP(X)                                  \
	/*  limit              key                     words */ \
	X(MESSAGES_PER_MINUTE, "messages_per_minute",           \
	  "messages a minute")                                  \
	X(MESSAGES_PER_DAY,    "messages_per_day",              \
	  "messages a day")                                     \
	X(RECIPIENTS_PER_DAY,  "recipients_per_day",            \
	  "recipients a day")

enum budget_limit {
#define X(name, key, words) BUDGET_##name,
	BUDGET_LIMIT_MAP(X)
#undef X
	BUDGET_LIMITS          /* none of them */
};

const char *budget_limit_key(enum budget_limit limit);   /* for programs */
const char *budget_limit_words(enum budget_limit limit); /* for people */

struct budget;
struct budget *budget_new(const struct budget_limits *limits);
void budget_free(struct budget **budget);
/* A reload: what was sent stays counted. */
void budget_set_limits(struct budget *budget,
                       const struct budget_limits *limits);
const struct budget_limits *budget_limits(const struct budget *budget);
/* Is there any, so that what is sent must be remembered? */
bool budget_is_limited(const struct budget *budget);

/* 0: one message to so many recipients may go now.  Else in how many ms it
 * may, if nothing else is sent, what is on its way ends now, and a pace stays;
 * and which limit is in its way (limit_r may be NULL).  More recipients than a
 * day has wait for a whole day's. */
uint64_t budget_wait(struct budget *budget, size_t recipients, uint64_t now_ms,
                     enum budget_limit *limit_r);
/* How many messages, and recipients of them, may go now; SIZE_MAX: no limit. */
size_t budget_messages_left(struct budget *budget, uint64_t now_ms);
size_t budget_recipients_left(struct budget *budget, uint64_t now_ms);

/* May be called against budget_wait(), which then takes it into account. */
void budget_take(struct budget *budget, size_t recipients);
void budget_spend(struct budget *budget, size_t recipients, uint64_t now_ms);
void budget_give_back(struct budget *budget, size_t recipients);
/* What was sent before a restart, so long ago. */
void budget_restore(struct budget *budget, size_t messages, size_t recipients,
                    uint64_t age_ms, uint64_t now_ms);

/* The provider throttles: pace.h. */
void budget_slow_down(struct budget *budget, uint64_t now_ms);
unsigned budget_connections(const struct budget *budget, unsigned configured,
                            uint64_t now_ms);

/* For status, API and log. */
struct budget_view {
	enum budget_limit limit;
	unsigned allowed;      /* as it is now, slowed or not; 0: no limit */
	uint64_t used, left;   /* used: with what is on its way */
	uint64_t refill_ms;    /* until there is more again; 0: all is there */
	uint64_t whole_ms;     /* until all is there again */
	bool slow;             /* allowed is what the provider has taught ... */
	uint64_t faster_ms;    /* ... and doubles in so many ms */
};
void budget_view(struct budget *budget, enum budget_limit limit,
                 uint64_t now_ms, struct budget_view *view_r);

#endif
