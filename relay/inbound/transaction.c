#include "relay/inbound/transaction_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/smtp_syntax.h"
#include "proto/xalloc.h"
#include "relay/inbound/refusal.h"
#include "relay/inbound/repairs.h"
#include "relay/report/log.h"

enum { ROOM_CHECK_OCTETS = 1024 * 1024 }; /* between looks at the disk */

const struct envelope *transaction_envelope(const struct transaction *t)
{
	return t->draft;
}

message_id transaction_queued_id(const struct transaction *t)
{
	return t->draft == NULL ? t->first : 0;
}

bool transaction_is_behind(const struct transaction *t)
{
	return t->behind;
}

bool transaction_is_committing(const struct transaction *t)
{
	return t->committing;
}

message_id transaction_id(const struct transaction *t)
{
	return t->first;
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
static bool size_fits(const struct account_config *account, uint64_t octets,
                      struct smtp_reply *refusal_r)
{
	uint64_t max = account->max_message_size;

	return max == 0 || octets <= max ||
	       refuse(refusal_r, 552, "5.3.4",
	              "The message is larger than the %llu octets that "
	              "account %s may send",
	              (unsigned long long)max, account->name);
}

static bool fits_all(const struct transaction *t, uint64_t octets,
                     struct smtp_reply *refusal_r)
{
	size_t i;

	for (i = 0; i < t->destinations.n; i++) {
		const struct account_config *account =
			t->destinations.list[i].account;

		if (account != NULL && !size_fits(account, octets, refusal_r))
			return false;
	}
	return true;
}

static void fill_draft(struct transaction *t, struct text reverse_path)
{
	struct envelope *envelope = t->draft = envelope_new();

	envelope->received_ms = wall_now_ms();
	envelope->id = message_id_new(envelope->received_ms, random_u32());
	envelope->client = xstrdup(t->origin.client);
	if (t->origin.device != NULL)
		envelope->device = xstrdup(t->origin.device->name);
	envelope->listener = xstrdup(t->origin.listener->name);
	envelope->helo = xstrdup(t->origin.helo);
	envelope->reverse_path = text_dup(reverse_path);
}

void transaction_sender(const struct envelope *envelope,
                        const struct account_config *account,
                        const struct rule_config *rule, struct send_as *out)
{
	struct send_as_query query = {
		.account = account,
		.rule = rule,
		.reverse_path = envelope->reverse_path,
		.header_from = envelope->header_from,
	};

	send_as_decide(&query, out);
}

static bool sender_ok(const struct transaction *t,
                      const struct account_config *account,
                      const struct rule_config *rule,
                      struct smtp_reply *refusal_r)
{
	struct send_as sender;
	bool ok;

	transaction_sender(t->draft, account, rule, &sender);
	ok = sender.verdict == SEND_AS_OK ||
	     refuse(refusal_r, 550, "5.7.1", "%s", sender.reason);
	send_as_free(&sender);
	return ok;
}

/* What MAIL alone decides, is decided at MAIL: a device that has no panel for
 * more shows the reply to its first command. */
static bool judge_sender(struct transaction *t, uint64_t size,
                         struct smtp_reply *refusal_r)
{
	struct route route =
		router_choose(t->config, &t->destinations.query);

	if (route.open)
		return true;
	if (route.rule != NULL && route.rule->reject != NULL)
		return refuse(refusal_r, 550, "5.7.1", "%s",
		              route.rule->reject);
	if (route.account->sender_policy == SENDER_REJECT &&
	    !sender_ok(t, route.account, route.rule, refusal_r))
		return false;
	return size_fits(route.account, size, refusal_r);
}

struct transaction *
transaction_begin(struct services *services, struct config *config,
                  const struct origin *origin, const struct smtp_path *path,
                  uint64_t size, const struct transaction_callbacks *callbacks,
                  void *ctx, struct smtp_reply *refusal_r)
{
	struct route_query query = { .client = origin->address,
		.device = origin->device, .listener = origin->listener->name };
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
	t->path_repairs = path->repairs;
	fill_draft(t, path->address);
	query.from = t->draft->reverse_path;
	destinations_init(&t->destinations, t->config, &query);
	if (!judge_sender(t, size, refusal_r))
		transaction_free(&t);
	return t;
}

bool transaction_recipient(struct transaction *t, const struct smtp_path *path,
                           struct smtp_reply *refusal_r)
{
	if (!destinations_add(&t->destinations, path, refusal_r))
		return false;
	t->path_repairs |= path->repairs;
	envelope_add_recipient(t->draft, path->address);
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

/* RFC 3848 */
static const char *protocol_of(const struct origin *origin)
{
	static const char *const words[] = { "ESMTP", "ESMTPS", "ESMTPA",
		"ESMTPSA" };

	if (!origin->is_esmtp)
		return "SMTP";
	return words[(origin->tls ? 1 : 0) + (origin->logged_in ? 2 : 0)];
}

static const char *charset_of(const struct origin *origin)
{
	return origin->device != NULL ? origin->device->charset
	                              : "windows-1252";
}

/* Who sends a message that does not say it. */
static const char *sender_of(const struct transaction *t)
{
	const struct account_config *account = t->destinations.list[0].account;
	struct smtp_path path;

	if (smtp_address_parse(text_of(t->draft->reverse_path), &path))
		return t->draft->reverse_path;
	return account_identity(account != NULL ? account
	                                        : &t->config->accounts[0]);
}

void transaction_data(struct transaction *t)
{
	static const struct body_callbacks callbacks = { on_body_drain,
		transaction_commit };
	struct intake_settings settings = {
		.hostname = t->config->relay.hostname,
		.protocol = protocol_of(&t->origin),
		.charset = charset_of(&t->origin),
		.from = sender_of(t),
		.now_ms = t->draft->received_ms,
		.offset_minutes = wall_offset_minutes(t->draft->received_ms),
		.emit = store_content,
		.ctx = t,
	};

	t->body = body_new(t->services->spool, t->services->loop,
	                   t->draft->id, &callbacks, t);
	t->intake = intake_new(&settings, t->draft);
	transaction_watch(t);
}

static bool refuse_header(const struct transaction *t,
                          struct smtp_reply *refusal_r)
{
	return refuse(refusal_r, 554, intake_error_status(t->intake), "%s",
	              intake_error(t->intake));
}

bool transaction_chunk(struct transaction *t, struct text chunk,
                       struct smtp_reply *refusal_r)
{
	uint64_t size;

	transaction_watch_chunk(t, chunk);
	if (!intake_push(t->intake, chunk))
		return refuse_header(t, refusal_r);
	if (body_failed(t->body))
		return refuse(refusal_r, 452, "4.3.1",
		              "The message could not be written to disk, "
		              "try again later");
	size = body_size(t->body);
	if (size - t->room_checked < ROOM_CHECK_OCTETS)
		return true;
	t->room_checked = size;
	return fits_all(t, size, refusal_r) &&
	       has_room(t->services, size, refusal_r);
}

/* ---- the end of the data ---- */

/* What any relay does to good mail too is not held against a device. */
static bool is_tolerable(const struct transaction *t,
                         const struct repairs *repairs)
{
	return !t->origin.listener->strict || !repairs_are_faults(repairs);
}

static void log_repaired(const struct transaction *t, struct text words)
{
	char id[MESSAGE_ID_TEXT];

	if (words.len > 0)
		log_event(LOG_INFO, EVENT_REPAIRED,
		          F_STR("id", message_id_print(t->draft->id, id)),
		          F_STR("client", t->draft->client),
		          F_STR("device", t->draft->device),
		          F_TEXT("repairs", words));
}

static bool repairs_ok(struct transaction *t,
                       const struct smtp_data_stats *stats,
                       struct smtp_reply *refusal_r)
{
	struct repairs repairs = { t->origin.quirks, t->path_repairs,
		t->destinations.completed, intake_repairs(t->intake),
		intake_content(t->intake) };
	struct buf words = BUF_INIT(4096);
	bool ok;

	if (stats->bare_cr + stats->bare_lf > 0)
		repairs.intake |= INTAKE_REPAIR(LINE_ENDS);
	repairs_list(&words, &repairs);
	ok = is_tolerable(t, &repairs) ||
	     refuse(refusal_r, 554, "5.6.0",
	            "This listener is strict, and the message would have to "
	            "be repaired: %.*s", TEXT_ARG(buf_text(&words)));
	if (ok)
		log_repaired(t, buf_text(&words));
	buf_free(&words);
	return ok;
}

static bool senders_ok(const struct transaction *t,
                       struct smtp_reply *refusal_r)
{
	size_t i;

	for (i = 0; i < t->destinations.n; i++) {
		const struct destination *to = &t->destinations.list[i];

		if (!sender_ok(t, to->account, to->rule, refusal_r))
			return false;
	}
	return true;
}

/* From is known now, and so is the rule of every recipient. */
static bool settle(struct transaction *t, struct smtp_reply *refusal_r)
{
	t->destinations.query.header_known = true;
	t->destinations.query.header_from = t->draft->header_from;
	return destinations_settle(&t->destinations, refusal_r) &&
	       senders_ok(t, refusal_r);
}

/* Each part has a body of its own; the first has been counted. */
static bool has_room_for_parts(const struct transaction *t,
                               struct smtp_reply *refusal_r)
{
	size_t n = destinations_parts(&t->destinations);

	return n < 2 || has_room(t->services, (n - 1) * body_size(t->body),
	                         refusal_r);
}

void transaction_set_quirks(struct transaction *t, unsigned quirks)
{
	t->origin.quirks = quirks;
}

/* It is new: on its way to the disk. */
static bool take_in(struct transaction *t, const struct smtp_data_stats *stats,
                    struct smtp_reply *refusal_r)
{
	if (!settle(t, refusal_r) ||
	    !fits_all(t, stats->octets, refusal_r) ||
	    !has_room_for_parts(t, refusal_r) ||
	    !repairs_ok(t, stats, refusal_r))
		return false;
	intake_free(&t->intake);
	t->committing = true;
	body_finish(t->body);
	return true;
}

bool transaction_end(struct transaction *t, const struct smtp_data_stats *stats,
                     struct smtp_reply *refusal_r)
{
	if (!intake_finish(t->intake))
		return refuse_header(t, refusal_r);
	switch (transaction_look_back(t, refusal_r)) {
	case REPEAT_NEW:
		break;
	case REPEAT_ACCEPTED:
		return false;
	case REPEAT_WAITS:
		t->committing = true;
		return true;
	}
	return take_in(t, stats, refusal_r);
}

void transaction_free(struct transaction **transaction)
{
	struct transaction *t = *transaction;
	size_t i;

	if (t == NULL)
		return;
	verdict_wait_end(&t->wait);
	repeats_withdraw(&t->claim);
	digest_free(&t->digest);
	intake_free(&t->intake);
	body_abort(&t->body);
	envelope_free(&t->draft);
	for (i = 0; i < t->n_envelopes; i++)
		envelope_free(&t->envelopes[i]);
	free(t->envelopes);
	destinations_free(&t->destinations);
	config_unref(&t->config);
	free(t);
	*transaction = NULL;
}
