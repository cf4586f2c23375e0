/*
 * stream_internal -- the stream as stream.c, stream_listen.c and
 * stream_connect.c see it.
 *
 * Whoever calls one of the owner's callbacks wraps that in stream_enter() and
 * stream_leave(), and looks at closed afterwards: the owner may have given the
 * stream up, and then it goes with the last stream_leave().
 */
#ifndef RELAY_NET_STREAM_INTERNAL_H
#define RELAY_NET_STREAM_INTERNAL_H

#include "relay/net/socket.h"
#include "relay/net/stream.h"

struct connector; /* stream_connect.c */

struct stream {
	struct loop *loop;
	struct socket *socket;       /* NULL until connected */
	struct tls_engine *engine;   /* NULL: plain */
	struct connector *connector; /* NULL but while connecting */
	struct stream_callbacks callbacks;
	void *owner;
	struct address peer, local;
	struct deferred deferred;
	const char *why;             /* of a pending end */
	enum stream_end end;
	int write_status;            /* libuv's error, 0: none yet */
	unsigned busy;
	bool closed, ended, end_pending;
	bool handshaking, paused, wants_drain, local_known;
};

struct stream *stream_new(struct loop *loop);
void stream_enter(struct stream *stream);
void stream_leave(struct stream *stream);
/* A connected socket becomes the stream's. */
void stream_take_socket(struct stream *stream, struct socket *socket);
void stream_update_reading(struct stream *stream);
/* on_end, from a callback of libuv's; why: valid during the call. */
void stream_end_now(struct stream *stream, enum stream_end end,
                    const char *why);

void connector_free(struct connector **connector);

#endif
