#include "relay/report/catalogue_reading.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/xalloc.h"
#include "relay/config/nearest.h"
#include "relay/config/provider.h"
#include "relay/config/value.h"

enum {
	TITLE_MAX = 64, EXPLANATION_MAX = 400, FIX_MAX = 500, PAGE_MAX = 300,
	PATTERN_MIN = 3, PATTERN_MAX = 300
};

bool catalogue_complain(struct reader *reader, const char *format,
                        ...)
{
	char sentence[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof sentence, format, args);
	va_end(args);
	reader->error =
		xasprintf("%s:%u: %s", reader->label, reader->line, sentence);
	return false;
}

/* ---- lists ---- */

typedef bool take_word(struct reader *reader, struct catalogue_item *item,
                       struct text word);

static bool each_word(struct reader *reader, struct catalogue_item *item,
                      struct text value, take_word *take)
{
	struct text word;
	bool any = false;

	while (text_token(&value, ',', &word)) {
		word = text_trim(word);
		if (word.len > 0 && !take(reader, item, word))
			return false;
		any |= word.len > 0;
	}
	return any || catalogue_complain(reader,
		"the list is empty; leave the key out where anything fits");
}

static bool take_provider(struct reader *reader, struct catalogue_item *item,
                          struct text word)
{
	char *name = text_dup(word);
	const struct provider *provider =
		providers_find(reader->providers, name);
	const char *near = providers_nearest(reader->providers, name);

	free(name);
	if (provider == NULL)
		return catalogue_complain(reader,
			"there is no preset \"%.*s\"%s%s%s", TEXT_ARG(word),
			near ? "; did you mean \"" : "", near ? near : "",
			near ? "\"?" : "; lanpost providers lists them");
	item->providers = xrealloc(item->providers, (item->n_providers + 1) *
	                                            sizeof *item->providers);
	item->providers[item->n_providers++] = xstrdup(provider->name);
	return true;
}

static bool take_stage(struct reader *reader, struct catalogue_item *item,
                       struct text word)
{
	enum catalogue_stage stage = catalogue_stage_find(word);

	if (stage == CATALOGUE_STAGE_ANY)
		return catalogue_complain(reader,
			"\"%.*s\" is no stage; stages are connect, greeting, "
			"ehlo, starttls, tls, auth, mail, rcpt, data, "
			"data-end, token and graph", TEXT_ARG(word));
	item->stages |= 1u << stage;
	return true;
}

static bool is_code(uint64_t number)
{
	return (number >= 1 && number <= 5) || (number >= 100 && number <= 599);
}

static bool take_code(struct reader *reader, struct catalogue_item *item,
                      struct text word)
{
	uint64_t number = 0;
	bool local = text_is(word, "local");

	if (!local && (!text_to_u64(word, &number) || !is_code(number)))
		return catalogue_complain(reader,
			"\"%.*s\" is no reply code; one is 535, a whole class "
			"is 4 or 5, and a failure without a reply is local",
			TEXT_ARG(word));
	item->codes = xrealloc(item->codes,
	                       (item->n_codes + 1) * sizeof *item->codes);
	item->codes[item->n_codes++] = local ? CATALOGUE_LOCAL : (int)number;
	return true;
}

static bool read_status(struct text word, struct smtp_status *status)
{
	return smtp_status_parse(word, status) == word.len && word.len > 0;
}

static bool take_status(struct reader *reader, struct catalogue_item *item,
                        struct text word)
{
	struct catalogue_status_range range;
	struct text rest = word, first;

	text_token(&rest, '-', &first);
	if (!read_status(text_trim(first), &range.first) ||
	    !read_status(rest.len > 0 ? text_trim(rest) : text_trim(first),
	                 &range.last))
		return catalogue_complain(reader,
			"\"%.*s\" is no enhanced status code; one is 5.7.139, "
			"a range is 5.7.501-5.7.503", TEXT_ARG(word));
	item->statuses = xrealloc(item->statuses, (item->n_statuses + 1) *
	                                          sizeof *item->statuses);
	item->statuses[item->n_statuses++] = range;
	return true;
}

/* ---- values ---- */

static bool set_provider(struct reader *reader, struct catalogue_item *item,
                         struct text value)
{
	return each_word(reader, item, value, take_provider);
}

static bool set_stage(struct reader *reader, struct catalogue_item *item,
                      struct text value)
{
	return each_word(reader, item, value, take_stage);
}

static bool set_code(struct reader *reader, struct catalogue_item *item,
                     struct text value)
{
	return each_word(reader, item, value, take_code);
}

static bool set_status(struct reader *reader, struct catalogue_item *item,
                       struct text value)
{
	return each_word(reader, item, value, take_status);
}

static bool set_pattern(struct reader *reader, struct catalogue_item *item,
                        struct text value)
{
	struct buf folded = BUF_INIT(PATTERN_MAX);
	struct text pattern;

	catalogue_fold(value, &folded);
	pattern.len = buf_len(&folded);
	pattern.data = buf_steal(&folded);
	item->patterns = xrealloc(item->patterns, (item->n_patterns + 1) *
	                                          sizeof *item->patterns);
	item->patterns[item->n_patterns++] = pattern;
	if (pattern.len < PATTERN_MIN || value.len >= PATTERN_MAX)
		return catalogue_complain(reader,
			"a pattern has %d to %d letters, out of the "
			"provider's own words", PATTERN_MIN, PATTERN_MAX);
	return true;
}

static bool set_last_resort(struct reader *reader, struct catalogue_item *item,
                            struct text value)
{
	struct buf why = BUF_INIT(1024);

	if (!value_parse(VALUE_BOOL, value, NULL, &item->last_resort, &why))
		catalogue_complain(reader, "%s", buf_string(&why));
	buf_free(&why);
	return reader->error == NULL;
}

static bool set_text(struct reader *reader, const char **field,
                     struct text value, size_t most)
{
	if (value.len == 0 || value.len > most)
		return catalogue_complain(reader,
			"this text has %zu octets, and has to have 1 to %zu",
			value.len, most);
	*field = text_dup(value);
	return true;
}

static bool set_title(struct reader *reader, struct catalogue_item *item,
                      struct text value)
{
	if (value.len > 0 && value.data[value.len - 1] == '.')
		return catalogue_complain(reader,
			"a title ends without a full stop");
	return set_text(reader, &item->entry.title, value, TITLE_MAX);
}

static bool set_explanation(struct reader *reader, struct catalogue_item *item,
                            struct text value)
{
	return set_text(reader, &item->entry.explanation, value,
	                EXPLANATION_MAX);
}

static bool set_fix(struct reader *reader, struct catalogue_item *item,
                    struct text value)
{
	return set_text(reader, &item->entry.fix, value, FIX_MAX);
}

static bool set_page(struct reader *reader, struct catalogue_item *item,
                     struct text value)
{
	if (!text_starts(value, "https://") && !text_starts(value, "http://"))
		return catalogue_complain(reader,
			"a page begins with https://");
	return set_text(reader, &item->entry.page, value, PAGE_MAX);
}

static bool fail_disposition(struct reader *reader, struct text value)
{
	struct nearest nearest;
	size_t i;

	nearest_begin(&nearest, value);
	for (i = 0; i <= CATALOGUE_CONFIG; i++)
		nearest_try(&nearest, catalogue_disposition_name(
					      (enum catalogue_disposition)i));
	if (nearest.best != NULL)
		return catalogue_complain(reader,
			"\"%.*s\" is no disposition; did you mean \"%s\"?",
			TEXT_ARG(value), nearest.best);
	return catalogue_complain(reader,
		"\"%.*s\" is no disposition; they are retry-later, throttle, "
		"pause-account, reject-message, reject-recipient, "
		"rewrite-sender-and-retry, config-error and none",
		TEXT_ARG(value));
}

static bool set_disposition(struct reader *reader, struct catalogue_item *item,
                            struct text value)
{
	int i;

	for (i = 0; i <= CATALOGUE_CONFIG; i++) {
		if (text_is(value, catalogue_disposition_name(
					   (enum catalogue_disposition)i))) {
			item->entry.disposition = (enum catalogue_disposition)i;
			return true;
		}
	}
	return fail_disposition(reader, value);
}

static bool set_wait(struct reader *reader, struct catalogue_item *item,
                     struct text value)
{
	struct buf why = BUF_INIT(1024);

	if (!value_parse(VALUE_PERIOD, value, NULL, &item->entry.wait_ms, &why))
		catalogue_complain(reader, "%s", buf_string(&why));
	buf_free(&why);
	return reader->error == NULL;
}

/* ---- the keys ---- */

const struct catalogue_key catalogue_keys[CATALOGUE_KEYS] = {
	{ "provider", set_provider, 0 },
	{ "stage", set_stage, 0 },
	{ "code", set_code, 0 },
	{ "status", set_status, 0 },
	{ "pattern", set_pattern, CATALOGUE_KEY_MANY },
	{ "last_resort", set_last_resort, 0 },
	{ "title", set_title, CATALOGUE_KEY_REQUIRED },
	{ "explanation", set_explanation, CATALOGUE_KEY_REQUIRED },
	{ "fix", set_fix, CATALOGUE_KEY_REQUIRED },
	{ "disposition", set_disposition, CATALOGUE_KEY_REQUIRED },
	{ "wait", set_wait, 0 },
	{ "page", set_page, 0 },
};
