#include "relay/outbound/sender.h"

#include "relay/policy/router.h"

const char *sender_from(const struct send_as *sender,
                        const struct envelope *envelope)
{
	return sender->from != NULL ? sender->from : envelope->header_from;
}

static const struct rule_config *rule_of(const struct config *config,
                                         const struct account_config *account,
                                         const struct envelope *envelope,
                                         struct rule_config *copy)
{
	const struct rule_config *rule =
		envelope->rule ? config_rule(config, envelope->rule) : NULL;

	if (rule == NULL || rule_account(config, rule) == account)
		return rule;
	*copy = *rule;
	if (!account_may_send_as(account, rule->send_as.address))
		copy->send_as = (struct sender_value){ NULL, NULL };
	if (!account_may_send_as(account, envelope->header_from))
		copy->on_behalf = false;
	return copy;
}

/* What is ours goes out as the account, whichever it is. */
static bool speaks_for_itself(const struct account_config *account)
{
	return account->sender_policy != SENDER_PASS &&
	       account_identity(account) != NULL;
}

void sender_decide(const struct config *config, const struct refused *refused,
                   const struct account_config *account,
                   const struct envelope *envelope, struct send_as *out)
{
	struct rule_config copy;
	struct send_as_query query = {
		.account = account,
		.rule = rule_of(config, account, envelope, &copy),
		.reverse_path = envelope->reverse_path,
		.header_from = envelope->header_from,
		.as_itself = envelope->is_notice && speaks_for_itself(account),
	};

	send_as_decide(&query, out);
	if (out->verdict != SEND_AS_OK ||
	    (!refused_knows(refused, account, out->reverse_path) &&
	     !refused_knows(refused, account, sender_from(out, envelope))))
		return;
	send_as_free(out);
	query.as_itself = true;
	send_as_decide(&query, out);
}
