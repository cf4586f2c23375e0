#include "relay/queue/storage.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "proto/xalloc.h"
#include "relay/net/loop.h"

enum {
	PROBE_SECONDS = 3,
	COMPANY_MS = 10,  /* that outcomes wait for an arrival to ride with */
	COMPANY_JOBS = 64 /* of them are company enough */
};

/* --- a group, on the storage thread ------------------------------------- */

struct failure {
	char *error; /* NULL: none */
	bool full;
};

static struct failure sync_bodies(struct storage *storage)
{
	struct failure failure = { NULL, false };

	if (fsync(spool_bodies_fd(storage->spool)) == 0)
		return failure;
	spool_end_epoch(storage->spool);
	failure.full = errno == ENOSPC || errno == EDQUOT;
	failure.error =
		xasprintf("the folder %s/bodies cannot be synced: %s",
			  spool_folder(storage->spool), strerror(errno));
	return failure;
}

/* The transaction is over in any case. */
static struct failure database_failure(struct store_db *db)
{
	struct failure failure = { db_error(db, "written"), db_is_full(db) };

	/* Some errors have rolled it back already. */
	if (!sqlite3_get_autocommit(db->db))
		db_run(db_statement(db, SQL_ROLLBACK));
	return failure;
}

/* Returns whether there are new names to sync. */
static bool name_files(struct storage *storage, const struct job_list *group)
{
	bool any = false;

	for (struct job *job = group->first; job; job = job->next) {
		if (job->type != JOB_ACCEPT || !body_is_file(job->accept.body))
			continue;
		accept_name_files(storage->spool, job);
		any = true;
	}
	return any;
}

static struct failure write_group(struct storage *storage,
				  const struct job_list *group)
{
	struct failure failure = { NULL, false };
	struct store_db *db = &storage->db;
	int code;

	if (name_files(storage, group))
		failure = sync_bodies(storage);
	if (failure.error)
		return failure;
	code = db_run(db_statement(db, SQL_BEGIN));
	for (struct job *job = group->first; job && !code; job = job->next)
		code = job_write(db, job);
	if (code == SQLITE_OK)
		code = db_run(db_statement(db, SQL_COMMIT));
	return code == SQLITE_OK ? failure : database_failure(db);
}

static uint64_t count_jobs(const struct job_list *group)
{
	uint64_t count = 0;

	for (const struct job *job = group->first; job; job = job->next)
		count++;
	return count;
}

static void fail_jobs(const struct job_list *group,
		      const struct failure *failure)
{
	for (struct job *job = group->first; job; job = job->next) {
		free(job->error);
		job->error = xstrdup(failure->error);
		job->full = failure->full;
	}
}

/* Hand results back, and the health if it changed; takes the failure. */
static void hand_back(struct storage *storage, struct job_list *group,
		      struct failure *failure)
{
	pthread_mutex_lock(&storage->lock);
	job_list_move(&storage->finished, group);
	if (failure) {
		storage->broken = failure->error != NULL;
		if (failure->error) {
			free(storage->error);
			storage->error = failure->error;
		}
	}
	pthread_mutex_unlock(&storage->lock);
	notifier_notify(storage->notifier);
}

static void run_writes(struct storage *storage, struct job_list *group)
{
	struct failure failure = write_group(storage, group);

	if (failure.error) {
		fail_jobs(group, &failure);
	} else {
		atomic_fetch_add(&storage->commits, 1);
		atomic_fetch_add(&storage->jobs, count_jobs(group));
	}
	hand_back(storage, group, &failure);
}

static void run_reads(struct storage *storage, struct job_list *group)
{
	for (struct job *job = group->first; job; job = job->next)
		job_read(&storage->db, job);
	hand_back(storage, group, NULL);
}

/* Reads come after the writes that they were posted behind. */
static void run_group(struct storage *storage, struct job_list *group)
{
	struct job_list writes, reads;
	struct job *job;

	job_list_init(&writes);
	job_list_init(&reads);
	while ((job = job_list_take(group)) != NULL)
		job_list_append(job_reads(job) ? &reads : &writes, job);
	if (writes.first)
		run_writes(storage, &writes);
	if (reads.first)
		run_reads(storage, &reads);
	/* Those who waited have been told: now the log may cost time. */
	db_checkpoint(&storage->db);
}

/* --- the storage thread ------------------------------------------------- */

/* What a failed commit left in the log is overwritten by this, too. */
static void probe(struct storage *storage)
{
	struct failure failure = sync_bodies(storage);
	struct job_list none;

	if (!failure.error && schema_touch(storage->db.db) != SQLITE_OK)
		failure = database_failure(&storage->db);
	job_list_init(&none);
	hand_back(storage, &none, &failure);
}

static struct timespec in_ms(long ms)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	time.tv_sec += ms / 1000;
	time.tv_nsec += ms % 1000 * 1000000;
	if (time.tv_nsec >= 1000000000) {
		time.tv_nsec -= 1000000000;
		time.tv_sec++;
	}
	return time;
}

/* Until there are jobs, an end, or, while broken, time for a probe. */
static void wait_for_jobs(struct storage *storage)
{
	struct timespec deadline = in_ms(PROBE_SECONDS * 1000);

	while (!storage->waiting.first && !storage->stopping) {
		if (!storage->broken)
			pthread_cond_wait(&storage->arrival, &storage->lock);
		else if (pthread_cond_timedwait(&storage->arrival,
						&storage->lock,
						&deadline) == ETIMEDOUT)
			return;
	}
}

static bool is_patient(const struct job *job)
{
	return job->type == JOB_OUTCOME || job->type == JOB_SPEND;
}

static bool is_few_outcomes(const struct job_list *list)
{
	unsigned n = 0;

	for (const struct job *job = list->first; job; job = job->next)
		if (!is_patient(job) || ++n >= COMPANY_JOBS)
			return false;
	return n > 0;
}

/* Nobody waits for an outcome as a device waits for its 250; with an arrival
 * it costs no sync of its own.  What a crash in between can bring is a
 * duplicate, as one just before would. */
static void wait_for_company(struct storage *storage)
{
	struct timespec deadline = in_ms(COMPANY_MS);

	while (!storage->stopping && is_few_outcomes(&storage->waiting) &&
	       pthread_cond_timedwait(&storage->arrival, &storage->lock,
				      &deadline) != ETIMEDOUT)
		;
}

static bool take_group(struct storage *storage, struct job_list *group)
{
	bool more;

	pthread_mutex_lock(&storage->lock);
	wait_for_jobs(storage);
	wait_for_company(storage);
	more = storage->waiting.first || !storage->stopping;
	job_list_move(group, &storage->waiting);
	pthread_mutex_unlock(&storage->lock);
	return more;
}

static void *storage_main(void *ctx)
{
	struct storage *storage = ctx;
	struct job_list group;

	job_list_init(&group);
	while (take_group(storage, &group)) {
		if (group.first)
			run_group(storage, &group);
		if (storage->broken)
			probe(storage);
	}
	return NULL;
}

/* --- from the loop ------------------------------------------------------ */

/* Signals are for the loop's thread. */
static void create_thread(struct storage *storage)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&storage->thread, NULL, storage_main, storage)) {
		fputs("lanpost: the storage thread cannot be started\n",
		      stderr);
		abort();
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void storage_start(struct storage *storage)
{
	pthread_condattr_t attributes;

	job_list_init(&storage->waiting);
	job_list_init(&storage->finished);
	pthread_mutex_init(&storage->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&storage->arrival, &attributes);
	pthread_condattr_destroy(&attributes);
	create_thread(storage);
}

void storage_stop(struct storage *storage)
{
	pthread_mutex_lock(&storage->lock);
	storage->stopping = true;
	pthread_cond_signal(&storage->arrival);
	pthread_mutex_unlock(&storage->lock);
	pthread_join(storage->thread, NULL);
}

void storage_free(struct storage *storage)
{
	pthread_cond_destroy(&storage->arrival);
	pthread_mutex_destroy(&storage->lock);
	free(storage->error);
}

void storage_post(struct storage *storage, struct job *job)
{
	pthread_mutex_lock(&storage->lock);
	job_list_append(&storage->waiting, job);
	pthread_cond_signal(&storage->arrival);
	pthread_mutex_unlock(&storage->lock);
}

bool storage_take(struct storage *storage, struct job_list *finished,
		  char **error_r)
{
	bool works;

	pthread_mutex_lock(&storage->lock);
	job_list_move(finished, &storage->finished);
	*error_r = storage->error;
	storage->error = NULL;
	works = !storage->broken;
	pthread_mutex_unlock(&storage->lock);
	return works;
}
