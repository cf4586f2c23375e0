#include "relay/queue/schedule.h"

int64_t schedule_wait(const struct duration_list *retry, unsigned attempts,
                      uint32_t random)
{
	size_t step = attempts == 0 ? 0 : attempts - 1;
	int64_t wait, jitter;

	if (retry->n == 0)
		return 60 * 1000;
	if (step >= retry->n)
		step = retry->n - 1;
	wait = retry->ms[step];
	jitter = wait / 10;
	if (jitter == 0)
		return wait;
	return wait - jitter + (int64_t)(random % (uint64_t)(2 * jitter + 1));
}
