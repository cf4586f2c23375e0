/*
 * stream -- a byte stream to one peer: TCP on libuv, plain or under TLS.
 *
 * Sessions see only this: they never touch a uv handle nor an SSL object, and
 * the same code runs before and after STARTTLS.  stream_close() gives the
 * stream up at once (the pointer becomes NULL, no callback follows); what was
 * written is still sent, for a few seconds at most; the memory goes when libuv
 * has closed the last handle.
 *
 * Memory.  Reading goes through one buffer of the loop's, so an idle stream
 * holds none; what the owner does not take is the owner's to keep.  Writing
 * tries the socket at once and queues only what does not fit.
 *
 * TCP_NODELAY is always on: whoever writes, writes whole flights.
 */
#ifndef RELAY_NET_STREAM_H
#define RELAY_NET_STREAM_H

#include "relay/net/address.h"
#include "relay/net/loop.h"
#include "relay/net/tls_context.h"
#include "relay/net/tls_engine.h"

struct stream;
struct stream_listener;

#define STREAM_END_MAP(X)                                                  \
	X(EOF,     "the peer closed the connection")                       \
	X(RESET,   "the connection was lost")                              \
	X(DNS,     "the host name could not be resolved")                  \
	X(CONNECT, "no connection could be made")                          \
	X(TLS,     "the TLS handshake failed")

enum stream_end {
#define X(name, text) STREAM_END_##name,
	STREAM_END_MAP(X)
#undef X
};
const char *stream_end_text(enum stream_end end);

/* No callback comes from inside a call of the owner's, except that
 * stream_write() may be followed by on_drain in the same turn. */
struct stream_callbacks {
	void (*on_open)(void *owner);               /* connected; NULL if adopted */
	void (*on_secure)(void *owner, const struct tls_peer_info *info);
	void (*on_data)(void *owner, const void *data, size_t len);
	void (*on_drain)(void *owner);              /* room to write again */
	/* The last callback, but the stream is still the owner's to close.
	 * After EOF what is written is still sent, otherwise it is dropped.
	 * why: OpenSSL's, libuv's or the resolver's words, valid during the
	 * call. */
	void (*on_end)(void *owner, enum stream_end end, const char *why);
};

/* Listen on an address.  on_connection receives every new stream, with reading
 * off; it takes it over with stream_adopt(), which turns reading on, or gives
 * it to stream_close().
 * With v6_only an IPv6 wildcard leaves IPv4 to another listener.  NULL with
 * the system's words in *error_r.
 *
 * When the process runs out of descriptors libuv accepts and closes new
 * clients without a word to anybody: the caller's own limit must come first,
 * with a reply that says why. */
typedef void (*stream_connection_cb)(void *ctx, struct stream *stream);
struct stream_listener *
stream_listen(struct loop *loop, const struct address *address, bool v6_only,
              stream_connection_cb on_connection, void *ctx,
              const char **error_r);
/* The address bound, with the port the system chose if 0 was asked for. */
void stream_listener_address(const struct stream_listener *listener,
                             struct address *address_r);
void stream_listener_close(struct stream_listener **listener);

void stream_adopt(struct stream *stream,
                  const struct stream_callbacks *callbacks, void *owner);

/* Resolve and connect: every address is tried in turn, each for connect_ms,
 * the one that served last (*hint, may be NULL, updated before on_open) first.
 * on_end(CONNECT) names each address and what became of it. */
struct stream *stream_connect(struct loop *loop, const char *host,
                              uint16_t port, unsigned connect_ms,
                              struct address *hint,
                              const struct stream_callbacks *callbacks,
                              void *owner);
void stream_close(struct stream **stream);
/* The same with a TCP reset, nothing more sent: for peers that harm, and for
 * practice in being left that way. */
void stream_reset(struct stream **stream);

/* Upgrade in place; on_secure or on_end(TLS) follows.  peer_name NULL: we are
 * the server.  Nothing read before may be left with the owner.  The handshake
 * reads even while the stream is paused; what is written before on_secure is
 * dropped, since nobody could read it. */
void stream_start_tls(struct stream *stream, struct tls_context *context,
                      const char *peer_name);

/* Send the bytes; what the socket does not take now is copied and queued.
 * Returns false above the high-water mark (256 KiB): wait for on_drain. */
bool stream_write(struct stream *stream, const void *data, size_t len);
size_t stream_queued(const struct stream *stream); /* octets not yet sent */
void stream_pause(struct stream *stream);          /* stop reading */
void stream_resume(struct stream *stream);

const struct address *stream_peer(const struct stream *stream);
const struct address *stream_local(const struct stream *stream);
bool stream_is_secure(const struct stream *stream);
/* After on_end(TLS), or of a handshake that takes too long. */
enum tls_failure stream_tls_failure(const struct stream *stream);

#endif
