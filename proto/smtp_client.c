#include "proto/smtp_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base64.h"
#include "proto/smtp_data.h"
#include "proto/smtp_reply_parser.h"
#include "proto/xalloc.h"

enum {
	EXPECTED_MAX = 16,           /* groups of replies outstanding */
	AUTH_ROUNDS_MAX = 8,
	INITIAL_RESPONSE_MAX = 400,  /* keeps AUTH under 512 octets */
	OUTPUT_MAX = 64 * 1024 * 1024
};

/* What the next replies answer: count of them, in order. */
struct expected {
	enum smtp_stage stage;
	struct slot *slot;
	size_t count;
	bool ignored;     /* the answer changes nothing */
};

enum slot_state {
	SLOT_FREE,
	SLOT_COMMANDS,    /* MAIL, RCPT, DATA are out or on their way */
	SLOT_BODY,        /* 354 came, the caller hands over the body */
	SLOT_DOT,         /* the final dot is out */
	SLOT_DONE,        /* over; DONE is still to be told */
};

/* One mail transaction.  There are two, for eager pipelining. */
struct slot {
	enum slot_state state;
	const struct smtp_transaction *transaction;
	size_t sent, answered, accepted; /* recipients */
	enum smtp_stage stage;           /* where it ended, for DONE */
	enum smtp_problem problem;
	struct smtp_reply reply;         /* its text is in words */
	struct buf words;
	bool mail_refused;
};

struct smtp_client {
	struct smtp_client_settings settings;
	enum { WALKING, READY, FAILED, QUITTING } state;
	bool tls, pipelining;
	struct smtp_caps caps;
	const struct sasl_mechanism *mechanism;
	unsigned auth_rounds;
	struct expected expected[EXPECTED_MAX];
	size_t expected_first, n_expected;
	struct slot slots[2];
	struct slot *receiving;   /* the transaction begun first */
	struct slot *sending;     /* the one whose body is next or under way */
	bool needs_rset;
	struct smtp_reply_parser parser;
	struct smtp_data_writer writer;
	struct text input;
	struct buf output, failure_words;
	bool output_secret;       /* wipe it once it is sent */
};

/* ---- words ---- */

static const struct {
	const char *name, *text;
	unsigned share;
} stages[] = {
#define X(name, text, share) { #name, text, share },
	SMTP_STAGE_MAP(X)
#undef X
};

const char *smtp_stage_name(enum smtp_stage stage)
{
	return stages[stage].name;
}

const char *smtp_stage_text(enum smtp_stage stage)
{
	return stages[stage].text;
}

unsigned smtp_stage_share(enum smtp_stage stage)
{
	return stages[stage].share;
}

const char *smtp_problem_text(enum smtp_problem problem)
{
	static const char *const texts[] = {
#define X(name, text) text,
		SMTP_PROBLEM_MAP(X)
#undef X
	};

	return texts[problem];
}

/* ---- life ---- */

static void expect(struct smtp_client *client, enum smtp_stage stage,
                   struct slot *slot, size_t count)
{
	size_t at = (client->expected_first + client->n_expected++) %
	            EXPECTED_MAX;

	client->expected[at] = (struct expected){ stage, slot, count, false };
}

struct smtp_client *smtp_client_new(const struct smtp_client_settings *settings)
{
	struct smtp_client *client = xcalloc(1, sizeof *client);

	client->settings = *settings;
	client->tls = settings->tls == SMTP_TLS_IMPLICIT;
	buf_init(&client->output, OUTPUT_MAX);
	buf_init(&client->failure_words, 4096);
	buf_init(&client->slots[0].words, 64 * 1024);
	buf_init(&client->slots[1].words, 64 * 1024);
	smtp_reply_parser_init(&client->parser);
	expect(client, SMTP_STAGE_GREETING, NULL, 1);
	return client;
}

void smtp_client_free(struct smtp_client **client)
{
	if (*client == NULL)
		return;
	smtp_reply_parser_free(&(*client)->parser);
	buf_wipe(&(*client)->output);
	buf_free(&(*client)->failure_words);
	buf_free(&(*client)->slots[0].words);
	buf_free(&(*client)->slots[1].words);
	free(*client);
	*client = NULL;
}

const struct smtp_caps *smtp_client_caps(const struct smtp_client *client)
{
	return &client->caps;
}

const char *smtp_client_mechanism(const struct smtp_client *client)
{
	return client->mechanism == NULL ? NULL : client->mechanism->name;
}

enum smtp_stage smtp_client_stage(const struct smtp_client *client)
{
	if (client->n_expected > 0)
		return client->expected[client->expected_first].stage;
	if (client->sending != NULL && client->sending->state == SLOT_BODY)
		return SMTP_STAGE_BODY;
	if (client->state == WALKING)
		return SMTP_STAGE_TLS;
	return SMTP_STAGE_READY;
}

/* ---- output ---- */

size_t smtp_client_output(struct smtp_client *client, const void **data_r)
{
	struct text output = buf_text(&client->output);

	*data_r = output.data;
	return output.len;
}

void smtp_client_output_sent(struct smtp_client *client, size_t len)
{
	buf_consume(&client->output, len);
	if (buf_len(&client->output) > 0)
		return;
	if (client->output_secret)
		buf_wipe(&client->output);
	else
		buf_release(&client->output);
	client->output_secret = false;
}

static void trace(struct smtp_client *client, enum smtp_side side,
                  struct text line)
{
	if (client->settings.trace.line != NULL)
		client->settings.trace.line(client->settings.trace.ctx, side,
		                            line);
}

static void trace_reply(struct smtp_client *client,
                        const struct smtp_reply *reply)
{
	struct buf line = BUF_INIT(128 * 1024);

	if (client->settings.trace.line == NULL)
		return;
	smtp_reply_line(&line, reply);
	trace(client, SMTP_SIDE_SERVER, buf_text(&line));
	buf_free(&line);
}

__attribute__((format(printf, 2, 3)))
static void say(struct smtp_client *client, const char *format, ...)
{
	size_t before = buf_len(&client->output);
	struct text line;
	va_list args;

	va_start(args, format);
	buf_vprintf(&client->output, format, args);
	va_end(args);
	line = text_skip(buf_text(&client->output), before);
	trace(client, SMTP_SIDE_CLIENT, line);
	buf_puts(&client->output, "\r\n");
}

/* ---- failing ---- */

static enum smtp_client_event_type
fail(struct smtp_client *client, struct smtp_client_event *event,
     enum smtp_stage stage, enum smtp_problem problem,
     const struct smtp_reply *reply)
{
	client->state = FAILED;
	client->n_expected = 0;
	event->stage = stage;
	event->problem = problem;
	if (reply != NULL)
		event->reply = *reply;
	event->transaction =
		client->receiving != NULL ? client->receiving->transaction : NULL;
	return SMTP_CLIENT_EV_FAILED;
}

/* ---- the walk: greeting, EHLO, STARTTLS, AUTH ---- */

static void say_ehlo(struct smtp_client *client)
{
	say(client, "EHLO %s", client->settings.helo_name);
	expect(client, SMTP_STAGE_EHLO, NULL, 1);
}

static enum smtp_client_event_type become_ready(struct smtp_client *client)
{
	client->state = READY;
	return SMTP_CLIENT_EV_READY;
}

static enum smtp_client_event_type
got_greeting(struct smtp_client *client, const struct smtp_reply *reply,
             struct smtp_client_event *event)
{
	if (reply->code / 100 != 2)
		return fail(client, event, SMTP_STAGE_GREETING,
		            SMTP_PROBLEM_REFUSED, reply);
	say_ehlo(client);
	return SMTP_CLIENT_EV_NONE;
}

static const struct sasl_mechanism *
choose_mechanism(const struct smtp_client *client)
{
	const char *const *name = client->settings.mechanisms;

	for (; name != NULL && *name != NULL; name++) {
		if (smtp_caps_has_mechanism(&client->caps, *name))
			return sasl_mechanism_find(text_of(*name));
	}
	return NULL;
}

/* The response in base64 behind prefix, never traced. */
static bool say_response(struct smtp_client *client, const char *prefix,
                         struct text challenge)
{
	struct buf response = BUF_INIT(16 * 1024);
	enum sasl_result result;

	result = client->mechanism->respond(client->auth_rounds++,
	                                    client->settings.credentials,
	                                    challenge, &response);
	if (result == SASL_FAILED) {
		buf_wipe(&response);
		return false;
	}
	buf_puts(&client->output, prefix);
	base64_encode(&client->output, buf_text(&response));
	buf_puts(&client->output, "\r\n");
	client->output_secret = true;
	buf_wipe(&response);
	return true;
}

static bool initial_response_fits(const struct smtp_client *client)
{
	const struct sasl_credentials *who = client->settings.credentials;

	return client->mechanism->client_first &&
	       strlen(who->username) + strlen(who->secret) <
	               INITIAL_RESPONSE_MAX * 3 / 4;
}

static enum smtp_client_event_type log_in(struct smtp_client *client,
                                          struct smtp_client_event *event)
{
	char prefix[64];

	if (!(client->caps.set & SMTP_CAP(AUTH)))
		return fail(client, event, SMTP_STAGE_AUTH,
		            SMTP_PROBLEM_NO_AUTH, NULL);
	client->mechanism = choose_mechanism(client);
	if (client->mechanism == NULL)
		return fail(client, event, SMTP_STAGE_AUTH,
		            SMTP_PROBLEM_NO_MECHANISM, NULL);
	expect(client, SMTP_STAGE_AUTH, NULL, 1);
	if (initial_response_fits(client)) {
		snprintf(prefix, sizeof prefix, "AUTH %s ",
		         client->mechanism->name);
		say_response(client, prefix, text_of(""));
		snprintf(prefix, sizeof prefix, "AUTH %s (masked)",
		         client->mechanism->name);
		trace(client, SMTP_SIDE_CLIENT, text_of(prefix));
	} else {
		say(client, "AUTH %s", client->mechanism->name);
	}
	return SMTP_CLIENT_EV_NONE;
}

static enum smtp_client_event_type
got_ehlo(struct smtp_client *client, const struct smtp_reply *reply,
         struct smtp_client_event *event)
{
	if (reply->code / 100 != 2)
		return fail(client, event, SMTP_STAGE_EHLO,
		            SMTP_PROBLEM_REFUSED, reply);
	smtp_caps_parse(&client->caps, reply);
	if (client->settings.tls == SMTP_TLS_STARTTLS && !client->tls) {
		if (!(client->caps.set & SMTP_CAP(STARTTLS)))
			return fail(client, event, SMTP_STAGE_EHLO,
			            SMTP_PROBLEM_NO_STARTTLS, NULL);
		say(client, "STARTTLS");
		expect(client, SMTP_STAGE_STARTTLS, NULL, 1);
		return SMTP_CLIENT_EV_NONE;
	}
	client->pipelining = client->settings.pipelining &&
	                     (client->caps.set & SMTP_CAP(PIPELINING));
	if (client->settings.credentials != NULL)
		return log_in(client, event);
	return become_ready(client);
}

static enum smtp_client_event_type
got_starttls(struct smtp_client *client, const struct smtp_reply *reply,
             struct smtp_client_event *event)
{
	if (reply->code != 220)
		return fail(client, event, SMTP_STAGE_STARTTLS,
		            SMTP_PROBLEM_REFUSED, reply);
	/* CVE-2011-0411: what came in the clear must not count inside. */
	if (client->input.len > 0)
		return fail(client, event, SMTP_STAGE_STARTTLS,
		            SMTP_PROBLEM_INJECTION, NULL);
	return SMTP_CLIENT_EV_STARTTLS;
}

void smtp_client_tls_established(struct smtp_client *client)
{
	client->tls = true;
	memset(&client->caps, 0, sizeof client->caps);
	say_ehlo(client);
}

static enum smtp_client_event_type
got_challenge(struct smtp_client *client, const struct smtp_reply *reply)
{
	struct buf challenge = BUF_INIT(16 * 1024);

	/* Some servers put prose where base64 belongs: an empty challenge
	 * then, which PLAIN and LOGIN do not look at anyway. */
	base64_decode(&challenge, text_trim(reply->text));
	expect(client, SMTP_STAGE_AUTH, NULL, 1);
	if (client->auth_rounds >= AUTH_ROUNDS_MAX ||
	    !say_response(client, "", buf_text(&challenge)))
		say(client, "*");
	else
		trace(client, SMTP_SIDE_CLIENT, text_of("(masked)"));
	buf_free(&challenge);
	return SMTP_CLIENT_EV_NONE;
}

static enum smtp_client_event_type
got_auth(struct smtp_client *client, const struct smtp_reply *reply,
         struct smtp_client_event *event)
{
	if (reply->code == 334)
		return got_challenge(client, reply);
	if (reply->code / 100 != 2)
		return fail(client, event, SMTP_STAGE_AUTH,
		            SMTP_PROBLEM_REFUSED, reply);
	return become_ready(client);
}

/* ---- transactions: sending ---- */

/* A space lives inside quotes only; the rest could end the command. */
static bool address_is_safe(const char *address)
{
	bool quoted = false;

	for (; *address != '\0'; address++) {
		unsigned char c = (unsigned char)*address;

		if (c < ' ' || c == 127 || c == '<' || c == '>')
			return false;
		if (c == ' ' && !quoted)
			return false;
		if (c == '\\' && address[1] >= ' ')
			address++;
		else if (c == '"')
			quoted = !quoted;
	}
	return !quoted;
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
	if (transaction->has_8bit && !(client->caps.set & SMTP_CAP(8BITMIME)))
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

static void say_mail(struct smtp_client *client, struct slot *slot)
{
	const struct smtp_transaction *transaction = slot->transaction;
	char size[32] = "";

	if ((client->caps.set & SMTP_CAP(SIZE)) && transaction->size > 0)
		snprintf(size, sizeof size, " SIZE=%llu",
		         (unsigned long long)transaction->size);
	say(client, "MAIL FROM:<%s>%s%s", transaction->reverse_path, size,
	    transaction->has_8bit ? " BODY=8BITMIME" : "");
	expect(client, SMTP_STAGE_MAIL, slot, 1);
}

static void say_rcpt(struct smtp_client *client, struct slot *slot)
{
	say(client, "RCPT TO:<%s>",
	    slot->transaction->recipients[slot->sent++]);
}

static void say_data(struct smtp_client *client, struct slot *slot)
{
	say(client, "DATA");
	expect(client, SMTP_STAGE_DATA, slot, 1);
}

/* Everything up to DATA in one flight (RFC 2920), or MAIL alone. */
static void say_envelope(struct smtp_client *client, struct slot *slot)
{
	say_mail(client, slot);
	if (!client->pipelining)
		return;
	while (slot->sent < slot->transaction->n_recipients)
		say_rcpt(client, slot);
	expect(client, SMTP_STAGE_RCPT, slot, slot->sent);
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
		say(client, "RSET");
		expect(client, SMTP_STAGE_MAIL, NULL, 1);
		client->needs_rset = false;
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
	expect(client, SMTP_STAGE_DATA_END, slot, 1);
}

void smtp_client_quit(struct smtp_client *client)
{
	if (client->state == FAILED || client->state == QUITTING)
		return;
	say(client, "QUIT");
	expect(client, SMTP_STAGE_QUIT, NULL, 1);
	client->state = QUITTING;
}

/* ---- transactions: receiving ---- */

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

static enum smtp_client_event_type tell_done(struct smtp_client *client,
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

static enum smtp_client_event_type
got_mail(struct smtp_client *client, struct slot *slot,
         const struct smtp_reply *reply, struct smtp_client_event *event)
{
	if (slot == NULL)
		return SMTP_CLIENT_EV_NONE; /* the answer to RSET */
	if (!smtp_reply_positive(reply)) {
		end_slot(slot, SMTP_STAGE_MAIL, reply);
		slot->mail_refused = true;
		if (client->pipelining)
			slot->state = SLOT_COMMANDS; /* RCPT, DATA still come */
		return SMTP_CLIENT_EV_NONE;
	}
	if (!client->pipelining) {
		say_rcpt(client, slot);
		expect(client, SMTP_STAGE_RCPT, slot, 1);
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

static enum smtp_client_event_type
got_rcpt(struct smtp_client *client, struct slot *slot,
         const struct smtp_reply *reply, struct smtp_client_event *event)
{
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
			expect(client, SMTP_STAGE_RCPT, slot, 1);
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
	expect(client, SMTP_STAGE_DATA_END, slot, 1);
	client->expected[(client->expected_first + client->n_expected - 1) %
	                 EXPECTED_MAX].ignored = true;
}

static enum smtp_client_event_type
got_data(struct smtp_client *client, struct slot *slot,
         const struct smtp_reply *reply, struct smtp_client_event *event)
{
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
		return fail(client, event, SMTP_STAGE_DATA,
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

static enum smtp_client_event_type
got_data_end(struct smtp_client *client, struct slot *slot, bool ignored,
             const struct smtp_reply *reply)
{
	if (!ignored)
		end_slot(slot, SMTP_STAGE_DATA_END, reply);
	else if (slot->mail_refused)
		slot->state = SLOT_DONE;
	else
		end_slot(slot, SMTP_STAGE_RCPT, NULL);
	return SMTP_CLIENT_EV_NONE;
}

/* ---- replies ---- */

static struct expected take_expected(struct smtp_client *client)
{
	struct expected *first = &client->expected[client->expected_first];
	struct expected taken = *first;

	if (--first->count == 0) {
		client->expected_first =
			(client->expected_first + 1) % EXPECTED_MAX;
		client->n_expected--;
	}
	return taken;
}

/* A reply that nothing asked for: the server hangs up (421), refuses in the
 * middle of the body, or babbles. */
static enum smtp_client_event_type
got_unasked(struct smtp_client *client, const struct smtp_reply *reply,
            struct smtp_client_event *event)
{
	enum smtp_stage stage = smtp_client_stage(client);
	bool refusal = reply->code >= 400 &&
	               (stage == SMTP_STAGE_BODY || reply->code == 421);

	return fail(client, event, stage,
	            refusal ? SMTP_PROBLEM_REFUSED : SMTP_PROBLEM_UNEXPECTED,
	            reply);
}

static enum smtp_client_event_type
got_reply(struct smtp_client *client, const struct smtp_reply *reply,
          struct smtp_client_event *event)
{
	struct expected expected;

	trace_reply(client, reply);
	if (client->n_expected == 0)
		return got_unasked(client, reply, event);
	expected = take_expected(client);
	if (reply->code == 421 && expected.stage != SMTP_STAGE_QUIT)
		return fail(client, event, expected.stage,
		            SMTP_PROBLEM_REFUSED, reply);
	switch (expected.stage) {
	case SMTP_STAGE_GREETING:
		return got_greeting(client, reply, event);
	case SMTP_STAGE_EHLO:
		return got_ehlo(client, reply, event);
	case SMTP_STAGE_STARTTLS:
		return got_starttls(client, reply, event);
	case SMTP_STAGE_AUTH:
		return got_auth(client, reply, event);
	case SMTP_STAGE_MAIL:
		return got_mail(client, expected.slot, reply, event);
	case SMTP_STAGE_RCPT:
		return got_rcpt(client, expected.slot, reply, event);
	case SMTP_STAGE_DATA:
		return got_data(client, expected.slot, reply, event);
	case SMTP_STAGE_DATA_END:
		return got_data_end(client, expected.slot, expected.ignored,
		                    reply);
	case SMTP_STAGE_QUIT:
		return SMTP_CLIENT_EV_CLOSED;
	case SMTP_STAGE_TLS:
	case SMTP_STAGE_READY:
	case SMTP_STAGE_BODY:
		break;
	}
	return got_unasked(client, reply, event);
}

/* Text that is no reply, shown to the reader of the log as far as it goes. */
static enum smtp_client_event_type got_garbage(struct smtp_client *client,
                                               struct smtp_client_event *event)
{
	struct text rest = smtp_reply_parser_rest(&client->parser);
	struct smtp_reply words = { 0 };

	buf_clear(&client->failure_words);
	buf_append(&client->failure_words, rest.data,
	           rest.len < 200 ? rest.len : 200);
	words.text = buf_text(&client->failure_words);
	return fail(client, event, smtp_client_stage(client),
	            SMTP_PROBLEM_SYNTAX, &words);
}

void smtp_client_feed(struct smtp_client *client, const void *data, size_t len)
{
	client->input = text_make(data, len);
}

enum smtp_client_event_type smtp_client_next(struct smtp_client *client,
                                             struct smtp_client_event *event_r)
{
	enum smtp_client_event_type type = SMTP_CLIENT_EV_NONE;
	struct smtp_reply reply;
	int result;

	memset(event_r, 0, sizeof *event_r);
	while (type == SMTP_CLIENT_EV_NONE && client->state != FAILED) {
		if (client->receiving != NULL &&
		    client->receiving->state == SLOT_DONE) {
			type = tell_done(client, event_r);
			break;
		}
		result = smtp_reply_parser_push(&client->parser, &client->input,
		                                &reply);
		if (result == 0)
			break;
		type = result > 0 ? got_reply(client, &reply, event_r)
		                  : got_garbage(client, event_r);
	}
	return event_r->type = type;
}
