#include "relay/config/config_print.h"

#include <stdlib.h>
#include <string.h>
#include "proto/buf.h"
#include "proto/xalloc.h"
#include "relay/config/config_build.h"
#include "relay/config/provider.h"

enum { VALUE_MAX = 1 << 20, SOURCE_COLUMN = 44 };

static bool is_shown(const struct config_place *place,
		     const struct config_key *key)
{
	return key->section == place->section && !key->later;
}

static const void *field_of(const struct config_place *place,
			    const struct config_key *key)
{
	return (const char *)place->base + key->offset;
}

static const char *value_text(const struct config_place *place,
			      const struct config_key *key, struct buf *out)
{
	buf_clear(out);
	value_print(key->type, field_of(place, key), out);
	return buf_len(out) > 0 ? buf_string(out) : NULL;
}

/* What holds where nothing is given; an account's is in the preset, which
 * would have filled the field. */
static const char *default_words(const struct config_key *key)
{
	return key->section == CONFIG_SECTION_ACCOUNT || config_key_default(key)
		       ? "(none)"
		       : key->preset;
}

static void print_source(FILE *out, const struct config_place *place,
			 const struct config_origin *origin)
{
	switch (origin->type) {
	case CONFIG_ORIGIN_DEFAULT:
		break;
	case CONFIG_ORIGIN_FILE:
		fprintf(out, " ; line %u", origin->line);
		break;
	case CONFIG_ORIGIN_ENVIRONMENT:
		fprintf(out, " ; %s", origin->variable);
		break;
	case CONFIG_ORIGIN_PRESET:
		fprintf(out, " ; preset %s",
			((const struct account_config *)place->base)
				->provider->name);
		break;
	case CONFIG_ORIGIN_DERIVED:
		fprintf(out, place->section == CONFIG_SECTION_RELAY
				     ? " ; from the system"
				     : " ; from the keys above");
		break;
	}
}

static void print_section(FILE *out, const struct config_place *place)
{
	struct buf text = BUF_INIT(VALUE_MAX);

	fprintf(out, "[%s%s%s]\n", config_section_kind(place->section),
		place->name ? " " : "", place->name ? place->name : "");
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];
		const char *value;
		int width;

		if (!is_shown(place, key))
			continue;
		value = value_text(place, key, &text);
		width = SOURCE_COLUMN - (int)strlen(key->name) - 3;
		if (place->origins[i].type == CONFIG_ORIGIN_DEFAULT)
			width = 0;
		fprintf(out, "%s = %-*s", key->name, width,
			value ? value : default_words(key));
		print_source(out, place, &place->origins[i]);
		fputc('\n', out);
	}
	buf_free(&text);
}

void config_print(FILE *out, const struct config *config)
{
	for (unsigned i = 0; i < CONFIG_SECTIONS; i++) {
		enum config_section section = (enum config_section)i;
		size_t n = config_n_places(config, section);

		for (size_t k = 0; k < n; k++) {
			struct config_place place =
				config_place_at(config, section, k);

			if (section != CONFIG_SECTION_RELAY)
				fputc('\n', out);
			print_section(out, &place);
		}
	}
}

json_t *config_json_text(const char *text)
{
	json_t *string = text ? json_string(text) : json_null();
	char *clean;

	if (string)
		return string;
	clean = xstrdup(text);
	for (char *c = clean; *c; c++) {
		if ((unsigned char)*c > 0x7e)
			*c = '?';
	}
	string = json_string(clean);
	free(clean);
	return string;
}

static json_t *list_to_json(const char *text)
{
	json_t *list = json_array();
	struct text rest = text_of(text), part;

	while (text_token(&rest, ',', &part)) {
		char *word = text_dup(text_trim(part));

		json_array_append_new(list, config_json_text(word));
		free(word);
	}
	return list;
}

static json_t *value_to_json(const struct config_place *place,
			     const struct config_key *key, struct buf *scratch)
{
	const void *field = field_of(place, key);
	const char *text = value_text(place, key, scratch);

	if (value_is_list(key->type))
		return list_to_json(text);
	if (!text)
		return json_null();
	if (key->type == VALUE_BOOL)
		return json_boolean(*(const bool *)field);
	if (key->type == VALUE_SIZE || key->type == VALUE_SIZE_OR_ZERO)
		return json_integer((json_int_t) * (const uint64_t *)field);
	if (key->type == VALUE_COUNT || key->type == VALUE_COUNT_OR_ZERO)
		return json_integer(*(const unsigned *)field);
	if (key->type == VALUE_PORT)
		return json_integer(*(const uint16_t *)field);
	return config_json_text(text);
}

static json_t *section_to_json(const struct config_place *place)
{
	struct buf scratch = BUF_INIT(VALUE_MAX);
	json_t *section = json_object();

	if (place->name)
		json_object_set_new(section, "name", json_string(place->name));
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];

		if (is_shown(place, key))
			json_object_set_new(
				section, key->name,
				value_to_json(place, key, &scratch));
	}
	buf_free(&scratch);
	return section;
}

json_t *config_to_json(const struct config *config)
{
	struct config_place relay =
		config_place_at(config, CONFIG_SECTION_RELAY, 0);
	json_t *whole = json_object();

	json_object_set_new(whole, "relay", section_to_json(&relay));
	for (unsigned i = CONFIG_SECTION_RELAY + 1; i < CONFIG_SECTIONS; i++) {
		enum config_section section = (enum config_section)i;
		size_t n = config_n_places(config, section);
		json_t *list = json_array();
		char name[32];

		for (size_t k = 0; k < n; k++) {
			struct config_place place =
				config_place_at(config, section, k);

			json_array_append_new(list, section_to_json(&place));
		}
		snprintf(name, sizeof(name), "%ss",
			 config_section_kind(section));
		json_object_set_new(whole, name, list);
	}
	return whole;
}

/* Among the keys that need a restart, or among all. */
static const char *first_difference(const struct config_place *old,
				    const struct config_place *now, bool all)
{
	struct buf before = BUF_INIT(VALUE_MAX), after = BUF_INIT(VALUE_MAX);
	const char *name = NULL;

	for (size_t i = 0; i < config_n_keys && !name; i++) {
		const struct config_key *key = &config_keys[i];
		const char *was, *is;

		if (!is_shown(old, key) || (key->live && !all))
			continue;
		was = value_text(old, key, &before);
		is = value_text(now, key, &after);
		if (strcmp(was ? was : "", is ? is : "") != 0)
			name = key->name;
	}
	buf_free(&before);
	buf_free(&after);
	return name;
}

const char *config_needs_restart(const struct config *old,
				 const struct config *now)
{
	static char sentence[160];
	struct config_place was, is;
	const char *key;

	was = config_place_at(old, CONFIG_SECTION_RELAY, 0);
	is = config_place_at(now, CONFIG_SECTION_RELAY, 0);
	key = first_difference(&was, &is, false);
	snprintf(sentence, sizeof(sentence), "[relay] %s", key ? key : "");
	if (key)
		return sentence;
	if (old->n_listeners != now->n_listeners)
		return "number of [listener] sections";
	for (size_t i = 0; i < now->n_listeners && !key; i++) {
		was = config_place_at(old, CONFIG_SECTION_LISTENER, i);
		is = config_place_at(now, CONFIG_SECTION_LISTENER, i);
		key = first_difference(&was, &is, false);
		snprintf(sentence, sizeof(sentence), "[listener %.100s] %s",
			 now->listeners[i].name, key ? key : "");
	}
	return key ? sentence : NULL;
}

/* Printed, one password is like another. */
static bool same_secret(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool config_accounts_differ(const struct account_config *old,
			    const struct account_config *now)
{
	struct config_place was = { .section = CONFIG_SECTION_ACCOUNT,
				    .base = (void *)old };
	struct config_place is = { .section = CONFIG_SECTION_ACCOUNT,
				   .base = (void *)now };

	return !same_secret(old->password, now->password) ||
	       first_difference(&was, &is, true);
}
