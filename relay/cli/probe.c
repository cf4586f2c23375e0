#include "relay/cli/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/mailbox.h"
#include "proto/rfc5322.h"
#include "proto/utf8.h"
#include "proto/xalloc.h"
#include "relay/cli/terminal.h"
#include "relay/config/config_print.h"
#include "relay/net/loop.h"
#include "relay/net/tls_context.h"
#include "relay/outbound/disposition.h"
#include "relay/outbound/upstream.h"
#include "relay/policy/send_as.h"
#include "relay/queue/envelope.h"

enum { WHY_INDENT = 17 };

struct probe {
	const struct config *config;
	const struct account_config *account;
	const struct probe_message *message;
	json_t *json;
	struct loop *loop;
	struct tls_context *tls;
	struct upstream *upstream;
	struct upstream_job job;
	struct send_as sender;
	struct buf mail;
	const char *recipient;
	char *sender_words;     /* as whom, and why */
	bool begun, ok, over;
	bool sender_told;
};

/* ---- telling ---- */

static json_t *bounded(const char *detail)
{
	struct text text = utf8_cut(text_of(detail), TERMINAL_TEXT_MAX);
	char *cut = text_dup(text);
	json_t *string = config_json_text(cut);

	free(cut);
	return string;
}

static void tell(struct probe *probe, bool ok, const char *step,
                 const char *detail)
{
	if (probe->json != NULL) {
		json_array_append_new(
			probe->json,
			json_pack("{s:s, s:b, s:o}", "step", step, "ok", ok,
		                  "detail", bounded(detail)));
		return;
	}
	printf("  %s %-10s ", ok ? "\xe2\x9c\x93" : "\xe2\x9c\x97", step);
	terminal_print(stdout, detail);
	putchar('\n');
}

static void print_why(const struct disposition *why)
{
	printf("\n  %s.\n", why->title);
	terminal_paragraph(stdout, WHY_INDENT, "  What it means:",
	                   why->explanation);
	terminal_paragraph(stdout, WHY_INDENT, "  What to do:", why->fix);
}

/* With the names of this account in it. */
static void tell_why(struct probe *probe, const struct disposition *why)
{
	struct disposition kept = { .action = DISPOSITION_DONE };

	if (why->explanation == NULL)
		return;
	disposition_keep(&kept, why, probe->account->username,
	                 probe->job.transaction.reverse_path);
	if (probe->json != NULL)
		json_array_append_new(
			probe->json,
			json_pack("{s:s, s:s, s:s, s:s}", "reason",
		                  kept.reason, "title", kept.title,
		                  "explanation", kept.explanation, "fix",
		                  kept.fix));
	else
		print_why(&kept);
	disposition_forget(&kept);
}

/* MAIL has been answered: yes, or something behind it would not have been. */
static void tell_sender(struct probe *probe)
{
	if (!probe->sender_told)
		tell(probe, true, "sender", probe->sender_words);
	probe->sender_told = true;
}

static void tell_reply(struct probe *probe, bool ok, const char *step,
                       const struct smtp_reply *reply)
{
	struct buf line = BUF_INIT(128 * 1024);

	smtp_reply_line(&line, reply);
	tell(probe, ok, step, buf_string(&line));
	buf_free(&line);
}

static void finish(struct probe *probe, bool ok)
{
	probe->ok = ok;
	probe->over = true;
	loop_stop(probe->loop);
}

/* ---- connecting ---- */

static void tell_certificate(struct probe *probe,
                             const struct tls_peer_info *tls)
{
	struct buf words = BUF_INIT(2048);
	long long days = (tls->not_after - (int64_t)time(NULL)) / 86400;

	buf_printf(&words, "%s, %s", tls->version, tls->cipher);
	if (tls->subject != NULL)
		buf_printf(&words, "; certificate of %s, %lld days left",
		           tls->subject, days);
	tell(probe, true, "tls", buf_string(&words));
	buf_free(&words);
}

static void on_step(void *ctx, struct upstream *upstream,
                    enum upstream_step step)
{
	struct probe *probe = ctx;
	const char *mechanism = upstream_mechanism(upstream);

	switch (step) {
	case UPSTREAM_CONNECTED:
		tell(probe, true, "resolve", upstream_host(upstream));
		tell(probe, true, "connect", upstream_peer(upstream));
		break;
	case UPSTREAM_SECURED:
		tell_certificate(probe, upstream_tls(upstream));
		break;
	case UPSTREAM_LOGGED_IN:
		tell(probe, true, "login",
		     mechanism != NULL ? mechanism : "none is configured");
		break;
	}
}

static const char *step_of(const struct upstream_failure *failure)
{
	static const char *const names[] = {
		[SMTP_STAGE_GREETING] = "greeting", [SMTP_STAGE_EHLO] = "ehlo",
		[SMTP_STAGE_STARTTLS] = "tls", [SMTP_STAGE_TLS] = "tls",
		[SMTP_STAGE_AUTH] = "login", [SMTP_STAGE_READY] = "sender",
		[SMTP_STAGE_MAIL] = "sender", [SMTP_STAGE_RCPT] = "recipient",
		[SMTP_STAGE_DATA] = "data", [SMTP_STAGE_BODY] = "data",
		[SMTP_STAGE_DATA_END] = "data", [SMTP_STAGE_QUIT] = "quit",
	};

	if (failure->kind == UPSTREAM_STREAM &&
	    failure->end == STREAM_END_DNS)
		return "resolve";
	if (failure->kind == UPSTREAM_STREAM &&
	    failure->end == STREAM_END_CONNECT)
		return "connect";
	return names[failure->stage];
}

/* What had been reached before, where no callback tells it. */
static void tell_reached(struct probe *probe,
                         const struct upstream_failure *failure,
                         const char *step)
{
	if (strcmp(step, "connect") == 0)
		tell(probe, true, "resolve", probe->account->host);
	if (probe->begun && failure->stage > SMTP_STAGE_MAIL &&
	    failure->stage <= SMTP_STAGE_DATA_END)
		tell_sender(probe);
}

static void tell_failure(struct probe *probe,
                         const struct upstream_failure *failure)
{
	struct disposition why = disposition_of_failure(
		probe->config, probe->account, failure);
	const char *step = step_of(failure);

	tell_reached(probe, failure, step);
	if (failure->reply.code != 0)
		tell_reply(probe, false, step, &failure->reply);
	else
		tell(probe, false, step, failure->words);
	tell_why(probe, &why);
}

static void on_gone(void *ctx, struct upstream *upstream,
                    const struct upstream_failure *failure)
{
	struct probe *probe = ctx;

	if (!probe->over && failure != NULL)
		tell_failure(probe, failure);
	if (!probe->over)
		finish(probe, false);
	upstream_close(&probe->upstream);
}

static void on_ready(void *ctx, struct upstream *upstream)
{
	struct probe *probe = ctx;

	if (probe->message == NULL)
		finish(probe, true);
	else if (!probe->begun)
		upstream_begin(upstream, &probe->job);
	probe->begun = true;
}

/* ---- the message ---- */

static void on_recipient(void *ctx, size_t index, const struct smtp_reply *reply)
{
	struct probe *probe = ctx;
	struct disposition why =
		disposition_of_reply(probe->config, probe->account,
	                             SMTP_STAGE_RCPT, SMTP_PROBLEM_NONE, reply);

	tell_sender(probe);
	tell_reply(probe, smtp_reply_positive(reply), "recipient", reply);
	tell_why(probe, &why);
}

static void on_body(void *ctx, struct upstream *upstream)
{
	struct probe *probe = ctx;
	struct text mail = buf_text(&probe->mail);

	upstream_body(upstream, mail.data, mail.len, true);
}

static void on_done(void *ctx, enum smtp_stage stage, enum smtp_problem problem,
                    const struct smtp_reply *reply)
{
	struct probe *probe = ctx;
	struct disposition why = disposition_of_reply(
		probe->config, probe->account, stage, problem, reply);
	bool ok = stage == SMTP_STAGE_DATA_END && smtp_reply_positive(reply);

	if (stage != SMTP_STAGE_RCPT) {
		tell_reply(probe, ok,
		           stage == SMTP_STAGE_MAIL ? "sender" : "data", reply);
		if (!ok)
			tell_why(probe, &why);
	}
	finish(probe, ok);
}

static void on_failure(void *ctx, const struct upstream_failure *failure)
{
	/* on_gone() tells it. */
}

static const char *wanted_sender(const struct probe *probe)
{
	const char *identity = account_identity(probe->account);

	if (probe->message->from != NULL)
		return probe->message->from;
	return identity != NULL ? identity : "";
}

static void refuse_sender(struct probe *probe, const char *words,
                          struct disposition why)
{
	tell(probe, false, "sender", words);
	tell_why(probe, &why);
}

/* As mail from devices is sent. */
static bool decide_sender(struct probe *probe, const char *from)
{
	struct send_as_query query = { .account = probe->account,
		.reverse_path = from, .header_from = from };
	struct send_as *sender = &probe->sender;
	const char *path;

	send_as_decide(&query, sender);
	path = sender->reverse_path;
	if (sender->verdict == SEND_AS_REJECTED) {
		probe->job.transaction.reverse_path = from;
		refuse_sender(probe, sender->reason,
		              disposition_of_sender(probe->config));
		return false;
	}
	if (*path == '\0') {
		tell(probe, false, "sender",
		     "the account has no address of its own: give --from");
		return false;
	}
	probe->job.transaction.reverse_path = path;
	probe->sender_words =
		text_is(text_of(path), from)
			? xstrdup(path)
			: xasprintf("%s, in place of %s, as for mail from "
	                            "devices (%s)", path, from, sender->reason);
	return true;
}

static bool write_mail(struct probe *probe)
{
	const char *from = wanted_sender(probe);
	struct send_as *sender = &probe->sender;
	char date[40], id[MESSAGE_ID_TEXT];
	int64_t now = wall_now_ms();

	if (!decide_sender(probe, from))
		return false;
	rfc5322_date(date, now / 1000, 0);
	message_id_print(message_id_new(now, random_u32()), id);
	buf_puts(&probe->mail, "From: ");
	mailbox_print(&probe->mail, text_of("lanpost test"),
	              text_of(sender->from ? sender->from : from));
	buf_printf(&probe->mail,
	           "\r\nTo: %s\r\nSubject: lanpost test\r\nDate: %s\r\n"
	           "Message-ID: <%s@%s>\r\nMIME-Version: 1.0\r\n"
	           "Content-Type: text/plain; charset=us-ascii\r\n\r\n"
	           "This message was sent by `lanpost test` through account "
	           "%s.\r\nMail from your devices takes the same way.\r\n",
	           probe->message->to, date, id, probe->config->relay.hostname,
	           probe->account->name);
	return true;
}

static void fill_job(struct probe *probe)
{
	probe->recipient = probe->message->to;
	probe->job.transaction.recipients = &probe->recipient;
	probe->job.transaction.n_recipients = 1;
	probe->job.transaction.size = buf_len(&probe->mail);
	probe->job.on_recipient = on_recipient;
	probe->job.on_body = on_body;
	probe->job.on_done = on_done;
	probe->job.on_failure = on_failure;
	probe->job.ctx = probe;
}

/* ---- the whole ---- */

static bool make_tls(struct probe *probe)
{
	const struct account_config *account = probe->account;
	struct tls_client_settings settings = { account->tls_ca_file,
		account->tls_fingerprint, account->tls_min };
	const char *error = NULL;

	if (account->tls == SMTP_TLS_NONE)
		return true;
	probe->tls = tls_context_client(&settings, &error);
	if (probe->tls == NULL)
		tell(probe, false, "tls", error);
	return probe->tls != NULL;
}

static void run(struct probe *probe)
{
	static const struct upstream_callbacks callbacks = { on_step, on_ready,
		on_gone };
	struct upstream_settings settings = {
		.loop = probe->loop,
		.account = probe->account,
		.hostname = probe->config->relay.hostname,
		.tls = probe->tls,
	};

	probe->upstream = upstream_open(&settings, &callbacks, probe);
	loop_run(probe->loop);
	upstream_close(&probe->upstream);
}

bool probe_account(const struct config *config,
                   const struct account_config *account,
                   const struct probe_message *message, json_t *json)
{
	struct probe probe = { .config = config, .account = account,
		.message = message, .json = json };

	buf_init(&probe.mail, 16 * 1024);
	probe.loop = loop_new();
	if (json == NULL)
		printf("account %s, %s port %u\n", account->name, account->host,
		       account->port);
	if (make_tls(&probe) && (message == NULL || write_mail(&probe))) {
		if (message != NULL)
			fill_job(&probe);
		run(&probe);
	}
	tls_context_unref(&probe.tls);
	loop_free(&probe.loop);
	send_as_free(&probe.sender);
	free(probe.sender_words);
	buf_free(&probe.mail);
	return probe.ok;
}
