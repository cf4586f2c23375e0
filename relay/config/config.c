#include "relay/config/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "proto/xalloc.h"
#include "relay/config/config_build.h"
#include "relay/config/config_folder.h"
#include "relay/report/catalogue.h"
#include "relay/config/provider.h"

/* A value that is quoted may hold anything: one line, and nothing a terminal
 * would obey. */
static char *dup_line(char *sentence)
{
	for (char *c = sentence; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	}
	return xstrdup(sentence);
}

bool config_fail(struct config_build *build, const char *format, ...)
{
	char sentence[2048];
	va_list args;

	if (build->error)
		return false;
	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	build->error = dup_line(sentence);
	return false;
}

static bool fail_at(struct config_build *build,
		    const struct config_place *place, const char *key,
		    const char *format, va_list args)
{
	const struct config_origin *origin =
		key ? config_origin(place->origins, key, place->section) : NULL;
	unsigned line = place->line;
	char sentence[1024];

	vsnprintf(sentence, sizeof(sentence), format, args);
	if (origin && origin->type == CONFIG_ORIGIN_ENVIRONMENT)
		return config_fail(build, "%s: %s", origin->variable, sentence);
	if (origin && origin->type == CONFIG_ORIGIN_FILE)
		line = origin->line;
	if (line > 0)
		return config_fail(build, "%s:%u: %s", build->path, line,
				   sentence);
	return config_fail(build, "%s: [%s]: %s",
			   build->path ? build->path : "environment",
			   config_section_kind(place->section), sentence);
}

bool config_fail_place(struct config_build *build,
		       const struct config_place *place, const char *key,
		       const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fail_at(build, place, key, format, args);
	va_end(args);
	return false;
}

bool config_fail_account(struct config_build *build,
			 const struct account_config *account, const char *key,
			 const char *format, ...)
{
	struct config_place place = {
		.section = CONFIG_SECTION_ACCOUNT,
		.line = account->line,
		.origins = account->origins,
	};
	va_list args;

	va_start(args, format);
	fail_at(build, &place, key, format, args);
	va_end(args);
	return false;
}

bool config_fail_listener(struct config_build *build,
			  const struct listener_config *listener,
			  const char *key, const char *format, ...)
{
	struct config_place place = {
		.section = CONFIG_SECTION_LISTENER,
		.line = listener->line,
		.origins = listener->origins,
	};
	va_list args;

	va_start(args, format);
	fail_at(build, &place, key, format, args);
	va_end(args);
	return false;
}

static void add_warning(struct config_warnings *warnings, const char *format,
			va_list args)
{
	char sentence[2048];

	if (!warnings)
		return;
	vsnprintf(sentence, sizeof(sentence), format, args);
	warnings->messages =
		xrealloc(warnings->messages,
			 (warnings->n + 1) * sizeof(*warnings->messages));
	warnings->messages[warnings->n++] = dup_line(sentence);
}

void config_warnings_add(struct config_warnings *warnings, const char *format,
			 ...)
{
	va_list args;

	va_start(args, format);
	add_warning(warnings, format, args);
	va_end(args);
}

void config_warn(struct config_build *build, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_warning(build->warnings, format, args);
	va_end(args);
}

const char *config_getenv(char *const *environment, const char *name)
{
	size_t len = strlen(name);

	for (; environment && *environment; environment++) {
		if (strncmp(*environment, name, len) == 0 &&
		    (*environment)[len] == '=')
			return *environment + len + 1;
	}
	return NULL;
}

const char *config_choose_path(const char *given, char *const *environment)
{
	if (given || access(CONFIG_DEFAULT_PATH, F_OK) == 0)
		return given ? given : CONFIG_DEFAULT_PATH;
	for (; environment && *environment; environment++) {
		if (text_starts(text_of(*environment), "LANPOST_ACCOUNT_"))
			return NULL;
	}
	return CONFIG_DEFAULT_PATH;
}

static char *directory_of(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	if (!slash)
		return NULL;
	return text_dup(
		text_make(path, slash == path ? 1 : (size_t)(slash - path)));
}

char *config_catalogue_folder(const char *path)
{
	return config_folder_beside(path, "catalogue.d");
}

static bool load_catalogue(struct config_build *build)
{
	char *folder = config_catalogue_folder(build->path);
	char *error = NULL;

	build->config->catalogue = catalogue_load(folder, build->config->providers,
						  &error);
	free(folder);
	if (build->config->catalogue)
		return true;
	config_fail(build, "%s", error);
	free(error);
	return false;
}

static bool load_providers(struct config_build *build)
{
	char *folder = providers_folder(build->path), *error;

	build->config->providers = providers_load(folder, &error);
	if (!build->config->providers)
		config_fail(build, "%s", error);
	free(error);
	free(folder);
	return build->config->providers != NULL;
}

static bool build_all(struct config_build *build)
{
	if (!load_providers(build))
		return false;
	if (build->path && !config_read_file(build))
		return false;
	if (!config_read_environment(build))
		return false;
	config_fill(build);
	return config_read_secrets(build) && config_verify(build) &&
	       config_verify_file(build) && load_catalogue(build);
}

struct config *config_load(const char *path, char *const *environment,
			   struct config_warnings *warnings_r,
			   struct config_error *error_r)
{
	struct config_build build = {
		.config = xcalloc(1, sizeof(struct config)),
		.path = path,
		.directory = directory_of(path),
		.environment = environment,
		.warnings = warnings_r,
	};
	bool good;

	if (warnings_r)
		*warnings_r = (struct config_warnings){ 0 };
	error_r->message = NULL;
	build.config->refs = 1;
	build.config->path = xstrdup(path);
	config_place_relay_init(build.config);
	good = build_all(&build);
	free(build.directory);
	if (good)
		return build.config;
	config_unref(&build.config);
	if (warnings_r)
		config_warnings_free(warnings_r);
	error_r->message = build.error;
	return NULL;
}

struct config *config_ref(struct config *config)
{
	config->refs++;
	return config;
}

static void config_free(struct config *config)
{
	config_places_free(config);
	catalogue_unref(&config->catalogue);
	providers_free(&config->providers);
	free(config->path);
	free(config);
}

void config_unref(struct config **config)
{
	if (*config && --(*config)->refs == 0)
		config_free(*config);
	*config = NULL;
}

void config_error_free(struct config_error *error)
{
	free(error->message);
	error->message = NULL;
}

void config_warnings_free(struct config_warnings *warnings)
{
	for (size_t i = 0; i < warnings->n; i++)
		free(warnings->messages[i]);
	free(warnings->messages);
	*warnings = (struct config_warnings){ 0 };
}

const struct account_config *config_account(const struct config *config,
					    const char *name)
{
	return config_place_find(config, CONFIG_SECTION_ACCOUNT, name).base;
}

const struct rule_config *config_rule(const struct config *config,
				      const char *name)
{
	return config_place_find(config, CONFIG_SECTION_RULE, name).base;
}

const struct device_config *config_device(const struct config *config,
					  const struct address *client)
{
	const struct device_config *best = NULL;
	unsigned prefix = 0;

	for (size_t i = 0; i < config->n_devices; i++) {
		const struct network_list *list = &config->devices[i].address;

		for (size_t k = 0; k < list->n; k++) {
			const struct network *network = &list->networks[k];

			if (!network_contains(network, client) ||
			    (best && network->prefix <= prefix))
				continue;
			best = &config->devices[i];
			prefix = network->prefix;
		}
	}
	return best;
}
