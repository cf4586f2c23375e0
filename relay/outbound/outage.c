#include "relay/outbound/outage.h"

#include <stdlib.h>
#include <string.h>

#include "proto/xalloc.h"
#include "relay/net/loop.h"
#include "relay/report/log.h"

void outage_init(struct outage *outage, struct queue *queue,
                 const char *account)
{
	*outage = (struct outage){ .queue = queue, .account = account };
}

void outage_free(struct outage *outage)
{
	disposition_forget(&outage->trouble);
	free(outage->reply);
	free(outage->failover);
}

bool outage_lasts(const struct outage *outage)
{
	return outage->breaker.state != BREAKER_CLOSED;
}

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

static void log_begin(const struct outage *outage, const char *host,
                      size_t waiting, uint64_t retry_in_ms)
{
	log_event(LOG_ERROR,
	          outage->breaker.trouble == BREAKER_LOGIN
	                  ? EVENT_ACCOUNT_PAUSED : EVENT_UPSTREAM_FAILED,
	          F_STR("account", outage->account), F_STR("host", host),
	          F_STR("reply", outage->reply),
	          F_STR("reason", outage->trouble.reason),
	          F_STR("explanation", outage->trouble.explanation),
	          F_STR("fix", outage->trouble.fix),
	          F_INT("waiting", waiting),
	          F_INT("retry_in_ms", retry_in_ms));
}

void outage_begin(struct outage *outage, const struct disposition *trouble,
                  const char *username, const char *reply, const char *host,
                  size_t waiting, uint64_t now_ms, uint64_t wait_ms)
{
	bool login = trouble->action == DISPOSITION_PAUSE;
	bool is_new = !outage_lasts(outage);

	if (outage->breaker.state == BREAKER_OPEN)
		return;
	if (is_new)
		outage->number++;
	free(outage->reply);
	outage->reply = xstrdup(reply);
	disposition_keep(&outage->trouble, trouble, username, NULL);
	outage->untold = true;
	breaker_failure(&outage->breaker,
	                login ? BREAKER_LOGIN : BREAKER_UNREACHABLE, now_ms,
	                wait_ms);
	log_begin(outage, host, waiting, outage->breaker.retry_at - now_ms);
	if (is_new)
		queue_divert(outage->queue);
}

void outage_end(struct outage *outage, size_t waiting)
{
	bool was_out = outage_lasts(outage);

	breaker_success(&outage->breaker);
	forget_failover(outage);
	if (!was_out)
		return;
	log_event(LOG_INFO, EVENT_ACCOUNT_RESUMED,
	          F_STR("account", outage->account),
	          F_INT("waiting", waiting));
	queue_hurry(outage->queue, outage->account);
	queue_divert(outage->queue);
}

bool outage_is_probing(const struct outage *outage)
{
	return outage->breaker.state == BREAKER_HALF_OPEN;
}

bool outage_is_over(struct outage *outage, uint64_t now_ms)
{
	return breaker_allows(&outage->breaker, now_ms);
}

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
	          F_STR("reply", outage->reply),
	          F_STR("reason", outage->trouble.reason),
	          F_STR("explanation", outage->trouble.explanation),
	          F_STR("fix", outage->trouble.fix),
	          F_INT("delay_ms", wall_now_ms() - envelope->received_ms));
	free(to);
}

/* Once all have been told, only the newest can be news. */
uint64_t outage_tell(struct outage *outage, uint64_t now_ms)
{
	struct message *newest =
		queue_newest_ready(outage->queue, outage->account);
	uint64_t probe = outage->breaker.retry_at;

	if (outage->untold)
		queue_each_ready(outage->queue, outage->account, tell, outage);
	else if (newest != NULL)
		tell(outage, newest);
	outage->untold = false;
	return probe > now_ms ? probe - now_ms : 0;
}
