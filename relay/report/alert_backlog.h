/*
 * alert_backlog -- alerts that have not been taken yet: which is sent next,
 * when it is tried again, when it is given up.
 *
 *     add -> next -> sent, or failed -> (5 s, 30 s, 2 min, 10 min) next ...
 *
 * Each has a subject, such as an account.  Of one subject the newest counts:
 * what it says in place of an older one is what is so now.  Bounded: beyond
 * ALERT_BACKLOG_MAX subjects the oldest gives way.
 *
 * Pure: time (monotonic milliseconds) is an argument.
 */
#ifndef RELAY_REPORT_ALERT_BACKLOG_H
#define RELAY_REPORT_ALERT_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ALERT_BACKLOG_MAX = 64 };
#define ALERT_BACKLOG_NEVER UINT64_MAX

struct alert_item {
	char *subject, *event, *body;
	unsigned failures;
	uint64_t due_ms;
	bool sending;
};

struct alert_backlog {       /* zero bytes: empty */
	struct alert_item items[ALERT_BACKLOG_MAX]; /* the oldest first */
	size_t n;
};

/* Copied. */
void alert_backlog_add(struct alert_backlog *backlog, const char *subject,
                       const char *event, const char *body, uint64_t now_ms);
/* The next one to send, from now on under way, until it is sent or failed;
 * NULL: none is due, or one is under way. */
const struct alert_item *alert_backlog_next(struct alert_backlog *backlog,
                                            uint64_t now_ms);
/* The one that is under way; NULL: it has given way to a newer one. */
const struct alert_item *
alert_backlog_current(const struct alert_backlog *backlog);
void alert_backlog_sent(struct alert_backlog *backlog);
/* Returns whether it is given up, and gone. */
bool alert_backlog_failed(struct alert_backlog *backlog, uint64_t now_ms);
/* Milliseconds to the next one; NEVER: there is none. */
uint64_t alert_backlog_wait(const struct alert_backlog *backlog,
                            uint64_t now_ms);
void alert_backlog_clear(struct alert_backlog *backlog);

#endif
