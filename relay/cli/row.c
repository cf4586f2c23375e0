#include "relay/cli/row.h"

#include <stdlib.h>

#include "relay/cli/terminal.h"

enum { CELL_MAX = 4096 };

void row_cells_begin(struct row_cells *row)
{
	row->n = 0;
}

static void add(struct row_cells *row, struct buf *cell)
{
	if (row->n < ROW_CELLS)
		row->cells[row->n++] = buf_steal(cell);
	buf_free(cell);
}

void row_cell(struct row_cells *row, const char *text, size_t max)
{
	struct buf cell = BUF_INIT(CELL_MAX);

	terminal_append(&cell, text, max);
	add(row, &cell);
}

void row_time(struct row_cells *row, const char *rfc3339, int64_t now_s)
{
	struct buf cell = BUF_INIT(CELL_MAX);

	terminal_time(&cell, rfc3339, now_s);
	add(row, &cell);
}

void row_number(struct row_cells *row, int64_t number)
{
	struct buf cell = BUF_INIT(CELL_MAX);

	buf_printf(&cell, "%lld", (long long)number);
	add(row, &cell);
}

void row_octets(struct row_cells *row, int64_t octets)
{
	struct buf cell = BUF_INIT(CELL_MAX);

	terminal_octets(&cell, octets);
	add(row, &cell);
}

void row_list(struct row_cells *row, json_t *texts, size_t max)
{
	struct buf cell = BUF_INIT(CELL_MAX);
	size_t i, n = json_array_size(texts);

	for (i = 0; i < n && (i == 0 || buf_len(&cell) < max); i++) {
		buf_puts(&cell, i > 0 ? "," : "");
		terminal_append(&cell,
		                json_string_value(json_array_get(texts, i)),
		                max);
	}
	if (i < n)
		buf_printf(&cell, " and %zu more", n - i);
	add(row, &cell);
}

const char *row_text(const struct row_cells *row, size_t n)
{
	return n < row->n ? row->cells[n] : "";
}

void row_cells_free(struct row_cells *row)
{
	size_t i;

	for (i = 0; i < row->n; i++)
		free(row->cells[i]);
	row->n = 0;
}

void row_cells_end(struct row_cells *row, struct table *table)
{
	table_cells(table, row->cells, row->n);
	row_cells_free(row);
}
