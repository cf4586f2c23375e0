/*
 * outgoing -- a stored message on its way out: as it is, or mended by the plan
 * that was made at its acceptance (proto/mime_convert.h).
 *
 *     plan -> begin -> header -> body... , or header alone
 *
 * The header is the one that goes out, rewritten for the account.  Where a DKIM
 * signature stays in it, nothing is changed: it covers all of the body.
 *
 * Zeroed to begin with.  Memory is bounded by the pieces: a mended one is at
 * most a few times as long.
 */
#ifndef RELAY_OUTBOUND_OUTGOING_H
#define RELAY_OUTBOUND_OUTGOING_H

#include "proto/mime_convert.h"
#include "proto/smtp_client.h"
#include "relay/queue/envelope.h"

struct outgoing {
	const char *plan;             /* the envelope's; NULL: none is followed */
	struct mime_convert *convert; /* NULL: everything goes as it is */
	struct buf mended;            /* what the last piece became */
};

/* Fill in the transaction's has_8bit, can_7bit, size and size_is_least. */
void outgoing_plan(struct outgoing *outgoing, const struct envelope *envelope,
                   struct text header, struct smtp_transaction *transaction);
/* takes_8bit: what the server offers at last. */
void outgoing_begin(struct outgoing *outgoing,
                    const struct smtp_transaction *transaction,
                    bool takes_8bit);
/* Exchange the header, then each piece of the body, for what goes out; it is
 * valid until the next call.  last: with it the message is complete.  False
 * when that cannot be told, which ends the attempt. */
bool outgoing_header(struct outgoing *outgoing, struct text *header, bool last);
bool outgoing_body(struct outgoing *outgoing, struct text *piece, bool last);
void outgoing_free(struct outgoing *outgoing);

#endif
