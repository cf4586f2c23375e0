/*
 * alerts -- what somebody should hear of at once, and not by mail alone: mail
 * is what is broken then.
 *
 * Each is a JSON document, POSTed to `alert_webhook`:
 *
 *     {"event", "time", "host", "account", "reason", "title", "explanation",
 *      "fix", "reply", "waiting", "text"}
 *
 * text is one sentence with all of it, which chat systems show as it is.  What
 * is not known is left out.  What the receiver does not take is tried again
 * (alert_backlog.h); of one account, or of the disk, the newest news counts.
 *
 * The URL may be a secret: the log has its origin.
 */
#ifndef RELAY_REPORT_ALERTS_H
#define RELAY_REPORT_ALERTS_H

#include <stddef.h>
#include <stdint.h>

#include "relay/services.h"

#define ALERT_EVENT_MAP(X)                                                  \
	/*                event               of what   sentence        */  \
	X(ACCOUNT_PAUSED, "account-paused",   "account", "cannot send")     \
	X(ACCOUNT_RESUMED, "account-resumed", "account", "sends again")     \
	X(DISK_LOW, "disk-low", "disk", "there is no room for new mail")    \
	X(DISK_OK, "disk-ok", "disk", "there is room for new mail again")   \
	X(QUEUE_OLD, "queue-old", "queue", "mail has been waiting for long") \
	X(QUEUE_OK, "queue-ok", "queue", "no mail has been waiting for long")

enum alert_event {
#define X(name, text, subject, sentence) ALERT_##name,
	ALERT_EVENT_MAP(X)
#undef X
};

/* Strings are copied; NULL: not known. */
struct alert {
	enum alert_event event;
	const char *account;
	const char *reason, *title, *explanation, *fix, *reply;
	size_t waiting;
};

struct alerts;

/* services->config says at each alert where it goes to, if anywhere. */
struct alerts *alerts_new(struct services *services);
/* alerts NULL: nothing happens. */
void alerts_raise(struct alerts *alerts, const struct alert *alert);
void alerts_free(struct alerts **alerts);

#endif
