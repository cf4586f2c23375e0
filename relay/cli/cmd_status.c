#include "relay/cli/cmd.h"

#include <string.h>
#include <time.h>

#include "relay/cli/client.h"
#include "relay/cli/options.h"
#include "relay/cli/row.h"
#include "relay/cli/terminal.h"
#include "relay/policy/budget.h"

enum {
	INDENT = 14,
	LINE_MAX = 8 * 1024,
	ONE_LINE = 200,
	FAILURES_SHOWN = 3
};

/* ---- health ---- */

static const char *health_state(json_t *status)
{
	const char *state =
		member_text(json_object_get(status, "health"), "state");

	return state != NULL ? state : "unknown";
}

static void tell_health(json_t *status, struct buf *text)
{
	json_t *reasons = json_object_get(json_object_get(status, "health"),
	                                  "reasons");
	json_t *reason;
	size_t i;

	buf_puts(text, "lanpost ");
	terminal_append(text, member_text(status, "version"), 40);
	buf_puts(text, ": ");
	terminal_append(text, health_state(status), 40);
	if (member_number(status, "uptime_ms") > 0) {
		buf_puts(text, ", running for ");
		terminal_duration(text, member_number(status, "uptime_ms"));
	}
	puts(buf_string(text));
	buf_clear(text);
	json_array_foreach(reasons, i, reason)
		terminal_paragraph(stdout, 4, "  -",
		                   json_string_value(reason));
}

/* ---- accounts ---- */

static const char *limit_words(const char *key)
{
	enum budget_limit limit;

	for (limit = 0; limit < BUDGET_LIMITS; limit++) {
		if (strcmp(key, budget_limit_key(limit)) == 0)
			return budget_limit_words(limit);
	}
	return key;
}

/* Without a server nobody counts. */
static void add_count(struct row_cells *cells, json_t *count)
{
	if (json_is_integer(count))
		row_number(cells, json_integer_value(count));
	else
		row_cell(cells, NULL, 1);
}

static void add_account(struct table *table, json_t *account, int64_t now_s)
{
	struct row_cells cells;

	row_cells_begin(&cells);
	row_cell(&cells, member_text(account, "name"), 20);
	row_cell(&cells, member_text(account, "host"), 40);
	row_cell(&cells, member_text(account, "state"), 20);
	add_count(&cells, json_object_get(account, "waiting"));
	add_count(&cells, json_object_get(account, "delivered"));
	add_count(&cells, json_object_get(account, "failed"));
	row_time(&cells, member_text(account, "last_success"), now_s);
	row_cells_end(&cells, table);
}

static bool is_well(json_t *account)
{
	const char *state = member_text(account, "state");

	return state == NULL || strcmp(state, "ok") == 0;
}

static void tell_trouble(json_t *account, struct buf *text, int64_t now_s)
{
	const char *retry = member_text(account, "retry_at");
	const char *failover = member_text(account, "failover");

	printf("\nAccount ");
	terminal_print(stdout, member_text(account, "name"));
	printf(": ");
	terminal_print(stdout, member_text(account, "state"));
	terminal_time(text, member_text(account, "since"), now_s);
	printf(", since %s\n", buf_string(text));
	buf_clear(text);
	terminal_paragraph(stdout, INDENT, "  reply",
	                   member_text(account, "reply"));
	terminal_paragraph(stdout, INDENT, "  it means",
	                   member_text(account, "explanation"));
	terminal_paragraph(stdout, INDENT, "  what to do",
	                   member_text(account, "fix"));
	if (failover != NULL)
		terminal_paragraph(stdout, INDENT, "  failover", failover);
	terminal_time(text, retry, now_s);
	buf_puts(text, retry ? "; at once with: lanpost account resume "
	                     : " by itself; with: lanpost account resume ");
	terminal_append(text, member_text(account, "name"), 100);
	terminal_paragraph(stdout, INDENT, "  next try", buf_string(text));
	buf_clear(text);
}

/* "12 of 30 messages a minute, ..."; its mail may wait for more. */
static void add_budgets(struct buf *text, json_t *account)
{
	json_t *budgets = json_object_get(account, "budgets"), *budget;
	const char *key, *before = "";

	json_object_foreach(budgets, key, budget) {
		buf_printf(text, "%s%lld of %lld %s%s", before,
		           (long long)member_number(budget, "left"),
		           (long long)member_number(budget, "limit"),
		           limit_words(key),
		           json_is_true(json_object_get(budget, "slowed"))
		                   ? " (slowed)" : "");
		before = ", ";
	}
	if (member_text(account, "held_up_by") == NULL)
		return;
	buf_puts(text, "; mail goes on in ");
	terminal_duration(text, member_number(account, "goes_on_in_ms"));
}

static void tell_budgets(json_t *accounts, struct buf *text)
{
	const char *before = "\nLeft of the limits\n";
	struct buf name = BUF_INIT(LINE_MAX);
	json_t *account;
	size_t i;

	json_array_foreach(accounts, i, account) {
		add_budgets(text, account);
		if (buf_len(text) == 0)
			continue;
		fputs(before, stdout);
		before = "";
		buf_puts(&name, "  ");
		terminal_append(&name, member_text(account, "name"), 60);
		buf_puts(&name, "  ");
		terminal_paragraph(stdout, INDENT, buf_string(&name),
		                   buf_string(text));
		buf_clear(&name);
		buf_clear(text);
	}
	buf_free(&name);
}

static void tell_accounts(json_t *accounts, struct buf *text, int64_t now_s)
{
	struct table *table = table_new(stdout, 7);
	json_t *account;
	size_t i;

	putchar('\n');
	table_row(table, "ACCOUNT", "HOST", "STATE", "WAITING", "SENT",
	          "FAILED", "LAST SENT", NULL);
	json_array_foreach(accounts, i, account)
		add_account(table, account, now_s);
	table_free(&table);
	json_array_foreach(accounts, i, account) {
		if (!is_well(account))
			tell_trouble(account, text, now_s);
	}
	tell_budgets(accounts, text);
}

/* ---- queue and failures ---- */

static void tell_queue(json_t *queue, struct buf *text)
{
	long long queued = member_number(queue, "queued");

	buf_printf(text, "\nQueue: %lld message%s", queued,
	           queued == 1 ? "" : "s");
	if (queued > 0) {
		buf_puts(text, ", the oldest for ");
		terminal_duration(text, member_number(queue, "oldest_ms"));
	}
	if (member_number(queue, "held") > 0)
		buf_printf(text, "; %lld held",
		           (long long)member_number(queue, "held"));
	buf_puts(text, "; ");
	terminal_octets(text, member_number(queue, "octets"));
	puts(buf_string(text));
	buf_clear(text);
}

static void tell_failure(json_t *row, struct buf *text, int64_t now_s)
{
	struct row_cells to;

	terminal_time(text, member_text(row, "time"), now_s);
	buf_puts(text, "  ");
	terminal_append(text, member_text(row, "id"), 20);
	row_cells_begin(&to);
	row_list(&to, json_object_get(row, "to"), 60);
	buf_printf(text, "  to %s\n", row_text(&to, 0));
	row_cells_free(&to);
	fputs(buf_string(text), stdout);
	buf_clear(text);
	if (member_text(row, "title") != NULL) {
		terminal_append(text, member_text(row, "title"), ONE_LINE);
		buf_puts(text, ": ");
	}
	terminal_append(text, member_text(row, "reply"), ONE_LINE);
	terminal_line(stdout, "          ", buf_string(text));
	buf_clear(text);
}

static void tell_failures(json_t *failures, struct buf *text, int64_t now_s)
{
	json_t *row;
	size_t i;

	if (json_array_size(failures) == 0)
		return;
	puts("\nLast failures; lanpost history --id ID tells all");
	json_array_foreach(failures, i, row) {
		if (i < FAILURES_SHOWN)
			tell_failure(row, text, now_s);
	}
}

static void tell(json_t *status, int64_t now_s)
{
	struct buf text = BUF_INIT(LINE_MAX);

	tell_health(status, &text);
	tell_accounts(json_object_get(status, "accounts"), &text, now_s);
	tell_queue(json_object_get(status, "queue"), &text);
	tell_failures(json_object_get(status, "failures"), &text, now_s);
	buf_free(&text);
}

/* ---- a health check ---- */

static int judge(struct client *client, json_t *status)
{
	const char *state = health_state(status);
	json_t *reasons = json_object_get(json_object_get(status, "health"),
	                                  "reasons");

	if (client_has_server(client) && (strcmp(state, "ok") == 0 ||
	                                  strcmp(state, "degraded") == 0))
		return EX_OK;
	fputs("lanpost is ", stderr);
	terminal_print(stderr, state);
	if (json_array_size(reasons) > 0) {
		fputs(": ", stderr);
		terminal_print(stderr, json_string_value(
					       json_array_get(reasons, 0)));
	}
	fputc('\n', stderr);
	return EX_UNAVAILABLE;
}

int cmd_status(struct cli *cli, int argc, char **argv)
{
	bool json = false, quiet = false;
	const struct option options[] = { { "--json", NULL, &json },
		{ "--quiet", NULL, &quiet }, { NULL, NULL, NULL } };
	struct client *client;
	json_t *status;
	int code = options_read(argc, argv, options, NULL, 0);

	if (code != EX_OK)
		return code;
	client = client_open(cli, argv[0]);
	if (client == NULL)
		return EX_CONFIG;
	code = client_get(client, "/api/v1/status", NULL, &status);
	if (code == EX_OK && quiet)
		code = judge(client, status);
	else if (code == EX_OK && json)
		terminal_json(status);
	else if (code == EX_OK)
		tell(status, (int64_t)time(NULL));
	client_close(&client);
	return code;
}
