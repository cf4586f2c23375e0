/*
 * notice_audience -- who hears of a message that failed.
 *
 * By `notify`: the postmaster, whoever sent it, both, or nobody.  Nobody is
 * told by an address that the message could not be delivered to, and there is
 * no notice about a notice.
 *
 * A message to several is told of once it has finished.  If others still wait
 * then, those that have failed are told of after NOTICE_PATIENCE_MS, so that a
 * mistyped address is known the same day and not when the last full mailbox has
 * expired; the end is told as well.
 *
 * Pure.
 */
#ifndef RELAY_NOTICES_NOTICE_AUDIENCE_H
#define RELAY_NOTICES_NOTICE_AUDIENCE_H

#include "relay/config/config.h"
#include "relay/queue/store_notice.h"

enum { NOTICE_PATIENCE_MS = 4 * 60 * 60 * 1000 };

struct notice_audience {
	const char *to[2]; /* of the configuration, or of the envelope */
	size_t n;          /* 0: nobody */
};

struct notice_audience notice_audience_of(const struct config *config,
                                          const struct notice_case *one);
/* Of a digest: the postmaster, where there is one; else each sender is told by
 * himself, sender being the one. */
struct notice_audience notice_audience_of_all(const struct config *config,
                                              const char *sender);
bool notice_audience_is_each_sender(const struct config *config);

/* Does an attempt that leaves the message in this state, and of whose
 * recipients the first failed at that time (0: none has), make a notice due? */
enum notice_state notice_after(const struct config *config,
                               const struct envelope *envelope,
                               enum message_state state,
                               int64_t first_failed_ms, int64_t now_ms);

#endif
