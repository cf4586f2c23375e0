#include "relay/config/config_keys.h"

#include <stdlib.h>
#include <string.h>
#include "proto/xalloc.h"

enum { RESTART = false, LIVE = true };

#define SECTION_STRUCT_RELAY    struct relay_config
#define SECTION_STRUCT_LISTENER struct listener_config
#define SECTION_STRUCT_ACCOUNT  struct account_config
#define SECTION_STRUCT_DEVICE   struct device_config
#define SECTION_STRUCT_RULE     struct rule_config

const struct config_key config_keys[] = {
#define K(in, key, kind, field, words, reload, sentence)                       \
	{                                                                      \
		.section = CONFIG_SECTION_##in,                                \
		.name = key,                                                   \
		.type = VALUE_##kind,                                          \
		.offset = offsetof(SECTION_STRUCT_##in, field),                \
		.preset = words,                                               \
		.live = reload,                                                \
		.help = sentence,                                              \
	},
#define L(in, key, words, accepted, sentence)                                  \
	{                                                                      \
		.section = CONFIG_SECTION_##in,                                \
		.name = key,                                                   \
		.preset = words,                                               \
		.help = sentence,                                              \
		.later = true,                                                 \
		.today = accepted,                                             \
	},
	CONFIG_KEY_MAP(K, L)
#undef K
#undef L
};

const size_t config_n_keys = sizeof(config_keys) / sizeof(config_keys[0]);

static const char *const section_kinds[CONFIG_SECTIONS] = {
#define X(name, kind, type) [CONFIG_SECTION_##name] = kind,
	CONFIG_SECTION_MAP(X)
#undef X
};

const char *config_section_kind(enum config_section section)
{
	return section_kinds[section];
}

enum config_section config_section_find(struct text kind)
{
	unsigned section = 0;

	while (section < CONFIG_SECTIONS &&
	       !text_equal(kind, text_of(section_kinds[section])))
		section++;
	return (enum config_section)section;
}

const struct config_key *config_key_find(enum config_section section,
					 struct text name)
{
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];

		if (key->section == section &&
		    text_equal(name, text_of(key->name)))
			return key;
	}
	return NULL;
}

bool config_word_is_known(struct text word)
{
	if (config_section_find(word) != CONFIG_SECTIONS)
		return true;
	for (unsigned section = 0; section < CONFIG_SECTIONS; section++) {
		if (config_key_find((enum config_section)section, word))
			return true;
	}
	return false;
}

const char *config_key_default(const struct config_key *key)
{
	return key->preset[0] == '(' ? NULL : key->preset;
}

struct config_origin *config_origins_new(void)
{
	return xcalloc(config_n_keys, sizeof(struct config_origin));
}

void config_origins_free(struct config_origin **origins)
{
	if (!*origins)
		return;
	for (size_t i = 0; i < config_n_keys; i++)
		free((*origins)[i].variable);
	free(*origins);
	*origins = NULL;
}

const struct config_origin *config_origin(const struct config_origin *origins,
					  const char *key_name,
					  enum config_section section)
{
	const struct config_key *key =
		config_key_find(section, text_of(key_name));

	return &origins[key - config_keys];
}
