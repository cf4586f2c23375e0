#include "relay/report/catalogue_reading.h"

#include <stdlib.h>
#include <string.h>

#include "proto/xalloc.h"
#include "relay/config/config_ini.h"
#include "relay/config/nearest.h"

/* ---- keys ---- */

static const struct catalogue_key *find_key(struct text name)
{
	size_t i;

	for (i = 0; i < CATALOGUE_KEYS; i++) {
		if (text_is(name, catalogue_keys[i].name))
			return &catalogue_keys[i];
	}
	return NULL;
}

static bool knows(struct text word)
{
	return find_key(word) != NULL;
}

static bool fail_key(struct reader *reader, const char *name)
{
	struct nearest nearest;
	size_t i;

	nearest_begin(&nearest, text_of(name));
	for (i = 0; i < CATALOGUE_KEYS; i++)
		nearest_try(&nearest, catalogue_keys[i].name);
	if (nearest.best != NULL)
		return catalogue_complain(reader,
			"unknown key \"%s\"; did you mean \"%s\"?", name,
			nearest.best);
	return catalogue_complain(reader,
		"unknown key \"%s\"; keys are provider, stage, code, status, "
		"pattern, last_resort, title, explanation, fix, disposition, "
		"wait and page", name);
}

/* The lines of a long text are one paragraph. */
static bool set_value(struct reader *reader, struct catalogue_item *item,
                      const struct catalogue_key *key, const char *value)
{
	char *joined = xstrdup(value), *c;
	bool good;

	for (c = joined; *c != '\0'; c++) {
		if (*c == '\n')
			*c = ' ';
	}
	good = key->set(reader, item, text_trim(text_of(joined)));
	free(joined);
	return good;
}

static bool take_entry(struct reader *reader, struct catalogue_item *item,
                       const struct config_ini_entry *entry,
                       unsigned lines[CATALOGUE_KEYS])
{
	const struct catalogue_key *key = find_key(text_of(entry->key));

	reader->line = entry->line;
	if (key == NULL)
		return fail_key(reader, entry->key);
	if (lines[key - catalogue_keys] > 0 &&
	    !(key->flags & CATALOGUE_KEY_MANY))
		return catalogue_complain(reader,
			"\"%s\" is set a second time; the first is in line %u",
			key->name, lines[key - catalogue_keys]);
	lines[key - catalogue_keys] = entry->line;
	return set_value(reader, item, key, entry->value);
}

/* ---- sections ---- */

static bool is_id(const char *id)
{
	return strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-") ==
	       strlen(id);
}

static bool check_section(struct reader *reader,
                          const struct catalogue_list *list, size_t before,
                          const struct config_ini_section *section)
{
	size_t i;

	reader->line = section->line;
	if (section->name != NULL || !is_id(section->kind))
		return catalogue_complain(reader,
			"an entry's id is one word of small letters, digits "
			"and hyphens, such as [printer-quota]");
	for (i = before; i < list->n; i++) {
		if (strcmp(list->items[i]->entry.id, section->kind) == 0)
			return catalogue_complain(reader,
				"[%s] stands here a second time; the first is "
				"in line %u", section->kind,
				list->items[i]->line);
	}
	return true;
}

static bool check_item(struct reader *reader, const struct catalogue_item *item,
                       const unsigned lines[CATALOGUE_KEYS])
{
	size_t i;

	reader->line = item->line;
	for (i = 0; i < CATALOGUE_KEYS; i++) {
		if (lines[i] == 0 &&
		    catalogue_keys[i].flags & CATALOGUE_KEY_REQUIRED)
			return catalogue_complain(reader,
				"[%s] has no %s", item->entry.id,
				catalogue_keys[i].name);
	}
	if (item->last_resort && (item->n_codes == 0 || item->n_patterns == 0))
		return catalogue_complain(reader,
			"[%s]: last_resort goes with code and pattern",
			item->entry.id);
	return true;
}

/* Entries stand in the order of their sections; *at goes behind its own. */
static bool read_section(struct reader *reader, struct catalogue_item *item,
                         const struct config_ini *ini,
                         const struct config_ini_section *section, size_t *at)
{
	unsigned lines[CATALOGUE_KEYS] = { 0 };

	item->entry.id = xstrdup(section->kind);
	item->line = section->line;
	for (; *at < ini->n_entries && ini->entries[*at].section == section;
	     (*at)++) {
		if (!take_entry(reader, item, &ini->entries[*at], lines))
			return false;
	}
	return check_item(reader, item, lines);
}

static bool read_sections(struct reader *reader, const struct config_ini *ini,
                          struct catalogue_list *list)
{
	size_t i, at = 0, before = list->n;

	if (ini->n_entries > 0 && ini->entries[0].section == NULL) {
		reader->line = ini->entries[0].line;
		return catalogue_complain(reader,
			"\"%s\" stands before any entry; put a line with [id] "
			"above it", ini->entries[0].key);
	}
	for (i = 0; i < ini->n_sections; i++) {
		struct catalogue_item *item;

		if (!check_section(reader, list, before, ini->sections[i]))
			return false;
		item = xcalloc(1, sizeof *item);
		catalogue_list_add(list, item);
		if (!read_section(reader, item, ini, ini->sections[i], &at))
			return false;
	}
	return true;
}

bool catalogue_read(struct text bytes, const char *label,
                    const struct providers *providers,
                    struct catalogue_list *list, char **error_r)
{
	struct reader reader = { .label = label, .providers = providers };
	struct config_ini *ini = config_ini_read(bytes, label, knows, error_r);
	bool good = ini != NULL && read_sections(&reader, ini, list);

	if (ini != NULL && !good)
		*error_r = reader.error;
	config_ini_free(&ini);
	return good;
}

/* ---- lists of entries ---- */

void catalogue_list_add(struct catalogue_list *list,
                        struct catalogue_item *item)
{
	list->items =
		xrealloc(list->items, (list->n + 1) * sizeof *list->items);
	list->items[list->n++] = item;
}

struct catalogue_item *catalogue_list_find(const struct catalogue_list *list,
                                           const char *id)
{
	size_t i;

	for (i = 0; i < list->n; i++) {
		if (strcmp(list->items[i]->entry.id, id) == 0)
			return list->items[i];
	}
	return NULL;
}

void catalogue_item_free(struct catalogue_item *item)
{
	struct catalogue_entry *entry = &item->entry;
	size_t i;

	for (i = 0; i < item->n_patterns; i++)
		free((char *)item->patterns[i].data);
	free((char *)entry->id);
	free((char *)entry->title);
	free((char *)entry->explanation);
	free((char *)entry->fix);
	free((char *)entry->page);
	for (i = 0; i < item->n_providers; i++)
		free(item->providers[i]);
	free(item->providers);
	free(item->codes);
	free(item->statuses);
	free(item->patterns);
	free(item);
}

void catalogue_list_free(struct catalogue_list *list)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		catalogue_item_free(list->items[i]);
	free(list->items);
	*list = (struct catalogue_list){ NULL, 0 };
}
