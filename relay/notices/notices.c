#include "relay/notices/notices.h"

#include <stdlib.h>
#include <string.h>

#include "proto/dsn.h"
#include "proto/xalloc.h"
#include "relay/net/loop.h"
#include "relay/notices/notice_alarm.h"
#include "relay/notices/notice_mail.h"
#include "relay/notices/notice_pace.h"
#include "relay/queue/queue.h"
#include "relay/report/log.h"

enum {
	RETRY_MS = 60 * 1000,      /* after the disk, or what was due, changed */
	REST_MAX_MS = 600 * 1000,  /* so that a clock that jumps costs little */
	SETTLED_MS = 1000,         /* of a digest: what is older stays put */
	OF_MAX = 500,              /* octets of ids in the log */
};

struct notices {
	struct services *services;
	struct notices_means means;
	struct timer *timer;
	enum {
		NOTICES_IDLE,
		NOTICES_LOOKING,   /* in the store */
		NOTICES_READING,   /* the header of what failed */
		NOTICES_WRITING,   /* the body of the notice */
		NOTICES_STORING,   /* it, and that it is told */
	} state;
	bool again;                /* kicked meanwhile */
	int64_t rest_until_ms;     /* nothing may be made before; 0: it may */
	struct notice_alarm *alarms;

	/* of the one under way */
	struct config *config;
	struct notice_case one;
	struct notice_audience audience;
	char *account;             /* that carries it, or NULL */
	struct body_file *file;
	struct notice_mail mail;
	struct body *body;
	struct notice_told told;
	char *sender;              /* of told */
	struct buf of;             /* ids, for the log */
	struct notice_alarm *alarm;
};

static void look(struct notices *notices);

static int64_t now_of(const struct notices *notices)
{
	return notices->means.now_ms();
}

static const char *carrier_of(const struct notices *notices,
			      const char *account)
{
	return notices->means.carrier(notices->means.ctx, account);
}

/* ---- the end of a round ---- */

static void clear(struct notices *notices)
{
	config_unref(&notices->config);
	notice_case_clear(&notices->one);
	body_file_close(&notices->file);
	notice_mail_free(&notices->mail);
	notice_alarm_free(&notices->alarm);
	free(notices->sender);
	free(notices->account);
	notices->sender = notices->account = NULL;
	buf_clear(&notices->of);
	notices->told = (struct notice_told){ 0 };
	notices->state = NOTICES_IDLE;
}

static void rest(struct notices *notices, int64_t until_ms)
{
	int64_t wait_ms = until_ms - now_of(notices);

	clear(notices);
	notices->again = false;
	notices->rest_until_ms = until_ms;
	if (wait_ms > REST_MAX_MS)
		wait_ms = REST_MAX_MS;
	timer_start(notices->timer, wait_ms > 0 ? (uint64_t)wait_ms : 0);
}

/* What is under way is made anew. */
static void retry(struct notices *notices)
{
	notice_alarm_put_back(&notices->alarms, &notices->alarm);
	rest(notices, now_of(notices) + RETRY_MS);
}

static void on_timer(void *ctx)
{
	struct notices *notices = ctx;

	if (notices->state == NOTICES_IDLE)
		look(notices);
}

/* ---- storing ---- */

static void log_sent(const struct notices *notices)
{
	const struct envelope *envelope = notices->mail.envelope;
	char *to = envelope_recipient_list(envelope, RECIPIENT_QUEUED, OF_MAX);
	char id[MESSAGE_ID_TEXT];

	log_event(LOG_INFO, EVENT_NOTICE_SENT,
		  F_STR("id", message_id_print(envelope->id, id)),
		  F_TEXT("of", buf_len(&notices->of) > 0
				       ? buf_text(&notices->of)
				       : log_text(NULL)),
		  F_STR("to", to), F_STR("subject", envelope->subject),
		  F_STR("account", envelope->account));
	free(to);
}

static void on_stored(void *ctx, const char *error, bool full)
{
	struct notices *notices = ctx;
	char *bytes;

	(void)full;
	if (error != NULL) {
		body_abort(&notices->body);
		retry(notices);
		return;
	}
	log_sent(notices);
	bytes = body_take_bytes(notices->body);
	body_free(&notices->body);
	queue_add(notices->services->queue, &notices->mail.envelope, bytes);
	clear(notices);
	look(notices);
}

static void on_body_finish(void *ctx, const char *error, bool full)
{
	struct notices *notices = ctx;
	struct envelope *envelope = notices->mail.envelope;

	(void)full;
	if (error != NULL) {
		body_abort(&notices->body);
		retry(notices);
		return;
	}
	envelope->size = body_size(notices->body);
	envelope->checksum = body_checksum(notices->body);
	envelope->body_in_file = body_is_file(notices->body);
	notices->state = NOTICES_STORING;
	store_notice(notices->services->store, &notices->mail.envelope,
		     notices->body, &notices->told, on_stored, notices);
}

static void on_body_drain(void *ctx)
{
	(void)ctx;
}

static void store_mail(struct notices *notices)
{
	static const struct body_callbacks callbacks = { on_body_drain,
							 on_body_finish };
	struct text bytes = buf_text(&notices->mail.bytes);

	notices->state = NOTICES_WRITING;
	notices->body = body_new(notices->services->spool,
				 notices->services->loop,
				 notices->mail.envelope->id, &callbacks,
				 notices);
	body_append(notices->body, bytes.data, bytes.len);
	body_finish(notices->body);
}

static void on_skipped(void *ctx, const char *error, bool full)
{
	struct notices *notices = ctx;

	(void)full;
	if (error != NULL) {
		retry(notices);
		return;
	}
	clear(notices);
	look(notices);
}

static void skip(struct notices *notices)
{
	notices->state = NOTICES_STORING;
	store_notice_skip(notices->services->store, &notices->told, on_skipped,
			  notices);
}

static struct notice_occasion occasion_of(const struct notices *notices)
{
	int64_t now_ms = now_of(notices);

	return (struct notice_occasion){
		.config = notices->config,
		.account = notices->account,
		.now_ms = now_ms,
		.random = random_u32(),
		.offset_minutes = wall_offset_minutes(now_ms),
	};
}

/* ---- one message ---- */

static void write_failure(struct notices *notices, struct text header)
{
	struct notice_occasion occasion = occasion_of(notices);
	size_t header_size = notices->one.envelope->header_size;

	if (header.len > header_size)
		header.len = header_size;
	notice_mail_failure(&notices->mail, &occasion, &notices->audience,
			    &notices->one, header);
	store_mail(notices);
}

static void on_stored_body(void *ctx, char *bytes, size_t len,
			   const char *error)
{
	(void)error; /* a notice without the header is a notice, too */
	write_failure(ctx, text_make(bytes, len));
	free(bytes);
}

static void on_file_header(void *ctx, const void *data, size_t len,
			   const char *error)
{
	write_failure(ctx, text_make(data, error != NULL ? 0 : len));
}

static void read_file(struct notices *notices)
{
	const struct envelope *envelope = notices->one.envelope;
	size_t len = envelope->header_size;
	const char *error = NULL;

	if (len > DSN_HEADER_MAX + 1)
		len = DSN_HEADER_MAX + 1;
	notices->file = body_file_open(notices->services->spool,
				       notices->services->loop, envelope->id,
				       envelope->size, &error);
	if (notices->file == NULL)
		write_failure(notices, text_make(NULL, 0));
	else
		body_file_read(notices->file, 0, len, on_file_header, notices);
}

static bool is_worth_telling(const struct notices *notices)
{
	enum message_state state = notices->one.envelope->state;

	return notices->audience.n > 0 && state != MESSAGE_DELETED &&
	       state != MESSAGE_REFUSED &&
	       notice_case_untold_ms(&notices->one) != 0;
}

static void tell_one(struct notices *notices)
{
	const struct envelope *envelope = notices->one.envelope;
	int64_t untold_ms = notice_case_untold_ms(&notices->one);
	char id[MESSAGE_ID_TEXT];

	notices->account = xstrdup(carrier_of(notices, envelope->account));
	notices->told.id = envelope->id;
	notices->told.until_ms = untold_ms != 0 ? untold_ms
						: notices->one.told_ms;
	notices->audience = notice_audience_of(notices->config, &notices->one);
	if (!is_worth_telling(notices)) {
		skip(notices);
		return;
	}
	buf_puts(&notices->of, message_id_print(envelope->id, id));
	notices->state = NOTICES_READING;
	if (envelope->body_in_file)
		read_file(notices);
	else
		store_load_body(notices->services->store, envelope->id,
				on_stored_body, notices);
}

/* ---- many ---- */

static void list_ids(struct notices *notices,
		     const struct notice_digest *digest)
{
	size_t i, n = 0;

	for (i = 0; i < digest->n_cases; i++) {
		char id[MESSAGE_ID_TEXT];

		if (buf_len(&notices->of) + MESSAGE_ID_TEXT > OF_MAX)
			break;
		buf_printf(&notices->of, "%s%s", n++ > 0 ? "," : "",
			   message_id_print(digest->cases[i].envelope->id, id));
	}
	if (n < digest->n)
		buf_printf(&notices->of, " and %zu more", digest->n - n);
}

static void on_digest(void *ctx, const struct notice_digest *digest,
		      const char *error)
{
	struct notices *notices = ctx;
	struct notice_occasion occasion = occasion_of(notices);

	if (error != NULL || digest->n == 0) {
		retry(notices);
		return;
	}
	notices->told.n = digest->n;
	notices->audience =
		notice_audience_of_all(notices->config, digest->sender);
	if (notices->audience.n == 0) {
		skip(notices);
		return;
	}
	list_ids(notices, digest);
	notice_mail_digest(&notices->mail, &occasion, &notices->audience,
			   digest);
	store_mail(notices);
}

static void tell_all(struct notices *notices)
{
	notices->account = xstrdup(
		carrier_of(notices, notices->one.envelope->account));
	notices->told.until_ms = now_of(notices) - SETTLED_MS;
	if (notice_audience_is_each_sender(notices->config))
		notices->sender = xstrdup(notices->one.envelope->reverse_path);
	notices->told.sender = notices->sender;
	store_notice_digest(notices->services->store, notices->told.until_ms,
			    notices->sender, NOTICE_DIGEST_LISTED, on_digest,
			    notices);
}

/* ---- accounts ---- */

static void tell_alarm(struct notices *notices)
{
	struct notice_occasion occasion = occasion_of(notices);

	notices->alarm = notice_alarm_take(&notices->alarms);
	if (notices->alarm->is_resumed)
		notice_mail_resumed(&notices->mail, &occasion,
				    &notices->alarm->facts);
	else
		notice_mail_paused(&notices->mail, &occasion,
				   &notices->alarm->facts);
	store_mail(notices);
}

static void add_alarm(struct notices *notices,
		      const struct account_alarm *alarm, bool is_resumed)
{
	const struct relay_config *relay = &notices->services->config->relay;
	struct account_alarm carried = *alarm;

	carried.by = carrier_of(notices, alarm->account);
	if (carried.by == NULL || relay->postmaster == NULL ||
	    relay->notify == NOTIFY_OFF)
		return;
	notice_alarm_add(&notices->alarms, &carried, is_resumed);
	notices->rest_until_ms = 0;
	notices_kick(notices);
}

void notices_account_paused(struct notices *notices,
			    const struct account_alarm *alarm)
{
	if (notices != NULL)
		add_alarm(notices, alarm, false);
}

void notices_account_resumed(struct notices *notices,
			     const struct account_alarm *alarm)
{
	if (notices != NULL &&
	    now_of(notices) - alarm->since_ms > NOTICE_RESUMED_AFTER_MS)
		add_alarm(notices, alarm, true);
}

/* A reload may have taken the postmaster away meanwhile. */
static bool has_alarm(struct notices *notices)
{
	struct notice_alarm *alarm;

	while (notices->config->relay.postmaster == NULL &&
	       (alarm = notice_alarm_take(&notices->alarms)) != NULL)
		notice_alarm_free(&alarm);
	return notices->alarms != NULL;
}

/* ---- looking ---- */

static void wait_for_more(struct notices *notices, int64_t until_ms,
			  const struct notice_news *news)
{
	int64_t more_ms = notice_pace_more_ms(news);

	if (has_alarm(notices) && (until_ms == 0 || more_ms < until_ms))
		until_ms = more_ms;
	if (until_ms != 0) {
		rest(notices, until_ms);
		return;
	}
	clear(notices);
	if (notices->again)
		look(notices);
}

static void step(struct notices *notices, const struct notice_news *news)
{
	struct notice_step next =
		notice_pace(news, notice_audience_is_each_sender(notices->config),
			    now_of(notices));

	if (has_alarm(notices) && notice_pace_left(news) > 0) {
		tell_alarm(notices);
		return;
	}
	switch (next.action) {
	case NOTICE_REST:
		wait_for_more(notices, next.until_ms, news);
		break;
	case NOTICE_SINGLE:
		tell_one(notices);
		break;
	case NOTICE_DIGEST:
		tell_all(notices);
		break;
	}
}

static void on_news(void *ctx, const struct notice_news *news,
		    const char *error)
{
	struct notices *notices = ctx;

	if (news->has_next)
		notices->one = news->next;
	if (error != NULL)
		retry(notices);
	else
		step(notices, news);
}

static void look(struct notices *notices)
{
	notices->state = NOTICES_LOOKING;
	notices->again = false;
	notices->rest_until_ms = 0;
	timer_stop(notices->timer);
	notices->config = config_ref(notices->services->config);
	store_notice_news(notices->services->store,
			  now_of(notices) - NOTICE_HOUR_MS, on_news,
			  notices);
}

void notices_kick(struct notices *notices)
{
	if (notices->state != NOTICES_IDLE)
		notices->again = true;
	else if (notices->rest_until_ms <= now_of(notices))
		look(notices);
}

/* ---- life ---- */

struct notices *notices_new(struct services *services,
			    const struct notices_means *means)
{
	struct notices *notices = xcalloc(1, sizeof(*notices));

	notices->services = services;
	notices->means = *means;
	buf_init(&notices->of, 2 * OF_MAX);
	notices->timer = timer_new(services->loop, on_timer, notices);
	return notices;
}

/* A notice that may have been committed keeps its file; if it was not, recovery
 * finds a file that nobody was promised. */
void notices_free(struct notices **notices_p)
{
	struct notices *notices = *notices_p;
	struct notice_alarm *alarm;

	if (notices == NULL)
		return;
	if (notices->state == NOTICES_STORING)
		body_free(&notices->body);
	body_abort(&notices->body);
	clear(notices);
	while ((alarm = notice_alarm_take(&notices->alarms)) != NULL)
		notice_alarm_free(&alarm);
	timer_free(&notices->timer);
	buf_free(&notices->of);
	free(notices);
	*notices_p = NULL;
}
