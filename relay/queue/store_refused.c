#include "relay/queue/store_job.h"

#include <stdlib.h>
#include <string.h>
#include "proto/xalloc.h"

void refused_sender_clear(struct refused_sender *refused)
{
	free(refused->account);
	free(refused->sender);
	free(refused->fingerprint);
	free(refused->reply);
	memset(refused, 0, sizeof(*refused));
}

/* --- on the storage thread ---------------------------------------------- */

static int trim(struct store_db *db)
{
	sqlite3_stmt *s = db_statement(db, SQL_TRIM_REFUSED);

	sqlite3_bind_int64(s, 1, STORE_REFUSED_MAX);
	return db_run(s);
}

static int add(struct store_db *db, const struct refused_sender *refused)
{
	sqlite3_stmt *s = db_statement(db, SQL_ADD_REFUSED);
	int code;

	db_bind_text(s, 1, refused->account);
	db_bind_text(s, 2, refused->sender);
	db_bind_text(s, 3, refused->fingerprint);
	sqlite3_bind_int64(s, 4, refused->since_ms);
	db_bind_text(s, 5, refused->reply);
	code = db_run(s);
	return code == SQLITE_OK ? trim(db) : code;
}

static int drop(struct store_db *db, const struct refused_sender *refused)
{
	sqlite3_stmt *s = db_statement(db, SQL_DROP_REFUSED);

	db_bind_text(s, 1, refused->account);
	db_bind_text(s, 2, refused->sender);
	return db_run(s);
}

int refused_write(struct store_db *db, struct job *job)
{
	return job->type == JOB_REFUSE ? add(db, &job->refused)
				       : drop(db, &job->refused);
}

/* --- at the start ------------------------------------------------------- */

static char *read_text(sqlite3_stmt *s, int column)
{
	return xstrdup((const char *)sqlite3_column_text(s, column));
}

int refused_read(struct store_db *db, struct refused_sender **refused_r,
		 size_t *n_r)
{
	sqlite3_stmt *s = db_statement(db, SQL_GET_REFUSED);
	struct refused_sender *all = NULL;
	size_t n = 0;
	int code;

	sqlite3_bind_int64(s, 1, STORE_REFUSED_MAX);
	while ((code = sqlite3_step(s)) == SQLITE_ROW) {
		if ((n & (n - 1)) == 0)
			all = xrealloc(all, (n ? 2 * n : 1) * sizeof(*all));
		all[n++] = (struct refused_sender){
			.account = read_text(s, 0),
			.sender = read_text(s, 1),
			.fingerprint = read_text(s, 2),
			.since_ms = sqlite3_column_int64(s, 3),
			.reply = read_text(s, 4),
		};
	}
	sqlite3_reset(s);
	*refused_r = all;
	*n_r = n;
	return code == SQLITE_DONE ? SQLITE_OK : code;
}
