/*
 * cmd -- what every command shares.  A command is a row of the table in
 * main.c and a file cmd_NAME.c; it writes its answer to standard output, its
 * complaints to standard error, and returns an exit code of sysexits.h.
 */
#ifndef RELAY_CLI_CMD_H
#define RELAY_CLI_CMD_H

#include <stdbool.h>
#include <stdio.h>
#include <sysexits.h>
#include "relay/config/config.h"

struct cli {
	const char *config_path; /* as config_choose_path() says */
	char *const *environment;
};

struct command {
	const char *name;
	const char *arguments;   /* "ADDRESS [--account A] [--from F]" */
	const char *help;        /* one line */
	int (*run)(struct cli *cli, int argc, char **argv); /* argv[0]: name */
};

int cmd_serve(struct cli *cli, int argc, char **argv);
int cmd_check(struct cli *cli, int argc, char **argv);
int cmd_explain(struct cli *cli, int argc, char **argv);
int cmd_test(struct cli *cli, int argc, char **argv);
int cmd_queue(struct cli *cli, int argc, char **argv);
int cmd_history(struct cli *cli, int argc, char **argv);
int cmd_status(struct cli *cli, int argc, char **argv);
int cmd_account(struct cli *cli, int argc, char **argv);
int cmd_password(struct cli *cli, int argc, char **argv);
int cmd_providers(struct cli *cli, int argc, char **argv);

/* Load the configuration, or say on standard error what is wrong and return
 * NULL (the exit code is then EX_CONFIG).  Warnings go to standard error
 * unless quiet. */
struct config *cli_load_config(struct cli *cli, bool quiet);

/* "lanpost check: unknown option --foo", and how to be helped; EX_USAGE. */
int cli_usage(const char *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Columns of text, each as wide as its widest cell; NULL ends a row's cells.
 * On a terminal that is too narrow a row goes on in further lines, behind the
 * first column; elsewhere it is one line. */
struct table;
struct table *table_new(FILE *out, unsigned columns);
void table_row(struct table *table, const char *first, ...)
	__attribute__((sentinel));
void table_cells(struct table *table, char *const *cells, size_t n);
void table_free(struct table **table); /* prints */

#endif
