/*
 * repeats -- a device that sends the same message again.
 *
 * It did not wait for our 250, or got it too late, and so has to send again
 * what we have already (RFC 1047).  The same means: from the same client, with
 * the same reverse-path, recipients and content, octet for octet as it came
 * (SHA-256; a client cannot make two that meet).  It is answered 250 with the
 * id of the first, and stored and delivered once.
 *
 * What must never happen is that a second message is taken for the first:
 * alarm systems send the same text again and mean it.  So it depends on what
 * the message says of itself,
 *
 *     no Message-ID, or none that is valid      never a repeat
 *     a Message-ID and a Date of its own        a repeat: the device made it
 *                                               once, and says so twice
 *     a Message-ID, no Date (or a clock that    a repeat only if the answer to
 *     was never set)                            the first went unheard: some
 *                                               devices have a constant id
 *
 * and a repeat comes within REPEATS_FOR_MS of the first one's acceptance.  Two
 * different alarms with a constant id differ in their Date.  To lose a repeat
 * costs a second copy; to see one where there is none costs a message.
 *
 * A repeat that comes while the first is still on its way to the disk waits
 * for the first one's answer and is given the same.  A message that fails at
 * the provider, or is deleted by the operator, is forgotten (repeats_forget):
 * who sends it again afterwards means it.  All this is in memory, at most REPEATS_MAX messages: after a
 * restart a repeat is a new message.
 *
 *     claim -> NEW      -> name -> accepted | refused
 *           -> ACCEPTED (done)
 *           -> WAITS    -> on_answer
 *
 * Pure: time (monotonic milliseconds) is an argument.
 */
#ifndef RELAY_QUEUE_REPEATS_H
#define RELAY_QUEUE_REPEATS_H

#include <sys/queue.h>
#include "proto/smtp_reply.h"
#include "relay/net/digest.h"
#include "relay/queue/envelope.h"

enum {
	REPEATS_MAX = 4096,
	REPEATS_FOR_MS = 10 * 60 * 1000,
	REPEATS_PARTS = 8, /* one that becomes more messages is not remembered */
};

struct repeats;       /* one in a server */
struct repeat_entry;

/* What a message says of itself, and is. */
struct repeat_mark {
	uint8_t digest[DIGEST_SIZE];
	bool has_id, has_date; /* of its own */
};

/* A message at the end of its data; zeroes: none. */
struct repeat_claim {
	struct repeats *repeats;
	struct repeat_entry *entry;
	message_id first;      /* of ACCEPTED: that this repeats */
	bool waits;
	/* reply: the first one's; it lasts for the call.  The claim is clear. */
	void (*on_answer)(void *ctx, message_id first,
	                  const struct smtp_reply *reply);
	void *ctx;
	LIST_ENTRY(repeat_claim) link;
};

enum repeat_verdict {
	REPEAT_NEW,      /* go on, and tell what becomes of it */
	REPEAT_ACCEPTED, /* claim->first was answered 250 */
	REPEAT_WAITS,    /* for on_answer, which is set before */
};

struct repeats *repeats_new(void);
void repeats_free(struct repeats **repeats); /* no claim is left */

/* repeats may be NULL: all are new. */
enum repeat_verdict repeats_claim(struct repeats *repeats,
                                  struct repeat_claim *claim,
                                  const struct repeat_mark *mark,
                                  uint64_t now_ms);

/* ---- of a claim that is new; nothing happens to one that is clear ---- */

/* The messages that it becomes, before anybody can settle them. */
void repeats_name(struct repeat_claim *claim, const message_id *ids, size_t n);
/* The device has gone before the answer. */
void repeats_unheard(struct repeat_claim *claim);
/* The answer.  Those who wait are told first; the claim is clear. */
void repeats_answer(struct repeat_claim *claim, const struct smtp_reply *reply,
                    uint64_t now_ms);
/* Given up, or waits no longer: nobody is told; the claim is clear. */
void repeats_withdraw(struct repeat_claim *claim);

/* ---- of a message; repeats may be NULL, and the id unknown ---- */

/* The connection broke before the device said another word. */
void repeats_unheard_id(struct repeats *repeats, message_id id);
/* It failed, or was deleted. */
void repeats_forget(struct repeats *repeats, message_id id);

size_t repeats_count(const struct repeats *repeats);

#endif
