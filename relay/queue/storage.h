/*
 * storage -- the thread that owns the database: takes all jobs that have
 * arrived, runs them in one transaction, commits once, hands them back; for
 * store.c alone.  Outcomes by themselves wait a few milliseconds for arrivals.
 *
 * After a group has failed it probes the disk, at once and then every few
 * seconds, until a write reaches it again.
 */
#ifndef RELAY_QUEUE_STORAGE_H
#define RELAY_QUEUE_STORAGE_H

#include <pthread.h>
#include <stdatomic.h>
#include "relay/queue/store_job.h"

struct storage {
	/* Set before storage_start(). */
	struct spool *spool;
	struct notifier *notifier;   /* there is something to take */
	struct store_db db;          /* the thread's until storage_stop() */
	_Atomic uint64_t commits, jobs;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t arrival;
	/* under the lock */
	struct job_list waiting, finished;
	bool stopping;
	bool broken;                 /* a group or probe failed last */
	char *error;                 /* why, until it is taken */
};

void storage_start(struct storage *storage);
/* Runs what has been posted, then ends the thread. */
void storage_stop(struct storage *storage);
void storage_free(struct storage *storage); /* after the last take */

void storage_post(struct storage *storage, struct job *job);
/* Finished jobs, and what failed since the last call (a C string for the
 * caller) or NULL.  Returns whether the storage works. */
bool storage_take(struct storage *storage, struct job_list *finished,
                  char **error_r);

#endif
