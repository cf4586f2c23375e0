#include "relay/notices/notice_text.h"

#include <stdlib.h>
#include <string.h>

#include "proto/plain.h"
#include "proto/rfc5322.h"
#include "proto/xalloc.h"
#include "relay/notices/notice_write.h"
#include "relay/report/catalogue.h"

enum {
	LISTED_MAX = 50,       /* recipients that a text names */
	GROUPS_MAX = 20,       /* different answers that it tells */
	SUBJECT_SHOWN = 120,   /* of the message's subject in ours */
	SENDER_SHOWN = 60,
};

/* What is told of, and how it is written. */
struct tale {
	const struct config *config;
	const struct notice_case *one;
	const struct envelope *envelope;
	struct notice_write write;
};

/* ---- what failed, and why ---- */

static bool is_for_good(const struct config *config, const char *reason)
{
	const struct catalogue_entry *entry =
		reason ? catalogue_by_id(config->catalogue, reason) : NULL;

	return entry != NULL && (entry->disposition == CATALOGUE_REJECT ||
				 entry->disposition ==
					 CATALOGUE_REJECT_RECIPIENT ||
				 entry->disposition == CATALOGUE_REWRITE);
}

bool notice_is_expired(const struct config *config,
		       const struct notice_case *one,
		       const struct recipient *recipient)
{
	return recipient->finished_ms >= one->envelope->expires_ms &&
	       !is_for_good(config, recipient->reason);
}

/* The reason that says most: of a message whose time was over, what stood in
 * the way when it was tried last. */
static const char *reason_of(const struct tale *tale,
			     const struct recipient *recipient)
{
	const char *reason = recipient->reason;

	if (reason != NULL && strcmp(reason, "expired") == 0)
		reason = tale->one->reason;
	return reason != NULL ? reason : tale->envelope->reason;
}

static bool same_answer(const struct tale *tale, const struct recipient *a,
			const struct recipient *b)
{
	return text_equal(text_of(a->reply), text_of(b->reply)) &&
	       text_equal(text_of(a->reason), text_of(b->reason)) &&
	       notice_is_expired(tale->config, tale->one, a) ==
		       notice_is_expired(tale->config, tale->one, b);
}

static bool is_untold(const struct tale *tale, size_t i)
{
	return notice_case_is_untold(tale->one,
				     &tale->envelope->recipients[i]);
}

/* Is it the first with its answer? */
static bool is_first(const struct tale *tale, size_t i)
{
	const struct recipient *recipients = tale->envelope->recipients;
	size_t j;

	for (j = 0; j < i; j++) {
		if (is_untold(tale, j) &&
		    same_answer(tale, &recipients[j], &recipients[i]))
			return false;
	}
	return true;
}

/* ---- lists of recipients ---- */

static bool always(const struct tale *tale, size_t i, size_t of)
{
	(void)of;
	return is_untold(tale, i);
}

static bool has_answer_of(const struct tale *tale, size_t i, size_t of)
{
	return is_untold(tale, i) &&
	       same_answer(tale, &tale->envelope->recipients[i],
			   &tale->envelope->recipients[of]);
}

static bool is_delivered(const struct tale *tale, size_t i, size_t of)
{
	(void)of;
	return tale->envelope->recipients[i].state == RECIPIENT_DELIVERED;
}

static bool is_queued(const struct tale *tale, size_t i, size_t of)
{
	(void)of;
	return tale->envelope->recipients[i].state == RECIPIENT_QUEUED;
}

typedef bool (*recipient_test)(const struct tale *tale, size_t i, size_t of);

static size_t count(const struct tale *tale, recipient_test test)
{
	size_t i, n = 0;

	for (i = 0; i < tale->envelope->n_recipients; i++)
		n += test(tale, i, 0);
	return n;
}

static void put_recipients(struct tale *tale, recipient_test test, size_t of)
{
	size_t i, n = 0;

	for (i = 0; i < tale->envelope->n_recipients; i++) {
		if (test(tale, i, of) && n++ < LISTED_MAX)
			notice_write_item(
				&tale->write,
				tale->envelope->recipients[i].address);
	}
	if (n > LISTED_MAX)
		notice_write(&tale->write, "and %zu more", n - LISTED_MAX);
	notice_write_end(&tale->write);
}

/* ---- one message ---- */

static void put_device(struct tale *tale)
{
	const struct envelope *envelope = tale->envelope;
	struct buf words = BUF_INIT(512);

	if (envelope->device != NULL)
		buf_printf(&words, "%s%s", envelope->device,
			   envelope->client ? ", " : "");
	if (envelope->client != NULL)
		buf_puts(&words, envelope->client);
	notice_write_fact(&tale->write, "Device", buf_string(&words));
	buf_free(&words);
}

static void put_facts(struct tale *tale)
{
	const struct envelope *envelope = tale->envelope;
	char id[MESSAGE_ID_TEXT];

	notice_write_fact(&tale->write, "Subject",
			  envelope->subject ? envelope->subject : "(none)");
	notice_write_fact(&tale->write, "From",
			  *envelope->reverse_path ? envelope->reverse_path
						  : envelope->header_from);
	put_device(tale);
	notice_write_time(&tale->write, "Received", envelope->received_ms);
	notice_write_fact(&tale->write, "Account", envelope->account);
	notice_write_fact(&tale->write, "ID",
			  message_id_print(envelope->id, id));
	notice_write_end(&tale->write);
}

static void put_expiry(struct tale *tale)
{
	const struct envelope *envelope = tale->envelope;
	struct buf period = BUF_INIT(64);

	notice_write_period(&period,
			    envelope->expires_ms - envelope->received_ms);
	notice_write_paragraph(&tale->write,
			       "It was tried again and again for %s, as long "
			       "as `expire` says. What stood in the way:",
			       buf_string(&period));
	buf_free(&period);
}

static const char *account_of(const struct notice_case *one)
{
	return one->account ? one->account : one->envelope->account;
}

static const char *username_of(const struct config *config, const char *name)
{
	const struct account_config *account =
		name ? config_account(config, name) : NULL;

	return account ? account->username : NULL;
}

static void put_entry(struct tale *tale, const struct catalogue_entry *entry)
{
	struct buf fix = BUF_INIT(4096);

	catalogue_print_fix(&fix, entry,
			    username_of(tale->config, account_of(tale->one)),
			    *tale->envelope->reverse_path
				    ? tale->envelope->reverse_path
				    : NULL);
	notice_write_paragraph(&tale->write, "%s.", entry->title);
	notice_write_paragraph(&tale->write, "%s", entry->explanation);
	notice_write_paragraph(&tale->write, "What to do: %s",
			       buf_string(&fix));
	if (entry->page != NULL)
		notice_write_paragraph(&tale->write, "%s", entry->page);
	buf_free(&fix);
}

static bool is_of_provider(const char *reply)
{
	uint64_t code;

	return strlen(reply) >= 3 && text_to_u64(text_make(reply, 3), &code);
}

static void put_reply(struct tale *tale, const char *reply)
{
	const char *host = tale->one->host;

	if (reply == NULL || *reply == '\0')
		return;
	if (is_of_provider(reply))
		notice_write_paragraph(&tale->write, "%s answered:",
				       host ? host : "The provider");
	else
		notice_write_paragraph(&tale->write, "What happened%s%s:",
				       host ? " with " : "", host ? host : "");
	notice_write_quote(&tale->write, reply);
}

/* What became of recipient i, and of all with the same answer. */
static void put_group(struct tale *tale, size_t i)
{
	const struct recipient *recipient = &tale->envelope->recipients[i];
	const char *reason = reason_of(tale, recipient);
	const struct catalogue_entry *entry = NULL;

	if (reason != NULL)
		entry = catalogue_by_id(tale->config->catalogue, reason);
	notice_write_paragraph(&tale->write, "Not delivered to:");
	put_recipients(tale, has_answer_of, i);
	if (notice_is_expired(tale->config, tale->one, recipient))
		put_expiry(tale);
	if (entry != NULL)
		put_entry(tale, entry);
	put_reply(tale, recipient->reply);
}

static void put_groups(struct tale *tale)
{
	size_t i, n = 0, left = 0;

	for (i = 0; i < tale->envelope->n_recipients; i++) {
		if (!is_untold(tale, i) || !is_first(tale, i))
			continue;
		if (n++ < GROUPS_MAX)
			put_group(tale, i);
		else
			left++;
	}
	if (left > 0)
		notice_write_paragraph(&tale->write,
				       "%zu more were refused in other words: "
				       "see the history.", left);
}

static void put_others(struct tale *tale)
{
	if (count(tale, is_delivered) > 0) {
		notice_write_paragraph(&tale->write, "It was delivered to:");
		put_recipients(tale, is_delivered, 0);
	}
	if (count(tale, is_queued) > 0) {
		notice_write_paragraph(&tale->write, "It is still tried for:");
		put_recipients(tale, is_queued, 0);
	}
}

/* The body of one that was damaged cannot go anywhere. */
static bool can_be_released(const struct tale *tale)
{
	return tale->envelope->state == MESSAGE_FAILED &&
	       tale->config->relay.keep_failed_ms > 0 &&
	       !text_is(text_of(tale->envelope->reason), "body-damaged");
}

static void put_commands(struct tale *tale)
{
	const struct envelope *envelope = tale->envelope;
	char id[MESSAGE_ID_TEXT];

	message_id_print(envelope->id, id);
	if (can_be_released(tale)) {
		char date[40];

		rfc5322_date(date,
			     (envelope->finished_ms +
			      tale->config->relay.keep_failed_ms) / 1000,
			     tale->write.offset_minutes);
		notice_write_paragraph(&tale->write,
				       "The message is kept until %s. Once the "
				       "cause is mended, this sends it:", date);
		notice_write_command(&tale->write, "lanpost queue release %s",
				     id);
	}
	notice_write_paragraph(&tale->write, "All that is known of it:");
	notice_write_command(&tale->write, "lanpost history --id %s", id);
}

void notice_text_failure(struct buf *out, const struct config *config,
			 const struct notice_case *one, int offset_minutes)
{
	struct tale tale = { config, one, one->envelope,
			       { out, offset_minutes } };
	bool some = count(&tale, is_delivered) + count(&tale, is_queued) > 0;

	notice_write_paragraph(&tale.write,
			       some ? "A message could not be delivered to "
				      "all of its recipients."
				    : "A message could not be delivered.");
	put_facts(&tale);
	put_groups(&tale);
	put_others(&tale);
	put_commands(&tale);
	notice_write_signature(&tale.write, config->relay.hostname);
}

char *notice_subject_failure(const struct notice_case *one)
{
	struct tale tale = { NULL, one, one->envelope, { NULL, 0 } };
	char *subject = plain_dup(one->envelope->subject, SUBJECT_SHOWN);
	size_t i, n = count(&tale, always);
	const char *first = "";
	char *words;

	for (i = one->envelope->n_recipients; i-- > 0;) {
		if (is_untold(&tale, i))
			first = one->envelope->recipients[i].address;
	}
	if (n > 1)
		words = xasprintf("Not delivered: %s (to %s and %zu more)",
				  subject ? subject : "no subject", first,
				  n - 1);
	else
		words = xasprintf("Not delivered: %s (to %s)",
				  subject ? subject : "no subject", first);
	free(subject);
	return words;
}

/* ---- many messages ---- */

/* The account of all that are listed with this reason; NULL: there are several,
 * or none is known. */
static const char *only_account(const struct notice_digest *digest,
				const char *reason)
{
	const char *only = NULL;
	size_t i;

	for (i = 0; i < digest->n_cases; i++) {
		const struct notice_case *one = &digest->cases[i];
		const char *its = account_of(one);

		if (one->envelope->reason == NULL ||
		    strcmp(one->envelope->reason, reason) != 0)
			continue;
		if (its == NULL || (only != NULL && strcmp(only, its) != 0))
			return NULL;
		only = its;
	}
	return only;
}

static void put_reason(struct notice_write *write, const struct config *config,
		       const struct notice_digest *digest,
		       const struct notice_reason *reason)
{
	struct buf fix = BUF_INIT(4096);
	const struct catalogue_entry *entry =
		reason->reason
			? catalogue_by_id(config->catalogue, reason->reason)
			: NULL;
	const char *name = reason->reason ? reason->reason : "no reason known";

	if (entry == NULL) {
		notice_write_paragraph(write, "%zu: %s", reason->n, name);
		return;
	}
	catalogue_print_fix(&fix, entry,
			    username_of(config, only_account(digest, name)),
			    NULL);
	notice_write_paragraph(write, "%zu: %s (%s). %s What to do: %s",
			       reason->n, entry->title, name,
			       entry->explanation, buf_string(&fix));
	buf_free(&fix);
}

static void put_reasons(struct notice_write *write, const struct config *config,
			const struct notice_digest *digest)
{
	size_t i, n = 0;

	for (i = 0; i < digest->n_reasons; i++) {
		put_reason(write, config, digest, &digest->reasons[i]);
		n += digest->reasons[i].n;
	}
	if (n < digest->n)
		notice_write_paragraph(write, "%zu: for other reasons.",
				       digest->n - n);
}

static void put_row(struct notice_write *write, const struct notice_case *one)
{
	const struct envelope *envelope = one->envelope;
	char *to = envelope_recipient_list(envelope, RECIPIENT_FAILED,
					   SENDER_SHOWN);
	char *subject = plain_dup(envelope->subject, SENDER_SHOWN);
	char *from = plain_dup(envelope->reverse_path, SENDER_SHOWN);
	char id[MESSAGE_ID_TEXT];

	notice_write(write, "%s  %s to %s: %s",
		     message_id_print(envelope->id, id),
		     *from ? from : "<>", to, subject ? subject : "no subject");
	free(to);
	free(subject);
	free(from);
}

static void put_rows(struct notice_write *write,
		     const struct notice_digest *digest)
{
	size_t i;

	notice_write_paragraph(write, digest->n > digest->n_cases
				      ? "The first of them:"
				      : "They are:");
	for (i = 0; i < digest->n_cases; i++)
		put_row(write, &digest->cases[i]);
	notice_write_end(write);
	if (digest->n > digest->n_cases)
		notice_write_paragraph(write,
				       "and %zu more, which this lists:",
				       digest->n - digest->n_cases);
	else
		notice_write_paragraph(write, "This lists them, too:");
	notice_write_command(write, "lanpost history --status failed");
	notice_write_paragraph(write, "Once the cause is mended, this sends "
				      "one of them:");
	notice_write_command(write, "lanpost queue release ID");
}

void notice_text_digest(struct buf *out, const struct config *config,
			const struct notice_digest *digest, int offset_minutes)
{
	struct notice_write write = { out, offset_minutes };

	notice_write_paragraph(&write,
			       "%zu messages could not be delivered. There are "
			       "so many that this tells of all of them "
			       "together.", digest->n);
	put_reasons(&write, config, digest);
	put_rows(&write, digest);
	notice_write_signature(&write, config->relay.hostname);
}

char *notice_subject_digest(const struct notice_digest *digest)
{
	return xasprintf("Not delivered: %zu messages", digest->n);
}

/* ---- accounts ---- */

static void put_trouble(struct notice_write *write,
			const struct account_alarm *alarm)
{
	if (alarm->title != NULL)
		notice_write_paragraph(write, "%s.", alarm->title);
	if (alarm->explanation != NULL)
		notice_write_paragraph(write, "%s", alarm->explanation);
	if (alarm->fix != NULL)
		notice_write_paragraph(write, "What to do: %s", alarm->fix);
	if (alarm->reply == NULL)
		return;
	notice_write_paragraph(write, "The provider answered:");
	notice_write_quote(write, alarm->reply);
}

static void put_waiting(struct notice_write *write,
			const struct account_alarm *alarm)
{
	char date[40];

	if (alarm->waiting == 0) {
		notice_write_paragraph(write, "No message waits for it now.");
		return;
	}
	rfc5322_date(date, alarm->expires_ms / 1000, write->offset_minutes);
	notice_write_paragraph(write,
			       "%zu message%s for it. None is lost; the first "
			       "of them fails at %s, unless it is sent before.",
			       alarm->waiting,
			       alarm->waiting == 1 ? " waits" : "s wait", date);
}

void notice_text_paused(struct buf *out, const struct config *config,
			const struct account_alarm *alarm, int offset_minutes)
{
	struct notice_write write = { out, offset_minutes };
	char date[40];

	rfc5322_date(date, alarm->since_ms / 1000, offset_minutes);
	notice_write_paragraph(&write,
			       "Account %s is paused since %s, so that its "
			       "provider is not asked again and again. "
			       "This comes by account %s.",
			       alarm->account, date, alarm->by);
	put_trouble(&write, alarm);
	put_waiting(&write, alarm);
	notice_write_paragraph(&write, "Once it is mended:");
	notice_write_command(&write, "lanpost account resume %s",
			     alarm->account);
	notice_write_signature(&write, config->relay.hostname);
}

void notice_text_resumed(struct buf *out, const struct config *config,
			 const struct account_alarm *alarm, int64_t now_ms,
			 int offset_minutes)
{
	struct notice_write write = { out, offset_minutes };
	struct buf period = BUF_INIT(64);

	notice_write_period(&period, now_ms - alarm->since_ms);
	notice_write_paragraph(&write,
			       "Account %s sends again, after a pause of %s.",
			       alarm->account, buf_string(&period));
	if (alarm->waiting > 0)
		notice_write_paragraph(&write,
				       "%zu message%s for it and go%s out now.",
				       alarm->waiting,
				       alarm->waiting == 1 ? " waits"
							   : "s wait",
				       alarm->waiting == 1 ? "es" : "");
	notice_write_signature(&write, config->relay.hostname);
	buf_free(&period);
}

char *notice_subject_paused(const struct account_alarm *alarm)
{
	return xasprintf("Account %s is paused: %s", alarm->account,
			 alarm->title ? alarm->title
				      : "its provider refuses it");
}

char *notice_subject_resumed(const struct account_alarm *alarm)
{
	return xasprintf("Account %s sends again", alarm->account);
}
