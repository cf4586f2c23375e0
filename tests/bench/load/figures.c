#include "tests/bench/load/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "proto/xalloc.h"

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t accepted_of(const struct times *times)
{
	return times->accepted;
}

static uint64_t arrived_of(const struct times *times)
{
	return times->arrived;
}

static int compare(const void *a, const void *b)
{
	uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;

	return one < other ? -1 : one > other;
}

static double ms(uint64_t ns)
{
	return (double)ns / 1e6;
}

/* Seconds until the last one, and how long a message took. */
static void report(const struct run *run, const char *name,
                   uint64_t (*of)(const struct times *))
{
	uint64_t *took = xcalloc(run->options.messages, sizeof(*took));
	uint64_t last = run->start;
	size_t n = 0;

	for (size_t i = 0; i < run->begun; i++) {
		uint64_t at = of(&run->times[i]);

		if (at == 0)
			continue;
		took[n++] = at - run->times[i].begun;
		if (at > last)
			last = at;
	}
	qsort(took, n, sizeof(*took), compare);
	printf(", \"%s\": {\"count\": %zu, \"seconds\": %.6f", name, n,
	       ms(last - run->start) / 1000);
	if (n > 0)
		printf(", \"ms_p50\": %.3f, \"ms_p99\": %.3f, "
		       "\"ms_max\": %.3f",
		       ms(took[n / 2]), ms(took[(n - 1) * 99 / 100]),
		       ms(took[n - 1]));
	printf("}");
	free(took);
}

void run_report(const struct run *run)
{
	printf("{\"messages\": %zu, \"octets\": %llu, \"duplicates\": %zu",
	       run->options.messages,
	       (unsigned long long)run->options.octets, run->duplicates);
	report(run, "accepted", accepted_of);
	if (run->journal)
		report(run, "delivered", arrived_of);
	puts("}");
}
