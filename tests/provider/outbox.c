#include "tests/provider/outbox.h"

enum { HELD_MAX = 16 * 1024 * 1024 };

/* So many octets go when the time has come. */
struct mark {
	uint64_t due;
	size_t len;
};

static struct mark *first_mark(struct outbox *outbox)
{
	return (struct mark *)buf_text(&outbox->marks).data;
}

static void arm(struct outbox *outbox)
{
	uint64_t now = loop_now_ms(outbox->loop);
	uint64_t due = first_mark(outbox)->due;

	timer_start(outbox->timer, due > now ? due - now : 0);
}

static void release(void *ctx)
{
	struct outbox *outbox = ctx;
	uint64_t now = loop_now_ms(outbox->loop);

	while (!outbox_is_empty(outbox) && first_mark(outbox)->due <= now) {
		size_t len = first_mark(outbox)->len;

		if (*outbox->stream)
			stream_write(*outbox->stream,
			             buf_text(&outbox->octets).data, len);
		buf_consume(&outbox->octets, len);
		buf_consume(&outbox->marks, sizeof(struct mark));
	}
	if (!outbox_is_empty(outbox)) {
		arm(outbox);
		return;
	}
	buf_release(&outbox->octets);
	buf_release(&outbox->marks);
	outbox->on_empty(outbox->ctx);
}

static void hold(struct outbox *outbox, const char *data, size_t len,
                 uint64_t due)
{
	struct mark mark = { due, len };
	bool was_empty = outbox_is_empty(outbox);

	if (!outbox->timer)
		outbox->timer = timer_new(outbox->loop, release, outbox);
	buf_append(&outbox->octets, data, len);
	buf_append(&outbox->marks, &mark, sizeof(mark));
	outbox->last_due = due;
	if (was_empty)
		arm(outbox);
}

void outbox_init(struct outbox *outbox, struct loop *loop,
                 struct stream **stream, unsigned latency_ms,
                 void (*on_empty)(void *ctx), void *ctx)
{
	*outbox = (struct outbox){ .loop = loop, .stream = stream,
	                           .latency_ms = latency_ms,
	                           .on_empty = on_empty, .ctx = ctx };
	buf_init(&outbox->octets, HELD_MAX);
	buf_init(&outbox->marks, HELD_MAX);
}

void outbox_free(struct outbox *outbox)
{
	timer_free(&outbox->timer);
	buf_free(&outbox->octets);
	buf_free(&outbox->marks);
}

void outbox_send(struct outbox *outbox, const void *data, size_t len)
{
	uint64_t due = loop_now_ms(outbox->loop) + outbox->latency_ms;

	if (len == 0)
		return;
	if (outbox->latency_ms == 0 && outbox_is_empty(outbox))
		stream_write(*outbox->stream, data, len);
	else
		hold(outbox, data, len,
		     due > outbox->last_due ? due : outbox->last_due);
}

void outbox_trickle(struct outbox *outbox, const void *data, size_t len,
                    uint64_t ms)
{
	uint64_t due = loop_now_ms(outbox->loop) + outbox->latency_ms;

	if (due < outbox->last_due)
		due = outbox->last_due;
	for (size_t i = 0; i < len; i++)
		hold(outbox, (const char *)data + i, 1, due + (i + 1) * ms);
}

bool outbox_is_empty(const struct outbox *outbox)
{
	return buf_len(&outbox->marks) == 0;
}
