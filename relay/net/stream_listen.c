#include <stdlib.h>

#include "proto/xalloc.h"
#include "relay/net/stream_internal.h"

enum { LISTEN_BACKLOG = 1024 }; /* the kernel cuts it to its own maximum */

struct stream_listener {
	uv_tcp_t tcp;
	struct loop *loop;
	stream_connection_cb on_connection;
	void *ctx;
};

static void listener_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void connection_came(uv_stream_t *tcp, int status)
{
	struct stream_listener *listener = tcp->data;
	struct stream *stream;
	struct socket *socket;

	if (status != 0)
		return; /* that client is gone, or the kernel out of memory */
	stream = stream_new(listener->loop);
	stream->paused = true;
	socket = socket_new(listener->loop, NULL, NULL);
	stream_take_socket(stream, socket);
	if (socket_accept(socket, tcp, &stream->peer) != 0)
		stream_close(&stream);
	else
		listener->on_connection(listener->ctx, stream);
}

static int listen_on(struct stream_listener *listener,
                     const struct address *address, bool v6_only)
{
	struct sockaddr_storage name;
	unsigned flags = address->is_v6 && v6_only ? UV_TCP_IPV6ONLY : 0;
	int status;

	address_to_sockaddr(address, &name);
	status = uv_tcp_bind(&listener->tcp, (const struct sockaddr *)&name,
	                     flags);
	if (status != 0)
		return status;
	return uv_listen((uv_stream_t *)&listener->tcp, LISTEN_BACKLOG,
	                 connection_came);
}

struct stream_listener *
stream_listen(struct loop *loop, const struct address *address, bool v6_only,
              stream_connection_cb on_connection, void *ctx,
              const char **error_r)
{
	struct stream_listener *listener = xcalloc(1, sizeof(*listener));
	int status;

	uv_tcp_init(&loop->uv, &listener->tcp);
	listener->tcp.data = listener;
	listener->loop = loop;
	listener->on_connection = on_connection;
	listener->ctx = ctx;
	status = listen_on(listener, address, v6_only);
	if (status == 0)
		return listener;
	*error_r = uv_strerror(status);
	stream_listener_close(&listener);
	return NULL;
}

void stream_listener_address(const struct stream_listener *listener,
                             struct address *address_r)
{
	struct sockaddr_storage name = { 0 };
	int len = sizeof(name);

	uv_tcp_getsockname(&listener->tcp, (struct sockaddr *)&name, &len);
	address_from_sockaddr((struct sockaddr *)&name, address_r);
}

void stream_listener_close(struct stream_listener **listener)
{
	if (*listener)
		uv_close((uv_handle_t *)&(*listener)->tcp, listener_closed);
	*listener = NULL;
}
