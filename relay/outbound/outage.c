#include "relay/outbound/outage.h"

#include <stdlib.h>
#include <string.h>

#include "proto/xalloc.h"
#include "relay/net/loop.h"
#include "relay/notices/notices.h"
#include "relay/outbound/fingerprint.h"
#include "relay/queue/queue.h"
#include "relay/report/alerts.h"
#include "relay/report/log.h"

#define HOUR_MS (INT64_C(3600) * 1000)
#define DAY_MS (24 * HOUR_MS)

void outage_init(struct outage *outage, struct services *services,
                 const char *account)
{
	*outage = (struct outage){ .services = services, .account = account };
}

static void forget_trouble(struct trouble *trouble)
{
	free((char *)trouble->reason);
	free((char *)trouble->title);
	free((char *)trouble->explanation);
	free((char *)trouble->fix);
	free((char *)trouble->reply);
	*trouble = (struct trouble){ BREAKER_NONE };
}

static void keep_trouble(struct outage *outage, const struct trouble *trouble)
{
	struct trouble kept = *trouble;

	kept.reason = xstrdup(trouble->reason);
	kept.title = xstrdup(trouble->title);
	kept.explanation = xstrdup(trouble->explanation);
	kept.fix = xstrdup(trouble->fix);
	kept.reply = xstrdup(trouble->reply);
	forget_trouble(&outage->trouble);
	outage->trouble = kept;
}

void outage_free(struct outage *outage)
{
	forget_trouble(&outage->trouble);
	free(outage->failover);
}

/* ---- what it is ---- */

bool outage_lasts(const struct outage *outage)
{
	return outage->breaker.state != BREAKER_CLOSED;
}

bool outage_is_held(const struct outage *outage)
{
	return outage->breaker.trouble == BREAKER_OPERATOR;
}

bool outage_is_probing(const struct outage *outage)
{
	return outage->breaker.state == BREAKER_HALF_OPEN;
}

bool outage_needs_mail(const struct outage *outage)
{
	return outage_is_probing(outage) &&
	       (outage->trouble.behind_login ||
	        outage->breaker.trouble == BREAKER_REST);
}

bool outage_is_over(struct outage *outage, uint64_t now_ms)
{
	return breaker_allows(&outage->breaker, now_ms);
}

uint64_t outage_wait(const struct outage *outage, uint64_t now_ms)
{
	uint64_t probe = outage->breaker.retry_at;

	if (probe == BREAKER_NEVER)
		return BREAKER_NEVER;
	return probe > now_ms ? probe - now_ms : 0;
}

/* ---- who sends instead ---- */

static void forget_failover(struct outage *outage)
{
	free(outage->failover);
	outage->failover = NULL;
}

void outage_tell_failover(struct outage *outage, const char *account)
{
	if (outage->failover != NULL && strcmp(outage->failover, account) == 0)
		return;
	forget_failover(outage);
	outage->failover = xstrdup(account);
	log_event(LOG_WARN, EVENT_WARNING, F_STR("account", outage->account),
	          F_STR("failover", account),
	          F_STR("reason", outage->trouble.reason),
	          F_STR("text", "mail of this account goes by its failover "
	                        "account until it works again"));
}

void outage_untold(struct outage *outage)
{
	outage->untold = true;
}

/* ---- beginning and end ---- */

static const struct {
	enum log_level level;
	enum log_event_name event;
} words[] = {
	[BREAKER_LOGIN] = { LOG_ERROR, EVENT_ACCOUNT_PAUSED },
	[BREAKER_UNREACHABLE] = { LOG_ERROR, EVENT_UPSTREAM_FAILED },
	[BREAKER_REST] = { LOG_WARN, EVENT_THROTTLED },
	[BREAKER_OPERATOR] = { LOG_WARN, EVENT_ACCOUNT_PAUSED },
};

static struct log_field number_if(bool known, const char *key, int64_t number)
{
	return known ? F_INT(key, number) : F_STR(key, NULL);
}

/* is_new: it has not been said before.  At a start the queue is not there yet.
 */
static void log_begin(const struct outage *outage,
                      const struct account_config *account, bool is_new,
                      uint64_t now_ms)
{
	const struct trouble *trouble = &outage->trouble;
	uint64_t wait = outage_wait(outage, now_ms);
	int64_t now = steady_now_ms();
	struct queue_waiting waiting;

	queue_waiting(outage->services->queue, outage->account, 0, &waiting);
	log_event(words[trouble->kind].level, words[trouble->kind].event,
	          F_STR("account", outage->account),
	          F_STR("host", account->host), F_STR("reply", trouble->reply),
	          F_STR("reason", trouble->reason),
	          F_STR("explanation", trouble->explanation),
	          F_STR("fix", trouble->fix),
	          number_if(is_new || waiting.n > 0, "waiting",
	                    (int64_t)waiting.n),
	          number_if(wait != BREAKER_NEVER, "retry_in_ms",
	                    (int64_t)wait),
	          number_if(waiting.n > 0, "expires_in_ms",
	                    waiting.expires_ms - now),
	          number_if(!is_new, "lasted_ms", now - outage->since_ms));
}

/* What ends by itself and soon alarms nobody; nor does what a person did.  Of
 * a provider that stays away the age of the queue tells. */
static bool is_alarming(const struct outage *outage, int64_t wait_ms)
{
	return outage->trouble.kind == BREAKER_LOGIN ||
	       (outage->trouble.kind == BREAKER_REST && wait_ms >= HOUR_MS);
}

static void tell_by_mail(const struct outage *outage, const struct alert *alert,
                         int64_t expires_ms)
{
	struct account_alarm alarm = {
		.account = alert->account,
		.reason = alert->reason,
		.title = alert->title,
		.explanation = alert->explanation,
		.fix = alert->fix,
		.reply = alert->reply,
		.since_ms = outage->since_ms,
		.waiting = alert->waiting,
		.expires_ms = expires_ms,
	};

	if (alert->event == ALERT_ACCOUNT_PAUSED)
		notices_account_paused(outage->services->notices, &alarm);
	else
		notices_account_resumed(outage->services->notices, &alarm);
}

static void raise_alarm(const struct outage *outage, enum alert_event event)
{
	const struct trouble *trouble = &outage->trouble;
	bool bad = event == ALERT_ACCOUNT_PAUSED;
	struct queue_waiting waiting;
	struct alert alert = { .event = event, .account = outage->account,
		.reason = trouble->reason };

	queue_waiting(outage->services->queue, outage->account, 0, &waiting);
	alert.waiting = waiting.n;
	if (bad) {
		alert.title = trouble->title;
		alert.explanation = trouble->explanation;
		alert.fix = trouble->fix;
		alert.reply = trouble->reply;
	}
	alerts_raise(outage->services->alerts, &alert);
	tell_by_mail(outage, &alert, waiting.n > 0 ? waiting.expires_ms : 0);
}

/* Once an outage. */
static void alarm_begin(struct outage *outage, uint64_t now_ms)
{
	if (outage->alarmed ||
	    !is_alarming(outage, (int64_t)outage_wait(outage, now_ms)))
		return;
	outage->alarmed = true;
	raise_alarm(outage, ALERT_ACCOUNT_PAUSED);
}

static void note_begin(struct outage *outage, const struct trouble *trouble,
                       bool is_new)
{
	if (is_new) {
		outage->number++;
		outage->since_ms = wall_now_ms();
		outage->alarmed = outage->warned = false;
	}
	keep_trouble(outage, trouble);
	outage->untold = true;
}

void outage_begin(struct outage *outage, const struct account_config *account,
                  const struct trouble *trouble, uint64_t now_ms)
{
	bool is_new = !outage_lasts(outage);

	if (outage->breaker.state == BREAKER_OPEN)
		return;
	note_begin(outage, trouble, is_new);
	breaker_failure(&outage->breaker, trouble->kind, now_ms,
	                trouble->wait_ms);
	log_begin(outage, account, is_new, now_ms);
	alarm_begin(outage, now_ms);
	outage_save(outage, account);
	queue_divert(outage->services->queue);
}

static void note_held(struct outage *outage)
{
	char *fix = xasprintf("Run \"lanpost account resume %s\" when it may "
	                      "send again.", outage->account);
	struct trouble held = { .kind = BREAKER_OPERATOR,
		.reason = "paused-by-operator",
		.title = "Account paused by an administrator",
		.explanation = "An administrator has paused this account: its "
		               "mail waits.",
		.fix = fix };

	note_begin(outage, &held, true);
	free(fix);
}

void outage_hold(struct outage *outage, const struct account_config *account)
{
	bool alarmed = outage_lasts(outage) && outage->alarmed;

	if (outage_is_held(outage))
		return;
	note_held(outage);
	outage->alarmed = alarmed;
	breaker_hold(&outage->breaker);
	log_begin(outage, account, true, 0);
	outage_save(outage, account);
	queue_divert(outage->services->queue);
}

static void note_restored(struct outage *outage,
                          const struct account_config *account,
                          const struct account_record *record)
{
	struct disposition kept = { .action = DISPOSITION_DONE };
	struct trouble trouble = { .kind = (enum breaker_trouble)record->state,
		.reply = record->reply };

	if (trouble.kind == BREAKER_OPERATOR) {
		note_held(outage);
		return;
	}
	outage_record_words(record, outage->services->config, account, &kept);
	trouble.reason = kept.reason;
	trouble.title = kept.title;
	trouble.explanation = kept.explanation;
	trouble.fix = kept.fix;
	note_begin(outage, &trouble, true);
	disposition_forget(&kept);
}

/* What is said now is said again, and alarms nobody a second time. */
void outage_restore(struct outage *outage, const struct account_config *account,
                    const struct account_record *record, uint64_t now_ms)
{
	if (!outage_is_kept((enum breaker_trouble)record->state))
		return;
	note_restored(outage, account, record);
	outage->since_ms = record->since_ms;
	outage->alarmed =
		is_alarming(outage, record->retry_ms - record->since_ms);
	breaker_restore(&outage->breaker, outage->trouble.kind,
	                record->failures, now_ms, outage_record_wait(record));
	if (!fingerprint_fits(account, record->fingerprint) &&
	    !outage_is_held(outage))
		breaker_hurry(&outage->breaker, now_ms);
	log_begin(outage, account, false, now_ms);
}

void outage_hurry(struct outage *outage, uint64_t now_ms)
{
	breaker_hurry(&outage->breaker, now_ms);
	queue_hurry(outage->services->queue, outage->account);
}

static void log_end(const struct outage *outage)
{
	struct queue_waiting waiting;

	queue_waiting(outage->services->queue, outage->account, 0, &waiting);
	log_event(LOG_INFO, EVENT_ACCOUNT_RESUMED,
	          F_STR("account", outage->account),
	          F_STR("reason", outage->trouble.reason),
	          F_INT("lasted_ms", wall_now_ms() - outage->since_ms),
	          F_INT("waiting", waiting.n));
}

void outage_end(struct outage *outage)
{
	bool was_out = outage_lasts(outage);

	breaker_success(&outage->breaker);
	forget_failover(outage);
	if (!was_out)
		return;
	log_end(outage);
	if (outage->alarmed)
		raise_alarm(outage, ALERT_ACCOUNT_RESUMED);
	outage_forget(outage);
	queue_hurry(outage->services->queue, outage->account);
	queue_divert(outage->services->queue);
}

/* ---- those who wait ---- */

static void tell(void *ctx, struct message *message)
{
	struct outage *outage = ctx;
	const struct envelope *envelope = message_envelope(message);
	char id[MESSAGE_ID_TEXT], *to;

	if (!message_tell_once(message, outage->number))
		return;
	to = envelope_recipient_list(envelope, RECIPIENT_QUEUED, 500);
	log_event(LOG_WARN, EVENT_DEFERRED,
	          F_STR("id", message_id_print(envelope->id, id)),
	          F_STR("client", envelope->client),
	          F_STR("device", envelope->device),
	          F_STR("listener", envelope->listener),
	          F_STR("from", envelope->reverse_path), F_STR("to", to),
	          F_INT("size", envelope->size),
	          F_STR("rule", envelope->rule),
	          F_STR("account", outage->account),
	          F_INT("attempt", envelope->attempts),
	          F_STR("reply", outage->trouble.reply),
	          F_STR("reason", outage->trouble.reason),
	          F_STR("explanation", outage->trouble.explanation),
	          F_STR("fix", outage->trouble.fix),
	          F_INT("delay_ms", wall_now_ms() - envelope->received_ms));
	free(to);
}

/* Once all have been told, only the newest can be news. */
void outage_tell(struct outage *outage)
{
	struct queue *queue = outage->services->queue;
	struct message *newest = queue_newest_ready(queue, outage->account);

	if (outage->untold)
		queue_each_ready(queue, outage->account, tell, outage);
	else if (newest != NULL)
		tell(outage, newest);
	outage->untold = false;
}

/* A day before, or half of what a message has where that is less. */
static int64_t margin(const struct outage *outage)
{
	int64_t half = outage->services->config->relay.expire_ms / 2;

	return half < DAY_MS ? half : DAY_MS;
}

void outage_watch(struct outage *outage)
{
	int64_t now = steady_now_ms(), before = now + margin(outage);
	struct queue_waiting waiting;

	if (outage->warned || !outage_lasts(outage))
		return;
	queue_waiting(outage->services->queue, outage->account, before,
	              &waiting);
	if (waiting.n_expiring == 0)
		return;
	outage->warned = true;
	log_event(LOG_ERROR, EVENT_WARNING, F_STR("account", outage->account),
	          F_STR("reason", outage->trouble.reason),
	          F_INT("waiting", waiting.n),
	          F_INT("expiring", waiting.n_expiring),
	          F_INT("expires_in_ms", waiting.expires_ms - now),
	          F_STR("text", "mail of this account is about to reach `expire` "
	                        "and to fail, as the account cannot work"),
	          F_STR("explanation", outage->trouble.explanation),
	          F_STR("fix", outage->trouble.fix));
}
