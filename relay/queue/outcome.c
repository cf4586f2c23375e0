#include "relay/queue/store_job.h"

#include <stdlib.h>
#include "proto/xalloc.h"

struct outcome *outcome_new(message_id id)
{
	struct outcome *outcome = xcalloc(1, sizeof(*outcome));

	outcome->id = id;
	return outcome;
}

void outcome_add(struct outcome *outcome, size_t index,
		 enum recipient_state state, const char *reply,
		 const char *reason, int64_t finished_ms)
{
	struct outcome_recipient *recipient;

	outcome->recipients =
		xrealloc(outcome->recipients,
			 (outcome->n_recipients + 1) * sizeof(*recipient));
	recipient = &outcome->recipients[outcome->n_recipients++];
	recipient->index = index;
	recipient->state = state;
	recipient->reply = xstrdup(reply);
	recipient->reason = xstrdup(reason);
	recipient->finished_ms = finished_ms;
}

void outcome_free(struct outcome **outcome_ptr)
{
	struct outcome *outcome = *outcome_ptr;

	*outcome_ptr = NULL;
	if (!outcome)
		return;
	for (size_t i = 0; i < outcome->n_recipients; i++) {
		free(outcome->recipients[i].reply);
		free(outcome->recipients[i].reason);
	}
	free(outcome->recipients);
	free(outcome->reason);
	free(outcome->account);
	free(outcome->host);
	free(outcome->stage);
	free(outcome->reply);
	free(outcome->summary);
	free(outcome->sent_as);
	free(outcome->dialogue);
	free(outcome);
}
