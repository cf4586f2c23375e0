#include "relay/config/config_print.h"

#include <stdlib.h>
#include <string.h>
#include "proto/buf.h"
#include "proto/xalloc.h"
#include "relay/config/config_keys.h"
#include "relay/config/provider.h"

enum { VALUE_MAX = 1 << 20, SOURCE_COLUMN = 44 };

/* One section, whatever its kind. */
struct view {
	enum config_section section;
	const char *name;
	const void *base;
	const struct config_origin *origins;
	const struct provider *provider;
};

static struct view view_relay(const struct config *config)
{
	return (struct view){ CONFIG_SECTION_RELAY, NULL, &config->relay,
			      config->relay.origins, NULL };
}

static struct view view_listener(const struct listener_config *listener)
{
	return (struct view){ CONFIG_SECTION_LISTENER, listener->name, listener,
			      listener->origins, NULL };
}

static struct view view_account(const struct account_config *account)
{
	return (struct view){ CONFIG_SECTION_ACCOUNT, account->name, account,
			      account->origins, account->provider };
}

static bool is_shown(const struct view *view, const struct config_key *key)
{
	return key->section == view->section && !key->later;
}

static const void *field_of(const struct view *view,
			    const struct config_key *key)
{
	return (const char *)view->base + key->offset;
}

static const char *value_text(const struct view *view,
			      const struct config_key *key, struct buf *out)
{
	buf_clear(out);
	value_print(key->type, field_of(view, key), out);
	return buf_len(out) > 0 ? buf_string(out) : NULL;
}

static void print_source(FILE *out, const struct view *view,
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
		fprintf(out, " ; preset %s", view->provider->name);
		break;
	case CONFIG_ORIGIN_DERIVED:
		fprintf(out, view->section == CONFIG_SECTION_RELAY
				     ? " ; from the system"
				     : " ; from the keys above");
		break;
	}
}

static void print_section(FILE *out, const struct view *view)
{
	struct buf text = BUF_INIT(VALUE_MAX);

	fprintf(out, "[%s%s%s]\n", config_section_kind(view->section),
		view->name ? " " : "", view->name ? view->name : "");
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];
		const char *value;
		int width;

		if (!is_shown(view, key))
			continue;
		value = value_text(view, key, &text);
		width = SOURCE_COLUMN - (int)strlen(key->name) - 3;
		if (view->origins[i].type == CONFIG_ORIGIN_DEFAULT)
			width = 0;
		fprintf(out, "%s = %-*s", key->name, width,
			value ? value : "(none)");
		print_source(out, view, &view->origins[i]);
		fputc('\n', out);
	}
	buf_free(&text);
}

void config_print(FILE *out, const struct config *config)
{
	struct view view = view_relay(config);

	print_section(out, &view);
	for (size_t i = 0; i < config->n_listeners; i++) {
		view = view_listener(&config->listeners[i]);
		fputc('\n', out);
		print_section(out, &view);
	}
	for (size_t i = 0; i < config->n_accounts; i++) {
		view = view_account(&config->accounts[i]);
		fputc('\n', out);
		print_section(out, &view);
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

static json_t *value_to_json(const struct view *view,
			     const struct config_key *key, struct buf *scratch)
{
	const void *field = field_of(view, key);
	const char *text = value_text(view, key, scratch);

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

static json_t *section_to_json(const struct view *view)
{
	struct buf scratch = BUF_INIT(VALUE_MAX);
	json_t *section = json_object();

	if (view->name)
		json_object_set_new(section, "name", json_string(view->name));
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];

		if (is_shown(view, key))
			json_object_set_new(section, key->name,
					    value_to_json(view, key, &scratch));
	}
	buf_free(&scratch);
	return section;
}

json_t *config_to_json(const struct config *config)
{
	struct view view = view_relay(config);
	json_t *whole = json_object(), *listeners = json_array(),
	       *accounts = json_array();

	json_object_set_new(whole, "relay", section_to_json(&view));
	for (size_t i = 0; i < config->n_listeners; i++) {
		view = view_listener(&config->listeners[i]);
		json_array_append_new(listeners, section_to_json(&view));
	}
	for (size_t i = 0; i < config->n_accounts; i++) {
		view = view_account(&config->accounts[i]);
		json_array_append_new(accounts, section_to_json(&view));
	}
	json_object_set_new(whole, "listeners", listeners);
	json_object_set_new(whole, "accounts", accounts);
	return whole;
}

static const char *first_difference(const struct view *old,
				    const struct view *now)
{
	struct buf before = BUF_INIT(VALUE_MAX), after = BUF_INIT(VALUE_MAX);
	const char *name = NULL;

	for (size_t i = 0; i < config_n_keys && !name; i++) {
		const struct config_key *key = &config_keys[i];
		const char *was, *is;

		if (!is_shown(old, key) || key->live)
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
	struct view was = view_relay(old), is = view_relay(now);
	const char *key = first_difference(&was, &is);

	snprintf(sentence, sizeof(sentence), "[relay] %s", key ? key : "");
	if (key)
		return sentence;
	if (old->n_listeners != now->n_listeners)
		return "number of [listener] sections";
	for (size_t i = 0; i < now->n_listeners && !key; i++) {
		was = view_listener(&old->listeners[i]);
		is = view_listener(&now->listeners[i]);
		key = first_difference(&was, &is);
		snprintf(sentence, sizeof(sentence), "[listener %.100s] %s",
			 now->listeners[i].name, key ? key : "");
	}
	return key ? sentence : NULL;
}
