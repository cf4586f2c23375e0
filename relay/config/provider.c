#include "relay/config/provider.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/xalloc.h"
#include "relay/config/config_ini.h"
#include "relay/config/nearest.h"
#include "relay/config/value.h"

extern const char conf_providers_ini[];

struct provider_key {
	const char *name;
	enum { TEXT_FIELD, VALUE_FIELD, SPACES_FIELD } kind;
	enum value_type type;
	size_t offset;
};

#define TEXT(name)                                                             \
	{                                                                      \
#name, TEXT_FIELD, 0, offsetof(struct provider, name)          \
	}
#define VALUE(name, type)                                                      \
	{                                                                      \
#name, VALUE_FIELD, VALUE_##type,                              \
			offsetof(struct provider, name)                        \
	}

static const struct provider_key keys[] = {
	TEXT(title),
	TEXT(host),
	VALUE(port, COUNT),
	VALUE(tls, TLS_POLICY),
	TEXT(mechanisms),
	TEXT(username),
	TEXT(password),
	VALUE(spaced_password, BOOL),
	TEXT(password_warning),
	VALUE(messages_per_minute, COUNT_OR_ZERO),
	VALUE(messages_per_day, COUNT_OR_ZERO),
	VALUE(recipients_per_day, COUNT_OR_ZERO),
	VALUE(recipients_per_message, COUNT_OR_ZERO),
	VALUE(connections, COUNT_OR_ZERO),
	VALUE(messages_per_connection, COUNT_OR_ZERO),
	VALUE(max_message_size, SIZE_OR_ZERO),
	TEXT(pipelining),
	TEXT(sender_check),
	VALUE(checks_envelope, BOOL),
	VALUE(checks_from, BOOL),
	VALUE(replaces_from, BOOL),
	VALUE(takes_null_sender, BOOL),
	TEXT(grant),
	TEXT(uncertain),
	TEXT(notes),
	TEXT(page),
};

static struct provider *providers;
static size_t n_providers;

static const struct provider_key *find_key(struct text name)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (text_equal(name, text_of(keys[i].name)))
			return &keys[i];
	}
	return NULL;
}

static bool knows(struct text word)
{
	return find_key(word) != NULL;
}

/* The lines of a long text are one paragraph. */
static void set_text(void *field, const char *value)
{
	char **string = field;

	free(*string);
	*string = xstrdup(value);
	for (char *c = *string; *c; c++) {
		if (*c == '\n')
			*c = ' ';
	}
}

static bool set_key(struct provider *provider,
		    const struct config_ini_entry *entry, struct buf *why)
{
	const struct provider_key *key = find_key(text_of(entry->key));
	void *field;

	if (!key) {
		buf_printf(why, "unknown key \"%s\"", entry->key);
		return false;
	}
	field = (char *)provider + key->offset;
	if (key->kind == VALUE_FIELD)
		return value_parse(key->type, text_of(entry->value), NULL,
				   field, why);
	set_text(field, entry->value);
	return true;
}

/* The file is compiled in and tested: what is wrong with it is our fault. */
static void die(const char *sentence)
{
	fprintf(stderr, "lanpost: the built-in presets are broken: %s\n",
		sentence);
	abort();
}

static void add_provider(const struct config_ini *ini,
			 const struct config_ini_section *section)
{
	struct provider *provider = &providers[n_providers++];
	struct buf why = BUF_INIT(1024);

	provider->name = xstrdup(section->kind);
	for (size_t i = 0; i < ini->n_entries; i++) {
		const struct config_ini_entry *entry = &ini->entries[i];

		if (entry->section == section &&
		    !set_key(provider, entry, &why))
			die(buf_string(&why));
	}
	buf_free(&why);
}

static void load(void)
{
	struct config_ini *ini;
	char *error;

	if (providers)
		return;
	ini = config_ini_read(text_of(conf_providers_ini), "providers.ini",
			      knows, &error);
	if (!ini)
		die(error);
	providers = xcalloc(ini->n_sections, sizeof(*providers));
	for (size_t i = 0; i < ini->n_sections; i++)
		add_provider(ini, ini->sections[i]);
	config_ini_free(&ini);
}

const struct provider *provider_at(size_t index)
{
	load();
	return index < n_providers ? &providers[index] : NULL;
}

const struct provider *provider_find(const char *name)
{
	const struct provider *provider;

	for (size_t i = 0; (provider = provider_at(i)); i++) {
		if (text_is(text_of(name), provider->name))
			return provider;
	}
	return NULL;
}

const char *provider_nearest(const char *name)
{
	const struct provider *provider;
	struct nearest nearest;

	nearest_begin(&nearest, text_of(name));
	for (size_t i = 0; (provider = provider_at(i)); i++)
		nearest_try(&nearest, provider->name);
	return nearest.best;
}

bool provider_is_certain(const struct provider *provider, const char *key)
{
	struct text rest = text_of(provider->uncertain), word;

	while (text_token(&rest, ',', &word)) {
		if (text_is(text_trim(word), key))
			return false;
	}
	return true;
}
