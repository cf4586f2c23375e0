#include "proto/mime_plan.h"

#include <string.h>

#include "proto/mime_convert.h"

/* Each part with all its letters, and the charset. */
enum { PLAN_MAX = (MIME_PARTS_MAX + 2) * 20 };

static const struct {
	char letter;
	unsigned need;
	bool always;
} letters[] = {
#define X(name, letter, always) { letter, MIME_NEED(name), always },
	MIME_NEED_MAP(X)
#undef X
};

enum { LETTERS = sizeof letters / sizeof *letters };

/* RFC 2978 2.3, the characters in use */
bool mime_is_charset(struct text charset)
{
	for (size_t i = 0; i < charset.len; i++) {
		char c = charset.data[i];

		if (!(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= 'a' && c <= 'z') && strchr("-_.:+", c) == NULL)
			return false;
	}
	return charset.len > 0 && charset.len <= MIME_CHARSET_MAX;
}

void mime_plan_clear(struct mime_plan *plan)
{
	memset(plan, 0, sizeof *plan);
}

unsigned mime_needs_now(unsigned needs, bool to_7bit)
{
	unsigned now = 0;

	for (size_t i = 0; i < LETTERS; i++)
		if (letters[i].always || to_7bit)
			now |= needs & letters[i].need;
	return now & ~MIME_NEED(FIXED);
}

/* ---- writing ---- */

static void print_part(struct buf *out, size_t part, unsigned needs)
{
	buf_printf(out, "%s%zu:", buf_len(out) > 0 ? "," : "", part);
	for (size_t i = 0; i < LETTERS; i++)
		if (needs & letters[i].need)
			buf_putc(out, letters[i].letter);
}

char *mime_plan_print(const struct mime_plan *plan)
{
	struct buf out = BUF_INIT(PLAN_MAX);
	unsigned all = 0;

	for (size_t i = 0; i <= MIME_PARTS_MAX; i++) {
		all |= plan->parts[i];
		if (plan->parts[i] != 0)
			print_part(&out, i, plan->parts[i]);
	}
	if (mime_needs_now(all, true) == 0) {
		buf_free(&out);
		return NULL;
	}
	if (plan->charset[0] != '\0')
		buf_printf(&out, ",c=%s", plan->charset);
	return buf_steal(&out);
}

/* ---- reading ---- */

static unsigned needs_of(struct text word)
{
	unsigned needs = 0;

	for (size_t at = 0; at < word.len; at++)
		for (size_t i = 0; i < LETTERS; i++)
			if (letters[i].letter == word.data[at])
				needs |= letters[i].need;
	return needs;
}

static void parse_item(struct mime_plan *plan, struct text item)
{
	struct text number;
	uint64_t part;

	if (text_starts(item, "c=")) {
		item = text_skip(item, 2);
		if (mime_is_charset(item)) {
			memcpy(plan->charset, item.data, item.len);
			plan->charset[item.len] = '\0';
		}
	} else if (text_token(&item, ':', &number) &&
		   text_to_u64(number, &part) && part <= MIME_PARTS_MAX) {
		plan->parts[part] |= (uint16_t)needs_of(item);
	}
}

void mime_plan_parse(struct mime_plan *plan, const char *text)
{
	struct text rest = text_of(text), item;

	mime_plan_clear(plan);
	while (text_token(&rest, ',', &item))
		parse_item(plan, item);
}

/* ---- questions ---- */

static unsigned needs_of_all(const char *text)
{
	struct text rest = text_of(text), item, number;
	unsigned needs = 0;

	while (text_token(&rest, ',', &item))
		if (!text_starts(item, "c=") && text_token(&item, ':', &number))
			needs |= needs_of(item);
	return needs;
}

bool mime_plan_applies(const char *plan, bool to_7bit)
{
	return mime_needs_now(needs_of_all(plan), to_7bit) != 0;
}

bool mime_plan_can_7bit(const char *plan)
{
	return plan != NULL && (needs_of_all(plan) & MIME_NEED(FIXED)) == 0;
}

/* Each item is looked at: a part with long lines is encoded in any case. */
bool mime_plan_keeps_8bit(const char *plan)
{
	struct text rest = text_of(plan), item, number;
	bool keeps = plan == NULL;

	while (text_token(&rest, ',', &item)) {
		unsigned needs = 0;

		if (!text_starts(item, "c=") && text_token(&item, ':', &number))
			needs = needs_of(item);
		if (needs & MIME_NEED(LINES))
			needs &= ~MIME_NEED(EIGHT_BIT);
		keeps |=
			(needs & (MIME_NEED(EIGHT_BIT) | MIME_NEED(FRAME_8BIT) |
				  MIME_NEED(FIXED))) != 0;
	}
	return keeps;
}
