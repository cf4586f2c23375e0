#include "relay/admin/views.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/printable.h"
#include "relay/config/provider.h"
#include "relay/queue/breaker.h"
#include "relay/report/catalogue.h"

enum { TEXT_MAX = 64 * 1024, FIX_MAX = 4000 };

/* ---- members ---- */

static json_t *mended(const char *text)
{
	struct buf buf = BUF_INIT(8 * TEXT_MAX);
	json_t *value;

	printable_append(&buf, text_of(text), TEXT_MAX);
	value = json_string(buf_string(&buf));
	buf_free(&buf);
	return value;
}

json_t *view_text(const char *text)
{
	json_t *value = text == NULL ? json_null() : json_string(text);

	return value != NULL ? value : mended(text);
}

void view_set_text(json_t *object, const char *key, const char *text)
{
	json_object_set_new(object, key, view_text(text));
}

void view_set_number(json_t *object, const char *key, int64_t number)
{
	json_object_set_new(object, key, json_integer(number));
}

void view_set_time(json_t *object, const char *key, int64_t wall_ms)
{
	time_t seconds = (time_t)(wall_ms / 1000);
	char text[40];
	struct tm tm;

	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ",
	         gmtime_r(&seconds, &tm));
	view_set_text(object, key, wall_ms == 0 ? NULL : text);
}

static const char *username_of(const struct config *config, const char *name)
{
	const struct account_config *account =
		name == NULL ? NULL : config_account(config, name);

	return account == NULL ? NULL : account->username;
}

/* The null reverse-path is no address that could be granted anything. */
static const char *address_of(const char *sender)
{
	return sender != NULL && *sender != '\0' ? sender : NULL;
}

void view_set_words(json_t *object, const struct config *config,
                    const char *reason, const char *account,
                    const char *sender)
{
	const struct catalogue_entry *entry =
		reason == NULL ? NULL
	                       : catalogue_by_id(config->catalogue, reason);
	struct buf fix = BUF_INIT(FIX_MAX);

	if (entry != NULL)
		catalogue_print_fix(&fix, entry, username_of(config, account),
		                    address_of(sender));
	view_set_text(object, "title", entry ? entry->title : NULL);
	view_set_text(object, "explanation", entry ? entry->explanation : NULL);
	view_set_text(object, "fix", entry ? buf_string(&fix) : NULL);
	buf_free(&fix);
}

/* ---- messages ---- */

static bool is_unfinished(const struct envelope *envelope)
{
	return envelope->state == MESSAGE_QUEUED ||
	       envelope->state == MESSAGE_HELD;
}

static json_t *addresses(const struct envelope *envelope)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < envelope->n_recipients; i++) {
		const struct recipient *to = &envelope->recipients[i];

		if (!is_unfinished(envelope) || to->state == RECIPIENT_QUEUED)
			json_array_append_new(list, view_text(to->address));
	}
	return list;
}

/* The recipient whose words stand for the message: one that waits or has
 * failed, where there is one. */
static const struct recipient *spokesman(const struct envelope *envelope)
{
	enum recipient_state wanted =
		is_unfinished(envelope) ? RECIPIENT_QUEUED : RECIPIENT_FAILED;
	const struct recipient *other = NULL;
	size_t i;

	for (i = 0; i < envelope->n_recipients; i++) {
		const struct recipient *to = &envelope->recipients[i];

		if (to->reply == NULL)
			continue;
		if (to->state == wanted)
			return to;
		if (!is_unfinished(envelope))
			other = to;
	}
	return other;
}

json_t *view_message(const struct envelope *envelope)
{
	const struct recipient *words = spokesman(envelope);
	char id[MESSAGE_ID_TEXT];
	json_t *row = json_object();

	view_set_text(row, "id", message_id_print(envelope->id, id));
	view_set_time(row, "time", envelope->received_ms);
	view_set_text(row, "client", envelope->client);
	view_set_text(row, "device", envelope->device);
	view_set_text(row, "from", envelope->reverse_path);
	json_object_set_new(row, "to", addresses(envelope));
	view_set_text(row, "subject", envelope->subject);
	view_set_number(row, "size", (int64_t)envelope->size);
	view_set_text(row, "state", message_state_name(envelope->state));
	view_set_text(row, "account", envelope->account);
	view_set_text(row, "rule", envelope->rule);
	view_set_number(row, "attempts", envelope->attempts);
	view_set_text(row, "reason", envelope->reason);
	view_set_text(row, "reply", words ? words->reply : NULL);
	view_set_time(row, "next_attempt",
	              envelope->state == MESSAGE_QUEUED
	                      ? envelope->next_attempt_ms : 0);
	view_set_time(row, "finished", envelope->finished_ms);
	return row;
}

static json_t *find_account(json_t *accounts, const char *name)
{
	json_t *account;
	size_t i;

	json_array_foreach(accounts, i, account) {
		const char *its = json_string_value(
			json_object_get(account, "name"));

		if (its != NULL && name != NULL && strcmp(its, name) == 0)
			return account;
	}
	return NULL;
}

/* In which state its account keeps it from going, or NULL. */
static const char *obstacle(json_t *accounts, const char *name)
{
	json_t *account = find_account(accounts, name);
	const char *state =
		json_string_value(json_object_get(account, "state"));

	if (state == NULL || strcmp(state, "ok") == 0 ||
	    json_is_string(json_object_get(account, "failover")))
		return NULL;
	return state;
}

/* The limit that its account has used up, or NULL; a slow disk is none. */
static const char *used_up(json_t *accounts, const char *name)
{
	json_t *account = find_account(accounts, name);
	const char *limit =
		json_string_value(json_object_get(account, "held_up_by"));

	return limit == NULL || strcmp(limit, "disk") == 0 ? NULL : limit;
}

void view_set_waits_for(json_t *row, const struct envelope *envelope,
                        json_t *accounts, int64_t now_ms)
{
	const char *state = obstacle(accounts, envelope->account);
	const char *limit = used_up(accounts, envelope->account);
	struct buf words = BUF_INIT(2000);

	if (envelope->state == MESSAGE_HELD)
		buf_puts(&words, "its release");
	else if (state != NULL)
		buf_printf(&words, "account %.200s, which is %s",
		           envelope->account, state);
	else if (envelope->next_attempt_ms > now_ms)
		buf_puts(&words, "its next attempt");
	else if (limit != NULL)
		buf_printf(&words, "room in %.40s of account %.200s", limit,
		           envelope->account);
	else
		buf_puts(&words, "its turn");
	view_set_text(row, "waits_for", buf_string(&words));
	buf_free(&words);
}

/* ---- the whole story ---- */

static json_t *view_recipient(const struct recipient *to,
                              const struct envelope *envelope,
                              const struct config *config)
{
	json_t *row = json_object();

	view_set_text(row, "address", to->address);
	view_set_text(row, "state", recipient_state_name(to->state));
	view_set_text(row, "reply", to->reply);
	view_set_text(row, "reason", to->reason);
	view_set_words(row, config, to->reason, envelope->account,
	               envelope->reverse_path);
	view_set_time(row, "finished", to->finished_ms);
	json_object_set_new(
		row, "delay_ms",
		to->finished_ms == 0
			? json_null()
			: json_integer(to->finished_ms - envelope->received_ms));
	return row;
}

static json_t *view_attempt(const struct attempt *attempt,
                            const struct envelope *envelope,
                            const struct config *config)
{
	json_t *row = json_object();

	view_set_number(row, "n", attempt->n);
	view_set_time(row, "time", attempt->started_ms);
	view_set_number(row, "took_ms",
	                attempt->ended_ms - attempt->started_ms);
	view_set_text(row, "account", attempt->account);
	view_set_text(row, "sent_as", attempt->sent_as);
	view_set_text(row, "host", attempt->host);
	view_set_text(row, "stage", attempt->stage);
	view_set_text(row, "reply", attempt->reply);
	view_set_text(row, "reason", attempt->reason);
	view_set_words(row, config, attempt->reason, attempt->account,
	               attempt->sent_as ? attempt->sent_as
	                                : envelope->reverse_path);
	view_set_text(row, "summary", attempt->summary);
	view_set_text(row, "dialogue", attempt->dialogue);
	return row;
}

static const char *notice_word(enum notice_state notice)
{
	switch (notice) {
	case NOTICE_DUE:
		return "due";
	case NOTICE_MADE:
		return "made";
	case NOTICE_NONE:
		break;
	}
	return NULL;
}

json_t *view_story(const struct story *story, const struct config *config)
{
	const struct envelope *envelope = story->envelope;
	json_t *row = view_message(envelope), *list;
	size_t i;

	view_set_words(row, config, envelope->reason, envelope->account,
	               envelope->reverse_path);
	view_set_text(row, "listener", envelope->listener);
	view_set_text(row, "helo", envelope->helo);
	view_set_text(row, "header_from", envelope->header_from);
	view_set_text(row, "message_id", envelope->header_id);
	view_set_time(row, "expires", envelope->expires_ms);
	view_set_text(row, "notice", notice_word(envelope->notice));
	json_object_set_new(row, "is_notice",
	                    json_boolean(envelope->is_notice));
	json_object_set_new(row, "recipients", list = json_array());
	for (i = 0; i < envelope->n_recipients; i++)
		json_array_append_new(
			list, view_recipient(&envelope->recipients[i], envelope,
		                             config));
	json_object_set_new(row, "tries", list = json_array());
	for (i = 0; i < story->n_attempts; i++)
		json_array_append_new(list, view_attempt(&story->attempts[i],
		                                         envelope, config));
	return row;
}

/* ---- accounts ---- */

/* What is left of each limit, and when there is more. */
static json_t *view_budgets(const struct account_status *status)
{
	json_t *budgets = json_object();
	size_t i;

	for (i = 0; i < status->n_budgets; i++) {
		const struct budget_view *view = &status->budgets[i];

		json_object_set_new(
			budgets, budget_limit_key(view->limit),
			json_pack("{s:I, s:I, s:I, s:I, s:I, s:b}", "limit",
			          (json_int_t)view->allowed, "used",
			          (json_int_t)view->used, "left",
			          (json_int_t)view->left, "more_in_ms",
			          (json_int_t)view->refill_ms, "whole_in_ms",
			          (json_int_t)view->whole_ms, "slowed",
			          view->slow));
	}
	return budgets;
}

json_t *view_account(const struct account_status *status)
{
	json_t *row = json_object();

	view_set_text(row, "name", status->name);
	view_set_text(row, "provider", status->provider);
	view_set_text(row, "host", status->host);
	view_set_text(row, "username", status->username);
	view_set_text(row, "state", account_state_name(status->state));
	view_set_text(row, "reason", status->reason);
	view_set_text(row, "title", status->title);
	view_set_text(row, "explanation", status->explanation);
	view_set_text(row, "fix", status->fix);
	view_set_text(row, "reply", status->reply);
	view_set_time(row, "since", status->since_ms);
	view_set_time(row, "retry_at", status->retry_ms);
	view_set_text(row, "failover", status->failover);
	view_set_number(row, "waiting", (int64_t)status->waiting);
	view_set_number(row, "connections", (int64_t)status->connections);
	view_set_number(row, "delivered", (int64_t)status->delivered);
	view_set_number(row, "failed", (int64_t)status->failed);
	view_set_time(row, "last_success", status->last_success_ms);
	json_object_set_new(row, "budgets", view_budgets(status));
	view_set_text(row, "held_up_by",
	              status->goes_on_ms == 0
	                      ? NULL
	                      : status->held_up_by == BUDGET_LIMITS
	                      ? "disk" : budget_limit_key(status->held_up_by));
	view_set_number(row, "goes_on_in_ms", status->goes_on_ms);
	return row;
}

static const struct account_record *
find_record(const struct account_record *records, size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (strcmp(records[i].account, name) == 0)
			return &records[i];
	}
	return NULL;
}

json_t *view_resting_account(const struct account_config *account,
                             const struct config *config,
                             const struct account_record *records, size_t n)
{
	static const char *const counts[] = { "waiting", "connections",
		"delivered", "failed" };
	const struct account_record *record =
		find_record(records, n, account->name);
	struct account_status status = {
		.name = account->name,
		.provider = account->provider ? account->provider->name : NULL,
		.host = account->host,
		.username = account->username,
		.held_up_by = BUDGET_LIMITS,
	};
	json_t *row;
	size_t i;

	if (record != NULL) {
		status.state = account_state_of(
			(enum breaker_trouble)record->state);
		status.reason = record->reason;
		status.reply = record->reply;
		status.since_ms = record->since_ms;
		status.retry_ms = record->retry_ms;
	}
	row = view_account(&status);
	view_set_words(row, config, status.reason, account->name, NULL);
	for (i = 0; i < sizeof counts / sizeof *counts; i++)
		json_object_set_new(row, counts[i], json_null());
	return row;
}
