#include "relay/cli/cmd.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "proto/xalloc.h"

struct config *cli_load_config(struct cli *cli, bool quiet)
{
	struct config_warnings warnings = { NULL, 0 };
	struct config_error error = { NULL };
	struct config *config = config_load(cli->config_path, cli->environment,
	                                    &warnings, &error);
	size_t i;

	if (config == NULL)
		fprintf(stderr, "lanpost: %s\n", error.message);
	for (i = 0; config != NULL && !quiet && i < warnings.n; i++)
		fprintf(stderr, "lanpost: warning: %s\n", warnings.messages[i]);
	config_error_free(&error);
	config_warnings_free(&warnings);
	return config;
}

int cli_usage(const char *command, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "lanpost %s: ", command);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "; lanpost %s --help tells more\n", command);
	return EX_USAGE;
}

/* ---- tables ---- */

struct table {
	FILE *out;
	unsigned columns;
	size_t *widths;
	char **cells;    /* row after row */
	size_t n_cells;
};

struct table *table_new(FILE *out, unsigned columns)
{
	struct table *table = xcalloc(1, sizeof *table);

	table->out = out;
	table->columns = columns;
	table->widths = xcalloc(columns, sizeof *table->widths);
	return table;
}

void table_row(struct table *table, const char *first, ...)
{
	const char *cell = first;
	unsigned column;
	va_list args;

	table->cells = xrealloc(table->cells,
	                        (table->n_cells + table->columns) *
	                                sizeof *table->cells);
	va_start(args, first);
	for (column = 0; column < table->columns; column++) {
		size_t width = cell == NULL ? 0 : strlen(cell);

		table->cells[table->n_cells++] = xstrdup(cell ? cell : "");
		if (width > table->widths[column])
			table->widths[column] = width;
		if (cell != NULL)
			cell = va_arg(args, const char *);
	}
	va_end(args);
}

static void print_row(struct table *table, size_t row)
{
	unsigned column, last = table->columns - 1;

	for (column = 0; column < last; column++)
		fprintf(table->out, "%-*s  ", (int)table->widths[column],
		        table->cells[row + column]);
	fprintf(table->out, "%s\n", table->cells[row + last]);
}

void table_free(struct table **table_p)
{
	struct table *table = *table_p;
	size_t i;

	for (i = 0; i < table->n_cells; i += table->columns)
		print_row(table, i);
	for (i = 0; i < table->n_cells; i++)
		free(table->cells[i]);
	free(table->cells);
	free(table->widths);
	free(table);
	*table_p = NULL;
}
