#include "relay/inbound/transaction_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/xalloc.h"
#include "relay/report/log.h"

/* Strings with their ends, so that no two lists of them are alike. */
static void add_string(struct digest *digest, const char *string)
{
	digest_add(digest, string, strlen(string) + 1);
}

void transaction_watch(struct transaction *t)
{
	size_t i;

	if (!t->origin.listener->drop_repeats || t->services->repeats == NULL)
		return;
	t->digest = digest_new();
	add_string(t->digest, t->draft->client);
	add_string(t->digest, t->draft->reverse_path);
	for (i = 0; i < t->draft->n_recipients; i++)
		add_string(t->digest, t->draft->recipients[i].address);
	add_string(t->digest, "");
}

void transaction_watch_chunk(struct transaction *t, struct text chunk)
{
	if (t->digest != NULL)
		digest_add(t->digest, chunk.data, chunk.len);
}

static void log_repeated(const struct transaction *t, message_id first)
{
	char id[MESSAGE_ID_TEXT];

	log_event(LOG_INFO, EVENT_REPAIRED,
	          F_STR("id", message_id_print(first, id)),
	          F_STR("client", t->draft->client),
	          F_STR("device", t->draft->device),
	          F_STR("from", t->draft->reverse_path),
	          F_STR("repairs", "message sent again: taken once"));
}

static void on_answer(void *ctx, message_id first,
                      const struct smtp_reply *reply)
{
	struct transaction *t = ctx;

	if (smtp_reply_positive(reply))
		log_repeated(t, first);
	transaction_reply(t, reply);
}

static struct repeat_mark mark_of(struct transaction *t)
{
	unsigned repairs = intake_repairs(t->intake);
	struct repeat_mark mark = {
		.has_id = (repairs & (INTAKE_REPAIR(MESSAGE_ID) |
		                      INTAKE_REPAIR(MESSAGE_ID_REPLACED))) == 0,
		.has_date = (repairs & (INTAKE_REPAIR(DATE) |
		                        INTAKE_REPAIR(DATE_REPLACED))) == 0,
	};

	digest_end(&t->digest, mark.digest);
	return mark;
}

enum repeat_verdict transaction_look_back(struct transaction *t,
                                          struct smtp_reply *reply_r)
{
	static char words[80];
	enum repeat_verdict verdict;
	struct repeat_mark mark;
	char id[MESSAGE_ID_TEXT];

	if (t->digest == NULL)
		return REPEAT_NEW;
	mark = mark_of(t);
	t->claim.on_answer = on_answer;
	t->claim.ctx = t;
	verdict = repeats_claim(t->services->repeats, &t->claim, &mark,
	                        loop_now_ms(t->services->loop));
	if (verdict == REPEAT_ACCEPTED) {
		log_repeated(t, t->claim.first);
		snprintf(words, sizeof words, "Queued as %s already",
		         message_id_print(t->claim.first, id));
		*reply_r = smtp_reply_make(250, "2.0.0", words);
	}
	return verdict;
}

void transaction_name_repeats(struct transaction *t)
{
	message_id *ids = xcalloc(t->n_envelopes, sizeof *ids);
	size_t i;

	for (i = 0; i < t->n_envelopes; i++)
		ids[i] = t->envelopes[i]->id;
	repeats_name(&t->claim, ids, t->n_envelopes);
	free(ids);
}
