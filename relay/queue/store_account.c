#include "relay/queue/store_job.h"

#include <stdlib.h>
#include <string.h>
#include "proto/xalloc.h"

void account_record_clear(struct account_record *record)
{
	free(record->account);
	free(record->reason);
	free(record->reply);
	free(record->fingerprint);
	memset(record, 0, sizeof(*record));
}

/* --- on the storage thread ---------------------------------------------- */

static int drop(struct store_db *db, const struct account_record *record)
{
	sqlite3_stmt *s = db_statement(db, SQL_DROP_ACCOUNT);

	db_bind_text(s, 1, record->account);
	return db_run(s);
}

static int set(struct store_db *db, const struct account_record *record)
{
	sqlite3_stmt *s = db_statement(db, SQL_SET_ACCOUNT);

	db_bind_text(s, 1, record->account);
	sqlite3_bind_int64(s, 2, record->state);
	db_bind_text(s, 3, record->reason);
	db_bind_text(s, 4, record->reply);
	db_bind_text(s, 5, record->fingerprint);
	sqlite3_bind_int64(s, 6, record->failures);
	sqlite3_bind_int64(s, 7, record->since_ms);
	sqlite3_bind_int64(s, 8, record->retry_ms);
	return db_run(s);
}

int account_write(struct store_db *db, const struct job *job)
{
	return job->account.state == 0 ? drop(db, &job->account)
				       : set(db, &job->account);
}

/* --- at the start ------------------------------------------------------- */

static char *read_text(sqlite3_stmt *s, int column)
{
	return xstrdup((const char *)sqlite3_column_text(s, column));
}

static struct account_record read_record(sqlite3_stmt *s)
{
	return (struct account_record){
		.account = read_text(s, 0),
		.state = sqlite3_column_int(s, 1),
		.reason = read_text(s, 2),
		.reply = read_text(s, 3),
		.fingerprint = read_text(s, 4),
		.failures = (unsigned)sqlite3_column_int(s, 5),
		.since_ms = sqlite3_column_int64(s, 6),
		.retry_ms = sqlite3_column_int64(s, 7),
	};
}

int accounts_read(struct store_db *db, struct account_record **records_r,
		  size_t *n_r)
{
	sqlite3_stmt *s = db_statement(db, SQL_GET_ACCOUNTS);
	struct account_record *all = NULL;
	size_t n = 0;
	int code;

	while ((code = sqlite3_step(s)) == SQLITE_ROW) {
		if ((n & (n - 1)) == 0)
			all = xrealloc(all, (n ? 2 * n : 1) * sizeof(*all));
		all[n++] = read_record(s);
	}
	sqlite3_reset(s);
	*records_r = all;
	*n_r = n;
	return code == SQLITE_DONE ? SQLITE_OK : code;
}
