#include "relay/notices/notice_audience.h"

#include "proto/smtp_path.h"

static void add(struct notice_audience *audience, const char *address)
{
	if (audience->n == 1 && text_is(text_of(audience->to[0]), address))
		return;
	audience->to[audience->n++] = address;
}

static bool is_address(const char *address)
{
	struct smtp_path path;

	return address != NULL && smtp_address_parse(text_of(address), &path);
}

static bool failed_for(const struct notice_case *one, const char *address)
{
	const struct envelope *envelope = one->envelope;
	size_t i;

	for (i = 0; i < envelope->n_recipients; i++) {
		if (envelope->recipients[i].state == RECIPIENT_FAILED &&
		    text_is(text_of(envelope->recipients[i].address), address))
			return true;
	}
	return false;
}

struct notice_audience notice_audience_of(const struct config *config,
					  const struct notice_case *one)
{
	const struct relay_config *relay = &config->relay;
	const char *sender = one->envelope->reverse_path;
	struct notice_audience audience = { .n = 0 };

	if (one->envelope->is_notice)
		return audience;
	if ((relay->notify & NOTIFY_POSTMASTER) && relay->postmaster != NULL &&
	    !failed_for(one, relay->postmaster))
		add(&audience, relay->postmaster);
	if ((relay->notify & NOTIFY_SENDER) && is_address(sender) &&
	    !failed_for(one, sender))
		add(&audience, sender);
	return audience;
}

bool notice_audience_is_each_sender(const struct config *config)
{
	return config->relay.postmaster == NULL;
}

struct notice_audience notice_audience_of_all(const struct config *config,
					      const char *sender)
{
	const struct relay_config *relay = &config->relay;
	struct notice_audience audience = { .n = 0 };

	if (relay->notify == NOTIFY_OFF)
		return audience;
	if (relay->postmaster != NULL)
		add(&audience, relay->postmaster);
	else if ((relay->notify & NOTIFY_SENDER) && is_address(sender))
		add(&audience, sender);
	return audience;
}

static bool is_heard(const struct config *config,
		     const struct envelope *envelope)
{
	const struct relay_config *relay = &config->relay;

	return ((relay->notify & NOTIFY_POSTMASTER) &&
		relay->postmaster != NULL) ||
	       ((relay->notify & NOTIFY_SENDER) &&
		is_address(envelope->reverse_path));
}

enum notice_state notice_after(const struct config *config,
			       const struct envelope *envelope,
			       enum message_state state,
			       int64_t first_failed_ms, int64_t now_ms)
{
	bool is_due = state == MESSAGE_FAILED ||
		      (state == MESSAGE_QUEUED && first_failed_ms != 0 &&
		       now_ms - first_failed_ms >= NOTICE_PATIENCE_MS);

	return is_due && !envelope->is_notice && is_heard(config, envelope)
		       ? NOTICE_DUE
		       : NOTICE_NONE;
}
