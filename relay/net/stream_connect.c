#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/buf.h"
#include "proto/xalloc.h"
#include "relay/net/resolve.h"
#include "relay/net/stream_internal.h"

enum { FAILURES_MAX = 600 }; /* octets of words about addresses tried */

/* The way to a connection: resolve, then one address after the other. */
struct connector {
	struct stream *stream;
	struct resolve *resolve;
	char *host;
	struct address *addresses, *hint;
	size_t count, next;
	struct socket *socket; /* of the attempt under way */
	struct timer *timer;
	unsigned connect_ms;
	struct buf failures;
};

static void try_next(struct connector *connector);

static const struct address *present(const struct connector *connector)
{
	return &connector->addresses[connector->next - 1];
}

static void note_failure(struct connector *connector, const char *why)
{
	char address[ADDRESS_TEXT_MAX];
	struct buf *failures = &connector->failures;

	timer_stop(connector->timer);
	socket_close(&connector->socket);
	buf_printf(failures, "%s%s: %s", buf_len(failures) ? "; " : "",
	           address_print_port(present(connector), address), why);
}

static void give_up(struct connector *connector, enum stream_end end,
                    const char *why)
{
	struct stream *stream = connector->stream;
	char *copy = xstrdup(why);

	stream_enter(stream);
	connector_free(&stream->connector);
	stream_end_now(stream, end, copy);
	free(copy);
	stream_leave(stream);
}

static void succeed(struct connector *connector)
{
	struct stream *stream = connector->stream;

	stream_enter(stream);
	stream->peer = *present(connector);
	if (connector->hint)
		*connector->hint = stream->peer;
	stream_take_socket(stream, connector->socket);
	connector->socket = NULL;
	connector_free(&stream->connector);
	stream_update_reading(stream);
	stream->callbacks.on_open(stream->owner);
	stream_leave(stream);
}

static void on_connect(void *owner, int status)
{
	struct connector *connector = owner;

	if (status == 0) {
		succeed(connector);
		return;
	}
	note_failure(connector, uv_strerror(status));
	try_next(connector);
}

static void on_time_out(void *ctx)
{
	struct connector *connector = ctx;
	char why[48];

	snprintf(why, sizeof(why), "no answer within %u.%u s",
	         connector->connect_ms / 1000,
	         connector->connect_ms % 1000 / 100);
	note_failure(connector, why);
	try_next(connector);
}

static const struct socket_callbacks callbacks = { .on_connect = on_connect };

static void try_next(struct connector *connector)
{
	while (connector->next < connector->count) {
		int status;

		connector->next++;
		connector->socket = socket_new(connector->stream->loop,
		                               &callbacks, connector);
		status = socket_connect(connector->socket, present(connector));
		if (status == 0) {
			timer_start(connector->timer, connector->connect_ms);
			return;
		}
		note_failure(connector, uv_strerror(status));
	}
	give_up(connector, STREAM_END_CONNECT,
	        buf_string(&connector->failures));
}

/* The address that served last goes first. */
static void put_hint_first(struct connector *connector)
{
	struct address *list = connector->addresses;

	for (size_t i = 1; connector->hint && i < connector->count; i++) {
		struct address found = list[i];

		if (!address_same_host(&found, connector->hint))
			continue;
		memmove(list + 1, list, i * sizeof(*list));
		list[0] = found;
		return;
	}
}

static void on_resolved(void *ctx, const struct resolve_result *result)
{
	struct connector *connector = ctx;
	size_t size = result->count * sizeof(*result->addresses);

	connector->resolve = NULL;
	if (result->error) {
		buf_printf(&connector->failures, "%s: %s", connector->host,
		           result->error);
		give_up(connector, STREAM_END_DNS,
		        buf_string(&connector->failures));
		return;
	}
	connector->addresses = xmalloc(size);
	memcpy(connector->addresses, result->addresses, size);
	connector->count = result->count;
	put_hint_first(connector);
	try_next(connector);
}

struct stream *stream_connect(struct loop *loop, const char *host,
                              uint16_t port, unsigned connect_ms,
                              struct address *hint,
                              const struct stream_callbacks *stream_callbacks,
                              void *owner)
{
	struct stream *stream = stream_new(loop);
	struct connector *connector = xcalloc(1, sizeof(*connector));

	stream->callbacks = *stream_callbacks;
	stream->owner = owner;
	stream->connector = connector;
	connector->stream = stream;
	connector->host = xstrdup(host);
	connector->hint = hint;
	connector->connect_ms = connect_ms;
	connector->timer = timer_new(loop, on_time_out, connector);
	buf_init(&connector->failures, FAILURES_MAX);
	connector->resolve = resolve_start(loop, host, port, on_resolved,
	                                   connector);
	return stream;
}

void connector_free(struct connector **connector_ptr)
{
	struct connector *connector = *connector_ptr;

	if (!connector)
		return;
	*connector_ptr = NULL;
	resolve_cancel(&connector->resolve);
	socket_close(&connector->socket);
	timer_free(&connector->timer);
	buf_free(&connector->failures);
	free(connector->addresses);
	free(connector->host);
	free(connector);
}
