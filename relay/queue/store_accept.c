#include "relay/queue/store_job.h"

#include <errno.h>
#include <string.h>
#include "proto/xalloc.h"

/* --- files -------------------------------------------------------------- */

void accept_name_files(struct spool *spool, struct job *job)
{
	struct envelope *const *envelopes = job->accept.envelopes;

	for (size_t i = 1; i < job->accept.n; i++) {
		if (!body_file_name(spool, envelopes[0]->id,
				    envelopes[i]->id)) {
			job->full = errno == ENOSPC || errno == EDQUOT;
			job->error = xasprintf("its file in %s/bodies cannot "
					       "get a further name: %s",
					       spool_folder(spool),
					       strerror(errno));
			return;
		}
		job->accept.n_named++;
	}
}

void accept_undo(struct spool *spool, struct loop *loop, const struct job *job)
{
	size_t n = job->accept.n;

	spool_remove(spool, (n - 1) * body_size(job->accept.body));
	for (size_t i = 1; i <= job->accept.n_named; i++)
		body_file_remove(spool, loop, job->accept.envelopes[i]->id);
}

/* --- rows --------------------------------------------------------------- */

static int add_recipients(struct store_db *db, const struct envelope *envelope)
{
	sqlite3_stmt *s = db_statement(db, SQL_ADD_RECIPIENT);
	int code = SQLITE_OK;

	sqlite3_bind_int64(s, 1, (int64_t)envelope->id);
	for (size_t i = 0; i < envelope->n_recipients && !code; i++) {
		const struct recipient *recipient = &envelope->recipients[i];

		sqlite3_bind_int64(s, 2, (int64_t)i);
		db_bind_text(s, 3, recipient->address);
		sqlite3_bind_int64(s, 4, recipient->state);
		db_bind_text(s, 5, recipient->reply);
		code = db_run(s);
	}
	return code;
}

static int add_body(struct store_db *db, message_id id, const struct body *body)
{
	sqlite3_stmt *s = db_statement(db, SQL_ADD_BODY);
	struct text bytes = body_bytes(body);

	sqlite3_bind_int64(s, 1, (int64_t)id);
	sqlite3_bind_blob64(s, 2, bytes.data, bytes.len, SQLITE_STATIC);
	return db_run(s);
}

static int add_message(struct store_db *db, struct job *job,
		       const struct envelope *envelope)
{
	bool is_file = body_is_file(job->accept.body);
	sqlite3_stmt *s = db_statement(db, SQL_ADD_MESSAGE);
	int code;

	row_bind(s, envelope, is_file ? BODY_IN_FILE : BODY_IN_DATABASE);
	code = db_run(s);
	if ((code & 0xff) == SQLITE_CONSTRAINT) {
		/* Nothing was written of it: the others need not suffer. */
		job->error = xstrdup("a message with this id exists already");
		return SQLITE_OK;
	}
	if (code == SQLITE_OK)
		code = add_recipients(db, envelope);
	if (code == SQLITE_OK && !is_file)
		code = add_body(db, envelope->id, job->accept.body);
	return code;
}

/* All of them or, when one is at fault, none. */
static int add_several(struct store_db *db, struct job *job)
{
	int code = db_run(db_statement(db, SQL_ACCEPT));

	for (size_t i = 0; i < job->accept.n && !job->error && !code; i++)
		code = add_message(db, job, job->accept.envelopes[i]);
	if (code == SQLITE_OK && job->error)
		code = db_run(db_statement(db, SQL_ACCEPT_UNDO));
	return code == SQLITE_OK ? db_run(db_statement(db, SQL_ACCEPT_END))
				 : code;
}

static int add_first(struct store_db *db, struct job *job)
{
	return add_message(db, job, job->accept.envelopes[0]);
}

int accept_write(struct store_db *db, struct job *job)
{
	if (job->error)
		return SQLITE_OK;
	if (body_is_doubtful(job->accept.body)) {
		job->error = xstrdup("its file may have been lost when the "
				     "folder of bodies could not be synced");
		return SQLITE_OK;
	}
	if (job->told)
		return notice_commit(db, job, add_first);
	return job->accept.n == 1 ? add_first(db, job) : add_several(db, job);
}
