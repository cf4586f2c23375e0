#include "relay/cli/cmd.h"

#include <stdlib.h>
#include <string.h>
#include "proto/buf.h"
#include "proto/smtp_path.h"
#include "proto/xalloc.h"
#include "relay/cli/check_client.h"
#include "relay/cli/probe.h"
#include "relay/config/config_print.h"
#include "relay/inbound/listener_files.h"
#include "relay/policy/check_rules.h"
#include "relay/report/catalogue.h"

struct options {
	bool json, connect;
	bool has_client;
	struct address client;
	const char *from, *to; /* NULL: not asked */
};

static bool read_client(const char *text, struct options *options_r)
{
	options_r->has_client =
		address_parse(text_of(text), &options_r->client);
	return options_r->has_client;
}

/* Without a domain, too: a rule may add one. */
static bool is_sender(const char *text)
{
	const char *error;
	struct smtp_path path;
	struct text rest;

	return text[0] == '\0' ||
	       (smtp_path_parse(text_of(text), &path, &rest, &error) &&
		path.repairs == SMTP_PATH_REPAIR(BRACKETS) && rest.len == 0);
}

static struct check_query query_of(const struct options *options)
{
	return (struct check_query){ &options->client, options->from,
				     options->to };
}

static int read_options(int argc, char **argv, struct options *options_r)
{
	*options_r = (struct options){ 0 };
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (strcmp(argv[i], "--json") == 0) {
			options_r->json = true;
		} else if (strcmp(argv[i], "--connect") == 0) {
			options_r->connect = true;
		} else if (strcmp(argv[i], "--client") == 0) {
			if (!value || !read_client(value, options_r))
				return cli_usage(argv[0],
						 "--client takes an IP address,"
						 " such as 192.168.1.20");
			i++;
		} else if (strcmp(argv[i], "--from") == 0) {
			if (!value || !is_sender(value))
				return cli_usage(argv[0],
						 "--from takes an address, such"
						 " as scanner@example.com");
			options_r->from = argv[++i];
		} else if (strcmp(argv[i], "--to") == 0) {
			if (!value || !is_sender(value) || !*value)
				return cli_usage(argv[0],
						 "--to takes an address, such"
						 " as someone@example.com");
			options_r->to = argv[++i];
		} else {
			return cli_usage(argv[0], "unknown option %s", argv[i]);
		}
	}
	if ((options_r->from || options_r->to) && !options_r->has_client)
		return cli_usage(argv[0], "%s goes with --client IP",
				 options_r->from ? "--from" : "--to");
	return EX_OK;
}

static void print_json(json_t *report)
{
	json_dumpf(report, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(report);
}

static int report_error(const struct options *options,
			struct config_error *error)
{
	if (options->json)
		print_json(json_pack("{s:b, s:o}", "ok", 0, "error",
				     config_json_text(error->message)));
	fprintf(stderr, "%s\n", error->message);
	config_error_free(error);
	return EX_CONFIG;
}

/* Each account is connected to and logged in at; nothing is sent. */
static bool connect_all(const struct config *config, json_t *json)
{
	bool all = true;

	for (size_t i = 0; i < config->n_accounts; i++)
		all &= probe_account(config, &config->accounts[i], NULL, json);
	return all;
}

/* Entries of the user, and all. */
static json_t *catalogue_json(const struct catalogue *catalogue)
{
	size_t all = 0;

	while (catalogue_at(catalogue, all))
		all++;
	return json_pack("{s:I, s:I}", "own",
			 (json_int_t)catalogue_count_own(catalogue), "entries",
			 (json_int_t)all);
}

static void print_catalogue(const struct config *config)
{
	size_t own = catalogue_count_own(config->catalogue);
	char *folder = config_catalogue_folder(config->path);

	if (own > 0)
		printf("%zu entr%s of your own in %s\n", own,
		       own == 1 ? "y" : "ies", folder);
	free(folder);
}

static bool report_json(const struct options *options,
			const struct config *config,
			const struct config_warnings *warnings)
{
	json_t *report = json_object(), *list = json_array(), *steps;
	struct check_query query = query_of(options);
	bool all = true;

	json_object_set_new(report, "ok", json_true());
	json_object_set_new(report, "file", config_json_text(config->path));
	json_object_update_new(report, config_to_json(config));
	json_object_set_new(report, "catalogue",
			    catalogue_json(config->catalogue));
	for (size_t i = 0; i < warnings->n; i++)
		json_array_append_new(list,
				      config_json_text(warnings->messages[i]));
	json_object_set_new(report, "warnings", list);
	if (options->has_client)
		json_object_set_new(report, "client",
				    check_client_json(config, &query));
	if (options->connect) {
		steps = json_array();
		all = connect_all(config, steps);
		json_object_set_new(report, "connect", steps);
		json_object_set_new(report, "ok", json_boolean(all));
	}
	print_json(report);
	return all;
}

static bool report_text(const struct options *options,
			const struct config *config,
			const struct config_warnings *warnings)
{
	struct check_query query = query_of(options);

	if (options->has_client) {
		check_client_print(stdout, config, &query);
		return true;
	}
	config_print(stdout, config);
	putchar('\n');
	print_catalogue(config);
	for (size_t i = 0; i < warnings->n; i++)
		printf("warning: %s\n", warnings->messages[i]);
	printf("%s is good; %zu warning%s\n",
	       config->path ? config->path : "the environment", warnings->n,
	       warnings->n == 1 ? "" : "s");
	return !options->connect || connect_all(config, NULL);
}

/* What serve would refuse to start with. */
static bool check_files(const struct config *config,
			struct config_error *error_r)
{
	const char *why = NULL;

	if (listener_files_check(config, &why))
		return true;
	error_r->message = xstrdup(why);
	return false;
}

int cmd_check(struct cli *cli, int argc, char **argv)
{
	struct config_warnings warnings;
	struct config_error error;
	struct options options;
	struct config *config;
	int code = read_options(argc, argv, &options);

	if (code != EX_OK)
		return code;
	config = config_load(cli->config_path, cli->environment, &warnings,
			     &error);
	if (!config)
		return report_error(&options, &error);
	if (!check_files(config, &error)) {
		config_warnings_free(&warnings);
		config_unref(&config);
		return report_error(&options, &error);
	}
	check_rules(config, &warnings);
	if (!(options.json ? report_json(&options, config, &warnings)
			   : report_text(&options, config, &warnings)))
		code = EX_UNAVAILABLE;
	config_warnings_free(&warnings);
	config_unref(&config);
	return code;
}
