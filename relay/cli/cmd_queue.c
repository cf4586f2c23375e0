#include "relay/cli/cmd.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "relay/queue/store.h"

static void print_time(char *out, size_t size, int64_t ms, bool utc)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;

	if (utc)
		strftime(out, size, "%Y-%m-%dT%H:%M:%SZ",
		         gmtime_r(&seconds, &tm));
	else
		strftime(out, size, "%Y-%m-%d %H:%M",
		         localtime_r(&seconds, &tm));
}

static const char *last_reply(const struct envelope *envelope)
{
	size_t i;

	for (i = 0; i < envelope->n_recipients; i++) {
		if (envelope->recipients[i].state == RECIPIENT_QUEUED &&
		    envelope->recipients[i].reply != NULL)
			return envelope->recipients[i].reply;
	}
	return NULL;
}

/* ---- as JSON ---- */

static void set_text(json_t *row, const char *key, const char *text)
{
	json_t *value = text == NULL ? NULL : json_string(text);

	json_object_set_new(row, key, value == NULL ? json_null() : value);
}

static json_t *recipients(const struct envelope *envelope)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < envelope->n_recipients; i++) {
		if (envelope->recipients[i].state == RECIPIENT_QUEUED)
			json_array_append_new(
				list,
				json_string(envelope->recipients[i].address));
	}
	return list;
}

static bool add_json(void *ctx, const struct envelope *envelope)
{
	char id[MESSAGE_ID_TEXT], when[40];
	json_t *row = json_object();

	print_time(when, sizeof when, envelope->received_ms, true);
	set_text(row, "id", message_id_print(envelope->id, id));
	set_text(row, "time", when);
	set_text(row, "client", envelope->client);
	set_text(row, "from", envelope->reverse_path);
	json_object_set_new(row, "to", recipients(envelope));
	set_text(row, "subject", envelope->subject);
	json_object_set_new(row, "size",
	                    json_integer((json_int_t)envelope->size));
	set_text(row, "state", message_state_name(envelope->state));
	set_text(row, "device", envelope->device);
	set_text(row, "rule", envelope->rule);
	set_text(row, "account", envelope->account);
	json_object_set_new(row, "attempts",
	                    json_integer(envelope->attempts));
	set_text(row, "reason", envelope->reason);
	set_text(row, "reply", last_reply(envelope));
	json_array_append_new(ctx, row);
	return true;
}

/* ---- as a table ---- */

static bool add_row(void *ctx, const struct envelope *envelope)
{
	char id[MESSAGE_ID_TEXT], when[40], size[32], attempts[16];
	char *to = envelope_recipient_list(envelope, RECIPIENT_QUEUED, 60);

	print_time(when, sizeof when, envelope->received_ms, false);
	snprintf(size, sizeof size, "%llu", (unsigned long long)envelope->size);
	snprintf(attempts, sizeof attempts, "%u", envelope->attempts);
	table_row(ctx, message_id_print(envelope->id, id), when,
	          message_state_name(envelope->state), attempts, size,
	          envelope->client,
	          *envelope->reverse_path ? envelope->reverse_path : "<>", to,
	          envelope->reason ? envelope->reason : "-", NULL);
	free(to);
	return true;
}

static bool list_as_table(struct store_reader *reader, const char **error_r)
{
	struct table *table = table_new(stdout, 9);
	bool ok;

	table_row(table, "ID", "SINCE", "STATE", "TRIES", "SIZE", "CLIENT",
	          "FROM", "TO", "REASON", NULL);
	ok = store_reader_queue(reader, add_row, table, error_r);
	table_free(&table);
	return ok;
}

static bool list_as_json(struct store_reader *reader, const char **error_r)
{
	json_t *rows = json_array();
	bool ok = store_reader_queue(reader, add_json, rows, error_r);

	json_dumpf(rows, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(rows);
	return ok;
}

static int list(struct cli *cli, bool json)
{
	struct config *config = cli_load_config(cli, true);
	struct store_reader *reader;
	const char *error = NULL;
	bool ok = false;

	if (config == NULL)
		return EX_CONFIG;
	reader = store_reader_open(config->relay.spool, &error);
	if (reader != NULL)
		ok = json ? list_as_json(reader, &error)
		          : list_as_table(reader, &error);
	if (!ok)
		fprintf(stderr, "lanpost queue: %s\n", error);
	store_reader_close(&reader);
	config_unref(&config);
	return ok ? EX_OK : EX_UNAVAILABLE;
}

int cmd_queue(struct cli *cli, int argc, char **argv)
{
	bool json = false;
	int i;

	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			json = true;
		else if (strcmp(argv[i], "list") != 0 || i > 1)
			return cli_usage(argv[0], "unknown argument \"%s\"",
			                 argv[i]);
	}
	return list(cli, json);
}
