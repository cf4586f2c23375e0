#include "relay/policy/budget.h"

#include <stdlib.h>
#include "proto/xalloc.h"
#include "relay/policy/pace.h"
#include "relay/policy/window.h"

enum {
	MINUTE_SLOT_MS = 250,
	MINUTE_SLOTS = 60000 / MINUTE_SLOT_MS,
	DAY_SLOT_MS = 60000,
	DAY_SLOTS = 86400000 / DAY_SLOT_MS
};

struct budget {
	struct budget_limits limits;
	struct window sent[BUDGET_LIMITS];
	size_t messages, recipients; /* on their way */
	struct pace pace;
};

static const struct {
	const char *key, *words;
} names[] = {
#define X(name, key, words) [BUDGET_##name] = { key, words },
	BUDGET_LIMIT_MAP(X)
#undef X
};

const char *budget_limit_key(enum budget_limit limit)
{
	return names[limit].key;
}

const char *budget_limit_words(enum budget_limit limit)
{
	return names[limit].words;
}

struct budget *budget_new(const struct budget_limits *limits)
{
	struct budget *budget = xcalloc(1, sizeof(*budget));

	budget->limits = *limits;
	for (unsigned i = 0; i < BUDGET_LIMITS; i++) {
		if (i == BUDGET_MESSAGES_PER_MINUTE)
			window_init(&budget->sent[i], MINUTE_SLOT_MS,
				    MINUTE_SLOTS);
		else
			window_init(&budget->sent[i], DAY_SLOT_MS, DAY_SLOTS);
	}
	return budget;
}

void budget_free(struct budget **budget)
{
	if (!*budget)
		return;
	for (unsigned i = 0; i < BUDGET_LIMITS; i++)
		window_clear(&(*budget)->sent[i]);
	free(*budget);
	*budget = NULL;
}

void budget_set_limits(struct budget *budget,
		       const struct budget_limits *limits)
{
	budget->limits = *limits;
}

const struct budget_limits *budget_limits(const struct budget *budget)
{
	return &budget->limits;
}

bool budget_is_limited(const struct budget *budget)
{
	const struct budget_limits *limits = &budget->limits;

	return limits->messages_per_minute > 0 ||
	       limits->messages_per_day > 0 || limits->recipients_per_day > 0;
}

/* 0: no limit. */
static unsigned allowed(const struct budget *budget, enum budget_limit limit,
			uint64_t now_ms)
{
	switch (limit) {
	case BUDGET_MESSAGES_PER_MINUTE:
		return pace_messages(&budget->pace,
				     budget->limits.messages_per_minute,
				     now_ms);
	case BUDGET_MESSAGES_PER_DAY:
		return budget->limits.messages_per_day;
	case BUDGET_RECIPIENTS_PER_DAY:
		return budget->limits.recipients_per_day;
	case BUDGET_LIMITS:
		break;
	}
	return 0;
}

static uint64_t under_way(const struct budget *budget, enum budget_limit limit)
{
	return limit == BUDGET_RECIPIENTS_PER_DAY ? budget->recipients
						  : budget->messages;
}

static uint64_t used(struct budget *budget, enum budget_limit limit,
		     uint64_t now_ms)
{
	return window_used(&budget->sent[limit], now_ms) +
	       under_way(budget, limit);
}

static size_t left(struct budget *budget, enum budget_limit limit,
		   uint64_t now_ms)
{
	unsigned most = allowed(budget, limit, now_ms);
	uint64_t gone = used(budget, limit, now_ms);

	if (most == 0)
		return SIZE_MAX;
	return gone < most ? (size_t)(most - gone) : 0;
}

/* --- may it go? --------------------------------------------------------- */

/* What is on its way counts for a span since its end, which is now at the
 * earliest. */
static uint64_t wait_for(struct budget *budget, enum budget_limit limit,
			 size_t need, uint64_t now_ms)
{
	uint64_t most = allowed(budget, limit, now_ms);
	uint64_t busy = under_way(budget, limit);
	struct window *sent = &budget->sent[limit];

	if (most == 0)
		return 0;
	if (need > most)
		need = most;
	if (busy + need > most)
		return sent->span_ms + sent->slot_ms;
	return window_wait(sent, most - busy - need, now_ms);
}

uint64_t budget_wait(struct budget *budget, size_t recipients, uint64_t now_ms,
		     enum budget_limit *limit_r)
{
	enum budget_limit worst = BUDGET_LIMITS;
	uint64_t wait = 0;

	for (unsigned i = 0; i < BUDGET_LIMITS; i++) {
		size_t need = i == BUDGET_RECIPIENTS_PER_DAY ? recipients : 1;
		uint64_t its = wait_for(budget, (enum budget_limit)i, need,
					now_ms);

		if (its <= wait)
			continue;
		wait = its;
		worst = (enum budget_limit)i;
	}
	if (limit_r)
		*limit_r = worst;
	return wait;
}

size_t budget_messages_left(struct budget *budget, uint64_t now_ms)
{
	size_t minute = left(budget, BUDGET_MESSAGES_PER_MINUTE, now_ms);
	size_t day = left(budget, BUDGET_MESSAGES_PER_DAY, now_ms);

	return minute < day ? minute : day;
}

size_t budget_recipients_left(struct budget *budget, uint64_t now_ms)
{
	return left(budget, BUDGET_RECIPIENTS_PER_DAY, now_ms);
}

/* --- it goes ------------------------------------------------------------ */

void budget_take(struct budget *budget, size_t recipients)
{
	budget->messages++;
	budget->recipients += recipients;
}

void budget_give_back(struct budget *budget, size_t recipients)
{
	budget->messages--;
	budget->recipients -= recipients;
}

static void count(struct budget *budget, size_t messages, size_t recipients,
		  uint64_t age_ms, uint64_t now_ms)
{
	for (unsigned i = 0; i < BUDGET_LIMITS; i++)
		window_add_past(&budget->sent[i],
				i == BUDGET_RECIPIENTS_PER_DAY ? recipients
							       : messages,
				age_ms, now_ms);
}

void budget_spend(struct budget *budget, size_t recipients, uint64_t now_ms)
{
	budget_give_back(budget, recipients);
	count(budget, 1, recipients, 0, now_ms);
}

void budget_restore(struct budget *budget, size_t messages, size_t recipients,
		    uint64_t age_ms, uint64_t now_ms)
{
	count(budget, messages, recipients, age_ms, now_ms);
}

/* --- learning ----------------------------------------------------------- */

void budget_slow_down(struct budget *budget, uint64_t now_ms)
{
	uint64_t sent = used(budget, BUDGET_MESSAGES_PER_MINUTE, now_ms);

	pace_slow_down(&budget->pace, budget->limits.messages_per_minute,
		       sent < UINT32_MAX ? (unsigned)sent : UINT32_MAX,
		       now_ms);
}

unsigned budget_connections(const struct budget *budget, unsigned configured,
			    uint64_t now_ms)
{
	return pace_connections(&budget->pace, configured, now_ms);
}

/* --- for people --------------------------------------------------------- */

void budget_view(struct budget *budget, enum budget_limit limit,
		 uint64_t now_ms, struct budget_view *view_r)
{
	struct window *sent = &budget->sent[limit];
	uint64_t counted = window_used(sent, now_ms);
	struct budget_view view = {
		.limit = limit,
		.allowed = allowed(budget, limit, now_ms),
		.used = used(budget, limit, now_ms),
		.left = left(budget, limit, now_ms),
	};

	if (counted > 0) {
		view.refill_ms = window_wait(sent, counted - 1, now_ms);
		view.whole_ms = window_wait(sent, 0, now_ms);
	}
	if (limit == BUDGET_MESSAGES_PER_MINUTE) {
		view.slow = pace_is_slow(&budget->pace, now_ms);
		view.faster_ms = pace_wait(&budget->pace, now_ms);
	}
	*view_r = view;
}
