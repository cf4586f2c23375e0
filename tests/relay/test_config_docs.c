/* The files in conf/ against the table of keys, which is right. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/buf.h"
#include "proto/xalloc.h"
#include "relay/policy/check_rules.h"
#include "relay/config/config.h"
#include "relay/config/config_keys.h"
#include "relay/policy/router.h"
#include "relay/policy/send_as.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ENV(...)     ((char *const *)(const char *const[]){ __VA_ARGS__, NULL })

enum { FILE_MAX = 1 << 20, WIDTH = 77 };

static void read_file(const char *path, struct buf *out)
{
	FILE *file = fopen(path, "r");
	char bytes[4096];
	size_t n;

	if (!file)
		fail_msg("%s cannot be opened", path);
	while ((n = fread(bytes, 1, sizeof(bytes), file)) > 0)
		assert_true(buf_append(out, bytes, n));
	fclose(file);
}

/* "# word word" in lines of WIDTH at most. */
static void put_comment(struct buf *out, const char *words)
{
	size_t column = 1;

	buf_putc(out, '#');
	while (*words) {
		size_t len = strcspn(words, " ");

		if (column + 1 + len > WIDTH) {
			buf_puts(out, "\n#");
			column = 1;
		}
		buf_printf(out, " %.*s", (int)len, words);
		column += 1 + len;
		words += len + (words[len] == ' ');
	}
	buf_putc(out, '\n');
}

/* What lanpost.conf says about a key. */
static void put_key(struct buf *out, const struct config_key *key)
{
	const char *value = config_key_default(key);
	bool none = strcmp(key->preset, "(none)") == 0;
	char *words = xasprintf(
		"%s%s%.*s%s", key->help, value || none ? "" : " (default: ",
		value || none ? 0 : (int)strlen(key->preset) - 2,
		key->preset + 1, value || none ? "" : ")");

	put_comment(out, words);
	buf_printf(out, "#%s =%s%s\n", key->name, value ? " " : "",
		   value ? value : "");
	free(words);
}

static void test_lanpost_conf_holds_every_key(void **state)
{
	struct buf file = BUF_INIT(FILE_MAX);
	const char *at;

	(void)state;
	read_file("../conf/lanpost.conf", &file);
	at = buf_string(&file);
	for (size_t i = 0; i < config_n_keys; i++) {
		struct buf block = BUF_INIT(4096);
		const char *found;

		if (config_keys[i].later)
			continue;
		put_key(&block, &config_keys[i]);
		found = strstr(at, buf_string(&block));
		if (!found)
			fail_msg("conf/lanpost.conf should hold, in the order "
				 "of config_keys.h:\n%s",
				 buf_string(&block));
		at = found + buf_len(&block);
		buf_free(&block);
	}
	buf_free(&file);
}

/* "[kind]", or "#[kind name]" where the section as it stands would be wrong. */
static bool find_section(struct text line, enum config_section *section_r)
{
	struct text rest = line, kind;

	if (line.len > 0 && line.data[0] == '#')
		rest = text_skip(line, 1);
	if (rest.len < 2 || rest.data[0] != '[')
		return false;
	rest = text_make(rest.data + 1, rest.len - 2);
	assert_true(text_token(&rest, ' ', &kind));
	*section_r = config_section_find(kind);
	assert_int_not_equal(*section_r, CONFIG_SECTIONS);
	return true;
}

/* "#key = value" below its section */
static void check_line(struct text line, enum config_section *section)
{
	const struct config_key *key;
	size_t n = 0;

	if (find_section(line, section))
		return;
	if (line.len < 2 || line.data[0] != '#' || line.data[1] == ' ')
		return;
	while (n < line.len && line.data[n] != ' ')
		n++;
	assert_int_not_equal(*section, CONFIG_SECTIONS);
	key = config_key_find(*section, text_make(line.data + 1, n - 1));
	if (!key || key->later)
		fail_msg("conf/lanpost.conf: %.*s", TEXT_ARG(line));
}

static void test_lanpost_conf_holds_nothing_else(void **state)
{
	enum config_section section = CONFIG_SECTIONS;
	struct buf file = BUF_INIT(FILE_MAX);
	struct text rest, line;

	(void)state;
	read_file("../conf/lanpost.conf", &file);
	rest = buf_text(&file);
	while (text_token(&rest, '\n', &line))
		check_line(line, &section);
	buf_free(&file);
}

/* As it is shipped it only lacks the account. */
static void test_lanpost_conf_is_read(void **state)
{
	struct config_error error;
	struct config *config;

	(void)state;
	assert_null(
		config_load("../conf/lanpost.conf", ENV("A=b"), NULL, &error));
	assert_non_null(strstr(error.message, "account default has no host"));
	config_error_free(&error);
	config = config_load("../conf/lanpost.conf",
			     ENV("LANPOST_ACCOUNT_PROVIDER=office365",
				 "LANPOST_ACCOUNT_USERNAME=a@b.example",
				 "LANPOST_ACCOUNT_PASSWORD=x"),
			     NULL, &error);
	assert_non_null(config);
	config_unref(&config);
}

static void test_the_manual_names_every_key(void **state)
{
	struct buf file = BUF_INIT(FILE_MAX);
	const char *at;

	(void)state;
	read_file("../conf/lanpost.conf.5", &file);
	at = buf_string(&file);
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];
		char item[200];
		const char *found;

		if (key->later)
			continue;
		snprintf(item, sizeof(item), ".It Ic %s Pq %s\n", key->name,
			 value_type_words(key->type));
		found = strstr(at, item);
		if (!found)
			fail_msg("conf/lanpost.conf.5 should hold, in the "
				 "order of config_keys.h:\n%s",
				 item);
		at = found + strlen(item);
		if (config_key_default(key))
			assert_non_null(strstr(at, config_key_default(key)));
	}
	buf_free(&file);
}

static void test_the_manual_names_what_comes_later(void **state)
{
	struct buf file = BUF_INIT(FILE_MAX);

	(void)state;
	read_file("../conf/lanpost.conf.5", &file);
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];
		char item[200];

		if (!key->later)
			continue;
		snprintf(item, sizeof(item), "\n.Ic %s ", key->name);
		if (!strstr(buf_string(&file), item))
			fail_msg("conf/lanpost.conf.5 does not name %s",
				 key->name);
	}
	buf_free(&file);
}

/* Microsoft will not take passwords for ever: that is the one warning. */
static const struct {
	const char *name;
	size_t warnings;
} examples[] = {
	{ "office365", 1 }, { "gmail", 0 },        { "ses", 0 },
	{ "sidecar", 0 },   { "many-devices", 1 },
};

/* Their passwords lie on no machine where this test runs. */
static struct config *load_example(const char *path, bool many,
				   struct config_warnings *warnings_r)
{
	char *const *one = ENV("LANPOST_ACCOUNT_PASSWORD=x");
	char *const *all = ENV("LANPOST_ACCOUNT_OFFICE__PASSWORD=x",
			       "LANPOST_ACCOUNT_RESERVE__PASSWORD=x",
			       "LANPOST_ACCOUNT_INVOICES__PASSWORD=x");
	struct config_error error;
	struct config *config =
		config_load(path, many ? all : one, warnings_r, &error);

	if (!config)
		fail_msg("%s", error.message);
	return config;
}

static void test_the_examples_are_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(examples); i++) {
		struct config_warnings warnings;
		struct config *config;
		char path[100];

		snprintf(path, sizeof(path), "../conf/examples/%s.conf",
			 examples[i].name);
		config = load_example(
			path, strcmp(examples[i].name, "many-devices") == 0,
			&warnings);
		check_rules(config, &warnings);
		if (warnings.n != examples[i].warnings)
			fail_msg("%s: %zu warnings", path, warnings.n);
		config_warnings_free(&warnings);
		config_unref(&config);
	}
}

/* An example that nobody has looked at is none. */
static void test_every_example_is_looked_at(void **state)
{
	DIR *folder = opendir("../conf/examples");
	const struct dirent *entry;
	size_t n = 0;

	(void)state;
	assert_non_null(folder);
	while ((entry = readdir(folder)))
		n += strstr(entry->d_name, ".conf") != NULL;
	closedir(folder);
	assert_int_equal(n, COUNT(examples));
}

static const struct config *many(void)
{
	static struct config *config;

	if (!config)
		config = load_example("../conf/examples/many-devices.conf",
				      true, NULL);
	return config;
}

/* What its comments promise. */
static const struct {
	const char *client, *header_from, *rule, *account, *from;
} promises[] = {
	{ "192.168.99.7", "x@contoso.com", "guests", "office", NULL },
	{ "192.168.10.21", "mfp@mfp.local", "reception", "office",
	  "reception@contoso.com" },
	{ "192.168.10.22", "copier@old.local", "old-copier", "office",
	  "scanner@contoso.com" },
	{ "192.168.20.6", "2026@billing.contoso.com", "invoices", "invoices",
	  NULL },
	{ "192.168.20.5", "x@contoso.com", "erp", "office",
	  "scanner@contoso.com" },
	{ "192.168.30.1", "x@contoso.com", NULL, "office",
	  "scanner@contoso.com" },
};

static void test_many_devices_does_what_it_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(promises); i++) {
		struct address client;
		struct route_query query = { .listener = "default",
					     .from = "x@contoso.com",
					     .to = "y@example.com",
					     .header_known = true };
		struct send_as_query who = { .reverse_path = "x@contoso.com" };
		struct send_as decision;
		struct route route;

		assert_true(
			address_parse(text_of(promises[i].client), &client));
		query.client = &client;
		query.device = config_device(many(), &client);
		query.header_from = promises[i].header_from;
		route = router_choose(many(), &query);
		assert_false(route.open);
		assert_string_equal(route.rule ? route.rule->name : "",
				    promises[i].rule ? promises[i].rule : "");
		assert_string_equal(route.account->name, promises[i].account);
		if (route.rule && route.rule->reject)
			continue;
		who.account = route.account;
		who.rule = route.rule;
		who.header_from = promises[i].header_from;
		send_as_decide(&who, &decision);
		assert_string_equal(decision.from ? decision.from : "",
				    promises[i].from ? promises[i].from : "");
		send_as_free(&decision);
	}
}

static int forget_many(void **state)
{
	struct config *config = (struct config *)many();

	(void)state;
	config_unref(&config);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lanpost_conf_holds_every_key),
		cmocka_unit_test(test_lanpost_conf_holds_nothing_else),
		cmocka_unit_test(test_lanpost_conf_is_read),
		cmocka_unit_test(test_the_manual_names_every_key),
		cmocka_unit_test(test_the_manual_names_what_comes_later),
		cmocka_unit_test(test_the_examples_are_good),
		cmocka_unit_test(test_every_example_is_looked_at),
		cmocka_unit_test_teardown(test_many_devices_does_what_it_says,
					  forget_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
