#include "relay/policy/announced.h"

#include <stdbool.h>
#include <stddef.h>

enum { SECOND_MS = 1000, DAY_MS = 24 * 3600 * 1000 };

static const struct {
	const char *words;
	bool seconds; /* go without saying */
} openings[] = {
	{ "retry-after", true },
	{ "retry after", false },
	{ "retry in", false },
	{ "again in", false },
	{ "again after", false },
	{ "reset in", false },
	{ "resets in", false },
	{ "please wait", false },
};

/* By their first letters, the longer first where one begins another. */
static const struct {
	const char *begin;
	int64_t ms;
} units[] = {
	{ "sec", SECOND_MS },
	{ "min", 60 * SECOND_MS },
	{ "hour", 3600 * SECOND_MS },
	{ "hr", 3600 * SECOND_MS },
	{ "day", DAY_MS },
};

static struct text skip_any(struct text text, const char *octets)
{
	size_t n = 0;

	for (; n < text.len; n++) {
		const char *c = octets;

		while (*c != '\0' && *c != text.data[n])
			c++;
		if (*c == '\0')
			break;
	}
	return text_skip(text, n);
}

static bool is_digit(struct text text)
{
	return text.len > 0 && text.data[0] >= '0' && text.data[0] <= '9';
}

/* 1*DIGIT ["." 1*DIGIT], in thousandths; what is too much stays too much. */
static bool take_number(struct text *text, int64_t *thousandths_r)
{
	int64_t whole = 0, part = 0, weight = 100;

	if (!is_digit(*text))
		return false;
	for (; is_digit(*text); *text = text_skip(*text, 1))
		whole = whole > DAY_MS ? whole
		                       : whole * 10 + text->data[0] - '0';
	if (text->len > 1 && text->data[0] == '.' &&
	    is_digit(text_skip(*text, 1))) {
		*text = text_skip(*text, 1);
		for (; is_digit(*text); *text = text_skip(*text, 1)) {
			part += (text->data[0] - '0') * weight;
			weight /= 10;
		}
	}
	*thousandths_r = whole * 1000 + part;
	return true;
}

/* 0: there is none. */
static int64_t unit_of(struct text text)
{
	size_t i;

	text = skip_any(text, " \t-");
	for (i = 0; i < sizeof units / sizeof *units; i++) {
		if (text_starts(text, units[i].begin))
			return units[i].ms;
	}
	return 0;
}

static int64_t within_bounds(int64_t thousandths, int64_t unit_ms)
{
	int64_t most = DAY_MS / unit_ms * 1000;
	int64_t ms = thousandths < most ? thousandths * unit_ms / 1000
	                                : (int64_t)DAY_MS;

	return ms < SECOND_MS ? SECOND_MS : ms;
}

static int64_t wait_behind(struct text rest, bool seconds)
{
	int64_t thousandths, unit_ms;

	rest = skip_any(rest, " \t\n:=");
	if (!take_number(&rest, &thousandths))
		return 0;
	unit_ms = unit_of(rest);
	if (unit_ms == 0 && seconds)
		unit_ms = SECOND_MS;
	return unit_ms == 0 || thousandths == 0
	               ? 0 : within_bounds(thousandths, unit_ms);
}

int64_t announced_wait(struct text reply)
{
	int64_t wait = 0;
	size_t i;

	for (i = 0; i < sizeof openings / sizeof *openings && wait == 0; i++) {
		struct text opening = text_of(openings[i].words);
		ptrdiff_t at = text_find_nocase(reply, opening);

		if (at >= 0)
			wait = wait_behind(text_skip(reply, (size_t)at +
			                                    opening.len),
			                   openings[i].seconds);
	}
	return wait;
}
