#include "relay/cli/cmd.h"

#include <string.h>

#include "proto/smtp_path.h"
#include "relay/cli/probe.h"
#include "relay/cli/terminal.h"

struct test_options {
	const char *account, *from, *to;
	bool json;
};

/* EX_OK, or the code of the complaint that was made. */
static int read_options(int argc, char **argv, struct test_options *options)
{
	struct smtp_path path;
	int i;

	for (i = 1; i < argc; i++) {
		bool has_value = i + 1 < argc;

		if (strcmp(argv[i], "--json") == 0)
			options->json = true;
		else if (strcmp(argv[i], "--account") == 0 && has_value)
			options->account = argv[++i];
		else if (strcmp(argv[i], "--from") == 0 && has_value)
			options->from = argv[++i];
		else if (argv[i][0] == '-' || options->to != NULL)
			return cli_usage(argv[0], "unknown argument \"%s\"",
			                 argv[i]);
		else
			options->to = argv[i];
	}
	if (options->to == NULL)
		return cli_usage(argv[0], "it needs the ADDRESS to send to");
	if (!smtp_address_parse(text_of(options->to), &path))
		return cli_usage(argv[0], "\"%s\" is no mail address",
		                 options->to);
	if (options->from != NULL &&
	    !smtp_address_parse(text_of(options->from), &path))
		return cli_usage(argv[0], "\"%s\" is no mail address",
		                 options->from);
	return EX_OK;
}

static int run_test(const struct config *config,
                    const struct test_options *options)
{
	const struct account_config *account =
		options->account == NULL
			? &config->accounts[0]
			: config_account(config, options->account);
	struct probe_message message = { options->from, options->to };
	json_t *json = options->json ? json_array() : NULL;
	bool ok;

	if (account == NULL)
		return cli_usage("test", "there is no account \"%s\"",
		                 options->account);
	ok = probe_account(config, account, &message, json);
	if (json != NULL) {
		terminal_json(json);
		json_decref(json);
	} else {
		printf(ok ? "\nThe provider has taken the message.\n"
		          : "\nThe message was not sent.\n");
	}
	return ok ? EX_OK : EX_UNAVAILABLE;
}

int cmd_test(struct cli *cli, int argc, char **argv)
{
	struct test_options options = { NULL, NULL, NULL, false };
	struct config *config;
	int code = read_options(argc, argv, &options);

	if (code != EX_OK)
		return code;
	config = cli_load_config(cli, options.json);
	if (config == NULL)
		return EX_CONFIG;
	code = run_test(config, &options);
	config_unref(&config);
	return code;
}
