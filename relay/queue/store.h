/*
 * store -- the SQLite database of the spool, on a thread of its own.
 *
 * WAL, synchronous=FULL.  The loop posts jobs; the storage thread takes all
 * that have arrived, runs them in one transaction and commits once; results
 * come back on the loop.  While one commit is syncing the next group gathers by
 * itself: no timer, no tuning; at low load a message waits for one sync.
 * Outcomes are posted like arrivals and ride along with them.
 *
 * Order for a group that holds bodies in files: each file is synced before its
 * job is posted (body.h), bodies/ is synced once, then the commit is.
 *
 * A group that fails is rolled back whole and each of its jobs is told; the
 * store is then unhealthy (store_is_healthy()): no new mail, no deliveries,
 * since their outcome could not be kept, until a probe write succeeds, which
 * the store tries by itself every few seconds.
 *
 * Schema: PRAGMA user_version; older ones are migrated forward step by step, a
 * newer one is refused.  ids are message_id as INTEGER PRIMARY KEY.
 */
#ifndef RELAY_QUEUE_STORE_H
#define RELAY_QUEUE_STORE_H

#include "relay/queue/body.h"
#include "relay/queue/envelope.h"
#include "relay/queue/spool.h"

struct store;

/* error NULL: durable.  Else a sentence, and full says that the disk is. */
typedef void (*store_done_cb)(void *ctx, const char *error, bool full);

struct store_counters {
	uint64_t commits;         /* transactions committed */
	uint64_t jobs;            /* that went into them */
};

/* What recovery found, for the log. */
struct store_recovery {
	uint64_t queued;          /* messages still to be delivered */
	uint64_t octets;          /* of bodies kept, queued and failed ones */
	uint64_t orphans_removed; /* body files without a row */
	uint64_t lost_bodies;     /* rows whose body is missing or of another
	                             length: now failed, reason body-damaged */
	int64_t rebased_ms;       /* the clock has gone back by this, and waits
	                             and expiry with it; or 0 */
	uint64_t reprieved;       /* had expired while nobody could try them:
	                             they get STORE_REPRIEVE_MS */
};
enum { STORE_REPRIEVE_MS = 4 * 3600 * 1000 };

/* Opens or makes the database, migrates it, recovers.  on_health is called on
 * the loop when the store turns unhealthy (with the reason), before the jobs
 * that failed with it are told, and when it is well again (NULL), after them.
 * Returns NULL with a sentence in *error_r. */
struct store *store_open(struct spool *spool, struct loop *loop,
                         void (*on_health)(void *ctx, const char *error),
                         void *ctx, struct store_recovery *recovery_r,
                         const char **error_r);
/* Finishes the open group first; no callback follows. */
void store_close(struct store **store);
bool store_is_healthy(const struct store *store);
void store_counters(const struct store *store, struct store_counters *out);

/* New messages that share a body, all of them or none: recipients with
 * different rules are messages of their own.  The first has the id that the
 * body was made with; each says in body_in_file, size and checksum what the
 * body is.  Array, envelopes and body stay in place until done.  The octets
 * are in spool_used() since they were appended, and stay there; those of the
 * others are added, once each. */
void store_accept(struct store *store, struct envelope *const *envelopes,
                  size_t n, const struct body *body, store_done_cb done,
                  void *ctx);

/* What one attempt brought.  The store takes it. */
struct outcome_recipient {
	size_t index;
	enum recipient_state state;
	char *reply, *reason;
	int64_t finished_ms;
};
struct outcome {
	message_id id;
	enum message_state state;
	int64_t next_attempt_ms, finished_ms;
	unsigned attempts;
	char *reason;
	bool drop_body;           /* it will not be sent again: the store drops
	                             the body, its file, and its octets from
	                             spool_used() once this is durable */
	struct outcome_recipient *recipients;
	size_t n_recipients;
	/* the attempt itself, for the history; started_ms 0: none was made */
	int64_t started_ms, ended_ms;
	char *account, *host;     /* host: name and address */
	char *stage, *reply;      /* of the worst recipient, as reason is */
	char *summary;            /* "2 delivered, 1 failed" */
	char *sent_as;            /* where it is not the envelope's sender */
	char *dialogue;           /* what was said, secrets masked; NULL: not
	                             kept */
	enum notice_state notice;
};
struct outcome *outcome_new(message_id id);
void outcome_add(struct outcome *outcome, size_t index,
                 enum recipient_state state, const char *reply,
                 const char *reason, int64_t finished_ms);
void store_outcome(struct store *store, struct outcome **outcome,
                   store_done_cb done, void *ctx);

/* What an operator may do with a message. */
enum queue_change {
	QUEUE_RETRY,   /* one that waits is due now */
	QUEUE_HOLD,    /* it is not sent, and does not expire, until ... */
	QUEUE_RELEASE, /* ... it is queued again; one that failed, or was
	                  refused while its device waited, likewise: for the
	                  recipients that it failed for */
	QUEUE_DELETE,  /* its body is dropped; the history keeps the rest */
};

enum queue_answer {
	QUEUE_CHANGED, /* it is as was asked, perhaps was before */
	QUEUE_UNKNOWN, /* no such message */
	QUEUE_BUSY,    /* it is being sent, or changed, right now */
	QUEUE_UNFIT,   /* its state does not allow it, or its body is gone */
	QUEUE_DISK,    /* the database failed; nothing has changed */
};

/* envelope: the message if it is queued now, for the callback to own; else
 * NULL.  words: what has become of it, a sentence; static. */
typedef void (*store_change_cb)(void *ctx, enum queue_answer answer,
                                const char *words, struct envelope *envelope);
/* One that is released expires no earlier than in expire_ms.  The caller sees
 * to it that nobody sends the message meanwhile (queue_change()). */
void store_change(struct store *store, message_id id, enum queue_change what,
                  int64_t expire_ms, store_change_cb done, void *ctx);
/* All queued messages are due at now_ms, if not earlier. */
void store_hurry(struct store *store, int64_t now_ms, store_done_cb done,
                 void *ctx);

/* The queued messages that are due first, at most limit of them, in the order
 * of next_attempt_ms, id.  The callback owns the envelopes, the store their
 * array. */
typedef void (*store_load_cb)(void *ctx, struct envelope **envelopes, size_t n,
                              const char *error);
void store_load_due(struct store *store, size_t limit, store_load_cb done,
                    void *ctx);

/* The body of a message that is kept in the database: a C allocation for the
 * callback to own, or NULL with the reason. */
typedef void (*store_body_cb)(void *ctx, char *bytes, size_t len,
                              const char *error);
void store_load_body(struct store *store, message_id id, store_body_cb done,
                     void *ctx);

/* A sender that the provider of an account has refused; it is not tried again
 * while the account is configured in the same way (fingerprint). */
struct refused_sender {
	char *account, *sender, *fingerprint;
	char *reply;              /* the provider's words */
	int64_t since_ms;
};
enum { STORE_REFUSED_MAX = 4096 }; /* the oldest give way */

void refused_sender_clear(struct refused_sender *refused); /* its strings */
/* Those that were known when the store was opened, the newest first, for the
 * caller to clear and free; the second call finds none. */
struct refused_sender *store_take_refused(struct store *store, size_t *n_r);
/* Copied; what is posted later, such as the outcome of the attempt, is durable
 * no earlier.  store_forget() undoes it. */
void store_refuse(struct store *store, const struct refused_sender *refused,
                  store_done_cb done, void *ctx);
void store_forget(struct store *store, const char *account, const char *sender);

/* An account that rests or is paused, so that a restart does not try it any
 * sooner; state is its enum breaker_trouble, 0: it works. */
struct account_record {
	char *account;
	int state;
	char *reason, *reply;
	char *fingerprint;        /* of what decides its login; no secret */
	unsigned failures;        /* in a row */
	int64_t since_ms, retry_ms; /* retry 0: never by itself */
};

void account_record_clear(struct account_record *record); /* its strings */
/* Those that were known when the store was opened, for the caller to clear and
 * free; the second call finds none. */
struct account_record *store_take_accounts(struct store *store, size_t *n_r);
/* Copied; in place of what was known of that account.  What the disk refuses
 * is to be saved again when the store is well. */
void store_save_account(struct store *store,
                        const struct account_record *record);

/* The clock has jumped: waits and expiry of what is queued or held move by as
 * much. */
void store_rebase(struct store *store, int64_t by_ms);

/* Forget finished messages received before history_ms, and the bodies of
 * failed ones that finished before failed_ms; a bounded number at a time. */
void store_purge(struct store *store, int64_t history_ms, int64_t failed_ms);

/* ---- for commands, without a server: read only, in the caller's thread ---- */

struct store_reader;
struct store_reader *store_reader_open(const char *spool_folder,
                                       const char **error_r);
void store_reader_close(struct store_reader **reader);
/* Calls each for every queued (or held) message, oldest first, until it
 * returns false.  Returns false with a sentence when the database failed. */
bool store_reader_queue(struct store_reader *reader,
                        bool (*each)(void *ctx, const struct envelope *e),
                        void *ctx, const char **error_r);

/* Accounts that rest or are paused, for the caller to clear and free. */
bool store_reader_accounts(struct store_reader *reader,
                           struct account_record **records_r, size_t *n_r,
                           const char **error_r);

/* What waits, as the database has it. */
struct queue_totals {
	uint64_t queued, held;
	uint64_t due;         /* of the queued ones, at now_ms */
	uint64_t octets;      /* of both */
	int64_t oldest_ms;    /* of the queued ones; 0: none */
};
bool store_reader_totals(struct store_reader *reader, int64_t now_ms,
                         struct queue_totals *totals, const char **error_r);

/* What must all hold; zero, -1 and NULL match anything.  Texts are a part of
 * what they are compared with, in any case; a star in them is any text. */
struct history_filter {
	int64_t since_ms;     /* received then or later */
	int state;            /* enum message_state; -1: any */
	const char *from;     /* the envelope's sender, or the address in From */
	const char *to;       /* a recipient */
	const char *client;   /* the device's address, or its name */
	bool unfinished;      /* queued and held ones only */
	size_t limit;         /* 0: 1000 */
};
/* The same for the history, newest first. */
bool store_reader_history(struct store_reader *reader,
                          const struct history_filter *filter,
                          bool (*each)(void *ctx, const struct envelope *e),
                          void *ctx, const char **error_r);

/* What struct outcome says of an attempt; strings may be NULL. */
struct attempt {
	unsigned n;           /* 1 and up */
	int64_t started_ms, ended_ms;
	char *account, *host, *stage, *reply, *reason, *summary, *sent_as;
	char *dialogue;       /* NULL for one that went well.  Lines of the
	                         provider as they came: escape what is shown */
};
struct story {
	struct envelope *envelope;
	struct attempt *attempts; /* in their order */
	size_t n_attempts;
};
/* True with *story_r, NULL in it when there is no such id. */
bool store_reader_story(struct store_reader *reader, message_id id,
                        struct story **story_r, const char **error_r);
void story_free(struct story **story);

#endif
