#include "relay/inbound/transaction_private.h"

#include <stdlib.h>
#include <string.h>

#include "proto/xalloc.h"
#include "relay/report/log.h"

void transaction_conclude(struct transaction *t, int code,
                          const char *status, const char *text)
{
	struct smtp_reply reply = smtp_reply_make(code, status, text);

	transaction_reply(t, &reply);
}

void transaction_reply(struct transaction *t, const struct smtp_reply *reply)
{
	repeats_answer(&t->claim, reply, loop_now_ms(t->services->loop));
	t->committing = false;
	t->callbacks->on_done(t->ctx, reply);
}

static void conclude_failed(struct transaction *t, bool full)
{
	if (full)
		transaction_conclude(t, 452, "4.3.1", "The disk is full, try again later");
	else
		transaction_conclude(
			t, 451, "4.3.0",
			"The message could not be stored, try again later");
}

/* What the provider will say to this sender, by its preset. */
static char *provider_warning(const struct transaction *t,
                              const struct envelope *envelope)
{
	struct send_as sender;
	char *warning;

	transaction_sender(envelope,
	                   config_account(t->config, envelope->account),
	                   envelope->rule == NULL
	                           ? NULL
	                           : config_rule(t->config, envelope->rule),
	                   &sender);
	warning = xstrdup(sender.warning);
	send_as_free(&sender);
	return warning;
}

static void log_accepted(const struct transaction *t,
                         const struct envelope *envelope)
{
	char *to = envelope_recipient_list(envelope, RECIPIENT_QUEUED, 500);
	char *warning = provider_warning(t, envelope);
	char id[MESSAGE_ID_TEXT], first[MESSAGE_ID_TEXT];

	message_id_print(t->first, first);
	log_event(warning != NULL ? LOG_WARN : LOG_INFO, EVENT_ACCEPTED,
	          F_STR("id", message_id_print(envelope->id, id)),
	          F_STR("part_of", envelope->id == t->first ? NULL : first),
	          F_STR("client", envelope->client),
	          F_STR("device", envelope->device),
	          F_STR("listener", envelope->listener),
	          F_STR("user", t->origin.user),
	          F_STR("from", envelope->reverse_path), F_STR("to", to),
	          F_INT("size", envelope->size),
	          F_STR("subject", envelope->subject),
	          F_STR("account", envelope->account),
	          F_STR("rule", envelope->rule), F_STR("warning", warning));
	free(warning);
	free(to);
}

static void enqueue(struct transaction *t)
{
	char *bytes = body_take_bytes(t->body);
	size_t i;

	body_free(&t->body);
	for (i = 0; i < t->n_envelopes; i++) {
		log_accepted(t, t->envelopes[i]);
		/* The clock may have jumped while the disk was at it. */
		t->envelopes[i]->expires_ms =
			steady_now_ms() + t->config->relay.expire_ms;
		queue_add(t->services->queue, &t->envelopes[i],
		          i == 0 ? bytes : NULL);
	}
}

static void on_accepted(void *ctx, const char *error, bool full)
{
	struct transaction *t = ctx;
	char text[80] = "Queued as ";
	bool waits;

	if (error != NULL) {
		conclude_failed(t, full);
		return;
	}
	message_id_print(t->first, text + strlen(text));
	waits = transaction_await_verdict(t);
	enqueue(t);
	if (!waits)
		transaction_conclude(t, 250, "2.0.0", text);
}

void transaction_commit(void *ctx, const char *error, bool full)
{
	struct transaction *t = ctx;

	if (error != NULL) {
		conclude_failed(t, full);
		return;
	}
	t->draft->size = body_size(t->body);
	t->draft->expires_ms = steady_now_ms() + t->config->relay.expire_ms;
	t->draft->checksum = body_checksum(t->body);
	t->draft->body_in_file = body_is_file(t->body);
	t->envelopes = destinations_divide(&t->destinations, &t->draft,
	                                   &t->n_envelopes);
	t->first = t->envelopes[0]->id;
	transaction_name_repeats(t);
	store_accept(t->services->store, t->envelopes, t->n_envelopes, t->body,
	             on_accepted, t);
}

struct envelope *transaction_drop(struct transaction **transaction)
{
	struct envelope *envelope = (*transaction)->draft;

	(*transaction)->draft = NULL;
	transaction_free(transaction);
	return envelope;
}
