#include "relay/cli/cmd.h"

#include "relay/policy/check_rules.h"
#include "relay/relay.h"

int cmd_serve(struct cli *cli, int argc, char **argv)
{
	struct relay_settings settings = { .config_path = cli->config_path,
		.environment = cli->environment };
	struct config_warnings warnings = { NULL, 0 };
	struct config_error error = { NULL };
	int code = EX_CONFIG;

	if (argc > 1)
		return cli_usage(argv[0], "it takes no argument");
	settings.config = config_load(cli->config_path, cli->environment,
	                              &warnings, &error);
	settings.warnings = &warnings;
	if (settings.config == NULL) {
		fprintf(stderr, "lanpost: %s\n", error.message);
	} else {
		check_rules(settings.config, &warnings);
		code = relay_run(&settings);
	}
	config_unref(&settings.config);
	config_error_free(&error);
	config_warnings_free(&warnings);
	return code;
}
