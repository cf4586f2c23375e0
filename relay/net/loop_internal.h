/*
 * loop_internal -- what the files of net/ share of the loop, and nobody else.
 *
 * A deferred call is how net/ keeps the promise that no callback comes from
 * inside a call of the owner's: it runs in the loop's next turn.  The owner of
 * the struct deferred takes it off the list before it frees it.
 */
#ifndef RELAY_NET_LOOP_INTERNAL_H
#define RELAY_NET_LOOP_INTERNAL_H

#include <stddef.h>
#include <uv.h>
#include "relay/net/loop.h"

enum { LOOP_BUFFER_SIZE = 64 * 1024 };

/* A ring through its members; the list is a member that holds nothing. */
struct ring {
	struct ring *next, *prev; /* NULL: in no ring */
};
void ring_init(struct ring *ring);
void ring_append(struct ring *ring, struct ring *member);
void ring_remove(struct ring *member); /* nothing when it is in none */
bool ring_is_empty(const struct ring *ring);

struct deferred {
	struct ring ring; /* first: a pointer to it is one to the whole */
	void (*run)(void *ctx);
	void *ctx;
};

struct loop {
	uv_loop_t uv;
	/* All reading goes through these two: libuv's allocate and read
	 * callbacks follow each other directly, and nobody keeps a view. */
	char *wire_buffer;   /* as it came from the socket */
	char *plain_buffer;  /* decrypted */
	uv_idle_t idle;      /* active while something is deferred */
	struct ring deferred;
	/* Sockets given up by their owners, oldest first; see socket.h. */
	struct ring lingering;
	unsigned lingering_count;
	uv_timer_t linger_timer;
	void (*linger_hurry)(struct loop *loop); /* NULL: never lingered */
};

void loop_defer(struct loop *loop, struct deferred *deferred);
void loop_undefer(struct deferred *deferred);
char *loop_wire_buffer(struct loop *loop);
char *loop_plain_buffer(struct loop *loop);

/* For the impossible: say what was broken, and end the process. */
void loop_check_failed(const char *what) __attribute__((noreturn));

#endif
