#include "relay/queue/store_job.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "proto/xalloc.h"

/* --- jobs and lists of them --------------------------------------------- */

void job_list_init(struct job_list *list)
{
	list->first = NULL;
	list->end = &list->first;
}

void job_list_append(struct job_list *list, struct job *job)
{
	job->next = NULL;
	*list->end = job;
	list->end = &job->next;
}

struct job *job_list_take(struct job_list *list)
{
	struct job *job = list->first;

	if (!job)
		return NULL;
	list->first = job->next;
	if (!list->first)
		list->end = &list->first;
	job->next = NULL;
	return job;
}

void job_list_move(struct job_list *list, struct job_list *from)
{
	if (!from->first)
		return;
	*list->end = from->first;
	list->end = from->end;
	job_list_init(from);
}

struct job *job_new(enum job_type type, void *ctx)
{
	struct job *job = xcalloc(1, sizeof(*job));

	job->type = type;
	job->ctx = ctx;
	return job;
}

void job_free(struct job *job)
{
	if (job->type == JOB_OUTCOME)
		outcome_free(&job->outcome);
	if (job->type == JOB_REFUSE || job->type == JOB_FORGET)
		refused_sender_clear(&job->refused);
	if (job->type == JOB_ACCOUNT)
		account_record_clear(&job->account);
	if (job->type == JOB_CHANGE)
		envelope_free(&job->change.envelope);
	if (job->type == JOB_LOAD_BODY)
		free(job->body.bytes);
	if (job->type == JOB_LOAD_DUE) {
		for (size_t i = 0; i < job->load.n; i++)
			envelope_free(&job->load.envelopes[i]);
		free(job->load.envelopes);
	}
	notice_job_free(job);
	free(job->freed);
	free(job->error);
	free(job);
}

bool job_reads(const struct job *job)
{
	return job->type >= JOB_LOAD_DUE;
}

/* --- outcome ------------------------------------------------------------ */

static int set_message(struct store_db *db, const struct outcome *outcome)
{
	sqlite3_stmt *s = db_statement(db, SQL_SET_MESSAGE);

	sqlite3_bind_int64(s, 1, (int64_t)outcome->id);
	sqlite3_bind_int64(s, 2, outcome->state);
	sqlite3_bind_int64(s, 3, outcome->next_attempt_ms);
	sqlite3_bind_int64(s, 4, outcome->finished_ms);
	sqlite3_bind_int64(s, 5, outcome->attempts);
	db_bind_text(s, 6, outcome->reason);
	sqlite3_bind_int64(s, 7, outcome->drop_body);
	sqlite3_bind_int64(s, 8, outcome->notice);
	return db_run(s);
}

static int set_recipients(struct store_db *db, const struct outcome *outcome)
{
	sqlite3_stmt *s = db_statement(db, SQL_SET_RECIPIENT);
	int code = SQLITE_OK;

	sqlite3_bind_int64(s, 1, (int64_t)outcome->id);
	for (size_t i = 0; i < outcome->n_recipients && !code; i++) {
		const struct outcome_recipient *to = &outcome->recipients[i];

		sqlite3_bind_int64(s, 2, (int64_t)to->index);
		sqlite3_bind_int64(s, 3, to->state);
		db_bind_text(s, 4, to->reply);
		db_bind_text(s, 5, to->reason);
		sqlite3_bind_int64(s, 6, to->finished_ms);
		code = db_run(s);
	}
	return code;
}

static int add_attempt(struct store_db *db, const struct outcome *outcome)
{
	sqlite3_stmt *s = db_statement(db, SQL_ADD_ATTEMPT);

	if (outcome->started_ms == 0)
		return SQLITE_OK;
	sqlite3_bind_int64(s, 1, (int64_t)outcome->id);
	sqlite3_bind_int64(s, 2, outcome->started_ms);
	sqlite3_bind_int64(s, 3, outcome->ended_ms);
	db_bind_text(s, 4, outcome->account);
	db_bind_text(s, 5, outcome->host);
	db_bind_text(s, 6, outcome->stage);
	db_bind_text(s, 7, outcome->reply);
	db_bind_text(s, 8, outcome->reason);
	db_bind_text(s, 9, outcome->summary);
	db_bind_text(s, 10, outcome->sent_as);
	return db_run(s);
}

static int add_dialogue(struct store_db *db, const struct outcome *outcome)
{
	sqlite3_stmt *s = db_statement(db, SQL_ADD_DIALOGUE);

	if (outcome->started_ms == 0 || outcome->dialogue == NULL)
		return SQLITE_OK;
	sqlite3_bind_int64(s, 1, (int64_t)outcome->id);
	db_bind_text(s, 2, outcome->dialogue);
	return db_run(s);
}

static void note_freed(struct job *job, const struct freed_body *freed)
{
	job->freed = xrealloc(job->freed, (job->n_freed + 1) * sizeof(*freed));
	job->freed[job->n_freed++] = *freed;
}

int job_free_body(struct store_db *db, struct job *job, message_id id)
{
	sqlite3_stmt *s = db_statement(db, SQL_GET_BODY_PLACE);
	struct freed_body freed = { .id = id };
	int64_t place = BODY_GONE;
	int code;

	sqlite3_bind_int64(s, 1, (int64_t)id);
	code = sqlite3_step(s);
	if (code == SQLITE_ROW) {
		place = sqlite3_column_int64(s, 0);
		freed.size = (uint64_t)sqlite3_column_int64(s, 1);
		freed.is_file = place == BODY_IN_FILE;
		code = SQLITE_OK;
	}
	sqlite3_reset(s);
	if (code == SQLITE_DONE || place == BODY_GONE)
		return code == SQLITE_DONE ? SQLITE_OK : code;
	note_freed(job, &freed);
	if (freed.is_file)
		return SQLITE_OK;
	s = db_statement(db, SQL_DROP_BODY);
	sqlite3_bind_int64(s, 1, (int64_t)id);
	return db_run(s);
}

static int write_outcome(struct store_db *db, struct job *job)
{
	const struct outcome *outcome = job->outcome;
	int code = SQLITE_OK;

	if (outcome->drop_body)
		code = job_free_body(db, job, outcome->id);
	if (code == SQLITE_OK)
		code = set_message(db, outcome);
	if (code != SQLITE_OK || sqlite3_changes(db->db) == 0)
		return code; /* it was deleted meanwhile */
	code = set_recipients(db, outcome);
	if (code == SQLITE_OK)
		code = add_attempt(db, outcome);
	if (code == SQLITE_OK)
		code = add_dialogue(db, outcome);
	return code;
}

int job_write(struct store_db *db, struct job *job)
{
	switch (job->type) {
	case JOB_ACCEPT:
		return accept_write(db, job);
	case JOB_OUTCOME:
		return write_outcome(db, job);
	case JOB_PURGE:
		return purge_run(db, job);
	case JOB_REFUSE:
	case JOB_FORGET:
		return refused_write(db, job);
	case JOB_NOTICE_SKIP:
		return notice_commit(db, job, NULL);
	case JOB_ACCOUNT:
		return account_write(db, job);
	case JOB_CHANGE:
		return change_write(db, job);
	case JOB_HURRY:
		return change_hurry(db, job);
	case JOB_REBASE:
		return rebase_write(db, job);
	case JOB_LOAD_DUE:
	case JOB_LOAD_BODY:
	case JOB_NOTICE_NEWS:
	case JOB_NOTICE_DIGEST:
		break;
	}
	return SQLITE_OK;
}

/* --- load --------------------------------------------------------------- */

static void add_loaded(struct job *job, struct envelope *envelope)
{
	size_t n = job->load.n;

	if ((n & (n - 1)) == 0)
		job->load.envelopes =
			xrealloc(job->load.envelopes,
				 (n ? 2 * n : 1) * sizeof(envelope));
	job->load.envelopes[job->load.n++] = envelope;
}

static int load_due(struct store_db *db, struct job *job)
{
	sqlite3_stmt *s = db_statement(db, SQL_GET_DUE);
	int code;

	sqlite3_bind_int64(s, 1, (int64_t)job->load.limit);
	while ((code = sqlite3_step(s)) == SQLITE_ROW)
		add_loaded(job, row_read(s));
	sqlite3_reset(s);
	if (code == SQLITE_DONE)
		code = SQLITE_OK;
	for (size_t i = 0; i < job->load.n && code == SQLITE_OK; i++)
		code = row_read_recipients(db, job->load.envelopes[i]);
	return code;
}

static bool is_intact(sqlite3_stmt *row)
{
	const void *data = sqlite3_column_blob(row, 0);
	size_t len = (size_t)sqlite3_column_bytes(row, 0);
	uint32_t checksum = 0;

	if (len > 0)
		checksum = (uint32_t)crc32_z(0, data, len);
	return (int64_t)len == sqlite3_column_int64(row, 1) &&
	       checksum == (uint32_t)sqlite3_column_int64(row, 2);
}

static void take_body(struct job *job, sqlite3_stmt *row)
{
	if (!is_intact(row)) {
		job->error = xstrdup("the stored message is damaged: its "
				     "checksum does not match");
		return;
	}
	job->body.len = (size_t)sqlite3_column_bytes(row, 0);
	job->body.bytes = xmemdup0(sqlite3_column_blob(row, 0), job->body.len);
}

static int load_body(struct store_db *db, struct job *job)
{
	sqlite3_stmt *s = db_statement(db, SQL_GET_BODY);
	int code;

	sqlite3_bind_int64(s, 1, (int64_t)job->body.id);
	code = sqlite3_step(s);
	if (code == SQLITE_ROW)
		take_body(job, s);
	else if (code == SQLITE_DONE)
		job->error = xstrdup("the stored message is missing");
	sqlite3_reset(s);
	return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

static int read_by_type(struct store_db *db, struct job *job)
{
	if (job->type == JOB_LOAD_DUE)
		return load_due(db, job);
	if (job->type == JOB_LOAD_BODY)
		return load_body(db, job);
	return notice_read(db, job);
}

void job_read(struct store_db *db, struct job *job)
{
	int code = read_by_type(db, job);

	if (code == SQLITE_OK)
		return;
	free(job->error);
	job->error = db_error(db, "read");
}
