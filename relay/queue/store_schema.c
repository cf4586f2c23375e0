#include "relay/queue/store_db.h"

#include <stdio.h>
#include <string.h>

/* "LPst" in the header of the file: a database of ours. */
#define APPLICATION_ID 0x4c507374

/*
 * Step n brings version n to n + 1.  Steps that have been released are never
 * changed: what comes later is one more step.
 *
 * The indices cover a part of the rows each, so that a finished message is in
 * none: what waits, what is held, bodies that a failed or refused one keeps,
 * and files.
 */
static const char *const steps[] = {
	"CREATE TABLE message ("
	" id INTEGER PRIMARY KEY,"
	" state INTEGER NOT NULL,"
	" body INTEGER NOT NULL,"
	" client TEXT, listener TEXT, helo TEXT,"
	" reverse_path TEXT NOT NULL,"
	" header_from TEXT, subject TEXT, header_id TEXT, account TEXT,"
	" received_ms INTEGER NOT NULL,"
	" expires_ms INTEGER NOT NULL,"
	" next_attempt_ms INTEGER NOT NULL,"
	" finished_ms INTEGER NOT NULL,"
	" attempts INTEGER NOT NULL,"
	" reason TEXT,"
	" size INTEGER NOT NULL,"
	" header_size INTEGER NOT NULL,"
	" checksum INTEGER NOT NULL,"
	" has_8bit INTEGER NOT NULL"
	") STRICT;"
	"CREATE TABLE recipient ("
	" message INTEGER NOT NULL,"
	" n INTEGER NOT NULL,"
	" address TEXT NOT NULL,"
	" state INTEGER NOT NULL,"
	" reply TEXT,"
	" PRIMARY KEY (message, n)"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE body ("
	" message INTEGER PRIMARY KEY,"
	" data BLOB NOT NULL"
	") STRICT;"
	"CREATE TABLE attempt ("
	" message INTEGER NOT NULL,"
	" n INTEGER NOT NULL,"
	" started_ms INTEGER NOT NULL,"
	" ended_ms INTEGER NOT NULL,"
	" account TEXT, host TEXT, stage TEXT, reply TEXT,"
	" PRIMARY KEY (message, n)"
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX message_due ON message (next_attempt_ms)"
	" WHERE state = 0;"
	"CREATE INDEX message_held ON message (received_ms)"
	" WHERE state = 3;"
	"CREATE INDEX message_kept ON message (finished_ms)"
	" WHERE state = 2 AND body <> 0;"
	"CREATE INDEX message_file ON message (size)"
	" WHERE body = 2;",

	/* 1 to 2: what chose the account, what the body needs, and senders
	 * that a provider refused */
	"ALTER TABLE message ADD COLUMN device TEXT;"
	"ALTER TABLE message ADD COLUMN rule TEXT;"
	"ALTER TABLE message ADD COLUMN content TEXT;"
	"CREATE TABLE refused_sender ("
	" account TEXT NOT NULL,"
	" sender TEXT NOT NULL,"
	" fingerprint TEXT NOT NULL,"
	" since_ms INTEGER NOT NULL,"
	" reply TEXT,"
	" PRIMARY KEY (account, sender)"
	") STRICT, WITHOUT ROWID;",

	/* 2 to 3: the whole story of a message, notices, accounts that have
	 * been paused, and what they have sent of their budgets */
	"ALTER TABLE message ADD COLUMN is_notice INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE message ADD COLUMN notice INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE message ADD COLUMN told_ms INTEGER NOT NULL DEFAULT -1;"
	"ALTER TABLE recipient ADD COLUMN reason TEXT;"
	"ALTER TABLE recipient ADD COLUMN finished_ms"
	" INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE attempt ADD COLUMN reason TEXT;"
	"ALTER TABLE attempt ADD COLUMN summary TEXT;"
	"ALTER TABLE attempt ADD COLUMN sent_as TEXT;"
	"CREATE TABLE dialogue ("
	" message INTEGER NOT NULL,"
	" n INTEGER NOT NULL,"
	" text TEXT NOT NULL,"
	" PRIMARY KEY (message, n)"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE account_state ("
	" account TEXT NOT NULL PRIMARY KEY,"
	" state INTEGER NOT NULL,"
	" reason TEXT,"
	" reply TEXT,"
	" fingerprint TEXT,"
	" failures INTEGER NOT NULL,"
	" since_ms INTEGER NOT NULL,"
	" retry_ms INTEGER NOT NULL"
	") STRICT, WITHOUT ROWID;"
	"DROP INDEX message_kept;"
	"CREATE INDEX message_kept ON message (finished_ms)"
	" WHERE state IN (2, 5) AND body <> 0;"
	"CREATE TABLE usage ("
	" id INTEGER PRIMARY KEY,"
	" account TEXT NOT NULL,"
	" at_ms INTEGER NOT NULL,"
	" messages INTEGER NOT NULL,"
	" recipients INTEGER NOT NULL,"
	" is_open INTEGER NOT NULL"
	") STRICT;"
	"CREATE INDEX message_notice_due ON message (finished_ms)"
	" WHERE notice = 1;"
	"CREATE INDEX message_is_notice ON message (received_ms)"
	" WHERE is_notice > 0;",
};

enum { NEWEST = sizeof(steps) / sizeof(*steps) };

static _Thread_local char refusal[1024];

static int get_pragma(sqlite3 *db, const char *sql, int *value_r)
{
	sqlite3_stmt *statement;
	int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

	if (code != SQLITE_OK)
		return code;
	code = sqlite3_step(statement);
	*value_r = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	return code == SQLITE_ROW ? SQLITE_OK : code;
}

static int run(sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static int set_pragma(sqlite3 *db, const char *name, int number)
{
	char sql[80];

	snprintf(sql, sizeof(sql), "PRAGMA %s = %d", name, number);
	return run(db, sql);
}

/* Each step with its version in one transaction. */
static int migrate_one(sqlite3 *db, int version)
{
	int code = run(db, "BEGIN IMMEDIATE");

	if (code == SQLITE_OK)
		code = run(db, steps[version]);
	if (code == SQLITE_OK)
		code = set_pragma(db, "application_id", APPLICATION_ID);
	if (code == SQLITE_OK)
		code = set_pragma(db, "user_version", version + 1);
	if (code == SQLITE_OK)
		code = run(db, "COMMIT");
	return code;
}

static const char *refuse_alien(const char *path)
{
	snprintf(refusal, sizeof(refusal),
		 "%s is a database of another program: give lanpost a spool "
		 "folder of its own",
		 path);
	return refusal;
}

static const char *refuse_newer(const char *path, int version)
{
	snprintf(refusal, sizeof(refusal),
		 "the queue in %s was written by a newer lanpost (schema %d; "
		 "this one knows up to %d): run that version again, or empty "
		 "the queue with it before going back",
		 path, version, NEWEST);
	return refusal;
}

static const char *refuse_older(const char *path, int version)
{
	snprintf(refusal, sizeof(refusal),
		 "the queue in %s was written by an older lanpost (schema %d; "
		 "this one reads %d): start the server once, which brings it "
		 "up to date",
		 path, version, NEWEST);
	return refusal;
}

struct versions {
	int application, schema, tables;
};

static int get_versions(sqlite3 *db, struct versions *versions)
{
	int code =
		get_pragma(db, "PRAGMA application_id", &versions->application);

	if (code == SQLITE_OK)
		code = get_pragma(db, "PRAGMA user_version", &versions->schema);
	if (code == SQLITE_OK)
		code = get_pragma(db, "SELECT count(*) FROM sqlite_schema",
				  &versions->tables);
	return code;
}

static bool is_alien(const struct versions *versions)
{
	return versions->tables > 0 ? versions->application != APPLICATION_ID
				    : versions->schema != 0;
}

static int check(sqlite3 *db, const char *path, bool may_be_older,
		 const char **refusal_r)
{
	struct versions versions;
	int code = get_versions(db, &versions);

	*refusal_r = NULL;
	if (code != SQLITE_OK)
		return code;
	if (is_alien(&versions))
		*refusal_r = refuse_alien(path);
	else if (versions.schema > NEWEST)
		*refusal_r = refuse_newer(path, versions.schema);
	else if (versions.schema < NEWEST && !may_be_older)
		*refusal_r = refuse_older(path, versions.schema);
	return code;
}

int schema_check_writable(sqlite3 *db, const char *path, const char **refusal_r)
{
	return check(db, path, true, refusal_r);
}

int schema_check_readable(sqlite3 *db, const char *path, const char **refusal_r)
{
	return check(db, path, false, refusal_r);
}

int schema_migrate(sqlite3 *db)
{
	struct versions versions;
	int code = get_versions(db, &versions);

	for (int v = versions.schema; code == SQLITE_OK && v < NEWEST; v++)
		code = migrate_one(db, v);
	return code;
}

/* Writes the page that the version is on, whatever it says already. */
int schema_touch(sqlite3 *db)
{
	int code = run(db, "BEGIN IMMEDIATE");

	if (code == SQLITE_OK)
		code = set_pragma(db, "user_version", NEWEST);
	return code == SQLITE_OK ? run(db, "COMMIT") : code;
}
