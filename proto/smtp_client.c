#include "proto/smtp_client_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/sasl_mask.h"
#include "proto/xalloc.h"

enum {
	OUTPUT_MAX = 64 * 1024 * 1024,
	SHOWN_MAX = 200,  /* octets of what is no reply */
	TRACED_MAX = 1024 /* of a line of one */
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

void client_expect(struct smtp_client *client, enum smtp_stage stage,
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
	buf_init(&client->failure_words, 1024 * 1024);
	buf_init(&client->slots[0].words, 64 * 1024);
	buf_init(&client->slots[1].words, 64 * 1024);
	smtp_reply_parser_init(&client->parser);
	client_expect(client, SMTP_STAGE_GREETING, NULL, 1);
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

void client_trace(struct smtp_client *client, enum smtp_side side,
                  struct text line)
{
	if (client->settings.trace.line != NULL)
		client->settings.trace.line(client->settings.trace.ctx, side,
		                            line);
}

/* For each line of each reply, so without a printf. */
static void trace_reply_line(struct smtp_client *client, int code,
                             const char *status, struct text line, bool last)
{
	char said[TRACED_MAX];
	size_t len = 0, status_len = strlen(status);

	said[len++] = (char)('0' + code / 100 % 10);
	said[len++] = (char)('0' + code / 10 % 10);
	said[len++] = (char)('0' + code % 10);
	said[len++] = last ? ' ' : '-';
	memcpy(said + len, status, status_len);
	len += status_len;
	if (status_len > 0 && line.len > 0)
		said[len++] = ' ';
	if (line.len > sizeof said - len)
		line.len = sizeof said - len;
	if (line.len > 0)
		memcpy(said + len, line.data, line.len);
	client_trace(client, SMTP_SIDE_SERVER, text_make(said, len + line.len));
}

/* As it came, line by line. */
static void trace_reply(struct smtp_client *client,
                        const struct smtp_reply *reply)
{
	struct text rest = reply->text, line = text_of("");
	char status[16];

	smtp_status_string(&reply->status, status);
	do {
		text_token(&rest, '\n', &line);
		trace_reply_line(client, reply->code, status, line,
		                 rest.len == 0);
	} while (rest.len > 0);
}

void client_say(struct smtp_client *client, const char *format, ...)
{
	size_t before = buf_len(&client->output);
	struct text line;
	va_list args;

	va_start(args, format);
	buf_vprintf(&client->output, format, args);
	va_end(args);
	line = text_skip(buf_text(&client->output), before);
	client_trace(client, SMTP_SIDE_CLIENT, line);
	buf_puts(&client->output, "\r\n");
}

/* ---- failing ---- */

enum smtp_client_event_type
client_fail(struct smtp_client *client, struct smtp_client_event *event,
     enum smtp_stage stage, enum smtp_problem problem,
     const struct smtp_reply *reply)
{
	client->state = OVER;
	client->n_expected = 0;
	event->stage = stage;
	event->problem = problem;
	if (reply != NULL)
		event->reply = *reply;
	event->transaction =
		client->receiving != NULL ? client->receiving->transaction : NULL;
	return SMTP_CLIENT_EV_FAILED;
}

void smtp_client_quit(struct smtp_client *client)
{
	if (client->state == OVER || client->state == QUITTING)
		return;
	client_say(client, "QUIT");
	client_expect(client, SMTP_STAGE_QUIT, NULL, 1);
	client->state = QUITTING;
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

	return client_fail(client, event, stage,
	            refusal ? SMTP_PROBLEM_REFUSED : SMTP_PROBLEM_UNEXPECTED,
	            reply);
}

static enum smtp_client_event_type
got_quit(struct smtp_client *client, const struct expected *expected,
         const struct smtp_reply *reply, struct smtp_client_event *event)
{
	client->state = OVER;
	return SMTP_CLIENT_EV_CLOSED;
}

static client_got_fn *const meanings[] = {
	[SMTP_STAGE_GREETING] = client_got_greeting,
	[SMTP_STAGE_EHLO] = client_got_ehlo,
	[SMTP_STAGE_STARTTLS] = client_got_starttls,
	[SMTP_STAGE_AUTH] = client_got_auth,
	[SMTP_STAGE_MAIL] = client_got_mail,
	[SMTP_STAGE_RCPT] = client_got_rcpt,
	[SMTP_STAGE_DATA] = client_got_data,
	[SMTP_STAGE_DATA_END] = client_got_data_end,
	[SMTP_STAGE_QUIT] = got_quit,
};

static bool has_secret(const struct smtp_client *client)
{
	const struct sasl_credentials *who = client->settings.credentials;

	return who != NULL && who->secret[0] != '\0';
}

/* What follows AUTH may echo the secret, later replies too if the owner leaves
 * it to us.  What came before is read as it is: a short secret must not be
 * sought in the words of EHLO. */
static bool may_echo(const struct smtp_client *client)
{
	return has_secret(client) && client->mechanism != NULL;
}

static struct text without_secrets(struct smtp_client *client,
                                   struct text said)
{
	if (!has_secret(client))
		return said;
	buf_clear(&client->failure_words);
	sasl_mask_secrets(client->settings.credentials,
	                  &client->failure_words, said);
	return buf_text(&client->failure_words);
}

/* A server that knows the secret from an earlier login may say it at once. */
static void trace_masked(struct smtp_client *client,
                         const struct smtp_reply *reply)
{
	struct smtp_reply shown = *reply;

	if (client->settings.trace.line == NULL)
		return;
	if (!may_echo(client))
		shown.text = without_secrets(client, reply->text);
	trace_reply(client, &shown);
}

static enum smtp_client_event_type
got_reply(struct smtp_client *client, struct smtp_reply *reply,
          struct smtp_client_event *event)
{
	struct expected expected;

	if (may_echo(client))
		reply->text = without_secrets(client, reply->text);
	trace_masked(client, reply);
	if (client->n_expected == 0)
		return got_unasked(client, reply, event);
	expected = take_expected(client);
	if (reply->code == 421 && expected.stage != SMTP_STAGE_QUIT)
		return client_fail(client, event, expected.stage,
		            SMTP_PROBLEM_REFUSED, reply);
	if (reply->code / 100 == 3 && expected.stage != SMTP_STAGE_AUTH &&
	    expected.stage != SMTP_STAGE_DATA)
		return client_fail(client, event, expected.stage,
		            SMTP_PROBLEM_UNEXPECTED, reply);
	return meanings[expected.stage](client, &expected, reply, event);
}

/* Text that is no reply, shown to the reader of the log as far as it goes. */
static enum smtp_client_event_type got_garbage(struct smtp_client *client,
                                               struct smtp_client_event *event)
{
	struct text rest = smtp_reply_parser_rest(&client->parser);
	struct smtp_reply words = { 0 };

	words.text = without_secrets(client, rest);
	if (words.text.len > SHOWN_MAX)
		words.text.len = SHOWN_MAX;
	return client_fail(client, event, smtp_client_stage(client),
	            SMTP_PROBLEM_SYNTAX, &words);
}

/* CVE-2011-0411: between the reply to STARTTLS and the handshake there is
 * nothing to say. */
static bool is_injected(const struct smtp_client *client)
{
	return client->state == WALKING && client->n_expected == 0 &&
	       client->input.len > 0;
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
	while (type == SMTP_CLIENT_EV_NONE && client->state != OVER) {
		if (client->receiving != NULL &&
		    client->receiving->state == SLOT_DONE) {
			type = client_tell_done(client, event_r);
			break;
		}
		if (is_injected(client)) {
			type = client_fail(client, event_r, SMTP_STAGE_TLS,
			                   SMTP_PROBLEM_INJECTION, NULL);
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
