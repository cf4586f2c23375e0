#include "relay/outbound/delivery.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "proto/xalloc.h"
#include "relay/outbound/outgoing.h"
#include "relay/outbound/sender.h"
#include "relay/policy/rewrite.h"
#include "relay/queue/body.h"

enum { BLOCK = 128 * 1024, REWRITTEN_MAX = 4 * 1024 * 1024 };

struct delivery {
	struct services *services;
	struct config *config;
	const struct account_config *account;
	struct message *message;
	const struct delivery_callbacks *callbacks;
	void *ctx;
	struct settlement settlement;
	struct upstream_job job;
	struct upstream *upstream;     /* while the body is handed over */
	size_t share;                  /* of the recipients that are queued */
	enum recipient_turn turn;      /* of these */
	const char **addresses;        /* of the transaction */
	size_t *recipients;            /* their places in the envelope */
	char *host;
	/* the stored message */
	struct text bytes;             /* all of it, or a file's header */
	char *owned_bytes;
	struct body_file *file;
	bool reading, damaged;
	/* what goes out */
	struct send_as sender;
	struct buf header;
	struct outgoing outgoing;
	bool header_given;
	uint64_t given;                /* octets of the stored message */
	uint32_t checksum;
};

struct message *delivery_message(struct delivery *delivery)
{
	return delivery->message;
}

static const struct envelope *envelope_of(const struct delivery *delivery)
{
	return message_envelope(delivery->message);
}

static enum delivery_end end_of(const struct settlement *settlement)
{
	if (settlement_has(settlement, RECIPIENT_DELIVERED))
		return DELIVERY_DELIVERED;
	return settlement_has(settlement, RECIPIENT_FAILED)
	               ? DELIVERY_FAILED : DELIVERY_DEFERRED;
}

static void end(struct delivery *delivery)
{
	enum delivery_end end = end_of(&delivery->settlement);

	settlement_commit(&delivery->settlement);
	delivery->message = NULL;
	delivery->callbacks->on_end(delivery->ctx, delivery, end);
}

/* After the last result; the connection is still in hand. */
static void end_tried(struct delivery *delivery)
{
	if (settlement_has_failed(&delivery->settlement))
		delivery->settlement.dialogue =
			upstream_dialogue(delivery->job.upstream);
	end(delivery);
}

static void end_unread(struct delivery *delivery,
                       struct disposition disposition, const char *words)
{
	settlement_rest(&delivery->settlement, disposition, SMTP_STAGE_READY,
	                words);
	end(delivery);
}

/* ---- the sender ---- */

static const char *from_of(const struct delivery *delivery)
{
	return sender_from(&delivery->sender, envelope_of(delivery));
}

static bool is_identity(const struct delivery *delivery, const char *address)
{
	return address != NULL &&
	       text_is(text_of(address), account_identity(delivery->account));
}

/* Which address a refusal at this stage is about; NULL when there is nothing
 * that the account itself could take the place of. */
static const char *refused_sender(const struct delivery *delivery,
                                  enum smtp_stage stage)
{
	const char *path = delivery->sender.reverse_path;
	const char *from = from_of(delivery);

	if (account_identity(delivery->account) == NULL)
		return NULL;
	if (stage == SMTP_STAGE_DATA_END && from != NULL &&
	    !is_identity(delivery, from))
		return from;
	return is_identity(delivery, path) ? NULL : path;
}

/* Words that name a recipient and no sender are about the recipient: those of
 * a provider that sends to verified addresses only. */
static bool blames_recipient(const struct delivery *delivery,
                             const struct smtp_reply *reply)
{
	const struct smtp_transaction *transaction = &delivery->job.transaction;
	const char *from = from_of(delivery);
	bool named = false;
	size_t i;

	if (text_find_nocase(reply->text,
	                     text_of(delivery->sender.reverse_path)) >= 0 ||
	    (from != NULL && text_find_nocase(reply->text, text_of(from)) >= 0))
		return false;
	for (i = 0; i < transaction->n_recipients && !named; i++)
		named = text_find_nocase(
				reply->text,
				text_of(transaction->recipients[i])) >= 0;
	return named;
}

/* ---- preparing ---- */

static bool fill_header(struct delivery *delivery)
{
	const struct envelope *envelope = envelope_of(delivery);
	const struct send_as *sender = &delivery->sender;
	struct text header = delivery->bytes;
	struct rewrite rewrite;

	sender_decide(delivery->config, delivery->services->refused,
	              delivery->account, envelope, &delivery->sender);
	if (sender->verdict == SEND_AS_REJECTED)
		return false;
	rewrite = (struct rewrite){
		.from = sender->from,
		.from_name = sender->from_name,
		.sender = sender->sender,
		.identity = sender->identity,
		.any_sender = sender->any_sender,
		.may_send_as = sender->any_from ? NULL : account_may_send_as,
		.account = delivery->account,
		.reply_to = sender->reply_to,
	};
	header.len = envelope->header_size;
	delivery->job.transaction.reverse_path = sender->reverse_path;
	if (!text_equal(text_of(sender->reverse_path),
	                text_of(envelope->reverse_path)))
		delivery->settlement.sent_as = sender->reverse_path;
	return rewrite_header(&delivery->header, header, &rewrite);
}

static size_t count_turn(const struct envelope *envelope,
                         enum recipient_turn turn)
{
	size_t i, n = 0;

	for (i = 0; i < envelope->n_recipients; i++)
		n += envelope_turn(envelope, i) == turn;
	return n;
}

static enum recipient_turn whose_turn(const struct envelope *envelope)
{
	enum recipient_turn turn = TURN_FIRST;

	while (turn < TURN_OVER && count_turn(envelope, turn) == 0)
		turn++;
	return turn;
}

size_t delivery_share(const struct envelope *envelope, size_t most)
{
	size_t n = count_turn(envelope, whose_turn(envelope));

	return most == 0 || n <= most ? n : most;
}

/* Is it one of the share, of which n have been found? */
static bool is_due(const struct delivery *delivery, size_t i, size_t n)
{
	return n < delivery->share &&
	       envelope_turn(envelope_of(delivery), i) == delivery->turn;
}

static void fill_transaction(struct delivery *delivery)
{
	const struct envelope *envelope = envelope_of(delivery);
	struct smtp_transaction *transaction = &delivery->job.transaction;
	size_t i, n = 0;

	delivery->addresses =
		xcalloc(envelope->n_recipients, sizeof *delivery->addresses);
	delivery->recipients =
		xcalloc(envelope->n_recipients, sizeof *delivery->recipients);
	for (i = 0; i < envelope->n_recipients; i++) {
		if (!is_due(delivery, i, n)) {
			settlement_leave_out(&delivery->settlement, i);
			continue;
		}
		delivery->addresses[n] = envelope->recipients[i].address;
		delivery->recipients[n++] = i;
	}
	transaction->recipients = delivery->addresses;
	transaction->n_recipients = n;
	outgoing_plan(&delivery->outgoing, envelope,
	              buf_text(&delivery->header), transaction);
}

static uint32_t checksum(uint32_t so_far, struct text bytes)
{
	return (uint32_t)crc32(so_far, (const Bytef *)bytes.data,
	                       (uInt)bytes.len);
}

/* bytes hold at least the header section, and all of it unless in a file. */
static void have_bytes(struct delivery *delivery)
{
	const struct envelope *envelope = envelope_of(delivery);
	struct text header = delivery->bytes;

	if (!envelope->body_in_file &&
	    (delivery->bytes.len != envelope->size ||
	     checksum(0, delivery->bytes) != envelope->checksum)) {
		end_unread(delivery, disposition_of_damage(delivery->config),
		           "the stored message does not match its checksum");
		return;
	}
	header.len = envelope->header_size;
	delivery->checksum = checksum(0, header);
	delivery->given = envelope->header_size;
	if (!fill_header(delivery)) {
		end_unread(delivery, disposition_of_sender(delivery->config),
		           NULL);
		return;
	}
	fill_transaction(delivery);
	delivery->callbacks->on_prepared(delivery->ctx, delivery);
}

static void on_stored_body(void *ctx, char *bytes, size_t len,
                           const char *error)
{
	struct delivery *delivery = ctx;

	if (bytes == NULL) {
		end_unread(delivery,
		           disposition_of_unreadable(delivery->config), error);
		return;
	}
	delivery->owned_bytes = bytes;
	delivery->bytes = text_make(bytes, len);
	have_bytes(delivery);
}

static void on_file_header(void *ctx, const void *data, size_t len,
                           const char *error)
{
	struct delivery *delivery = ctx;

	if (error != NULL || len != envelope_of(delivery)->header_size) {
		end_unread(delivery,
		           disposition_of_unreadable(delivery->config),
		           error != NULL ? error : "the file is too short");
		return;
	}
	delivery->owned_bytes = xmemdup0(data, len);
	delivery->bytes = text_make(delivery->owned_bytes, len);
	have_bytes(delivery);
}

static void prepare_file(struct delivery *delivery)
{
	const struct envelope *envelope = envelope_of(delivery);
	const char *error = NULL;

	delivery->file = body_file_open(delivery->services->spool,
	                                delivery->services->loop, envelope->id,
	                                envelope->size, &error);
	if (delivery->file == NULL)
		end_unread(delivery, disposition_of_damage(delivery->config),
		           error);
	else
		body_file_read(delivery->file, 0, envelope->header_size,
		               on_file_header, delivery);
}

void delivery_prepare(struct delivery *delivery)
{
	if (message_bytes(delivery->message, &delivery->bytes))
		have_bytes(delivery);
	else if (envelope_of(delivery)->body_in_file)
		prepare_file(delivery);
	else
		store_load_body(delivery->services->store,
		                envelope_of(delivery)->id, on_stored_body,
		                delivery);
}

/* ---- the body ---- */

static void give_more(struct delivery *delivery);

static void give_up_damaged(struct delivery *delivery)
{
	delivery->damaged = true;
	upstream_abort(delivery->upstream); /* on_failure() follows */
}

static bool takes_8bit(const struct delivery *delivery)
{
	return (upstream_caps(delivery->upstream)->set &
	        SMTP_CAP(8BITMIME)) != 0;
}

/* Returns false when the connection has enough for now, or all. */
static bool give_header(struct delivery *delivery)
{
	struct text header = buf_text(&delivery->header);
	bool last = delivery->given >= envelope_of(delivery)->size;

	delivery->header_given = true;
	outgoing_begin(&delivery->outgoing, &delivery->job.transaction,
	               takes_8bit(delivery));
	if (!outgoing_header(&delivery->outgoing, &header, last)) {
		give_up_damaged(delivery);
		return false;
	}
	return upstream_body(delivery->upstream, header.data, header.len,
	                     last) &&
	       !last;
}

/* The checksum is that of the stored bytes, whatever goes out for them. */
static bool give(struct delivery *delivery, struct text piece)
{
	bool last;

	delivery->checksum = checksum(delivery->checksum, piece);
	delivery->given += piece.len;
	last = delivery->given >= envelope_of(delivery)->size;
	if ((last && delivery->checksum != envelope_of(delivery)->checksum) ||
	    !outgoing_body(&delivery->outgoing, &piece, last)) {
		give_up_damaged(delivery);
		return false;
	}
	return upstream_body(delivery->upstream, piece.data, piece.len, last) &&
	       !last;
}

static void on_file_block(void *ctx, const void *data, size_t len,
                          const char *error)
{
	struct delivery *delivery = ctx;

	delivery->reading = false;
	if (error != NULL || len == 0)
		give_up_damaged(delivery);
	else if (give(delivery, text_make(data, len)))
		give_more(delivery);
}

static size_t next_block(const struct delivery *delivery)
{
	uint64_t left = envelope_of(delivery)->size - delivery->given;

	return left < BLOCK ? (size_t)left : BLOCK;
}

/* Fresh mail is still in the system's memory: no thread is needed for it. */
static void give_file(struct delivery *delivery)
{
	const void *data;
	size_t len;

	do {
		len = body_file_try(delivery->file, delivery->given,
		                    next_block(delivery), &data);
		if (len == 0) {
			delivery->reading = true;
			body_file_read(delivery->file, delivery->given,
			               next_block(delivery), on_file_block,
			               delivery);
			return;
		}
	} while (give(delivery, text_make(data, len)));
}

static void give_more(struct delivery *delivery)
{
	if (!delivery->header_given && !give_header(delivery))
		return;
	if (delivery->reading ||
	    delivery->given >= envelope_of(delivery)->size)
		return;
	if (delivery->file != NULL)
		give_file(delivery);
	else
		give(delivery, text_skip(delivery->bytes, delivery->given));
}

static void on_body(void *ctx, struct upstream *upstream)
{
	struct delivery *delivery = ctx;

	delivery->upstream = upstream;
	give_more(delivery);
}

/* ---- what the provider says ---- */

/* The sender is refused: from now on it is the account itself, if that is not
 * who was refused. */
static bool mend_sender(struct delivery *delivery, enum smtp_stage stage,
                        const struct smtp_reply *reply, const char *line)
{
	const char *sender = refused_sender(delivery, stage);

	if (sender == NULL || *sender == '\0' ||
	    blames_recipient(delivery, reply))
		return false;
	refused_learn(delivery->services->refused, delivery->account, sender,
	              line);
	return true;
}

/* Is all that the account could say for a sender its own already? */
static bool was_itself(const struct delivery *delivery, enum smtp_stage stage,
                       const struct smtp_reply *reply)
{
	return account_identity(delivery->account) != NULL &&
	       refused_sender(delivery, stage) == NULL &&
	       !blames_recipient(delivery, reply);
}

/* What the reply means for whom it is about, and for everybody else. */
static struct disposition judge(struct delivery *delivery,
                                enum smtp_stage stage,
                                enum smtp_problem problem,
                                const struct smtp_reply *reply,
                                const char *line)
{
	struct disposition disposition =
		disposition_of_reply(delivery->config, delivery->account, stage,
	                             problem, reply);

	if (disposition.action == DISPOSITION_REWRITE &&
	    !mend_sender(delivery, stage, reply, line))
		disposition = disposition_of_refusal(
			delivery->config, delivery->account, stage, reply,
			was_itself(delivery, stage, reply));
	if (disposition.action == DISPOSITION_REWRITE ||
	    disposition_is_of_account(&disposition))
		delivery->callbacks->on_trouble(delivery->ctx, delivery,
		                                &disposition, line);
	return disposition;
}

static void on_recipient(void *ctx, size_t index, const struct smtp_reply *reply)
{
	struct delivery *delivery = ctx;
	struct buf line = BUF_INIT(128 * 1024);

	if (smtp_reply_positive(reply))
		return;
	smtp_reply_line(&line, reply);
	settlement_result(&delivery->settlement, delivery->recipients[index],
	                  judge(delivery, SMTP_STAGE_RCPT, SMTP_PROBLEM_NONE,
	                        reply, buf_string(&line)),
	                  SMTP_STAGE_RCPT, buf_string(&line));
	buf_free(&line);
}

static void on_done(void *ctx, enum smtp_stage stage, enum smtp_problem problem,
                    const struct smtp_reply *reply)
{
	struct delivery *delivery = ctx;
	struct buf line = BUF_INIT(128 * 1024);

	if (stage != SMTP_STAGE_RCPT) { /* else each one has its reply */
		smtp_reply_line(&line, reply);
		settlement_rest(&delivery->settlement,
		                judge(delivery, stage, problem, reply,
		                      buf_string(&line)),
		                stage, buf_string(&line));
	}
	buf_free(&line);
	end_tried(delivery);
}

void delivery_fail(struct delivery *delivery,
                   const struct upstream_failure *failure,
                   const char *dialogue)
{
	struct disposition disposition =
		delivery->damaged
			? disposition_of_damage(delivery->config)
			: disposition_of_failure(delivery->config,
	                                         delivery->account, failure);
	struct buf line = BUF_INIT(128 * 1024);

	body_file_close(&delivery->file);
	if (failure->reply.code != 0)
		smtp_reply_line(&line, &failure->reply);
	else
		buf_printf(&line, "%s, at %s", failure->words,
		           smtp_stage_text(failure->stage));
	settlement_rest(&delivery->settlement, disposition, failure->stage,
	                buf_string(&line));
	buf_free(&line);
	delivery->settlement.dialogue = dialogue;
	end(delivery); /* the pool has heard of the failure itself */
}

static void on_failure(void *ctx, const struct upstream_failure *failure)
{
	struct delivery *delivery = ctx;

	if (failure->untried)
		delivery->callbacks->on_end(delivery->ctx, delivery,
		                            DELIVERY_UNTRIED);
	else
		delivery_fail(delivery, failure,
		              upstream_dialogue(delivery->job.upstream));
}

struct upstream_job *delivery_job(struct delivery *delivery, const char *host)
{
	free(delivery->host);
	delivery->host = xstrdup(host);
	delivery->settlement.host = delivery->host;
	delivery->settlement.started_ms = wall_now_ms();
	return &delivery->job;
}

/* ---- life ---- */

struct delivery *delivery_new(struct services *services, struct config *config,
                              const struct account_config *account,
                              struct message *message, size_t share,
                              const struct delivery_callbacks *callbacks,
                              void *ctx)
{
	struct delivery *delivery = xcalloc(1, sizeof *delivery);

	delivery->services = services;
	delivery->config = config_ref(config);
	delivery->account = account;
	delivery->message = message;
	delivery->share = share;
	delivery->turn = whose_turn(message_envelope(message));
	delivery->callbacks = callbacks;
	delivery->ctx = ctx;
	buf_init(&delivery->header, REWRITTEN_MAX);
	settlement_init(&delivery->settlement, services, config, message);
	delivery->settlement.account = account->name;
	delivery->job.on_recipient = on_recipient;
	delivery->job.on_body = on_body;
	delivery->job.on_done = on_done;
	delivery->job.on_failure = on_failure;
	delivery->job.ctx = delivery;
	return delivery;
}

void delivery_free(struct delivery **delivery_p)
{
	struct delivery *delivery = *delivery_p;

	if (delivery == NULL)
		return;
	if (delivery->message != NULL)
		settlement_drop(&delivery->settlement);
	body_file_close(&delivery->file);
	send_as_free(&delivery->sender);
	buf_free(&delivery->header);
	outgoing_free(&delivery->outgoing);
	free(delivery->owned_bytes);
	free(delivery->addresses);
	free(delivery->recipients);
	free(delivery->host);
	config_unref(&delivery->config);
	free(delivery);
	*delivery_p = NULL;
}
