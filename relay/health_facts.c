#include "relay/health_facts.h"

#include <stdlib.h>

#include "proto/xalloc.h"
#include "relay/config/config.h"
#include "relay/net/loop.h"
#include "relay/queue/queue.h"
#include "relay/report/alerts.h"
#include "relay/report/log.h"

/* ---- facts ---- */

static void add_account(const struct account_status *status,
                        struct health_account *out, size_t *n)
{
	if (status->state == ACCOUNT_OK)
		return;
	out[(*n)++] = (struct health_account){ status->name,
		account_state_name(status->state),
		status->title ? status->title : status->reason,
		status->waiting };
}

/* Returns the latest success of any. */
static int64_t ask_accounts(struct pools *pools, struct health_account *out,
                            size_t *n)
{
	struct account_status status;
	int64_t success = 0;
	size_t i;

	for (i = 0; i < pools_count(pools); i++) {
		pools_status(pools, i, &status);
		add_account(&status, out, n);
		if (status.last_success_ms > success)
			success = status.last_success_ms;
	}
	return success;
}

static void ask_queue(const struct services *services,
                      struct health_facts *facts)
{
	struct queue_waiting waiting;

	queue_waiting(services->queue, NULL, 0, &waiting);
	facts->waiting = waiting.n;
	facts->oldest_ms =
		waiting.n > 0 ? steady_now_ms() - waiting.received_ms : 0;
	facts->queue_age_ms = services->config->relay.alert_queue_age_ms;
}

void health_now(const struct services *services, struct pools *pools,
                size_t listeners, struct health_report *report_r)
{
	struct health_account *out =
		xcalloc(pools_count(pools) + 1, sizeof *out);
	struct health_facts facts = { .out = out, .listeners = listeners,
		.accounts = pools_count(pools) };
	int64_t success = ask_accounts(pools, out, &facts.n_out);

	facts.success_ms = success > 0 ? wall_now_ms() - success : -1;
	facts.store_works = store_is_healthy(services->store);
	facts.has_room = spool_room(services->spool, 0,
	                            loop_now_ms(services->loop)) == SPOOL_ROOM;
	ask_queue(services, &facts);
	health_judge(&facts, report_r);
	free(out);
}

/* ---- the alarm ---- */

static void watch_disk(struct health_watch *watch,
                       const struct services *services, const char *why,
                       const char *fix)
{
	struct alert alert = { .event = why ? ALERT_DISK_LOW : ALERT_DISK_OK,
		.reason = why ? "disk-low" : NULL, .explanation = why,
		.fix = fix };

	if (watch->disk_low == (why != NULL))
		return;
	watch->disk_low = why != NULL;
	alerts_raise(services->alerts, &alert);
}

static const char *old_mail_fix = "See \"lanpost status\" and \"lanpost queue "
				  "list\": they say why it waits.";

static void watch_queue(struct health_watch *watch,
                        const struct services *services)
{
	struct health_facts facts = { 0 };
	struct alert alert = { .event = ALERT_QUEUE_OK };
	bool old;

	ask_queue(services, &facts);
	old = health_queue_is_old(&facts);
	if (watch->queue_old == old)
		return;
	watch->queue_old = old;
	alert.waiting = facts.waiting;
	if (old) {
		alert.event = ALERT_QUEUE_OLD;
		alert.reason = "queue-old";
		alert.fix = old_mail_fix;
		log_event(LOG_WARN, EVENT_WARNING,
		          F_STR("reason", alert.reason),
		          F_INT("waiting", facts.waiting),
		          F_INT("delay_ms", facts.oldest_ms),
		          F_STR("text", "mail has been waiting for longer than "
		                        "alert_queue_age"),
		          F_STR("fix", old_mail_fix));
	}
	alerts_raise(services->alerts, &alert);
}

void health_watch(struct health_watch *watch, const struct services *services,
                  const char *disk_why, const char *disk_fix)
{
	watch_disk(watch, services, disk_why, disk_fix);
	watch_queue(watch, services);
}
