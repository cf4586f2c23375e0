#include "relay/net/steady.h"

void steady_start(struct steady *steady, int64_t wall_ms, int64_t mono_ms)
{
	steady->offset = wall_ms - mono_ms;
}

int64_t steady_at(const struct steady *steady, int64_t mono_ms)
{
	return mono_ms + steady->offset;
}

int64_t steady_follow(struct steady *steady, int64_t wall_ms, int64_t mono_ms)
{
	int64_t off = wall_ms - steady_at(steady, mono_ms);

	steady->offset += off;
	return off >= STEADY_JUMP_MS || off <= -STEADY_JUMP_MS ? off : 0;
}
