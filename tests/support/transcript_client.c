#include "tests/support/transcript_internal.h"

#include <stdlib.h>
#include <string.h>

#include "proto/xalloc.h"
#include "tests/support/client_play.h"

enum { WORDS_MAX = 64, TRANSACTIONS_MAX = 16 };

/* A transaction and the strings it points to. */
struct letter {
	struct smtp_transaction transaction;
	char *words[WORDS_MAX]; /* name, reverse-path, recipients */
	size_t n_words;
};

struct cast {
	const struct transcript *transcript;
	struct client_play *play;
	char *login[2];
	char *words[WORDS_MAX];
	const char *mechanisms[WORDS_MAX + 1];
	size_t n_words;
	struct sasl_credentials credentials;
	struct letter letters[TRANSACTIONS_MAX];
	size_t n_letters;
};

/* ---- acts ---- */

/* An option at the end of "begin"; false: it is a recipient. */
static bool read_option(struct smtp_transaction *transaction, const char *word)
{
	if (strcmp(word, "8bit") == 0)
		return transaction->has_8bit = true;
	if (strcmp(word, "can_7bit") == 0)
		return transaction->can_7bit = true;
	if (strcmp(word, "grows") == 0)
		return transaction->size_is_least = true;
	return strncmp(word, "size=", 5) == 0 &&
	       text_to_u64(text_of(word + 5), &transaction->size);
}

static void unescape_word(char **word)
{
	struct buf bytes = BUF_INIT(SIZE_MAX);

	if (strcmp(*word, "<>") != 0)
		transcript_unescape(&bytes, text_of(*word));
	free(*word);
	*word = buf_steal(&bytes);
}

static void begin(struct cast *cast, const struct transcript_step *step)
{
	struct letter *letter = &cast->letters[cast->n_letters++];
	struct smtp_transaction *transaction = &letter->transaction;
	size_t n;

	if (cast->n_letters > TRANSACTIONS_MAX)
		transcript_fail(cast->transcript, step->line, "one too many");
	letter->n_words =
		transcript_words(step->text, letter->words, WORDS_MAX);
	for (n = letter->n_words;
	     n > 0 && read_option(transaction, letter->words[n - 1]); n--)
		;
	if (n < 3)
		transcript_fail(cast->transcript, step->line,
				"begin NAME FROM TO...");
	for (size_t i = 1; i < n; i++)
		unescape_word(&letter->words[i]);
	transaction->owner = letter->words[0];
	transaction->reverse_path = letter->words[1];
	transaction->recipients = (const char *const *)&letter->words[2];
	transaction->n_recipients = n - 2;
	if (!smtp_client_can_begin(client_play_engine(cast->play)))
		transcript_fail(cast->transcript, step->line,
				"can_begin() says no");
	client_play_begin(cast->play, transaction);
}

static void client_act(void *ctx, const struct transcript_step *step)
{
	struct cast *cast = ctx;

	if (step->kind == 'D')
		client_play_body(cast->play, buf_text(&step->bytes), false);
	else if (strcmp(step->word, "begin") == 0)
		begin(cast, step);
	else if (strcmp(step->word, "end") == 0)
		client_play_body(cast->play, text_of(""), true);
	else if (strcmp(step->word, "secure") == 0)
		client_play_tls_established(cast->play);
	else if (strcmp(step->word, "quit") == 0)
		client_play_quit(cast->play);
	else
		transcript_fail(cast->transcript, step->line, "what is \"%s\"",
				step->word);
}

/* ---- the player ---- */

static enum smtp_tls_policy read_policy(const struct transcript *transcript)
{
	const char *policy = transcript_setting(transcript, "tls");

	if (policy != NULL && strcmp(policy, "starttls") == 0)
		return SMTP_TLS_STARTTLS;
	if (policy != NULL && strcmp(policy, "implicit") == 0)
		return SMTP_TLS_IMPLICIT;
	return SMTP_TLS_NONE;
}

static void read_login(struct cast *cast, struct smtp_client_settings *engine)
{
	const char *login = transcript_setting(cast->transcript, "login");
	const char *words = transcript_setting(cast->transcript, "mechanisms");

	cast->n_words = transcript_words(words != NULL ? words : "PLAIN LOGIN",
					 cast->words, WORDS_MAX);
	for (size_t i = 0; i < cast->n_words; i++)
		cast->mechanisms[i] = cast->words[i];
	engine->mechanisms = cast->mechanisms;
	if (login == NULL)
		return;
	if (transcript_words(login, cast->login, 2) < 2)
		transcript_fail(cast->transcript, 1, "login USER SECRET");
	cast->credentials.username = cast->login[0];
	cast->credentials.secret = cast->login[1];
	engine->credentials = &cast->credentials;
}

static void *client_begin(const struct transcript *transcript,
			  const struct transcript_way *way)
{
	struct cast *cast = xcalloc(1, sizeof(*cast));
	struct client_play_settings settings = {
		.engine = {
			.helo_name = "lanpost.example",
			.tls = read_policy(transcript),
			.pipelining = transcript_setting(transcript,
			                                 "pipelining") == NULL,
			.eager = transcript_setting(transcript, "eager") !=
		                 NULL,
		},
		.ctx = cast,
		.sips = way->everywhere,
	};

	cast->transcript = transcript;
	read_login(cast, &settings.engine);
	cast->play = client_play_new(&settings);
	return cast;
}

static void client_feed(void *ctx, struct text piece)
{
	struct cast *cast = ctx;

	client_play_feed(cast->play, piece);
}

static struct record *client_settle(void *ctx)
{
	struct cast *cast = ctx;

	return client_play_record(cast->play);
}

static void client_ask(void *ctx, const char *question, struct buf *answer)
{
	struct cast *cast = ctx;
	const struct smtp_client *client = client_play_engine(cast->play);
	const char *mechanism = smtp_client_mechanism(client);

	if (strcmp(question, "stage") == 0)
		buf_puts(answer, smtp_stage_name(smtp_client_stage(client)));
	else if (strcmp(question, "can_begin") == 0)
		buf_puts(answer, smtp_client_can_begin(client) ? "yes" : "no");
	else if (strcmp(question, "mechanism") == 0)
		buf_puts(answer, mechanism == NULL ? "-" : mechanism);
	else
		buf_puts(answer, "not a question to a client");
}

static const char *client_broken(void *ctx)
{
	struct cast *cast = ctx;

	return client_play_broken(cast->play);
}

static struct text client_trace(void *ctx)
{
	struct cast *cast = ctx;

	return client_play_trace(cast->play);
}

static void client_end(void *ctx)
{
	struct cast *cast = ctx;

	client_play_free(&cast->play);
	transcript_words_free(cast->words, cast->n_words);
	free(cast->login[0]);
	free(cast->login[1]);
	for (size_t i = 0; i < TRANSACTIONS_MAX; i++)
		transcript_words_free(cast->letters[i].words,
				      cast->letters[i].n_words);
	free(cast);
}

const struct transcript_player transcript_client_player = {
	.begin = client_begin,
	.feed = client_feed,
	.act = client_act,
	.settle = client_settle,
	.ask = client_ask,
	.broken = client_broken,
	.trace = client_trace,
	.end = client_end,
};
