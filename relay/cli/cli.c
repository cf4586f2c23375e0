#include "relay/cli/cmd.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

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

enum { GAP = 2 };

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

/* On a terminal; letters of one column each. */
static size_t width_of(const char *cell)
{
	size_t width = 0;

	for (; *cell != '\0'; cell++)
		width += ((unsigned char)*cell & 0xc0) != 0x80;
	return width;
}

void table_cells(struct table *table, char *const *cells, size_t n)
{
	unsigned column;

	table->cells = xrealloc(table->cells,
	                        (table->n_cells + table->columns) *
	                                sizeof *table->cells);
	for (column = 0; column < table->columns; column++) {
		const char *cell = column < n ? cells[column] : "";
		size_t width = width_of(cell);

		table->cells[table->n_cells++] = xstrdup(cell);
		if (width > table->widths[column])
			table->widths[column] = width;
	}
}

void table_row(struct table *table, const char *first, ...)
{
	char **cells = xcalloc(table->columns, sizeof *cells);
	const char *cell = first;
	size_t n = 0;
	va_list args;

	va_start(args, first);
	for (; cell != NULL && n < table->columns;
	     cell = va_arg(args, const char *))
		cells[n++] = xstrdup(cell);
	va_end(args);
	table_cells(table, cells, n);
	while (n > 0)
		free(cells[--n]);
	free(cells);
}

/* 0: it may be as wide as it likes. */
static size_t width_of_terminal(FILE *out)
{
	struct winsize size;

	return isatty(fileno(out)) && ioctl(fileno(out), TIOCGWINSZ, &size) == 0
	               ? size.ws_col : 0;
}

/* A row goes on in another line where a column would not fit: in the same
 * place in each, so that the columns stay such. */
static bool *find_folds(const struct table *table)
{
	bool *folds = xcalloc(table->columns, sizeof *folds);
	size_t room = width_of_terminal(table->out);
	size_t indent = table->widths[0], used = indent;
	unsigned column;

	for (column = 1; room > 0 && column < table->columns; column++) {
		folds[column] = used > indent &&
		                used + GAP + table->widths[column] > room;
		if (folds[column])
			used = indent;
		used += GAP + table->widths[column];
	}
	return folds;
}

static void print_row(struct table *table, size_t row, const bool *folds)
{
	const char *cell = table->cells[row];
	size_t gap;
	unsigned column;

	fputs(cell, table->out);
	for (column = 1; column < table->columns; column++) {
		gap = table->widths[column - 1] - width_of(cell) + GAP;
		if (folds[column]) {
			putc('\n', table->out);
			gap = table->widths[0] + GAP;
		}
		cell = table->cells[row + column];
		fprintf(table->out, "%*s%s", (int)gap, "", cell);
	}
	putc('\n', table->out);
}

void table_free(struct table **table_p)
{
	struct table *table = *table_p;
	bool *folds = find_folds(table);
	size_t i;

	for (i = 0; i < table->n_cells; i += table->columns)
		print_row(table, i, folds);
	free(folds);
	for (i = 0; i < table->n_cells; i++)
		free(table->cells[i]);
	free(table->cells);
	free(table->widths);
	free(table);
	*table_p = NULL;
}
