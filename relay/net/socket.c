#include "relay/net/socket.h"

#include <stdlib.h>
#include <string.h>

#include "proto/xalloc.h"

enum {
	LINGER_MS = 5000,
	LINGER_SOCKETS_MAX = 512, /* beyond that, close without waiting */
	KEEPALIVE_S = 60,
};

struct write {
	uv_write_t uv;
	size_t len;
	char data[];
};

static void closed(uv_handle_t *handle)
{
	free(handle->data);
}

/* The one way out of every state. */
static void close_handle(struct socket *socket)
{
	if (socket->state == SOCKET_CLOSING)
		return;
	if (socket->ring.next) {
		ring_remove(&socket->ring);
		if (--socket->loop->lingering_count == 0)
			uv_timer_stop(&socket->loop->linger_timer);
	}
	socket->state = SOCKET_CLOSING;
	socket->owner = NULL;
	uv_close((uv_handle_t *)&socket->tcp, closed);
}

struct socket *socket_new(struct loop *loop,
                          const struct socket_callbacks *callbacks,
                          void *owner)
{
	struct socket *socket = xcalloc(1, sizeof(*socket));

	uv_tcp_init(&loop->uv, &socket->tcp);
	socket->tcp.data = socket;
	socket->loop = loop;
	socket->callbacks = callbacks;
	socket->owner = owner;
	return socket;
}

/* --- coming to be ------------------------------------------------------- */

int socket_accept(struct socket *socket, uv_stream_t *listener,
                  struct address *peer_r)
{
	struct sockaddr_storage name;
	int len = sizeof(name);
	int status = uv_accept(listener, (uv_stream_t *)&socket->tcp);

	if (status != 0)
		return status;
	status = uv_tcp_getpeername(&socket->tcp, (struct sockaddr *)&name,
	                            &len);
	if (status != 0)
		return status; /* gone again already */
	address_from_sockaddr((struct sockaddr *)&name, peer_r);
	uv_tcp_nodelay(&socket->tcp, 1);
	socket->connected = true;
	return 0;
}

static void connect_done(uv_connect_t *request, int status)
{
	struct socket *socket = request->handle->data;

	free(request);
	if (!socket->owner)
		return;
	if (status == 0) {
		socket->connected = true;
		uv_tcp_nodelay(&socket->tcp, 1);
		uv_tcp_keepalive(&socket->tcp, 1, KEEPALIVE_S);
	}
	socket->callbacks->on_connect(socket->owner, status);
}

int socket_connect(struct socket *socket, const struct address *to)
{
	struct sockaddr_storage name;
	uv_connect_t *request = xmalloc(sizeof(*request));
	int status;

	address_to_sockaddr(to, &name);
	status = uv_tcp_connect(request, &socket->tcp,
	                        (const struct sockaddr *)&name, connect_done);
	if (status != 0)
		free(request);
	return status;
}

void socket_local(const struct socket *socket, struct address *address_r)
{
	struct sockaddr_storage name;
	int len = sizeof(name);

	memset(&name, 0, sizeof(name));
	uv_tcp_getsockname(&socket->tcp, (struct sockaddr *)&name, &len);
	address_from_sockaddr((struct sockaddr *)&name, address_r);
}

/* --- reading ------------------------------------------------------------ */

static void lend_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct socket *socket = handle->data;

	(void)suggested;
	*buf = uv_buf_init(loop_wire_buffer(socket->loop), LOOP_BUFFER_SIZE);
}

static void read_done(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
	struct socket *socket = stream->data;

	if (nread == 0)
		return; /* EAGAIN */
	if (nread > 0) {
		if (socket->owner)
			socket->callbacks->on_read(socket->owner, buf->base,
			                           (size_t)nread);
		return; /* without an owner: thrown away */
	}
	socket_read_stop(socket);
	socket->read_ended = true;
	if (socket->owner)
		socket->callbacks->on_read_end(socket->owner, (int)nread);
	else if (nread != UV_EOF || socket->state == SOCKET_LINGERING)
		close_handle(socket);
}

void socket_read_start(struct socket *socket)
{
	if (socket->reading || socket->read_ended)
		return;
	socket->reading = true;
	uv_read_start((uv_stream_t *)&socket->tcp, lend_buffer, read_done);
}

void socket_read_stop(struct socket *socket)
{
	if (socket->reading)
		uv_read_stop((uv_stream_t *)&socket->tcp);
	socket->reading = false;
}

/* --- writing ------------------------------------------------------------ */

static void write_done(uv_write_t *request, int status)
{
	struct write *write = (struct write *)request;
	struct socket *socket = request->handle->data;
	bool news = status != 0 && !socket->write_failed;

	socket->queued -= write->len;
	free(write);
	if (status != 0)
		socket->write_failed = true;
	if (socket->state == SOCKET_CLOSING)
		return;
	if (!socket->owner) {
		if (status != 0)
			close_handle(socket);
		return;
	}
	if (news)
		socket->callbacks->on_write_error(socket->owner, status);
	else if (status == 0)
		socket->callbacks->on_written(socket->owner);
}

static int queue_write(struct socket *socket, const char *data, size_t len)
{
	struct write *write = xmalloc(sizeof(*write) + len);
	uv_buf_t buf = uv_buf_init(write->data, (unsigned)len);
	int status;

	memcpy(write->data, data, len);
	write->len = len;
	status = uv_write(&write->uv, (uv_stream_t *)&socket->tcp, &buf, 1,
	                  write_done);
	if (status == 0)
		socket->queued += len;
	else
		free(write);
	return status;
}

static int write_some(struct socket *socket, const char *data, size_t len)
{
	uv_buf_t buf = uv_buf_init((char *)data, (unsigned)len);
	int sent = 0;

	if (socket->queued == 0)
		sent = uv_try_write((uv_stream_t *)&socket->tcp, &buf, 1);
	if (sent == UV_EAGAIN)
		sent = 0;
	if (sent < 0)
		return sent;
	if ((size_t)sent == len)
		return 0;
	return queue_write(socket, data + sent, len - (size_t)sent);
}

int socket_write(struct socket *socket, const void *data, size_t len)
{
	int status;

	if (len == 0 || socket->write_failed || !socket->connected)
		return 0;
	status = write_some(socket, data, len);
	if (status != 0)
		socket->write_failed = true;
	return status;
}

/* --- the end ------------------------------------------------------------ */

static void linger_expired(uv_timer_t *timer);

/* All linger for the same time, so the first in the ring is the next due. */
static void linger_schedule(struct loop *loop)
{
	struct socket *first = (void *)loop->lingering.next;
	uint64_t now = uv_now(&loop->uv);

	if (ring_is_empty(&loop->lingering))
		uv_timer_stop(&loop->linger_timer);
	else
		uv_timer_start(&loop->linger_timer, linger_expired,
		               first->linger_until > now
		                       ? first->linger_until - now : 0, 0);
}

static void linger_expired(uv_timer_t *timer)
{
	struct loop *loop = timer->data;
	struct ring *at = loop->lingering.next, *next;

	for (; at != &loop->lingering; at = next) {
		struct socket *socket = (void *)at;

		next = at->next;
		if (socket->linger_until > uv_now(&loop->uv))
			break;
		close_handle(socket);
	}
	linger_schedule(loop);
}

/* The loop ends: what is still to be sent may go, waiting for peers to close
 * may not. */
static void linger_hurry(struct loop *loop)
{
	struct ring *at = loop->lingering.next, *next;

	for (; at != &loop->lingering; at = next) {
		struct socket *socket = (void *)at;

		next = at->next;
		if (socket->state == SOCKET_LINGERING)
			close_handle(socket);
		else
			socket->read_ended = true;
	}
}

static void shutdown_done(uv_shutdown_t *request, int status)
{
	struct socket *socket = request->handle->data;

	free(request);
	if (socket->state != SOCKET_FLUSHING)
		return;
	socket->state = SOCKET_LINGERING;
	if (status != 0 || socket->read_ended ||
	    socket->loop->lingering_count > LINGER_SOCKETS_MAX)
		close_handle(socket);
}

static void finish(struct socket *socket)
{
	struct loop *loop = socket->loop;
	uv_shutdown_t *request = xmalloc(sizeof(*request));

	socket->state = SOCKET_FLUSHING;
	if (uv_shutdown(request, (uv_stream_t *)&socket->tcp,
	                shutdown_done) != 0) {
		free(request);
		close_handle(socket);
		return;
	}
	loop->linger_hurry = linger_hurry;
	socket->linger_until = uv_now(&loop->uv) + LINGER_MS;
	ring_append(&loop->lingering, &socket->ring);
	loop->lingering_count++;
	if (!uv_is_active((uv_handle_t *)&loop->linger_timer))
		linger_schedule(loop);
	socket_read_start(socket);
}

void socket_close(struct socket **socket_ptr)
{
	struct socket *socket = *socket_ptr;

	if (!socket)
		return;
	*socket_ptr = NULL;
	socket->owner = NULL;
	if (!socket->connected || socket->write_failed ||
	    (socket->read_ended && socket->queued == 0))
		close_handle(socket);
	else
		finish(socket);
}

void socket_reset(struct socket **socket_ptr)
{
	struct socket *socket = *socket_ptr;

	if (!socket)
		return;
	*socket_ptr = NULL;
	socket->owner = NULL;
	if (uv_tcp_close_reset(&socket->tcp, closed) == 0)
		socket->state = SOCKET_CLOSING;
	else
		close_handle(socket);
}
