#include "relay/config/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "proto/xalloc.h"
#include "relay/config/config_build.h"

static void *field_of(void *base, const struct config_key *key)
{
	return (char *)base + key->offset;
}

static void set_defaults(enum config_section section, void *base)
{
	struct buf why = BUF_INIT(1024);

	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];
		const char *text = config_key_default(key);

		if (key->section == section && !key->later && text)
			value_parse(key->type, text_of(text), NULL,
				    field_of(base, key), &why);
	}
	buf_free(&why);
}

static void free_fields(enum config_section section, void *base)
{
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];

		if (key->section == section && !key->later)
			value_free(key->type, field_of(base, key));
	}
}

struct config_place config_place_relay(struct config_build *build)
{
	struct relay_config *relay = &build->config->relay;

	return (struct config_place){ CONFIG_SECTION_RELAY, relay,
				      relay->origins };
}

static struct config_place listener_place(struct listener_config *listener)
{
	return (struct config_place){ CONFIG_SECTION_LISTENER, listener,
				      listener->origins };
}

static struct config_place account_place(struct account_config *account)
{
	return (struct config_place){ CONFIG_SECTION_ACCOUNT, account,
				      account->origins };
}

static bool same_name(const char *name, const char *wanted)
{
	return text_is(text_of(name), wanted ? wanted : "default");
}

struct config_place config_place_find(struct config_build *build,
				      enum config_section section,
				      const char *name)
{
	struct config *config = build->config;

	for (size_t i = 0;
	     section == CONFIG_SECTION_LISTENER && i < config->n_listeners;
	     i++) {
		if (same_name(config->listeners[i].name, name))
			return listener_place(&config->listeners[i]);
	}
	for (size_t i = 0;
	     section == CONFIG_SECTION_ACCOUNT && i < config->n_accounts; i++) {
		if (same_name(config->accounts[i].name, name))
			return account_place(&config->accounts[i]);
	}
	if (section == CONFIG_SECTION_RELAY)
		return config_place_relay(build);
	return (struct config_place){ section, NULL, NULL };
}

static struct config_place add_listener(struct config *config, const char *name,
					unsigned line)
{
	struct listener_config *listener;

	config->listeners =
		xrealloc(config->listeners, (config->n_listeners + 1) *
						    sizeof(*config->listeners));
	listener = &config->listeners[config->n_listeners++];
	*listener = (struct listener_config){
		.name = xstrdup(name),
		.line = line,
		.origins = config_origins_new(),
	};
	set_defaults(CONFIG_SECTION_LISTENER, listener);
	return listener_place(listener);
}

static struct config_place add_account(struct config *config, const char *name,
				       unsigned line)
{
	struct account_config *account;

	config->accounts =
		xrealloc(config->accounts,
			 (config->n_accounts + 1) * sizeof(*config->accounts));
	account = &config->accounts[config->n_accounts++];
	*account = (struct account_config){
		.name = xstrdup(name),
		.line = line,
		.origins = config_origins_new(),
	};
	set_defaults(CONFIG_SECTION_ACCOUNT, account);
	return account_place(account);
}

struct config_place config_place_add(struct config_build *build,
				     enum config_section section,
				     const char *name, unsigned line)
{
	if (!name)
		name = "default";
	if (section == CONFIG_SECTION_LISTENER)
		return add_listener(build->config, name, line);
	return add_account(build->config, name, line);
}

/* One of today's values?  They describe what lanpost does anyway. */
static bool is_today(const struct config_key *key, struct text value)
{
	struct text rest = text_of(key->today), word;

	while (text_token(&rest, ',', &word)) {
		if (text_equal_nocase(text_trim(word), value))
			return true;
	}
	return false;
}

static bool set_later(struct config_build *build, const struct config_key *key,
		      struct text value, const char *where)
{
	struct text rest = text_of(key->today), word = { 0 };

	if (is_today(key, value))
		return true;
	if (!text_token(&rest, ',', &word))
		return config_fail(build, "%s: \"%s\" is not yet supported",
				   where, key->name);
	return config_fail(build,
			   "%s: \"%s\" is not yet supported; leave it "
			   "out, or write %s = %.*s",
			   where, key->name, key->name, TEXT_ARG(word));
}

bool config_place_set(struct config_build *build,
		      const struct config_place *place,
		      const struct config_key *key, struct text value,
		      const char *where, bool is_variable)
{
	struct buf why = BUF_INIT(4096);
	bool good;

	value = text_trim(value);
	if (value.len == 0)
		return config_fail(build,
				   "%s: \"%s\" has no value; leave the "
				   "line out for the default",
				   where, key->name);
	if (key->later)
		return set_later(build, key, value, where);
	good = value_parse(key->type, value, build->directory,
			   field_of(place->base, key), &why);
	if (!good && key->type != VALUE_SECRET &&
	    text_find_nocase(value, text_of(" #")) >= 0)
		buf_puts(&why, " (a comment behind a value begins with \";\")");
	if (!good)
		config_fail(build, "%s: %s%s%s", where,
			    is_variable ? "" : key->name,
			    is_variable ? "" : ": ", buf_string(&why));
	buf_free(&why);
	return good;
}

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

static bool fail_at(struct config_build *build, enum config_section section,
		    const struct config_origin *origins, unsigned line,
		    const char *key, const char *format, va_list args)
{
	const struct config_origin *origin =
		key ? config_origin(origins, key, section) : NULL;
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
			   config_section_kind(section), sentence);
}

bool config_fail_account(struct config_build *build,
			 const struct account_config *account, const char *key,
			 const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fail_at(build, CONFIG_SECTION_ACCOUNT, account->origins, account->line,
		key, format, args);
	va_end(args);
	return false;
}

bool config_fail_listener(struct config_build *build,
			  const struct listener_config *listener,
			  const char *key, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fail_at(build, CONFIG_SECTION_LISTENER, listener->origins,
		listener->line, key, format, args);
	va_end(args);
	return false;
}

void config_warn(struct config_build *build, const char *format, ...)
{
	struct config_warnings *warnings = build->warnings;
	char sentence[2048];
	va_list args;

	if (!warnings)
		return;
	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	warnings->messages =
		xrealloc(warnings->messages,
			 (warnings->n + 1) * sizeof(*warnings->messages));
	warnings->messages[warnings->n++] = dup_line(sentence);
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

static bool build_all(struct config_build *build)
{
	if (build->path && !config_read_file(build))
		return false;
	if (!config_read_environment(build))
		return false;
	config_fill(build);
	return config_read_secrets(build) && config_verify(build) &&
	       config_verify_file(build);
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
	build.config->relay.origins = config_origins_new();
	set_defaults(CONFIG_SECTION_RELAY, &build.config->relay);
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
	for (size_t i = 0; i < config->n_listeners; i++) {
		struct listener_config *listener = &config->listeners[i];

		free_fields(CONFIG_SECTION_LISTENER, listener);
		config_origins_free(&listener->origins);
		free(listener->name);
	}
	for (size_t i = 0; i < config->n_accounts; i++) {
		struct account_config *account = &config->accounts[i];

		free_fields(CONFIG_SECTION_ACCOUNT, account);
		config_origins_free(&account->origins);
		free(account->name);
	}
	free_fields(CONFIG_SECTION_RELAY, &config->relay);
	config_origins_free(&config->relay.origins);
	free(config->listeners);
	free(config->accounts);
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
	for (size_t i = 0; i < config->n_accounts; i++) {
		if (same_name(config->accounts[i].name, name))
			return &config->accounts[i];
	}
	return NULL;
}
