#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "proto/buf.h"
#include "proto/xalloc.h"
#include "relay/net/resolve.h"
#include "relay/net/stream.h"
#include "tests/support/certs.h"
#include "tests/support/tempdir.h"

enum {
	DEADLINE_S = 60,            /* of one test: then SIGALRM ends it all */
	PATIENCE_MS = 10000,        /* for connections that succeed at once */
	HIGH_WATER = 256 * 1024,    /* as stream.h says */
};

/* --- a resolver that says what a test wants to hear ---------------------- */

/* It stands in for relay/net/resolve.c, which has a test of its own. */
static struct {
	struct address addresses[4];
	size_t count;
	const char *error;
} dns;

struct resolve {
	struct timer *timer;
	struct address literal;
	bool is_literal;
	resolve_cb done;
	void *ctx;
};

static void resolved(void *ctx)
{
	struct resolve *resolve = ctx, copy = *resolve;
	struct resolve_result result = { dns.addresses, dns.count, dns.error,
	                                 dns.error != NULL };

	if (copy.is_literal)
		result = (struct resolve_result){ &copy.literal, 1, NULL,
		                                  false };
	resolve_cancel(&resolve);
	copy.done(copy.ctx, &result);
}

struct resolve *resolve_start(struct loop *loop, const char *host,
                              uint16_t port, resolve_cb done, void *ctx)
{
	struct resolve *resolve = xcalloc(1, sizeof(*resolve));

	resolve->timer = timer_new(loop, resolved, resolve);
	resolve->is_literal = address_parse(text_of(host), &resolve->literal);
	resolve->literal.port = port;
	resolve->done = done;
	resolve->ctx = ctx;
	timer_start(resolve->timer, 0);
	return resolve;
}

void resolve_cancel(struct resolve **resolve)
{
	if (!*resolve)
		return;
	timer_free(&(*resolve)->timer);
	free(*resolve);
	*resolve = NULL;
}

/* --- two parties and what happens to them ------------------------------- */

#define MOMENT_MAP(X) X(OPEN) X(SECURE) X(DATA) X(DRAIN) X(END)
enum moment {
#define X(name) MOMENT_##name,
	MOMENT_MAP(X)
#undef X
	MOMENTS
};
static const char *const moment_names[] = {
#define X(name) #name,
	MOMENT_MAP(X)
#undef X
};

struct party {
	struct stream *stream;
	struct world *world;
	/* What it does at each moment; by default it closes at the end. */
	void (*act)(struct party *party, enum moment moment);
	unsigned seen[MOMENTS];
	struct buf got;
	enum stream_end end;
	char why[400], subject[80];
	bool verified, gone;
	size_t sent, goal, most_queued;
	struct timer *timer;
};

struct world {
	struct loop *loop;
	struct stream_listener *listener;
	struct address address;
	struct party client, server;
	struct tls_context *client_tls, *server_tls;
	enum moment close_at;
	bool tls, reset;
};

static void leave(struct party *party)
{
	if (party->world->reset)
		stream_reset(&party->stream);
	else
		stream_close(&party->stream);
	party->gone = true;
	timer_free(&party->timer);
	if (party == &party->world->server)
		stream_listener_close(&party->world->listener);
}

static void moment_came(struct party *party, enum moment moment)
{
	if (party->gone)
		fail_msg("%s after the stream was closed",
		         moment_names[moment]);
	if (party->seen[MOMENT_END] > 0)
		fail_msg("%s after the end", moment_names[moment]);
	party->seen[moment]++;
	if (party->act)
		party->act(party, moment);
	if (moment == MOMENT_END && !party->gone)
		leave(party);
}

static void on_open(void *owner)
{
	moment_came(owner, MOMENT_OPEN);
}

static void on_secure(void *owner, const struct tls_peer_info *info)
{
	struct party *party = owner;

	snprintf(party->subject, sizeof(party->subject), "%s",
	         info->subject ? info->subject : "");
	party->verified = info->verified;
	moment_came(party, MOMENT_SECURE);
}

static void on_data(void *owner, const void *data, size_t len)
{
	struct party *party = owner;

	assert_true(len > 0);
	buf_append(&party->got, data, len);
	moment_came(party, MOMENT_DATA);
}

static void on_drain(void *owner)
{
	moment_came(owner, MOMENT_DRAIN);
}

static void on_end(void *owner, enum stream_end end, const char *why)
{
	struct party *party = owner;

	party->end = end;
	snprintf(party->why, sizeof(party->why), "%s", why);
	moment_came(party, MOMENT_END);
}

static const struct stream_callbacks callbacks = {
	on_open, on_secure, on_data, on_drain, on_end,
};

static void on_connection(void *ctx, struct stream *stream)
{
	struct world *world = ctx;

	assert_null(world->server.stream);
	world->server.stream = stream;
	stream_adopt(stream, &callbacks, &world->server);
	moment_came(&world->server, MOMENT_OPEN);
}

static struct address loopback(const char *text)
{
	struct address address;

	assert_true(address_parse(text_of(text), &address));
	return address;
}

static void world_open(struct world *world)
{
	struct address any_port = loopback("127.0.0.1");
	const char *error = NULL;

	memset(world, 0, sizeof(*world));
	world->loop = loop_new();
	world->listener = stream_listen(world->loop, &any_port, false,
	                                on_connection, world, &error);
	if (!world->listener)
		fail_msg("%s", error);
	stream_listener_address(world->listener, &world->address);
	world->client.world = world->server.world = world;
	buf_init(&world->client.got, 64 << 20);
	buf_init(&world->server.got, 64 << 20);
}

static void world_connect(struct world *world, const char *host)
{
	world->client.stream = stream_connect(world->loop, host,
	                                      world->address.port, PATIENCE_MS,
	                                      NULL, &callbacks, &world->client);
}

static void world_close(struct world *world)
{
	stream_listener_close(&world->listener);
	tls_context_unref(&world->client_tls);
	tls_context_unref(&world->server_tls);
	loop_free(&world->loop);
	buf_free(&world->client.got);
	buf_free(&world->server.got);
}

/* Connect and let both parties act until everything is closed. */
static void world_run(struct world *world)
{
	world_connect(world, "127.0.0.1");
	loop_run(world->loop);
	assert_null(world->client.stream);
}

static void assert_got(const struct party *party, const char *words)
{
	struct text got = buf_text(&party->got);

	assert_int_equal(got.len, strlen(words));
	assert_memory_equal(got.data, words, got.len);
}

static void say(struct party *party, const char *words)
{
	stream_write(party->stream, words, strlen(words));
}

/* --- certificates ------------------------------------------------------- */

static struct cert *ca, *stranger_ca;

static void write_cert(const struct cert *issuer)
{
	struct cert *cert = cert_new(&(struct cert_settings){
		.common_name = "practice", .issuer = issuer,
		.names = "IP:127.0.0.1,DNS:localhost" });

	cert_write(cert, tempdir_path("cert.pem"));
	cert_write_key(cert, tempdir_path("key.pem"));
	cert_free(&cert);
}

static void use_tls(struct world *world, const struct cert *issuer)
{
	struct tls_client_settings client = { .ca_file =
		                                      tempdir_path("ca.pem") };
	struct tls_server_settings server = {
		.cert_file = tempdir_path("cert.pem"),
		.key_file = tempdir_path("key.pem"),
	};
	const char *error = NULL;

	write_cert(issuer);
	world->tls = true;
	world->client_tls = tls_context_client(&client, &error);
	world->server_tls = tls_context_server(&server, &error);
	if (!world->client_tls || !world->server_tls)
		fail_msg("%s", error);
}

/* --- plain talk --------------------------------------------------------- */

static void greet(struct party *party, enum moment moment)
{
	if (moment == MOMENT_OPEN)
		say(party, "220 hello\r\n");
}

static void answer_once(struct party *party, enum moment moment)
{
	if (moment != MOMENT_DATA)
		return;
	say(party, "QUIT\r\n");
	leave(party);
}

static void test_greeting_answer_and_end(void **state)
{
	struct world world;

	(void)state;
	world_open(&world);
	world.server.act = greet;
	world.client.act = answer_once;
	world_run(&world);
	assert_got(&world.client, "220 hello\r\n");
	assert_got(&world.server, "QUIT\r\n");
	assert_int_equal(world.client.seen[MOMENT_END], 0);
	assert_int_equal(world.server.seen[MOMENT_END], 1);
	assert_int_equal(world.server.end, STREAM_END_EOF);
	world_close(&world);
}

static void check_addresses(struct party *party, enum moment moment)
{
	struct world *world = party->world;

	if (moment != MOMENT_DATA)
		return;
	assert_int_equal(stream_peer(party->stream)->port,
	                 world->address.port);
	assert_true(address_same_host(stream_peer(party->stream),
	                              &world->address));
	assert_int_equal(stream_local(party->stream)->port,
	                 stream_peer(world->server.stream)->port);
	assert_int_equal(stream_local(world->server.stream)->port,
	                 world->address.port);
	assert_false(stream_is_secure(party->stream));
	leave(party);
}

static void test_both_sides_know_their_addresses(void **state)
{
	struct world world;

	(void)state;
	world_open(&world);
	world.server.act = greet;
	world.client.act = check_addresses;
	world_run(&world);
	assert_int_equal(world.client.seen[MOMENT_DATA], 1);
	world_close(&world);
}

/* --- close from inside every callback ----------------------------------- */

/* Enough to fill every buffer on the way, so that on_drain comes. */
static void write_a_lot(struct party *party)
{
	char *lot = xcalloc(1, 8 << 20);

	stream_write(party->stream, lot, 8 << 20);
	free(lot);
}

static void start_tls(struct party *party)
{
	struct world *world = party->world;

	if (party == &world->client)
		stream_start_tls(party->stream, world->client_tls, "localhost");
	else
		stream_start_tls(party->stream, world->server_tls, NULL);
}

static void play(struct party *party, enum moment moment)
{
	struct world *world = party->world;
	bool ready = moment == (world->tls ? MOMENT_SECURE : MOMENT_OPEN);

	if (moment == MOMENT_OPEN && world->tls)
		start_tls(party);
	if (ready)
		write_a_lot(party);
}

static void play_and_close(struct party *party, enum moment moment)
{
	play(party, moment);
	if (moment == party->world->close_at)
		leave(party);
}

static void close_in(bool tls, bool reset, bool by_client, enum moment moment)
{
	struct world world;
	struct party *closer, *other;

	world_open(&world);
	closer = by_client ? &world.client : &world.server;
	other = by_client ? &world.server : &world.client;
	if (tls)
		use_tls(&world, ca);
	world.reset = reset;
	world.close_at = moment;
	closer->act = play_and_close;
	other->act = play;
	/* The end must come to somebody for it to be closed in. */
	if (moment == MOMENT_END) {
		world.close_at = MOMENT_DRAIN;
		closer->act = play;
		other->act = play_and_close;
	}
	world_run(&world);
	if (closer->seen[moment] == 0)
		fail_msg("%s never came", moment_names[moment]);
	world_close(&world);
}

static void test_close_from_inside_every_callback(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < 8; bits++)
		for (int moment = 0; moment < MOMENTS; moment++)
			if (moment != MOMENT_SECURE || (bits & 1))
				close_in(bits & 1, bits & 2, bits & 4,
				         (enum moment)moment);
}

/* --- the way a connection ends ------------------------------------------ */

static void reset_at_data(struct party *party, enum moment moment)
{
	if (moment != MOMENT_DATA)
		return;
	stream_reset(&party->stream);
	leave(party);
}

static void test_reset_by_peer(void **state)
{
	struct world world;

	(void)state;
	world_open(&world);
	world.client.act = greet;
	world.server.act = reset_at_data;
	world_run(&world);
	assert_int_equal(world.client.seen[MOMENT_END], 1);
	assert_int_equal(world.client.end, STREAM_END_RESET);
	assert_string_equal(world.client.why, "connection reset by peer");
	world_close(&world);
}

static void refuse_unread(struct party *party, enum moment moment)
{
	if (moment != MOMENT_OPEN)
		return;
	stream_pause(party->stream);
	say(party, "421 4.3.2 too many connections\r\n");
	/* Close once there is something unread in the socket. */
	party->timer = timer_new(party->world->loop, (void (*)(void *))leave,
	                         party);
	timer_start(party->timer, 100);
}

static void flood_at_open(struct party *party, enum moment moment)
{
	if (moment == MOMENT_OPEN)
		write_a_lot(party);
}

static void test_last_words_arrive_over_unread_data(void **state)
{
	struct world world;

	(void)state;
	world_open(&world);
	world.server.act = refuse_unread;
	world.client.act = flood_at_open;
	world_run(&world);
	assert_got(&world.client, "421 4.3.2 too many connections\r\n");
	assert_int_equal(world.client.end, STREAM_END_EOF);
	world_close(&world);
}

static void flood_and_leave(struct party *party, enum moment moment)
{
	if (moment != MOMENT_OPEN)
		return;
	write_a_lot(party);
	leave(party);
}

static void test_what_was_written_is_sent_after_close(void **state)
{
	struct world world;

	(void)state;
	world_open(&world);
	world.server.act = flood_and_leave;
	world_run(&world);
	assert_int_equal(buf_len(&world.client.got), 8 << 20);
	assert_int_equal(world.client.end, STREAM_END_EOF);
	world_close(&world);
}

/* It neither reads nor closes: the loop must not wait for it for ever. */
static void test_a_stubborn_peer_is_left_behind(void **state)
{
	struct sockaddr_storage to;
	socklen_t len;
	struct world world;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)state;
	world_open(&world);
	len = address_to_sockaddr(&world.address, &to);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, len), 0);
	world.server.act = flood_and_leave;
	loop_run(world.loop);
	assert_true(world.server.gone);
	close(fd);
	world_close(&world);
}

/* A client that shuts its side down and waits, as `nc` does: blocking, on a
 * thread of its own. */
struct half_closer {
	struct sockaddr_storage to;
	socklen_t to_len;
	char reply[64];
};

static void half_close(void *ctx)
{
	struct half_closer *client = ctx;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	size_t len = 0;
	ssize_t got = 1;

	if (connect(fd, (struct sockaddr *)&client->to, client->to_len) == 0 &&
	    write(fd, "NOOP\r\n", 6) == 6 && shutdown(fd, SHUT_WR) == 0)
		while (got > 0) {
			got = read(fd, client->reply + len,
			           sizeof(client->reply) - 1 - len);
			len += got > 0 ? (size_t)got : 0;
		}
	close(fd);
}

static void half_closed(void *ctx)
{
	(void)ctx;
}

static void reply_after_end(struct party *party, enum moment moment)
{
	if (moment == MOMENT_END)
		say(party, "250 2.0.0 Ok\r\n");
}

static void test_replies_after_the_peer_has_closed_its_side(void **state)
{
	struct half_closer client = { 0 };
	struct world world;

	(void)state;
	world_open(&world);
	client.to_len = address_to_sockaddr(&world.address, &client.to);
	world.server.act = reply_after_end;
	loop_work(world.loop, half_close, half_closed, &client);
	loop_run(world.loop);
	assert_got(&world.server, "NOOP\r\n");
	assert_int_equal(world.server.end, STREAM_END_EOF);
	assert_string_equal(client.reply, "250 2.0.0 Ok\r\n");
	world_close(&world);
}

/* --- back pressure ------------------------------------------------------ */

enum { CHUNK = 48 * 1024, MUCH = 12 << 20 };

static char pattern(size_t at)
{
	return (char)(at ^ at >> 8 ^ at >> 16);
}

static void fill(struct party *party)
{
	char chunk[CHUNK];
	bool room = true;

	while (room && party->sent < party->goal) {
		for (size_t i = 0; i < CHUNK; i++)
			chunk[i] = pattern(party->sent + i);
		room = stream_write(party->stream, chunk, CHUNK);
		party->sent += CHUNK;
		if (stream_queued(party->stream) > party->most_queued)
			party->most_queued = stream_queued(party->stream);
	}
	if (room)
		leave(party);
}

static void write_with_the_flow(struct party *party, enum moment moment)
{
	struct world *world = party->world;

	if (moment == MOMENT_OPEN && world->tls)
		start_tls(party);
	if (moment == (world->tls ? MOMENT_SECURE : MOMENT_OPEN) ||
	    moment == MOMENT_DRAIN)
		fill(party);
}

static void read_on(void *ctx)
{
	struct party *party = ctx;

	stream_resume(party->stream);
}

/* Take a little, rest, take a little. */
static void read_slowly(struct party *party, enum moment moment)
{
	if (moment == MOMENT_OPEN && party->world->tls)
		start_tls(party);
	if (moment == MOMENT_OPEN)
		party->timer = timer_new(party->world->loop, read_on, party);
	if (moment != MOMENT_DATA)
		return;
	stream_pause(party->stream);
	timer_start(party->timer, party->seen[MOMENT_DATA] < 20 ? 5 : 0);
}

static void assert_pattern(const struct buf *buf, size_t len)
{
	struct text text = buf_text(buf);

	assert_int_equal(text.len, len);
	for (size_t i = 0; i < len; i++)
		if (text.data[i] != pattern(i))
			fail_msg("octet %zu is wrong", i);
}

static void large_writes(bool tls)
{
	struct world world;

	world_open(&world);
	if (tls)
		use_tls(&world, ca);
	world.client.act = write_with_the_flow;
	world.client.goal = MUCH;
	world.server.act = read_slowly;
	world_run(&world);
	assert_pattern(&world.server.got, world.client.sent);
	assert_true(world.client.seen[MOMENT_DRAIN] > 0);
	assert_true(world.client.most_queued > HIGH_WATER);
	assert_true(world.client.most_queued < HIGH_WATER + CHUNK + 4096);
	assert_int_equal(world.server.end, STREAM_END_EOF);
	world_close(&world);
}

static void test_large_writes_wait_for_the_reader(void **state)
{
	(void)state;
	large_writes(false);
}

static void test_large_writes_wait_for_the_reader_under_tls(void **state)
{
	(void)state;
	large_writes(true);
}

static void expect_silence(struct party *party, enum moment moment)
{
	if (moment == MOMENT_OPEN)
		stream_pause(party->stream);
	if (moment == MOMENT_DRAIN)
		fail_msg("drained though nobody reads");
}

static void vanish(void *ctx)
{
	struct party *party = ctx;

	stream_reset(&party->stream);
	leave(party);
}

static void pause_then_vanish(struct party *party, enum moment moment)
{
	if (moment != MOMENT_OPEN)
		return;
	stream_pause(party->stream);
	party->timer = timer_new(party->world->loop, vanish, party);
	timer_start(party->timer, 50);
}

static void flood_paused(struct party *party, enum moment moment)
{
	expect_silence(party, moment);
	flood_at_open(party, moment);
}

/* Neither reading nor writing can move, and still the loss must be told. */
static void test_paused_writer_hears_of_the_reset(void **state)
{
	struct world world;

	(void)state;
	world_open(&world);
	world.client.act = flood_paused;
	world.server.act = pause_then_vanish;
	world_run(&world);
	assert_int_equal(world.client.seen[MOMENT_END], 1);
	assert_int_equal(world.client.end, STREAM_END_RESET);
	world_close(&world);
}

/* --- connecting --------------------------------------------------------- */

/* A port on which nobody listens. */
static struct address dead_address(void)
{
	struct sockaddr_storage name;
	struct address address = loopback("127.0.0.1");
	socklen_t len = address_to_sockaddr(&address, &name);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&name, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &len), 0);
	address_from_sockaddr((struct sockaddr *)&name, &address);
	close(fd);
	return address;
}

/* One that neither accepts nor refuses: its backlog is full. */
struct black_hole {
	struct address address;
	int fds[4];
};

static void black_hole_open(struct black_hole *hole)
{
	struct sockaddr_storage name;
	struct address address = loopback("127.0.0.1");
	socklen_t len = address_to_sockaddr(&address, &name);

	hole->fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(hole->fds[0], (struct sockaddr *)&name, len), 0);
	assert_int_equal(listen(hole->fds[0], 0), 0);
	getsockname(hole->fds[0], (struct sockaddr *)&name, &len);
	address_from_sockaddr((struct sockaddr *)&name, &hole->address);
	for (int i = 1; i < 4; i++) {
		hole->fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (connect(hole->fds[i], (struct sockaddr *)&name, len) != 0)
			assert_int_equal(errno, EINPROGRESS);
	}
}

static void black_hole_close(struct black_hole *hole)
{
	for (int i = 0; i < 4; i++)
		close(hole->fds[i]);
}

static void connect_by(struct world *world, unsigned connect_ms,
                       struct address *hint)
{
	world->client.stream = stream_connect(world->loop, "provider", 25,
	                                      connect_ms, hint, &callbacks,
	                                      &world->client);
	loop_run(world->loop);
	assert_null(world->client.stream);
}

static void test_falls_over_to_the_live_address(void **state)
{
	struct address hint = { 0 };
	struct world world;

	(void)state;
	world_open(&world);
	world.server.act = greet;
	world.client.act = answer_once;
	dns.addresses[0] = dead_address();
	dns.addresses[1] = world.address;
	dns.count = 2;
	connect_by(&world, PATIENCE_MS, &hint);
	assert_got(&world.client, "220 hello\r\n");
	assert_int_equal(hint.port, world.address.port);
	assert_true(address_same_host(&hint, &world.address));
	world_close(&world);
}

static void test_falls_over_from_an_address_that_is_silent(void **state)
{
	struct black_hole hole;
	struct world world;

	(void)state;
	black_hole_open(&hole);
	world_open(&world);
	world.server.act = greet;
	world.client.act = answer_once;
	dns.addresses[0] = hole.address;
	dns.addresses[1] = world.address;
	dns.count = 2;
	connect_by(&world, 150, NULL);
	assert_got(&world.client, "220 hello\r\n");
	world_close(&world);
	black_hole_close(&hole);
}

static void test_the_address_that_served_last_goes_first(void **state)
{
	struct black_hole hole;
	struct address hint;
	struct world world;

	(void)state;
	black_hole_open(&hole);
	world_open(&world);
	world.server.act = greet;
	world.client.act = answer_once;
	/* Tried in this order the test would outlive its deadline. */
	hole.address.bytes[3] = 1;
	dns.addresses[0] = hole.address;
	dns.addresses[1] = world.address;
	dns.addresses[1].bytes[3] = 2; /* 127.0.0.2, told apart by host */
	dns.count = 2;
	stream_listener_close(&world.listener);
	world.listener = stream_listen(world.loop, &dns.addresses[1], false,
	                               on_connection, &world,
	                               &(const char *){ NULL });
	assert_non_null(world.listener);
	hint = dns.addresses[1];
	connect_by(&world, (DEADLINE_S + 10) * 1000, &hint);
	assert_got(&world.client, "220 hello\r\n");
	world_close(&world);
	black_hole_close(&hole);
}

static void test_failure_names_every_address(void **state)
{
	struct black_hole hole;
	char name[ADDRESS_TEXT_MAX], expected[200];
	struct world world;

	(void)state;
	black_hole_open(&hole);
	world_open(&world);
	stream_listener_close(&world.listener);
	dns.addresses[0] = dead_address();
	dns.addresses[1] = hole.address;
	dns.count = 2;
	connect_by(&world, 150, NULL);
	assert_int_equal(world.client.end, STREAM_END_CONNECT);
	snprintf(expected, sizeof(expected), "%s: connection refused; ",
	         address_print_port(&dns.addresses[0], name));
	snprintf(expected + strlen(expected),
	         sizeof(expected) - strlen(expected),
	         "%s: no answer within 0.1 s",
	         address_print_port(&dns.addresses[1], name));
	assert_string_equal(world.client.why, expected);
	world_close(&world);
	black_hole_close(&hole);
}

static void test_unknown_host(void **state)
{
	struct world world;

	(void)state;
	world_open(&world);
	stream_listener_close(&world.listener);
	dns.error = "there is no such host name";
	connect_by(&world, PATIENCE_MS, NULL);
	dns.error = NULL;
	assert_int_equal(world.client.end, STREAM_END_DNS);
	assert_string_equal(world.client.why,
	                    "provider: there is no such host name");
	world_close(&world);
}

static void test_close_while_resolving_and_connecting(void **state)
{
	struct black_hole hole;
	struct world world;

	(void)state;
	black_hole_open(&hole);
	world_open(&world);
	stream_listener_close(&world.listener);
	dns.addresses[0] = hole.address;
	dns.count = 1;
	world.client.timer = timer_new(world.loop, (void (*)(void *))leave,
	                               &world.client);
	world_connect(&world, "provider");
	stream_close(&world.client.stream);
	world_connect(&world, "provider");
	timer_start(world.client.timer, 50);
	loop_run(world.loop);
	assert_true(world.client.gone);
	for (int moment = 0; moment < MOMENTS; moment++)
		assert_int_equal(world.client.seen[moment], 0);
	world_close(&world);
	black_hole_close(&hole);
}

/* --- listening ---------------------------------------------------------- */

static void test_a_port_taken_is_told(void **state)
{
	const char *error = NULL;
	struct world world;

	(void)state;
	world_open(&world);
	assert_null(stream_listen(world.loop, &world.address, false,
	                          on_connection, &world, &error));
	assert_string_equal(error, "address already in use");
	world_close(&world);
}

static bool has_ipv6(void)
{
	struct sockaddr_storage name;
	struct address address = loopback("::1");
	socklen_t len = address_to_sockaddr(&address, &name);
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	bool has = fd >= 0 && bind(fd, (struct sockaddr *)&name, len) == 0;

	close(fd);
	return has;
}

static void note_family(struct party *party, enum moment moment)
{
	if (moment != MOMENT_OPEN)
		return;
	party->goal = stream_peer(party->stream)->is_v6 ? 6 : 4;
	say(party, "220 hello\r\n");
}

static unsigned family_seen(const char *listen_on, const char *connect_to)
{
	struct address wildcard = loopback(listen_on);
	const char *error = NULL;
	struct world world;
	unsigned family;

	world_open(&world);
	stream_listener_close(&world.listener);
	world.listener = stream_listen(world.loop, &wildcard, false,
	                               on_connection, &world, &error);
	assert_non_null(world.listener);
	stream_listener_address(world.listener, &world.address);
	world.server.act = note_family;
	world.client.act = answer_once;
	world_connect(&world, connect_to);
	loop_run(world.loop);
	family = (unsigned)world.server.goal;
	world_close(&world);
	return family;
}

static void test_mapped_peers_are_ipv4(void **state)
{
	(void)state;
	if (!has_ipv6())
		skip();
	assert_int_equal(family_seen("::", "127.0.0.1"), 4);
	assert_int_equal(family_seen("::", "::1"), 6);
}

/* --- TLS ---------------------------------------------------------------- */

static void offer_starttls(struct party *party, enum moment moment)
{
	if (moment == MOMENT_OPEN)
		say(party, "220 hello\r\n");
	if (moment == MOMENT_DATA && !stream_is_secure(party->stream)) {
		say(party, "220 go ahead\r\n");
		start_tls(party);
	} else if (moment == MOMENT_DATA) {
		say(party, "250 safe\r\n");
	}
}

static void want_starttls(struct party *party, enum moment moment)
{
	if (moment == MOMENT_DATA && party->seen[MOMENT_DATA] == 1)
		say(party, "STARTTLS\r\n");
	else if (moment == MOMENT_DATA && !stream_is_secure(party->stream))
		start_tls(party);
	else if (moment == MOMENT_SECURE)
		say(party, "EHLO me\r\n");
	else if (moment == MOMENT_DATA)
		leave(party);
}

static void test_upgrade_in_place(void **state)
{
	struct world world;

	(void)state;
	world_open(&world);
	use_tls(&world, ca);
	world.server.act = offer_starttls;
	world.client.act = want_starttls;
	world_run(&world);
	assert_got(&world.server, "STARTTLS\r\nEHLO me\r\n");
	assert_got(&world.client,
	           "220 hello\r\n220 go ahead\r\n250 safe\r\n");
	assert_string_equal(world.client.subject, "CN=practice");
	assert_true(world.client.verified);
	assert_int_equal(world.server.end, STREAM_END_EOF);
	world_close(&world);
}

static void test_untrusted_server_ends_the_stream(void **state)
{
	struct world world;

	(void)state;
	world_open(&world);
	use_tls(&world, stranger_ca);
	world.server.act = play;
	world.client.act = play;
	world_run(&world);
	assert_int_equal(world.client.end, STREAM_END_TLS);
	assert_non_null(strstr(world.client.why, "unknown issuer: "
	                       "\"CN=Stranger CA\""));
	assert_int_equal(world.client.seen[MOMENT_SECURE], 0);
	assert_int_equal(world.server.end, STREAM_END_TLS);
	assert_non_null(strstr(world.server.why, "does not trust the issuer"));
	world_close(&world);
}

static void hang_up_at_data(struct party *party, enum moment moment)
{
	if (moment == MOMENT_DATA)
		leave(party);
}

static void test_peer_closes_during_the_handshake(void **state)
{
	struct world world;

	(void)state;
	world_open(&world);
	use_tls(&world, ca);
	world.client.act = play;
	world.server.act = hang_up_at_data; /* it takes ClientHello for data */
	world_run(&world);
	assert_int_equal(world.client.end, STREAM_END_TLS);
	assert_string_equal(world.client.why,
	                    "the peer closed the connection during the "
	                    "handshake");
	world_close(&world);
}

static void greet_in_clear(struct party *party, enum moment moment)
{
	if (moment == MOMENT_OPEN)
		say(party, "220 this is not TLS\r\n");
}

static void test_plain_server_where_tls_was_expected(void **state)
{
	struct world world;

	(void)state;
	world_open(&world);
	use_tls(&world, ca);
	world.client.act = play;
	world.server.act = greet_in_clear;
	world_run(&world);
	assert_int_equal(world.client.end, STREAM_END_TLS);
	assert_non_null(strstr(world.client.why, "does not speak TLS here"));
	world_close(&world);
}

static void pause_in_handshake(struct party *party, enum moment moment)
{
	if (moment == MOMENT_OPEN) {
		party->timer = timer_new(party->world->loop, read_on, party);
		start_tls(party);
		stream_pause(party->stream);
	}
	if (moment == MOMENT_SECURE)
		timer_start(party->timer, 50);
	if (moment != MOMENT_DATA)
		return;
	assert_false(timer_is_armed(party->timer));
	leave(party);
}

static void say_early(struct party *party, enum moment moment)
{
	if (moment == MOMENT_OPEN)
		start_tls(party);
	if (moment == MOMENT_SECURE)
		say(party, "EHLO early\r\n");
}

/* The handshake goes on, the data waits, and nothing of it is lost. */
static void test_pause_holds_decrypted_data_back(void **state)
{
	struct world world;

	(void)state;
	world_open(&world);
	use_tls(&world, ca);
	world.server.act = pause_in_handshake;
	world.client.act = say_early;
	world_run(&world);
	assert_got(&world.server, "EHLO early\r\n");
	assert_int_equal(world.client.end, STREAM_END_EOF);
	world_close(&world);
}

/* Another implementation of TLS, blocking, on a thread of its own. */
struct plain_openssl {
	struct sockaddr_storage to;
	socklen_t to_len;
	char got[64];
	bool said_goodbye;
};

static void read_to_the_end(void *ctx)
{
	struct plain_openssl *client = ctx;
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(context);
	int fd = socket(AF_INET, SOCK_STREAM, 0), len = 0, got = 1;

	SSL_set_fd(ssl, fd);
	if (connect(fd, (struct sockaddr *)&client->to, client->to_len) == 0 &&
	    SSL_connect(ssl) == 1)
		for (; got > 0; len += got > 0 ? got : 0)
			got = SSL_read(ssl, client->got + len,
			               (int)sizeof(client->got) - 1 - len);
	client->said_goodbye = SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN;
	SSL_free(ssl);
	SSL_CTX_free(context);
	close(fd);
}

static void greet_and_leave(struct party *party, enum moment moment)
{
	if (moment == MOMENT_OPEN)
		start_tls(party);
	if (moment != MOMENT_SECURE)
		return;
	say(party, "421 closing\r\n");
	leave(party);
}

static void test_close_sends_close_notify(void **state)
{
	struct plain_openssl client = { 0 };
	struct world world;

	(void)state;
	world_open(&world);
	use_tls(&world, ca);
	client.to_len = address_to_sockaddr(&world.address, &client.to);
	world.server.act = greet_and_leave;
	loop_work(world.loop, read_to_the_end, half_closed, &client);
	loop_run(world.loop);
	assert_string_equal(client.got, "421 closing\r\n");
	assert_true(client.said_goodbye);
	world_close(&world);
}

/* --- all of them -------------------------------------------------------- */

static int group_setup(void **state)
{
	(void)state;
	tempdir_make();
	ca = cert_new(&(struct cert_settings){ .common_name = "Practice CA",
	                                       .is_ca = true });
	stranger_ca = cert_new(&(struct cert_settings){
		.common_name = "Stranger CA", .is_ca = true });
	cert_write(ca, tempdir_path("ca.pem"));
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	cert_free(&ca);
	cert_free(&stranger_ca);
	tempdir_remove();
	return 0;
}

static int set_deadline(void **state)
{
	(void)state;
	alarm(DEADLINE_S);
	return 0;
}

#define TEST(function) cmocka_unit_test_setup(function, set_deadline)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_greeting_answer_and_end),
		TEST(test_both_sides_know_their_addresses),
		TEST(test_close_from_inside_every_callback),
		TEST(test_reset_by_peer),
		TEST(test_last_words_arrive_over_unread_data),
		TEST(test_what_was_written_is_sent_after_close),
		TEST(test_a_stubborn_peer_is_left_behind),
		TEST(test_replies_after_the_peer_has_closed_its_side),
		TEST(test_large_writes_wait_for_the_reader),
		TEST(test_large_writes_wait_for_the_reader_under_tls),
		TEST(test_paused_writer_hears_of_the_reset),
		TEST(test_falls_over_to_the_live_address),
		TEST(test_falls_over_from_an_address_that_is_silent),
		TEST(test_the_address_that_served_last_goes_first),
		TEST(test_failure_names_every_address),
		TEST(test_unknown_host),
		TEST(test_close_while_resolving_and_connecting),
		TEST(test_a_port_taken_is_told),
		TEST(test_mapped_peers_are_ipv4),
		TEST(test_upgrade_in_place),
		TEST(test_untrusted_server_ends_the_stream),
		TEST(test_peer_closes_during_the_handshake),
		TEST(test_plain_server_where_tls_was_expected),
		TEST(test_pause_holds_decrypted_data_back),
		TEST(test_close_sends_close_notify),
	};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
