/*
 * Any file and any environment give a configuration, or one line that says why
 * not.  The input is the file; behind a line "%%" come variables, one a line.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/xalloc.h"
#include "relay/policy/check_rules.h"
#include "relay/config/config.h"
#include "relay/config/config_build.h"
#include "relay/config/config_print.h"
#include "tests/fuzz/fuzz.h"

enum { VARIABLES = 16 };

static int write_file(struct text bytes, char path[64])
{
	int fd = memfd_create("config", MFD_CLOEXEC);

	must(fd >= 0);
	fchmod(fd, 0600);
	must(write(fd, bytes.data, bytes.len) == (ssize_t)bytes.len);
	snprintf(path, 64, "/proc/self/fd/%d", fd);
	return fd;
}

/* Without them each look at the machine would make the run another one. */
static size_t split_variables(struct text *rest, char **environment)
{
	size_t n = 0;
	struct text line;

	environment[n++] = xstrdup("LANPOST_RELAY_HOSTNAME=r.example.com");
	while (n < VARIABLES && text_token(rest, '\n', &line))
		environment[n++] = text_dup(line);
	environment[n] = NULL;
	return n;
}

/* Secrets are masked, and presets are found by config_place.c. */
static bool reads_back(enum value_type type)
{
	return type != VALUE_SECRET && type != VALUE_URL &&
	       type != VALUE_PROVIDER;
}

/* What a section holds is clean, and reads as it prints. */
static void check_value(const struct config_place *place,
			const struct config_key *key)
{
	struct buf text = BUF_INIT(1 << 20), again = BUF_INIT(1 << 20),
		   why = BUF_INIT(1 << 20);
	union {
		char space[64];
		uint64_t align;
	} field = { { 0 } };

	value_print(key->type, (const char *)place->base + key->offset, &text);
	must(!strpbrk(buf_string(&text), "\n\r\033\a\b"));
	if (buf_len(&text) > 0 && reads_back(key->type)) {
		must(value_parse(key->type, buf_text(&text), NULL, &field,
				 &why));
		value_print(key->type, &field, &again);
		must(text_equal(buf_text(&text), buf_text(&again)));
		value_free(key->type, &field);
	}
	buf_free(&text);
	buf_free(&again);
	buf_free(&why);
}

static void check_places(const struct config *config)
{
	for (unsigned i = 0; i < CONFIG_SECTIONS; i++) {
		enum config_section section = (enum config_section)i;

		for (size_t n = 0; n < config_n_places(config, section); n++) {
			struct config_place place =
				config_place_at(config, section, n);

			for (size_t k = 0; k < config_n_keys; k++) {
				if (config_keys[k].section == section &&
				    !config_keys[k].later)
					check_value(&place, &config_keys[k]);
			}
		}
	}
}

/* Whatever is named exists, under just that name. */
static void check_names(const struct config *config)
{
	for (size_t i = 0; i < config->n_rules; i++) {
		const struct rule_config *rule = &config->rules[i];
		const struct account_config *account =
			config_account(config, rule->account);

		must(config_rule(config, rule->name) == rule);
		must(!rule->account ||
		     strcmp(account->name, rule->account) == 0);
		must(!rule->send_as.address || !rule->on_behalf);
	}
	for (size_t i = 0; i < config->n_devices; i++) {
		const struct network_list *list = &config->devices[i].address;

		must(list->n > 0);
		must(config_device(config, &list->networks[0].base) != NULL);
	}
}

static void check_config(struct config *config)
{
	FILE *out = fopen("/dev/null", "w");
	json_t *json = config_to_json(config);
	char *text = json_dumps(json, 0);

	must(out != NULL);
	must(text != NULL);
	config_print(out, config);
	fclose(out);
	must(config_needs_restart(config, config) == NULL);
	check_places(config);
	check_names(config);
	free(text);
	json_decref(json);
	config_unref(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text bytes = text_make((const char *)data, size), rest = { 0 };
	ptrdiff_t mark = text_find_nocase(bytes, text_of("\n%%\n"));
	char *environment[VARIABLES + 1], path[64];
	struct config_warnings warnings;
	struct config_error error;
	struct config *config;
	size_t n;
	int fd;

	if (mark >= 0) {
		rest = text_skip(bytes, (size_t)mark + 4);
		bytes.len = (size_t)mark + 1;
	}
	n = split_variables(&rest, environment);
	fd = write_file(bytes, path);
	config = config_load(path, environment, &warnings, &error);
	if (config)
		check_rules(config, &warnings);
	must((config == NULL) == (error.message != NULL));
	if (config)
		check_config(config);
	else
		must(!strpbrk(error.message, "\n\r\033"));
	config_warnings_free(&warnings);
	config_error_free(&error);
	close(fd);
	while (n > 0)
		free(environment[--n]);
	return 0;
}
