#include "relay/outbound/settlement_private.h"

#include "relay/queue/verdict.h"

/* ---- at the end of an attempt ---- */

static bool is_refusal(const struct settlement *settlement,
                       const struct settlement_result *result)
{
	return result->known &&
	       (result->disposition.action == DISPOSITION_FAIL ||
	        (result->disposition.action == DISPOSITION_PAUSE &&
	         !settlement_goes_elsewhere(settlement)));
}

/* All of it is refused, and somebody waits to hear that. */
bool settlement_goes_to_device(const struct settlement *settlement)
{
	const struct envelope *envelope = message_envelope(settlement->message);
	size_t i;

	if (!verdict_may_refuse(settlement->services->verdicts, envelope->id))
		return false;
	for (i = 0; i < envelope->n_recipients; i++) {
		if (!is_refusal(settlement, &settlement->results[i]))
			return false;
	}
	return true;
}

static struct verdict verdict_of(enum verdict_kind kind,
                                 const struct disposition *disposition,
                                 const char *reply)
{
	return (struct verdict){ kind, reply, disposition->reason,
		disposition->title, disposition->fix };
}

/* What pauses the account is the end of this message: the device has it. */
void settlement_give_back(struct settlement *settlement)
{
	const struct envelope *envelope = message_envelope(settlement->message);
	const struct settlement_result *result = settlement_worst(settlement);
	struct verdict verdict = verdict_of(
		VERDICT_REFUSED, &result->disposition, result->reply);
	size_t i;

	for (i = 0; i < envelope->n_recipients; i++)
		settlement->results[i].disposition.action = DISPOSITION_FAIL;
	settlement->to_device = true;
	verdict_claim(settlement->services->verdicts, envelope->id, &verdict);
}

/* Who is tried again at once may still hear something better. */
void settlement_tell_device(const struct settlement *settlement,
                        enum message_state state)
{
	const struct settlement_result *result = settlement_worst(settlement);
	struct verdict verdict = verdict_of(
		state == MESSAGE_DELIVERED ? VERDICT_DELIVERED : VERDICT_QUEUED,
		&result->disposition, result->reply);

	if (state != MESSAGE_QUEUED || !settlement_goes_at_once(settlement))
		verdict_tell(settlement->services->verdicts,
		             message_envelope(settlement->message)->id,
		             &verdict);
}

/* ---- where none is made ---- */

struct waiting {
	struct services *services;
	const struct config *config;
	const char *account, *reply;
	const struct disposition *trouble;
};

static void tell_one(void *ctx, message_id id)
{
	const struct waiting *waiting = ctx;
	struct queue *queue = waiting->services->queue;
	struct message *message =
		queue_find_ready(queue, waiting->account, id);
	struct verdict verdict = verdict_of(VERDICT_QUEUED, waiting->trouble,
	                                    waiting->reply);
	struct settlement settlement;

	if (message == NULL)
		return;
	if (waiting->trouble->action != DISPOSITION_PAUSE ||
	    !verdict_may_refuse(waiting->services->verdicts, id)) {
		verdict_tell(waiting->services->verdicts, id, &verdict);
		return;
	}
	queue_take_this(queue, message);
	settlement_init(&settlement, waiting->services, waiting->config,
	                message);
	settlement.account = waiting->account;
	settlement.started_ms = 0;
	settlement_rest(&settlement, *waiting->trouble, SMTP_STAGE_AUTH,
	                waiting->reply);
	settlement_commit(&settlement);
}

void settlement_tell_waiting(struct services *services,
                             const struct config *config, const char *account,
                             const struct disposition *trouble,
                             const char *reply)
{
	struct disposition kept = { .action = DISPOSITION_DONE };
	struct waiting waiting = { services, config, account, reply, &kept };

	if (services->verdicts == NULL)
		return;
	disposition_keep(&kept, trouble, settlement_username(config, account), NULL);
	verdict_each(services->verdicts, tell_one, &waiting);
	disposition_forget(&kept);
}
