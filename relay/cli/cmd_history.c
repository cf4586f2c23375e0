#include "relay/cli/cmd.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "relay/cli/client.h"
#include "relay/cli/options.h"
#include "relay/cli/row.h"
#include "relay/cli/story.h"
#include "relay/cli/terminal.h"

/* So much as somebody reads; a program gets what the API gives. */
static const char limit_for_people[] = "100";

struct search {
	const char *since, *status, *from, *to, *client, *id, *limit;
	bool json;
};

static void add_row(struct table *table, json_t *row, int64_t now_s)
{
	const char *from = member_text(row, "from");
	const char *device = member_text(row, "device");
	struct row_cells cells;

	row_cells_begin(&cells);
	row_cell(&cells, member_text(row, "id"), 20);
	row_time(&cells, member_text(row, "time"), now_s);
	row_cell(&cells, member_text(row, "state"), 20);
	row_number(&cells, member_number(row, "attempts"));
	row_cell(&cells, device ? device : member_text(row, "client"), 40);
	row_cell(&cells, from && *from ? from : "<>", 40);
	row_list(&cells, json_object_get(row, "to"), 60);
	row_cell(&cells, member_text(row, "subject"), 40);
	row_cell(&cells, member_text(row, "reason"), 40);
	row_cells_end(&cells, table);
}

static void print_rows(json_t *rows, const char *limit)
{
	struct table *table = table_new(stdout, 9);
	json_t *row;
	size_t i;

	table_row(table, "ID", "TIME", "STATE", "TRIES", "CLIENT", "FROM",
	          "TO", "SUBJECT", "REASON", NULL);
	json_array_foreach(rows, i, row)
		add_row(table, row, (int64_t)time(NULL));
	table_free(&table);
	if (json_array_size(rows) == (size_t)atol(limit))
		fprintf(stderr, "lanpost history: these are the last %s; "
		                "--limit N shows more\n", limit);
}

static int find(struct client *client, const struct search *search)
{
	const char *limit = search->limit || search->json ? search->limit
	                                                  : limit_for_people;
	json_t *rows;
	int code;

	client_argument(client, "since", search->since);
	client_argument(client, "status", search->status);
	client_argument(client, "from", search->from);
	client_argument(client, "to", search->to);
	client_argument(client, "client", search->client);
	client_argument(client, "limit", limit);
	code = client_get(client, "/api/v1/history", NULL, &rows);
	if (code != EX_OK)
		return code;
	if (search->json)
		terminal_json(rows);
	else
		print_rows(rows, limit);
	return EX_OK;
}

int cmd_history(struct cli *cli, int argc, char **argv)
{
	struct search search = { .json = false };
	const struct option options[] = {
		{ "--since", &search.since, NULL },
		{ "--status", &search.status, NULL },
		{ "--from", &search.from, NULL },
		{ "--to", &search.to, NULL },
		{ "--client", &search.client, NULL },
		{ "--id", &search.id, NULL },
		{ "--limit", &search.limit, NULL },
		{ "--json", NULL, &search.json },
		{ NULL, NULL, NULL }
	};
	struct client *client;
	int code = options_read(argc, argv, options, NULL, 0);

	if (code != EX_OK)
		return code;
	client = client_open(cli, argv[0]);
	if (client == NULL)
		return EX_CONFIG;
	code = search.id != NULL ? story_tell(client, search.id, search.json)
	                         : find(client, &search);
	client_close(&client);
	return code;
}
