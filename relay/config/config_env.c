#include "relay/config/config_build.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/xalloc.h"
#include "relay/config/nearest.h"

static const char prefix[] = "LANPOST_";

enum { PREFIX_LEN = sizeof(prefix) - 1, NAME_MAX_LEN = 200 };

/* LANPOST_<KIND>_<KEY>, LANPOST_<KIND>_<NAME>__<KEY> */
struct variable {
	const char *value;
	char name[NAME_MAX_LEN]; /* whole, for messages */
	enum config_section section;
	char section_name[NAME_MAX_LEN]; /* "": the unnamed one */
	char key[NAME_MAX_LEN];          /* in lower case */
};

static void lower_copy(char *out, const char *from, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (char)tolower((unsigned char)from[i]);
	out[len] = '\0';
}

/* As it stands in a variable's name: '-' and '.' become '_'. */
static void upper_copy(char out[NAME_MAX_LEN], const char *from)
{
	size_t n = 0;

	for (; from[n] && n < NAME_MAX_LEN - 1; n++) {
		unsigned char c = (unsigned char)from[n];

		out[n] = (char)(isalnum(c) ? toupper(c) : '_');
	}
	out[n] = '\0';
}

static const char *last_double(const char *string)
{
	const char *found = NULL;

	for (; (string = strstr(string, "__")); string++)
		found = string;
	return found;
}

/* The kind a name begins with, and what follows it. */
static enum config_section split_kind(const char *name, const char **rest_r)
{
	for (unsigned i = 0; i < CONFIG_SECTIONS; i++) {
		const char *kind = config_section_kind((enum config_section)i);
		size_t len = strlen(kind);

		if (text_starts(text_of(name), kind) && name[len] == '_') {
			*rest_r = name + len + 1;
			return (enum config_section)i;
		}
	}
	return CONFIG_SECTIONS;
}

/* Kubernetes tells every container of the services beside it, and one may be
 * called lanpost, or lanpost-relay: LANPOST_SERVICE_HOST, LANPOST_PORT_25_TCP,
 * LANPOST_RELAY_PORT=tcp://10.0.0.7:25 */
static bool is_service(const char *name, const char *value)
{
	const char *port = strstr(name, "_PORT");

	if (strstr(name, "_SERVICE_HOST") || strstr(name, "_SERVICE_PORT"))
		return true;
	return port && (isdigit((unsigned char)port[5 + (port[5] == '_')]) ||
			(port[5] == '\0' && strstr(value, "://")));
}

static void warn_unknown(struct config_build *build, const char *name)
{
	struct nearest nearest;
	const char *end = strchr(name + PREFIX_LEN, '_');
	struct text kind = text_of(name + PREFIX_LEN);
	char upper[NAME_MAX_LEN];

	if (end)
		kind.len = (size_t)(end - kind.data);
	nearest_begin(&nearest, kind);
	for (unsigned i = 0; i < CONFIG_SECTIONS; i++)
		nearest_try(&nearest,
			    config_section_kind((enum config_section)i));
	if (!nearest.best) {
		config_warn(build,
			    "%s: this variable sets nothing; names are "
			    "LANPOST_KIND_KEY and LANPOST_KIND_NAME__KEY, of "
			    "ACCOUNT, LISTENER, RELAY, DEVICE and RULE",
			    name);
		return;
	}
	upper_copy(upper, nearest.best);
	config_warn(build,
		    "%s: this variable sets nothing; did you mean "
		    "LANPOST_%s%s?",
		    name, upper, end ? end : "_KEY");
}

static bool fail_key(struct config_build *build,
		     const struct variable *variable)
{
	const char *kind = config_section_kind(variable->section);
	struct nearest nearest;
	char upper[NAME_MAX_LEN];

	nearest_begin(&nearest, text_of(variable->key));
	for (size_t i = 0; i < config_n_keys; i++) {
		if (config_keys[i].section == variable->section)
			nearest_try(&nearest, config_keys[i].name);
	}
	if (!nearest.best)
		return config_fail(build,
				   "%s: unknown key \"%s\" in [%s]; "
				   "lanpost.conf(5) lists the keys",
				   variable->name, variable->key, kind);
	upper_copy(upper, nearest.best);
	return config_fail(
		build,
		"%s: unknown key \"%s\" in [%s]; did you mean "
		"%.*s%s?",
		variable->name, variable->key, kind,
		(int)(strlen(variable->name) - strlen(variable->key)),
		variable->name, upper);
}

/* How a section's name reads in the environment: '-' and '.' as '_'. */
static bool names_section(const char *wanted, const char *name)
{
	for (; *wanted && *name; wanted++, name++) {
		char c = isalnum((unsigned char)*name) ? *name : '_';

		if (tolower((unsigned char)c) != *wanted)
			return false;
	}
	return *wanted == *name;
}

static const char *known_name(const struct config_build *build,
			      const struct variable *variable)
{
	size_t n = config_n_places(build->config, variable->section);

	for (size_t i = 0; i < n; i++) {
		struct config_place place =
			config_place_at(build->config, variable->section, i);

		if (place.name &&
		    names_section(variable->section_name, place.name))
			return place.name;
	}
	return variable->section_name;
}

static bool find_place(struct config_build *build,
		       const struct variable *variable,
		       struct config_place *place_r)
{
	const char *name = NULL;

	if (variable->section_name[0] != '\0')
		name = known_name(build, variable);
	*place_r = config_place_find(build->config, variable->section, name);
	if (place_r->base)
		return true;
	if (variable->section == CONFIG_SECTION_DEVICE &&
	    !config_is_device_name(name))
		return config_fail(build,
				   "%s: %s; here "
				   "LANPOST_DEVICE_SCANNER_2__%s",
				   variable->name, config_device_name_advice,
				   variable->name + strlen(variable->name) -
					   strlen(variable->key));
	*place_r = config_place_add(build, variable->section, name, 0);
	return true;
}

static bool set_variable(struct config_build *build,
			 const struct variable *variable,
			 const struct config_key *key)
{
	char *directory = build->directory;
	struct config_place place;
	struct config_origin *origin;
	bool good;

	if (!find_place(build, variable, &place))
		return false;
	/* A relative path in the environment is relative to where we are. */
	build->directory = NULL;
	good = config_place_set(build, &place, key, text_of(variable->value),
				variable->name, true);
	build->directory = directory;
	if (!good)
		return false;
	origin = &place.origins[key - config_keys];
	free(origin->variable);
	*origin = (struct config_origin){
		.type = CONFIG_ORIGIN_ENVIRONMENT,
		.variable = xstrdup(variable->name),
	};
	return true;
}

static bool split_key(struct variable *variable, const char *rest)
{
	const char *twice = last_double(rest);

	variable->section_name[0] = '\0';
	if (twice && twice != rest) {
		lower_copy(variable->section_name, rest,
			   (size_t)(twice - rest));
		rest = twice + 2;
	}
	lower_copy(variable->key, rest, strlen(rest));
	return variable->section != CONFIG_SECTION_RELAY || !twice;
}

static bool take_known(struct config_build *build, struct variable *variable,
		       const char *rest)
{
	const struct config_key *key;

	if (!split_key(variable, rest))
		return config_fail(build,
				   "%s: [relay] takes no name; there is "
				   "just one",
				   variable->name);
	key = config_key_find(variable->section, text_of(variable->key));
	if (!key)
		return is_service(variable->name, variable->value) ||
		       fail_key(build, variable);
	return set_variable(build, variable, key);
}

/* An empty variable is as good as none: compose files leave such. */
static bool take_variable(struct config_build *build, const char *string)
{
	const char *equals = strchr(string, '='), *rest;
	struct variable variable;
	size_t len = equals ? (size_t)(equals - string) : 0;

	if (len <= PREFIX_LEN || equals[1] == '\0')
		return true;
	if (len >= sizeof(variable.name))
		return config_fail(build,
				   "%.40s...: the variable's name is too "
				   "long",
				   string);
	memcpy(variable.name, string, len);
	variable.name[len] = '\0';
	variable.value = equals + 1;
	variable.section = split_kind(variable.name + PREFIX_LEN, &rest);
	if (variable.section != CONFIG_SECTIONS)
		return take_known(build, &variable, rest);
	if (strcmp(variable.name, "LANPOST_BUILD") != 0 &&
	    !is_service(variable.name, variable.value))
		warn_unknown(build, variable.name);
	return true;
}

/* The first variable that set a key of it. */
static const char *variable_of(const struct config_place *place)
{
	for (size_t i = 0; i < config_n_keys; i++) {
		if (place->origins[i].type == CONFIG_ORIGIN_ENVIRONMENT)
			return place->origins[i].variable;
	}
	return NULL;
}

/* A variable for the account in the file, but without its name, or with
 * another one, has made an account of its own. */
static bool check_stray(struct config_build *build,
			const struct config_place *place)
{
	const struct account_config *account = place->base;
	const char *first = build->config->accounts[0].name;
	char upper[NAME_MAX_LEN];

	if (account->host || account->provider || !variable_of(place))
		return true;
	upper_copy(upper, first);
	return config_fail(build,
			   "%s: there is no [account %s] in %s; the first one "
			   "there is called \"%s\", and its keys are set "
			   "with LANPOST_ACCOUNT_%s__KEY",
			   variable_of(place), place->name, build->path, first,
			   upper);
}

static bool check_accounts(struct config_build *build, size_t from_file)
{
	size_t n = build->config->n_accounts;

	for (size_t i = from_file; from_file > 0 && i < n; i++) {
		struct config_place place = config_place_at(
			build->config, CONFIG_SECTION_ACCOUNT, i);

		if (!check_stray(build, &place))
			return false;
	}
	return true;
}

bool config_read_environment(struct config_build *build)
{
	char *const *string = build->environment;
	size_t from_file[CONFIG_SECTIONS];

	for (unsigned i = 0; i < CONFIG_SECTIONS; i++)
		from_file[i] =
			config_n_places(build->config, (enum config_section)i);
	for (; string && *string; string++) {
		if (strncmp(*string, prefix, PREFIX_LEN) == 0 &&
		    !take_variable(build, *string))
			return false;
	}
	for (unsigned i = CONFIG_SECTION_RELAY + 1; i < CONFIG_SECTIONS; i++)
		config_places_sort(build->config, (enum config_section)i,
				   from_file[i]);
	return check_accounts(build, from_file[CONFIG_SECTION_ACCOUNT]);
}
