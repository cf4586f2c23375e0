#include "proto/smtp_client_private.h"

#include <stdio.h>
#include <string.h>

#include "proto/xalloc.h"

/* ---- sending ---- */

/* A space lives inside quotes only; the rest could end the command. */
static bool address_is_safe(const char *address)
{
	bool quoted = false;

	for (bool escaped = false; *address != '\0'; address++) {
		unsigned char c = (unsigned char)*address;

		if (c < ' ' || c == 127 || c == '<' || c == '>' ||
		    (c == ' ' && !quoted))
			return false;
		if (c == '"' && !escaped)
			quoted = !quoted;
		escaped = quoted && c == '\\' && !escaped;
	}
	return !quoted;
}

/* RFC 6152 3 */
static bool becomes_7bit(const struct smtp_client *client,
                         const struct smtp_transaction *transaction)
{
	return transaction->has_8bit &&
	       !(client->caps.set & SMTP_CAP(8BITMIME));
}

static enum smtp_problem unsendable(const struct smtp_client *client,
                                    const struct smtp_transaction *transaction)
{
	size_t i;

	if (!address_is_safe(transaction->reverse_path))
		return SMTP_PROBLEM_ADDRESS;
	for (i = 0; i < transaction->n_recipients; i++) {
		if (!address_is_safe(transaction->recipients[i]))
			return SMTP_PROBLEM_ADDRESS;
	}
	if (client->caps.max_size > 0 &&
	    transaction->size > client->caps.max_size)
		return SMTP_PROBLEM_TOO_BIG;
	if (becomes_7bit(client, transaction) && !transaction->can_7bit)
		return SMTP_PROBLEM_NO_8BITMIME;
	return SMTP_PROBLEM_NONE;
}

static struct smtp_reply own_reply(const struct smtp_client *client,
                                   enum smtp_problem problem, struct buf *words)
{
	struct smtp_reply reply = smtp_reply_make(553, "5.1.3", "");

	buf_puts(words, smtp_problem_text(problem));
	if (problem == SMTP_PROBLEM_TOO_BIG) {
		reply = smtp_reply_make(552, "5.3.4", "");
		buf_printf(words, " (SIZE %llu)",
		           (unsigned long long)client->caps.max_size);
	} else if (problem == SMTP_PROBLEM_NO_8BITMIME) {
		reply = smtp_reply_make(554, "5.6.3", "");
	}
	reply.text = buf_text(words);
	return reply;
}

/* A server may refuse for good by a size declared (RFC 1870 6.1), so none is
 * that is only a guess. */
static void say_mail(struct smtp_client *client, struct slot *slot)
{
	const struct smtp_transaction *transaction = slot->transaction;
	bool to_7bit = becomes_7bit(client, transaction);
	char size[32] = "";

	if ((client->caps.set & SMTP_CAP(SIZE)) && transaction->size > 0 &&
	    !transaction->size_is_least && !to_7bit)
		snprintf(size, sizeof size, " SIZE=%llu",
		         (unsigned long long)transaction->size);
	client_say(client, "MAIL FROM:<%s>%s%s", transaction->reverse_path, size,
	    transaction->has_8bit && !to_7bit ? " BODY=8BITMIME" : "");
	client_expect(client, SMTP_STAGE_MAIL, slot, 1);
}

static void say_rcpt(struct smtp_client *client, struct slot *slot)
{
	client_say(client, "RCPT TO:<%s>",
	    slot->transaction->recipients[slot->sent++]);
}

static void say_data(struct smtp_client *client, struct slot *slot)
{
	client_say(client, "DATA");
	client_expect(client, SMTP_STAGE_DATA, slot, 1);
}

/* Everything up to DATA in one flight (RFC 2920), or MAIL alone. */
static void say_envelope(struct smtp_client *client, struct slot *slot)
{
	say_mail(client, slot);
	if (!client->pipelining)
		return;
	while (slot->sent < slot->transaction->n_recipients)
		say_rcpt(client, slot);
	client_expect(client, SMTP_STAGE_RCPT, slot, slot->sent);
	say_data(client, slot);
}

bool smtp_client_can_begin(const struct smtp_client *client)
{
	if (client->state != READY)
		return false;
	if (client->receiving == NULL)
		return true;
	return client->settings.eager && client->pipelining &&
	       client->receiving == client->sending &&
	       client->receiving->state == SLOT_DOT;
}

void smtp_client_begin(struct smtp_client *client,
                       const struct smtp_transaction *transaction)
{
	struct slot *slot = &client->slots[client->receiving ==
	                                   &client->slots[0]];

	buf_clear(&slot->words);
	*slot = (struct slot){ .state = SLOT_COMMANDS,
		.transaction = transaction, .words = slot->words };
	if (client->receiving == NULL)
		client->receiving = slot;
	client->sending = slot;
	slot->problem = unsendable(client, transaction);
	if (slot->problem != SMTP_PROBLEM_NONE) {
		slot->state = SLOT_DONE;
		slot->stage = SMTP_STAGE_MAIL;
		slot->reply = own_reply(client, slot->problem, &slot->words);
		return;
	}
	if (client->needs_rset) {
		client_say(client, "RSET");
		client_expect(client, SMTP_STAGE_MAIL, NULL, 1);
		client->needs_rset = false;
		if (!client->pipelining)
			return;
	}
	say_envelope(client, slot);
}

void smtp_client_body(struct smtp_client *client, const void *data, size_t len,
                      bool last)
{
	struct slot *slot = client->sending;

	if (slot == NULL || slot->state != SLOT_BODY)
		return; /* the session failed meanwhile */
	smtp_data_write(&client->writer, &client->output, text_make(data, len));
	if (!last)
		return;
	smtp_data_write_end(&client->writer, &client->output);
	slot->state = SLOT_DOT;
	client_expect(client, SMTP_STAGE_DATA_END, slot, 1);
}

/* ---- receiving ---- */

static void end_slot(struct slot *slot, enum smtp_stage stage,
                     const struct smtp_reply *reply)
{
	slot->state = SLOT_DONE;
	slot->stage = stage;
	if (reply == NULL)
		return;
	slot->problem = smtp_reply_positive(reply) ? SMTP_PROBLEM_NONE
	                                           : SMTP_PROBLEM_REFUSED;
	slot->reply = *reply;
	buf_clear(&slot->words);
	buf_text_append(&slot->words, reply->text);
	slot->reply.text = buf_text(&slot->words);
}

enum smtp_client_event_type client_tell_done(struct smtp_client *client,
                                             struct smtp_client_event *event)
{
	struct slot *slot = client->receiving;

	event->transaction = slot->transaction;
	event->stage = slot->stage;
	event->problem = slot->problem;
	event->reply = slot->reply;
	slot->state = SLOT_FREE;
	client->receiving = NULL;
	if (client->sending != slot)
		client->receiving = client->sending;
	else
		client->sending = NULL;
	return SMTP_CLIENT_EV_DONE;
}

enum smtp_client_event_type
client_got_mail(struct smtp_client *client, const struct expected *expected,
                const struct smtp_reply *reply, struct smtp_client_event *event)
{
	struct slot *slot = expected->slot;

	if (slot == NULL) { /* the answer to RSET */
		if (!client->pipelining)
			say_envelope(client, client->sending);
		return SMTP_CLIENT_EV_NONE;
	}
	if (!smtp_reply_positive(reply)) {
		end_slot(slot, SMTP_STAGE_MAIL, reply);
		slot->mail_refused = true;
		if (client->pipelining)
			slot->state = SLOT_COMMANDS; /* RCPT, DATA still come */
		return SMTP_CLIENT_EV_NONE;
	}
	if (!client->pipelining) {
		say_rcpt(client, slot);
		client_expect(client, SMTP_STAGE_RCPT, slot, 1);
	}
	return SMTP_CLIENT_EV_NONE;
}

static void after_last_rcpt(struct smtp_client *client, struct slot *slot)
{
	if (slot->accepted > 0) {
		say_data(client, slot);
		return;
	}
	client->needs_rset = true;
	end_slot(slot, SMTP_STAGE_RCPT, NULL);
}

enum smtp_client_event_type
client_got_rcpt(struct smtp_client *client, const struct expected *expected,
                const struct smtp_reply *reply, struct smtp_client_event *event)
{
	struct slot *slot = expected->slot;

	event->recipient = slot->answered++;
	if (slot->mail_refused)
		return SMTP_CLIENT_EV_NONE;
	if (smtp_reply_positive(reply))
		slot->accepted++;
	event->transaction = slot->transaction;
	event->stage = SMTP_STAGE_RCPT;
	event->reply = *reply;
	if (!client->pipelining) {
		if (slot->sent < slot->transaction->n_recipients) {
			say_rcpt(client, slot);
			client_expect(client, SMTP_STAGE_RCPT, slot, 1);
		} else {
			after_last_rcpt(client, slot);
		}
	}
	return SMTP_CLIENT_EV_RECIPIENT;
}

/* 354 with nobody to send to: the server ignores what it refused, so a lone
 * dot, whose answer changes nothing (RFC 2920 3.1). */
static void send_nothing(struct smtp_client *client, struct slot *slot)
{
	buf_puts(&client->output, ".\r\n");
	client_expect(client, SMTP_STAGE_DATA_END, slot, 1);
	client->expected[(client->expected_first + client->n_expected - 1) %
	                 EXPECTED_MAX].ignored = true;
}

enum smtp_client_event_type
client_got_data(struct smtp_client *client, const struct expected *expected,
                const struct smtp_reply *reply, struct smtp_client_event *event)
{
	struct slot *slot = expected->slot;

	if (reply->code == 354) {
		if (slot->accepted == 0) {
			send_nothing(client, slot);
			return SMTP_CLIENT_EV_NONE;
		}
		slot->state = SLOT_BODY;
		smtp_data_writer_init(&client->writer);
		event->transaction = slot->transaction;
		event->stage = SMTP_STAGE_DATA;
		return SMTP_CLIENT_EV_BODY;
	}
	if (reply->code < 400)
		return client_fail(client, event, SMTP_STAGE_DATA,
		            SMTP_PROBLEM_UNEXPECTED, reply);
	if (slot->mail_refused) {
		slot->state = SLOT_DONE;
	} else {
		client->needs_rset = true;
		end_slot(slot, slot->accepted > 0 ? SMTP_STAGE_DATA
		                                  : SMTP_STAGE_RCPT,
		         slot->accepted > 0 ? reply : NULL);
	}
	return SMTP_CLIENT_EV_NONE;
}

enum smtp_client_event_type
client_got_data_end(struct smtp_client *client, const struct expected *expected,
                    const struct smtp_reply *reply, struct smtp_client_event *event)
{
	struct slot *slot = expected->slot;

	if (!expected->ignored)
		end_slot(slot, SMTP_STAGE_DATA_END, reply);
	else if (slot->mail_refused)
		slot->state = SLOT_DONE;
	else
		end_slot(slot, SMTP_STAGE_RCPT, NULL);
	return SMTP_CLIENT_EV_NONE;
}

