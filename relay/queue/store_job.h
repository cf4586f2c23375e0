/*
 * store_job -- what the loop asks of the storage thread; for the store's own
 * files.
 *
 * A job belongs to the loop, then to the storage thread, then to the loop
 * again; never to both.
 */
#ifndef RELAY_QUEUE_STORE_JOB_H
#define RELAY_QUEUE_STORE_JOB_H

#include "relay/queue/store.h"
#include "relay/net/steady.h"
#include "relay/queue/store_db.h"
#include "relay/queue/store_notice.h"

enum job_type {
	JOB_ACCEPT,
	JOB_OUTCOME,
	JOB_PURGE,
	JOB_REFUSE,
	JOB_FORGET,
	JOB_NOTICE_SKIP,
	JOB_ACCOUNT,
	JOB_CHANGE,
	JOB_HURRY,
	JOB_RESERVE,
	JOB_SPEND,
	JOB_SHIFT_USAGE,
	JOB_REBASE,
	JOB_LOAD_DUE,  /* from here on they only read */
	JOB_LOAD_BODY,
	JOB_NOTICE_NEWS,
	JOB_NOTICE_DIGEST,
};

/* A body that no row needs any longer, once the group is committed. */
struct freed_body {
	message_id id;
	uint64_t size;
	bool is_file;
};

struct job {
	struct job *next;
	enum job_type type;
	union {
		store_done_cb done;
		store_change_cb change_done;
		store_load_cb load_done;
		store_body_cb body_done;
		store_news_cb news_done;
		store_digest_cb digest_done;
	};
	void *ctx;
	char *error; /* NULL: it went well */
	bool full;
	struct freed_body *freed;
	size_t n_freed;
	struct notice_told *told; /* of a notice; NULL: it is none */
	union {
		struct {
			struct envelope *const *envelopes;
			size_t n, n_named; /* files; the first has its own */
			const struct body *body;
		} accept;
		struct outcome *outcome;
		struct refused_sender refused;
		struct account_record account;
		struct usage usage; /* of SHIFT_USAGE: at_ms, by how much */
		struct {
			int64_t history_ms, failed_ms;
		} purge;
		struct {
			int64_t by_ms;
		} rebase;
		struct {
			message_id id;
			enum queue_change what;
			int64_t now_ms, expires_ms;
			enum queue_answer answer;
			const char *words;
			struct envelope *envelope; /* if it is queued now */
		} change;
		struct {
			int64_t now_ms;
		} hurry;
		struct {
			size_t limit, n;
			struct envelope **envelopes;
		} load;
		struct {
			message_id id;
			char *bytes;
			size_t len;
		} body;
		struct {
			int64_t made_since_ms;
			struct notice_news found;
		} news;
		struct {
			size_t limit;
			struct notice_digest found;
		} digest;
	};
};

/* Jobs in the order of their arrival. */
struct job_list {
	struct job *first, **end;
};
void job_list_init(struct job_list *list);
void job_list_append(struct job_list *list, struct job *job);
struct job *job_list_take(struct job_list *list); /* NULL: none left */
/* All of from to the end of list. */
void job_list_move(struct job_list *list, struct job_list *from);

struct job *job_new(enum job_type type, void *ctx);
/* With whatever it still owns. */
void job_free(struct job *job);
bool job_reads(const struct job *job);

/* On the storage thread.  In a transaction: SQLITE_OK, or the group is lost;
 * job->error is set when this job alone is at fault. */
int job_write(struct store_db *db, struct job *job);
/* Outside of one; fills in the result or job->error. */
void job_read(struct store_db *db, struct job *job);

/* Drop the body of this message from the database, or note its file; in a
 * transaction, with message.body still to be set. */
int job_free_body(struct store_db *db, struct job *job, message_id id);

/* ---- store_accept.c ---- */

/* Before the transaction: each message gets its name of the file. */
void accept_name_files(struct spool *spool, struct job *job);
int accept_write(struct store_db *db, struct job *job);
/* On the loop, when it has failed: what was made for it is taken back. */
void accept_undo(struct spool *spool, struct loop *loop, const struct job *job);

/* ---- store_notice.c ---- */

/* What they own. */
void notice_job_free(struct job *job);
int notice_read(struct store_db *db, struct job *job);
/* In a savepoint, so that it can be undone when job->error is set: what is told
 * of, then the notice, if there is one. */
int notice_commit(struct store_db *db, struct job *job,
                 int (*add)(struct store_db *db, struct job *job));

/* ---- outcome.c ---- */

void outcome_free(struct outcome **outcome);

/* ---- store_refused.c ---- */

int refused_write(struct store_db *db, struct job *job);
/* Before the storage thread begins: all that are known, the newest first. */
int refused_read(struct store_db *db, struct refused_sender **refused_r,
                 size_t *n_r);

/* ---- store_account.c ---- */

int account_write(struct store_db *db, const struct job *job);
/* Before the storage thread begins. */
int accounts_read(struct store_db *db, struct account_record **records_r,
                  size_t *n_r);
/* ---- store_change.c ---- */

int change_write(struct store_db *db, struct job *job);
int change_hurry(struct store_db *db, const struct job *job);
void change_done(struct job *job); /* tells its owner, on the loop */

/* ---- store_usage.c ---- */

int usage_write(struct store_db *db, struct job *job);
/* Before the storage thread begins: all of the last day, the oldest first. */
int usage_read(struct store_db *db, struct usage **usage_r, size_t *n_r);

/* ---- store_purge.c ---- */

int purge_run(struct store_db *db, struct job *job);

/* ---- store_rebase.c ---- */

int rebase_write(struct store_db *db, struct job *job);
/* Before the storage thread begins. */
int rebase_at_start(struct store_db *db, struct store_recovery *recovery);

/* ---- store_recover.c ---- */

/* Before the storage thread begins.  SQLITE_OK, or what the database said;
 * *error_r is set when it was the folder that failed. */
int recover(struct store_db *db, struct spool *spool,
            struct store_recovery *recovery_r, const char **error_r);

#endif
