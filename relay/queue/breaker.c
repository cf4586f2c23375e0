#include "relay/queue/breaker.h"

#include <stddef.h>

static const uint64_t login_waits_ms[] = {
	30 * 60 * 1000, 2 * 3600 * 1000, 6 * 3600 * 1000, 12 * 3600 * 1000
};

bool breaker_allows(struct breaker *breaker, uint64_t now_ms)
{
	if (breaker->state == BREAKER_OPEN && now_ms >= breaker->retry_at) {
		breaker->state = BREAKER_HALF_OPEN;
		return true;
	}
	return breaker->state == BREAKER_CLOSED;
}

void breaker_success(struct breaker *breaker)
{
	*breaker = (struct breaker){ .state = BREAKER_CLOSED };
}

static uint64_t login_wait(unsigned failures)
{
	size_t last = sizeof login_waits_ms / sizeof *login_waits_ms - 1;

	return login_waits_ms[failures - 1 < last ? failures - 1 : last];
}

void breaker_failure(struct breaker *breaker, enum breaker_trouble trouble,
                     uint64_t now_ms, uint64_t wait_ms)
{
	if (breaker->trouble != trouble)
		breaker->failures = 0;
	breaker->trouble = trouble;
	breaker->failures++;
	breaker->state = BREAKER_OPEN;
	breaker->retry_at = now_ms + (trouble == BREAKER_LOGIN
	                                      ? login_wait(breaker->failures)
	                                      : wait_ms);
}

void breaker_probe_lost(struct breaker *breaker, uint64_t now_ms)
{
	if (breaker->state != BREAKER_HALF_OPEN)
		return;
	breaker->state = BREAKER_OPEN;
	breaker->retry_at = now_ms;
}
