#include "relay/net/stream.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/xalloc.h"
#include "relay/net/stream_internal.h"

static_assert(sizeof(struct stream) + sizeof(struct socket) < 1024,
              "thousands of idle clients stay small");

enum {
	HIGH_WATER = 256 * 1024, /* of octets queued: the owner should wait */
	LOW_WATER = 64 * 1024,   /* and may go on */
};

const char *stream_end_text(enum stream_end end)
{
	static const char *const texts[] = {
#define X(name, text) [STREAM_END_##name] = text,
		STREAM_END_MAP(X)
#undef X
	};
	return texts[end];
}

/* --- life --------------------------------------------------------------- */

static void run_deferred(void *ctx);

struct stream *stream_new(struct loop *loop)
{
	struct stream *stream = xcalloc(1, sizeof(*stream));

	stream->loop = loop;
	stream->deferred.run = run_deferred;
	stream->deferred.ctx = stream;
	return stream;
}

void stream_enter(struct stream *stream)
{
	stream->busy++;
}

void stream_leave(struct stream *stream)
{
	if (--stream->busy > 0 || !stream->closed)
		return;
	tls_engine_free(&stream->engine);
	free(stream);
}

static bool is_live(const struct stream *stream)
{
	return !stream->closed && !stream->ended;
}

void stream_update_reading(struct stream *stream)
{
	if (!stream->socket)
		return;
	if (is_live(stream) && (!stream->paused || stream->handshaking))
		socket_read_start(stream->socket);
	else
		socket_read_stop(stream->socket);
}

void stream_end_now(struct stream *stream, enum stream_end end, const char *why)
{
	if (!is_live(stream))
		return;
	stream->ended = true;
	stream_update_reading(stream);
	stream->callbacks.on_end(stream->owner, end, why);
}

/* The same from inside a call of the owner's. */
static void end_later(struct stream *stream, enum stream_end end,
                      const char *why)
{
	if (!is_live(stream) || stream->end_pending)
		return;
	stream->end_pending = true;
	stream->end = end;
	stream->why = why;
	loop_defer(stream->loop, &stream->deferred);
}

/* A failed write is no reason to stop reading: the peer's last words, which
 * say why it closed, may still wait there, and the end comes behind them. */
static void write_failed(struct stream *stream, int status)
{
	if (stream->write_status == 0)
		stream->write_status = status;
	if (!stream->socket->reading)
		end_later(stream, STREAM_END_RESET, uv_strerror(status));
}

/* --- TLS ---------------------------------------------------------------- */

static void tls_flush(struct stream *stream)
{
	const void *data;
	size_t len = tls_engine_rec(stream->engine, &data);
	int status;

	if (len == 0)
		return;
	status = socket_write(stream->socket, data, len);
	tls_engine_rec_sent(stream->engine, len);
	if (status != 0)
		write_failed(stream, status);
}

static void tls_handshake(struct stream *stream)
{
	struct tls_peer_info info;
	enum tls_engine_state state = tls_engine_handshake(stream->engine);

	tls_flush(stream);
	if (state == TLS_ENGINE_HANDSHAKE)
		return;
	if (state != TLS_ENGINE_OPEN) {
		stream_end_now(stream, STREAM_END_TLS,
		               tls_engine_error(stream->engine));
		return;
	}
	stream->handshaking = false;
	stream_update_reading(stream);
	tls_engine_peer_info(stream->engine, &info);
	if (stream->callbacks.on_secure)
		stream->callbacks.on_secure(stream->owner, &info);
}

static bool tls_deliver(struct stream *stream)
{
	char *plain = loop_plain_buffer(stream->loop);
	size_t len = tls_engine_get_app(stream->engine, plain,
	                                LOOP_BUFFER_SIZE);

	tls_flush(stream);
	if (len > 0)
		stream->callbacks.on_data(stream->owner, plain, len);
	return len > 0;
}

/* Move on with what has been read: finish the handshake, deliver, notice the
 * end. */
static void tls_pump(struct stream *stream)
{
	if (stream->handshaking)
		tls_handshake(stream);
	if (stream->handshaking)
		return;
	while (is_live(stream) && !stream->paused && tls_deliver(stream))
		;
	if (!is_live(stream))
		return;
	if (tls_engine_state(stream->engine) == TLS_ENGINE_CLOSED)
		stream_end_now(stream, STREAM_END_EOF,
		               stream_end_text(STREAM_END_EOF));
	else if (tls_engine_state(stream->engine) == TLS_ENGINE_FAILED)
		stream_end_now(stream, STREAM_END_TLS,
		               tls_engine_error(stream->engine));
}

void stream_start_tls(struct stream *stream, struct tls_context *context,
                      const char *peer_name)
{
	if (!is_live(stream) || !stream->socket)
		return;
	if (stream->engine)
		loop_check_failed("TLS is started twice on a stream");
	stream->engine = tls_engine_new(context, peer_name);
	stream->handshaking = true;
	if (tls_engine_handshake(stream->engine) == TLS_ENGINE_FAILED)
		end_later(stream, STREAM_END_TLS,
		          tls_engine_error(stream->engine));
	tls_flush(stream);
	stream_update_reading(stream);
}

static void tls_write(struct stream *stream, const char *data, size_t len)
{
	if (stream->handshaking)
		return;
	while (len > 0) {
		size_t taken = tls_engine_put_app(stream->engine, data, len);

		tls_flush(stream);
		if (taken == 0) {
			end_later(stream, STREAM_END_TLS,
			          tls_engine_error(stream->engine));
			return;
		}
		data += taken;
		len -= taken;
	}
}

/* --- what the socket reports -------------------------------------------- */

static void on_read(void *owner, const void *data, size_t len)
{
	struct stream *stream = owner;

	stream_enter(stream);
	if (stream->engine) {
		tls_engine_put_rec(stream->engine, data, len);
		tls_pump(stream);
	} else {
		stream->callbacks.on_data(stream->owner, data, len);
	}
	stream_leave(stream);
}

static void read_ended(struct stream *stream, int status)
{
	bool failed = status != UV_EOF || stream->write_status != 0;
	const char *why = stream_end_text(STREAM_END_EOF);

	if (status != UV_EOF)
		why = uv_strerror(status);
	else if (failed)
		why = uv_strerror(stream->write_status);
	if (stream->handshaking)
		stream_end_now(stream, STREAM_END_TLS, failed ? why
			: "the peer closed the connection during the handshake");
	else
		stream_end_now(stream,
		               failed ? STREAM_END_RESET : STREAM_END_EOF, why);
}

static void on_read_end(void *owner, int status)
{
	struct stream *stream = owner;

	stream_enter(stream);
	if (stream->engine && !stream->handshaking)
		tls_pump(stream);
	read_ended(stream, status);
	stream_leave(stream);
}

static void on_write_error(void *owner, int status)
{
	write_failed(owner, status);
}

static void on_written(void *owner)
{
	struct stream *stream = owner;

	if (!stream->wants_drain || !is_live(stream) ||
	    stream->socket->queued > LOW_WATER)
		return;
	stream->wants_drain = false;
	stream_enter(stream);
	if (stream->callbacks.on_drain)
		stream->callbacks.on_drain(stream->owner);
	stream_leave(stream);
}

static const struct socket_callbacks socket_callbacks = {
	.on_read = on_read,
	.on_read_end = on_read_end,
	.on_write_error = on_write_error,
	.on_written = on_written,
};

void stream_take_socket(struct stream *stream, struct socket *socket)
{
	socket->callbacks = &socket_callbacks;
	socket->owner = stream;
	stream->socket = socket;
}

/* What a call of the owner's has left to be told. */
static void run_deferred(void *ctx)
{
	struct stream *stream = ctx;

	stream_enter(stream);
	if (stream->end_pending)
		stream_end_now(stream, stream->end, stream->why);
	else if (stream->engine && is_live(stream))
		tls_pump(stream);
	stream_leave(stream);
}

/* --- what the owner asks for -------------------------------------------- */

void stream_adopt(struct stream *stream,
                  const struct stream_callbacks *callbacks, void *owner)
{
	stream->callbacks = *callbacks;
	stream->owner = owner;
	stream->paused = false;
	stream_update_reading(stream);
}

static void give_up(struct stream *stream)
{
	stream->closed = true;
	loop_undefer(&stream->deferred);
	connector_free(&stream->connector);
	stream_enter(stream);
	stream_leave(stream);
}

void stream_close(struct stream **stream_ptr)
{
	struct stream *stream = *stream_ptr;

	if (!stream)
		return;
	*stream_ptr = NULL;
	if (stream->engine && !stream->handshaking) {
		tls_engine_close(stream->engine);
		tls_flush(stream);
	}
	socket_close(&stream->socket);
	give_up(stream);
}

void stream_reset(struct stream **stream_ptr)
{
	struct stream *stream = *stream_ptr;

	if (!stream)
		return;
	*stream_ptr = NULL;
	socket_reset(&stream->socket);
	give_up(stream);
}

bool stream_write(struct stream *stream, const void *data, size_t len)
{
	int status = 0;

	if (!stream->socket)
		return true;
	if (stream->engine)
		tls_write(stream, data, len);
	else
		status = socket_write(stream->socket, data, len);
	if (status != 0)
		write_failed(stream, status);
	if (stream->socket->queued <= HIGH_WATER)
		return true;
	stream->wants_drain = true;
	return false;
}

size_t stream_queued(const struct stream *stream)
{
	return stream->socket ? stream->socket->queued : 0;
}

void stream_pause(struct stream *stream)
{
	stream->paused = true;
	stream_update_reading(stream);
	/* With reading off nothing else would tell. */
	if (stream->write_status != 0)
		write_failed(stream, stream->write_status);
}

void stream_resume(struct stream *stream)
{
	if (!stream->paused)
		return;
	stream->paused = false;
	stream_update_reading(stream);
	if (stream->engine && is_live(stream))
		loop_defer(stream->loop, &stream->deferred);
}

const struct address *stream_peer(const struct stream *stream)
{
	return &stream->peer;
}

const struct address *stream_local(const struct stream *stream)
{
	struct stream *known = (struct stream *)stream;

	if (!stream->local_known && stream->socket) {
		socket_local(stream->socket, &known->local);
		known->local_known = true;
	}
	return &stream->local;
}

bool stream_is_secure(const struct stream *stream)
{
	return stream->engine && !stream->handshaking;
}

enum tls_failure stream_tls_failure(const struct stream *stream)
{
	return stream->engine ? tls_engine_failure(stream->engine)
	                      : TLS_FAILURE_NONE;
}
