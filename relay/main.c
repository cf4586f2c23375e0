/*
 * lanpost -- the command table and the options before the command.
 */
#include <stdio.h>
#include <string.h>

#include "relay/cli/cmd.h"

extern char **environ;

static const struct command commands[] = {
	{ "serve", "", "run the relay in the foreground", cmd_serve },
	{ "check", "[--client IP [--from F]] [--connect] [--json]",
	  "validate the configuration and show what is in force", cmd_check },
	{ "test", "ADDRESS [--account A] [--from F] [--json]",
	  "send a test message and tell each step", cmd_test },
	{ "explain", "'REPLY' [--provider P] [--stage S] [--json]",
	  "say what a provider's reply means and what to do", cmd_explain },
	{ "status", "[--json] [--quiet]",
	  "show accounts, queue and last failures; quiet: an exit code",
	  cmd_status },
	{ "queue", "[list [--limit N] | show ID | retry [ID] | hold ID | "
	  "release ID | delete ID] [--json]",
	  "show and change the messages that wait", cmd_queue },
	{ "history", "[--since 2h] [--status failed] [--from P] [--to P] "
	  "[--client IP] [--limit N] [--json] | --id ID [--json]",
	  "search all messages, or tell the story of one", cmd_history },
	{ "account", "pause NAME | resume NAME [--json]",
	  "stop sending by an account, or go on", cmd_account },
	{ "password", "USER",
	  "make a line for the file of users in a listener's auth", cmd_password },
	{ "providers", "[NAME] [--json]", "show the presets for providers",
	  cmd_providers },
};

enum { COMMANDS = sizeof commands / sizeof *commands };

static int print_help(FILE *out)
{
	size_t i;

	fputs("lanpost takes mail from printers and old applications and hands "
	      "it to a mail\nprovider.\n\n"
	      "usage: lanpost [-c FILE] COMMAND [ARGUMENTS]\n\n", out);
	for (i = 0; i < COMMANDS; i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
	fputs("\n  -c FILE     the configuration (default: "
	      "/etc/lanpost/lanpost.conf)\n"
	      "  -h, --help  this help; after a command: its arguments\n"
	      "  --version   the version\n", out);
	return EX_OK;
}

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < COMMANDS; i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

static bool is_help(const char *word)
{
	return strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0 ||
	       strcmp(word, "help") == 0;
}

static int run_command(struct cli *cli, int argc, char **argv)
{
	const struct command *command = find_command(argv[0]);

	if (command == NULL) {
		fprintf(stderr,
		        "lanpost: unknown command \"%s\"; lanpost --help lists "
		        "them\n", argv[0]);
		return EX_USAGE;
	}
	if (argc > 1 && is_help(argv[1])) {
		printf("usage: lanpost [-c FILE] %s %s\n\n%s.\n", command->name,
		       command->arguments, command->help);
		return EX_OK;
	}
	return command->run(cli, argc, argv);
}

int main(int argc, char **argv)
{
	struct cli cli = { NULL, environ };
	int i = 1;

	while (i + 1 < argc && strcmp(argv[i], "-c") == 0) {
		cli.config_path = argv[i + 1];
		i += 2;
	}
	if (i == argc || is_help(argv[i]))
		return print_help(stdout);
	if (strcmp(argv[i], "--version") == 0) {
		puts("lanpost " LANPOST_VERSION);
		return EX_OK;
	}
	if (argv[i][0] == '-') {
		fprintf(stderr, "lanpost: unknown option %s; lanpost --help "
		                "lists them\n", argv[i]);
		return EX_USAGE;
	}
	cli.config_path = config_choose_path(cli.config_path, environ);
	return run_command(&cli, argc - i, argv + i);
}
