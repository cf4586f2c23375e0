#include "proto/phrase.h"

#include <string.h>
#include "proto/base64.h"
#include "proto/rfc2047.h"
#include "proto/smtp_syntax.h"
#include "proto/utf8.h"

enum { NAME_MAX_OCTETS = 4096, WORD_MAX_OCTETS = 75 };

/* A phrase as it is put together from words and encoded words.  Readers drop
 * the space between two encoded words, so that one which is to be seen has to
 * stand inside. */
struct phrase {
	struct buf *out;
	size_t limit;    /* of out */
	struct buf run;  /* words, or what was decoded, not written yet */
	bool glued;      /* one end of run touches an encoded word that stays,
	                    with no space to be seen: it is encoded, too */
	enum { NOTHING, WORD, DECODED, KEPT } last;
	bool full;
};

static bool is_control(char c)
{
	return (unsigned char)c < ' ' || c == 127;
}

static void add_clean(struct buf *out, struct text text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i] == '\t' ? ' ' : text.data[i];

		if (!is_control(c))
			buf_putc(out, c);
	}
}

/* ---- runs ---- */

/* RFC 5322 3.2.5:  phrase = 1*word, here atoms with one space between. */
static bool is_atoms(struct text name)
{
	struct text word;

	while (text_token(&name, ' ', &word))
		if (!smtp_is_dot_string(word) ||
		    memchr(word.data, '.', word.len) != NULL)
			return false;
	return true;
}

static size_t room(const struct phrase *phrase)
{
	size_t len = buf_len(phrase->out);

	return len < phrase->limit ? phrase->limit - len : 0;
}

static bool is_escaped(char c)
{
	return c == '"' || c == '\\';
}

/* As much of the run as may stand between quotes in this many octets. */
static struct text cut_quoted(struct text run, size_t octets)
{
	size_t len = 0, used = 2;

	while (len < run.len) {
		used += 1u + is_escaped(run.data[len]);
		if (used > octets)
			break;
		len++;
	}
	run.len = len;
	return text_trim(run);
}

/* What is left of a name that is cut may need no quotes. */
static void put_quoted(struct phrase *phrase, struct text run)
{
	struct text cut = cut_quoted(run, room(phrase));
	bool bare = is_atoms(cut);

	phrase->full = cut.len < run.len;
	if (cut.len == 0)
		return;
	buf_puts(phrase->out, bare ? "" : "\"");
	for (size_t i = 0; i < cut.len; i++) {
		if (is_escaped(cut.data[i]))
			buf_putc(phrase->out, '\\');
		buf_putc(phrase->out, cut.data[i]);
	}
	buf_puts(phrase->out, bare ? "" : "\"");
}

static void put_atoms(struct phrase *phrase, struct text run)
{
	phrase->full = run.len > room(phrase);
	if (phrase->full)
		run.len = room(phrase);
	buf_text_append(phrase->out, text_trim(run));
}

/* As many whole words as there is room for. */
static void put_encoded(struct phrase *phrase, struct text run)
{
	struct buf words = BUF_INIT(4 * NAME_MAX_OCTETS);
	struct text rest;
	struct text word;
	const char *space = "";

	rfc2047_encode(&words, run, "windows-1252");
	rest = buf_text(&words);
	while (!phrase->full && text_token(&rest, ' ', &word)) {
		phrase->full = word.len + strlen(space) > room(phrase);
		if (!phrase->full)
			buf_printf(phrase->out, "%s%.*s", space,
				   TEXT_ARG(word));
		space = " ";
	}
	buf_free(&words);
}

static void put_space(struct phrase *phrase)
{
	if (buf_len(phrase->out) > 0 && room(phrase) > 0)
		buf_putc(phrase->out, ' ');
}

/* What only looks like an encoded word must not be read as one. */
static bool looks_encoded(struct text run)
{
	return text_find_nocase(run, text_of("=?")) >= 0;
}

static void put_run(struct phrase *phrase)
{
	struct text run = buf_text(&phrase->run), bare = text_trim(run);

	if (bare.len == 0 || phrase->full || room(phrase) < 4)
		return;
	put_space(phrase);
	if (phrase->glued || smtp_has_8bit(run) || looks_encoded(run))
		put_encoded(phrase, run);
	else if (is_atoms(bare))
		put_atoms(phrase, bare);
	else
		put_quoted(phrase, bare);
}

static void end_run(struct phrase *phrase)
{
	put_run(phrase);
	buf_clear(&phrase->run);
	phrase->glued = false;
}

/* ---- words ---- */

/* RFC 2047 5 (3):  no specials in a word of a phrase. */
static bool is_phrase_safe(struct text text)
{
	for (size_t i = 0; i < text.len; i++)
		if (strchr("()<>@,;:\\\"[].", text.data[i]) != NULL)
			return false;
	return true;
}

static bool has_line_end(struct text octets)
{
	for (size_t i = 0; i < octets.len; i++)
		if (strchr("\r\n", octets.data[i]) != NULL) /* NUL too */
			return true;
	return false;
}

/* May the word stay as it stands? */
static bool is_fit(struct text token, const struct rfc2047_word *word,
		   struct text octets)
{
	bool ascii_based = text_is(word->charset, "UTF-8") ||
			   text_is(word->charset, "US-ASCII");

	return token.len <= WORD_MAX_OCTETS && is_phrase_safe(token) &&
	       !has_line_end(octets) &&
	       !(ascii_based && smtp_has_control(octets));
}

static bool is_readable(const struct rfc2047_word *word, struct text octets)
{
	return (text_is(word->charset, "UTF-8") ||
		text_is(word->charset, "US-ASCII")) &&
	       utf8_is_valid(octets);
}

static void keep_word(struct phrase *phrase, struct text word)
{
	if (phrase->last == DECODED)
		phrase->glued = true;
	else if (phrase->last == WORD)
		buf_putc(&phrase->run, ' ');
	end_run(phrase);
	phrase->full |= word.len + (buf_len(phrase->out) > 0) > room(phrase);
	if (!phrase->full) {
		put_space(phrase);
		buf_text_append(phrase->out, word);
	}
	phrase->last = KEPT;
}

/* A charset of its own, where words cannot be cut: one word anew. */
static void keep_anew(struct phrase *phrase, const struct rfc2047_word *word,
		      struct text octets)
{
	struct buf clean = BUF_INIT(NAME_MAX_OCTETS);
	struct buf anew = BUF_INIT(4 * NAME_MAX_OCTETS);

	for (size_t i = 0; i < octets.len; i++)
		if (!has_line_end(text_make(octets.data + i, 1)))
			buf_putc(&clean, octets.data[i]);
	buf_printf(&anew, "=?%.*s?B?", TEXT_ARG(word->charset));
	base64_encode(&anew, buf_text(&clean));
	buf_puts(&anew, "?=");
	if (is_phrase_safe(buf_text(&anew)))
		keep_word(phrase, buf_text(&anew));
	buf_free(&clean);
	buf_free(&anew);
}

static void add_decoded(struct phrase *phrase, struct text octets)
{
	if (phrase->last == KEPT)
		phrase->glued = true;
	else if (phrase->last == WORD)
		buf_putc(&phrase->run, ' ');
	add_clean(&phrase->run, octets);
	phrase->last = DECODED;
}

static void add_plain(struct phrase *phrase, struct text word)
{
	if (word.len == 0 && phrase->last != WORD)
		return;
	if (phrase->last != NOTHING)
		buf_putc(&phrase->run, ' ');
	buf_text_append(&phrase->run, word);
	phrase->last = WORD;
}

static void add_word(struct phrase *phrase, struct text token)
{
	struct buf octets = BUF_INIT(NAME_MAX_OCTETS);
	struct rfc2047_word word;
	struct text text;

	if (!rfc2047_word_parse(token, &word) ||
	    !rfc2047_word_decode(&octets, &word)) {
		add_plain(phrase, token);
		return;
	}
	text = buf_text(&octets);
	if (is_fit(token, &word, text))
		keep_word(phrase, token);
	else if (is_readable(&word, text))
		add_decoded(phrase, text);
	else
		keep_anew(phrase, &word, text);
	buf_free(&octets);
}

void phrase_print(struct buf *out, struct text name, size_t max)
{
	struct buf clean = BUF_INIT(NAME_MAX_OCTETS), built = BUF_INIT(max);
	struct phrase phrase = { .out = &built, .limit = max,
				 .run = BUF_INIT(2 * NAME_MAX_OCTETS) };
	struct text rest, word;

	add_clean(&clean, utf8_cut(name, NAME_MAX_OCTETS));
	rest = text_trim(buf_text(&clean));
	while (!phrase.full && text_token(&rest, ' ', &word))
		add_word(&phrase, word);
	end_run(&phrase);
	buf_text_append(out, text_trim(buf_text(&built)));
	buf_free(&clean);
	buf_free(&built);
	buf_free(&phrase.run);
}
