#include "relay/inbound/transaction_private.h"

#include <stdlib.h>
#include <string.h>

#include "proto/xalloc.h"

enum { WORDS_MAX = 512 - 20 }; /* of a line, behind "554 5.7.139 " */

/* A copier's panel shows the beginning: title first, then where to look, then
 * what to do. */
static void say_why(struct buf *words, const struct transaction *t,
                    const struct verdict *verdict)
{
	char id[MESSAGE_ID_TEXT];

	buf_puts(words, verdict->title ? verdict->title
	                               : "the provider refused it");
	buf_printf(words, " (%s, %s)", verdict->reason ? verdict->reason : "-",
	           message_id_print(t->first, id));
	if (verdict->fix != NULL)
		buf_printf(words, ": %s", verdict->fix);
}

/* Cut where a word ends; the log has it in full. */
static const char *cut(struct buf *words)
{
	char *line = (char *)buf_string(words);
	size_t end = WORDS_MAX - 4;

	if (buf_len(words) <= WORDS_MAX)
		return line;
	while (end > WORDS_MAX / 2 && line[end] != ' ')
		end--;
	memcpy(line + end, " ...", 5);
	return line;
}

/* 535 and its like are no replies to the end of data. */
static int code_of(struct text reply)
{
	int code = reply.len > 3 ? atoi(reply.data) : 0;

	return code >= 550 && code <= 554 ? code : 554;
}

/* The provider's enhanced status code, where it is one of a refusal. */
static void refuse_to(struct transaction *t, const struct verdict *verdict,
                      const char *words)
{
	struct text reply = text_of(verdict->reply ? verdict->reply : "");
	struct smtp_status status = { 0 };
	char printed[16];

	if (reply.len > 4 && reply.data[0] == '5')
		smtp_status_parse(text_skip(reply, 4), &status);
	if (status.class != 5)
		status = (struct smtp_status){ 5, 0, 0 };
	transaction_conclude(t, code_of(reply),
	                     smtp_status_string(&status, printed), words);
}

static void take_in(struct transaction *t, const struct verdict *verdict,
                   struct buf *words)
{
	char id[MESSAGE_ID_TEXT];

	buf_printf(words, "%s as %s",
	           verdict->kind == VERDICT_DELIVERED ? "Sent" : "Queued",
	           message_id_print(t->first, id));
	if (verdict->kind == VERDICT_QUEUED && verdict->title != NULL)
		buf_printf(words, "; so far: %s (%s)", verdict->title,
		           verdict->reason);
	transaction_conclude(t, 250, "2.0.0", cut(words));
}

static void on_verdict(void *ctx, const struct verdict *verdict)
{
	struct transaction *t = ctx;
	struct buf words = BUF_INIT(4096);

	if (verdict->kind == VERDICT_REFUSED) {
		say_why(&words, t, verdict);
		refuse_to(t, verdict, cut(&words));
	} else {
		take_in(t, verdict, &words);
	}
	buf_free(&words);
}

bool transaction_await_verdict(struct transaction *t)
{
	int64_t ms = t->origin.listener->verdict_wait_ms;
	message_id *ids;
	size_t i;

	if (ms == 0 || t->hurried)
		return false;
	ids = xcalloc(t->n_envelopes, sizeof *ids);
	for (i = 0; i < t->n_envelopes; i++)
		ids[i] = t->envelopes[i]->id;
	t->wait = verdict_wait_begin(t->services->verdicts, ids,
	                             t->n_envelopes, (uint64_t)ms, on_verdict,
	                             t);
	free(ids);
	return true;
}

void transaction_hurry(struct transaction *t)
{
	t->hurried = true;
	repeats_unheard(&t->claim);
	if (t->wait != NULL)
		verdict_wait_hurry(t->wait);
}
