#include "tests/provider/limits.h"

#include <stdlib.h>

#include "proto/xalloc.h"

static bool set(struct limits *limits, struct text key, uint64_t value)
{
	const struct {
		const char *key;
		uint64_t *field;
	} keys[] = {
		{ "minute", &limits->minute }, { "day", &limits->day },
		{ "connections", &limits->connections },
		{ "recipients", &limits->recipients },
	};
	size_t i;

	for (i = 0; i < sizeof keys / sizeof *keys; i++) {
		if (text_is(key, keys[i].key)) {
			*keys[i].field = value;
			return true;
		}
	}
	return false;
}

bool limits_parse(struct limits *limits, struct text list)
{
	struct text word, key;
	uint64_t value;

	while (text_token(&list, ' ', &word)) {
		if (word.len == 0)
			continue;
		if (!text_token(&word, '=', &key) ||
		    !text_to_u64(word, &value) || !set(limits, key, value))
			return false;
	}
	if (limits->minute > 0)
		limits->times = xcalloc(limits->minute, sizeof *limits->times);
	return true;
}

void limits_free(struct limits *limits)
{
	free(limits->times);
	limits->times = NULL;
}

static bool refuse(struct limits *limits, struct smtp_reply *refusal_r,
                   int code, const char *status, const char *words)
{
	limits->refused++;
	*refusal_r = smtp_reply_make(code, status, words);
	return false;
}

bool limits_recipient(struct limits *limits, size_t n,
                      struct smtp_reply *refusal_r)
{
	return limits->recipients == 0 || n < limits->recipients ||
	       refuse(limits, refusal_r, 452, "4.5.3", "Too many recipients");
}

static bool is_too_fast(const struct limits *limits, uint64_t now_ms)
{
	return limits->minute > 0 && limits->taken >= limits->minute &&
	       now_ms - limits->times[limits->taken % limits->minute] < 60000;
}

bool limits_message(struct limits *limits, size_t recipients,
                    uint64_t connections, uint64_t now_ms,
                    struct smtp_reply *refusal_r)
{
	if (limits->connections > 0 && connections > limits->connections)
		return refuse(limits, refusal_r, 432, "4.3.2",
		              "Concurrent connections limit exceeded. Visit "
		              "https://aka.ms/concurrent_sending for more "
		              "information.");
	if (limits->day > 0 && limits->sent_to + recipients > limits->day)
		return refuse(limits, refusal_r, 554, "5.2.0",
		              "STOREDRV.Submission.Exception:"
		              "SubmissionQuotaExceededException; Failed to "
		              "process message due to a permanent exception "
		              "with message The message can't be submitted "
		              "because the sender's submission quota was "
		              "exceeded.");
	if (is_too_fast(limits, now_ms))
		return refuse(limits, refusal_r, 432, "4.3.2",
		              "STOREDRV.ClientSubmit; sender thread limit "
		              "exceeded");
	if (limits->minute > 0)
		limits->times[limits->taken % limits->minute] = now_ms;
	limits->taken++;
	limits->sent_to += recipients;
	return true;
}
