#include "relay/report/alerts.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/buf.h"
#include "proto/utf8.h"
#include "proto/xalloc.h"
#include "relay/net/loop.h"
#include "relay/net/url.h"
#include "relay/net/webhook.h"
#include "relay/report/alert_backlog.h"
#include "relay/report/log.h"

enum { VALUE_MAX = 1000, SENTENCE_MAX = 4000 };

struct alerts {
	struct services *services;
	struct alert_backlog backlog;
	struct webhook *webhook;
	struct timer *timer;
};

static const struct {
	const char *name, *subject, *sentence;
} words[] = {
#define X(name, text, subject, sentence) \
	[ALERT_##name] = { text, subject, sentence },
	ALERT_EVENT_MAP(X)
#undef X
};

/* ---- what is said ---- */

/* A peer's words may hold anything. */
static char *clean(const char *text)
{
	struct text whole = text_of(text);
	bool valid = utf8_is_valid(whole);
	struct text cut = utf8_cut(whole, VALUE_MAX);
	char *copy = text_dup(cut), *c;

	for (c = copy; *c != '\0'; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
		else if (!valid && (unsigned char)*c > 0x7f)
			*c = '?';
	}
	return copy;
}

static void set(json_t *object, const char *key, const char *text)
{
	char *safe;

	if (text == NULL)
		return;
	safe = clean(text);
	json_object_set_new(object, key, json_string(safe));
	free(safe);
}

static void set_time(json_t *object)
{
	time_t now = (time_t)(wall_now_ms() / 1000);
	struct tm broken;
	char text[32];

	gmtime_r(&now, &broken);
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &broken);
	set(object, "time", text);
}

static void add_sentence(struct buf *out, const char *text)
{
	char *safe;

	if (text == NULL || *text == '\0')
		return;
	safe = clean(text);
	buf_printf(out, " %s%s", safe,
	           strchr(".!?", safe[strlen(safe) - 1]) ? "" : ".");
	free(safe);
}

static const char *why(const struct alert *alert)
{
	return alert->title != NULL ? alert->title : alert->explanation;
}

static void set_sentence(json_t *object, const struct alert *alert,
                         const char *hostname)
{
	struct buf out = BUF_INIT(SENTENCE_MAX);

	buf_printf(&out, "lanpost on %s: ", hostname);
	if (alert->account != NULL)
		buf_printf(&out, "account %s ", alert->account);
	buf_printf(&out, "%s.", words[alert->event].sentence);
	add_sentence(&out, why(alert));
	if (alert->waiting > 0)
		buf_printf(&out, " %zu message%s wait%s.", alert->waiting,
		           alert->waiting == 1 ? "" : "s",
		           alert->waiting == 1 ? "s" : "");
	add_sentence(&out, alert->fix);
	set(object, "text", buf_string(&out));
	buf_free(&out);
}

static char *print(const struct alert *alert, const char *hostname)
{
	json_t *object = json_object();
	char *text;

	set(object, "event", words[alert->event].name);
	set_time(object);
	set(object, "host", hostname);
	set(object, "account", alert->account);
	set(object, "reason", alert->reason);
	set(object, "title", alert->title);
	set(object, "explanation", alert->explanation);
	set(object, "fix", alert->fix);
	set(object, "reply", alert->reply);
	json_object_set_new(object, "waiting",
	                    json_integer((json_int_t)alert->waiting));
	set_sentence(object, alert, hostname);
	text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	return text;
}

/* ---- the way out ---- */

static const char *url_in_force(const struct alerts *alerts)
{
	return alerts->services->config->relay.alert_webhook;
}

static void log_end(const struct alerts *alerts, const struct alert_item *item,
                    const char *error, bool given_up)
{
	struct url url = { 0 };

	if (url_in_force(alerts) != NULL)
		url_parse(url_in_force(alerts), &url);
	if (error == NULL)
		log_event(LOG_INFO, EVENT_ALERT_SENT,
		          F_STR("alert", item->event), F_STR("to", url.origin));
	else
		log_event(LOG_WARN, EVENT_ALERT_FAILED,
		          F_STR("alert", item->event), F_STR("to", url.origin),
		          F_STR("error", error),
		          F_INT("attempt", item->failures + 1),
		          F_STR("fix", given_up
		                  ? "it is given up; check alert_webhook in "
		                    "[relay] and its receiver"
		                  : NULL));
	url_clear(&url);
}

static void send_next(struct alerts *alerts)
{
	uint64_t now = loop_now_ms(alerts->services->loop);
	const struct alert_item *item;
	uint64_t wait;

	if (url_in_force(alerts) == NULL)
		alert_backlog_clear(&alerts->backlog);
	if (webhook_is_busy(alerts->webhook))
		return;
	item = alert_backlog_next(&alerts->backlog, now);
	if (item != NULL) {
		webhook_post(alerts->webhook, url_in_force(alerts), item->body);
		return;
	}
	wait = alert_backlog_wait(&alerts->backlog, now);
	if (wait != ALERT_BACKLOG_NEVER)
		timer_start(alerts->timer, wait);
}

/* The log hears of the first failure, and of the last. */
static void on_failed(struct alerts *alerts, const struct alert_item *item,
                      const char *error)
{
	struct alert_item copy = *item;
	char *event = xstrdup(item->event);
	bool given_up = alert_backlog_failed(
		&alerts->backlog, loop_now_ms(alerts->services->loop));

	copy.event = event;
	if (copy.failures == 0 || given_up)
		log_end(alerts, &copy, error, given_up);
	free(event);
}

static void on_posted(void *ctx, const char *error)
{
	struct alerts *alerts = ctx;
	const struct alert_item *item =
		alert_backlog_current(&alerts->backlog);

	if (item != NULL && error == NULL) {
		log_end(alerts, item, NULL, false);
		alert_backlog_sent(&alerts->backlog);
	} else if (item != NULL) {
		on_failed(alerts, item, error);
	}
	send_next(alerts);
}

static void on_timer(void *ctx)
{
	send_next(ctx);
}

static void post(struct alerts *alerts, const struct alert *alert)
{
	char *subject = xasprintf("%s %s", words[alert->event].subject,
	                          alert->account ? alert->account : "");
	char *body = print(alert,
	                   alerts->services->config->relay.hostname);

	alert_backlog_add(&alerts->backlog, subject, words[alert->event].name,
	                  body, loop_now_ms(alerts->services->loop));
	free(subject);
	free(body);
	send_next(alerts);
}

/* The one place where alarm is given. */
void alerts_raise(struct alerts *alerts, const struct alert *alert)
{
	if (alerts != NULL && url_in_force(alerts) != NULL)
		post(alerts, alert);
}

/* ---- life ---- */

struct alerts *alerts_new(struct services *services)
{
	struct alerts *alerts = xcalloc(1, sizeof *alerts);

	alerts->services = services;
	alerts->webhook = webhook_new(services->loop, on_posted, alerts);
	alerts->timer = timer_new(services->loop, on_timer, alerts);
	return alerts;
}

void alerts_free(struct alerts **alerts_p)
{
	struct alerts *alerts = *alerts_p;

	if (alerts == NULL)
		return;
	webhook_free(&alerts->webhook);
	timer_free(&alerts->timer);
	alert_backlog_clear(&alerts->backlog);
	free(alerts);
	*alerts_p = NULL;
}
