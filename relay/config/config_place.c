#include "relay/config/config_build.h"

#include <stdlib.h>
#include <string.h>
#include "proto/xalloc.h"
#include "relay/config/provider.h"

/* Where the sections of a kind stand in struct config, and what of theirs is
 * alike in all kinds. */
struct layout {
	size_t list, n; /* in struct config */
	size_t size, name, line, origins;
};

#define LAYOUT(field, type)                                                    \
	{                                                                      \
		offsetof(struct config, field##s),                             \
			offsetof(struct config, n_##field##s), sizeof(type),   \
			offsetof(type, name), offsetof(type, line),            \
			offsetof(type, origins)                                \
	}

static const struct layout layouts[CONFIG_SECTIONS] = {
	[CONFIG_SECTION_LISTENER] = LAYOUT(listener, struct listener_config),
	[CONFIG_SECTION_ACCOUNT] = LAYOUT(account, struct account_config),
	[CONFIG_SECTION_DEVICE] = LAYOUT(device, struct device_config),
	[CONFIG_SECTION_RULE] = LAYOUT(rule, struct rule_config),
};

static void *field_of(void *base, const struct config_key *key)
{
	return (char *)base + key->offset;
}

static void set_defaults(const struct config_place *place)
{
	struct buf why = BUF_INIT(1024);

	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];
		const char *text = config_key_default(key);

		if (key->section == place->section && !key->later && text)
			value_parse(key->type, text_of(text), NULL,
				    field_of(place->base, key), &why);
	}
	buf_free(&why);
}

static void free_fields(const struct config_place *place)
{
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];

		if (key->section == place->section && !key->later)
			value_free(key->type, field_of(place->base, key));
	}
}

/* The array's pointer has a type of its own in each kind: its bytes are
 * copied. */
static char *list_of(const struct config *config, const struct layout *layout)
{
	char *list;

	memcpy(&list, (const char *)config + layout->list, sizeof(list));
	return list;
}

static void set_list(struct config *config, const struct layout *layout,
		     char *list)
{
	memcpy((char *)config + layout->list, &list, sizeof(list));
}

static size_t *count_of(struct config *config, const struct layout *layout)
{
	return (void *)((char *)config + layout->n);
}

static struct config_place place_relay(const struct config *config)
{
	return (struct config_place){
		.section = CONFIG_SECTION_RELAY,
		.base = (void *)&config->relay,
		.origins = config->relay.origins,
	};
}

size_t config_n_places(const struct config *config, enum config_section section)
{
	if (section == CONFIG_SECTION_RELAY)
		return 1;
	return *count_of((struct config *)config, &layouts[section]);
}

struct config_place config_place_at(const struct config *config,
				    enum config_section section, size_t index)
{
	const struct layout *layout = &layouts[section];
	struct config_place place = { .section = section };
	char *base;

	if (section == CONFIG_SECTION_RELAY)
		return place_relay(config);
	base = list_of(config, layout) + index * layout->size;
	place.base = base;
	memcpy(&place.name, base + layout->name, sizeof(place.name));
	memcpy(&place.line, base + layout->line, sizeof(place.line));
	memcpy(&place.origins, base + layout->origins, sizeof(place.origins));
	return place;
}

struct config_place config_place_relay(struct config_build *build)
{
	return place_relay(build->config);
}

struct config_place config_place_find(const struct config *config,
				      enum config_section section,
				      const char *name)
{
	size_t n = config_n_places(config, section);

	for (size_t i = 0; i < n; i++) {
		struct config_place place = config_place_at(config, section, i);

		if (section == CONFIG_SECTION_RELAY ||
		    text_is(text_of(place.name), name ? name : "default"))
			return place;
	}
	return (struct config_place){ .section = section };
}

struct config_place config_place_add(struct config_build *build,
				     enum config_section section,
				     const char *name, unsigned line)
{
	const struct layout *layout = &layouts[section];
	size_t *n = count_of(build->config, layout);
	char *list = xrealloc(list_of(build->config, layout),
			      (*n + 1) * layout->size);
	char *base = list + *n * layout->size;
	char *copy = xstrdup(name ? name : "default");
	struct config_origin *origins = config_origins_new();
	struct config_place place;

	memset(base, 0, layout->size);
	memcpy(base + layout->name, &copy, sizeof(copy));
	memcpy(base + layout->line, &line, sizeof(line));
	memcpy(base + layout->origins, &origins, sizeof(origins));
	set_list(build->config, layout, list);
	place = config_place_at(build->config, section, (*n)++);
	set_defaults(&place);
	return place;
}

void config_place_relay_init(struct config *config)
{
	struct config_place place;

	config->relay.origins = config_origins_new();
	place = place_relay(config);
	set_defaults(&place);
}

static void place_free(struct config_place *place)
{
	free_fields(place);
	config_origins_free(&place->origins);
	free((char *)place->name);
}

void config_places_free(struct config *config)
{
	for (unsigned i = 0; i < CONFIG_SECTIONS; i++) {
		enum config_section section = (enum config_section)i;
		size_t n = config_n_places(config, section);

		for (size_t k = 0; k < n; k++) {
			struct config_place place =
				config_place_at(config, section, k);

			place_free(&place);
		}
		if (section != CONFIG_SECTION_RELAY)
			free(list_of(config, &layouts[section]));
	}
}

/* The unnamed one first, then by name: a process has its variables in no
 * order that could be told. */
static bool is_before(const struct config_place *a,
		      const struct config_place *b)
{
	bool unnamed = strcmp(a->name, "default") == 0;

	if (unnamed != (strcmp(b->name, "default") == 0))
		return unnamed;
	return strcmp(a->name, b->name) < 0;
}

static void swap_bytes(char *a, char *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char c = a[i];

		a[i] = b[i];
		b[i] = c;
	}
}

void config_places_sort(struct config *config, enum config_section section,
			size_t from)
{
	const struct layout *layout = &layouts[section];
	size_t n = config_n_places(config, section);
	char *list = list_of(config, layout);

	for (size_t i = from + 1; i < n; i++) {
		for (size_t k = i; k > from; k--) {
			struct config_place a =
				config_place_at(config, section, k - 1);
			struct config_place b =
				config_place_at(config, section, k);

			if (!is_before(&b, &a))
				break;
			swap_bytes(list + (k - 1) * layout->size,
				   list + k * layout->size, layout->size);
		}
	}
}

const char config_device_name_advice[] =
	"a device needs a name, and one that is neither a network nor a word "
	"such as any or private; write it like [device scanner-2]";

bool config_is_device_name(const char *name)
{
	struct buf why = BUF_INIT(1024);
	struct client_list clients = { 0 };
	bool good = name && value_parse(VALUE_CLIENTS, text_of(name), NULL,
					&clients, &why);

	good = good && clients.devices.n == 1;
	value_free(VALUE_CLIENTS, &clients);
	buf_free(&why);
	return good;
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

/* The presets are part of the configuration, and no value kind knows it. */
static bool set_provider(struct config_build *build, struct text name,
			 const struct provider **field, struct buf *why)
{
	const struct providers *providers = build->config->providers;
	char *copy = text_dup(name);
	const struct provider *found = providers_find(providers, copy);
	const char *near = providers_nearest(providers, copy);

	free(copy);
	if (found) {
		*field = found;
		return true;
	}
	buf_printf(why, "there is no preset \"%.*s\"; ", TEXT_ARG(name));
	if (near)
		buf_printf(why, "did you mean \"%s\"? ", near);
	buf_puts(why, "\"lanpost providers\" lists them; for any other "
		      "provider give host, port and tls");
	return false;
}

static bool set_value(struct config_build *build, const struct config_key *key,
		      struct text value, void *field, struct buf *why)
{
	if (key->type == VALUE_PROVIDER)
		return set_provider(build, value, field, why);
	return value_parse(key->type, value, build->directory, field, why);
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
	good = set_value(build, key, value, field_of(place->base, key), &why);
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
