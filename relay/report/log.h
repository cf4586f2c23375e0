/*
 * log -- what happened, one line an event, for people and for machines.
 *
 *     time level event key=value ...          (text, logfmt)
 *     {"time":...,"level":...,"event":...}    (json, RFC 3339 in UTC)
 *
 * Events and keys are the two tables of this header and of design.md section
 * 6; others build on them.  Values may come from peers: control characters,
 * quotes and bytes that are no UTF-8 are escaped here and nowhere else, and a
 * value is cut at 1000 octets.  Secrets have no key to be logged under.
 *
 * Lines gather until log_flush(), which the server calls once a turn of its
 * loop; it never blocks: what a full pipe does not take is dropped, counted,
 * and told when there is room again.
 */
#ifndef RELAY_REPORT_LOG_H
#define RELAY_REPORT_LOG_H

#include "proto/text.h"
#include "relay/config/config.h"

#define LOG_EVENT_MAP(X)                                                \
	X(STARTED, "started") X(STOPPING, "stopping")                   \
	X(STOPPED, "stopped") X(RELOADED, "reloaded")                   \
	X(CONFIG_ERROR, "config-error") X(LISTENING, "listening")       \
	X(CONNECTED, "connected") X(REFUSED, "refused")                 \
	X(ACCEPTED, "accepted") X(REJECTED, "rejected")                 \
	X(DELIVERED, "delivered") X(DEFERRED, "deferred")               \
	X(FAILED, "failed") X(EXPIRED, "expired")                       \
	X(ACCOUNT_PAUSED, "account-paused")                             \
	X(ACCOUNT_RESUMED, "account-resumed")                           \
	X(THROTTLED, "throttled")   /* an account rests */              \
	X(UPSTREAM_CONNECTED, "upstream-connected")                     \
	X(UPSTREAM_FAILED, "upstream-failed")                           \
	X(TLS_ERROR, "tls-error") X(REPAIRED, "repaired")               \
	X(NOTICE_SENT, "notice-sent")                                   \
	X(DISK_LOW, "disk-low")                                         \
	X(RECOVERED, "recovered")   /* what the spool held at start */  \
	X(WARNING, "warning")       /* a risk in the configuration */   \
	X(CERTIFICATE, "certificate") /* of a listener, as loaded */    \
	X(ALERT_SENT, "alert-sent")   /* to alert_webhook */            \
	X(ALERT_FAILED, "alert-failed")                                 \
	X(DIALOGUE, "dialogue")     /* at debug: SMTP lines, masked */  \
	X(LOG_DROPPED, "log-dropped")

enum log_event_name {
#define X(name, text) EVENT_##name,
	LOG_EVENT_MAP(X)
#undef X
};

struct log_field {
	const char *key;   /* NULL ends the list */
	enum { LOG_FIELD_TEXT, LOG_FIELD_NUMBER } type;
	struct text text;  /* data NULL: the field is left out */
	int64_t number;
};

/* NULL leaves the field out. */
static inline struct text log_text(const char *string)
{
	return string == NULL ? (struct text){ NULL, 0 } : text_of(string);
}

#define F_TEXT(k, t) ((struct log_field){ (k), LOG_FIELD_TEXT, (t), 0 })
#define F_STR(k, s) \
	((struct log_field){ (k), LOG_FIELD_TEXT, log_text(s), 0 })
#define F_INT(k, n) \
	((struct log_field){ (k), LOG_FIELD_NUMBER, { "", 0 }, (int64_t)(n) })

void log_setup(int fd, enum log_format format, enum log_level level);
bool log_enabled(enum log_level level);

/* log_event(LOG_INFO, EVENT_ACCEPTED, F_STR("id", id), F_INT("size", n)); */
#define log_event(level, event, ...)                                     \
	log_fields((level), (event),                                     \
	           (const struct log_field[]){ __VA_ARGS__, { 0 } })
void log_fields(enum log_level level, enum log_event_name event,
                const struct log_field *fields);

void log_flush(void);

#endif
