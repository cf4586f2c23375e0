#include "relay/policy/router.h"

#include <stdlib.h>
#include <string.h>

#include "proto/smtp_path.h"
#include "proto/xalloc.h"
#include "relay/policy/complete.h"
#include "relay/policy/send_as.h"

/* ---- one condition ---- */

static bool is_unconditional(const struct client_list *list)
{
	return list->networks.n == 0 && !list->networks.private &&
	       list->devices.n == 0;
}

static const struct network *find_network(const struct network_list *list,
                                          const struct address *client)
{
	size_t i;

	for (i = 0; i < list->n; i++) {
		if (network_contains(&list->networks[i], client))
			return &list->networks[i];
	}
	return NULL;
}

static const char *find_word(const struct word_list *list, const char *word)
{
	size_t i;

	for (i = 0; word != NULL && i < list->n; i++) {
		if (text_is(text_of(list->words[i]), word))
			return list->words[i];
	}
	return NULL;
}

static const char *device_of(const struct route_query *query)
{
	return query->device != NULL ? query->device->name : NULL;
}

static enum rule_match match_client(const struct client_list *list,
                                    const struct route_query *query)
{
	if (is_unconditional(list) ||
	    find_network(&list->networks, query->client) != NULL ||
	    (list->networks.private && address_is_private(query->client)) ||
	    find_word(&list->devices, device_of(query)) != NULL)
		return RULE_MATCHES;
	return RULE_FAILS;
}

static enum rule_match match_listener(const struct word_list *list,
                                      const char *listener)
{
	return list->n == 0 || find_word(list, listener) != NULL
	               ? RULE_MATCHES
	               : RULE_FAILS;
}

/* "<>" is the null path; for the rest it is empty text. */
static struct text pattern_text(const char *pattern)
{
	return text_of(strcmp(pattern, "<>") == 0 ? "" : pattern);
}

static const char *find_pattern(const struct word_list *list,
                                const char *address)
{
	size_t i;

	for (i = 0; i < list->n; i++) {
		if (text_glob(pattern_text(list->words[i]), text_of(address)))
			return list->words[i];
	}
	return NULL;
}

static enum rule_match match_address(const struct word_list *list, bool known,
                                     const char *address)
{
	if (list->n == 0)
		return RULE_MATCHES;
	if (!known)
		return RULE_OPEN;
	return find_pattern(list, address) != NULL ? RULE_MATCHES : RULE_FAILS;
}

/* ---- a rule, and all of them ---- */

static enum rule_match worst(enum rule_match a, enum rule_match b)
{
	return a < b ? a : b;
}

enum rule_match rule_match(const struct rule_config *rule,
                           const struct route_query *query)
{
	enum rule_match match = match_client(&rule->client, query);

	match = worst(match, match_listener(&rule->listener, query->listener));
	match = worst(match, match_address(&rule->from, query->from != NULL,
	                                   query->from));
	match = worst(match,
	              match_address(&rule->header_from, query->header_known,
	                            query->header_from));
	return worst(match, match_address(&rule->to, query->to != NULL,
	                                  query->to));
}

const struct account_config *rule_account(const struct config *config,
                                          const struct rule_config *rule)
{
	const struct account_config *account = NULL;

	if (rule != NULL && rule->account != NULL)
		account = config_account(config, rule->account);
	return account != NULL ? account : &config->accounts[0];
}

struct route router_choose(const struct config *config,
                           const struct route_query *query)
{
	size_t i;

	for (i = 0; i < config->n_rules; i++) {
		const struct rule_config *rule = &config->rules[i];

		switch (rule_match(rule, query)) {
		case RULE_FAILS:
			break;
		case RULE_OPEN:
			return (struct route){ true, NULL, NULL };
		case RULE_MATCHES:
			return (struct route){ false, rule,
				               rule_account(config, rule) };
		}
	}
	return (struct route){ false, NULL, rule_account(config, NULL) };
}

/* ---- in words ---- */

static void explain_open(struct buf *out, const struct route_query *query)
{
	const char *comma = "";

	buf_puts(out, "it depends on ");
	if (query->from == NULL) {
		buf_puts(out, "the envelope sender");
		comma = ", ";
	}
	if (!query->header_known) {
		buf_printf(out, "%sFrom", comma);
		comma = ", ";
	}
	if (query->to == NULL)
		buf_printf(out, "%sthe recipient", comma);
}

static void print_network(struct buf *out, const struct network *network)
{
	char host[ADDRESS_TEXT_MAX];

	address_print(&network->base, host);
	if (network->prefix == (network->base.is_v6 ? 128 : 32))
		buf_puts(out, host);
	else
		buf_printf(out, "%s/%u", host, network->prefix);
}

static void explain_client(struct buf *out, const struct client_list *list,
                           const struct route_query *query)
{
	const struct network *network =
		find_network(&list->networks, query->client);
	char host[ADDRESS_TEXT_MAX];

	if (is_unconditional(list))
		return;
	buf_printf(out, ", client %s is ", address_print(query->client, host));
	if (find_word(&list->devices, device_of(query)) != NULL) {
		buf_printf(out, "device %s", device_of(query));
	} else if (network == NULL) {
		buf_puts(out, "private");
	} else {
		buf_puts(out, "in ");
		print_network(out, network);
	}
}

static void explain_address(struct buf *out, const char *what,
                            const struct word_list *list, const char *address)
{
	if (list->n > 0)
		buf_printf(out, ", %s %s matches %s", what,
		           address == NULL || *address == '\0' ? "<>" : address,
		           find_pattern(list, address));
}

static void explain_rule(struct buf *out, const struct rule_config *rule,
                         const struct route_query *query)
{
	explain_client(out, &rule->client, query);
	if (rule->listener.n > 0)
		buf_printf(out, ", listener %s", query->listener);
	explain_address(out, "from", &rule->from, query->from);
	explain_address(out, "From", &rule->header_from, query->header_from);
	explain_address(out, "to", &rule->to, query->to);
}

void route_explain(struct buf *out, const struct route *route,
                   const struct route_query *query)
{
	struct buf why = BUF_INIT(8192);

	if (route->open) {
		explain_open(out, query);
		return;
	}
	if (route->rule == NULL) {
		buf_puts(out, "no rule matches: the first account");
		return;
	}
	explain_rule(&why, route->rule, query);
	buf_printf(out, "rule %s", route->rule->name);
	if (route->rule->line > 0)
		buf_printf(out, ", line %u", route->rule->line);
	buf_printf(out, ": %s",
	           buf_len(&why) > 2 ? buf_string(&why) + 2
	                             : "it matches everything");
	buf_free(&why);
}

/* ---- recipients ---- */

static const char *find_mapping(const struct rule_config *rule,
                                struct text address)
{
	size_t i;

	for (i = 0; rule != NULL && i < rule->to_rewrite.n; i++) {
		const struct recipient_mapping *mapping =
			&rule->to_rewrite.mappings[i];

		if (text_glob(text_of(mapping->pattern), address))
			return mapping->address;
	}
	return NULL;
}

static struct text domain_of(const char *address)
{
	struct smtp_path path;

	if (address == NULL || !smtp_address_parse(text_of(address), &path))
		return text_of("");
	return smtp_path_domain(&path);
}

static struct text domain_to_add(const struct rule_config *rule,
                                 const struct account_config *account,
                                 struct text address)
{
	if (rule != NULL && rule->add_domain != NULL)
		return text_of(rule->add_domain);
	if (text_is(address, "postmaster"))
		return domain_of(account_identity(account));
	return text_of("");
}

char *rule_recipient(const struct rule_config *rule,
                     const struct account_config *account, struct text address)
{
	char *whole = address_complete(address, domain_to_add(rule, account,
	                                                      address));
	const char *mapped = find_mapping(rule, address);

	if (mapped == NULL && whole != NULL)
		mapped = find_mapping(rule, text_of(whole));
	if (mapped == NULL)
		return whole;
	free(whole);
	return text_equal(text_of(mapped), address) ? NULL : xstrdup(mapped);
}
