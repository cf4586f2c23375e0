/*
 * store_db -- one connection to lanpost.db and its prepared statements; for
 * the store's own files.
 *
 * The storage thread holds the one that writes; a command without a server
 * holds one that reads.  A connection belongs to one thread at a time.
 *
 *   message    what an envelope holds, a row each; ids sort by age.  is_notice
 *              is 2 for a digest; of recipients that failed until told_ms a
 *              notice has told
 *   recipient  (message, n): what became of each
 *   body       data of messages whose body is BODY_IN_DATABASE
 *   attempt    (message, n): the history of deliveries
 *   dialogue   (message, n): what was said in an attempt that failed
 *   account_state  an account that rests or is paused, so that a restart does
 *              not try it any sooner
 *   refused_sender  (account, sender): what a provider takes from nobody but
 *              its owner, for as long as the account is configured like that
 *   usage      what an account has sent of its budget in the last day, or, while
 *              is_open, may be sending
 *
 * Numbers of enum message_state, recipient_state and notice_state are on disk:
 * their order is fixed.
 */
#ifndef RELAY_QUEUE_STORE_DB_H
#define RELAY_QUEUE_STORE_DB_H

#include <sqlite3.h>
#include "relay/queue/envelope.h"

/* Column message.body, on disk as well. */
enum stored_body { BODY_GONE, BODY_IN_DATABASE, BODY_IN_FILE };

#define MESSAGE_COLUMNS                                                   \
	"id, state, body, client, listener, helo, reverse_path, "         \
	"header_from, subject, header_id, account, received_ms, "         \
	"expires_ms, next_attempt_ms, finished_ms, attempts, reason, "    \
	"size, header_size, checksum, has_8bit, device, rule, content, "   \
	"is_notice, notice"

#define HISTORY_LIKE(column, n)                                           \
	column " LIKE " n " ESCAPE '\\'"
#define HISTORY_FILTER                                                    \
	"received_ms >= ?2 AND (?3 < 0 OR state = ?3)"                    \
	" AND (?4 IS NULL OR " HISTORY_LIKE("reverse_path", "?4")         \
	" OR " HISTORY_LIKE("header_from", "?4") ")"                      \
	" AND (?5 IS NULL OR " HISTORY_LIKE("client", "?5")               \
	" OR " HISTORY_LIKE("device", "?5") ")"                           \
	" AND (?6 IS NULL OR EXISTS (SELECT 1 FROM recipient"             \
	" WHERE message = id AND " HISTORY_LIKE("address", "?6") "))"

#define STORE_SQL_MAP(X)                                                  \
	X(BEGIN, "BEGIN IMMEDIATE")                                       \
	X(COMMIT, "COMMIT")                                               \
	X(ROLLBACK, "ROLLBACK")                                           \
	/* several messages of one accept */                              \
	X(ACCEPT, "SAVEPOINT accept")                                     \
	X(ACCEPT_UNDO, "ROLLBACK TO accept")                              \
	X(ACCEPT_END, "RELEASE accept")                                   \
	/* accept */                                                      \
	X(ADD_MESSAGE, "INSERT INTO message (" MESSAGE_COLUMNS ") VALUES" \
	  " (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")           \
	X(ADD_RECIPIENT, "INSERT INTO recipient"                         \
	  " (message, n, address, state, reply) VALUES (?,?,?,?,?)")      \
	X(ADD_BODY, "INSERT INTO body VALUES (?,?)")                      \
	/* outcome */                                                     \
	X(SET_MESSAGE, "UPDATE message SET state = ?2,"                   \
	  " next_attempt_ms = ?3, finished_ms = ?4, attempts = ?5,"       \
	  " reason = ?6, body = CASE WHEN ?7 THEN 0 ELSE body END,"       \
	  " notice = CASE WHEN ?8 = 1 THEN 1 ELSE notice END"             \
	  " WHERE id = ?1")                                               \
	X(SET_RECIPIENT, "UPDATE recipient SET state = ?3, reply = ?4,"   \
	  " reason = ?5, finished_ms = ?6 WHERE message = ?1 AND n = ?2") \
	X(ADD_ATTEMPT, "INSERT INTO attempt (message, n, started_ms,"     \
	  " ended_ms, account, host, stage, reply, reason, summary,"      \
	  " sent_as)"                                                     \
	  " VALUES (?1, (SELECT ifnull(max(n), 0) + 1 FROM attempt"       \
	  " WHERE message = ?1), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")   \
	X(ADD_DIALOGUE, "INSERT INTO dialogue VALUES (?1,"                \
	  " (SELECT max(n) FROM attempt WHERE message = ?1), ?2)")        \
	X(GET_BODY_PLACE, "SELECT body, size FROM message WHERE id = ?")  \
	X(DROP_BODY, "DELETE FROM body WHERE message = ?")                \
	/* what an operator changes */                                    \
	X(GET_STATE, "SELECT state, body, reason FROM message"            \
	  " WHERE id = ?")                                                \
	X(SET_DUE, "UPDATE message SET next_attempt_ms = ?2 WHERE id = ?1") \
	X(SET_HELD, "UPDATE message SET state = 3 WHERE id = ?")          \
	X(SET_QUEUED, "UPDATE message SET state = 0, finished_ms = 0,"    \
	  " next_attempt_ms = ?2, expires_ms = max(expires_ms, ?3),"      \
	  " notice = 0 WHERE id = ?1")                                    \
	X(REVIVE_RECIPIENTS, "UPDATE recipient SET state = 0,"            \
	  " finished_ms = 0 WHERE message = ?1 AND state = 2")            \
	X(SET_DELETED, "UPDATE message SET state = 4, body = 0,"          \
	  " finished_ms = ?2, reason = 'deleted',"                        \
	  " notice = iif(notice = 1, 0, notice) WHERE id = ?1")           \
	X(DELETE_RECIPIENTS, "UPDATE recipient SET state = 2,"            \
	  " finished_ms = ?2, reason = 'deleted'"                         \
	  " WHERE message = ?1 AND state = 0")                            \
	X(SET_ALL_DUE, "UPDATE message SET next_attempt_ms = ?1"          \
	  " WHERE state = 0 AND next_attempt_ms > ?1")                    \
	/* load */                                                        \
	X(GET_DUE, "SELECT " MESSAGE_COLUMNS " FROM message"              \
	  " WHERE state = 0 ORDER BY next_attempt_ms, id LIMIT ?")        \
	X(GET_MESSAGE, "SELECT " MESSAGE_COLUMNS " FROM message"          \
	  " WHERE id = ?")                                                \
	X(GET_RECIPIENTS, "SELECT address, state, reply, reason,"         \
	  " finished_ms FROM recipient WHERE message = ? ORDER BY n")     \
	X(GET_BODY, "SELECT data, size, checksum FROM message"            \
	  " JOIN body ON message = id WHERE id = ?")                      \
	/* left to itself it would walk through all for the order */      \
	X(GET_QUEUE_IDS,                                                  \
	  "SELECT id FROM message INDEXED BY message_due"                 \
	  " WHERE state = 0 UNION ALL "                                   \
	  "SELECT id FROM message INDEXED BY message_held"                \
	  " WHERE state = 3 ORDER BY 1")                                  \
	/* notices; made by a clock that was ahead, they count no longer */ \
	X(GET_NOTICES_MADE, "SELECT is_notice, received_ms FROM message"  \
	  " WHERE is_notice > 0 AND received_ms > ?1"                     \
	  " AND received_ms < ?1 + 7200000 ORDER BY received_ms"          \
	  " LIMIT ?2")                                                     \
	X(COUNT_NOTICES_DUE, "SELECT count(*) FROM (SELECT 1 FROM message" \
	  " WHERE notice = 1 LIMIT ?)")                                   \
	X(GET_NOTICES_SINCE, "SELECT ifnull(min(finished_ms), 0)"         \
	  " FROM message WHERE notice = 1 AND finished_ms > 0")           \
	X(GET_NOTICES_DUE, "SELECT " MESSAGE_COLUMNS ", told_ms"          \
	  " FROM message WHERE notice = 1 AND finished_ms <= ?1"          \
	  " AND (?2 IS NULL OR reverse_path = ?2)"                        \
	  " ORDER BY finished_ms, id LIMIT ?3")                           \
	X(GET_NOTICE_REASONS, "SELECT reason, count(*) AS n FROM message" \
	  " WHERE notice = 1 AND finished_ms <= ?1"                       \
	  " AND (?2 IS NULL OR reverse_path = ?2)"                        \
	  " GROUP BY reason ORDER BY n DESC, reason")                     \
	X(GET_LAST_ATTEMPT, "SELECT ended_ms, account, host, reason"      \
	  " FROM attempt WHERE message = ? ORDER BY n DESC LIMIT 1")      \
	X(SET_TOLD, "UPDATE message SET told_ms = ?2, notice = CASE WHEN" \
	  " EXISTS (SELECT 1 FROM recipient WHERE message = ?1 AND"       \
	  " state = 2 AND finished_ms > ?2) THEN 1 ELSE 2 END"            \
	  " WHERE id = ?1 AND notice = 1")                                \
	X(SET_TOLD_UNTIL, "UPDATE message SET notice = 2, told_ms = ?1"   \
	  " WHERE notice = 1 AND finished_ms <= ?1"                       \
	  " AND (?2 IS NULL OR reverse_path = ?2)")                       \
	X(GET_QUEUE_TOTALS, "SELECT count(*), total(next_attempt_ms <= ?),"  \
	  " min(id) FROM message INDEXED BY message_due WHERE state = 0") \
	/* history: what struct history_filter says, in the columns */     \
	X(GET_HISTORY_IDS, "SELECT id FROM message"                       \
	  " WHERE id >= ?1 AND " HISTORY_FILTER                           \
	  " ORDER BY id DESC LIMIT ?7")                                   \
	X(GET_UNFINISHED_IDS,                                             \
	  "SELECT id FROM message INDEXED BY message_due"                 \
	  " WHERE state = 0 AND " HISTORY_FILTER " UNION ALL "            \
	  "SELECT id FROM message INDEXED BY message_held"                \
	  " WHERE state = 3 AND " HISTORY_FILTER                          \
	  " ORDER BY 1 DESC LIMIT ?7")                                    \
	X(GET_ATTEMPTS, "SELECT n, started_ms, ended_ms, account, host,"  \
	  " stage, reply, reason, summary, text, sent_as FROM attempt"    \
	  " LEFT JOIN dialogue AS d USING (message, n)"                   \
	  " WHERE message = ? ORDER BY n")                                \
	/* refused senders */                                             \
	X(ADD_REFUSED, "INSERT OR REPLACE INTO refused_sender"            \
	  " (account, sender, fingerprint, since_ms, reply)"              \
	  " VALUES (?,?,?,?,?)")                                          \
	X(TRIM_REFUSED, "DELETE FROM refused_sender WHERE since_ms <="    \
	  " (SELECT since_ms FROM refused_sender"                         \
	  " ORDER BY since_ms DESC LIMIT 1 OFFSET ?)")                    \
	X(DROP_REFUSED, "DELETE FROM refused_sender"                      \
	  " WHERE account = ? AND sender = ?")                            \
	X(GET_REFUSED, "SELECT account, sender, fingerprint, since_ms,"   \
	  " reply FROM refused_sender ORDER BY since_ms DESC LIMIT ?")    \
	/* accounts that cannot work */                                   \
	X(SET_ACCOUNT, "INSERT OR REPLACE INTO account_state (account,"   \
	  " state, reason, reply, fingerprint, failures, since_ms,"       \
	  " retry_ms) VALUES (?,?,?,?,?,?,?,?)")                          \
	X(DROP_ACCOUNT, "DELETE FROM account_state WHERE account = ?")    \
	X(GET_ACCOUNTS, "SELECT account, state, reason, reply,"           \
	  " fingerprint, failures, since_ms, retry_ms"                    \
	  " FROM account_state ORDER BY account")                         \
	/* usage */                                                       \
	X(PUT_USAGE, "INSERT OR REPLACE INTO usage (id, account, at_ms,"  \
	  " messages, recipients, is_open) VALUES (?,?,?,?,?,?)")         \
	X(DROP_USAGE, "DELETE FROM usage WHERE id = ?")                   \
	X(PURGE_USAGE, "DELETE FROM usage WHERE at_ms < ?")               \
	X(SHIFT_USAGE, "UPDATE usage SET at_ms = at_ms + ?")              \
	X(SETTLE_USAGE, "UPDATE usage SET at_ms = ?1, is_open = 0"        \
	  " WHERE is_open OR at_ms > ?1")                                 \
	X(GET_USAGE, "SELECT id, account, CASE WHEN is_open OR at_ms > ?1"\
	  " THEN ?1 ELSE at_ms END, messages, recipients FROM usage"      \
	  " WHERE at_ms >= ?1 - 86400000 ORDER BY id")                    \
	/* purge */                                                       \
	X(GET_OLD_FAILED, "SELECT id FROM message"                        \
	  " WHERE state IN (2, 5) AND body <> 0 AND finished_ms < ?"      \
	  " LIMIT ?")                                                     \
	X(SET_BODY_GONE, "UPDATE message SET body = 0 WHERE id = ?")      \
	X(GET_AGES, "SELECT id, state, received_ms, notice FROM message"  \
	  " WHERE id > ? ORDER BY id LIMIT ?")                            \
	X(DROP_RECIPIENTS, "DELETE FROM recipient WHERE message = ?")     \
	X(DROP_ATTEMPTS, "DELETE FROM attempt WHERE message = ?")         \
	X(DROP_DIALOGUES, "DELETE FROM dialogue WHERE message = ?")       \
	X(DROP_MESSAGE, "DELETE FROM message WHERE id = ?")               \
	/* recovery */                                                    \
	X(GET_NEWEST, "SELECT max(id) FROM message")                      \
	/* by the clock of its time; ids never go back */                 \
	X(GET_NEWEST_MS, "SELECT ifnull((SELECT received_ms FROM message" \
	  " ORDER BY id DESC LIMIT 1), 0)")                               \
	X(GET_FILES, "SELECT id, size FROM message"                       \
	  " WHERE body = 2 AND state IN (0, 3)")                          \
	X(GET_BROKEN, "SELECT id FROM message AS m"                       \
	  " WHERE state = ? AND body <> 2 AND (body = 0 OR size IS NOT"   \
	  " (SELECT length(data) FROM body WHERE message = m.id))")       \
	X(FAIL_MESSAGE, "UPDATE message SET state = 2,"                   \
	  " finished_ms = ?2, reason = ?3, notice = is_notice = 0"        \
	  " WHERE id = ?1")                                               \
	X(FAIL_RECIPIENTS, "UPDATE recipient SET state = 2, reply = ?2,"  \
	  " finished_ms = ?3 WHERE message = ?1 AND state = 0")           \
	X(SHIFT_WAITS, "UPDATE message SET"                               \
	  " expires_ms = max(expires_ms + ?1, 1), next_attempt_ms ="      \
	  " CASE WHEN next_attempt_ms = 0 THEN 0"                         \
	  " ELSE max(next_attempt_ms + ?1, 1) END"                        \
	  " WHERE state IN (0, 3) AND (expires_ms > received_ms OR ?2)")  \
	X(REPRIEVE, "UPDATE message SET expires_ms = ?2"                  \
	  " WHERE state = 0 AND expires_ms <= ?1")                        \
	X(GET_QUEUED_SUM, "SELECT count(*), total(size) FROM message"     \
	  " WHERE state = 0")                                             \
	X(GET_HELD_SUM, "SELECT count(*), total(size) FROM message"       \
	  " WHERE state = 3")                                             \
	X(GET_FAILED_SUM, "SELECT count(*), total(size) FROM message"     \
	  " WHERE state IN (2, 5) AND body <> 0")

enum store_sql {
#define X(name, sql) SQL_##name,
	STORE_SQL_MAP(X)
#undef X
	SQL_COUNT
};

struct store_db {
	sqlite3 *db;
	char *path;
	sqlite3_stmt *statements[SQL_COUNT];
	int wal_pages;          /* in the log after the last commit */
	int checkpointed_pages; /* of these, when it was looked at last */
	message_id purged_to;   /* where the next purge looks on */
};

/* Opened, brought to the newest schema and checked; or false with a sentence
 * in *error_r, a buffer of the calling thread. */
bool db_open_writer(struct store_db *db, const char *path,
                    const char **error_r);
bool db_open_reader(struct store_db *db, const char *path,
                    const char **error_r);
void db_close(struct store_db *db);

/* The statement, reset and without bindings; bind, step, reset. */
sqlite3_stmt *db_statement(struct store_db *db, enum store_sql sql);
/* Run it to the end: SQLITE_OK, or what went wrong. */
int db_run(sqlite3_stmt *statement);
/* Run it for one number. */
int db_number(sqlite3_stmt *statement, int64_t *value_r);
void db_bind_text(sqlite3_stmt *statement, int column, const char *text);

struct ids {
	message_id *id; /* for the owner to free */
	size_t n;
};
void ids_add(struct ids *ids, message_id id);
/* Run it for all of its ids. */
int db_read_ids(sqlite3_stmt *statement, struct ids *ids);

/* A sentence about the last error, a new C string, with "read" or "written";
 * and whether the disk is full. */
char *db_error(struct store_db *db, const char *cannot_be);
bool db_is_full(struct store_db *db);

/* Move what the write-ahead log holds into the database, when it is time. */
void db_checkpoint(struct store_db *db);

/* ---- store_schema.c ---- */

/* SQLITE_OK with *refusal_r NULL: ours, and not newer than we know (and, for
 * reading, not older either).  A refusal is a sentence in a buffer of the
 * thread.  Nothing is changed. */
int schema_check_writable(sqlite3 *db, const char *path,
                          const char **refusal_r);
int schema_check_readable(sqlite3 *db, const char *path,
                          const char **refusal_r);
/* After schema_check_writable(): bring it to the newest. */
int schema_migrate(sqlite3 *db);
/* A commit that changes nothing and reaches the disk all the same. */
int schema_touch(sqlite3 *db);

/* ---- store_reader.c ---- */

/*
 * Each step reads to its end before the caller is asked, so that a reader that
 * waits at its terminal holds up no checkpoint of the server.
 */
struct store_reader {
	struct store_db db;
};

/* Returns false, with what the database said. */
bool reader_fail(struct store_reader *reader, const char **error_r);

/* ---- store_row.c ---- */

void row_bind(sqlite3_stmt *statement, const struct envelope *envelope,
              enum stored_body body);
struct envelope *row_read(sqlite3_stmt *statement);
int row_read_recipients(struct store_db *db, struct envelope *envelope);
/* Both; SQLITE_OK with NULL when there is no such message. */
int row_find(struct store_db *db, message_id id, struct envelope **envelope_r);

#endif
