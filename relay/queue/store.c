#include "relay/queue/storage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "proto/xalloc.h"

struct store {
	struct loop *loop;
	void (*on_health)(void *ctx, const char *error);
	void *ctx;
	bool healthy; /* as the loop has been told */
	bool dispatching, closed;
	struct refused_sender *refused; /* until they are taken */
	size_t n_refused;
	struct account_record *accounts; /* likewise */
	size_t n_accounts;
	struct storage storage;
};

/* --- back on the loop --------------------------------------------------- */

static void call_done(struct job *job)
{
	switch (job->type) {
	case JOB_ACCEPT:
	case JOB_OUTCOME:
	case JOB_REFUSE:
	case JOB_NOTICE_SKIP:
	case JOB_HURRY:
		if (job->done)
			job->done(job->ctx, job->error, job->full);
		break;
	case JOB_CHANGE:
		change_done(job);
		break;
	case JOB_LOAD_DUE:
		job->load_done(job->ctx,
			       job->error ? NULL : job->load.envelopes,
			       job->error ? 0 : job->load.n, job->error);
		break;
	case JOB_LOAD_BODY:
		job->body_done(job->ctx, job->body.bytes, job->body.len,
			       job->error);
		break;
	case JOB_NOTICE_NEWS:
		job->news_done(job->ctx, &job->news.found, job->error);
		break;
	case JOB_NOTICE_DIGEST:
		job->digest_done(job->ctx, &job->digest.found, job->error);
		break;
	case JOB_PURGE:
	case JOB_REBASE:
	case JOB_FORGET:
	case JOB_ACCOUNT:
		break;
	}
}

/* What the callback owns from now on is no longer the job's. */
static void give_away(struct job *job)
{
	if (job->type == JOB_LOAD_DUE && !job->error)
		job->load.n = 0;
	if (job->type == JOB_LOAD_BODY)
		job->body.bytes = NULL;
	if (job->type == JOB_NOTICE_NEWS)
		job->news.found.has_next = false;
	if (job->type == JOB_CHANGE && !job->error)
		job->change.envelope = NULL;
}

static void settle_bodies(struct store *store, const struct job *job)
{
	if (job->type == JOB_ACCEPT && job->error)
		accept_undo(store->storage.spool, store->loop, job);
	for (size_t i = 0; i < job->n_freed && !job->error; i++) {
		const struct freed_body *freed = &job->freed[i];

		spool_remove(store->storage.spool, freed->size);
		if (freed->is_file)
			body_file_remove(store->storage.spool, store->loop,
					 freed->id);
	}
}

static void settle(struct store *store, struct job *job)
{
	settle_bodies(store, job);
	if (!store->closed) {
		call_done(job);
		give_away(job);
	}
	job_free(job);
}

static void turn_bad(struct store *store, const char *error)
{
	store->healthy = false;
	store->on_health(store->ctx, error);
}

static void turn_well(struct store *store)
{
	store->healthy = true;
	store->on_health(store->ctx, NULL);
}

static void free_untaken(struct store *store)
{
	for (size_t i = 0; i < store->n_refused; i++)
		refused_sender_clear(&store->refused[i]);
	free(store->refused);
	for (size_t i = 0; i < store->n_accounts; i++)
		account_record_clear(&store->accounts[i]);
	free(store->accounts);
}

static void store_free(struct store *store)
{
	free_untaken(store);
	storage_free(&store->storage);
	notifier_free(&store->storage.notifier);
	spool_close(&store->storage.spool);
	free(store);
}

static void on_notify(void *ctx)
{
	struct store *store = ctx;
	struct job_list finished;
	struct job *job;
	char *error;
	bool works;

	job_list_init(&finished);
	works = storage_take(&store->storage, &finished, &error);
	store->dispatching = true;
	/* In this order: who is told of a failure finds the store unhealthy,
	 * and hears of its recovery later. */
	if (error)
		turn_bad(store, error);
	free(error);
	while ((job = job_list_take(&finished)) != NULL)
		settle(store, job);
	if (works && !store->healthy && !store->closed)
		turn_well(store);
	store->dispatching = false;
	if (store->closed)
		store_free(store);
}

/* --- opening and closing ------------------------------------------------ */

static _Thread_local char error_text[1024];

static bool fail_open(struct store *store, const char *sentence,
		      const char **error_r)
{
	snprintf(error_text, sizeof(error_text), "%s", sentence);
	*error_r = error_text;
	db_close(&store->storage.db);
	return false;
}

static bool open_database(struct store *store,
			  struct store_recovery *recovery_r,
			  const char **error_r)
{
	char *sentence;
	int code;

	if (!db_open_writer(&store->storage.db,
			    spool_database(store->storage.spool), error_r))
		return false;
	code = recover(&store->storage.db, store->storage.spool, recovery_r,
		       error_r);
	if (code == SQLITE_OK)
		code = refused_read(&store->storage.db, &store->refused,
				    &store->n_refused);
	if (code == SQLITE_OK)
		code = accounts_read(&store->storage.db, &store->accounts,
				     &store->n_accounts);
	if (code != SQLITE_OK) {
		sentence = *error_r ? xstrdup(*error_r)
				    : db_error(&store->storage.db, "read");
		fail_open(store, sentence, error_r);
		free(sentence);
		return false;
	}
	/* The names of the database and of its log are entries like any. */
	if (fsync(spool_folder_fd(store->storage.spool)) != 0)
		return fail_open(store, "the spool folder cannot be synced",
				 error_r);
	return true;
}

struct store *store_open(struct spool *spool, struct loop *loop,
			 void (*on_health)(void *ctx, const char *error),
			 void *ctx, struct store_recovery *recovery_r,
			 const char **error_r)
{
	struct store *store = xcalloc(1, sizeof(*store));

	store->storage.spool = spool_hold(spool);
	if (!open_database(store, recovery_r, error_r)) {
		spool_close(&store->storage.spool);
		free_untaken(store);
		free(store);
		return NULL;
	}
	store->loop = loop;
	store->on_health = on_health;
	store->ctx = ctx;
	store->healthy = true;
	store->storage.notifier = notifier_new(loop, on_notify, store);
	storage_start(&store->storage);
	return store;
}

void store_close(struct store **store_ptr)
{
	struct store *store = *store_ptr;
	struct job_list finished;
	struct job *job;
	char *error;

	*store_ptr = NULL;
	if (!store)
		return;
	storage_stop(&store->storage);
	db_close(&store->storage.db);
	store->closed = true;
	job_list_init(&finished);
	storage_take(&store->storage, &finished, &error);
	free(error);
	while ((job = job_list_take(&finished)) != NULL)
		settle(store, job);
	if (!store->dispatching)
		store_free(store);
}

bool store_is_healthy(const struct store *store)
{
	return store->healthy;
}

void store_counters(const struct store *store, struct store_counters *out)
{
	out->commits = atomic_load(&store->storage.commits);
	out->jobs = atomic_load(&store->storage.jobs);
}

/* --- what the loop asks ------------------------------------------------- */

void store_accept(struct store *store, struct envelope *const *envelopes,
		  size_t n, const struct body *body, store_done_cb done,
		  void *ctx)
{
	struct job *job = job_new(JOB_ACCEPT, ctx);

	job->done = done;
	job->accept.envelopes = envelopes;
	job->accept.n = n;
	job->accept.body = body;
	if (n > 1)
		spool_add(store->storage.spool, (n - 1) * body_size(body));
	storage_post(&store->storage, job);
}

void store_outcome(struct store *store, struct outcome **outcome,
		   store_done_cb done, void *ctx)
{
	struct job *job = job_new(JOB_OUTCOME, ctx);

	job->done = done;
	job->outcome = *outcome;
	*outcome = NULL;
	storage_post(&store->storage, job);
}

void store_change(struct store *store, message_id id, enum queue_change what,
		  int64_t expire_ms, store_change_cb done, void *ctx)
{
	struct job *job = job_new(JOB_CHANGE, ctx);

	job->change_done = done;
	job->change.id = id;
	job->change.what = what;
	job->change.now_ms = steady_now_ms();
	job->change.expires_ms = job->change.now_ms + expire_ms;
	storage_post(&store->storage, job);
}

void store_hurry(struct store *store, int64_t now_ms, store_done_cb done,
		 void *ctx)
{
	struct job *job = job_new(JOB_HURRY, ctx);

	job->done = done;
	job->hurry.now_ms = now_ms;
	storage_post(&store->storage, job);
}

void store_load_due(struct store *store, size_t limit, store_load_cb done,
		    void *ctx)
{
	struct job *job = job_new(JOB_LOAD_DUE, ctx);

	job->load_done = done;
	job->load.limit = limit;
	storage_post(&store->storage, job);
}

void store_load_body(struct store *store, message_id id, store_body_cb done,
		     void *ctx)
{
	struct job *job = job_new(JOB_LOAD_BODY, ctx);

	job->body_done = done;
	job->body.id = id;
	storage_post(&store->storage, job);
}

static struct notice_told *told_dup(const struct notice_told *told)
{
	struct notice_told *copy = xcalloc(1, sizeof(*copy));

	*copy = *told;
	copy->sender = xstrdup(told->sender);
	return copy;
}

void store_notice_news(struct store *store, int64_t made_since_ms,
		       store_news_cb done, void *ctx)
{
	struct job *job = job_new(JOB_NOTICE_NEWS, ctx);

	job->news_done = done;
	job->news.made_since_ms = made_since_ms;
	storage_post(&store->storage, job);
}

void store_notice_digest(struct store *store, int64_t until_ms,
			 const char *sender, size_t n_cases,
			 store_digest_cb done, void *ctx)
{
	struct job *job = job_new(JOB_NOTICE_DIGEST, ctx);

	job->digest_done = done;
	job->digest.limit = n_cases;
	job->digest.found.until_ms = until_ms;
	job->digest.found.sender = xstrdup(sender);
	storage_post(&store->storage, job);
}

void store_notice(struct store *store, struct envelope *const *notice,
		  const struct body *body, const struct notice_told *told,
		  store_done_cb done, void *ctx)
{
	struct job *job = job_new(JOB_ACCEPT, ctx);

	job->done = done;
	job->accept.envelopes = notice;
	job->accept.n = 1;
	job->accept.body = body;
	job->told = told_dup(told);
	storage_post(&store->storage, job);
}

void store_notice_skip(struct store *store, const struct notice_told *told,
		       store_done_cb done, void *ctx)
{
	struct job *job = job_new(JOB_NOTICE_SKIP, ctx);

	job->done = done;
	job->told = told_dup(told);
	storage_post(&store->storage, job);
}

struct refused_sender *store_take_refused(struct store *store, size_t *n_r)
{
	struct refused_sender *refused = store->refused;

	*n_r = store->n_refused;
	store->refused = NULL;
	store->n_refused = 0;
	return refused;
}

void store_refuse(struct store *store, const struct refused_sender *refused,
		  store_done_cb done, void *ctx)
{
	struct job *job = job_new(JOB_REFUSE, ctx);

	job->done = done;
	job->refused = (struct refused_sender){
		.account = xstrdup(refused->account),
		.sender = xstrdup(refused->sender),
		.fingerprint = xstrdup(refused->fingerprint),
		.reply = xstrdup(refused->reply),
		.since_ms = refused->since_ms,
	};
	storage_post(&store->storage, job);
}

void store_forget(struct store *store, const char *account, const char *sender)
{
	struct job *job = job_new(JOB_FORGET, NULL);

	job->refused.account = xstrdup(account);
	job->refused.sender = xstrdup(sender);
	storage_post(&store->storage, job);
}

struct account_record *store_take_accounts(struct store *store, size_t *n_r)
{
	struct account_record *accounts = store->accounts;

	*n_r = store->n_accounts;
	store->accounts = NULL;
	store->n_accounts = 0;
	return accounts;
}

void store_save_account(struct store *store,
			const struct account_record *record)
{
	struct job *job = job_new(JOB_ACCOUNT, NULL);

	job->account = *record;
	job->account.account = xstrdup(record->account);
	job->account.reason = xstrdup(record->reason);
	job->account.reply = xstrdup(record->reply);
	job->account.fingerprint = xstrdup(record->fingerprint);
	storage_post(&store->storage, job);
}

void store_rebase(struct store *store, int64_t by_ms)
{
	struct job *job = job_new(JOB_REBASE, NULL);

	job->rebase.by_ms = by_ms;
	storage_post(&store->storage, job);
}

void store_purge(struct store *store, int64_t history_ms, int64_t failed_ms)
{
	struct job *job = job_new(JOB_PURGE, NULL);

	job->purge.history_ms = history_ms;
	job->purge.failed_ms = failed_ms;
	storage_post(&store->storage, job);
}
