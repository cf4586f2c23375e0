/*
 * load -- many devices at once: sends messages through a relay over plain
 * SMTP, and watches the journal of the practice provider for their arrival.
 *
 * A lane is one device: it connects, sends, and either stays for its next
 * message or leaves and comes back.  Each message carries its number in
 * X-Token, which the provider writes to its journal when it takes the message;
 * so every message has three times: begun, accepted by the relay, arrived.
 *
 * One thread, one epoll; everything ends at the deadline.
 */
#ifndef TESTS_BENCH_LOAD_H
#define TESTS_BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>

struct options {
	struct sockaddr_in relay;
	const char *from, *to;
	const char *journal;     /* NULL: arrival is not watched */
	size_t messages, lanes;
	uint64_t octets;         /* of a message's body */
	size_t per_connection;   /* messages, 0: no limit */
	bool alone;              /* the next when the one before has arrived */
	bool pipelining;
	unsigned timeout_s;
};

/* Ends the process with 64 when the command line is not understood. */
void options_parse(struct options *options_r, int argc, char **argv);

/* ---- a run ---- */

struct times {
	uint64_t begun, accepted, arrived; /* nanoseconds; 0: not yet */
};

struct run {
	struct options options;
	int epoll;
	uint64_t start;
	size_t begun, accepted, arrived, duplicates;
	struct times *times;     /* by token */
	struct lane *lanes;
	struct journal *journal;
};

uint64_t now_ns(void);
/* Ends the process with 69 after a sentence. */
void fail(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));
bool run_may_begin(const struct run *run);
void run_report(const struct run *run); /* JSON to standard output */

/* ---- lanes ---- */

void lanes_open(struct run *run);
void lane_ready(struct run *run, size_t index, uint32_t events);
/* A message has arrived: a lane that waited for this may go on. */
void lanes_wake(struct run *run);
void lanes_free(struct run *run);

/* ---- the journal ---- */

enum { JOURNAL_READY = -1 }; /* the epoll key; lanes have their index */

void journal_open(struct run *run);
void journal_ready(struct run *run); /* notes what has arrived */
void journal_close(struct run *run);

#endif
