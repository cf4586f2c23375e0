#include "relay/queue/store_job.h"

#include <stdlib.h>
#include <string.h>
#include "proto/xalloc.h"
#include "relay/net/loop.h"

static const int64_t day_ms = 86400000;

void usage_clear(struct usage *usage)
{
	free(usage->account);
	memset(usage, 0, sizeof(*usage));
}

static int run_with(struct store_db *db, enum store_sql sql, int64_t number)
{
	sqlite3_stmt *s = db_statement(db, sql);

	sqlite3_bind_int64(s, 1, number);
	return db_run(s);
}

/* --- on the storage thread ---------------------------------------------- */

static int put(struct store_db *db, const struct usage *usage, bool is_open)
{
	sqlite3_stmt *s = db_statement(db, SQL_PUT_USAGE);

	sqlite3_bind_int64(s, 1, usage->id);
	db_bind_text(s, 2, usage->account);
	sqlite3_bind_int64(s, 3, usage->at_ms);
	sqlite3_bind_int64(s, 4, (int64_t)usage->messages);
	sqlite3_bind_int64(s, 5, (int64_t)usage->recipients);
	sqlite3_bind_int64(s, 6, is_open);
	return db_run(s);
}

static int reserve(struct store_db *db, const struct usage *usage)
{
	int code = run_with(db, SQL_PURGE_USAGE, usage->at_ms - day_ms);

	return code == SQLITE_OK ? put(db, usage, true) : code;
}

static int spend(struct store_db *db, const struct usage *usage)
{
	if (usage->messages == 0)
		return run_with(db, SQL_DROP_USAGE, usage->id);
	return put(db, usage, false);
}

int usage_write(struct store_db *db, struct job *job)
{
	if (job->type == JOB_RESERVE)
		return reserve(db, &job->usage);
	if (job->type == JOB_SPEND)
		return spend(db, &job->usage);
	return run_with(db, SQL_SHIFT_USAGE, job->usage.at_ms);
}

/* --- at the start ------------------------------------------------------- */

/* What a crash left open may have been sent until now, and what a wrong clock
 * dated into the future was.  It is read like that; on disk it is said once, if
 * there is room, lest every start begin its day anew. */
static void settle_all(struct store_db *db, int64_t now_ms)
{
	if (run_with(db, SQL_PURGE_USAGE, now_ms - day_ms) == SQLITE_OK)
		run_with(db, SQL_SETTLE_USAGE, now_ms);
}

int usage_read(struct store_db *db, struct usage **usage_r, size_t *n_r)
{
	struct usage *all = NULL;
	sqlite3_stmt *s;
	size_t n = 0;
	int64_t now_ms = wall_now_ms();
	int code;

	settle_all(db, now_ms);
	s = db_statement(db, SQL_GET_USAGE);
	sqlite3_bind_int64(s, 1, now_ms);
	while ((code = sqlite3_step(s)) == SQLITE_ROW) {
		if ((n & (n - 1)) == 0)
			all = xrealloc(all, (n ? 2 * n : 1) * sizeof(*all));
		all[n++] = (struct usage){
			.id = sqlite3_column_int64(s, 0),
			.account =
				xstrdup((const char *)sqlite3_column_text(s, 1)),
			.at_ms = sqlite3_column_int64(s, 2),
			.messages = (uint64_t)sqlite3_column_int64(s, 3),
			.recipients = (uint64_t)sqlite3_column_int64(s, 4),
		};
	}
	sqlite3_reset(s);
	*usage_r = all;
	*n_r = n;
	return code == SQLITE_DONE ? SQLITE_OK : code;
}
