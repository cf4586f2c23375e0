#include "relay/report/alert_backlog.h"

#include <stdlib.h>
#include <string.h>

#include "proto/xalloc.h"

static const uint64_t waits_ms[] = { 5000, 30000, 120000, 600000 };

enum { TRIES = sizeof waits_ms / sizeof *waits_ms + 1 };

static void drop(struct alert_backlog *backlog, size_t i)
{
	struct alert_item *item = &backlog->items[i];

	free(item->subject);
	free(item->event);
	free(item->body);
	memmove(item, item + 1, (--backlog->n - i) * sizeof *item);
}

static size_t find(const struct alert_backlog *backlog, const char *subject)
{
	size_t i = 0;

	while (i < backlog->n &&
	       strcmp(backlog->items[i].subject, subject) != 0)
		i++;
	return i;
}

/* The place of the one that is under way, n: none is. */
static size_t current(const struct alert_backlog *backlog)
{
	size_t i = 0;

	while (i < backlog->n && !backlog->items[i].sending)
		i++;
	return i;
}

void alert_backlog_add(struct alert_backlog *backlog, const char *subject,
                       const char *event, const char *body, uint64_t now_ms)
{
	size_t old = find(backlog, subject);

	if (old < backlog->n)
		drop(backlog, old);
	if (backlog->n == ALERT_BACKLOG_MAX)
		drop(backlog, 0);
	backlog->items[backlog->n++] = (struct alert_item){
		xstrdup(subject), xstrdup(event), xstrdup(body), 0, now_ms,
		false };
}

const struct alert_item *alert_backlog_next(struct alert_backlog *backlog,
                                            uint64_t now_ms)
{
	size_t i;

	if (current(backlog) < backlog->n)
		return NULL;
	for (i = 0; i < backlog->n; i++) {
		if (backlog->items[i].due_ms <= now_ms) {
			backlog->items[i].sending = true;
			return &backlog->items[i];
		}
	}
	return NULL;
}

const struct alert_item *
alert_backlog_current(const struct alert_backlog *backlog)
{
	size_t i = current(backlog);

	return i < backlog->n ? &backlog->items[i] : NULL;
}

void alert_backlog_sent(struct alert_backlog *backlog)
{
	size_t i = current(backlog);

	if (i < backlog->n)
		drop(backlog, i);
}

bool alert_backlog_failed(struct alert_backlog *backlog, uint64_t now_ms)
{
	size_t i = current(backlog);
	struct alert_item *item = &backlog->items[i];

	if (i == backlog->n)
		return false;
	item->sending = false;
	item->failures++;
	if (item->failures == TRIES) {
		drop(backlog, i);
		return true;
	}
	item->due_ms = now_ms + waits_ms[item->failures - 1];
	return false;
}

uint64_t alert_backlog_wait(const struct alert_backlog *backlog,
                            uint64_t now_ms)
{
	uint64_t wait = ALERT_BACKLOG_NEVER;
	size_t i;

	for (i = 0; i < backlog->n; i++) {
		uint64_t due = backlog->items[i].due_ms;
		uint64_t left = due > now_ms ? due - now_ms : 0;

		if (left < wait)
			wait = left;
	}
	return wait;
}

void alert_backlog_clear(struct alert_backlog *backlog)
{
	while (backlog->n > 0)
		drop(backlog, backlog->n - 1);
}
