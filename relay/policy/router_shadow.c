#include <string.h>

#include "relay/policy/router.h"

/* A rule is hidden by an earlier one when each of the earlier one's conditions
 * holds wherever its own do.  Only what is certain is said: each alternative
 * of a condition must be covered by one of the other's, not by several
 * together. */

/* ---- clients ---- */

static bool is_unconditional(const struct client_list *list)
{
	return list->networks.n == 0 && !list->networks.private &&
	       list->devices.n == 0;
}

static bool network_covers(const struct network *outer,
                           const struct network *inner)
{
	return outer->prefix <= inner->prefix &&
	       network_contains(outer, &inner->base);
}

static struct address last_of(const struct network *network)
{
	struct address last = network->base;
	unsigned bit;

	for (bit = network->prefix; bit < (last.is_v6 ? 128u : 32u); bit++)
		last.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	return last;
}

/* No network begins and ends in private ranges without lying in one. */
static bool is_private(const struct network *network)
{
	struct address last = last_of(network);

	return address_is_private(&network->base) && address_is_private(&last);
}

static bool network_is_covered(const struct network_list *outer,
                               const struct network *inner)
{
	size_t i;

	for (i = 0; i < outer->n; i++) {
		if (network_covers(&outer->networks[i], inner))
			return true;
	}
	return outer->private && is_private(inner);
}

static bool networks_are_covered(const struct network_list *outer,
                                 const struct network_list *inner)
{
	size_t i;

	for (i = 0; i < inner->n; i++) {
		if (!network_is_covered(outer, &inner->networks[i]))
			return false;
	}
	return true;
}

static bool holds_everybody(const struct network_list *list)
{
	bool v4 = false, v6 = false;
	size_t i;

	for (i = 0; i < list->n; i++) {
		if (list->networks[i].prefix > 0 ||
		    list->networks[i].base.scope != 0)
			continue;
		v4 |= !list->networks[i].base.is_v6;
		v6 |= list->networks[i].base.is_v6;
	}
	return v4 && v6;
}

static bool has_word(const struct word_list *list, const char *word)
{
	size_t i;

	for (i = 0; i < list->n; i++) {
		if (text_is(text_of(list->words[i]), word))
			return true;
	}
	return false;
}

static const struct device_config *find_device(const struct config *config,
                                               const char *name)
{
	size_t i;

	for (i = 0; i < config->n_devices; i++) {
		if (text_is(text_of(config->devices[i].name), name))
			return &config->devices[i];
	}
	return NULL;
}

/* A client that has the device's name lies in one of its networks. */
static bool device_is_covered(const struct config *config,
                              const struct client_list *outer, const char *name)
{
	const struct device_config *device;

	if (has_word(&outer->devices, name))
		return true;
	if (outer->networks.n == 0 && !outer->networks.private)
		return false;
	device = find_device(config, name);
	return device != NULL && !device->address.private &&
	       networks_are_covered(&outer->networks, &device->address);
}

static bool clients_are_covered(const struct config *config,
                                const struct client_list *outer,
                                const struct client_list *inner)
{
	size_t i;

	if (is_unconditional(outer) || holds_everybody(&outer->networks))
		return true;
	if (is_unconditional(inner) ||
	    (inner->networks.private && !outer->networks.private) ||
	    !networks_are_covered(&outer->networks, &inner->networks))
		return false;
	for (i = 0; i < inner->devices.n; i++) {
		if (!device_is_covered(config, outer, inner->devices.words[i]))
			return false;
	}
	return true;
}

/* ---- listeners and addresses ---- */

static bool listeners_are_covered(const struct config *config,
                                  const struct word_list *outer,
                                  const struct word_list *inner)
{
	size_t i;

	if (outer->n == 0)
		return true;
	for (i = 0; i < inner->n; i++) {
		if (!has_word(outer, inner->words[i]))
			return false;
	}
	for (i = 0; inner->n == 0 && i < config->n_listeners; i++) {
		if (!has_word(outer, config->listeners[i].name))
			return false;
	}
	return true;
}

/* A star of the outer pattern takes a star of the inner one with all it may
 * stand for, and nothing else does. */
static bool pattern_is_covered(const struct word_list *outer,
                               const char *inner)
{
	struct text text = text_of(strcmp(inner, "<>") == 0 ? "" : inner);
	size_t i;

	for (i = 0; i < outer->n; i++) {
		if (text_is(text_of(outer->words[i]), inner) ||
		    text_glob(text_of(outer->words[i]), text))
			return true;
	}
	return false;
}

static bool patterns_are_covered(const struct word_list *outer,
                                 const struct word_list *inner)
{
	size_t i;

	if (outer->n == 0)
		return true;
	for (i = 0; i < inner->n; i++) {
		if (!pattern_is_covered(outer, inner->words[i]))
			return false;
	}
	return inner->n > 0 || pattern_is_covered(outer, "*");
}

/* ---- rules ---- */

static bool is_hidden(const struct config *config,
                      const struct rule_config *outer,
                      const struct rule_config *inner)
{
	return listeners_are_covered(config, &outer->listener,
	                             &inner->listener) &&
	       patterns_are_covered(&outer->from, &inner->from) &&
	       patterns_are_covered(&outer->header_from, &inner->header_from) &&
	       patterns_are_covered(&outer->to, &inner->to) &&
	       clients_are_covered(config, &outer->client, &inner->client);
}

const struct rule_config *rule_shadow(const struct config *config,
                                      const struct rule_config *rule)
{
	const struct rule_config *earlier;

	for (earlier = config->rules; earlier < rule; earlier++) {
		if (is_hidden(config, earlier, rule))
			return earlier;
	}
	return NULL;
}
