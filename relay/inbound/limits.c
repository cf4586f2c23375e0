#include "relay/inbound/limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/xalloc.h"
#include "relay/inbound/hush.h"
#include "relay/inbound/refusal.h"
#include "relay/net/loop.h"
#include "relay/report/log.h"

enum { MINUTE_MS = 60 * 1000 };

static const struct {
	enum log_event_name event;
	const char *reason, *fix;
} words[] = {
#define X(name, event, reason, fix) { EVENT_##event, reason, fix },
	LIMIT_MAP(X)
#undef X
};

_Static_assert(sizeof words / sizeof *words <= HUSH_KINDS, "one for each");

struct limits {
	struct services *services;
	char *listener;
	struct client_pace *pace;
	struct hush hush;
	struct timer *minute;
};

const char *limit_reason(enum limit limit)
{
	return words[limit].reason;
}

const char *limit_fix(enum limit limit)
{
	return words[limit].fix;
}

/* ---- the log ---- */

static const char *device_name(const struct limits *limits,
                               const struct address *client)
{
	const struct device_config *device =
		config_device(limits->services->config, client);

	return device == NULL ? NULL : device->name;
}

/* client NULL: several. */
static void tell_more(void *ctx, const struct address *client, unsigned kind,
                      uint64_t more)
{
	const struct limits *limits = ctx;
	char address[ADDRESS_TEXT_MAX], summary[80];

	snprintf(summary, sizeof summary, "and %" PRIu64 " more in a minute%s",
	         more, client == NULL ? ", of other clients" : "");
	log_event(LOG_WARN, words[kind].event,
	          F_STR("client",
	                client ? address_print(client, address) : NULL),
	          F_STR("device",
	                client ? device_name(limits, client) : NULL),
	          F_STR("listener", limits->listener),
	          F_STR("reason", words[kind].reason), F_INT("more", more),
	          F_STR("text", summary), F_STR("fix", words[kind].fix));
}

static void on_minute(void *ctx)
{
	struct limits *limits = ctx;

	if (hush_sweep(&limits->hush, tell_more, limits))
		timer_start(limits->minute, MINUTE_MS);
}

bool limits_is_news(struct limits *limits, const struct address *client,
                    enum limit limit)
{
	if (!timer_is_armed(limits->minute))
		timer_start(limits->minute, MINUTE_MS);
	return hush_first(&limits->hush, client, limit);
}

/* ---- messages ---- */

static bool refuse_for(uint64_t wait_ms, unsigned limit,
                       const struct address *client,
                       struct smtp_reply *refusal_r)
{
	char address[ADDRESS_TEXT_MAX];
	uint64_t seconds = (wait_ms + 999) / 1000;

	return refuse(refusal_r, 450, "4.7.1",
	              "%u message%s a minute from %s "
	              "(messages_per_minute_per_client); try again in "
	              "%" PRIu64 " second%s",
	              limit, limit == 1 ? "" : "s",
	              address_print(client, address), seconds,
	              seconds == 1 ? "" : "s");
}

bool limits_reserve(struct limits *limits, const struct listener_config *config,
                    const struct address *client, struct client_hold *hold_r,
                    struct smtp_reply *refusal_r)
{
	unsigned limit = config->messages_per_minute_per_client;
	uint64_t wait_ms;

	*hold_r = (struct client_hold){ NULL, NULL };
	if (limit == 0)
		return true;
	wait_ms = client_pace_reserve(limits->pace, client, limit,
	                              loop_now_ms(limits->services->loop),
	                              hold_r);
	return wait_ms == 0 ||
	       refuse_for(wait_ms, limit, client, refusal_r);
}

void limits_count(struct limits *limits, struct client_hold *hold)
{
	client_pace_count(hold, loop_now_ms(limits->services->loop));
}

/* ---- life ---- */

struct limits *limits_new(struct services *services, const char *listener)
{
	struct limits *limits = xcalloc(1, sizeof *limits);

	limits->services = services;
	limits->listener = xstrdup(listener);
	limits->pace = client_pace_new();
	limits->minute = timer_new(services->loop, on_minute, limits);
	return limits;
}

void limits_free(struct limits **limits)
{
	if (*limits == NULL)
		return;
	hush_sweep(&(*limits)->hush, tell_more, *limits);
	timer_free(&(*limits)->minute);
	client_pace_free(&(*limits)->pace);
	free((*limits)->listener);
	free(*limits);
	*limits = NULL;
}
