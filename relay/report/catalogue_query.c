#include "relay/report/catalogue.h"

#include <string.h>

/*
 * People paste what they have: a reply, a line of a log, what a library has
 * thrown.  Here that becomes code, status, stage and text.
 */

enum { LOOK_AT_MAX = 64 * 1024, WORDS_MIN = 8 };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_blank(char c)
{
	return (unsigned char)c <= ' ';
}

static bool is_letter(char c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static struct text trim(struct text text)
{
	while (text.len > 0 && is_blank(text.data[0]))
		text = text_skip(text, 1);
	while (text.len > 0 && is_blank(text.data[text.len - 1]))
		text.len--;
	return text;
}

/* ---- a line of our log ---- */

/* The quoted value behind reply= or "reply":, still escaped. */
static bool find_reply(struct text pasted, struct text *value_r)
{
	static const char *const keys[] = { "reply=\"", "\"reply\":\"",
		"\"reply\": \"" };
	size_t i, end;

	for (i = 0; i < sizeof keys / sizeof *keys; i++) {
		ptrdiff_t at = text_find_nocase(pasted, text_of(keys[i]));

		if (at < 0)
			continue;
		*value_r = text_skip(pasted, (size_t)at + strlen(keys[i]));
		for (end = 0; end < value_r->len && value_r->data[end] != '"';
		     end++)
			end += value_r->data[end] == '\\';
		value_r->len = end < value_r->len ? end : value_r->len;
		return true;
	}
	return false;
}

/* "\n" in two letters is a line end, "\"" a quote, "\r" nothing. */
static void unescape(struct text text, struct buf *out)
{
	size_t i;

	for (i = 0; i < text.len; i++) {
		char next = i + 1 < text.len ? text.data[i + 1] : '\0';

		if (text.data[i] != '\\' || !strchr("nrt\"\\/'", next) ||
		    next == '\0') {
			buf_putc(out, text.data[i]);
			continue;
		}
		i++;
		buf_putc(out, next == 'n' ? '\n'
		              : next == 'r' || next == 't' ? ' ' : next);
	}
}

/* ---- codes ---- */

/* Any punctuation that may stand around a code or a status: (535, b'5.7.3 */
static size_t punctuation(struct text text, const char *which)
{
	size_t n = 0;

	while (n < text.len && text.data[n] != '\0' &&
	       strchr(which, text.data[n]))
		n++;
	return n;
}

static bool status_at(struct text text, struct smtp_status *status_r,
                      size_t *len_r)
{
	size_t n = 0;

	while (n < text.len && (is_digit(text.data[n]) || text.data[n] == '.'))
		n++;
	if (n > 0 && text.data[n - 1] == '.')
		n--;
	*len_r = n;
	return n > 0 &&
	       smtp_status_parse(text_make(text.data, n), status_r) > 0;
}

/* Three digits of a reply, with nothing that makes them part of something
 * else. */
static int code_at(struct text text, size_t at)
{
	const char *c = text.data + at;
	size_t left = text.len - at;

	if (left < 3 || c[0] < '2' || c[0] > '5' || !is_digit(c[1]) ||
	    !is_digit(c[2]) || (c[0] == '3' && memcmp(c, "334", 3) != 0))
		return 0;
	if (at > 0 && (is_digit(c[-1]) || is_letter(c[-1]) ||
	               strchr(".-_/@", c[-1])))
		return 0;
	if (left > 3 && (is_digit(c[3]) || is_letter(c[3]) ||
	                 strchr("._/@%", c[3])) &&
	    !(c[3] == '.' && (left == 4 || is_blank(c[4]))))
		return 0;
	if (left > 3 && c[3] == ':' && left > 4 && is_digit(c[4]))
		return 0;
	return (c[0] - '0') * 100 + (c[1] - '0') * 10 + c[2] - '0';
}

struct found {
	int code;
	struct smtp_status status;
	size_t begin, end;      /* of code and status */
};

/* How sure is it that these digits are a reply's code? */
static unsigned weigh(struct text text, const struct found *found)
{
	static const char *const before[] = { "code", "error", "smtp", "reply",
		"status", "said", "server", "response" };
	struct text left = trim(text_make(text.data, found->begin));
	size_t i, n;

	if (found->status.class > 0)
		return 3;
	if (left.len == 0 || strchr("(='\">\n", left.data[left.len - 1]))
		return 2;
	if (left.data[left.len - 1] == ':') {
		if (left.len < found->begin)
			return 2;
		left.len--; /* else it may be a port */
	}
	for (i = 0; i < sizeof before / sizeof *before; i++) {
		n = strlen(before[i]);
		if (left.len >= n &&
		    text_is(text_skip(left, left.len - n), before[i]))
			return 2;
	}
	return found->end < text.len && text.data[found->end] == '-' ? 1 : 0;
}

static struct found look_at(struct text text, size_t at)
{
	struct found found = { code_at(text, at), { 0 }, at, at + 3 };
	struct text rest;
	size_t skip, len;

	if (found.code == 0)
		return found;
	rest = text_skip(text, at + 3);
	skip = punctuation(rest, " \t\r\n-#,:;b'\"(");
	if (status_at(text_skip(rest, skip), &found.status, &len) &&
	    (int)found.status.class == found.code / 100)
		found.end += skip + len;
	else
		found.status = (struct smtp_status){ 0 };
	return found;
}

/* The surest one, and of those the first. */
static struct found find_code(struct text text)
{
	struct found best = { 0 }, found;
	unsigned weight, highest = 0;
	size_t at;

	for (at = 0; at + 3 <= text.len && highest < 3; at++) {
		found = look_at(text, at);
		weight = found.code == 0 ? 0 : weigh(text, &found);
		if (weight > highest) {
			highest = weight;
			best = found;
		}
	}
	return best;
}

/* A status that stands alone: "#5.7.60 SMTP; Client does not have ..." */
static bool find_status(struct text text, struct smtp_status *status_r)
{
	size_t at, len;

	for (at = 0; at < text.len; at++) {
		char c = text.data[at];

		if ((c != '4' && c != '5') ||
		    (at > 0 && (is_digit(text.data[at - 1]) ||
		                is_letter(text.data[at - 1]) ||
		                text.data[at - 1] == '.')))
			continue;
		if (status_at(text_skip(text, at), status_r, &len))
			return true;
	}
	return false;
}

/* ---- HTTP ---- */

static int http_code(struct text text)
{
	ptrdiff_t at = text_find_nocase(text, text_of("HTTP"));
	struct text rest;
	uint64_t code;

	if (at < 0)
		return 0;
	rest = text_skip(text, (size_t)at + 4);
	if (rest.len > 0 && rest.data[0] == '/')
		rest = text_skip(rest, punctuation(rest, "/0123456789."));
	rest = text_skip(rest, punctuation(rest, " \t\r\n:="));
	if (text_starts(rest, "status "))
		rest = text_skip(rest, strlen("status "));
	rest.len = rest.len < 3 ? rest.len : 3;
	return text_to_u64(rest, &code) && code >= 100 && code <= 599
	               ? (int)code : 0;
}

static bool has(struct text text, const char *words)
{
	return text_find_nocase(text, text_of(words)) >= 0;
}

/* A token endpoint tells an error as a string, Graph as an object. */
static enum catalogue_stage http_stage(struct text text)
{
	if (has(text, "AADSTS") || has(text, "error_description") ||
	    has(text, "\"error\":\"") || has(text, "\"error\": \""))
		return CATALOGUE_STAGE_TOKEN;
	if (has(text, "\"error\":{") || has(text, "\"error\": {") ||
	    has(text, "graph.microsoft.com"))
		return CATALOGUE_STAGE_GRAPH;
	return CATALOGUE_STAGE_ANY;
}

/* Pasted without the code that came with it.  RFC 6749 5.2: a refusal is a 400,
 * that of a client a 401. */
static int token_code(struct text text)
{
	if (has(text, "\"server_error\"") ||
	    has(text, "\"temporarily_unavailable\""))
		return 503;
	return has(text, "\"invalid_client\"") ? 401 : 400;
}

static bool read_http(struct text text, struct catalogue_query *query_r)
{
	enum catalogue_stage stage = http_stage(text);

	if (stage == CATALOGUE_STAGE_ANY && text_starts(text, "HTTP") &&
	    http_code(text) != 0)
		stage = CATALOGUE_STAGE_GRAPH;
	if (stage == CATALOGUE_STAGE_ANY)
		return false;
	query_r->stage = stage;
	query_r->code = http_code(text);
	if (query_r->code == 0 && stage == CATALOGUE_STAGE_TOKEN)
		query_r->code = token_code(text);
	return true;
}

/* ---- stages, as other servers' logs tell them ---- */

static enum catalogue_stage told_stage(struct text text)
{
	static const struct {
		const char *words;
		enum catalogue_stage stage;
	} told[] = {
		{ "in reply to EHLO", CATALOGUE_STAGE_EHLO },
		{ "in reply to HELO", CATALOGUE_STAGE_EHLO },
		{ "in reply to AUTH", CATALOGUE_STAGE_AUTH },
		{ "SASL authentication failed", CATALOGUE_STAGE_AUTH },
		{ "in reply to MAIL FROM", CATALOGUE_STAGE_MAIL },
		{ "in reply to RCPT TO", CATALOGUE_STAGE_RCPT },
		{ "in reply to DATA", CATALOGUE_STAGE_DATA },
		{ "in reply to end of DATA", CATALOGUE_STAGE_DATA_END },
		{ "after MAIL FROM", CATALOGUE_STAGE_MAIL },
		{ "after pipelined MAIL FROM", CATALOGUE_STAGE_MAIL },
		{ "after RCPT TO", CATALOGUE_STAGE_RCPT },
		{ "after pipelined RCPT TO", CATALOGUE_STAGE_RCPT },
		{ "after end of data", CATALOGUE_STAGE_DATA_END },
		{ "after pipelined end of data", CATALOGUE_STAGE_DATA_END },
	};
	size_t i;

	for (i = 0; i < sizeof told / sizeof *told; i++) {
		if (has(text, told[i].words))
			return told[i].stage;
	}
	return CATALOGUE_STAGE_ANY;
}

/* ---- the whole ---- */

static bool same_status(const struct smtp_status *a,
                        const struct smtp_status *b)
{
	return a->class == b->class && a->subject == b->subject &&
	       a->detail == b->detail;
}

/* Is it the code of a line that was joined to the one before? */
static bool is_repeat(struct text text, const struct found *again,
                      const struct found *first)
{
	if (again->code != first->code)
		return false;
	if (again->status.class > 0)
		return same_status(&again->status, &first->status);
	return again->end < text.len && text.data[again->end] == '-';
}

/* Lines that were joined still carry the code of each: it is taken out. */
static void drop_repeats(struct buf *buf, struct text text,
                         const struct found *found)
{
	size_t at = 0, begin = 0;

	while (at < text.len && found->code != 0) {
		struct found again = look_at(text, at);

		if (!is_repeat(text, &again, found)) {
			at++;
			continue;
		}
		buf_append(buf, text.data + begin, at - begin);
		at = begin = again.end;
		if (at < text.len && (text.data[at] == '-' ||
		                      text.data[at] == ' '))
			at = ++begin;
	}
	buf_append(buf, text.data + begin, text.len - begin);
}

static void read_reply(struct text text, struct buf *buf,
                       struct catalogue_query *query_r)
{
	struct found found = find_code(text);
	struct text rest = text_skip(text, found.end);

	query_r->stage = told_stage(text);
	query_r->code = found.code;
	query_r->status = found.status;
	rest = text_skip(rest, punctuation(rest, " -,:;"));
	if (found.code == 0 && find_status(text, &query_r->status))
		query_r->code = (int)query_r->status.class;
	if (found.code == 0 || rest.len < WORDS_MIN)
		rest = text;
	drop_repeats(buf, rest, &found);
}

/* Whatever else stands in it. */
static bool is_reply(struct text text)
{
	struct found found = look_at(text, 0);

	text = trim(text_skip(text, found.end));
	return found.code != 0 && text.len > 0 && text.data[0] != '{';
}

bool catalogue_query_parse(struct text pasted, struct buf *buf,
                           struct catalogue_query *query_r)
{
	struct buf plain = BUF_INIT(LOOK_AT_MAX + 1);
	struct text reply;

	*query_r = (struct catalogue_query){ 0 };
	pasted = trim(pasted);
	pasted.len = pasted.len < LOOK_AT_MAX ? pasted.len : LOOK_AT_MAX;
	if (!is_reply(pasted) && find_reply(pasted, &reply))
		pasted = reply;
	unescape(pasted, &plain);
	pasted = trim(buf_text(&plain));
	buf_clear(buf);
	if (!is_reply(pasted) && read_http(pasted, query_r))
		buf_text_append(buf, pasted);
	else
		read_reply(pasted, buf, query_r);
	query_r->text = buf_text(buf);
	buf_free(&plain);
	return pasted.len > 0;
}
