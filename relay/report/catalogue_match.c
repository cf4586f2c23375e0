#include "relay/report/catalogue_private.h"

#include <string.h>

#include "relay/config/provider.h"

enum {
	LOOK_AT_MAX = 8 * 1024, /* octets of a text, the rest is not read */
	FOLDED_MAX = 4 * 1024
};

/* ---- folding ---- */

/* The marks of word processors and web pages, in UTF-8. */
static const struct {
	const char *mark;
	char plain;
} marks[] = {
	{ "\xc2\xa0", ' ' }, { "\xe2\x80\x98", '\'' }, { "\xe2\x80\x99", '\'' },
	{ "\xe2\x80\x9c", '"' }, { "\xe2\x80\x9d", '"' },
	{ "\xe2\x80\x93", '-' }, { "\xe2\x80\x91", '-' },
};

static size_t plain_mark(struct text words, char *c)
{
	size_t i;

	for (i = 0; i < sizeof marks / sizeof *marks; i++) {
		if (text_starts(words, marks[i].mark)) {
			*c = marks[i].plain;
			return strlen(marks[i].mark);
		}
	}
	return 1;
}

static size_t fold_one(struct text words, char *c)
{
	size_t n = 1;

	*c = words.data[0];
	if ((unsigned char)*c >= 0x80)
		n = plain_mark(words, c);
	if (*c >= 'A' && *c <= 'Z')
		*c = (char)(*c - 'A' + 'a');
	if ((unsigned char)*c <= ' ' || *c == 0x7f)
		*c = ' ';
	return n;
}

void catalogue_fold(struct text words, struct buf *out)
{
	bool blank = true, room = true;
	char c;

	while (words.len > 0 && room) {
		words = text_skip(words, fold_one(words, &c));
		if (c != ' ' || !blank)
			room = buf_putc(out, c);
		blank = c == ' ';
	}
	if (blank && buf_len(out) > 0)
		out->end--;
}

/* ---- a reply's text ---- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "535-5.7.8 " at the start of a line. */
static struct text skip_code(struct text line)
{
	struct smtp_status status;

	line = text_trim(line);
	if (line.len >= 3 && line.data[0] >= '2' && line.data[0] <= '5' &&
	    is_digit(line.data[1]) && is_digit(line.data[2]) &&
	    (line.len == 3 || line.data[3] == '-' || line.data[3] == ' '))
		line = text_trim(text_skip(line, line.len == 3 ? 3 : 4));
	return text_skip(line, smtp_status_parse(line, &status));
}

/* Lines are joined by a blank, each without its code. */
static void join_lines(struct text text, struct buf *out)
{
	struct text line;

	text.len = text.len < LOOK_AT_MAX ? text.len : LOOK_AT_MAX;
	while (text_token(&text, '\n', &line)) {
		if (line.len > 0 && line.data[line.len - 1] == '\r')
			line.len--;
		line = skip_code(line);
		if (line.len > 0 && buf_len(out) > 0)
			buf_putc(out, '\n');
		buf_text_append(out, line);
	}
}

static bool ends_with(struct text text, const char *end)
{
	size_t n = strlen(end);

	return text.len >= n &&
	       memcmp(text.data + text.len - n, end, n) == 0;
}

static size_t last_of(struct text text, char c)
{
	const char *at = memrchr(text.data, c, text.len);

	return at == NULL ? 0 : (size_t)(at - text.data);
}

/* "[AM6PR01CA0042.eurprd01.prod.outlook.com 2026-...]", "[Hostname=...]" and
 * "98e67ed59e1d1-2f43 - gsmtp" say who spoke. */
static bool cut_tail(struct text *folded)
{
	size_t begin = 0;

	if (ends_with(*folded, "]")) {
		begin = last_of(*folded, '[');
		if (memchr(folded->data + begin, '.', folded->len - begin) ==
		            NULL &&
		    memchr(folded->data + begin, '=', folded->len - begin) ==
		            NULL)
			begin = 0;
	} else if (ends_with(*folded, " - gsmtp")) {
		begin = last_of(text_make(folded->data,
		                          folded->len - strlen(" - gsmtp")),
		                ' ');
	}
	if (begin == 0)
		return false;
	*folded = text_trim(text_make(folded->data, begin));
	return true;
}

static struct text fold_reply(struct text text, struct buf *folded)
{
	struct buf joined = BUF_INIT(2 * LOOK_AT_MAX);
	struct text words;

	join_lines(text, &joined);
	catalogue_fold(buf_text(&joined), folded);
	buf_free(&joined);
	words = buf_text(folded);
	while (cut_tail(&words))
		;
	return words;
}

/* ---- what fits ---- */

static int class_of(int code)
{
	return code < 10 ? code : code / 100; /* LOCAL is one of its own */
}

static bool has_code(const struct catalogue_item *item, int code)
{
	size_t i;

	for (i = 0; i < item->n_codes; i++) {
		if (item->codes[i] == code)
			return true;
	}
	return false;
}

static bool has_class(const struct catalogue_item *item, int code)
{
	size_t i;

	for (i = 0; i < item->n_codes; i++) {
		if (class_of(item->codes[i]) == class_of(code))
			return true;
	}
	return false;
}

static bool is_exact(const struct catalogue_item *item, int code)
{
	return (code >= 10 || code == CATALOGUE_LOCAL) && has_code(item, code);
}

/* 5.7.139 as a number that sorts. */
static unsigned rank_of(const struct smtp_status *status)
{
	return (status->class * 1000 + status->subject) * 1000 + status->detail;
}

static bool has_status(const struct catalogue_item *item,
                       const struct smtp_status *status)
{
	size_t i;

	for (i = 0; i < item->n_statuses && status->class > 0; i++) {
		if (rank_of(status) >= rank_of(&item->statuses[i].first) &&
		    rank_of(status) <= rank_of(&item->statuses[i].last))
			return true;
	}
	return false;
}

static bool has_stage(const struct catalogue_item *item,
                      enum catalogue_stage stage)
{
	return stage != CATALOGUE_STAGE_ANY && item->stages & 1u << stage;
}

/* SMTP, a token endpoint, or Graph: their words have nothing in common. */
static unsigned kinds_of(unsigned stages)
{
	unsigned others = 1u << CATALOGUE_STAGE_TOKEN |
	                  1u << CATALOGUE_STAGE_GRAPH;

	return (stages & others) | ((stages & ~others) != 0);
}

static bool same_kind(const struct catalogue_item *item,
                      enum catalogue_stage stage)
{
	return item->stages == 0 || stage == CATALOGUE_STAGE_ANY ||
	       kinds_of(item->stages) & kinds_of(1u << stage);
}

static bool names_provider(const struct catalogue_item *item,
                           const char *provider)
{
	size_t i;

	for (i = 0; provider != NULL && i < item->n_providers; i++) {
		if (text_is(text_of(provider), item->providers[i]))
			return true;
	}
	return false;
}

static bool is_foreign(const struct catalogue_item *item, const char *provider)
{
	return provider != NULL && item->n_providers > 0 &&
	       !names_provider(item, provider);
}

/* Said by the one who is known, or by anybody when nobody is. */
static bool suits_provider(const struct catalogue_item *item,
                           const char *provider)
{
	return provider == NULL ? item->n_providers == 0
	                        : names_provider(item, provider);
}

/* ---- by words ---- */

static size_t longest_pattern(const struct catalogue_item *item,
                              struct text words)
{
	size_t i, longest = 0;

	for (i = 0; i < item->n_patterns; i++) {
		const struct text *pattern = &item->patterns[i];

		if (pattern->len > longest &&
		    memmem(words.data, words.len, pattern->data,
		           pattern->len) != NULL)
			longest = pattern->len;
	}
	return longest;
}

/* General words count only where everything else that is known agrees. */
static bool may_be_last(const struct catalogue_item *item,
                        const struct catalogue_query *query)
{
	return is_exact(item, query->code) &&
	       (query->stage == CATALOGUE_STAGE_ANY || item->stages == 0 ||
	        has_stage(item, query->stage)) &&
	       !is_foreign(item, query->provider);
}

static bool may_match(const struct catalogue_item *item,
                      const struct catalogue_query *query)
{
	if (query->code != 0 && item->n_codes > 0 &&
	    !has_class(item, query->code))
		return false;
	return same_kind(item, query->stage) &&
	       (!item->last_resort || may_be_last(item, query));
}

/* Greater is better; the order of the bits is that of the criteria. */
static uint64_t score_match(const struct catalogue_item *item,
                            const struct catalogue_query *query,
                            struct text words)
{
	size_t longest = may_match(item, query)
	                         ? longest_pattern(item, words) : 0;

	if (longest == 0)
		return 0;
	return (uint64_t)!item->last_resort << 41 |
	       (uint64_t)!is_foreign(item, query->provider) << 40 |
	       (uint64_t)longest << 8 |
	       (uint64_t)is_exact(item, query->code) << 4 |
	       (uint64_t)has_status(item, &query->status) << 3 |
	       (uint64_t)has_stage(item, query->stage) << 2 |
	       (uint64_t)suits_provider(item, query->provider) << 1 |
	       (uint64_t)item->own;
}

const struct catalogue_entry *
catalogue_match(const struct catalogue *catalogue,
                const struct catalogue_query *query)
{
	const struct catalogue_list *list = catalogue_items(catalogue);
	const struct catalogue_entry *best = NULL;
	struct buf folded = BUF_INIT(FOLDED_MAX);
	struct text words = fold_reply(query->text, &folded);
	uint64_t score, highest = 0;
	size_t i;

	for (i = 0; i < list->n && words.len > 0; i++) {
		score = score_match(list->items[i], query, words);
		if (score > highest) {
			highest = score;
			best = &list->items[i]->entry;
		}
	}
	buf_free(&folded);
	return best;
}

/* ---- by class ---- */

/* Where something failed and nobody replied, it is a failure of ours. */
static int code_of(const struct catalogue_query *query)
{
	return query->code == 0 && query->stage != CATALOGUE_STAGE_ANY
	               ? CATALOGUE_LOCAL : query->code;
}

static bool fits_class(const struct catalogue_item *item,
                       const struct catalogue_query *query)
{
	int code = code_of(query);

	if (item->n_patterns > 0 || is_foreign(item, query->provider))
		return false;
	if (!has_code(item, code) && !has_code(item, class_of(code)))
		return false;
	if (item->n_statuses > 0 && !has_status(item, &query->status))
		return false;
	return item->stages == 0 || query->stage == CATALOGUE_STAGE_ANY ||
	       has_stage(item, query->stage);
}

static unsigned score_class(const struct catalogue_item *item,
                            const struct catalogue_query *query)
{
	bool status = has_status(item, &query->status);
	bool code = is_exact(item, code_of(query));
	bool stage = has_stage(item, query->stage);
	bool provider = names_provider(item, query->provider);
	unsigned n = (unsigned)status + code + stage + provider;

	if (!fits_class(item, query))
		return 0;
	return (n + 1) << 8 | (unsigned)status << 4 | (unsigned)code << 3 |
	       (unsigned)stage << 2 | (unsigned)provider << 1 |
	       (unsigned)item->own;
}

static const struct catalogue_entry *
find_class(const struct catalogue *catalogue,
           const struct catalogue_query *query)
{
	const struct catalogue_list *list = catalogue_items(catalogue);
	const struct catalogue_entry *best =
		catalogue_by_id(catalogue, "unknown");
	unsigned score, highest = 0;
	size_t i;

	for (i = 0; i < list->n; i++) {
		score = score_class(list->items[i], query);
		if (score > highest) {
			highest = score;
			best = &list->items[i]->entry;
		}
	}
	return best;
}

const struct catalogue_entry *
catalogue_find(const struct catalogue *catalogue,
               const struct catalogue_query *query)
{
	const struct catalogue_entry *entry = catalogue_match(catalogue, query);

	return entry != NULL ? entry : find_class(catalogue, query);
}

/* ---- what an entry is found by ---- */

static const struct catalogue_item *
item_of(const struct catalogue_entry *entry)
{
	return (const struct catalogue_item *)entry;
}

bool catalogue_names_code(const struct catalogue_entry *entry, int code)
{
	return is_exact(item_of(entry), code);
}

const char *catalogue_provider(const struct catalogue_entry *entry)
{
	const struct catalogue_item *item = item_of(entry);

	return item->n_providers == 1 ? item->providers[0] : NULL;
}

bool catalogue_pattern(const struct catalogue_entry *entry, size_t i,
                       struct text *pattern_r)
{
	const struct catalogue_item *item = item_of(entry);

	if (i >= item->n_patterns)
		return false;
	*pattern_r = item->patterns[i];
	return true;
}
