#include "relay/outbound/settlement_private.h"

#include <stdlib.h>
#include <string.h>

#include "proto/xalloc.h"
#include "relay/net/loop.h"
#include "relay/notices/notice_audience.h"
#include "relay/queue/repeats.h"
#include "relay/queue/schedule.h"

void settlement_init(struct settlement *settlement, struct services *services,
                     const struct config *config, struct message *message)
{
	size_t n = message_envelope(message)->n_recipients;

	*settlement = (struct settlement){ .services = services,
		.config = config, .message = message,
		.account = message_envelope(message)->account,
		.started_ms = wall_now_ms() };
	settlement->results = xcalloc(n, sizeof *settlement->results);
}

/* ---- the names in a fix ---- */

const char *settlement_username(const struct config *config,
                                const char *account)
{
	const struct account_config *found =
		account == NULL ? NULL : config_account(config, account);

	return found == NULL ? NULL : found->username;
}

static const char *sender_of(const struct settlement *settlement)
{
	const char *sender = settlement->sent_as;

	if (sender == NULL)
		sender = message_envelope(settlement->message)->reverse_path;
	return *sender == '\0' ? NULL : sender;
}

/* ---- results ---- */

void settlement_result(struct settlement *settlement, size_t recipient,
                       struct disposition disposition, enum smtp_stage stage,
                       const char *reply)
{
	struct settlement_result *result = &settlement->results[recipient];

	free(result->reply);
	disposition_keep(&result->disposition, &disposition,
	                 settlement_username(settlement->config, settlement->account),
	                 sender_of(settlement));
	result->known = true;
	result->stage = stage;
	result->reply = xstrdup(reply);
}

void settlement_leave_out(struct settlement *settlement, size_t recipient)
{
	settlement->results[recipient].left_out = true;
}

/* Some have not been tried in this attempt yet. */
static bool is_part(const struct settlement *settlement)
{
	const struct envelope *envelope = message_envelope(settlement->message);
	size_t i;

	for (i = 0; i < envelope->n_recipients; i++) {
		if (settlement->results[i].left_out &&
		    envelope_turn(envelope, i) < TURN_OVER)
			return true;
	}
	return false;
}

void settlement_rest(struct settlement *settlement,
                     struct disposition disposition, enum smtp_stage stage,
                     const char *reply)
{
	const struct envelope *envelope = message_envelope(settlement->message);
	size_t i;

	for (i = 0; i < envelope->n_recipients; i++) {
		if (envelope->recipients[i].state == RECIPIENT_QUEUED &&
		    !settlement->results[i].known &&
		    !settlement->results[i].left_out)
			settlement_result(settlement, i, disposition, stage,
			                  reply);
	}
}

/* ---- fates ---- */

/* settlement_expire() makes no attempt. */
unsigned settlement_attempts(const struct settlement *settlement)
{
	return message_envelope(settlement->message)->attempts +
	       (settlement->started_ms != 0);
}

static bool is_over(const struct settlement *settlement, int64_t now_ms)
{
	return message_envelope(settlement->message)->expires_ms <= now_ms;
}

enum recipient_state settlement_fate(const struct settlement_result *result)
{
	switch (result->disposition.action) {
	case DISPOSITION_DONE:
		return RECIPIENT_DELIVERED;
	case DISPOSITION_FAIL:
		return RECIPIENT_FAILED;
	case DISPOSITION_RETRY:
	case DISPOSITION_REWRITE:
	case DISPOSITION_PAUSE:
	case DISPOSITION_WAIT:
	case DISPOSITION_REST:
		break;
	}
	return RECIPIENT_QUEUED;
}

bool settlement_has(const struct settlement *settlement,
                    enum recipient_state state)
{
	size_t i, n = message_envelope(settlement->message)->n_recipients;

	for (i = 0; i < n; i++) {
		if (settlement->results[i].known &&
		    settlement_fate(&settlement->results[i]) == state)
			return true;
	}
	return false;
}

/* ---- the outcome ---- */

/* The states after this settlement, into the outcome; returns the message's. */
static enum message_state add_recipients(struct outcome *outcome,
                                         const struct settlement *settlement,
                                         bool over)
{
	const struct envelope *envelope = message_envelope(settlement->message);
	bool queued = false, failed = false;
	size_t i;

	for (i = 0; i < envelope->n_recipients; i++) {
		const struct settlement_result *result =
			&settlement->results[i];
		enum recipient_state state = envelope->recipients[i].state;

		if (result->known) {
			state = settlement_fate(result);
			if (over && state == RECIPIENT_QUEUED)
				state = RECIPIENT_FAILED;
			outcome_add(outcome, i, state, result->reply,
			            result->disposition.reason,
			            state == RECIPIENT_QUEUED
			                    ? 0 : outcome->ended_ms);
		}
		queued |= state == RECIPIENT_QUEUED;
		failed |= state == RECIPIENT_FAILED;
	}
	return queued ? MESSAGE_QUEUED
	              : failed ? MESSAGE_FAILED : MESSAGE_DELIVERED;
}

const struct settlement_result *
settlement_worst(const struct settlement *settlement)
{
	const struct envelope *envelope = message_envelope(settlement->message);
	const struct settlement_result *found = &settlement->results[0];
	size_t i;

	for (i = 0; i < envelope->n_recipients; i++) {
		const struct settlement_result *result =
			&settlement->results[i];

		if (result->known && (!found->known ||
		    found->disposition.action == DISPOSITION_DONE))
			found = result;
	}
	return found;
}

/* "2 delivered, 1 failed": of this attempt. */
static char *summary_of(const struct outcome *outcome)
{
	static const char *const names[] = {
		[RECIPIENT_QUEUED] = "deferred",
		[RECIPIENT_DELIVERED] = "delivered",
		[RECIPIENT_FAILED] = "failed",
	};
	size_t i, counts[3] = { 0 };
	struct buf summary = BUF_INIT(128);

	for (i = 0; i < outcome->n_recipients; i++)
		counts[outcome->recipients[i].state]++;
	for (i = 0; i < 3; i++) {
		if (counts[i] > 0)
			buf_printf(&summary, "%s%zu %s",
			           buf_len(&summary) > 0 ? ", " : "",
			           counts[i], names[i]);
	}
	return buf_steal(&summary);
}

static void add_attempt(struct outcome *outcome,
                        const struct settlement *settlement)
{
	const struct settlement_result *result = settlement_worst(settlement);

	outcome->started_ms = settlement->started_ms;
	outcome->account = xstrdup(settlement->account);
	outcome->host = xstrdup(settlement->host);
	outcome->stage = xstrdup(smtp_stage_name(result->stage));
	outcome->reply = xstrdup(result->reply);
	outcome->reason = xstrdup(result->disposition.reason);
	outcome->summary = summary_of(outcome);
	outcome->sent_as = xstrdup(settlement->sent_as);
	if (settlement_has_failed(settlement))
		outcome->dialogue = xstrdup(settlement->dialogue);
}

bool settlement_has_failed(const struct settlement *settlement)
{
	const struct envelope *envelope = message_envelope(settlement->message);
	size_t i;

	for (i = 0; i < envelope->n_recipients; i++) {
		if (settlement->results[i].known &&
		    settlement_fate(&settlement->results[i]) != RECIPIENT_DELIVERED)
			return true;
	}
	return false;
}

/* Whoever is to send it now is not the one that could not. */
bool settlement_goes_elsewhere(const struct settlement *settlement)
{
	const char *account =
		queue_route(settlement->services->queue,
	                    message_envelope(settlement->message));

	return settlement->account == NULL ||
	       strcmp(account, settlement->account) != 0;
}

bool settlement_goes_at_once(const struct settlement *settlement)
{
	const struct envelope *envelope = message_envelope(settlement->message);
	bool account_failed = false;
	size_t i;

	for (i = 0; i < envelope->n_recipients; i++) {
		const struct settlement_result *result =
			&settlement->results[i];

		if (!result->known)
			continue;
		if (result->disposition.action == DISPOSITION_REWRITE)
			return true;
		account_failed |= disposition_is_of_account(
			&result->disposition);
	}
	return account_failed ? settlement_goes_elsewhere(settlement)
	                      : is_part(settlement);
}

/* What the catalogue knows of words that defer a message: not before. */
static int64_t known_wait(const struct settlement *settlement)
{
	size_t i, n = message_envelope(settlement->message)->n_recipients;
	int64_t wait = 0;

	for (i = 0; i < n; i++) {
		const struct disposition *disposition =
			&settlement->results[i].disposition;

		if (disposition->action == DISPOSITION_RETRY &&
		    disposition->wait_ms > wait)
			wait = disposition->wait_ms;
	}
	return wait;
}

static int64_t wait_of(const struct settlement *settlement, unsigned attempts)
{
	int64_t wait;

	if (settlement_goes_at_once(settlement))
		return 0;
	wait = schedule_wait(&settlement->config->relay.retry, attempts,
	                     random_u32());
	return wait > known_wait(settlement) ? wait : known_wait(settlement);
}

/* Of those that have failed before this attempt; 0: none has. */
static int64_t first_failed_ms(const struct envelope *envelope)
{
	int64_t first_ms = 0;
	size_t i;

	for (i = 0; i < envelope->n_recipients; i++) {
		const struct recipient *to = &envelope->recipients[i];

		if (to->state == RECIPIENT_FAILED &&
		    (first_ms == 0 || to->finished_ms < first_ms))
			first_ms = to->finished_ms;
	}
	return first_ms;
}

static struct outcome *make_outcome(const struct settlement *settlement,
                                    bool over)
{
	const struct envelope *envelope = message_envelope(settlement->message);
	struct outcome *outcome = outcome_new(envelope->id);

	outcome->attempts = is_part(settlement) ? envelope->attempts
	                                        : settlement_attempts(settlement);
	outcome->ended_ms = wall_now_ms();
	outcome->state = add_recipients(outcome, settlement, over);
	add_attempt(outcome, settlement);
	if (outcome->state == MESSAGE_QUEUED)
		outcome->next_attempt_ms =
			steady_now_ms() +
			wait_of(settlement, outcome->attempts);
	else
		outcome->finished_ms = outcome->ended_ms;
	if (settlement->to_device)
		outcome->state = MESSAGE_REFUSED;
	outcome->drop_body = outcome->state == MESSAGE_DELIVERED ||
	                     outcome->state == MESSAGE_REFUSED;
	outcome->notice = notice_after(settlement->config, envelope,
	                               outcome->state,
	                               first_failed_ms(envelope),
	                               outcome->ended_ms);
	return outcome;
}

static void forget_result(struct settlement_result *result)
{
	disposition_forget(&result->disposition);
	free(result->reply);
}

void settlement_drop(struct settlement *settlement)
{
	const struct envelope *envelope = message_envelope(settlement->message);
	size_t i;

	for (i = 0; i < envelope->n_recipients; i++)
		forget_result(&settlement->results[i]);
	free(settlement->results);
	settlement->results = NULL;
}

/* Who sends again what has failed, even in part, means it. */
static void forget_failed(struct repeats *repeats,
                          const struct outcome *outcome)
{
	size_t i;

	for (i = 0; i < outcome->n_recipients; i++) {
		if (outcome->recipients[i].state == RECIPIENT_FAILED) {
			repeats_forget(repeats, outcome->id);
			return;
		}
	}
}

void settlement_commit(struct settlement *settlement)
{
	bool over = is_over(settlement, steady_now_ms());
	struct message *message = settlement->message;
	struct outcome *outcome;

	if (settlement_goes_to_device(settlement))
		settlement_give_back(settlement);
	outcome = make_outcome(settlement, over);
	forget_failed(settlement->services->repeats, outcome);
	if (!settlement->to_device)
		settlement_tell_device(settlement, outcome->state);
	settlement_log(settlement, over);
	settlement_drop(settlement);
	queue_settle(settlement->services->queue, message, &outcome);
}

void settlement_expire(struct services *services, const struct config *config,
                       struct message *message)
{
	const struct envelope *envelope = message_envelope(message);
	struct settlement settlement;
	struct disposition expired = disposition_of_expiry(config);
	size_t i;

	settlement_init(&settlement, services, config, message);
	settlement.started_ms = 0;
	expired.action = DISPOSITION_RETRY; /* so that it is told as expired */
	for (i = 0; i < envelope->n_recipients; i++) {
		if (envelope->recipients[i].state == RECIPIENT_QUEUED)
			settlement_result(&settlement, i, expired,
			                  SMTP_STAGE_READY,
			                  envelope->recipients[i].reply);
	}
	settlement_commit(&settlement);
}
