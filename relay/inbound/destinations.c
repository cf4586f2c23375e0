#include "relay/inbound/destinations.h"

#include <stdlib.h>
#include <string.h>

#include "proto/smtp_syntax.h"
#include "proto/xalloc.h"
#include "relay/inbound/refusal.h"
#include "relay/net/loop.h"

void destinations_init(struct destinations *destinations,
                       const struct config *config,
                       const struct route_query *query)
{
	*destinations = (struct destinations){ config, *query, NULL, 0, false };
}

void destinations_free(struct destinations *destinations)
{
	size_t i;

	for (i = 0; i < destinations->n; i++) {
		free(destinations->list[i].given);
		free(destinations->list[i].address);
	}
	free(destinations->list);
	destinations->list = NULL;
	destinations->n = 0;
}

/* ---- one destination ---- */

/* "printer" or "mail": no provider sends there. */
static bool is_single_label(struct text domain)
{
	return !smtp_is_address_literal(domain) &&
	       memchr(domain.data, '.', domain.len) == NULL;
}

static bool check_address(const char *address, struct smtp_reply *refusal_r)
{
	const char *at = strrchr(address, '@');
	struct smtp_path path;

	if (at == NULL)
		return refuse(refusal_r, 550, "5.1.3",
		              "The recipient needs a domain, as in "
		              "name@example.com; add_domain of a rule can add "
		              "it");
	if (!smtp_address_parse(text_of(address), &path))
		return refuse(refusal_r, 501, "5.1.3",
		              "The recipient is no address: <%.256s>", address);
	if (is_single_label(smtp_path_domain(&path)))
		return refuse(refusal_r, 550, "5.1.6",
		              "Providers do not accept recipients in single "
		              "label domains: %.*s has no dot; correct it in "
		              "the device, or map it with to_rewrite of a rule",
		              TEXT_ARG(smtp_path_domain(&path)));
	return true;
}

static bool has_domain(const char *address)
{
	return strrchr(address, '@') != NULL;
}

static void complete(struct destinations *destinations,
                     struct destination *destination)
{
	free(destination->address);
	destination->address =
		rule_recipient(destination->rule, destination->account,
	                       text_of(destination->given));
	if (destination->address == NULL)
		destination->address = xstrdup(destination->given);
	else if (!has_domain(destination->given))
		destinations->completed = true;
}

/* True too when it is open and must wait for the header. */
static bool decide(struct destinations *destinations,
                   struct destination *destination,
                   struct smtp_reply *refusal_r)
{
	struct route route;

	destinations->query.to = destination->given;
	route = router_choose(destinations->config, &destinations->query);
	destinations->query.to = NULL;
	if (route.open)
		return true;
	destination->rule = route.rule;
	destination->account = route.account;
	if (route.rule != NULL && route.rule->reject != NULL)
		return refuse(refusal_r, 550, "5.7.1", "%s",
		              route.rule->reject);
	complete(destinations, destination);
	return check_address(destination->address, refusal_r);
}

static bool is_known(const struct destinations *destinations,
                     struct text given)
{
	size_t i;

	for (i = 0; i < destinations->n; i++) {
		if (text_equal(text_of(destinations->list[i].given), given))
			return true;
	}
	return false;
}

static void destination_clear(struct destination *destination)
{
	free(destination->given);
	free(destination->address);
}

bool destinations_add(struct destinations *destinations,
                      const struct smtp_path *path,
                      struct smtp_reply *refusal_r)
{
	struct destination new = { .given = NULL };

	if (smtp_has_control(path->address))
		return refuse(refusal_r, 501, "5.1.3",
		              "The recipient address holds control characters");
	if (is_known(destinations, path->address))
		return true;
	new.given = text_dup(path->address);
	if (!decide(destinations, &new, refusal_r)) {
		destination_clear(&new);
		return false;
	}
	destinations->list =
		xrealloc(destinations->list, (destinations->n + 1) *
	                                     sizeof *destinations->list);
	destinations->list[destinations->n++] = new;
	return true;
}

bool destinations_settle(struct destinations *destinations,
                         struct smtp_reply *refusal_r)
{
	size_t i;

	for (i = 0; i < destinations->n; i++) {
		if (destinations->list[i].account == NULL &&
		    !decide(destinations, &destinations->list[i], refusal_r))
			return false;
	}
	return true;
}

/* ---- the messages they become ---- */

size_t destinations_parts(const struct destinations *destinations)
{
	const struct destination *list = destinations->list;
	size_t i, k, n = 0;

	for (i = 0; i < destinations->n; i++) {
		for (k = 0; k < i && list[k].rule != list[i].rule; k++)
			;
		n += k == i;
	}
	return n;
}

static bool is_of(const struct envelope *envelope,
                  const struct destination *destination)
{
	const char *rule =
		destination->rule != NULL ? destination->rule->name : NULL;

	if (rule == NULL || envelope->rule == NULL)
		return rule == envelope->rule;
	return strcmp(rule, envelope->rule) == 0;
}

static void add_recipient(struct envelope *envelope, const char *address)
{
	size_t i;

	for (i = 0; i < envelope->n_recipients; i++) {
		if (strcmp(envelope->recipients[i].address, address) == 0)
			return;
	}
	envelope_add_recipient(envelope, text_of(address));
}

static void give_route(struct envelope *envelope,
                       const struct destination *destination)
{
	envelope->account = xstrdup(destination->account->name);
	if (destination->rule != NULL)
		envelope->rule = xstrdup(destination->rule->name);
}

static void add_copies(struct envelope *envelope,
                       const struct destinations *destinations)
{
	const struct rule_config *rule = NULL;

	if (envelope->rule != NULL)
		rule = config_rule(destinations->config, envelope->rule);
	if (rule != NULL && rule->bcc != NULL)
		add_recipient(envelope, rule->bcc);
}

struct envelope **destinations_divide(const struct destinations *destinations,
                                      struct envelope **draft, size_t *n_r)
{
	struct envelope **parts = xcalloc(destinations->n, sizeof *parts);
	size_t i, k, n = 0;

	envelope_drop_recipients(*draft);
	for (i = 0; i < destinations->n; i++) {
		const struct destination *destination = &destinations->list[i];

		for (k = 0; k < n && !is_of(parts[k], destination); k++)
			;
		if (k == n) {
			parts[n] = n == 0 ? *draft : envelope_sibling(*parts, random_u32());
			give_route(parts[n++], destination);
		}
		add_recipient(parts[k], destination->address);
	}
	for (i = 0; i < n; i++)
		add_copies(parts[i], destinations);
	*draft = NULL;
	*n_r = n;
	return parts;
}
