/*
 * limits -- what one client may ask of a listener: how many messages a minute,
 * and how loud its refusals are in the log.
 *
 * One belongs to each listener, whose sessions share it.  The connections of a
 * client are counted by the listener itself.
 */
#ifndef RELAY_INBOUND_LIMITS_H
#define RELAY_INBOUND_LIMITS_H

#include "proto/smtp_reply.h"
#include "relay/config/config.h"
#include "relay/inbound/client_pace.h"
#include "relay/services.h"

#define LIMIT_MAP(X)                                                       \
	/* key, event, reason, fix */                                      \
	X(CONNECTIONS, REFUSED, "too-many-connections",                    \
	  "raise max_connections of the listener (and the descriptor "     \
	  "limit), or find out who holds them")                            \
	X(CLIENT_CONNECTIONS, REFUSED, "too-many-connections-per-client",  \
	  "raise max_connections_per_client of the listener, or see why "  \
	  "the client opens so many")                                      \
	X(CLIENT_MESSAGES, REJECTED, "too-many-messages-per-client",       \
	  "raise messages_per_minute_per_client of the listener, or see "  \
	  "why the client sends so many")

enum limit {
#define X(name, event, reason, fix) LIMIT_##name,
	LIMIT_MAP(X)
#undef X
};
const char *limit_reason(enum limit limit);
const char *limit_fix(enum limit limit);

struct limits;

/* listener: its name, for the log. */
struct limits *limits_new(struct services *services, const char *listener);
/* Every hold was counted or given back. */
void limits_free(struct limits **limits);

/* May the client send one more message now?  hold_r: client_pace.h.  False with
 * the refusal. */
bool limits_reserve(struct limits *limits,
                    const struct listener_config *config,
                    const struct address *client, struct client_hold *hold_r,
                    struct smtp_reply *refusal_r);
void limits_count(struct limits *limits, struct client_hold *hold);

/* Is this refusal to be logged?  The first is; what else comes in the minute is
 * told at its end in one line, by limits itself. */
bool limits_is_news(struct limits *limits, const struct address *client,
                    enum limit limit);

#endif
