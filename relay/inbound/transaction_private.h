/*
 * transaction_private -- what the files of a transaction share, and nobody
 * else includes: transaction.c (MAIL to the end of data),
 * transaction_repeat.c (whether it has come before), transaction_commit.c (the
 * disk, the queue, the answer), and transaction_verdict.c (what the provider
 * says, while the device waits).
 */
#ifndef RELAY_INBOUND_TRANSACTION_PRIVATE_H
#define RELAY_INBOUND_TRANSACTION_PRIVATE_H

#include "relay/inbound/destinations.h"
#include "relay/inbound/intake.h"
#include "relay/inbound/transaction.h"
#include "relay/net/digest.h"
#include "relay/policy/send_as.h"
#include "relay/queue/queue.h"
#include "relay/queue/repeats.h"
#include "relay/queue/verdict.h"

struct transaction {
	struct services *services;
	struct config *config;
	struct origin origin;
	const struct transaction_callbacks *callbacks;
	void *ctx;
	struct envelope *draft;       /* until it is divided */
	struct destinations destinations;
	struct envelope **envelopes;  /* being committed */
	size_t n_envelopes;
	message_id first;             /* of theirs */
	unsigned path_repairs;        /* SMTP_PATH_REPAIR() bits */
	struct body *body;
	struct intake *intake;
	uint64_t room_checked;        /* octets at the last look at the disk */
	struct digest *digest;        /* of all that makes it the same, or NULL */
	struct repeat_claim claim;    /* from the end of data to the answer */
	struct verdict_wait *wait;    /* for the provider's verdict */
	bool behind, committing;
	bool hurried;                 /* nobody hears the answer */
};

/* As whom it goes out by this rule and account; send_as_free() it. */
void transaction_sender(const struct envelope *envelope,
                        const struct account_config *account,
                        const struct rule_config *rule, struct send_as *out);
/* The body is finished: commit it, and answer.  body_callbacks.on_finish. */
void transaction_commit(void *ctx, const char *error, bool full);
/* It is over: on_done. */
void transaction_conclude(struct transaction *transaction, int code,
                          const char *status, const char *text);
void transaction_reply(struct transaction *transaction,
                       const struct smtp_reply *reply);

/* ---- transaction_repeat.c: see queue/repeats.h ---- */

/* The envelope is complete, the data comes. */
void transaction_watch(struct transaction *transaction);
void transaction_watch_chunk(struct transaction *transaction,
                             struct text chunk);
/* All data has come.  ACCEPTED: with the reply.  WAITS: on_done follows. */
enum repeat_verdict transaction_look_back(struct transaction *transaction,
                                          struct smtp_reply *reply_r);
/* It is divided. */
void transaction_name_repeats(struct transaction *transaction);

/* ---- transaction_verdict.c ---- */

/* Begin to wait for it, before the queue has the messages; false: this listener
 * does not.  transaction_conclude() follows, on the loop. */
bool transaction_await_verdict(struct transaction *transaction);

#endif
