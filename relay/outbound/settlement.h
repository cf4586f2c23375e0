/*
 * settlement -- the end of an attempt: what became of each recipient goes to
 * the log, into the queue, and by it to the disk.
 *
 *     init -> result or rest... -> commit
 *
 * Recipients with the same fate share a log line (design.md section 6).  A
 * message whose time is over fails where it would have been deferred.  One that
 * was refused for its sender, or met an account that cannot work while another
 * can, is tried again at once; the rest by the retry schedule.
 *
 * A device that waits for the verdict is told it here, and given the message
 * back when all of it is refused.
 */
#ifndef RELAY_OUTBOUND_SETTLEMENT_H
#define RELAY_OUTBOUND_SETTLEMENT_H

#include "relay/outbound/disposition.h"
#include "relay/queue/queue.h"
#include "relay/services.h"

struct settlement_result {
	bool known;
	bool left_out;              /* of this attempt: has one of its own */
	struct disposition disposition; /* a copy, its fix filled in */
	enum smtp_stage stage;
	char *reply;
};

struct settlement {
	struct services *services;
	const struct config *config;
	struct message *message;
	int64_t started_ms;
	const char *account;        /* that sends: the envelope's, or another
	                               in its place */
	const char *host;           /* the provider's, NULL before one */
	bool to_device;             /* refused, and the device is told so */
	const char *sent_as;        /* where it is not the envelope's sender */
	const char *dialogue;       /* what was said, kept if the attempt has
	                               failed for anybody; NULL: unknown */
	struct settlement_result *results; /* one a recipient */
};

void settlement_init(struct settlement *settlement, struct services *services,
                     const struct config *config, struct message *message);
/* reply: the provider's words, or ours; copied, may be NULL. */
void settlement_result(struct settlement *settlement, size_t recipient,
                       struct disposition disposition, enum smtp_stage stage,
                       const char *reply);
/* It is queued and not addressed this time.  If it has not been tried in this
 * attempt (envelope_turn()) the message goes once more, at once. */
void settlement_leave_out(struct settlement *settlement, size_t recipient);
/* As settlement_result(), for every queued recipient of this attempt that has
 * no result yet. */
void settlement_rest(struct settlement *settlement,
                     struct disposition disposition, enum smtp_stage stage,
                     const char *reply);
/* Is there a result that leaves a recipient in this state? */
bool settlement_has(const struct settlement *settlement,
                    enum recipient_state state);
/* Has the attempt failed for anybody?  Then its dialogue is wanted. */
bool settlement_has_failed(const struct settlement *settlement);
/* Logs, and hands message and outcome to the queue. */
void settlement_commit(struct settlement *settlement);
/* Nothing was tried; the message is not touched. */
void settlement_drop(struct settlement *settlement);

/* The account cannot work now: devices that wait for the verdict on a message
 * in its lane hear it at once.  One that is paused for good reason refuses
 * what may be refused (queue/verdict.h); else the queue goes on. */
void settlement_tell_waiting(struct services *services,
                             const struct config *config, const char *account,
                             const struct disposition *trouble,
                             const char *reply);

/* A message whose `expire` has passed while it could not be tried. */
void settlement_expire(struct services *services, const struct config *config,
                       struct message *message);

#endif
