/*
 * transaction -- one mail transaction of a device: from MAIL to the commit.
 *
 *     begin -> recipient... -> data -> chunk... -> end --(disk)--> on_done
 *
 * Each step either goes well or fills in a refusal: the reply for the device.
 * on_done comes on the loop, never from inside a call, with 250 once the
 * message is durable and in the queue, or with the 4xx that says why not.  On a
 * listener with verdict_wait it comes with what the provider said of it, if
 * that is known in time (queue/verdict.h).
 * Aborting is possible until end(); from then on the message is on its way to
 * the disk and on_done follows whatever becomes of the device.
 */
#ifndef RELAY_INBOUND_TRANSACTION_H
#define RELAY_INBOUND_TRANSACTION_H

#include "proto/smtp_data.h"
#include "proto/smtp_path.h"
#include "proto/smtp_reply.h"
#include "relay/config/config.h"
#include "relay/queue/envelope.h"
#include "relay/services.h"

struct transaction;

/* Who is sending; valid as long as the transaction. */
struct origin {
	const char *client;   /* address in text */
	const struct address *address;
	const char *helo;
	bool is_esmtp;
	const struct listener_config *listener;
	const struct device_config *device; /* NULL: a client without a name */
	const char *user;     /* who logged in by a file of users; NULL: nobody,
	                         or whatever was said was right */
	bool tls;
	bool logged_in;       /* as 235 was said, right or any */
	unsigned quirks;      /* SMTP_QUIRK() bits, as of MAIL */
};

struct transaction_callbacks {
	void (*on_drain)(void *ctx);  /* the disk has caught up: read on */
	void (*on_done)(void *ctx, const struct smtp_reply *reply);
};

/* size: as declared, 0 if it was not.  Takes a reference to the configuration.
 * NULL with the refusal when the message may not come in. */
struct transaction *
transaction_begin(struct services *services, struct config *config,
                  const struct origin *origin, const struct smtp_path *path,
                  uint64_t size, const struct transaction_callbacks *callbacks,
                  void *ctx, struct smtp_reply *refusal_r);
bool transaction_recipient(struct transaction *transaction,
                           const struct smtp_path *path,
                           struct smtp_reply *refusal_r);
void transaction_data(struct transaction *transaction);
bool transaction_chunk(struct transaction *transaction, struct text chunk,
                       struct smtp_reply *refusal_r);
/* The disk is behind: do not read from the device until on_drain. */
bool transaction_is_behind(const struct transaction *transaction);
/* SMTP_QUIRK() bits as they are now; told again before transaction_end(). */
void transaction_set_quirks(struct transaction *transaction, unsigned quirks);
/* False: there is nothing left but to say the reply and to abort.  It is
 * refused, or the message has been accepted before and this is 250
 * (queue/repeats.h). */
bool transaction_end(struct transaction *transaction,
                     const struct smtp_data_stats *stats,
                     struct smtp_reply *refusal_r);
bool transaction_is_committing(const struct transaction *transaction);
/* Of what on_done told 250 of; 0: it was a repeat of another. */
message_id transaction_id(const struct transaction *transaction);
/* The device has gone, or the server stops: no verdict is waited for, and the
 * answer goes unheard. */
void transaction_hurry(struct transaction *transaction);
/* Not while it is committing.  After on_done it frees what is left. */
void transaction_free(struct transaction **transaction);
/* The same, when its data is refused: the envelope is left for the log. */
struct envelope *transaction_drop(struct transaction **transaction);

/* For the log; NULL once the queue has it. */
const struct envelope *
transaction_envelope(const struct transaction *transaction);
/* Of the first message, once the queue has it; before that 0. */
message_id transaction_queued_id(const struct transaction *transaction);

#endif
