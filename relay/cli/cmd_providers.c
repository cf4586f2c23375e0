#include "relay/cli/cmd.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/buf.h"
#include "relay/config/provider.h"
#include "relay/config/value.h"

/* The published limits, in the order they are shown. */
static const struct limit {
	const char *name, *words;
	size_t offset;
} limits[] = {
#define LIMIT(field, words)                                                    \
	{                                                                      \
#field, words, offsetof(struct provider, field)                \
	}
	LIMIT(messages_per_minute, "messages a minute"),
	LIMIT(messages_per_day, "messages a day"),
	LIMIT(recipients_per_day, "recipients a day"),
	LIMIT(recipients_per_message, "recipients a message"),
	LIMIT(connections, "connections"),
	LIMIT(messages_per_connection, "messages a connection"),
};

enum { LIMITS = sizeof(limits) / sizeof(limits[0]), LINE_WIDTH = 78 };

static unsigned limit_of(const struct provider *provider, size_t i)
{
	const unsigned *value =
		(const void *)((const char *)provider + limits[i].offset);

	return *value;
}

static const char *tls_word(const struct provider *provider)
{
	return provider->tls == SMTP_TLS_IMPLICIT ? "implicit" : "starttls";
}

static const char *doubt(const struct provider *provider, const char *key)
{
	return provider_is_certain(provider, key) ? "" : "?";
}

/* What is done with a sender that is not the account's. */
static const struct check {
	const char *name, *label, *yes, *no;
	size_t offset;
} sender_checks[] = {
#define CHECK(field, label, yes, no)                                           \
	{                                                                      \
#field, label, yes, no, offsetof(struct provider, field)       \
	}
	CHECK(checks_envelope, "envelope sender",
	      "must be the account, or what it may send as", "not compared"),
	CHECK(checks_from, "From field",
	      "must be the account, or what it may send as", "not compared"),
	CHECK(replaces_from, "another From",
	      "replaced by the account without a word", NULL),
	CHECK(takes_null_sender, "null sender", "taken", "refused"),
};

enum { CHECKS = sizeof(sender_checks) / sizeof(sender_checks[0]) };

static bool check_of(const struct provider *provider, size_t i)
{
	const bool *value = (const void *)((const char *)provider +
					   sender_checks[i].offset);

	return *value;
}

static bool is_unknown(const struct provider *provider, size_t i)
{
	return !check_of(provider, i) &&
	       !provider_is_certain(provider, sender_checks[i].name);
}

static json_t *words_to_json(const char *words)
{
	struct text rest = text_of(words), word;
	json_t *list = json_array();

	while (text_token(&rest, ',', &word)) {
		word = text_trim(word);
		json_array_append_new(list, json_stringn(word.data, word.len));
	}
	return list;
}

static void set_text(json_t *object, const char *key, const char *text)
{
	json_object_set_new(object, key,
			    text ? json_string(text) : json_null());
}

/* A limit that is not published is null. */
static void set_number(json_t *object, const char *key, uint64_t number)
{
	json_object_set_new(object, key,
			    number > 0 ? json_integer((json_int_t)number)
				       : json_null());
}

/* {"file": null or the user's, "changes": {"connections": "FILE:LINE"}} */
static json_t *origin_to_json(const struct provider *provider)
{
	json_t *origin = json_object(), *changes = json_object();

	set_text(origin, "file", provider->file);
	for (size_t i = 0; i < provider->n_changes; i++)
		set_text(changes, provider->changes[i].key,
			 provider->changes[i].where);
	json_object_set_new(origin, "changes", changes);
	return origin;
}

static json_t *provider_to_json(const struct provider *provider)
{
	json_t *object = json_object();

	set_text(object, "name", provider->name);
	set_text(object, "title", provider->title);
	set_text(object, "host", provider->host);
	json_object_set_new(object, "other_hosts",
			    words_to_json(provider->other_hosts));
	set_number(object, "port", provider->port);
	set_text(object, "tls", tls_word(provider));
	json_object_set_new(object, "mechanisms",
			    words_to_json(provider->mechanisms));
	set_text(object, "username", provider->username);
	set_text(object, "password", provider->password);
	set_text(object, "password_warning", provider->password_warning);
	for (size_t i = 0; i < LIMITS; i++)
		set_number(object, limits[i].name, limit_of(provider, i));
	set_number(object, "max_message_size", provider->max_message_size);
	json_object_set_new(object, "pipelining",
			    json_boolean(strcmp(provider->pipelining, "no")));
	set_text(object, "sender_check", provider->sender_check);
	for (size_t i = 0; i < CHECKS; i++)
		json_object_set_new(
			object, sender_checks[i].name,
			is_unknown(provider, i)
				? json_null()
				: json_boolean(check_of(provider, i)));
	set_text(object, "grant", provider->grant);
	json_object_set_new(object, "uncertain",
			    words_to_json(provider->uncertain));
	set_text(object, "notes", provider->notes);
	set_text(object, "page", provider->page);
	json_object_set_new(object, "origin", origin_to_json(provider));
	return object;
}

static void print_json(json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(value);
}

static int list_json(const struct providers *providers)
{
	const struct provider *provider;
	json_t *list = json_array();

	for (size_t i = 0; (provider = providers_at(providers, i)); i++)
		json_array_append_new(list, provider_to_json(provider));
	print_json(list);
	return EX_OK;
}

static const char *print_limit(const struct provider *provider, size_t i,
			       char out[24])
{
	unsigned limit = limit_of(provider, i);

	if (limit == 0)
		return "-";
	snprintf(out, 24, "%u%s", limit, doubt(provider, limits[i].name));
	return out;
}

static void print_size(const struct provider *provider, struct buf *out)
{
	uint64_t whole = provider->max_message_size >> 20 << 20;

	if (provider->max_message_size == 0) {
		buf_puts(out, "-");
		return;
	}
	value_print(VALUE_SIZE, &whole, out);
	buf_puts(out, doubt(provider, "max_message_size"));
}

static const char *origin_word(const struct provider *provider)
{
	if (provider->file)
		return "yours";
	return provider->n_changes > 0 ? "changed" : "built in";
}

static void add_row(struct table *table, const struct provider *provider)
{
	struct buf place = BUF_INIT(512), size = BUF_INIT(64);
	char minute[24], day[24], recipients[24], per[24], connections[24];

	buf_printf(&place, "%s:%u", provider->host, provider->port);
	print_size(provider, &size);
	table_row(
		table, provider->name, buf_string(&place), tls_word(provider),
		print_limit(provider, 0, minute), print_limit(provider, 1, day),
		print_limit(provider, 2, recipients),
		print_limit(provider, 3, per),
		print_limit(provider, 4, connections), buf_string(&size),
		origin_word(provider), NULL);
	buf_free(&place);
	buf_free(&size);
}

static int list_text(const struct providers *providers)
{
	struct table *table = table_new(stdout, 10);
	const struct provider *provider;

	table_row(table, "NAME", "HOST", "TLS", "MSG/MIN", "MSG/DAY",
		  "RCPT/DAY", "RCPT/MSG", "CONN", "SIZE", "ORIGIN", NULL);
	for (size_t i = 0; (provider = providers_at(providers, i)); i++)
		add_row(table, provider);
	table_free(&table);
	puts("\n-  not published    ?  not certain, and not enforced\n"
	     "Take one with provider = NAME in [account]; "
	     "\"lanpost providers NAME\" tells more.");
	return EX_OK;
}

/* A label and a paragraph, broken at spaces. */
static void print_paragraph(const char *label, const char *words)
{
	int column = printf("%-22s", label);
	int start = column;

	while (words && *words) {
		size_t len = strcspn(words, " ");

		if (column > start && column + 1 + (int)len > LINE_WIDTH)
			column = printf("\n%*s", start, "") - 1;
		else if (column > start)
			column += printf(" ");
		column += printf("%.*s", (int)len, words);
		words += len + strspn(words + len, " ");
	}
	putchar('\n');
}

static void show_check(const struct provider *provider, size_t i)
{
	const struct check *check = &sender_checks[i];
	const char *words = check_of(provider, i)     ? check->yes
			    : is_unknown(provider, i) ? "not known"
						      : check->no;
	struct buf line = BUF_INIT(512);

	if (!words)
		return;
	buf_printf(&line, "%s%s", words,
		   check_of(provider, i) ? doubt(provider, check->name) : "");
	print_paragraph(check->label, buf_string(&line));
	buf_free(&line);
}

static void show_origin(const struct provider *provider)
{
	print_paragraph("origin", provider->file ? provider->file
						 : "built in");
	for (size_t i = 0; i < provider->n_changes; i++) {
		const struct provider_change *change = &provider->changes[i];
		struct buf line = BUF_INIT(8192);

		buf_printf(&line, "%s by %s", change->key, change->where);
		print_paragraph(i == 0 ? "changed" : "", buf_string(&line));
		buf_free(&line);
	}
}

static bool is_given(const char *text)
{
	return text && *text;
}

/* Is there a question mark behind anything? */
static bool has_doubts(const struct provider *provider)
{
	size_t i;

	for (i = 0; i < LIMITS; i++) {
		if (limit_of(provider, i) > 0 && *doubt(provider, limits[i].name))
			return true;
	}
	for (i = 0; i < CHECKS; i++) {
		if (check_of(provider, i) &&
		    *doubt(provider, sender_checks[i].name))
			return true;
	}
	return provider->max_message_size > 0 &&
	       *doubt(provider, "max_message_size");
}

static int show_text(const struct provider *provider)
{
	struct buf line = BUF_INIT(512);

	printf("%s: %s\n\n", provider->name, provider->title);
	buf_printf(&line, "%s:%u, %s", provider->host, provider->port,
		   tls_word(provider));
	print_paragraph("server", buf_string(&line));
	if (provider->other_hosts)
		print_paragraph("other hosts", provider->other_hosts);
	print_paragraph("login", provider->mechanisms);
	print_paragraph("user name", provider->username);
	print_paragraph("password", provider->password);
	if (provider->password_warning)
		print_paragraph("warning", provider->password_warning);
	for (size_t i = 0; i < LIMITS; i++) {
		char text[24];

		print_paragraph(limits[i].words,
				print_limit(provider, i, text));
	}
	buf_clear(&line);
	print_size(provider, &line);
	print_paragraph("message size", buf_string(&line));
	print_paragraph("sender", provider->sender_check);
	for (size_t i = 0; i < CHECKS; i++)
		show_check(provider, i);
	if (provider->grant)
		print_paragraph("to send as another", provider->grant);
	if (is_given(provider->notes))
		print_paragraph("notes", provider->notes);
	if (is_given(provider->page))
		print_paragraph("page", provider->page);
	show_origin(provider);
	if (has_doubts(provider))
		puts("\n?  not certain, and not enforced");
	buf_free(&line);
	return EX_OK;
}

static int fail_unknown(const struct providers *providers, const char *name)
{
	const char *near = providers_nearest(providers, name);

	fprintf(stderr, "lanpost providers: there is no preset \"%s\"%s%s%s\n",
		name, near ? "; did you mean \"" : "", near ? near : "",
		near ? "\"?" : "; \"lanpost providers\" lists them");
	return EX_USAGE;
}

/* Beside the configuration, which itself need not be there or good. */
static struct providers *load(const struct cli *cli)
{
	char *folder = providers_folder(cli->config_path), *error;
	struct providers *providers = providers_load(folder, &error);

	if (!providers)
		fprintf(stderr, "%s\n", error);
	free(error);
	free(folder);
	return providers;
}

static int show(const struct providers *providers, const char *name, bool json)
{
	const struct provider *provider;

	if (!name)
		return json ? list_json(providers) : list_text(providers);
	provider = providers_find(providers, name);
	if (!provider)
		return fail_unknown(providers, name);
	if (!json)
		return show_text(provider);
	print_json(provider_to_json(provider));
	return EX_OK;
}

int cmd_providers(struct cli *cli, int argc, char **argv)
{
	struct providers *providers;
	const char *name = NULL;
	bool json = false;
	int code;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			json = true;
		else if (argv[i][0] == '-')
			return cli_usage(argv[0], "unknown option %s", argv[i]);
		else if (name)
			return cli_usage(argv[0], "one NAME at a time");
		else
			name = argv[i];
	}
	providers = load(cli);
	if (!providers)
		return EX_CONFIG;
	code = show(providers, name, json);
	providers_free(&providers);
	return code;
}
