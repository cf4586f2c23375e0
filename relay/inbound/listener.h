/*
 * listener -- the sockets that devices connect to, and who gets in.
 *
 * One is made for each [listener] section; it binds every address of it, or
 * none.  A new connection is looked up in allow and deny (access.h), then in
 * the caps; who stays outside is told why in one line, and the log names the
 * configuration that would let it in.  Caps: max_connections of the listener,
 * max_connections_per_client, and what the descriptor limit leaves after the
 * spool and the providers have theirs.
 *
 * RFC 5321 3.1 (554 greeting), 3.8 (421).
 */
#ifndef RELAY_INBOUND_LISTENER_H
#define RELAY_INBOUND_LISTENER_H

#include "relay/config/config.h"
#include "relay/services.h"

struct listener;

/* NULL with a sentence in *error_r (thread-local): which address, why, what to
 * do.  config: the section as it is now; allow, deny and caps are read afresh
 * from services->config for each connection. */
struct listener *listener_open(struct services *services,
                               const struct listener_config *config,
                               const char **error_r);
/* Read certificate and logins (listener_files.h) as config says, at start and
 * at a reload; what was read is put to use by the second, which says so in the
 * log.  False with a sentence in *error_r, and nothing has changed. */
bool listener_load_files(struct listener *listener, const struct config *config,
                         const char **error_r);
void listener_take_files(struct listener *listener);
/* No new connections; the sessions drain (now: at once). */
void listener_drain(struct listener *listener, bool now);
size_t listener_sessions(const struct listener *listener);
/* When the last session has gone after listener_drain(). */
void listener_on_empty(struct listener *listener, void (*on_empty)(void *ctx),
                       void *ctx);
/* Sessions that are left are cut. */
void listener_free(struct listener **listener);

/* How many sessions all listeners together may hold. */
void listener_set_global_cap(size_t cap);

#endif
