#include "tests/bench/load/load.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "proto/rfc5322.h"
#include "proto/smtp_client.h"
#include "proto/xalloc.h"

enum { LINE = 78, BLOCK = 3360 * LINE, READ = 16 * 1024 };

struct lane {
	int fd;                  /* -1: no connection */
	struct smtp_client *smtp;
	struct smtp_transaction transaction;
	size_t token;
	uint64_t begun;          /* when it connected, or began the message */
	uint64_t given, left;    /* octets of the body */
	size_t sent;             /* messages on this connection */
	bool busy, giving, wants_out;
};

/* Lines as a scan in base64 has them.  None begins with a dot, so that they
 * go to the socket as they are, past the engine: a device that costs little
 * leaves more of the machine to the relay. */
static char block[BLOCK];

static void fill_block(void)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"
				     "ghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < BLOCK; i++) {
		size_t at = i % LINE;

		block[i] = at == LINE - 2 ? '\r' : at == LINE - 1 ? '\n'
			 : digits[(i * 7 + i / LINE) % 64];
	}
}

/* ---- a message ---- */

static uint64_t whole_lines(uint64_t octets)
{
	return (octets + LINE - 1) / LINE * LINE;
}

static void give_header(struct run *run, struct lane *lane)
{
	char header[1024], date[40];
	int len;

	/* A date of another day would be replaced. */
	rfc5322_date(date, time(NULL), 0);
	len = snprintf(
		header, sizeof(header),
		"From: Scanner <%s>\r\nTo: <%s>\r\n"
		"Subject: Scan from the third floor, page %zu\r\n"
		"Date: %s\r\n"
		"Message-ID: <%zu.%" PRIu64 "@device.lan>\r\n"
		"X-Token: %zu\r\nMIME-Version: 1.0\r\n"
		"Content-Type: application/octet-stream\r\n"
		"Content-Transfer-Encoding: base64\r\n\r\n",
		run->options.from, run->options.to, lane->token, date, lane->token,
		run->start, lane->token);

	smtp_client_body(lane->smtp, header, (size_t)len, false);
}

/* The next piece of the body; the last one ends a line. */
static size_t next_piece(const struct lane *lane, const char **piece_r)
{
	size_t at = (size_t)(lane->given % BLOCK);
	size_t len = BLOCK - at;

	*piece_r = block + at;
	return len < lane->left ? len : (size_t)lane->left;
}

static void piece_sent(struct lane *lane, size_t len)
{
	lane->given += len;
	lane->left -= len;
	if (lane->left > 0)
		return;
	lane->giving = false;
	smtp_client_body(lane->smtp, "", 0, true);
}

static void begin_message(struct run *run, struct lane *lane)
{
	if (!run_may_begin(run)) {
		smtp_client_quit(lane->smtp);
		return;
	}
	lane->busy = true;
	lane->token = run->begun++;
	run->times[lane->token].begun = lane->sent == 0 ? lane->begun
	                                                : now_ns();
	lane->transaction = (struct smtp_transaction){
		.reverse_path = run->options.from,
		.recipients = &run->options.to,
		.n_recipients = 1,
		.size = whole_lines(run->options.octets),
	};
	smtp_client_begin(lane->smtp, &lane->transaction);
}

static void message_done(struct run *run, struct lane *lane,
                         const struct smtp_client_event *event)
{
	struct buf line = BUF_INIT(4096);

	if (!smtp_reply_positive(&event->reply)) {
		smtp_reply_line(&line, &event->reply);
		fail("the relay refused a message at %s: %s",
		     smtp_stage_text(event->stage), buf_string(&line));
	}
	run->times[lane->token].accepted = now_ns();
	run->accepted++;
	lane->busy = false;
	lane->sent++;
	if (lane->sent == run->options.per_connection)
		smtp_client_quit(lane->smtp);
	else
		begin_message(run, lane);
}

/* ---- a connection ---- */

static void watch(struct run *run, size_t index, int operation, bool out)
{
	struct lane *lane = &run->lanes[index];
	struct epoll_event event = {
		.events = EPOLLIN | (out ? EPOLLOUT : 0u),
		.data.u64 = index,
	};

	lane->wants_out = out;
	if (epoll_ctl(run->epoll, operation, lane->fd, &event) != 0)
		fail("epoll_ctl: %s", strerror(errno));
}

static void open_lane(struct run *run, size_t index)
{
	static const char *const none[] = { NULL };
	struct lane *lane = &run->lanes[index];
	struct smtp_client_settings settings = {
		.helo_name = "device.lan",
		.tls = SMTP_TLS_NONE,
		.mechanisms = none,
		.pipelining = run->options.pipelining,
	};
	int on = 1;

	lane->begun = now_ns();
	lane->sent = 0;
	lane->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (lane->fd < 0)
		fail("socket: %s", strerror(errno));
	setsockopt(lane->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(lane->fd, (struct sockaddr *)&run->options.relay,
	            sizeof(run->options.relay)) != 0 && errno != EINPROGRESS)
		fail("the relay cannot be reached: %s", strerror(errno));
	lane->smtp = smtp_client_new(&settings);
	watch(run, index, EPOLL_CTL_ADD, false);
}

static void close_lane(struct run *run, size_t index)
{
	struct lane *lane = &run->lanes[index];

	close(lane->fd);
	lane->fd = -1;
	smtp_client_free(&lane->smtp);
	if (run_may_begin(run))
		open_lane(run, index);
}

/* Returns false when the connection is over. */
static bool handle(struct run *run, struct lane *lane,
                   const struct smtp_client_event *event)
{
	struct buf line = BUF_INIT(4096);

	switch (event->type) {
	case SMTP_CLIENT_EV_READY:
		begin_message(run, lane);
		return true;
	case SMTP_CLIENT_EV_BODY:
		lane->given = 0;
		lane->left = whole_lines(run->options.octets);
		lane->giving = true;
		give_header(run, lane);
		return true;
	case SMTP_CLIENT_EV_DONE:
		message_done(run, lane, event);
		return true;
	case SMTP_CLIENT_EV_CLOSED:
		return false;
	case SMTP_CLIENT_EV_FAILED:
		smtp_reply_line(&line, &event->reply);
		fail("%s, at %s: %s", smtp_problem_text(event->problem),
		     smtp_stage_text(event->stage), buf_string(&line));
	case SMTP_CLIENT_EV_NONE:
	case SMTP_CLIENT_EV_STARTTLS:
	case SMTP_CLIENT_EV_RECIPIENT:
		break;
	}
	return true;
}

static bool read_some(struct run *run, struct lane *lane)
{
	struct smtp_client_event event;
	char data[READ];
	ssize_t len = recv(lane->fd, data, sizeof(data), 0);

	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (len <= 0 && smtp_client_stage(lane->smtp) != SMTP_STAGE_QUIT)
		fail("the relay hung up, waiting for %s: %s",
		     smtp_stage_text(smtp_client_stage(lane->smtp)),
		     len < 0 ? strerror(errno) : "end of file");
	if (len <= 0)
		return false;
	smtp_client_feed(lane->smtp, data, (size_t)len);
	while (smtp_client_next(lane->smtp, &event) != SMTP_CLIENT_EV_NONE)
		if (!handle(run, lane, &event))
			return false;
	return true;
}

static size_t next_output(struct lane *lane, const char **data_r)
{
	const void *data;
	size_t len = smtp_client_output(lane->smtp, &data);

	*data_r = data;
	return len > 0 || !lane->giving ? len : next_piece(lane, data_r);
}

/* Returns false when the connection is over. */
static bool write_some(struct lane *lane)
{
	const void *output;
	const char *data;
	size_t len;

	while ((len = next_output(lane, &data)) > 0) {
		bool is_piece = smtp_client_output(lane->smtp, &output) == 0;
		ssize_t sent = send(lane->fd, data, len, MSG_NOSIGNAL);

		if (sent < 0)
			return errno == EAGAIN || errno == EINTR;
		if (is_piece)
			piece_sent(lane, (size_t)sent);
		else
			smtp_client_output_sent(lane->smtp, (size_t)sent);
	}
	return true;
}

void lane_ready(struct run *run, size_t index, uint32_t events)
{
	struct lane *lane = &run->lanes[index];
	const char *data;
	bool open = true, out;

	if (lane->fd < 0)
		return;
	if (events & ~(uint32_t)EPOLLOUT)
		open = read_some(run, lane);
	if (open)
		open = write_some(lane);
	if (!open) {
		close_lane(run, index);
		return;
	}
	out = next_output(lane, &data) > 0;
	if (out != lane->wants_out)
		watch(run, index, EPOLL_CTL_MOD, out);
}

void lanes_open(struct run *run)
{
	fill_block();
	run->lanes = xcalloc(run->options.lanes, sizeof(*run->lanes));
	for (size_t i = 0; i < run->options.lanes; i++)
		run->lanes[i].fd = -1;
	lanes_wake(run);
}

void lanes_wake(struct run *run)
{
	for (size_t i = 0; i < run->options.lanes; i++)
		if (run->lanes[i].fd < 0 && run_may_begin(run))
			open_lane(run, i);
}

void lanes_free(struct run *run)
{
	for (size_t i = 0; i < run->options.lanes; i++) {
		if (run->lanes[i].fd >= 0)
			close(run->lanes[i].fd);
		smtp_client_free(&run->lanes[i].smtp);
	}
	free(run->lanes);
}
