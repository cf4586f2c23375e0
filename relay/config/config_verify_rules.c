#include "relay/config/config_build.h"

#include <string.h>
#include "relay/config/value_kind.h"

static bool same_network(const struct network *a, const struct network *b)
{
	return a->prefix == b->prefix && address_same_host(&a->base, &b->base);
}

static void warn_twice(struct config_build *build,
		       const struct device_config *device,
		       const struct network *network, size_t n)
{
	struct buf text = BUF_INIT(256);

	value_print_network(network, &text);
	for (size_t i = 0; i < n; i++) {
		const struct device_config *other = &build->config->devices[i];

		for (size_t k = 0; k < other->address.n; k++) {
			if (same_network(&other->address.networks[k], network))
				config_warn(build,
					    "device %s: %s is the address of "
					    "device %s too, whose name and "
					    "settings are taken; give it to "
					    "one of them",
					    device->name, buf_string(&text),
					    other->name);
		}
	}
	buf_free(&text);
}

static bool asks_for_passwords(const struct config *config)
{
	for (size_t i = 0; i < config->n_listeners; i++) {
		if (config->listeners[i].auth.kind == LOGIN_FILE &&
		    !config->listeners[i].allow_public)
			return true;
	}
	return false;
}

/* From a public network one comes in by a true login alone. */
static void warn_public(struct config_build *build,
			const struct device_config *device,
			const struct network *network)
{
	struct buf text = BUF_INIT(256);

	if (!device->auth_any || config_network_is_private(network) ||
	    !asks_for_passwords(build->config))
		return;
	value_print_network(network, &text);
	config_warn(build,
		    "device %s: %s is public, so auth = any does not hold for "
		    "it where auth = FILE; give the device a line in that "
		    "file",
		    device->name, buf_string(&text));
	buf_free(&text);
}

/* A bare LF.LF ends the mail of whoever comes from there: no wider than must
 * be. */
static void warn_wide(struct config_build *build,
		      const struct device_config *device,
		      const struct network *network)
{
	struct buf text = BUF_INIT(256);

	if (!device->lf_end_of_data ||
	    network->prefix == (network->base.is_v6 ? 128u : 32u))
		return;
	value_print_network(network, &text);
	config_warn(build,
		    "device %s: lf_end_of_data loosens the end of a message "
		    "for all of %s; give the addresses of the devices that "
		    "need it",
		    device->name, buf_string(&text));
	buf_free(&text);
}

static bool check_device(struct config_build *build, size_t index)
{
	const struct device_config *device = &build->config->devices[index];
	struct config_place place =
		config_place_at(build->config, CONFIG_SECTION_DEVICE, index);

	if (device->address.n == 0)
		return config_fail_place(build, &place, NULL,
					 "device %s has no address; add "
					 "address = ITS-IP-ADDRESS",
					 device->name);
	for (size_t i = 0; i < device->address.n; i++) {
		const struct network *network = &device->address.networks[i];

		warn_twice(build, device, network, index);
		warn_public(build, device, network);
		warn_wide(build, device, network);
	}
	return true;
}

static bool has_condition(const struct rule_config *rule)
{
	const struct client_list *client = &rule->client;

	return client->networks.n > 0 || client->networks.private ||
	       client->devices.n > 0 || rule->listener.n > 0 ||
	       rule->from.n > 0 || rule->header_from.n > 0 || rule->to.n > 0;
}

/* What a rule may do, besides refusing; NULL: nothing. */
static const char *first_effect(const struct rule_config *rule)
{
	const struct {
		bool given;
		const char *key;
	} effects[] = {
		{ rule->account, "account" },
		{ rule->send_as.address, "send_as" },
		{ rule->on_behalf, "on_behalf" },
		{ rule->reply_to.kind != REPLY_TO_ORIGINAL, "reply_to" },
		{ rule->bcc, "bcc" },
		{ rule->to_rewrite.n > 0, "to_rewrite" },
		{ rule->add_domain, "add_domain" },
	};

	for (size_t i = 0; i < sizeof(effects) / sizeof(effects[0]); i++) {
		if (effects[i].given)
			return effects[i].key;
	}
	return NULL;
}

static bool names_null(const struct word_list *patterns)
{
	for (size_t i = 0; i < patterns->n; i++) {
		if (strcmp(patterns->words[i], "<>") == 0)
			return true;
	}
	return false;
}

static bool check_patterns(struct config_build *build,
			   const struct config_place *place,
			   const struct rule_config *rule)
{
	const char *key = names_null(&rule->to)            ? "to"
			  : names_null(&rule->header_from) ? "header_from"
							   : NULL;

	if (!key)
		return true;
	return config_fail_place(build, place, key,
				 "%s: <> is the null envelope sender, which "
				 "stands in from only",
				 key);
}

static bool check_effects(struct config_build *build,
			  const struct config_place *place,
			  const struct rule_config *rule)
{
	const char *effect = first_effect(rule);

	if (!has_condition(rule) && !effect && !rule->reject)
		return config_fail_place(build, place, NULL,
					 "rule %s says neither what must match "
					 "nor what to do; add, for example, "
					 "client = DEVICE and send_as = "
					 "ADDRESS",
					 rule->name);
	if (rule->send_as.address && rule->on_behalf)
		return config_fail_place(build, place, "on_behalf",
					 "on_behalf keeps From and send_as "
					 "changes it; keep one of them");
	if (rule->reject && effect)
		config_warn(build,
			    "rule %s: reject refuses the message, so %s "
			    "does nothing",
			    rule->name, effect);
	if (!has_condition(rule) && rule->reject)
		config_warn(build,
			    "rule %s: it has no condition, so it refuses "
			    "every message that no rule before it matches",
			    rule->name);
	return true;
}

/* The account becomes the Sender. */
static bool check_on_behalf(struct config_build *build,
			    const struct config_place *place,
			    const struct rule_config *rule)
{
	const struct account_config *account =
		rule->account ? config_account(build->config, rule->account)
			      : &build->config->accounts[0];

	if (!rule->on_behalf || config_has_identity(account))
		return true;
	return config_fail_place(build, place, "on_behalf",
				 "on_behalf: account %s has no address that "
				 "could be the Sender; add senders = ADDRESS "
				 "to [account %s]",
				 account->name, account->name);
}

static bool check_rule(struct config_build *build, size_t index)
{
	const struct rule_config *rule = &build->config->rules[index];
	struct config_place place =
		config_place_at(build->config, CONFIG_SECTION_RULE, index);

	return check_patterns(build, &place, rule) &&
	       check_effects(build, &place, rule) &&
	       check_on_behalf(build, &place, rule);
}

static bool is_used(const struct config *config,
		    const struct account_config *account)
{
	for (size_t i = 0; i < config->n_rules; i++) {
		const char *name = config->rules[i].account;

		if (name && strcmp(name, account->name) == 0)
			return true;
	}
	for (size_t i = 0; i < config->n_accounts; i++) {
		const char *name = config->accounts[i].failover;

		if (name && strcmp(name, account->name) == 0)
			return true;
	}
	return account == &config->accounts[0];
}

static void warn_unused(struct config_build *build)
{
	const struct config *config = build->config;

	for (size_t i = 0; i < config->n_accounts; i++) {
		if (!is_used(config, &config->accounts[i]))
			config_warn(build,
				    "account %s: nothing sends by it; name it "
				    "in account of a [rule], or in failover "
				    "of another account",
				    config->accounts[i].name);
	}
}

bool config_verify_rules(struct config_build *build)
{
	for (size_t i = 0; i < build->config->n_devices; i++) {
		if (!check_device(build, i))
			return false;
	}
	for (size_t i = 0; i < build->config->n_rules; i++) {
		if (!check_rule(build, i))
			return false;
	}
	warn_unused(build);
	return true;
}
