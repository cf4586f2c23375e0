#include "relay/queue/store_job.h"

#include "relay/net/loop.h"

static int run_shift(struct store_db *db, int64_t by_ms, bool all)
{
	sqlite3_stmt *s = db_statement(db, SQL_SHIFT_WAITS);

	sqlite3_bind_int64(s, 1, by_ms);
	sqlite3_bind_int(s, 2, all);
	return db_run(s);
}

int rebase_write(struct store_db *db, struct job *job)
{
	return run_shift(db, job->rebase.by_ms, true);
}

/* --- at the start ------------------------------------------------------- */

/* The newest message was accepted in the future: the clock has gone back while
 * lanpost was not running. */
static int64_t gone_back(int64_t now_ms, int64_t newest_ms)
{
	int64_t by = now_ms - newest_ms;

	return by <= -STEADY_JUMP_MS ? by : 0;
}

/* What expired while nobody could try it, is tried once more at least. */
static int reprieve(struct store_db *db, int64_t now_ms,
		    struct store_recovery *recovery)
{
	sqlite3_stmt *s = db_statement(db, SQL_REPRIEVE);
	int code;

	sqlite3_bind_int64(s, 1, now_ms);
	sqlite3_bind_int64(s, 2, now_ms + STORE_REPRIEVE_MS);
	code = db_run(s);
	recovery->reprieved = (uint64_t)sqlite3_changes(db->db);
	return code;
}

/* What has moved back already, while lanpost was running, expires before it
 * came: it does not move again. */
int rebase_at_start(struct store_db *db, struct store_recovery *recovery)
{
	int64_t now_ms = wall_now_ms(), newest_ms = 0;
	int code = db_run(db_statement(db, SQL_BEGIN));

	if (code == SQLITE_OK)
		code = db_number(db_statement(db, SQL_GET_NEWEST_MS),
				 &newest_ms);
	recovery->rebased_ms = gone_back(now_ms, newest_ms);
	if (code == SQLITE_OK && recovery->rebased_ms != 0)
		code = run_shift(db, recovery->rebased_ms, false);
	if (code == SQLITE_OK)
		code = reprieve(db, now_ms, recovery);
	return code == SQLITE_OK ? db_run(db_statement(db, SQL_COMMIT)) : code;
}
