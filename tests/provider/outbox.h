/*
 * outbox -- octets on their way to the client, some of them held back.
 *
 * Without delays it is stream_write().  With --latency each piece waits its
 * time, and a trickled answer goes octet by octet; what comes later never
 * overtakes what came before.
 */
#ifndef TESTS_PROVIDER_OUTBOX_H
#define TESTS_PROVIDER_OUTBOX_H

#include "proto/buf.h"
#include "relay/net/stream.h"

struct outbox {
	struct loop *loop;
	struct stream **stream;  /* the session's; nothing is sent while NULL */
	unsigned latency_ms;
	struct buf octets, marks;
	struct timer *timer;     /* NULL until something was held back */
	uint64_t last_due;
	void (*on_empty)(void *ctx);
	void *ctx;
};

void outbox_init(struct outbox *outbox, struct loop *loop,
                 struct stream **stream, unsigned latency_ms,
                 void (*on_empty)(void *ctx), void *ctx);
void outbox_free(struct outbox *outbox);
void outbox_send(struct outbox *outbox, const void *data, size_t len);
/* One octet each ms. */
void outbox_trickle(struct outbox *outbox, const void *data, size_t len,
                    uint64_t ms);
bool outbox_is_empty(const struct outbox *outbox);

#endif
