#include "relay/cli/cmd.h"

#include <string.h>

#include "relay/cli/client.h"
#include "relay/cli/options.h"
#include "relay/cli/terminal.h"

static int change(struct client *client, const char *path, const char *name,
                  bool json)
{
	json_t *account;
	int code = client_post(client, path, name, &account);

	if (code != EX_OK)
		return code;
	if (json) {
		terminal_json(account);
		return EX_OK;
	}
	fputs("account ", stdout);
	terminal_print(stdout, member_text(account, "name"));
	fputs(": ", stdout);
	terminal_print(stdout, member_text(account, "state"));
	printf("; messages that wait for it: %lld\n",
	       (long long)member_number(account, "waiting"));
	return EX_OK;
}

int cmd_account(struct cli *cli, int argc, char **argv)
{
	bool json = false;
	const struct option options[] = { { "--json", NULL, &json },
		{ NULL, NULL, NULL } };
	const char *words[2];
	struct client *client;
	bool pause;
	int code = options_read(argc, argv, options, words, 2);

	if (code != EX_OK)
		return code;
	pause = words[0] != NULL && strcmp(words[0], "pause") == 0;
	if (words[1] == NULL || (!pause && strcmp(words[0], "resume") != 0))
		return cli_usage(argv[0], "it wants pause or resume, and the "
		                          "NAME of an account");
	client = client_open(cli, argv[0]);
	if (client == NULL)
		return EX_CONFIG;
	code = change(client,
	              pause ? "/api/v1/accounts/*/pause"
	                    : "/api/v1/accounts/*/resume",
	              words[1], json);
	client_close(&client);
	return code;
}
