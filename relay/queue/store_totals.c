#include "relay/queue/store_db.h"

#include "relay/queue/store.h"

/* What waits and what is due come from an index alone; octets do not. */
static int read_queued(struct store_db *db, int64_t now_ms,
		       struct queue_totals *totals)
{
	sqlite3_stmt *s = db_statement(db, SQL_GET_QUEUE_TOTALS);
	int code;

	sqlite3_bind_int64(s, 1, now_ms);
	code = sqlite3_step(s);
	if (code == SQLITE_ROW) {
		totals->queued = (uint64_t)sqlite3_column_int64(s, 0);
		totals->due = (uint64_t)sqlite3_column_int64(s, 1);
		if (totals->queued > 0)
			totals->oldest_ms = message_id_time_ms(
				(message_id)sqlite3_column_int64(s, 2));
	}
	sqlite3_reset(s);
	return code == SQLITE_ROW ? SQLITE_OK : code;
}

static int add_sum(struct store_db *db, enum store_sql sql, uint64_t *count_r,
		   uint64_t *octets)
{
	sqlite3_stmt *s = db_statement(db, sql);
	int code = sqlite3_step(s);

	if (code == SQLITE_ROW) {
		*count_r = (uint64_t)sqlite3_column_int64(s, 0);
		*octets += (uint64_t)sqlite3_column_double(s, 1);
	}
	sqlite3_reset(s);
	return code == SQLITE_ROW ? SQLITE_OK : code;
}

bool store_reader_totals(struct store_reader *reader, int64_t now_ms,
			 struct queue_totals *totals, const char **error_r)
{
	struct store_db *db = &reader->db;
	uint64_t queued;
	int code;

	*totals = (struct queue_totals){ 0 };
	code = read_queued(db, now_ms, totals);
	if (code == SQLITE_OK)
		code = add_sum(db, SQL_GET_QUEUED_SUM, &queued,
			       &totals->octets);
	if (code == SQLITE_OK)
		code = add_sum(db, SQL_GET_HELD_SUM, &totals->held,
			       &totals->octets);
	return code == SQLITE_OK || reader_fail(reader, error_r);
}
