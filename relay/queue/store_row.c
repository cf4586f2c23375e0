#include "relay/queue/store_db.h"

#include "proto/xalloc.h"

/* The columns in the order of MESSAGE_COLUMNS. */
enum {
	COLUMN_ID,
	COLUMN_STATE,
	COLUMN_BODY,
	COLUMN_CLIENT,
	COLUMN_LISTENER,
	COLUMN_HELO,
	COLUMN_REVERSE_PATH,
	COLUMN_HEADER_FROM,
	COLUMN_SUBJECT,
	COLUMN_HEADER_ID,
	COLUMN_ACCOUNT,
	COLUMN_RECEIVED_MS,
	COLUMN_EXPIRES_MS,
	COLUMN_NEXT_ATTEMPT_MS,
	COLUMN_FINISHED_MS,
	COLUMN_ATTEMPTS,
	COLUMN_REASON,
	COLUMN_SIZE,
	COLUMN_HEADER_SIZE,
	COLUMN_CHECKSUM,
	COLUMN_HAS_8BIT,
	COLUMN_DEVICE,
	COLUMN_RULE,
	COLUMN_CONTENT,
	COLUMN_IS_NOTICE,
	COLUMN_NOTICE,
};

static void bind_number(sqlite3_stmt *statement, int column, int64_t number)
{
	sqlite3_bind_int64(statement, column + 1, number);
}

static void bind_text(sqlite3_stmt *statement, int column, const char *text)
{
	db_bind_text(statement, column + 1, text);
}

void row_bind(sqlite3_stmt *s, const struct envelope *e, enum stored_body body)
{
	bind_number(s, COLUMN_ID, (int64_t)e->id);
	bind_number(s, COLUMN_STATE, e->state);
	bind_number(s, COLUMN_BODY, body);
	bind_text(s, COLUMN_CLIENT, e->client);
	bind_text(s, COLUMN_LISTENER, e->listener);
	bind_text(s, COLUMN_HELO, e->helo);
	bind_text(s, COLUMN_REVERSE_PATH,
		  e->reverse_path ? e->reverse_path : "");
	bind_text(s, COLUMN_HEADER_FROM, e->header_from);
	bind_text(s, COLUMN_SUBJECT, e->subject);
	bind_text(s, COLUMN_HEADER_ID, e->header_id);
	bind_text(s, COLUMN_ACCOUNT, e->account);
	bind_number(s, COLUMN_RECEIVED_MS, e->received_ms);
	bind_number(s, COLUMN_EXPIRES_MS, e->expires_ms);
	bind_number(s, COLUMN_NEXT_ATTEMPT_MS, e->next_attempt_ms);
	bind_number(s, COLUMN_FINISHED_MS, e->finished_ms);
	bind_number(s, COLUMN_ATTEMPTS, e->attempts);
	bind_text(s, COLUMN_REASON, e->reason);
	bind_number(s, COLUMN_SIZE, (int64_t)e->size);
	bind_number(s, COLUMN_HEADER_SIZE, e->header_size);
	bind_number(s, COLUMN_CHECKSUM, e->checksum);
	bind_number(s, COLUMN_HAS_8BIT, e->has_8bit);
	bind_text(s, COLUMN_DEVICE, e->device);
	bind_text(s, COLUMN_RULE, e->rule);
	bind_text(s, COLUMN_CONTENT, e->content);
	bind_number(s, COLUMN_IS_NOTICE, e->is_notice + e->is_digest);
	bind_number(s, COLUMN_NOTICE, e->notice);
}

static char *read_text(sqlite3_stmt *statement, int column)
{
	return xstrdup((const char *)sqlite3_column_text(statement, column));
}

/* A number from the disk is believed only as far as the enum goes. */
static enum message_state read_state(sqlite3_stmt *statement)
{
	int64_t state = sqlite3_column_int64(statement, COLUMN_STATE);

	return state >= MESSAGE_QUEUED && state <= MESSAGE_REFUSED
		       ? (enum message_state)state
		       : MESSAGE_FAILED;
}

static enum notice_state read_notice(sqlite3_stmt *statement)
{
	int64_t notice = sqlite3_column_int64(statement, COLUMN_NOTICE);

	return notice == NOTICE_DUE || notice == NOTICE_MADE
		       ? (enum notice_state)notice
		       : NOTICE_NONE;
}

struct envelope *row_read(sqlite3_stmt *s)
{
	struct envelope *e = envelope_new();

	e->id = (message_id)sqlite3_column_int64(s, COLUMN_ID);
	e->state = read_state(s);
	e->body_in_file = sqlite3_column_int(s, COLUMN_BODY) == BODY_IN_FILE;
	e->client = read_text(s, COLUMN_CLIENT);
	e->listener = read_text(s, COLUMN_LISTENER);
	e->helo = read_text(s, COLUMN_HELO);
	e->reverse_path = read_text(s, COLUMN_REVERSE_PATH);
	e->header_from = read_text(s, COLUMN_HEADER_FROM);
	e->subject = read_text(s, COLUMN_SUBJECT);
	e->header_id = read_text(s, COLUMN_HEADER_ID);
	e->account = read_text(s, COLUMN_ACCOUNT);
	e->received_ms = sqlite3_column_int64(s, COLUMN_RECEIVED_MS);
	e->expires_ms = sqlite3_column_int64(s, COLUMN_EXPIRES_MS);
	e->next_attempt_ms = sqlite3_column_int64(s, COLUMN_NEXT_ATTEMPT_MS);
	e->finished_ms = sqlite3_column_int64(s, COLUMN_FINISHED_MS);
	e->attempts = (unsigned)sqlite3_column_int64(s, COLUMN_ATTEMPTS);
	e->reason = read_text(s, COLUMN_REASON);
	e->size = (uint64_t)sqlite3_column_int64(s, COLUMN_SIZE);
	e->header_size = (uint32_t)sqlite3_column_int64(s, COLUMN_HEADER_SIZE);
	e->checksum = (uint32_t)sqlite3_column_int64(s, COLUMN_CHECKSUM);
	e->has_8bit = sqlite3_column_int(s, COLUMN_HAS_8BIT) != 0;
	e->device = read_text(s, COLUMN_DEVICE);
	e->rule = read_text(s, COLUMN_RULE);
	e->content = read_text(s, COLUMN_CONTENT);
	e->is_notice = sqlite3_column_int(s, COLUMN_IS_NOTICE) != 0;
	e->is_digest = sqlite3_column_int(s, COLUMN_IS_NOTICE) == 2;
	e->notice = read_notice(s);
	return e;
}

static enum recipient_state read_recipient_state(sqlite3_stmt *statement)
{
	int64_t state = sqlite3_column_int64(statement, 1);

	return state >= RECIPIENT_QUEUED && state <= RECIPIENT_FAILED
		       ? (enum recipient_state)state
		       : RECIPIENT_FAILED;
}

static void read_recipient(sqlite3_stmt *s, struct envelope *envelope)
{
	const char *address = (const char *)sqlite3_column_text(s, 0);
	struct recipient *recipient =
		envelope_add_recipient(envelope, text_of(address));

	recipient->state = read_recipient_state(s);
	recipient->reply = read_text(s, 2);
	recipient->reason = read_text(s, 3);
	recipient->finished_ms = sqlite3_column_int64(s, 4);
}

int row_read_recipients(struct store_db *db, struct envelope *envelope)
{
	sqlite3_stmt *s = db_statement(db, SQL_GET_RECIPIENTS);
	int code;

	sqlite3_bind_int64(s, 1, (int64_t)envelope->id);
	while ((code = sqlite3_step(s)) == SQLITE_ROW)
		read_recipient(s, envelope);
	sqlite3_reset(s);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

int row_find(struct store_db *db, message_id id, struct envelope **envelope_r)
{
	sqlite3_stmt *s = db_statement(db, SQL_GET_MESSAGE);
	int code;

	*envelope_r = NULL;
	sqlite3_bind_int64(s, 1, (int64_t)id);
	code = sqlite3_step(s);
	if (code == SQLITE_ROW)
		*envelope_r = row_read(s);
	sqlite3_reset(s);
	if (*envelope_r)
		return row_read_recipients(db, *envelope_r);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}
