#include "relay/config/provider_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/xalloc.h"
#include "relay/config/config_ini.h"
#include "relay/config/nearest.h"
#include "relay/config/value.h"

struct provider_key {
	const char *name;
	enum { TEXT_FIELD, VALUE_FIELD } kind;
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
	VALUE(host, HOST),
	TEXT(other_hosts),
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

enum { KEYS = sizeof(keys) / sizeof(keys[0]) };

static const struct provider_key *find_key(struct text name)
{
	for (size_t i = 0; i < KEYS; i++) {
		if (text_equal(name, text_of(keys[i].name)))
			return &keys[i];
	}
	return NULL;
}

static bool knows(struct text word)
{
	return find_key(word) != NULL;
}

static void *field_of(const struct provider *provider,
		      const struct provider_key *key)
{
	return (char *)provider + key->offset;
}

/* ---- a complaint ---- */

struct reading {
	struct providers *providers;
	const char *file; /* NULL: compiled in */
	char **error;
};

static bool fail(const struct reading *reading, unsigned line,
		 const char *format, ...)
{
	char sentence[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	*reading->error = xasprintf("%s:%u: %s", reading->file, line, sentence);
	return false;
}

static bool fail_key(const struct reading *reading,
		     const struct config_ini_entry *entry)
{
	struct nearest nearest;

	nearest_begin(&nearest, text_of(entry->key));
	for (size_t i = 0; i < KEYS; i++)
		nearest_try(&nearest, keys[i].name);
	if (nearest.best)
		return fail(reading, entry->line,
			    "unknown key \"%.100s\" in a preset; did you mean "
			    "\"%s\"?",
			    entry->key, nearest.best);
	return fail(reading, entry->line,
		    "unknown key \"%.100s\" in a preset; \"lanpost providers "
		    "NAME --json\" shows the keys",
		    entry->key);
}

/* ---- a key ---- */

/* An empty text is none. */
static void set_text(void *field, const char *value)
{
	char **string = field;

	free(*string);
	*string = *value ? xstrdup(value) : NULL;
}

static bool is_one_of(struct text word, const char *words)
{
	struct text rest = text_of(words), known;

	while (text_token(&rest, ',', &known)) {
		if (text_equal(text_trim(known), word))
			return true;
	}
	return false;
}

/* What the types do not say. */
static const struct {
	const char *key, *words, *advice;
} allowed_words[] = {
	{ "mechanisms", "none, plain, login, xoauth2, oauthbearer",
	  "mechanisms are none, plain, login, xoauth2 and oauthbearer" },
	{ "pipelining", "yes, no", "write yes or no" },
	{ "tls", "starttls, implicit", "write starttls or implicit" },
};

static bool check_words(const struct reading *reading,
			const struct config_ini_entry *entry,
			const char *allowed, const char *advice)
{
	struct text rest = text_of(entry->value), word;

	while (text_token(&rest, ',', &word)) {
		word = text_trim(word);
		if (allowed ? is_one_of(word, allowed) : knows(word))
			continue;
		return fail(reading, entry->line, "%s: \"%.*s\" is unknown; %s",
			    entry->key, (int)(word.len < 100 ? word.len : 100),
			    word.data, advice);
	}
	return true;
}

static bool check_value(const struct reading *reading,
			const struct config_ini_entry *entry)
{
	if (strcmp(entry->key, "uncertain") == 0)
		return check_words(reading, entry, NULL,
				   "name keys of a preset");
	for (size_t i = 0;
	     i < sizeof(allowed_words) / sizeof(allowed_words[0]); i++) {
		if (strcmp(entry->key, allowed_words[i].key) == 0)
			return check_words(reading, entry,
					   allowed_words[i].words,
					   allowed_words[i].advice);
	}
	return true;
}

static bool parse_value(const struct reading *reading,
			const struct config_ini_entry *entry,
			const struct provider_key *key, void *field)
{
	struct buf why = BUF_INIT(1024);
	bool good = value_parse(key->type, text_of(entry->value), NULL, field,
				&why);

	if (!good)
		fail(reading, entry->line, "%s: %s", entry->key,
		     buf_string(&why));
	buf_free(&why);
	return good;
}

/* Taken off the list of what is not certain. */
static void make_certain(struct provider *provider, const char *key)
{
	struct text rest = text_of(provider->uncertain), word;
	struct buf left = BUF_INIT(4096);

	while (text_token(&rest, ',', &word)) {
		word = text_trim(word);
		if (!text_is(word, key))
			buf_printf(&left, "%s%.*s",
				   buf_len(&left) > 0 ? ", " : "",
				   TEXT_ARG(word));
	}
	set_text(&provider->uncertain, buf_string(&left));
	buf_free(&left);
}

static bool set_key(const struct reading *reading, struct provider *provider,
		    const struct config_ini_entry *entry)
{
	const struct provider_key *key = find_key(text_of(entry->key));

	if (!key)
		return fail_key(reading, entry);
	if (!check_value(reading, entry))
		return false;
	if (reading->file && strcmp(key->name, "uncertain") != 0)
		make_certain(provider, key->name);
	if (key->kind == VALUE_FIELD)
		return parse_value(reading, entry, key,
				   field_of(provider, key));
	set_text(field_of(provider, key), entry->value);
	return true;
}

/* ---- a preset ---- */

/* Where a key of the section stands before entry i. */
static unsigned earlier_line(const struct config_ini *ini, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (ini->entries[k].section == ini->entries[i].section &&
		    strcmp(ini->entries[k].key, ini->entries[i].key) == 0)
			return ini->entries[k].line;
	}
	return 0;
}

static void note_change(struct provider *provider,
			const struct reading *reading,
			const struct config_ini_entry *entry)
{
	struct provider_change *change;

	provider->changes =
		xrealloc(provider->changes, (provider->n_changes + 1) *
						    sizeof(*change));
	change = &provider->changes[provider->n_changes++];
	change->key = find_key(text_of(entry->key))->name;
	change->where = xasprintf("%s:%u", reading->file, entry->line);
}

/* Of the section, either all keys but `uncertain` or that one alone: it speaks
 * of the others. */
static bool set_keys(const struct reading *reading, struct provider *provider,
		     const struct config_ini *ini,
		     const struct config_ini_section *section, bool uncertain,
		     bool is_change)
{
	for (size_t i = 0; i < ini->n_entries; i++) {
		const struct config_ini_entry *entry = &ini->entries[i];

		if (entry->section != section ||
		    uncertain != (strcmp(entry->key, "uncertain") == 0))
			continue;
		if (earlier_line(ini, i) > 0)
			return fail(reading, entry->line,
				    "\"%s\" is set a second time; the first is "
				    "in line %u",
				    entry->key, earlier_line(ini, i));
		if (!set_key(reading, provider, entry))
			return false;
		if (is_change)
			note_change(provider, reading, entry);
	}
	return true;
}

static struct provider *add_provider(struct providers *providers,
				     const char *name, const char *file)
{
	struct provider *provider = xcalloc(1, sizeof(*provider));

	providers->list = xrealloc(providers->list, (providers->n + 1) *
							    sizeof(provider));
	providers->list[providers->n++] = provider;
	provider->name = xstrdup(name);
	provider->file = xstrdup(file);
	return provider;
}

/* What a preset of the user's need not say. */
static void fill_in(struct provider *provider)
{
	const struct {
		const char **field, *words;
	} usual[] = {
		{ &provider->title, provider->name },
		{ &provider->mechanisms, "plain, login" },
		{ &provider->username, "the user name" },
		{ &provider->password, "the password" },
		{ &provider->pipelining, "yes" },
		{ &provider->sender_check, "not known" },
	};

	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
		if (!*usual[i].field)
			*usual[i].field = xstrdup(usual[i].words);
	}
	if (provider->port == 0)
		provider->port =
			provider->tls == SMTP_TLS_IMPLICIT ? 465 : 587;
}

/* A no that nobody has said is none. */
static void doubt_all(struct provider *provider)
{
	set_text(&provider->uncertain, "checks_envelope, checks_from, "
				       "takes_null_sender");
}

static bool check_provider(const struct reading *reading,
			   struct provider *provider,
			   const struct config_ini_section *section)
{
	if (!provider->host)
		return fail(reading, section->line,
			    "the preset %s has no host; write host = SERVER",
			    provider->name);
	if (provider->port > 65535)
		return fail(reading, section->line,
			    "the preset %s: %u is not a port; write a number "
			    "from 1 to 65535",
			    provider->name, provider->port);
	fill_in(provider);
	return true;
}

static bool check_section(const struct reading *reading,
			  const struct config_ini *ini, size_t index)
{
	const struct config_ini_section *section = ini->sections[index];

	if (section->name)
		return fail(reading, section->line,
			    "[%s %s]: a preset has one word as its name",
			    section->kind, section->name);
	for (size_t i = 0; i < index; i++) {
		if (strcmp(ini->sections[i]->kind, section->kind) == 0)
			return fail(reading, section->line,
				    "[%s] stands here a second time; the first "
				    "is in line %u",
				    section->kind, ini->sections[i]->line);
	}
	return true;
}

static bool take_section(const struct reading *reading,
			 const struct config_ini *ini, size_t index)
{
	const struct config_ini_section *section = ini->sections[index];
	struct provider *provider;
	bool is_new;

	if (!check_section(reading, ini, index))
		return false;
	provider = (struct provider *)providers_find(reading->providers,
						     section->kind);
	is_new = !provider;
	if (is_new)
		provider = add_provider(reading->providers, section->kind,
					reading->file);
	if (is_new && reading->file)
		doubt_all(provider);
	return set_keys(reading, provider, ini, section, false, !is_new) &&
	       set_keys(reading, provider, ini, section, true, !is_new) &&
	       check_provider(reading, provider, section);
}

static bool take_all(const struct reading *reading,
		     const struct config_ini *ini)
{
	if (ini->n_entries > 0 && !ini->entries[0].section)
		return fail(reading, ini->entries[0].line,
			    "\"%.100s\" stands before any section; put a line "
			    "with [NAME] above it",
			    ini->entries[0].key);
	for (size_t i = 0; i < ini->n_sections; i++) {
		if (!take_section(reading, ini, i))
			return false;
	}
	return true;
}

/* The lines of a long text are one paragraph. */
static void join_lines(struct config_ini *ini)
{
	for (size_t i = 0; i < ini->n_entries; i++) {
		for (char *c = ini->entries[i].value; *c; c++) {
			if (*c == '\n')
				*c = ' ';
		}
	}
}

bool providers_add(struct providers *providers, struct text bytes,
		   const char *file, char **error_r)
{
	struct reading reading = { providers, file, error_r };
	struct config_ini *ini;
	bool good;

	ini = config_ini_read(bytes, file ? file : "providers.ini", knows,
			      error_r);
	if (ini)
		join_lines(ini);
	good = ini && take_all(&reading, ini);
	config_ini_free(&ini);
	return good;
}

void provider_free(struct provider *provider)
{
	for (size_t i = 0; i < KEYS; i++) {
		char **string = field_of(provider, &keys[i]);

		if (keys[i].kind == TEXT_FIELD)
			free(*string);
		else
			value_free(keys[i].type, field_of(provider, &keys[i]));
	}
	for (size_t i = 0; i < provider->n_changes; i++)
		free((char *)provider->changes[i].where);
	free(provider->changes);
	free((char *)provider->name);
	free((char *)provider->file);
	free(provider);
}
