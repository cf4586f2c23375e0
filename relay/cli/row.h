/*
 * row -- the cells of a table's row, made of JSON: harmless, bounded, one line
 * each.
 */
#ifndef RELAY_CLI_ROW_H
#define RELAY_CLI_ROW_H

#include <jansson.h>
#include <stdint.h>
#include "relay/cli/cmd.h"

enum { ROW_CELLS = 12 };

struct row_cells {
	char *cells[ROW_CELLS];
	size_t n;
};

void row_cells_begin(struct row_cells *row);
/* NULL as "-"; at most max octets. */
void row_cell(struct row_cells *row, const char *text, size_t max);
void row_time(struct row_cells *row, const char *rfc3339, int64_t now_s);
void row_number(struct row_cells *row, int64_t number);
void row_octets(struct row_cells *row, int64_t octets);
/* "a@x,b@y and 7 more" */
void row_list(struct row_cells *row, json_t *texts, size_t max);
const char *row_text(const struct row_cells *row, size_t n);
void row_cells_free(struct row_cells *row);
/* Into the table; the cells are gone. */
void row_cells_end(struct row_cells *row, struct table *table);

#endif
