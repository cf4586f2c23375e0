/*
 * store_sql -- a look into the database of a spool, and a hand: by a
 * connection of its own, so as if the server had been killed.
 */
#ifndef TESTS_RELAY_STORE_SQL_H
#define TESTS_RELAY_STORE_SQL_H

#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include "proto/xalloc.h"

static inline sqlite3 *sql_open(const char *folder)
{
	char *path = xasprintf("%s/lanpost.db", folder);
	sqlite3 *db;

	if (sqlite3_open(path, &db) != SQLITE_OK)
		abort();
	sqlite3_busy_timeout(db, 5000);
	free(path);
	return db;
}

static inline void sql_run(const char *folder, const char *sql)
{
	sqlite3 *db = sql_open(folder);

	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
		fprintf(stderr, "%s: %s\n", sql, sqlite3_errmsg(db));
		abort();
	}
	sqlite3_close(db);
}

/* The first number that it says. */
static inline int64_t sql_number(const char *folder, const char *sql)
{
	sqlite3 *db = sql_open(folder);
	sqlite3_stmt *statement = NULL;
	int64_t number;

	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK ||
	    sqlite3_step(statement) != SQLITE_ROW) {
		fprintf(stderr, "%s: %s\n", sql, sqlite3_errmsg(db));
		abort();
	}
	number = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return number;
}

#endif
