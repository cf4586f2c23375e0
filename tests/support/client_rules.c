#include "tests/support/client_rules.h"

#include <string.h>

void client_rules_init(struct client_rules *rules, enum smtp_tls_policy tls)
{
	*rules = (struct client_rules){ .tls = tls };
	rules->is_secure = tls != SMTP_TLS_STARTTLS;
}

const char *client_rules_begin(struct client_rules *rules,
			       const struct smtp_transaction *transaction)
{
	struct client_rules_transaction *slot = &rules->open[0];

	if (!rules->ready || rules->over)
		return "can_begin() only in a session that is ready";
	if (slot->transaction != NULL)
		slot++;
	if (slot->transaction != NULL)
		return "at most two transactions are open";
	*slot = (struct client_rules_transaction){ .transaction = transaction };
	return NULL;
}

void client_rules_tls_established(struct client_rules *rules)
{
	rules->is_secure = true;
}

static struct client_rules_transaction *find(
	struct client_rules *rules, const struct smtp_transaction *transaction)
{
	for (size_t i = 0; i < 2; i++)
		if (transaction != NULL &&
		    rules->open[i].transaction == transaction)
			return &rules->open[i];
	return NULL;
}

static const char *on_recipient(struct client_rules_transaction *tx,
				const struct smtp_client_event *event)
{
	if (tx->body)
		return "recipients are answered before BODY";
	if (event->recipient != tx->answered)
		return "recipients are answered once each, in order";
	if (tx->answered >= tx->transaction->n_recipients)
		return "no more answers than recipients";
	if (event->reply.code == 0)
		return "RECIPIENT has a reply";
	tx->answered++;
	tx->accepted += smtp_reply_positive(&event->reply);
	return NULL;
}

static const char *on_body(struct client_rules_transaction *tx)
{
	if (tx->body)
		return "BODY comes once";
	if (tx->answered != tx->transaction->n_recipients)
		return "BODY follows the last RECIPIENT";
	if (tx->accepted == 0)
		return "BODY only with a recipient accepted";
	tx->body = true;
	return NULL;
}

static const char *on_done(struct client_rules *rules,
			   struct client_rules_transaction *tx,
			   const struct smtp_client_event *event)
{
	const char *broken = NULL;

	if (event->stage == SMTP_STAGE_DATA_END && !tx->body)
		broken = "no end of data without a body";
	else if (event->stage == SMTP_STAGE_DATA_END && event->reply.code == 0)
		broken = "the end of data has a reply";
	else if (event->stage == SMTP_STAGE_RCPT &&
		 (tx->accepted > 0 || event->reply.code != 0))
		broken = "DONE at RCPT: all were refused, no reply";
	else if (event->stage == SMTP_STAGE_MAIL && tx->answered > 0)
		broken = "a transaction refused at MAIL has no recipients";
	rules->open[0] = rules->open[1];
	rules->open[1] = (struct client_rules_transaction){ 0 };
	return broken;
}

static const char *on_transaction(struct client_rules *rules,
				  const struct smtp_client_event *event)
{
	struct client_rules_transaction *tx = find(rules, event->transaction);

	if (tx == NULL)
		return "the event names an open transaction";
	if (tx != &rules->open[0])
		return "the older transaction comes first";
	if (event->type == SMTP_CLIENT_EV_RECIPIENT)
		return on_recipient(tx, event);
	if (event->type == SMTP_CLIENT_EV_BODY)
		return on_body(tx);
	return on_done(rules, tx, event);
}

static const char *on_failed(struct client_rules *rules,
			     const struct smtp_client_event *event)
{
	rules->over = true;
	if (event->problem == SMTP_PROBLEM_NONE)
		return "FAILED has a problem";
	if (event->problem == SMTP_PROBLEM_REFUSED && event->reply.code == 0)
		return "a refusal has a reply";
	return NULL;
}

static const char *on_starttls(struct client_rules *rules)
{
	if (rules->tls != SMTP_TLS_STARTTLS || rules->asked_tls)
		return "STARTTLS once, and only where the policy asks for it";
	rules->asked_tls = true;
	return NULL;
}

static const char *on_ready(struct client_rules *rules)
{
	if (rules->ready)
		return "READY comes once";
	if (!rules->is_secure)
		return "READY only under the TLS that was asked for";
	rules->ready = true;
	return NULL;
}

const char *client_rules_event(struct client_rules *rules,
			       const struct smtp_client_event *event)
{
	if (event->type == SMTP_CLIENT_EV_NONE)
		return NULL;
	if (rules->over)
		return "nothing comes after FAILED or CLOSED";
	switch (event->type) {
	case SMTP_CLIENT_EV_STARTTLS:
		return on_starttls(rules);
	case SMTP_CLIENT_EV_READY:
		return on_ready(rules);
	case SMTP_CLIENT_EV_RECIPIENT:
	case SMTP_CLIENT_EV_BODY:
	case SMTP_CLIENT_EV_DONE:
		return on_transaction(rules, event);
	case SMTP_CLIENT_EV_FAILED:
		return on_failed(rules, event);
	case SMTP_CLIENT_EV_CLOSED:
		rules->over = true;
		return rules->open[0].transaction != NULL
			       ? "CLOSED with a transaction open"
			       : NULL;
	case SMTP_CLIENT_EV_NONE:
		break;
	}
	return "no such event";
}

const char *client_rules_output(const struct client_rules *rules,
				struct text bytes)
{
	if (rules->is_secure)
		return NULL;
	while (bytes.len > 0) {
		const char *end = memmem(bytes.data, bytes.len, "\r\n", 2);

		if (end == NULL)
			return "a command is written whole";
		if (!text_starts(bytes, "EHLO ") &&
		    !text_starts(bytes, "STARTTLS\r\n"))
			return "nothing but EHLO and STARTTLS before TLS";
		bytes = text_skip(bytes, (size_t)(end - bytes.data) + 2);
	}
	return NULL;
}
