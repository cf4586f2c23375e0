#include "relay/cli/check_client.h"

#include <string.h>
#include "proto/buf.h"
#include "relay/config/config_keys.h"
#include "relay/config/config_print.h"
#include "relay/inbound/access.h"
#include "relay/policy/send_as.h"

/* What one listener says to the client. */
struct answer {
	const struct listener_config *listener;
	enum access_verdict verdict;
	struct buf network; /* of the list that decided; empty: none */
};

static void find_network(const struct network_list *list,
			 const struct address *client, struct buf *out)
{
	for (size_t i = 0; i < list->n; i++) {
		struct network_list one = { &list->networks[i], 1, false };

		if (!network_contains(&list->networks[i], client))
			continue;
		value_print(VALUE_NETWORKS, &one, out);
		return;
	}
	if (list->private && address_is_private(client))
		buf_puts(out, "private");
}

static void ask(const struct listener_config *listener,
		const struct address *client, struct answer *answer_r)
{
	struct gateways gateways;

	gateways_find(&gateways);
	*answer_r = (struct answer){
		.listener = listener,
		.verdict = access_check_behind(listener, client, &gateways),
		.network = BUF_INIT(256),
	};
	find_network(answer_r->verdict == ACCESS_DENIED ? &listener->deny
							: &listener->allow,
		     client, &answer_r->network);
}

static void explain(struct answer *answer, struct buf *out)
{
	switch (answer->verdict) {
	case ACCESS_ALLOWED:
		buf_printf(out, "allowed by %s in allow",
			   buf_string(&answer->network));
		break;
	case ACCESS_NOT_ALLOWED:
		buf_puts(out, "refused: no network in allow holds it");
		break;
	case ACCESS_GATEWAY:
		buf_puts(out, "refused: it is the container's gateway, behind "
			      "which anybody can be");
		break;
	case ACCESS_DENIED:
		buf_printf(out, "refused: %s in deny holds it",
			   buf_string(&answer->network));
		break;
	}
}

/* The lines of configuration that would let it in. */
static void advise(const struct answer *answer, const struct address *client,
		   struct buf *out)
{
	const struct listener_config *listener = answer->listener;
	char host[ADDRESS_TEXT_MAX];

	if (answer->verdict == ACCESS_DENIED) {
		buf_puts(out, "take it out of deny");
		return;
	}
	buf_puts(out, "allow = ");
	value_print(VALUE_NETWORKS, &listener->allow, out);
	buf_printf(out, ", %s", address_print(client, host));
	if (!address_is_private(client) && !listener->allow_public)
		buf_puts(out, "\nallow_public = yes");
}

static uint64_t size_limit(const struct config *config,
			   const struct account_config *account)
{
	uint64_t size = config->relay.max_message_size;

	if (account->max_message_size > 0 && account->max_message_size < size)
		size = account->max_message_size;
	return size;
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
		return "any other sender is replaced by";
	}
}

static void decide(const struct account_config *account, const char *from,
		   struct send_as *decision)
{
	struct send_as_query query = { .account = account,
				       .reverse_path = from,
				       .header_from = from };

	send_as_decide(&query, decision);
}

static void print_sender(FILE *out, const struct account_config *account,
			 const char *from)
{
	struct buf senders = BUF_INIT(1 << 20);
	struct send_as decision;

	if (from) {
		decide(account, from, &decision);
		fprintf(out, "    sender   <%s> %s%s%s (%s)\n", from,
			decision.verdict == SEND_AS_OK ? "goes out as <"
						       : "is refused",
			decision.verdict == SEND_AS_OK ? decision.reverse_path
						       : "",
			decision.verdict == SEND_AS_OK ? ">" : "",
			decision.reason);
		send_as_free(&decision);
		return;
	}
	value_print(VALUE_SENDERS, &account->senders, &senders);
	fprintf(out, "    sender   may be %s; %s%s%s\n",
		buf_len(&senders) > 0 ? buf_string(&senders) : "nobody",
		policy_words(account),
		account->sender_policy == SENDER_REWRITE ? " " : "",
		account->sender_policy == SENDER_REWRITE
			? account_identity(account)
			: "");
	buf_free(&senders);
}

static void print_allowed(FILE *out, const struct config *config,
			  const struct listener_config *listener,
			  const char *from)
{
	const struct account_config *account = &config->accounts[0];
	uint64_t limit = size_limit(config, account);
	struct buf size = BUF_INIT(64);

	value_print(VALUE_SIZE, &limit, &size);
	fprintf(out, "    account  %s, by %s:%u\n", account->name,
		account->host, account->port);
	print_sender(out, account, from);
	fprintf(out,
		"    limits   messages up to %s, %u recipients each, "
		"%u connections at a time\n",
		buf_string(&size), listener->max_recipients,
		listener->max_connections_per_client);
	buf_free(&size);
}

static void print_advice(FILE *out, const struct answer *answer,
			 const struct address *client)
{
	struct buf advice = BUF_INIT(1 << 20);
	struct text rest, line;

	advise(answer, client, &advice);
	rest = buf_text(&advice);
	fprintf(out, "    to admit it, in [listener %s]:\n",
		answer->listener->name);
	while (text_token(&rest, '\n', &line))
		fprintf(out, "        %.*s\n", TEXT_ARG(line));
	buf_free(&advice);
}

static void print_answer(FILE *out, const struct config *config,
			 struct answer *answer, const struct address *client,
			 const char *from)
{
	const struct listener_config *listener = answer->listener;
	struct buf address = BUF_INIT(1 << 20), reason = BUF_INIT(512);

	value_print(VALUE_ADDRESSES, &listener->address, &address);
	explain(answer, &reason);
	fprintf(out, "  listener %s (%s): %s\n", listener->name,
		buf_string(&address), buf_string(&reason));
	if (answer->verdict == ACCESS_ALLOWED)
		print_allowed(out, config, listener, from);
	else
		print_advice(out, answer, client);
	buf_free(&address);
	buf_free(&reason);
}

void check_client_print(FILE *out, const struct config *config,
			const struct address *client, const char *from)
{
	char host[ADDRESS_TEXT_MAX];

	fprintf(out, "client %s\n", address_print(client, host));
	for (size_t i = 0; i < config->n_listeners; i++) {
		struct answer answer;

		ask(&config->listeners[i], client, &answer);
		print_answer(out, config, &answer, client, from);
		buf_free(&answer.network);
	}
}

static json_t *sender_to_json(const struct account_config *account,
			      const char *from)
{
	json_t *sender = json_object();
	struct send_as decision;

	decide(account, from, &decision);
	json_object_set_new(sender, "from", config_json_text(from));
	json_object_set_new(sender, "allowed",
			    json_boolean(decision.verdict == SEND_AS_OK));
	json_object_set_new(sender, "sends_as",
			    config_json_text(decision.verdict == SEND_AS_OK
						     ? decision.reverse_path
						     : NULL));
	json_object_set_new(sender, "reason",
			    config_json_text(decision.reason));
	send_as_free(&decision);
	return sender;
}

static void add_allowed(json_t *object, const struct config *config,
			const struct listener_config *listener,
			const char *from)
{
	const struct account_config *account = &config->accounts[0];

	json_object_set_new(object, "account", config_json_text(account->name));
	if (from)
		json_object_set_new(object, "sender",
				    sender_to_json(account, from));
	json_object_set_new(
		object, "limits",
		json_pack("{s:I, s:i, s:i}", "max_message_size",
			  (json_int_t)size_limit(config, account),
			  "max_recipients", (int)listener->max_recipients,
			  "max_connections_per_client",
			  (int)listener->max_connections_per_client));
}

static json_t *answer_to_json(const struct config *config,
			      struct answer *answer,
			      const struct address *client, const char *from)
{
	bool allowed = answer->verdict == ACCESS_ALLOWED;
	struct buf text = BUF_INIT(1 << 20);
	json_t *object = json_object();

	explain(answer, &text);
	json_object_set_new(object, "name",
			    config_json_text(answer->listener->name));
	json_object_set_new(object, "allowed", json_boolean(allowed));
	json_object_set_new(object, "reason",
			    config_json_text(buf_string(&text)));
	buf_clear(&text);
	if (allowed) {
		add_allowed(object, config, answer->listener, from);
	} else {
		advise(answer, client, &text);
		json_object_set_new(object, "fix",
				    config_json_text(buf_string(&text)));
	}
	buf_free(&text);
	return object;
}

json_t *check_client_json(const struct config *config,
			  const struct address *client, const char *from)
{
	json_t *object = json_object(), *listeners = json_array();
	char host[ADDRESS_TEXT_MAX];

	for (size_t i = 0; i < config->n_listeners; i++) {
		struct answer answer;

		ask(&config->listeners[i], client, &answer);
		json_array_append_new(listeners, answer_to_json(config, &answer,
								client, from));
		buf_free(&answer.network);
	}
	json_object_set_new(object, "address",
			    config_json_text(address_print(client, host)));
	json_object_set_new(object, "listeners", listeners);
	return object;
}
