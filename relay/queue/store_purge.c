#include "relay/queue/store_job.h"

#include "relay/net/loop.h"

enum { PURGE_AT_ONCE = 200 };

struct batch {
	message_id id[PURGE_AT_ONCE];
	size_t n;
};

static int run_for(struct store_db *db, enum store_sql sql, message_id id)
{
	sqlite3_stmt *s = db_statement(db, sql);

	sqlite3_bind_int64(s, 1, (int64_t)id);
	return db_run(s);
}

/* --- bodies of failed messages ------------------------------------------ */

static int find_failed(struct store_db *db, int64_t failed_ms, struct batch *batch)
{
	sqlite3_stmt *s = db_statement(db, SQL_GET_OLD_FAILED);
	int code;

	sqlite3_bind_int64(s, 1, failed_ms);
	sqlite3_bind_int64(s, 2, PURGE_AT_ONCE);
	while ((code = sqlite3_step(s)) == SQLITE_ROW)
		batch->id[batch->n++] = (message_id)sqlite3_column_int64(s, 0);
	sqlite3_reset(s);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int purge_failed(struct store_db *db, struct job *job)
{
	struct batch batch = { .n = 0 };
	int code = find_failed(db, job->purge.failed_ms, &batch);

	for (size_t i = 0; i < batch.n && code == SQLITE_OK; i++) {
		code = job_free_body(db, job, batch.id[i]);
		if (code == SQLITE_OK)
			code = run_for(db, SQL_SET_BODY_GONE, batch.id[i]);
	}
	return code;
}

/* --- finished messages -------------------------------------------------- */

enum age { AGE_OLD, AGE_KEPT, AGE_YOUNG };

/* One that is received in the future tells of a clock that was wrong: ids
 * after it may belong to the past all the same, so the search goes on. */
static enum age judge(sqlite3_stmt *row, int64_t history_ms, int64_t now_ms)
{
	int64_t state = sqlite3_column_int64(row, 1);
	int64_t received_ms = sqlite3_column_int64(row, 2);
	bool is_told = sqlite3_column_int64(row, 3) != NOTICE_DUE;

	if (received_ms >= history_ms)
		return received_ms <= now_ms ? AGE_YOUNG : AGE_KEPT;
	return state == MESSAGE_QUEUED || state == MESSAGE_HELD || !is_told
		       ? AGE_KEPT
		       : AGE_OLD;
}

/* Ids sort by age: walk from the oldest until one is young, and next time go
 * on behind those that stay (queued, held, untold) once a step held nothing
 * else. */
static int find_old(struct store_db *db, int64_t history_ms, struct batch *batch)
{
	sqlite3_stmt *s = db_statement(db, SQL_GET_AGES);
	int64_t now_ms = wall_now_ms();
	size_t seen = 0;
	int code;

	sqlite3_bind_int64(s, 1, (int64_t)db->purged_to);
	sqlite3_bind_int64(s, 2, PURGE_AT_ONCE);
	while ((code = sqlite3_step(s)) == SQLITE_ROW) {
		enum age age = judge(s, history_ms, now_ms);

		if (age == AGE_YOUNG)
			break;
		db->purged_to = (message_id)sqlite3_column_int64(s, 0);
		if (age == AGE_OLD)
			batch->id[batch->n++] = db->purged_to;
		seen++;
	}
	sqlite3_reset(s);
	if (seen < PURGE_AT_ONCE)
		db->purged_to = 0;
	return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

static int forget(struct store_db *db, struct job *job, message_id id)
{
	static const enum store_sql steps[] = {
		SQL_DROP_RECIPIENTS,
		SQL_DROP_ATTEMPTS,
		SQL_DROP_DIALOGUES,
		SQL_DROP_MESSAGE,
	};
	int code = job_free_body(db, job, id);

	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps) && !code; i++)
		code = run_for(db, steps[i], id);
	return code;
}

static int purge_history(struct store_db *db, struct job *job)
{
	struct batch batch = { .n = 0 };
	int code = find_old(db, job->purge.history_ms, &batch);

	for (size_t i = 0; i < batch.n && code == SQLITE_OK; i++)
		code = forget(db, job, batch.id[i]);
	return code;
}

int purge_run(struct store_db *db, struct job *job)
{
	int code = purge_failed(db, job);

	return code == SQLITE_OK ? purge_history(db, job) : code;
}
