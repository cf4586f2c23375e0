/*
 * socket -- one TCP handle of libuv's, from its birth to its last callback.
 *
 * The lower half of a stream, internal to net/.  It is a heap object of its
 * own, so that a stream may vanish at once while the handle takes the turns of
 * the loop it needs: socket_close() cuts the tie to the owner, then
 *
 *     OPEN --> FLUSHING   what was written goes out, then FIN
 *          --> LINGERING  what the peer still sends is thrown away until it
 *                         closes too; closing over unread bytes would send a
 *                         reset, which destroys our last reply on its way
 *          --> CLOSING    uv_close(); freed in the close callback, which
 *                         libuv calls after those of all requests
 *
 * The first two together take LINGER_MS at most, and are skipped where they
 * cannot help.
 */
#ifndef RELAY_NET_SOCKET_H
#define RELAY_NET_SOCKET_H

#include <stdbool.h>
#include "relay/net/address.h"
#include "relay/net/loop_internal.h"

enum socket_state {
	SOCKET_OPEN,
	SOCKET_FLUSHING,
	SOCKET_LINGERING,
	SOCKET_CLOSING,
};

struct socket_callbacks {
	void (*on_connect)(void *owner, int status);
	void (*on_read)(void *owner, const void *data, size_t len);
	/* Nothing more will be read: UV_EOF or what went wrong. */
	void (*on_read_end)(void *owner, int status);
	void (*on_write_error)(void *owner, int status);
	void (*on_written)(void *owner); /* some of the queue has gone */
};

struct socket {
	struct ring ring;          /* in loop->lingering; must be first */
	uv_tcp_t tcp;
	struct loop *loop;
	const struct socket_callbacks *callbacks;
	void *owner;               /* NULL: given up */
	uint64_t linger_until;
	size_t queued;             /* octets libuv has still to send */
	enum socket_state state;
	bool connected, reading;
	bool read_ended;           /* the peer has closed, or is lost */
	bool write_failed;         /* what is written from now on is dropped */
};

struct socket *socket_new(struct loop *loop,
                          const struct socket_callbacks *callbacks,
                          void *owner);
/* Take a connection from a listening handle; 0 or a libuv error. */
int socket_accept(struct socket *socket, uv_stream_t *listener,
                  struct address *peer_r);
/* on_connect follows if 0 is returned. */
int socket_connect(struct socket *socket, const struct address *to);
void socket_local(const struct socket *socket, struct address *address_r);

void socket_read_start(struct socket *socket);
void socket_read_stop(struct socket *socket);
/* Send now what the kernel takes, queue a copy of the rest.  No callback comes
 * from inside; 0, or the error that on_write_error would have brought. */
int socket_write(struct socket *socket, const void *data, size_t len);

void socket_close(struct socket **socket);
void socket_reset(struct socket **socket); /* RST, nothing more is sent */

#endif
