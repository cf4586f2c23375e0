#include "relay/cli/cmd.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "relay/cli/client.h"
#include "relay/cli/options.h"
#include "relay/cli/row.h"
#include "relay/cli/story.h"
#include "relay/cli/terminal.h"

enum { LIMIT = 1000 };

struct question {
	const char *id, *limit;
	bool json;
};

/* ---- list and show ---- */

static void add_row(struct table *table, json_t *row, int64_t now_s)
{
	const char *from = member_text(row, "from");
	struct row_cells cells;

	row_cells_begin(&cells);
	row_cell(&cells, member_text(row, "id"), 20);
	row_time(&cells, member_text(row, "time"), now_s);
	row_cell(&cells, member_text(row, "state"), 20);
	row_number(&cells, member_number(row, "attempts"));
	row_octets(&cells, member_number(row, "size"));
	row_cell(&cells, member_text(row, "client"), 40);
	row_cell(&cells, from && *from ? from : "<>", 40);
	row_list(&cells, json_object_get(row, "to"), 60);
	row_cell(&cells, member_text(row, "reason"), 40);
	row_cell(&cells, member_text(row, "waits_for"), 60);
	row_cells_end(&cells, table);
}

static int list(struct client *client, const struct question *question)
{
	long wanted = question->limit ? atol(question->limit) : LIMIT;
	struct table *table;
	json_t *rows, *row;
	size_t i;
	int code;

	client_argument(client, "limit", question->limit);
	code = client_get(client, "/api/v1/queue", NULL, &rows);
	if (code != EX_OK)
		return code;
	if (question->json) {
		terminal_json(rows);
		return EX_OK;
	}
	table = table_new(stdout, 10);
	table_row(table, "ID", "SINCE", "STATE", "TRIES", "SIZE", "CLIENT",
	          "FROM", "TO", "REASON", "WAITS FOR", NULL);
	json_array_foreach(rows, i, row)
		add_row(table, row, (int64_t)time(NULL));
	table_free(&table);
	if (json_array_size(rows) == (size_t)wanted)
		fprintf(stderr, "lanpost queue: these are the first %ld; "
		                "--limit N shows more\n", wanted);
	return EX_OK;
}

static int show(struct client *client, const struct question *question)
{
	return story_tell(client, question->id, question->json);
}

/* ---- changes ---- */

static int change(struct client *client, const struct question *question,
                  const char *path)
{
	json_t *answer;
	int code = client_post(client, path, question->id, &answer);

	if (code != EX_OK)
		return code;
	if (question->json) {
		terminal_json(answer);
		return EX_OK;
	}
	printf("%s: ", question->id);
	terminal_print(stdout, member_text(answer, "result"));
	putchar('\n');
	return EX_OK;
}

static int retry(struct client *client, const struct question *question)
{
	json_t *answer;
	int code;

	if (question->id != NULL)
		return change(client, question, "/api/v1/queue/*/retry");
	code = client_post(client, "/api/v1/queue/retry", NULL, &answer);
	if (code != EX_OK)
		return code;
	if (question->json)
		terminal_json(answer);
	else
		printf("messages that waited and are tried now: %lld\n",
		       (long long)member_number(answer, "retried"));
	return EX_OK;
}

static int hold(struct client *client, const struct question *question)
{
	return change(client, question, "/api/v1/queue/*/hold");
}

static int release(struct client *client, const struct question *question)
{
	return change(client, question, "/api/v1/queue/*/release");
}

static int delete(struct client *client, const struct question *question)
{
	return change(client, question, "/api/v1/queue/*/delete");
}

/* ---- the command ---- */

enum id { ID_NONE, ID_MAY, ID_MUST };

static const struct verb {
	const char *name;
	enum id id;
	int (*run)(struct client *client, const struct question *question);
} verbs[] = {
	{ "list", ID_NONE, list },      { "show", ID_MUST, show },
	{ "retry", ID_MAY, retry },     { "hold", ID_MUST, hold },
	{ "release", ID_MUST, release }, { "delete", ID_MUST, delete },
};

static const struct verb *find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	}
	return NULL;
}

static int check(const char *command, const struct verb *verb,
                 const struct question *question)
{
	if (verb->id == ID_MUST && question->id == NULL)
		return cli_usage(command, "%s wants the ID of a message",
		                 verb->name);
	if (verb->id == ID_NONE && question->id != NULL)
		return cli_usage(command, "unknown argument \"%s\"",
		                 question->id);
	if (verb->run != list && question->limit != NULL)
		return cli_usage(command, "--limit is for list");
	return EX_OK;
}

int cmd_queue(struct cli *cli, int argc, char **argv)
{
	struct question question = { NULL, NULL, false };
	const struct option options[] = {
		{ "--json", NULL, &question.json },
		{ "--limit", &question.limit, NULL }, { NULL, NULL, NULL }
	};
	const char *words[2];
	const struct verb *verb;
	struct client *client;
	int code = options_read(argc, argv, options, words, 2);

	if (code != EX_OK)
		return code;
	verb = find(words[0] ? words[0] : "list");
	if (verb == NULL)
		return cli_usage(argv[0], "unknown argument \"%s\"", words[0]);
	question.id = words[1];
	if ((code = check(argv[0], verb, &question)) != EX_OK)
		return code;
	client = client_open(cli, argv[0]);
	if (client == NULL)
		return EX_CONFIG;
	code = verb->run(client, &question);
	client_close(&client);
	return code;
}
