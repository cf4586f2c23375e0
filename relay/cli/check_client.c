#include "relay/cli/check_client.h"

#include <string.h>
#include "proto/buf.h"
#include "relay/cli/check_route.h"
#include "relay/config/config_print.h"
#include "relay/config/value.h"
#include "relay/inbound/access.h"

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
	if (!address_is_private(client) && !listener->allow_public &&
	    listener->auth.kind != LOGIN_FILE)
		buf_puts(out, "\nallow_public = yes");
}

/* A device may be let off the login of its listener, but not a stranger. */
static enum login login_of(const struct config *config,
			   const struct listener_config *listener,
			   const struct address *client)
{
	const struct device_config *device = config_device(config, client);

	if (device && device->auth_any &&
	    (listener->auth.kind != LOGIN_FILE || listener->allow_public ||
	     address_is_private(client)))
		return LOGIN_ANY;
	return listener->auth.kind;
}

/* How it must speak there; nothing where plain and simple will do. */
static void describe_session(const struct config *config,
			     const struct listener_config *listener,
			     const struct address *client, struct buf *out)
{
	static const char *const tls[] = {
		[LISTENER_TLS_OFF] = "",
		[LISTENER_TLS_STARTTLS] = "TLS by STARTTLS if it likes",
		[LISTENER_TLS_REQUIRED] = "TLS by STARTTLS, required",
		[LISTENER_TLS_IMPLICIT] = "TLS from the first octet",
	};
	enum login login = login_of(config, listener, client);

	buf_puts(out, tls[listener->tls]);
	if (login == LOGIN_OFF)
		return;
	if (buf_len(out) > 0)
		buf_puts(out, "; ");
	if (login == LOGIN_ANY)
		buf_puts(out, "any login is right, none is needed");
	else
		buf_printf(out, "a login by %s, required", listener->auth.file);
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

static void print_allowed(FILE *out, const struct config *config,
			  const struct listener_config *listener,
			  const struct check_query *query)
{
	struct buf session = BUF_INIT(8192);

	describe_session(config, listener, query->client, &session);
	if (buf_len(&session) > 0)
		fprintf(out, "    session  %s\n", buf_string(&session));
	check_routes_print(out, config, listener, query);
	buf_free(&session);
}

static void print_answer(FILE *out, const struct config *config,
			 struct answer *answer, const struct check_query *query)
{
	const struct listener_config *listener = answer->listener;
	struct buf address = BUF_INIT(1 << 20), reason = BUF_INIT(512);

	value_print(VALUE_ADDRESSES, &listener->address, &address);
	explain(answer, &reason);
	fprintf(out, "  listener %s (%s): %s\n", listener->name,
		buf_string(&address), buf_string(&reason));
	if (answer->verdict == ACCESS_ALLOWED)
		print_allowed(out, config, listener, query);
	else
		print_advice(out, answer, query->client);
	buf_free(&address);
	buf_free(&reason);
}

void check_client_print(FILE *out, const struct config *config,
			const struct check_query *query)
{
	const struct device_config *device =
		config_device(config, query->client);
	char host[ADDRESS_TEXT_MAX];

	fprintf(out, "client %s", address_print(query->client, host));
	if (device)
		fprintf(out, ", device %s", device->name);
	putc('\n', out);
	for (size_t i = 0; i < config->n_listeners; i++) {
		struct answer answer;

		ask(&config->listeners[i], query->client, &answer);
		print_answer(out, config, &answer, query);
		buf_free(&answer.network);
	}
}

static void add_allowed(json_t *object, const struct config *config,
			const struct listener_config *listener,
			const struct check_query *query)
{
	struct buf session = BUF_INIT(8192);

	describe_session(config, listener, query->client, &session);
	json_object_set_new(object, "session",
			    config_json_text(buf_string(&session)));
	check_routes_json(object, config, listener, query);
	buf_free(&session);
}

static json_t *answer_to_json(const struct config *config,
			      struct answer *answer,
			      const struct check_query *query)
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
		add_allowed(object, config, answer->listener, query);
	} else {
		advise(answer, query->client, &text);
		json_object_set_new(object, "fix",
				    config_json_text(buf_string(&text)));
	}
	buf_free(&text);
	return object;
}

json_t *check_client_json(const struct config *config,
			  const struct check_query *query)
{
	const struct device_config *device =
		config_device(config, query->client);
	json_t *object = json_object(), *listeners = json_array();
	char host[ADDRESS_TEXT_MAX];

	for (size_t i = 0; i < config->n_listeners; i++) {
		struct answer answer;

		ask(&config->listeners[i], query->client, &answer);
		json_array_append_new(listeners,
				      answer_to_json(config, &answer, query));
		buf_free(&answer.network);
	}
	json_object_set_new(
		object, "address",
		config_json_text(address_print(query->client, host)));
	json_object_set_new(object, "device",
			    config_json_text(device ? device->name : NULL));
	json_object_set_new(object, "listeners", listeners);
	return object;
}
