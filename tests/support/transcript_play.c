#include "tests/support/transcript_internal.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/guarded.h"
#include "tests/support/record.h"

struct play {
	const struct transcript *transcript;
	const struct transcript_player *player;
	const struct transcript_way *way;
	void *engine;
	size_t at;        /* of the steps */
	size_t put_in;    /* bytes so far */
	struct buf piece; /* waits to be put in */
	struct buf log;
};

static const struct transcript_step *step_at(const struct play *play)
{
	return play->at < play->transcript->n_steps
		       ? &play->transcript->steps[play->at]
		       : NULL;
}

/* ---- what is put in ---- */

static bool is_input(const struct play *play,
		     const struct transcript_step *step)
{
	const char *kinds = play->transcript->is_client ? "SD!" : "C!";

	return step != NULL && strchr(kinds, step->kind) != NULL;
}

static bool is_bytes(const struct transcript_step *step)
{
	return step->kind == 'C' || step->kind == 'S';
}

static bool is_act(const struct transcript_step *step)
{
	static const char *const acts[] = { "goodbye", "refuse_data", "secure",
					    "begin",   "end",         "quit" };

	if (step->kind == 'D')
		return true;
	for (size_t i = 0;
	     step->word != NULL && i < sizeof(acts) / sizeof(acts[0]); i++)
		if (strcmp(step->word, acts[i]) == 0)
			return true;
	return false;
}

static void feed_guarded(struct play *play, struct text text)
{
	struct guarded copy = guarded_copy(text);

	play->player->feed(play->engine, copy.text);
	guarded_free(&copy);
}

static void put_in(struct play *play)
{
	struct text text = buf_text(&play->piece);
	size_t cut = play->way->cut - play->put_in;

	if (text.len == 0)
		return;
	if (play->way->everywhere) {
		for (size_t i = 0; i < text.len; i++)
			feed_guarded(play, text_make(text.data + i, 1));
	} else if (play->way->cut >= play->put_in && cut < text.len) {
		feed_guarded(play, text_make(text.data, cut));
		feed_guarded(play, text_skip(text, cut));
	} else {
		play->player->feed(play->engine, text);
	}
	play->put_in += text.len;
	buf_clear(&play->piece);
}

static void put_in_turn(struct play *play)
{
	size_t first = play->at;

	for (; is_input(play, step_at(play)); play->at++)
		if (!is_bytes(step_at(play)) && !is_act(step_at(play)))
			play->player->act(play->engine, step_at(play));
	for (play->at = first; is_input(play, step_at(play)); play->at++) {
		const struct transcript_step *step = step_at(play);

		if (is_bytes(step)) {
			buf_text_append(&play->piece, buf_text(&step->bytes));
		} else if (is_act(step)) {
			put_in(play);
			play->player->act(play->engine, step);
		}
	}
	put_in(play);
}

/* ---- what is expected ---- */

static bool is_question(const char *event)
{
	static const char *const questions[] = {
		"CONNECT", "EHLO", "STARTTLS", "AUTH", "RESPONSE",
		"MAIL",    "RCPT", "DATA",     "END",
	};
	size_t len = strcspn(event, " ");

	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
		if (strlen(questions[i]) == len &&
		    memcmp(event, questions[i], len) == 0)
			return true;
	return false;
}

static void expect_event(const struct play *play, struct record *expected,
			 const char *event)
{
	bool cut = !play->transcript->is_client && is_question(event);

	if (!play->transcript->is_client && strncmp(event, "END", 3) == 0)
		record_content_done(expected, true);
	if (cut)
		record_cut(expected);
	record_event(expected, "%s", event);
	if (cut)
		record_cut(expected);
}

static void expect(struct play *play, struct record *expected)
{
	const struct transcript_step *step = step_at(play);
	struct text bytes = buf_text(&step->bytes);
	struct buf answer = BUF_INIT(SIZE_MAX);

	if (step->kind == 'E')
		expect_event(play, expected, step->text);
	else if (step->kind == 'D')
		record_content(expected, bytes);
	else if (is_bytes(step))
		record_output(expected, bytes.data, bytes.len);
	if (step->kind != '?')
		return;
	play->player->ask(play->engine, step->word, &answer);
	if (strcmp(buf_string(&answer), step->text) != 0)
		transcript_fail(play->transcript, step->line, "%s is %s",
				step->word, buf_string(&answer));
	buf_free(&answer);
}

/* ---- both compared ---- */

static bool line_matches(struct text expected, struct text actual)
{
	if (expected.len < 3 ||
	    memcmp(expected.data + expected.len - 3, "...", 3) != 0)
		return text_equal(expected, actual);
	expected.len -= 3;
	if (actual.len < expected.len)
		return false;
	actual.len = expected.len;
	return text_equal(expected, actual);
}

static bool lines_match(struct text expected, struct text actual)
{
	struct text a, b;

	while (text_token(&expected, '\n', &a)) {
		if (!text_token(&actual, '\n', &b) || !line_matches(a, b))
			return false;
	}
	return actual.len == 0;
}

static void compare(const struct play *play, unsigned line,
		    struct record *expected, struct record *actual)
{
	if (lines_match(buf_text(&expected->lines), buf_text(&actual->lines)))
		return;
	transcript_fail(play->transcript, line,
			"expected:\n%s---- instead came%s%s (cut %zd):\n%s",
			buf_string(&expected->lines),
			play->way->late ? ", answered late" : "",
			play->way->everywhere ? ", byte by byte" : "",
			play->way->cut == TRANSCRIPT_WHOLE
				? (ssize_t)-1
				: (ssize_t)play->way->cut,
			buf_string(&actual->lines));
}

static void play_turn(struct play *play)
{
	unsigned line = step_at(play)->line;
	struct record expected, *actual;
	const char *broken;

	record_init(&expected, play->transcript->is_client ? 'C' : 'S');
	put_in_turn(play);
	actual = play->player->settle(play->engine);
	while (step_at(play) != NULL && !is_input(play, step_at(play))) {
		expect(play, &expected);
		play->at++;
	}
	record_cut(&expected);
	record_cut(actual);
	compare(play, line, &expected, actual);
	broken = play->player->broken(play->engine);
	if (broken != NULL)
		transcript_fail(play->transcript, line, "broken rule: %s",
				broken);
	buf_text_append(&play->log, buf_text(&actual->lines));
	buf_clear(&actual->lines);
	record_free(&expected);
}

/* ---- one play, and all of them ---- */

static void play_prologue(struct play *play)
{
	struct buf bytes = BUF_INIT(SIZE_MAX);
	struct record *record;

	transcript_prologue(play->transcript, &bytes);
	if (buf_len(&bytes) == 0)
		return;
	if (!play->transcript->is_client)
		play->player->settle(play->engine); /* greeted first */
	play->player->feed(play->engine, buf_text(&bytes));
	record = play->player->settle(play->engine);
	record_cut(record);
	buf_clear(&record->lines);
	buf_free(&bytes);
}

static size_t play_once(const struct transcript *transcript,
			const struct transcript_way *way, struct buf *log)
{
	struct play play = {
		.transcript = transcript,
		.player = transcript->is_client ? &transcript_client_player
						: &transcript_server_player,
		.way = way,
		.at = transcript->n_settings,
		.piece = BUF_INIT(SIZE_MAX),
		.log = BUF_INIT(SIZE_MAX),
	};

	play.engine = play.player->begin(transcript, way);
	play_prologue(&play);
	while (step_at(&play) != NULL)
		play_turn(&play);
	buf_text_append(&play.log, play.player->trace(play.engine));
	play.player->end(play.engine);
	buf_free(&play.piece);
	*log = play.log;
	return play.put_in;
}

static void play_again(const struct transcript *transcript,
		       const struct transcript_way *way, struct text whole)
{
	struct buf log;

	play_once(transcript, way, &log);
	if (!text_equal(buf_text(&log), whole))
		transcript_fail(
			transcript, 0,
			"cut at %zd it goes otherwise:\n%s---- not\n%.*s",
			way->everywhere ? (ssize_t)-1 : (ssize_t)way->cut,
			buf_string(&log), TEXT_ARG(whole));
	buf_free(&log);
}

/* A long dialogue is cut at some positions only: at all near both ends. */
static size_t next_cut(size_t cut, size_t len)
{
	enum { LONG = 4000, NEAR = 700 };

	return len < LONG || cut < NEAR || len - cut < NEAR ? cut + 1
							    : cut + 97;
}

void transcript_play(const struct transcript *transcript)
{
	struct transcript_way way = { .cut = TRANSCRIPT_WHOLE };
	struct buf log;
	struct text whole;
	size_t len = play_once(transcript, &way, &log);

	whole = buf_text(&log);
	way.late = true;
	play_again(transcript, &way, whole);
	for (int late = 0; late < 2 && !transcript->one_piece; late++) {
		way = (struct transcript_way){ TRANSCRIPT_WHOLE, true, late };
		play_again(transcript, &way, whole);
	}
	way.everywhere = false;
	for (size_t cut = 1; cut < len && !transcript->one_piece;
	     cut = next_cut(cut, len)) {
		way.cut = cut;
		way.late = cut % 2;
		play_again(transcript, &way, whole);
	}
	buf_free(&log);
}
