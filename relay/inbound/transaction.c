#include "relay/inbound/transaction.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/smtp_syntax.h"
#include "proto/xalloc.h"
#include "relay/inbound/intake.h"
#include "relay/policy/send_as.h"
#include "relay/queue/queue.h"
#include "relay/report/log.h"

enum { ROOM_CHECK_OCTETS = 1024 * 1024 }; /* between looks at the disk */

struct transaction {
	struct services *services;
	struct config *config;
	struct origin origin;
	const struct transaction_callbacks *callbacks;
	void *ctx;
	struct envelope *envelope;
	struct body *body;
	struct intake *intake;
	uint64_t room_checked;     /* octets at the last look at the disk */
	bool behind, committing;
};

static const struct account_config *account_of(const struct transaction *t)
{
	return &t->config->accounts[0];
}

const struct envelope *transaction_envelope(const struct transaction *t)
{
	return t->envelope;
}

bool transaction_is_behind(const struct transaction *t)
{
	return t->behind;
}

bool transaction_is_committing(const struct transaction *t)
{
	return t->committing;
}

static bool refuse(struct smtp_reply *refusal_r, int code, const char *status,
                   const char *text)
{
	*refusal_r = smtp_reply_make(code, status, text);
	return false;
}

/* ---- the envelope ---- */

static bool has_room(struct services *services, uint64_t octets,
                     struct smtp_reply *refusal_r)
{
	if (!store_is_healthy(services->store))
		return refuse(refusal_r, 451, "4.3.0",
		              "The spool cannot be written now, "
		              "try again later");
	switch (spool_room(services->spool, octets,
	                   loop_now_ms(services->loop))) {
	case SPOOL_ROOM:
		return true;
	case SPOOL_FULL:
		return refuse(refusal_r, 452, "4.3.1",
		              "The spool is full (max_spool_size), "
		              "try again later");
	case SPOOL_DISK_LOW:
		break;
	}
	return refuse(refusal_r, 452, "4.3.1",
	              "The disk is nearly full (min_free_disk), "
	              "try again later");
}

/* The provider would refuse it later; the device hears it now. */
static bool size_fits(struct transaction *t, uint64_t octets,
                      struct smtp_reply *refusal_r)
{
	static char words[200]; /* until the reply is sent, in this turn */
	uint64_t max = account_of(t)->max_message_size;

	if (max == 0 || octets <= max)
		return true;
	snprintf(words, sizeof words,
	         "The message is larger than the %llu octets that account %s "
	         "may send", (unsigned long long)max, account_of(t)->name);
	return refuse(refusal_r, 552, "5.3.4", words);
}

static void fill_envelope(struct transaction *t, struct text reverse_path)
{
	struct envelope *envelope = t->envelope = envelope_new();

	envelope->received_ms = wall_now_ms();
	envelope->id = message_id_new(envelope->received_ms, random_u32());
	envelope->expires_ms =
		envelope->received_ms + t->config->relay.expire_ms;
	envelope->client = xstrdup(t->origin.client);
	envelope->listener = xstrdup(t->origin.listener->name);
	envelope->helo = xstrdup(t->origin.helo);
	envelope->reverse_path = text_dup(reverse_path);
	envelope->account = xstrdup(account_of(t)->name);
}

static bool sender_ok(struct transaction *t, struct smtp_reply *refusal_r)
{
	struct send_as_query query = {
		.account = account_of(t),
		.reverse_path = t->envelope->reverse_path,
		.header_from = t->envelope->header_from,
	};
	struct send_as sender;
	bool ok;

	send_as_decide(&query, &sender);
	ok = sender.verdict == SEND_AS_OK ||
	     refuse(refusal_r, 550, "5.7.1", sender.reason);
	send_as_free(&sender);
	return ok;
}

struct transaction *
transaction_begin(struct services *services, struct config *config,
                  const struct origin *origin, const struct smtp_path *path,
                  uint64_t size, const struct transaction_callbacks *callbacks,
                  void *ctx, struct smtp_reply *refusal_r)
{
	struct transaction *t;

	if (smtp_has_control(path->address)) {
		refuse(refusal_r, 501, "5.1.7",
		       "The sender address holds control characters");
		return NULL;
	}
	if (!has_room(services, size, refusal_r))
		return NULL;
	t = xcalloc(1, sizeof *t);
	t->services = services;
	t->config = config_ref(config);
	t->origin = *origin;
	t->callbacks = callbacks;
	t->ctx = ctx;
	fill_envelope(t, path->address);
	if (!sender_ok(t, refusal_r) || !size_fits(t, size, refusal_r))
		transaction_free(&t);
	return t;
}

static bool is_known_recipient(const struct envelope *envelope,
                               struct text address)
{
	size_t i;

	for (i = 0; i < envelope->n_recipients; i++) {
		if (text_equal(text_of(envelope->recipients[i].address),
		               address))
			return true;
	}
	return false;
}

bool transaction_recipient(struct transaction *t, const struct smtp_path *path,
                           struct smtp_reply *refusal_r)
{
	if (smtp_path_domain(path).len == 0)
		return refuse(refusal_r, 550, "5.1.3",
		              "The recipient needs a domain, as in "
		              "name@example.com");
	if (smtp_has_control(path->address))
		return refuse(refusal_r, 501, "5.1.3",
		              "The recipient address holds control characters");
	if (!is_known_recipient(t->envelope, path->address))
		envelope_add_recipient(t->envelope, path->address);
	return true;
}

/* ---- the data ---- */

static void store_content(void *ctx, const void *data, size_t len)
{
	struct transaction *t = ctx;

	if (!body_append(t->body, data, len))
		t->behind = true;
}

static void on_body_drain(void *ctx)
{
	struct transaction *t = ctx;

	t->behind = false;
	t->callbacks->on_drain(t->ctx);
}

static void on_body_finish(void *ctx, const char *error, bool full);

static int local_offset_minutes(int64_t now_ms)
{
	time_t now = (time_t)(now_ms / 1000);
	struct tm local;

	localtime_r(&now, &local);
	return (int)(local.tm_gmtoff / 60);
}

void transaction_data(struct transaction *t)
{
	static const struct body_callbacks callbacks = { on_body_drain,
		on_body_finish };
	struct intake_settings settings = {
		.hostname = t->config->relay.hostname,
		.protocol = t->origin.is_esmtp ? "ESMTP" : "SMTP",
		.now_ms = t->envelope->received_ms,
		.offset_minutes =
			local_offset_minutes(t->envelope->received_ms),
		.emit = store_content,
		.ctx = t,
	};

	t->body = body_new(t->services->spool, t->services->loop,
	                   t->envelope->id, &callbacks, t);
	t->intake = intake_new(&settings, t->envelope);
}

static bool header_too_big(struct smtp_reply *refusal_r)
{
	return refuse(refusal_r, 554, "5.6.0",
	              "The header of the message is larger than a megabyte");
}

bool transaction_chunk(struct transaction *t, struct text chunk,
                       struct smtp_reply *refusal_r)
{
	uint64_t size;

	if (!intake_push(t->intake, chunk))
		return header_too_big(refusal_r);
	if (body_failed(t->body))
		return refuse(refusal_r, 452, "4.3.1",
		              "The message could not be written to disk, "
		              "try again later");
	size = body_size(t->body);
	if (size - t->room_checked < ROOM_CHECK_OCTETS)
		return true;
	t->room_checked = size;
	return size_fits(t, size, refusal_r) &&
	       has_room(t->services, size, refusal_r);
}

/* ---- the commit ---- */

static void log_repaired(struct transaction *t, unsigned repairs)
{
	struct buf what = BUF_INIT(1024);
	char id[MESSAGE_ID_TEXT];
	unsigned i;

	for (i = 0; i < INTAKE_REPAIRS; i++) {
		if (repairs & 1u << i)
			buf_printf(&what, "%s%s", buf_len(&what) ? ", " : "",
			           intake_repair_text((enum intake_repair)i));
	}
	if (buf_len(&what) > 0)
		log_event(LOG_INFO, EVENT_REPAIRED,
		          F_STR("id", message_id_print(t->envelope->id, id)),
		          F_STR("client", t->origin.client),
		          F_TEXT("repairs", buf_text(&what)));
	buf_free(&what);
}

void transaction_set_quirks(struct transaction *t, unsigned quirks)
{
	t->origin.quirks = quirks;
}

bool transaction_end(struct transaction *t, const struct smtp_data_stats *stats,
                     struct smtp_reply *refusal_r)
{
	unsigned repairs;

	if (!intake_finish(t->intake))
		return header_too_big(refusal_r);
	if (!sender_ok(t, refusal_r) ||
	    !size_fits(t, stats->octets, refusal_r))
		return false;
	repairs = intake_repairs(t->intake);
	if (stats->bare_cr + stats->bare_lf > 0)
		repairs |= INTAKE_REPAIR(LINE_ENDS);
	log_repaired(t, repairs);
	intake_free(&t->intake);
	t->envelope->has_8bit = stats->has_8bit > 0;
	t->committing = true;
	body_finish(t->body);
	return true;
}

static void conclude(struct transaction *t, int code, const char *status,
                     const char *text)
{
	struct smtp_reply reply = smtp_reply_make(code, status, text);

	t->committing = false;
	t->callbacks->on_done(t->ctx, &reply);
}

static void conclude_failed(struct transaction *t, bool full)
{
	if (full)
		conclude(t, 452, "4.3.1", "The disk is full, try again later");
	else
		conclude(t, 451, "4.3.0",
		         "The message could not be stored, try again later");
}

static void log_accepted(const struct envelope *envelope)
{
	char *to = envelope_recipient_list(envelope, RECIPIENT_QUEUED, 500);
	char id[MESSAGE_ID_TEXT];

	log_event(LOG_INFO, EVENT_ACCEPTED,
	          F_STR("id", message_id_print(envelope->id, id)),
	          F_STR("client", envelope->client),
	          F_STR("listener", envelope->listener),
	          F_STR("from", envelope->reverse_path), F_STR("to", to),
	          F_INT("size", envelope->size),
	          F_STR("subject", envelope->subject),
	          F_STR("account", envelope->account));
	free(to);
}

static void on_accepted(void *ctx, const char *error, bool full)
{
	struct transaction *t = ctx;
	char text[80] = "Queued as ", *bytes;

	if (error != NULL) {
		conclude_failed(t, full);
		return;
	}
	message_id_print(t->envelope->id, text + strlen(text));
	log_accepted(t->envelope);
	bytes = body_take_bytes(t->body);
	body_free(&t->body);
	queue_add(t->services->queue, &t->envelope, bytes);
	conclude(t, 250, "2.0.0", text);
}

static void on_body_finish(void *ctx, const char *error, bool full)
{
	struct transaction *t = ctx;

	if (error != NULL) {
		conclude_failed(t, full);
		return;
	}
	t->envelope->size = body_size(t->body);
	t->envelope->checksum = body_checksum(t->body);
	t->envelope->body_in_file = body_is_file(t->body);
	store_accept(t->services->store, &t->envelope, 1, t->body, on_accepted,
	             t);
}

void transaction_free(struct transaction **transaction)
{
	struct transaction *t = *transaction;

	if (t == NULL)
		return;
	intake_free(&t->intake);
	body_abort(&t->body);
	envelope_free(&t->envelope);
	config_unref(&t->config);
	free(t);
	*transaction = NULL;
}
