#include "relay/queue/store_job.h"

#include <string.h>

/* What recovery and the disposition say of a message whose body is lost. */
static const char damaged_reason[] = "body-damaged";

/* --- what is done ------------------------------------------------------- */

static int run_at(struct store_db *db, enum store_sql sql, message_id id,
		  int64_t ms)
{
	sqlite3_stmt *s = db_statement(db, sql);

	sqlite3_bind_int64(s, 1, (int64_t)id);
	sqlite3_bind_int64(s, 2, ms);
	return db_run(s);
}

static int make_due(struct store_db *db, struct job *job)
{
	return run_at(db, SQL_SET_DUE, job->change.id, job->change.now_ms);
}

static int hold(struct store_db *db, struct job *job)
{
	sqlite3_stmt *s = db_statement(db, SQL_SET_HELD);

	sqlite3_bind_int64(s, 1, (int64_t)job->change.id);
	return db_run(s);
}

static int release(struct store_db *db, struct job *job)
{
	sqlite3_stmt *s = db_statement(db, SQL_SET_QUEUED);

	sqlite3_bind_int64(s, 3, job->change.expires_ms);
	return run_at(db, SQL_SET_QUEUED, job->change.id, job->change.now_ms);
}

static int revive(struct store_db *db, struct job *job)
{
	sqlite3_stmt *s = db_statement(db, SQL_REVIVE_RECIPIENTS);
	int code;

	sqlite3_bind_int64(s, 1, (int64_t)job->change.id);
	code = db_run(s);
	if (code == SQLITE_OK && sqlite3_changes(db->db) == 0) {
		job->change.answer = QUEUE_UNFIT;
		job->change.words = "it has failed for no recipient";
		return SQLITE_OK;
	}
	return code == SQLITE_OK ? release(db, job) : code;
}

static int delete(struct store_db *db, struct job *job)
{
	message_id id = job->change.id;
	int64_t now_ms = job->change.now_ms;
	int code = job_free_body(db, job, id);

	if (code == SQLITE_OK)
		code = run_at(db, SQL_SET_DELETED, id, now_ms);
	if (code == SQLITE_OK)
		code = run_at(db, SQL_DELETE_RECIPIENTS, id, now_ms);
	return code;
}

/* --- what may be done --------------------------------------------------- */

enum { STATES = MESSAGE_REFUSED + 1, CHANGES = QUEUE_DELETE + 1 };

static const struct rule {
	enum queue_answer answer;
	int (*run)(struct store_db *db, struct job *job); /* NULL: nothing */
	const char *words;
	bool needs_body;
} rules[CHANGES][STATES] = {
	[QUEUE_RETRY] = {
		[MESSAGE_QUEUED] = { QUEUE_CHANGED, make_due,
			"it is tried as soon as its account can send" },
		[MESSAGE_DELIVERED] = { QUEUE_UNFIT, NULL,
			"it has been delivered" },
		[MESSAGE_FAILED] = { QUEUE_UNFIT, NULL,
			"it has failed for good: release it to have it sent "
			"again" },
		[MESSAGE_HELD] = { QUEUE_UNFIT, NULL,
			"it is held: release it to have it sent" },
		[MESSAGE_DELETED] = { QUEUE_UNFIT, NULL,
			"it was deleted" },
		[MESSAGE_REFUSED] = { QUEUE_UNFIT, NULL,
			"its device was told that it is refused: release it to "
			"have it sent all the same" },
	},
	[QUEUE_HOLD] = {
		[MESSAGE_QUEUED] = { QUEUE_CHANGED, hold,
			"it is held until it is released" },
		[MESSAGE_DELIVERED] = { QUEUE_UNFIT, NULL,
			"it has been delivered" },
		[MESSAGE_FAILED] = { QUEUE_UNFIT, NULL,
			"it has failed for good: nothing waits that could be "
			"held" },
		[MESSAGE_HELD] = { QUEUE_CHANGED, NULL,
			"it was held already" },
		[MESSAGE_DELETED] = { QUEUE_UNFIT, NULL,
			"it was deleted" },
		[MESSAGE_REFUSED] = { QUEUE_UNFIT, NULL,
			"its device was told that it is refused: nothing waits "
			"that could be held" },
	},
	[QUEUE_RELEASE] = {
		[MESSAGE_QUEUED] = { QUEUE_UNFIT, NULL,
			"it is not held: it is queued to be sent" },
		[MESSAGE_DELIVERED] = { QUEUE_UNFIT, NULL,
			"it has been delivered" },
		[MESSAGE_FAILED] = { QUEUE_CHANGED, revive,
			"it is sent again to those it had failed for", true },
		[MESSAGE_HELD] = { QUEUE_CHANGED, release,
			"it is queued again", true },
		[MESSAGE_DELETED] = { QUEUE_UNFIT, NULL,
			"it was deleted, and its text with it" },
		[MESSAGE_REFUSED] = { QUEUE_CHANGED, revive,
			"it is sent, though its device was told that it is "
			"refused", true },
	},
	[QUEUE_DELETE] = {
		[MESSAGE_QUEUED] = { QUEUE_CHANGED, delete,
			"it is deleted and will not be sent" },
		[MESSAGE_DELIVERED] = { QUEUE_UNFIT, NULL,
			"it has been delivered: nothing waits that could be "
			"deleted" },
		[MESSAGE_FAILED] = { QUEUE_CHANGED, delete,
			"it is deleted" },
		[MESSAGE_HELD] = { QUEUE_CHANGED, delete,
			"it is deleted and will not be sent" },
		[MESSAGE_DELETED] = { QUEUE_CHANGED, NULL,
			"it was deleted already" },
		[MESSAGE_REFUSED] = { QUEUE_UNFIT, NULL,
			"its device was told that it is refused: nothing waits "
			"that could be deleted" },
	},
};

static const struct rule no_such = {
	QUEUE_UNKNOWN, NULL, "there is no such message", false
};
static const struct rule no_body = {
	QUEUE_UNFIT, NULL,
	"its text is no longer kept: have its device send it again", false
};
static const struct rule damaged_body = {
	QUEUE_UNFIT, NULL,
	"its text is missing or damaged, so it cannot be sent: have its device "
	"send it again", false
};

static const struct rule *judge(sqlite3_stmt *row, enum queue_change what)
{
	int64_t state = sqlite3_column_int64(row, 0);
	const char *reason = (const char *)sqlite3_column_text(row, 2);
	const struct rule *rule;

	if (state < 0 || state >= STATES)
		state = MESSAGE_FAILED; /* as row_read() takes it */
	rule = &rules[what][state];
	if (!rule->needs_body)
		return rule;
	if (sqlite3_column_int64(row, 1) == BODY_GONE)
		return &no_body;
	return reason && strcmp(reason, damaged_reason) == 0 ? &damaged_body
							     : rule;
}

static int find_rule(struct store_db *db, const struct job *job,
		     const struct rule **rule_r)
{
	sqlite3_stmt *s = db_statement(db, SQL_GET_STATE);
	int code;

	sqlite3_bind_int64(s, 1, (int64_t)job->change.id);
	code = sqlite3_step(s);
	*rule_r = code == SQLITE_ROW ? judge(s, job->change.what) : &no_such;
	sqlite3_reset(s);
	return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

/* --- the job ------------------------------------------------------------ */

/* What the queue takes over. */
static int read_if_queued(struct store_db *db, struct job *job)
{
	int code = row_find(db, job->change.id, &job->change.envelope);

	if (job->change.envelope &&
	    job->change.envelope->state != MESSAGE_QUEUED)
		envelope_free(&job->change.envelope);
	return code;
}

int change_write(struct store_db *db, struct job *job)
{
	const struct rule *rule;
	int code = find_rule(db, job, &rule);

	if (code != SQLITE_OK)
		return code;
	job->change.answer = rule->answer;
	job->change.words = rule->words;
	if (!rule->run)
		return SQLITE_OK;
	code = rule->run(db, job);
	return code == SQLITE_OK ? read_if_queued(db, job) : code;
}

int change_hurry(struct store_db *db, const struct job *job)
{
	sqlite3_stmt *s = db_statement(db, SQL_SET_ALL_DUE);

	sqlite3_bind_int64(s, 1, job->hurry.now_ms);
	return db_run(s);
}

void change_done(struct job *job)
{
	if (job->error)
		job->change_done(job->ctx, QUEUE_DISK,
				 "the queue's database cannot be written: "
				 "nothing has changed; the log says why",
				 NULL);
	else
		job->change_done(job->ctx, job->change.answer,
				 job->change.words, job->change.envelope);
}
