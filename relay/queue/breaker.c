#include "relay/queue/breaker.h"

#include <stddef.h>

#define MINUTE UINT64_C(60000)

static const uint64_t login_waits_ms[] = {
	30 * MINUTE, 120 * MINUTE, 360 * MINUTE, 720 * MINUTE
};

enum {
	REST_DOUBLINGS = 2      /* of a short rest: four times at the most */
};
#define REST_DEFAULT_MS (5 * MINUTE)
#define REST_SHORT_MS (10 * MINUTE)

bool breaker_allows(struct breaker *breaker, uint64_t now_ms)
{
	if (breaker->state == BREAKER_OPEN &&
	    breaker->retry_at != BREAKER_NEVER && now_ms >= breaker->retry_at) {
		breaker->state = BREAKER_HALF_OPEN;
		return true;
	}
	return breaker->state == BREAKER_CLOSED;
}

void breaker_success(struct breaker *breaker)
{
	*breaker = (struct breaker){ .state = BREAKER_CLOSED };
}

static uint64_t login_wait(unsigned failures, uint64_t asked_ms)
{
	size_t last = sizeof login_waits_ms / sizeof *login_waits_ms - 1;
	uint64_t wait = login_waits_ms[failures - 1 < last ? failures - 1
	                                                   : last];

	return asked_ms > 0 ? asked_ms : wait;
}

static uint64_t rest_wait(unsigned failures, uint64_t asked_ms)
{
	unsigned doublings = failures - 1 < REST_DOUBLINGS ? failures - 1
	                                                   : REST_DOUBLINGS;
	uint64_t wait = asked_ms > 0 ? asked_ms : REST_DEFAULT_MS;

	return wait < REST_SHORT_MS ? wait << doublings : wait;
}

static uint64_t wait_of(const struct breaker *breaker, uint64_t asked_ms)
{
	switch (breaker->trouble) {
	case BREAKER_LOGIN:
		return login_wait(breaker->failures, asked_ms);
	case BREAKER_REST:
		return rest_wait(breaker->failures, asked_ms);
	case BREAKER_UNREACHABLE:
	case BREAKER_OPERATOR:
	case BREAKER_NONE:
		break;
	}
	return asked_ms;
}

void breaker_failure(struct breaker *breaker, enum breaker_trouble trouble,
                     uint64_t now_ms, uint64_t wait_ms)
{
	if (breaker->trouble != trouble)
		breaker->failures = 0;
	breaker->trouble = trouble;
	breaker->failures++;
	breaker->state = BREAKER_OPEN;
	breaker->retry_at = now_ms + wait_of(breaker, wait_ms);
}

void breaker_hold(struct breaker *breaker)
{
	*breaker = (struct breaker){ BREAKER_OPEN, BREAKER_OPERATOR, 0,
		BREAKER_NEVER };
}

void breaker_restore(struct breaker *breaker, enum breaker_trouble trouble,
                     unsigned failures, uint64_t now_ms, uint64_t wait_ms)
{
	if (trouble == BREAKER_OPERATOR)
		breaker_hold(breaker);
	else
		*breaker = (struct breaker){ BREAKER_OPEN, trouble, failures,
			now_ms + wait_ms };
}

void breaker_hurry(struct breaker *breaker, uint64_t now_ms)
{
	if (breaker->state != BREAKER_OPEN)
		return;
	breaker->failures = 0;
	breaker->retry_at = now_ms;
}

void breaker_probe_lost(struct breaker *breaker, uint64_t now_ms)
{
	if (breaker->state != BREAKER_HALF_OPEN)
		return;
	breaker->state = BREAKER_OPEN;
	breaker->retry_at = now_ms;
}
