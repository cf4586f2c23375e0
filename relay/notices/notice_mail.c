#include "relay/notices/notice_mail.h"

#include <stdlib.h>
#include <string.h>

#include "proto/dsn.h"
#include "proto/xalloc.h"
#include "relay/policy/send_as.h"

/* A text, all recipients that a report tells of, and their answers. */
enum { MAIL_MAX = 16 * 1024 * 1024 };

void notice_mail_free(struct notice_mail *mail)
{
	envelope_free(&mail->envelope);
	buf_free(&mail->bytes);
}

/* Whoever may be answered at, best the account itself. */
static char *from_of(const struct config *config, const char *name)
{
	const struct account_config *account =
		name != NULL ? config_account(config, name) : NULL;
	const char *identity;

	if (account == NULL)
		account = &config->accounts[0];
	identity = account_identity(account);
	if (identity != NULL)
		return xstrdup(identity);
	return config->relay.postmaster != NULL
		       ? xstrdup(config->relay.postmaster)
		       : xasprintf("lanpost@%s", config->relay.hostname);
}

static struct envelope *envelope_of(const struct notice_occasion *occasion,
				    const struct notice_audience *audience,
				    const char *account, const char *subject)
{
	struct envelope *envelope = envelope_new();
	char id[MESSAGE_ID_TEXT];
	size_t i;

	envelope->is_notice = true;
	envelope->received_ms = occasion->now_ms;
	envelope->id = message_id_new(occasion->now_ms, occasion->random);
	envelope->expires_ms =
		occasion->now_ms + occasion->config->relay.expire_ms;
	envelope->reverse_path = xstrdup("");
	envelope->header_from = from_of(occasion->config, account);
	envelope->subject = xstrdup(subject);
	envelope->header_id = xasprintf("<%s@%s>",
					message_id_print(envelope->id, id),
					occasion->config->relay.hostname);
	envelope->account = xstrdup(account);
	for (i = 0; i < audience->n; i++)
		envelope_add_recipient(envelope, text_of(audience->to[i]));
	return envelope;
}

static const char *account_of(const struct notice_occasion *occasion,
			      const char *own)
{
	return occasion->account != NULL ? occasion->account : own;
}

static uint32_t header_size(struct text message)
{
	return (uint32_t)(text_find_nocase(message, text_of("\r\n\r\n")) + 4);
}

static void print(struct notice_mail *mail,
		  const struct notice_occasion *occasion,
		  const struct notice_audience *audience,
		  struct dsn_letter *letter, const struct dsn_report *report)
{
	char id[MESSAGE_ID_TEXT];

	letter->from_name = "lanpost";
	letter->from = mail->envelope->header_from;
	letter->to = audience->to;
	letter->n_to = audience->n;
	letter->subject = mail->envelope->subject;
	letter->id = message_id_print(mail->envelope->id, id);
	letter->hostname = occasion->config->relay.hostname;
	letter->seconds = occasion->now_ms / 1000;
	letter->offset_minutes = occasion->offset_minutes;
	buf_init(&mail->bytes, MAIL_MAX);
	dsn_print(&mail->bytes, letter, report);
	mail->envelope->header_size = header_size(buf_text(&mail->bytes));
}

/* ---- a failure ---- */

/* "smtp.example.net [192.0.2.25]:587" */
static char *host_name(const char *host)
{
	return host == NULL ? NULL
			    : text_dup(text_make(host, strcspn(host, " ")));
}

static void fill_recipient(struct dsn_recipient *out,
			   const struct config *config,
			   const struct notice_case *one,
			   const struct recipient *recipient, const char *host)
{
	*out = (struct dsn_recipient){
		.address = recipient->address,
		.status = dsn_status(recipient->reply,
				     notice_is_expired(config, one, recipient)),
		.host = host,
		.reply = recipient->reply,
		.attempt_seconds = one->attempt_ms / 1000,
	};
}

static struct dsn_recipient *report_recipients(const struct config *config,
					       const struct notice_case *one,
					       const char *host, size_t *n_r)
{
	const struct envelope *envelope = one->envelope;
	struct dsn_recipient *list =
		xcalloc(envelope->n_recipients + 1, sizeof(*list));
	size_t i;

	for (i = 0; i < envelope->n_recipients; i++) {
		if (notice_case_is_untold(one, &envelope->recipients[i]))
			fill_recipient(&list[(*n_r)++], config, one,
				       &envelope->recipients[i], host);
	}
	return list;
}

static void print_failure(struct notice_mail *mail,
			  const struct notice_occasion *occasion,
			  const struct notice_audience *audience,
			  const struct notice_case *one, struct text header)
{
	struct dsn_report report = {
		.arrival_seconds = one->envelope->received_ms / 1000,
		.header = header,
	};
	struct buf text = BUF_INIT(NOTICE_TEXT_MAX);
	struct dsn_letter letter = {
		.about = one->envelope->header_id,
		.auto_submitted = "auto-replied",
	};
	char *host = host_name(one->host);
	char id[MESSAGE_ID_TEXT];
	struct dsn_recipient *recipients = report_recipients(
		occasion->config, one, host, &report.n_recipients);

	notice_text_failure(&text, occasion->config, one,
			    occasion->offset_minutes);
	letter.text = buf_string(&text);
	report.id = message_id_print(one->envelope->id, id);
	report.recipients = recipients;
	print(mail, occasion, audience, &letter, &report);
	buf_free(&text);
	free(recipients);
	free(host);
}

void notice_mail_failure(struct notice_mail *mail,
			 const struct notice_occasion *occasion,
			 const struct notice_audience *audience,
			 const struct notice_case *one, struct text header)
{
	char *subject = notice_subject_failure(one);

	mail->envelope = envelope_of(
		occasion, audience,
		account_of(occasion, one->envelope->account), subject);
	print_failure(mail, occasion, audience, one, header);
	free(subject);
}

/* ---- letters ---- */

/* text and subject are freed. */
static void write_letter(struct notice_mail *mail,
			 const struct notice_occasion *occasion,
			 const struct notice_audience *audience,
			 const char *account, char *subject, struct buf *text)
{
	struct dsn_letter letter = {
		.auto_submitted = "auto-generated",
		.text = buf_string(text),
	};

	mail->envelope = envelope_of(occasion, audience, account, subject);
	print(mail, occasion, audience, &letter, NULL);
	free(subject);
	buf_free(text);
}

void notice_mail_digest(struct notice_mail *mail,
			const struct notice_occasion *occasion,
			const struct notice_audience *audience,
			const struct notice_digest *digest)
{
	struct buf text = BUF_INIT(NOTICE_TEXT_MAX);
	const char *account =
		digest->n_cases > 0 ? digest->cases[0].envelope->account : NULL;

	notice_text_digest(&text, occasion->config, digest,
			   occasion->offset_minutes);
	write_letter(mail, occasion, audience, account_of(occasion, account),
		     notice_subject_digest(digest), &text);
	mail->envelope->is_digest =
		!notice_audience_is_each_sender(occasion->config);
}

static struct notice_audience postmaster_of(const struct config *config)
{
	return (struct notice_audience){ { config->relay.postmaster }, 1 };
}

void notice_mail_paused(struct notice_mail *mail,
			const struct notice_occasion *occasion,
			const struct account_alarm *alarm)
{
	struct notice_audience audience = postmaster_of(occasion->config);
	struct buf text = BUF_INIT(NOTICE_TEXT_MAX);

	notice_text_paused(&text, occasion->config, alarm,
			   occasion->offset_minutes);
	write_letter(mail, occasion, &audience, alarm->by,
		     notice_subject_paused(alarm), &text);
}

void notice_mail_resumed(struct notice_mail *mail,
			 const struct notice_occasion *occasion,
			 const struct account_alarm *alarm)
{
	struct notice_audience audience = postmaster_of(occasion->config);
	struct buf text = BUF_INIT(NOTICE_TEXT_MAX);

	notice_text_resumed(&text, occasion->config, alarm, occasion->now_ms,
			    occasion->offset_minutes);
	write_letter(mail, occasion, &audience, alarm->by,
		     notice_subject_resumed(alarm), &text);
}
