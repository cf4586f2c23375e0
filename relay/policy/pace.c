#include "relay/policy/pace.h"

/* More would be less than the least, whatever the limit. */
enum { HALVINGS_MOST = 20 };

/* What is left of the halvings. */
static unsigned level(const struct pace *pace, uint64_t now_ms)
{
	uint64_t steps;

	if (pace->halvings == 0 || now_ms <= pace->refused_at)
		return pace->halvings;
	steps = (now_ms - pace->refused_at) / PACE_STEP_MS;
	return steps < pace->halvings ? pace->halvings - (unsigned)steps : 0;
}

static unsigned halved(unsigned n, unsigned times)
{
	return n >> times > 0 ? n >> times : 1;
}

static bool is_old_news(const struct pace *pace, uint64_t now_ms)
{
	return now_ms < pace->halved_at + PACE_HEARD_MS;
}

void pace_slow_down(struct pace *pace, unsigned limit, unsigned sent,
		    uint64_t now_ms)
{
	unsigned before = level(pace, now_ms);

	pace->halvings = before;
	pace->refused_at = now_ms;
	if (before > 0 && is_old_news(pace, now_ms))
		return;
	if (before == 0)
		pace->learnt = sent;
	if (before == 0 || (before < HALVINGS_MOST &&
			    pace_messages(pace, limit, now_ms) > PACE_LEAST))
		pace->halvings++;
	pace->halved_at = now_ms;
}

unsigned pace_messages(const struct pace *pace, unsigned limit, uint64_t now_ms)
{
	unsigned times = level(pace, now_ms), slowed;

	if (times == 0)
		return limit;
	slowed = halved(limit > 0 ? limit : pace->learnt, times);
	if (slowed >= PACE_LEAST)
		return slowed;
	return limit > 0 && limit < PACE_LEAST ? limit : PACE_LEAST;
}

unsigned pace_connections(const struct pace *pace, unsigned configured,
			  uint64_t now_ms)
{
	return halved(configured, level(pace, now_ms));
}

bool pace_is_slow(const struct pace *pace, uint64_t now_ms)
{
	return level(pace, now_ms) > 0;
}

uint64_t pace_wait(const struct pace *pace, uint64_t now_ms)
{
	uint64_t since;

	if (level(pace, now_ms) == 0)
		return 0;
	since = now_ms > pace->refused_at ? now_ms - pace->refused_at : 0;
	return PACE_STEP_MS - since % PACE_STEP_MS;
}
