#include "relay/policy/check_rules.h"

#include "relay/policy/router.h"

void check_rules(const struct config *config, struct config_warnings *warnings)
{
	for (size_t i = 0; i < config->n_rules; i++) {
		const struct rule_config *rule = &config->rules[i];
		const struct rule_config *earlier = rule_shadow(config, rule);

		if (earlier)
			config_warnings_add(warnings,
					    "rule %s: it never matches, "
					    "because rule %s before it matches "
					    "all that it would; put it before "
					    "that one",
					    rule->name, earlier->name);
	}
}
