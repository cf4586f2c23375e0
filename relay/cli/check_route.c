#include "relay/cli/check_route.h"

#include <stdlib.h>
#include "proto/buf.h"
#include "proto/xalloc.h"
#include "relay/config/config_print.h"
#include "relay/config/value.h"
#include "relay/policy/router.h"
#include "relay/policy/send_as.h"

/* A rule that may decide, with all that hangs on it. */
struct candidate {
	const struct config *config;
	const struct listener_config *listener;
	const struct check_query *query;
	struct route_query facts;
	struct route route;
	bool certain;      /* it decides, whatever else the mail holds */
};

struct candidates {
	struct candidate *list;
	size_t n;
};

static void add(struct candidates *candidates, struct candidate *like,
		const struct rule_config *rule, bool certain)
{
	struct candidate *candidate = &candidates->list[candidates->n++];

	*candidate = *like;
	candidate->route.rule = rule;
	candidate->route.account = rule_account(like->config, rule);
	candidate->certain = certain;
}

/* Up to the first that is certain; none at all is, too. */
static struct candidates find(const struct config *config,
			      const struct listener_config *listener,
			      const struct check_query *query)
{
	struct candidates found = {
		xcalloc(config->n_rules + 1, sizeof(*found.list)), 0
	};
	struct candidate like = {
		.config = config,
		.listener = listener,
		.query = query,
		.facts = { .client = query->client,
			   .device = config_device(config, query->client),
			   .listener = listener->name,
			   .from = query->from,
			   .to = query->to,
			   .header_known = query->from != NULL,
			   .header_from = query->from },
	};

	for (size_t i = 0; i < config->n_rules; i++) {
		enum rule_match match =
			rule_match(&config->rules[i], &like.facts);

		if (match == RULE_FAILS)
			continue;
		add(&found, &like, &config->rules[i], match == RULE_MATCHES);
		if (match == RULE_MATCHES)
			return found;
	}
	add(&found, &like, NULL, found.n == 0);
	return found;
}

/* ---- words ---- */

static void add_condition(struct buf *out, const char *what,
			  const struct word_list *patterns)
{
	if (patterns->n == 0)
		return;
	buf_printf(out, "%s %s matches ", buf_len(out) > 0 ? " and" : "", what);
	value_print(VALUE_PATTERNS, patterns, out);
}

/* What must be so besides, for the rule to decide. */
static void explain_open(const struct candidate *candidate, struct buf *out)
{
	const struct rule_config *rule = candidate->route.rule;
	struct buf conditions = BUF_INIT(1 << 20);

	if (candidate->query->from == NULL) {
		add_condition(&conditions, "from", &rule->from);
		add_condition(&conditions, "From", &rule->header_from);
	}
	if (candidate->query->to == NULL)
		add_condition(&conditions, "to", &rule->to);
	buf_printf(out, "rule %s", rule->name);
	if (rule->line > 0)
		buf_printf(out, ", line %u", rule->line);
	buf_printf(out, ": if%s", buf_string(&conditions));
	buf_free(&conditions);
}

static void explain(const struct candidate *candidate, struct buf *out)
{
	if (candidate->certain)
		route_explain(out, &candidate->route, &candidate->facts);
	else if (candidate->route.rule)
		explain_open(candidate, out);
	else
		buf_puts(out, "no other rule matches: the first account");
}

static uint64_t size_limit(const struct candidate *candidate)
{
	uint64_t size = candidate->config->relay.max_message_size;
	uint64_t max = candidate->route.account->max_message_size;

	return max > 0 && max < size ? max : size;
}

static void decide(const struct candidate *candidate, struct send_as *decision)
{
	struct send_as_query query = {
		.account = candidate->route.account,
		.rule = candidate->route.rule,
		.reverse_path = candidate->query->from,
		.header_from = candidate->query->from,
	};

	if (*query.reverse_path == '\0')
		query.header_from = NULL;
	send_as_decide(&query, decision);
}

static const char *policy_words(const struct account_config *account)
{
	switch (account->sender_policy) {
	case SENDER_REJECT:
		return "any other sender is refused";
	case SENDER_PASS:
		return "any other sender is passed on as it is";
	case SENDER_REWRITE:
	default:
		return "any other sender is replaced by ";
	}
}

/* ---- as text ---- */

static void print_any_sender(FILE *out, const struct candidate *candidate)
{
	const struct account_config *account = candidate->route.account;
	const struct rule_config *rule = candidate->route.rule;
	const char *identity = account_identity(account);
	struct buf senders = BUF_INIT(1 << 20);

	if (rule && rule->send_as.address) {
		fprintf(out, "    sender   any goes out as <%s>, by send_as\n",
			rule->send_as.address);
		return;
	}
	if (rule && rule->on_behalf) {
		fprintf(out, "    sender   any stays in From, Sender and "
			     "envelope become <%s>\n",
			identity ? identity : "");
		return;
	}
	value_print(VALUE_SENDERS, &account->senders, &senders);
	fprintf(out, "    sender   may be %s; %s%s\n",
		buf_len(&senders) > 0 ? buf_string(&senders) : "nobody",
		policy_words(account),
		account->sender_policy == SENDER_REWRITE && identity
			? identity
			: "");
	buf_free(&senders);
}

static void print_decision(FILE *out, const char *from,
			   const struct send_as *decision)
{
	fprintf(out, "    sender   <%s> ", from);
	if (decision->verdict == SEND_AS_REJECTED) {
		fprintf(out, "is refused (%s)\n", decision->reason);
		return;
	}
	fprintf(out, "goes out as <%s>", decision->reverse_path);
	if (decision->from &&
	    !text_is(text_of(decision->from), decision->reverse_path))
		fprintf(out, ", From <%s>", decision->from);
	if (decision->sender)
		fprintf(out, ", From stays, Sender <%s>", decision->sender);
	if (decision->reply_to.kind == REPLY_TO_ADDRESS)
		fprintf(out, ", answers to <%s>", decision->reply_to.address);
	fprintf(out, " (%s)\n", decision->reason);
	if (decision->warning)
		fprintf(out, "    warning  %s\n", decision->warning);
}

static void print_sender(FILE *out, const struct candidate *candidate)
{
	struct send_as decision;

	if (!candidate->query->from) {
		print_any_sender(out, candidate);
		return;
	}
	decide(candidate, &decision);
	print_decision(out, candidate->query->from, &decision);
	send_as_free(&decision);
}

static void print_account(FILE *out, const struct candidate *candidate)
{
	const struct account_config *account = candidate->route.account;

	fprintf(out, "    account  %s, by %s:%u", account->name, account->host,
		account->port);
	if (account->failover)
		fprintf(out, "; by %s while it is paused or cannot be reached",
			account->failover);
	putc('\n', out);
}

static void print_recipient(FILE *out, const struct candidate *candidate)
{
	const struct rule_config *rule = candidate->route.rule;
	const char *to = candidate->query->to;
	char *becomes = NULL;

	if (to)
		becomes = rule_recipient(rule, candidate->route.account,
					 text_of(to));
	if (becomes)
		fprintf(out, "    to       <%s> becomes <%s>\n", to, becomes);
	if (rule && rule->bcc)
		fprintf(out, "    bcc      a copy goes to <%s>\n", rule->bcc);
	free(becomes);
}

static void print_limits(FILE *out, const struct candidate *candidate)
{
	uint64_t limit = size_limit(candidate);
	struct buf size = BUF_INIT(64);

	value_print(VALUE_SIZE, &limit, &size);
	fprintf(out,
		"    limits   messages up to %s, %u recipients each, "
		"%u connections at a time",
		buf_string(&size), candidate->listener->max_recipients,
		candidate->listener->max_connections_per_client);
	if (candidate->listener->messages_per_minute_per_client > 0)
		fprintf(out, ", %u messages a minute",
			candidate->listener->messages_per_minute_per_client);
	fputc('\n', out);
	buf_free(&size);
}

/* The line has said the word. */
static const char *without_rule(struct buf *why)
{
	const char *words = buf_string(why);

	return text_starts(buf_text(why), "rule ") ? words + 5 : words;
}

static void print_candidate(FILE *out, const struct candidate *candidate)
{
	const struct rule_config *rule = candidate->route.rule;
	struct buf why = BUF_INIT(1 << 20);

	explain(candidate, &why);
	if (candidate->config->n_rules > 0)
		fprintf(out, "    rule     %s\n", without_rule(&why));
	buf_free(&why);
	if (rule && rule->reject) {
		fprintf(out, "    refused  550 5.7.1 %s\n", rule->reject);
		return;
	}
	print_account(out, candidate);
	print_sender(out, candidate);
	print_recipient(out, candidate);
	print_limits(out, candidate);
}

void check_routes_print(FILE *out, const struct config *config,
			const struct listener_config *listener,
			const struct check_query *query)
{
	struct candidates found = find(config, listener, query);

	for (size_t i = 0; i < found.n; i++)
		print_candidate(out, &found.list[i]);
	free(found.list);
}

/* ---- as JSON ---- */

static json_t *sender_to_json(const struct candidate *candidate)
{
	const char *from = candidate->query->from;
	json_t *sender = json_object();
	struct send_as decision;

	decide(candidate, &decision);
	json_object_set_new(sender, "from", config_json_text(from));
	json_object_set_new(sender, "allowed",
			    json_boolean(decision.verdict == SEND_AS_OK));
	json_object_set_new(sender, "sends_as",
			    config_json_text(decision.reverse_path));
	json_object_set_new(sender, "header_from",
			    config_json_text(decision.from ? decision.from
							   : from));
	json_object_set_new(sender, "sender",
			    config_json_text(decision.sender));
	json_object_set_new(sender, "reason",
			    config_json_text(decision.reason));
	json_object_set_new(sender, "warning",
			    config_json_text(decision.warning));
	send_as_free(&decision);
	return sender;
}

static void add_account(json_t *object, const struct candidate *candidate)
{
	const struct account_config *account = candidate->route.account;
	const struct rule_config *rule = candidate->route.rule;
	const char *to = candidate->query->to;

	json_object_set_new(object, "account", config_json_text(account->name));
	json_object_set_new(object, "failover",
			    config_json_text(account->failover));
	if (candidate->query->from)
		json_object_set_new(object, "sender",
				    sender_to_json(candidate));
	if (to) {
		char *becomes = rule_recipient(rule, account, text_of(to));

		json_object_set_new(object, "to",
				    config_json_text(becomes ? becomes : to));
		free(becomes);
	}
	if (rule && rule->bcc)
		json_object_set_new(object, "bcc", config_json_text(rule->bcc));
}

static json_t *candidate_to_json(const struct candidate *candidate)
{
	const struct rule_config *rule = candidate->route.rule;
	struct buf why = BUF_INIT(1 << 20);
	json_t *object = json_object();

	explain(candidate, &why);
	json_object_set_new(object, "rule",
			    config_json_text(rule ? rule->name : NULL));
	json_object_set_new(object, "certain",
			    json_boolean(candidate->certain));
	json_object_set_new(object, "why", config_json_text(buf_string(&why)));
	if (rule && rule->reject)
		json_object_set_new(object, "reject",
				    config_json_text(rule->reject));
	else
		add_account(object, candidate);
	json_object_set_new(
		object, "limits",
		json_pack("{s:I, s:i, s:i, s:i}", "max_message_size",
			  (json_int_t)size_limit(candidate), "max_recipients",
			  (int)candidate->listener->max_recipients,
			  "max_connections_per_client",
			  (int)candidate->listener
				  ->max_connections_per_client,
			  "messages_per_minute_per_client",
			  (int)candidate->listener
				  ->messages_per_minute_per_client));
	buf_free(&why);
	return object;
}

void check_routes_json(json_t *object, const struct config *config,
		       const struct listener_config *listener,
		       const struct check_query *query)
{
	struct candidates found = find(config, listener, query);
	json_t *routes = json_array();

	for (size_t i = 0; i < found.n; i++)
		json_array_append_new(routes,
				      candidate_to_json(&found.list[i]));
	if (found.n == 1)
		json_object_update(object, json_array_get(routes, 0));
	json_object_set_new(object, "routes", routes);
	free(found.list);
}
