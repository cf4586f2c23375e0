#include "relay/queue/store_job.h"

#include <stdlib.h>
#include "proto/xalloc.h"

/* --- cases -------------------------------------------------------------- */

void notice_case_clear(struct notice_case *one)
{
	envelope_free(&one->envelope);
	free(one->account);
	free(one->host);
	free(one->reason);
	*one = (struct notice_case){ 0 };
}

bool notice_case_is_untold(const struct notice_case *one,
			   const struct recipient *recipient)
{
	return recipient->state == RECIPIENT_FAILED &&
	       recipient->finished_ms > one->told_ms;
}

int64_t notice_case_untold_ms(const struct notice_case *one)
{
	const struct envelope *envelope = one->envelope;
	int64_t newest_ms = 0;

	for (size_t i = 0; i < envelope->n_recipients; i++) {
		const struct recipient *to = &envelope->recipients[i];

		if (notice_case_is_untold(one, to) &&
		    to->finished_ms > newest_ms)
			newest_ms = to->finished_ms;
	}
	return newest_ms;
}

static char *column_dup(sqlite3_stmt *s, int column)
{
	return xstrdup((const char *)sqlite3_column_text(s, column));
}

static int read_attempt(struct store_db *db, struct notice_case *one)
{
	sqlite3_stmt *s = db_statement(db, SQL_GET_LAST_ATTEMPT);
	int code;

	sqlite3_bind_int64(s, 1, (int64_t)one->envelope->id);
	code = sqlite3_step(s);
	if (code == SQLITE_ROW) {
		one->attempt_ms = sqlite3_column_int64(s, 0);
		one->account = column_dup(s, 1);
		one->host = column_dup(s, 2);
		one->reason = column_dup(s, 3);
		code = SQLITE_DONE;
	}
	sqlite3_reset(s);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int read_details(struct store_db *db, struct notice_case *cases,
			size_t n)
{
	int code = SQLITE_OK;

	for (size_t i = 0; i < n && code == SQLITE_OK; i++) {
		code = row_read_recipients(db, cases[i].envelope);
		if (code == SQLITE_OK)
			code = read_attempt(db, &cases[i]);
	}
	return code;
}

/* The oldest that are due; cases has room for limit of them. */
static int read_cases(struct store_db *db, int64_t until_ms,
		      const char *sender, struct notice_case *cases,
		      size_t limit, size_t *n_r)
{
	sqlite3_stmt *s = db_statement(db, SQL_GET_NOTICES_DUE);
	int code;

	sqlite3_bind_int64(s, 1, until_ms);
	db_bind_text(s, 2, sender);
	sqlite3_bind_int64(s, 3, (int64_t)limit);
	while ((code = sqlite3_step(s)) == SQLITE_ROW) {
		struct notice_case *one = &cases[(*n_r)++];

		one->envelope = row_read(s);
		one->told_ms = sqlite3_column_int64(
			s, sqlite3_column_count(s) - 1);
	}
	sqlite3_reset(s);
	return code == SQLITE_DONE ? read_details(db, cases, *n_r) : code;
}

/* --- news --------------------------------------------------------------- */

static int read_made(struct store_db *db, int64_t since_ms,
		     struct notice_news *news)
{
	sqlite3_stmt *s = db_statement(db, SQL_GET_NOTICES_MADE);
	int code;

	sqlite3_bind_int64(s, 1, since_ms);
	sqlite3_bind_int64(s, 2, NOTICES_COUNTED_MAX);
	while ((code = sqlite3_step(s)) == SQLITE_ROW) {
		int64_t made_ms = sqlite3_column_int64(s, 1);

		if (sqlite3_column_int(s, 0) == 2)
			news->digest_ms = made_ms;
		else if (news->n_made++ == 0)
			news->first_made_ms = made_ms;
	}
	sqlite3_reset(s);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int read_due(struct store_db *db, struct notice_news *news)
{
	sqlite3_stmt *s = db_statement(db, SQL_COUNT_NOTICES_DUE);
	int64_t n_due = 0;
	int code;

	sqlite3_bind_int64(s, 1, NOTICES_COUNTED_MAX);
	code = db_number(s, &n_due);
	news->n_due = (size_t)n_due;
	if (code == SQLITE_OK)
		code = db_number(db_statement(db, SQL_GET_NOTICES_SINCE),
				 &news->due_since_ms);
	return code;
}

static int read_news(struct store_db *db, struct job *job)
{
	struct notice_news *news = &job->news.found;
	size_t n = 0;
	int code = read_made(db, job->news.made_since_ms, news);

	if (code == SQLITE_OK)
		code = read_due(db, news);
	if (code == SQLITE_OK)
		code = read_cases(db, INT64_MAX, NULL, &news->next, 1, &n);
	news->has_next = n > 0;
	return code;
}

/* --- digests ------------------------------------------------------------ */

/* All are counted, the most frequent ones by name. */
static int read_reasons(struct store_db *db, struct notice_digest *digest)
{
	sqlite3_stmt *s = db_statement(db, SQL_GET_NOTICE_REASONS);
	int code;

	sqlite3_bind_int64(s, 1, digest->until_ms);
	db_bind_text(s, 2, digest->sender);
	digest->reasons =
		xcalloc(DIGEST_REASONS_MAX, sizeof(*digest->reasons));
	while ((code = sqlite3_step(s)) == SQLITE_ROW) {
		size_t n = (size_t)sqlite3_column_int64(s, 1);

		digest->n += n;
		if (digest->n_reasons == DIGEST_REASONS_MAX)
			continue;
		digest->reasons[digest->n_reasons++] =
			(struct notice_reason){ column_dup(s, 0), n };
	}
	sqlite3_reset(s);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int read_digest(struct store_db *db, struct job *job)
{
	struct notice_digest *digest = &job->digest.found;
	int code = read_reasons(db, digest);

	digest->cases = xcalloc(job->digest.limit, sizeof(*digest->cases));
	if (code == SQLITE_OK)
		code = read_cases(db, digest->until_ms, digest->sender,
				  digest->cases, job->digest.limit,
				  &digest->n_cases);
	return code;
}

static void digest_clear(struct notice_digest *digest)
{
	for (size_t i = 0; i < digest->n_reasons; i++)
		free(digest->reasons[i].reason);
	for (size_t i = 0; i < digest->n_cases; i++)
		notice_case_clear(&digest->cases[i]);
	free(digest->reasons);
	free(digest->cases);
	free(digest->sender);
}

/* --- jobs --------------------------------------------------------------- */

void notice_job_free(struct job *job)
{
	if (job->type == JOB_NOTICE_NEWS && job->news.found.has_next)
		notice_case_clear(&job->news.found.next);
	if (job->type == JOB_NOTICE_DIGEST)
		digest_clear(&job->digest.found);
	if (job->told)
		free((char *)job->told->sender);
	free(job->told);
}

int notice_read(struct store_db *db, struct job *job)
{
	return job->type == JOB_NOTICE_NEWS ? read_news(db, job)
					    : read_digest(db, job);
}

/* Of one message: whatever of it failed since stays due. */
static sqlite3_stmt *told_statement(struct store_db *db,
				    const struct notice_told *told)
{
	sqlite3_stmt *s = db_statement(
		db, told->id ? SQL_SET_TOLD : SQL_SET_TOLD_UNTIL);

	if (told->id)
		sqlite3_bind_int64(s, 1, (int64_t)told->id);
	sqlite3_bind_int64(s, told->id ? 2 : 1, told->until_ms);
	if (!told->id)
		db_bind_text(s, 2, told->sender);
	return s;
}

static int tell(struct store_db *db, struct job *job)
{
	const struct notice_told *told = job->told;
	size_t expected = told->id ? 1 : told->n;
	int code = SQLITE_OK;

	if (expected == 0)
		return code;
	code = db_run(told_statement(db, told));
	if (code == SQLITE_OK && (size_t)sqlite3_changes(db->db) != expected)
		job->error = xstrdup("what is to be told has changed since it "
				     "was read");
	return code;
}

int notice_commit(struct store_db *db, struct job *job,
		 int (*add)(struct store_db *db, struct job *job))
{
	int code = db_run(db_statement(db, SQL_ACCEPT));

	if (code == SQLITE_OK)
		code = tell(db, job);
	if (code == SQLITE_OK && !job->error && add)
		code = add(db, job);
	if (code == SQLITE_OK && job->error)
		code = db_run(db_statement(db, SQL_ACCEPT_UNDO));
	return code == SQLITE_OK ? db_run(db_statement(db, SQL_ACCEPT_END))
				 : code;
}
