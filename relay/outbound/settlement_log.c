#include "relay/outbound/settlement_private.h"

#include <stdlib.h>
#include <string.h>

#include "relay/net/loop.h"
#include "relay/report/log.h"

enum { GROUP_MAX = 500 }; /* octets of addresses in a line of the log */

static bool same_fate(const struct settlement_result *a,
                      const struct settlement_result *b)
{
	return a->disposition.action == b->disposition.action &&
	       text_equal(text_of(a->disposition.reason),
	                  text_of(b->disposition.reason)) &&
	       text_equal(text_of(a->reply), text_of(b->reply));
}

static const struct {
	enum log_level level;
	enum log_event_name event;
} words[] = {
	[RECIPIENT_QUEUED] = { LOG_WARN, EVENT_DEFERRED },
	[RECIPIENT_DELIVERED] = { LOG_INFO, EVENT_DELIVERED },
	[RECIPIENT_FAILED] = { LOG_ERROR, EVENT_FAILED },
};

/* After a clock was set back nothing has been here for less than no time. */
static int64_t delay_of(const struct envelope *envelope)
{
	int64_t delay = wall_now_ms() - envelope->received_ms;

	return delay > 0 ? delay : 0;
}

static void log_group(const struct settlement *settlement,
                      const struct settlement_result *result, const char *to,
                      bool expired)
{
	const struct envelope *envelope = message_envelope(settlement->message);
	enum recipient_state state = settlement_fate(result);
	char id[MESSAGE_ID_TEXT];

	log_event(words[state].level,
	          expired ? EVENT_EXPIRED : words[state].event,
	          F_STR("id", message_id_print(envelope->id, id)),
	          F_STR("client", envelope->client),
	          F_STR("device", envelope->device),
	          F_STR("listener", envelope->listener),
	          F_STR("from", envelope->reverse_path),
	          F_STR("sent_as", settlement->sent_as), F_STR("to", to),
	          F_INT("size", envelope->size),
	          F_STR("rule", envelope->rule),
	          F_STR("account", settlement->account),
	          F_INT("attempt", settlement_attempts(settlement)),
	          F_STR("host", settlement->host),
	          F_STR("reply", result->reply),
	          F_STR("reason", result->disposition.reason),
	          F_STR("explanation", result->disposition.explanation),
	          F_STR("fix", result->disposition.fix),
	          F_STR("told", settlement->to_device ? "device" : NULL),
	          F_INT("delay_ms", delay_of(envelope)));
}

static bool add_address(struct buf *list, const char *address)
{
	if (buf_len(list) + 1 + strlen(address) > GROUP_MAX)
		return false;
	if (buf_len(list) > 0)
		buf_putc(list, ',');
	return buf_puts(list, address);
}

static bool in_group(const struct settlement *settlement, size_t i, size_t of)
{
	return settlement->results[i].known &&
	       same_fate(&settlement->results[i], &settlement->results[of]);
}

/* The recipients that share result i, of which none before i does. */
static char *group_of(const struct settlement *settlement, size_t i)
{
	const struct envelope *envelope = message_envelope(settlement->message);
	struct buf to = BUF_INIT(GROUP_MAX + 32);
	size_t j, left = 0;

	for (j = 0; j < i; j++) {
		if (in_group(settlement, j, i))
			return NULL;
	}
	for (; j < envelope->n_recipients; j++) {
		if (in_group(settlement, j, i) &&
		    (left > 0 ||
		     !add_address(&to, envelope->recipients[j].address)))
			left++;
	}
	if (left > 0)
		buf_printf(&to, " and %zu more", left);
	return buf_steal(&to);
}

void settlement_log(const struct settlement *settlement, bool over)
{
	const struct envelope *envelope = message_envelope(settlement->message);
	size_t i;

	for (i = 0; i < envelope->n_recipients; i++) {
		struct settlement_result *result = &settlement->results[i];
		char *to = result->known ? group_of(settlement, i) : NULL;

		if (to != NULL)
			log_group(settlement, result, to,
			          over && settlement_fate(result) == RECIPIENT_QUEUED);
		free(to);
	}
}
