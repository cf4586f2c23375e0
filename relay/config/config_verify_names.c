#include "relay/config/config_build.h"

#include <stdlib.h>
#include <string.h>
#include "proto/xalloc.h"
#include "relay/config/nearest.h"

/* Names are spelled as in the section they mean from here on, so that whoever
 * compares them need not think of case. */
static void respell(char **name, const char *as)
{
	free(*name);
	*name = xstrdup(as);
}

static bool fail_name(struct config_build *build,
		      const struct config_place *place, const char *key,
		      const char *name, enum config_section wanted)
{
	const struct config *config = build->config;
	const char *kind = config_section_kind(wanted);
	struct nearest nearest;

	nearest_begin(&nearest, text_of(name));
	for (size_t i = 0; i < config_n_places(config, wanted); i++)
		nearest_try(&nearest, config_place_at(config, wanted, i).name);
	if (nearest.best)
		return config_fail_place(build, place, key,
					 "%s: there is no [%s %s]; did you "
					 "mean \"%s\"?",
					 key, kind, name, nearest.best);
	return config_fail_place(build, place, key,
				 "%s: there is no [%s %s]; add that section, "
				 "or name one that is there",
				 key, kind, name);
}

static bool resolve(struct config_build *build,
		    const struct config_place *place, const char *key,
		    char **name, enum config_section wanted)
{
	struct config_place found;

	if (!*name)
		return true;
	found = config_place_find(build->config, wanted, *name);
	if (!found.base)
		return fail_name(build, place, key, *name, wanted);
	respell(name, found.name);
	return true;
}

static bool resolve_all(struct config_build *build,
			const struct config_place *place, const char *key,
			struct word_list *names, enum config_section wanted)
{
	for (size_t i = 0; i < names->n; i++) {
		if (!resolve(build, place, key, &names->words[i], wanted))
			return false;
	}
	return true;
}

static bool resolve_rule(struct config_build *build, size_t index)
{
	struct rule_config *rule = &build->config->rules[index];
	struct config_place place =
		config_place_at(build->config, CONFIG_SECTION_RULE, index);

	return resolve_all(build, &place, "client", &rule->client.devices,
			   CONFIG_SECTION_DEVICE) &&
	       resolve_all(build, &place, "listener", &rule->listener,
			   CONFIG_SECTION_LISTENER) &&
	       resolve(build, &place, "account", &rule->account,
		       CONFIG_SECTION_ACCOUNT);
}

static bool resolve_failover(struct config_build *build, size_t index)
{
	struct account_config *account = &build->config->accounts[index];
	struct config_place place =
		config_place_at(build->config, CONFIG_SECTION_ACCOUNT, index);

	if (!resolve(build, &place, "failover", &account->failover,
		     CONFIG_SECTION_ACCOUNT))
		return false;
	if (!account->failover || strcmp(account->failover, account->name) != 0)
		return true;
	return config_fail_place(build, &place, "failover",
				 "failover: %s is this account itself; name "
				 "another one, or leave the line out",
				 account->name);
}

bool config_verify_names(struct config_build *build)
{
	for (size_t i = 0; i < build->config->n_accounts; i++) {
		if (!resolve_failover(build, i))
			return false;
	}
	for (size_t i = 0; i < build->config->n_rules; i++) {
		if (!resolve_rule(build, i))
			return false;
	}
	return true;
}
