#include "relay/report/catalogue_private.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/xalloc.h"
#include "relay/config/config_ini.h"
#include "relay/config/nearest.h"
#include "relay/config/provider.h"
#include "relay/config/value.h"

enum {
	TITLE_MAX = 64, EXPLANATION_MAX = 400, FIX_MAX = 500, PAGE_MAX = 300,
	PATTERN_MIN = 3, PATTERN_MAX = 300
};

struct reader {
	const char *label;
	const struct providers *providers;
	unsigned line;
	char *error;
};

static bool complain(struct reader *reader, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static bool complain(struct reader *reader, const char *format, ...)
{
	char sentence[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof sentence, format, args);
	va_end(args);
	reader->error =
		xasprintf("%s:%u: %s", reader->label, reader->line, sentence);
	return false;
}

/* ---- lists ---- */

typedef bool take_word(struct reader *reader, struct catalogue_item *item,
                       struct text word);

static bool each_word(struct reader *reader, struct catalogue_item *item,
                      struct text value, take_word *take)
{
	struct text word;
	bool any = false;

	while (text_token(&value, ',', &word)) {
		word = text_trim(word);
		if (word.len > 0 && !take(reader, item, word))
			return false;
		any |= word.len > 0;
	}
	return any || complain(reader, "the list is empty; leave the key out "
	                               "where anything fits");
}

static bool take_provider(struct reader *reader, struct catalogue_item *item,
                          struct text word)
{
	char *name = text_dup(word);
	const struct provider *provider =
		providers_find(reader->providers, name);
	const char *near = providers_nearest(reader->providers, name);

	free(name);
	if (provider == NULL)
		return complain(reader, "there is no preset \"%.*s\"%s%s%s",
		                TEXT_ARG(word), near ? "; did you mean \"" : "",
		                near ? near : "",
		                near ? "\"?" : "; lanpost providers lists them");
	item->providers = xrealloc(item->providers, (item->n_providers + 1) *
	                                            sizeof *item->providers);
	item->providers[item->n_providers++] = xstrdup(provider->name);
	return true;
}

static bool take_stage(struct reader *reader, struct catalogue_item *item,
                       struct text word)
{
	enum catalogue_stage stage = catalogue_stage_find(word);

	if (stage == CATALOGUE_STAGE_ANY)
		return complain(reader, "\"%.*s\" is no stage; stages are "
		                        "connect, greeting, ehlo, starttls, "
		                        "tls, auth, mail, rcpt, data, data-end, "
		                        "token and graph", TEXT_ARG(word));
	item->stages |= 1u << stage;
	return true;
}

static bool is_code(uint64_t number)
{
	return (number >= 1 && number <= 5) || (number >= 100 && number <= 599);
}

static bool take_code(struct reader *reader, struct catalogue_item *item,
                      struct text word)
{
	uint64_t number = 0;
	bool local = text_is(word, "local");

	if (!local && (!text_to_u64(word, &number) || !is_code(number)))
		return complain(reader, "\"%.*s\" is no reply code; one is "
		                        "535, a whole class is 4 or 5, and a "
		                        "failure without a reply is local",
		                TEXT_ARG(word));
	item->codes = xrealloc(item->codes,
	                       (item->n_codes + 1) * sizeof *item->codes);
	item->codes[item->n_codes++] = local ? CATALOGUE_LOCAL : (int)number;
	return true;
}

static bool read_status(struct text word, struct smtp_status *status)
{
	return smtp_status_parse(word, status) == word.len && word.len > 0;
}

static bool take_status(struct reader *reader, struct catalogue_item *item,
                        struct text word)
{
	struct catalogue_status_range range;
	struct text rest = word, first;

	text_token(&rest, '-', &first);
	if (!read_status(text_trim(first), &range.first) ||
	    !read_status(rest.len > 0 ? text_trim(rest) : text_trim(first),
	                 &range.last))
		return complain(reader, "\"%.*s\" is no enhanced status code; "
		                        "one is 5.7.139, a range is "
		                        "5.7.501-5.7.503", TEXT_ARG(word));
	item->statuses = xrealloc(item->statuses, (item->n_statuses + 1) *
	                                          sizeof *item->statuses);
	item->statuses[item->n_statuses++] = range;
	return true;
}

/* ---- values ---- */

static bool set_provider(struct reader *reader, struct catalogue_item *item,
                         struct text value)
{
	return each_word(reader, item, value, take_provider);
}

static bool set_stage(struct reader *reader, struct catalogue_item *item,
                      struct text value)
{
	return each_word(reader, item, value, take_stage);
}

static bool set_code(struct reader *reader, struct catalogue_item *item,
                     struct text value)
{
	return each_word(reader, item, value, take_code);
}

static bool set_status(struct reader *reader, struct catalogue_item *item,
                       struct text value)
{
	return each_word(reader, item, value, take_status);
}

static bool set_pattern(struct reader *reader, struct catalogue_item *item,
                        struct text value)
{
	struct buf folded = BUF_INIT(PATTERN_MAX);
	struct text pattern;

	catalogue_fold(value, &folded);
	pattern.len = buf_len(&folded);
	pattern.data = buf_steal(&folded);
	item->patterns = xrealloc(item->patterns, (item->n_patterns + 1) *
	                                          sizeof *item->patterns);
	item->patterns[item->n_patterns++] = pattern;
	if (pattern.len < PATTERN_MIN || value.len >= PATTERN_MAX)
		return complain(reader, "a pattern has %d to %d letters, out "
		                        "of the provider's own words",
		                PATTERN_MIN, PATTERN_MAX);
	return true;
}

static bool set_last_resort(struct reader *reader, struct catalogue_item *item,
                            struct text value)
{
	struct buf why = BUF_INIT(1024);

	if (!value_parse(VALUE_BOOL, value, NULL, &item->last_resort, &why))
		complain(reader, "%s", buf_string(&why));
	buf_free(&why);
	return reader->error == NULL;
}

static bool set_text(struct reader *reader, const char **field,
                     struct text value, size_t most)
{
	if (value.len == 0 || value.len > most)
		return complain(reader, "this text has %zu octets, and has to "
		                        "have 1 to %zu", value.len, most);
	*field = text_dup(value);
	return true;
}

static bool set_title(struct reader *reader, struct catalogue_item *item,
                      struct text value)
{
	if (value.len > 0 && value.data[value.len - 1] == '.')
		return complain(reader, "a title ends without a full stop");
	return set_text(reader, &item->entry.title, value, TITLE_MAX);
}

static bool set_explanation(struct reader *reader, struct catalogue_item *item,
                            struct text value)
{
	return set_text(reader, &item->entry.explanation, value,
	                EXPLANATION_MAX);
}

static bool set_fix(struct reader *reader, struct catalogue_item *item,
                    struct text value)
{
	return set_text(reader, &item->entry.fix, value, FIX_MAX);
}

static bool set_page(struct reader *reader, struct catalogue_item *item,
                     struct text value)
{
	if (!text_starts(value, "https://") && !text_starts(value, "http://"))
		return complain(reader, "a page begins with https://");
	return set_text(reader, &item->entry.page, value, PAGE_MAX);
}

static bool fail_disposition(struct reader *reader, struct text value)
{
	struct nearest nearest;
	size_t i;

	nearest_begin(&nearest, value);
	for (i = 0; i <= CATALOGUE_CONFIG; i++)
		nearest_try(&nearest, catalogue_disposition_name(
					      (enum catalogue_disposition)i));
	if (nearest.best != NULL)
		return complain(reader, "\"%.*s\" is no disposition; did you "
		                        "mean \"%s\"?", TEXT_ARG(value),
		                nearest.best);
	return complain(reader, "\"%.*s\" is no disposition; they are "
	                        "retry-later, throttle, pause-account, "
	                        "reject-message, reject-recipient, "
	                        "rewrite-sender-and-retry, config-error and "
	                        "none", TEXT_ARG(value));
}

static bool set_disposition(struct reader *reader, struct catalogue_item *item,
                            struct text value)
{
	int i;

	for (i = 0; i <= CATALOGUE_CONFIG; i++) {
		if (text_is(value, catalogue_disposition_name(
					   (enum catalogue_disposition)i))) {
			item->entry.disposition = (enum catalogue_disposition)i;
			return true;
		}
	}
	return fail_disposition(reader, value);
}

static bool set_wait(struct reader *reader, struct catalogue_item *item,
                     struct text value)
{
	struct buf why = BUF_INIT(1024);

	if (!value_parse(VALUE_PERIOD, value, NULL, &item->entry.wait_ms, &why))
		complain(reader, "%s", buf_string(&why));
	buf_free(&why);
	return reader->error == NULL;
}

/* ---- keys ---- */

enum { MANY = 1, REQUIRED = 2 };

static const struct key {
	const char *name;
	bool (*set)(struct reader *reader, struct catalogue_item *item,
	            struct text value);
	unsigned flags;
} keys[] = {
	{ "provider", set_provider, 0 },
	{ "stage", set_stage, 0 },
	{ "code", set_code, 0 },
	{ "status", set_status, 0 },
	{ "pattern", set_pattern, MANY },
	{ "last_resort", set_last_resort, 0 },
	{ "title", set_title, REQUIRED },
	{ "explanation", set_explanation, REQUIRED },
	{ "fix", set_fix, REQUIRED },
	{ "disposition", set_disposition, REQUIRED },
	{ "wait", set_wait, 0 },
	{ "page", set_page, 0 },
};

enum { KEYS = sizeof keys / sizeof *keys };

static const struct key *find_key(struct text name)
{
	size_t i;

	for (i = 0; i < KEYS; i++) {
		if (text_is(name, keys[i].name))
			return &keys[i];
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
	for (i = 0; i < KEYS; i++)
		nearest_try(&nearest, keys[i].name);
	if (nearest.best != NULL)
		return complain(reader, "unknown key \"%s\"; did you mean "
		                        "\"%s\"?", name, nearest.best);
	return complain(reader, "unknown key \"%s\"; keys are provider, stage, "
	                        "code, status, pattern, last_resort, title, "
	                        "explanation, fix, disposition, wait and page",
	                name);
}

/* The lines of a long text are one paragraph. */
static bool set_value(struct reader *reader, struct catalogue_item *item,
                      const struct key *key, const char *value)
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
                       unsigned lines[KEYS])
{
	const struct key *key = find_key(text_of(entry->key));

	reader->line = entry->line;
	if (key == NULL)
		return fail_key(reader, entry->key);
	if (lines[key - keys] > 0 && !(key->flags & MANY))
		return complain(reader, "\"%s\" is set a second time; the "
		                        "first is in line %u", key->name,
		                lines[key - keys]);
	lines[key - keys] = entry->line;
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
		return complain(reader, "an entry's id is one word of small "
		                        "letters, digits and hyphens, such as "
		                        "[printer-quota]");
	for (i = before; i < list->n; i++) {
		if (strcmp(list->items[i]->entry.id, section->kind) == 0)
			return complain(reader, "[%s] stands here a second "
			                        "time; the first is in line %u",
			                section->kind, list->items[i]->line);
	}
	return true;
}

static bool check_item(struct reader *reader, const struct catalogue_item *item,
                       const unsigned lines[KEYS])
{
	size_t i;

	reader->line = item->line;
	for (i = 0; i < KEYS; i++) {
		if (keys[i].flags & REQUIRED && lines[i] == 0)
			return complain(reader, "[%s] has no %s", item->entry.id,
			                keys[i].name);
	}
	if (item->last_resort && (item->n_codes == 0 || item->n_patterns == 0))
		return complain(reader, "[%s]: last_resort goes with code and "
		                        "pattern", item->entry.id);
	return true;
}

/* Entries stand in the order of their sections; *at goes behind its own. */
static bool read_section(struct reader *reader, struct catalogue_item *item,
                         const struct config_ini *ini,
                         const struct config_ini_section *section, size_t *at)
{
	unsigned lines[KEYS] = { 0 };

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
		return complain(reader, "\"%s\" stands before any entry; put "
		                        "a line with [id] above it",
		                ini->entries[0].key);
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
