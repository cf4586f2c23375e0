#include "relay/queue/store_db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "proto/xalloc.h"

enum {
	/* A checkpoint costs two syncs, and the log is bounded by it. */
	CHECKPOINT_PAGES = 2000,
	/* With this much, somebody has been reading for a long time. */
	WAL_PAGES_MAX = 8 * CHECKPOINT_PAGES,
	BUSY_MS = 5000,
	READER_PATIENCE_MS = 200,
	/* Reading all of a database larger than this would delay the start. */
	CHECK_OCTETS_MAX = 32 * 1024 * 1024,
};

/*
 * secure_delete is on in Debian's SQLite and would write every dropped body
 * once more.  journal_size_limit stays above a checkpoint's worth of log, so
 * that the file is overwritten in place and a sync needs no new blocks.
 */
static const char writer_settings[] = "PRAGMA auto_vacuum = NONE;"
				      "PRAGMA journal_mode = WAL;"
				      "PRAGMA synchronous = FULL;"
				      "PRAGMA journal_size_limit = 16777216;"
				      "PRAGMA secure_delete = OFF;"
				      "PRAGMA cache_size = -2048;"
				      "PRAGMA temp_store = MEMORY;"
				      "PRAGMA foreign_keys = OFF;"
				      "PRAGMA trusted_schema = OFF;"
				      "PRAGMA cell_size_check = ON;";

static const char reader_settings[] = "PRAGMA cache_size = -512;"
				      "PRAGMA temp_store = MEMORY;"
				      "PRAGMA trusted_schema = OFF;"
				      "PRAGMA cell_size_check = ON;"
				      "PRAGMA query_only = ON;";

static const char *const sql_texts[] = {
#define X(name, sql) [SQL_##name] = sql,
	STORE_SQL_MAP(X)
#undef X
};

static _Thread_local char error_text[1024];

/* --- errors ------------------------------------------------------------- */

static const char *code_hint(int code)
{
	switch (code & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return "; the file is damaged: stop lanpost, move the file "
		       "and those beside it that begin alike elsewhere, look "
		       "at the disk, and rescue what is queued with "
		       "'sqlite3 FILE .recover'";
	case SQLITE_FULL:
		return "; make room on the disk";
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_CANTOPEN:
		return "; the folder and its files must belong to the user "
		       "that runs lanpost";
	case SQLITE_BUSY:
		return "; another program keeps it locked";
	default:
		return "";
	}
}

/* A COMMIT leaves no errno with the connection, but with the file it wrote:
 * the log. */
static int log_errno(struct store_db *db)
{
	sqlite3_file *log = NULL;
	int code = 0;

	sqlite3_file_control(db->db, NULL, SQLITE_FCNTL_JOURNAL_POINTER, &log);
	if (log && log->pMethods)
		log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO,
					    &code);
	return code;
}

/* What the system said, or 0. */
static int system_errno(struct store_db *db)
{
	switch (sqlite3_extended_errcode(db->db)) {
	case SQLITE_IOERR_WRITE:
	case SQLITE_IOERR_FSYNC:
	case SQLITE_IOERR_DIR_FSYNC:
	case SQLITE_IOERR_TRUNCATE:
		return log_errno(db);
	default:
		break;
	}
	switch (sqlite3_errcode(db->db) & 0xff) {
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		return sqlite3_system_errno(db->db);
	default:
		return 0;
	}
}

/* "database or disk is full", and the system's words where it had some. */
char *db_error(struct store_db *db, const char *cannot_be)
{
	int code = db->db ? sqlite3_extended_errcode(db->db) : SQLITE_NOMEM;
	int system = db->db ? system_errno(db) : 0;

	return xasprintf("the queue's database %s cannot be %s: %s%s%s%s",
			 db->path, cannot_be, sqlite3_errstr(code),
			 system ? ", " : "", system ? strerror(system) : "",
			 code_hint(code));
}

bool db_is_full(struct store_db *db)
{
	int system = system_errno(db);

	return (sqlite3_errcode(db->db) & 0xff) == SQLITE_FULL ||
	       system == ENOSPC || system == EDQUOT || system == EFBIG;
}

static bool fail(struct store_db *db, const char *cannot_be,
		 const char **error_r)
{
	char *sentence = db_error(db, cannot_be);

	snprintf(error_text, sizeof(error_text), "%s", sentence);
	free(sentence);
	*error_r = error_text;
	db_close(db);
	return false;
}

static bool refuse(struct store_db *db, const char *sentence,
		   const char **error_r)
{
	if (sentence != error_text)
		snprintf(error_text, sizeof(error_text), "%s", sentence);
	*error_r = error_text;
	db_close(db);
	return false;
}

/* --- opening ------------------------------------------------------------ */

static bool prepare_all(struct store_db *db)
{
	for (int i = 0; i < SQL_COUNT; i++)
		if (sqlite3_prepare_v3(db->db, sql_texts[i], -1,
				       SQLITE_PREPARE_PERSISTENT,
				       &db->statements[i], NULL) != SQLITE_OK)
			return false;
	return true;
}

static bool open_connection(struct store_db *db, const char *path, int flags)
{
	memset(db, 0, sizeof(*db));
	db->path = xstrdup(path);
	if (sqlite3_open_v2(path, &db->db, flags | SQLITE_OPEN_NOMUTEX, NULL) !=
	    SQLITE_OK)
		return false;
	sqlite3_extended_result_codes(db->db, 1);
	sqlite3_busy_timeout(db->db, BUSY_MS);
	return true;
}

void db_close(struct store_db *db)
{
	for (int i = 0; i < SQL_COUNT; i++)
		sqlite3_finalize(db->statements[i]);
	sqlite3_close(db->db);
	free(db->path);
	memset(db, 0, sizeof(*db));
}

static int count_wal_pages(void *ctx, sqlite3 *connection, const char *name,
			   int pages)
{
	struct store_db *db = ctx;

	(void)connection;
	(void)name;
	db->wal_pages = pages;
	return SQLITE_OK;
}

static bool is_in_wal_mode(struct store_db *db)
{
	sqlite3_stmt *statement;
	bool is_wal = false;

	if (sqlite3_prepare_v2(db->db, "PRAGMA journal_mode", -1, &statement,
			       NULL) != SQLITE_OK)
		return false;
	if (sqlite3_step(statement) == SQLITE_ROW)
		is_wal = sqlite3_stricmp((const char *)sqlite3_column_text(
						 statement, 0),
					 "wal") == 0;
	sqlite3_finalize(statement);
	return is_wal;
}

/* "ok", or what is wrong in a database that is small enough to read. */
static bool is_sane(struct store_db *db, const char **error_r)
{
	sqlite3_stmt *statement = NULL;
	struct stat info;
	bool sane = false;

	if (stat(db->path, &info) != 0 || info.st_size > CHECK_OCTETS_MAX)
		return true;
	if (sqlite3_prepare_v2(db->db, "PRAGMA quick_check(1)", -1, &statement,
			       NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW) {
		const char *verdict =
			(const char *)sqlite3_column_text(statement, 0);

		sane = verdict && strcmp(verdict, "ok") == 0;
		snprintf(error_text, sizeof(error_text),
			 "the queue's database %s is damaged (%s)%s", db->path,
			 verdict ? verdict : "", code_hint(SQLITE_CORRUPT));
		*error_r = error_text;
	}
	sqlite3_finalize(statement);
	return sane;
}

/* An ordinary file or nothing: SQLite would follow a link, and wait for a
 * FIFO.  Made here, so that its mode and those of its companions are ours. */
static bool make_file(const char *path, const char **error_r)
{
	struct stat info;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
	else if (errno != EEXIST)
		snprintf(error_text, sizeof(error_text),
			 "the queue's database %s cannot be made: %s", path,
			 strerror(errno));
	else if (lstat(path, &info) != 0 || !S_ISREG(info.st_mode))
		snprintf(error_text, sizeof(error_text),
			 "%s is not a regular file: move it away", path);
	else
		return true;
	*error_r = error_text;
	return fd >= 0;
}

/*
 * A log that was left behind may hold frames that no sync has brought to the
 * disk: after a sync that failed they are in the memory of the system alone,
 * and count as written.  What would be appended behind them would be lost with
 * them.  So all of it goes into the database, afresh and synced, and a new log
 * begins.
 */
static bool begin_new_log(struct store_db *db)
{
	return sqlite3_wal_checkpoint_v2(db->db, NULL,
					 SQLITE_CHECKPOINT_TRUNCATE, NULL,
					 NULL) == SQLITE_OK;
}

bool db_open_writer(struct store_db *db, const char *path, const char **error_r)
{
	const char *refusal = NULL;

	memset(db, 0, sizeof(*db));
	if (!make_file(path, error_r))
		return false;
	if (!open_connection(db, path, SQLITE_OPEN_READWRITE))
		return fail(db, "opened", error_r);
	/* Before anything is changed: it may be a newer one, or not ours. */
	if (schema_check_writable(db->db, path, &refusal) != SQLITE_OK)
		return fail(db, "read", error_r);
	if (refusal)
		return refuse(db, refusal, error_r);
	if (sqlite3_exec(db->db, writer_settings, NULL, NULL, NULL) !=
	    SQLITE_OK)
		return fail(db, "set up", error_r);
	if (!is_in_wal_mode(db))
		return refuse(db,
			      "the file system of the spool cannot hold a "
			      "database in WAL mode (it needs shared memory): "
			      "put the spool on a local disk",
			      error_r);
	sqlite3_wal_hook(db->db, count_wal_pages, db);
	if (!begin_new_log(db))
		return fail(db, "written", error_r);
	if (!is_sane(db, &refusal))
		return refusal ? refuse(db, refusal, error_r)
			       : fail(db, "read", error_r);
	if (schema_migrate(db->db) != SQLITE_OK)
		return fail(db, "brought up to date", error_r);
	return prepare_all(db) || fail(db, "used", error_r);
}

bool db_open_reader(struct store_db *db, const char *path, const char **error_r)
{
	const char *refusal = NULL;

	memset(db, 0, sizeof(*db));
	if (access(path, F_OK) != 0) {
		snprintf(error_text, sizeof(error_text),
			 "there is no queue at %s (%s): it is made when the "
			 "server starts",
			 path, strerror(errno));
		*error_r = error_text;
		return false;
	}
	if (!open_connection(db, path, SQLITE_OPEN_READONLY) ||
	    sqlite3_exec(db->db, reader_settings, NULL, NULL, NULL) !=
		    SQLITE_OK ||
	    schema_check_readable(db->db, path, &refusal) != SQLITE_OK)
		return fail(db, "read", error_r);
	if (refusal)
		return refuse(db, refusal, error_r);
	return prepare_all(db) || fail(db, "read", error_r);
}

/* --- using -------------------------------------------------------------- */

sqlite3_stmt *db_statement(struct store_db *db, enum store_sql sql)
{
	return db->statements[sql];
}

int db_run(sqlite3_stmt *statement)
{
	int code = sqlite3_step(statement);

	sqlite3_reset(statement);
	return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

int db_number(sqlite3_stmt *statement, int64_t *value_r)
{
	int code = sqlite3_step(statement);

	if (code == SQLITE_ROW) {
		*value_r = sqlite3_column_int64(statement, 0);
		code = SQLITE_OK;
	}
	sqlite3_reset(statement);
	return code;
}

void db_bind_text(sqlite3_stmt *statement, int column, const char *text)
{
	sqlite3_bind_text(statement, column, text, -1, SQLITE_STATIC);
}

void ids_add(struct ids *ids, message_id id)
{
	if ((ids->n & (ids->n - 1)) == 0)
		ids->id = xrealloc(ids->id,
				   (ids->n ? 2 * ids->n : 1) * sizeof(id));
	ids->id[ids->n++] = id;
}

int db_read_ids(sqlite3_stmt *statement, struct ids *ids)
{
	int code;

	while ((code = sqlite3_step(statement)) == SQLITE_ROW)
		ids_add(ids, (message_id)sqlite3_column_int64(statement, 0));
	sqlite3_reset(statement);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* What fails here fails again in a commit, if it matters: the log keeps
 * everything until a checkpoint has been synced. */
static void checkpoint(struct store_db *db, int mode, int busy_ms)
{
	sqlite3_busy_timeout(db->db, busy_ms);
	sqlite3_wal_checkpoint_v2(db->db, NULL, mode, NULL, NULL);
	sqlite3_busy_timeout(db->db, BUSY_MS);
}

void db_checkpoint(struct store_db *db)
{
	if (db->wal_pages < db->checkpointed_pages)
		db->checkpointed_pages = 0; /* the log began anew */
	if (db->wal_pages - db->checkpointed_pages < CHECKPOINT_PAGES)
		return;
	db->checkpointed_pages = db->wal_pages;
	if (db->wal_pages < WAL_PAGES_MAX)
		checkpoint(db, SQLITE_CHECKPOINT_PASSIVE, 0);
	else
		checkpoint(db, SQLITE_CHECKPOINT_RESTART, READER_PATIENCE_MS);
}
