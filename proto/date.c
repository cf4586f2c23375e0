#include "proto/date.h"

#include <string.h>
#include <time.h>
#include "proto/field_lex.h"

enum {
	TOKENS_MAX = 12,
	UNSET = -1,
	ZONE_HOURS_MAX = 14, /* Kiribati */
};

struct tokens {
	struct text list[TOKENS_MAX];
	size_t n;
	bool bad;        /* too many, or a comment without end */
};

/* What was found; the tokens may come in any order that has one meaning. */
struct parts {
	int weekday, day, month, year, hour, minute, second;
	int zone;
	bool has_zone, pm, am;
};

static const char *const weekdays[] = { "Sunday", "Monday", "Tuesday",
	"Wednesday", "Thursday", "Friday", "Saturday" };
static const char *const months[] = { "January", "February", "March", "April",
	"May", "June", "July", "August", "September", "October", "November",
	"December" };

static const struct {
	const char *name;
	int minutes;
} zones[] = {
	{ "EST", -300 }, { "EDT", -240 }, { "CST", -360 }, { "CDT", -300 },
	{ "MST", -420 }, { "MDT", -360 }, { "PST", -480 }, { "PDT", -420 },
	{ "CET", 60 },   { "CEST", 120 }, { "MET", 60 },   { "MEST", 120 },
	{ "MEZ", 60 },   { "MESZ", 120 }, { "WEST", 60 },  { "EET", 120 },
	{ "EEST", 180 }, { "BST", 60 },   { "MSK", 180 },  { "JST", 540 },
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static size_t word_length(struct text text)
{
	size_t len = 0;

	while (len < text.len && !is_space(text.data[len]) &&
	       text.data[len] != ',' && text.data[len] != '(')
		len++;
	return len > 0 ? len : 1;
}

/* Words and commas; white space and comments stand between them. */
static void split(struct text value, struct tokens *tokens)
{
	while (value.len > 0 && !tokens->bad) {
		size_t len = 1;

		if (value.data[0] == '(') {
			len = field_comment_length(value);
			tokens->bad = len == 0;
		} else if (!is_space(value.data[0])) {
			len = word_length(value);
			tokens->bad = tokens->n == TOKENS_MAX;
			if (!tokens->bad)
				tokens->list[tokens->n++] =
					text_make(value.data, len);
		}
		value = text_skip(value, len);
	}
}

static bool is_all(struct text text, bool (*is)(char))
{
	for (size_t i = 0; i < text.len; i++)
		if (!is(text.data[i]))
			return false;
	return text.len > 0;
}

/* The number of one to max digits at the beginning, taken off. */
static bool take_number(struct text *text, size_t max, int *number_r)
{
	size_t len = 0;
	int number = 0;

	while (len < text->len && len < max && is_digit(text->data[len]))
		number = number * 10 + (text->data[len++] - '0');
	*text = text_skip(*text, len);
	*number_r = number;
	return len > 0;
}

static bool take_char(struct text *text, char c)
{
	if (text->len == 0 || text->data[0] != c)
		return false;
	*text = text_skip(*text, 1);
	return true;
}

/* Which name the word is, or begins: "Nov", "Sept.", "saturday". */
static int name_index(struct text word, const char *const *names, int n)
{
	if (word.len > 3 && word.data[word.len - 1] == '.')
		word.len--;
	for (int i = 0; i < n && word.len >= 3; i++)
		if (word.len <= strlen(names[i]) &&
		    text_equal_nocase(word, text_make(names[i], word.len)))
			return i;
	return UNSET;
}

static bool set(int *part, int value)
{
	bool is_first = *part == UNSET;

	*part = value;
	return is_first && value >= 0;
}

/* RFC 5322 4.3:  two digits below 50 are of 2000, other two and three digits
 * of 1900. */
static bool set_year(struct parts *parts, struct text digits)
{
	size_t len = digits.len;
	int year;

	if (len < 2 || len > 4 || !take_number(&digits, 4, &year) ||
	    digits.len > 0)
		return false;
	if (len == 2 && year < 50)
		year += 2000;
	else if (len < 4)
		year += 1900;
	return set(&parts->year, year);
}

static bool set_day(struct parts *parts, struct text digits)
{
	int day;

	return digits.len <= 2 && take_number(&digits, 2, &day) &&
	       digits.len == 0 && set(&parts->day, day);
}

static bool read_offset(struct text text, int *minutes_r)
{
	bool minus = text.data[0] == '-', colon;
	int hours, minutes = 0;

	text = text_skip(text, 1);
	if (!take_number(&text, 2, &hours))
		return false;
	colon = take_char(&text, ':');
	if ((colon || text.len > 0) &&
	    (text.len != 2 || !take_number(&text, 2, &minutes)))
		return false;
	if (text.len > 0 || hours > ZONE_HOURS_MAX || minutes > 59)
		return false;
	minutes += hours * 60;
	*minutes_r = minus ? -minutes : minutes;
	return true;
}

/* RFC 5322 4.3:  what is not known tells nothing: as UTC. */
static int zone_minutes(struct text name)
{
	for (size_t i = 0; i < sizeof(zones) / sizeof(*zones); i++)
		if (text_is(name, zones[i].name))
			return zones[i].minutes;
	return 0;
}

static bool set_zone(struct parts *parts, struct text word)
{
	static const char *const utc[] = { "GMT", "UTC", "UT" };

	if (parts->has_zone)
		return false;
	parts->has_zone = true;
	for (size_t i = 0; i < 3; i++)
		if (text_starts(word, utc[i]) && word.len > strlen(utc[i])) {
			word = text_skip(word, strlen(utc[i]));
			break;
		}
	if (word.data[0] == '+' || word.data[0] == '-')
		return read_offset(word, &parts->zone);
	parts->zone = zone_minutes(word);
	return word.len <= 5 && is_all(word, is_letter);
}

static bool take_seconds(struct text *word, struct parts *parts)
{
	int fraction;

	parts->second = 0;
	if (!take_char(word, ':'))
		return true;
	return take_number(word, 2, &parts->second) &&
	       (!take_char(word, '.') || take_number(word, 9, &fraction));
}

static bool set_clock(struct parts *parts, struct text word)
{
	int hour;

	return take_number(&word, 2, &hour) && set(&parts->hour, hour) &&
	       take_char(&word, ':') && word.len >= 2 &&
	       take_number(&word, 2, &parts->minute) &&
	       take_seconds(&word, parts) &&
	       (word.len == 0 || set_zone(parts, word));
}

/* "2026-11-21", "2026-11-21T02:20:55Z" */
static bool set_iso(struct parts *parts, struct text word)
{
	struct text year = text_make(word.data, 4);
	int month, day;

	word = text_skip(word, 5);
	return set_year(parts, year) && take_number(&word, 2, &month) &&
	       set(&parts->month, month - 1) && take_char(&word, '-') &&
	       take_number(&word, 2, &day) && set(&parts->day, day) &&
	       (word.len == 0 ||
	        (take_char(&word, 'T') && set_clock(parts, word)));
}

/* "21-Nov-26", "21.11.2026" */
static bool set_joined(struct parts *parts, struct text word, char joint)
{
	struct text day, month = text_of("");
	int number;

	if (!text_token(&word, joint, &day) || !set_day(parts, day) ||
	    !text_token(&word, joint, &month))
		return false;
	if (joint == '-')
		number = name_index(month, months, 12);
	else if (!take_number(&month, 2, &number) || month.len > 0)
		return false;
	else
		number--;
	return set(&parts->month, number) && set_year(parts, word);
}

static bool set_number(struct parts *parts, struct text word)
{
	if (memchr(word.data, ':', word.len) != NULL && word.len > 2 &&
	    (word.data[1] == ':' || word.data[2] == ':'))
		return set_clock(parts, word);
	if (word.len > 5 && word.data[4] == '-')
		return set_iso(parts, word);
	if (memchr(word.data, '-', word.len) != NULL)
		return set_joined(parts, word, '-');
	if (memchr(word.data, '.', word.len) != NULL)
		return set_joined(parts, word, '.');
	if (word.len <= 2 && parts->day == UNSET)
		return set_day(parts, word);
	return set_year(parts, word);
}

static bool set_word(struct parts *parts, struct text word)
{
	int month = name_index(word, months, 12);
	int weekday = name_index(word, weekdays, 7);

	if (weekday != UNSET)
		return set(&parts->weekday, weekday);
	if (month != UNSET)
		return set(&parts->month, month);
	if (text_is(word, "AM"))
		return parts->am = true;
	if (text_is(word, "PM"))
		return parts->pm = true;
	return set_zone(parts, word);
}

static bool read_parts(const struct tokens *tokens, struct parts *parts)
{
	for (size_t i = 0; i < tokens->n; i++) {
		struct text word = tokens->list[i];
		bool ok = true;

		if (is_digit(word.data[0]))
			ok = set_number(parts, word);
		else if (word.data[0] != ',')
			ok = set_word(parts, word);
		if (!ok)
			return false;
	}
	return true;
}

static bool fix_hour(struct parts *parts)
{
	if (!parts->am && !parts->pm)
		return true;
	if (parts->hour < 1 || parts->hour > 12)
		return false;
	parts->hour = parts->hour % 12 + (parts->pm ? 12 : 0);
	return !(parts->am && parts->pm);
}

/* All of it there, and a day and time that exist; *weekday_r is its day. */
static bool to_seconds(const struct parts *parts, int64_t *seconds_r,
                       int *weekday_r)
{
	struct tm tm = { .tm_year = parts->year - 1900,
		.tm_mon = parts->month, .tm_mday = parts->day,
		.tm_hour = parts->hour, .tm_min = parts->minute,
		.tm_sec = parts->second };

	if (parts->year < 1900 || parts->month < 0 || parts->month > 11 ||
	    parts->day < 1 || parts->day > 31 || parts->hour < 0 ||
	    parts->hour > 23 || parts->minute > 59 || parts->second > 60)
		return false;
	*seconds_r = (int64_t)timegm(&tm) - (int64_t)parts->zone * 60;
	*weekday_r = tm.tm_wday;
	return parts->second == 60 || tm.tm_mday == parts->day;
}

static bool is_clock(struct text word)
{
	static const char form[] = "00:00:00";

	if (word.len != 5 && word.len != 8)
		return false;
	for (size_t i = 0; i < word.len; i++)
		if (form[i] == '0' ? !is_digit(word.data[i])
		                   : word.data[i] != form[i])
			return false;
	return true;
}

/* RFC 5322 3.3:  [day-name ","] day month year time zone */
static bool is_well_formed(const struct tokens *tokens, int weekday, int named)
{
	const struct text *word = tokens->list;
	size_t n = tokens->n;

	if (n == 7 && word[0].len == 3 && text_is(word[1], ",")) {
		word += 2;
		n -= 2;
	}
	return n == 5 && (named == UNSET || named == weekday) &&
	       is_all(word[0], is_digit) && is_all(word[1], is_letter) &&
	       word[1].len == 3 && is_all(word[2], is_digit) &&
	       word[2].len == 4 && is_clock(word[3]) && word[4].len == 5 &&
	       !is_letter(word[4].data[0]) &&
	       is_all(text_skip(word[4], 1), is_digit);
}

bool date_parse(struct text value, int local_minutes, struct date *date_r)
{
	struct parts parts = { .weekday = UNSET, .day = UNSET, .month = UNSET,
		.year = UNSET, .hour = UNSET };
	struct tokens tokens = { .n = 0 };
	int weekday;

	split(value, &tokens);
	if (tokens.bad || !read_parts(&tokens, &parts) || !fix_hour(&parts))
		return false;
	if (!parts.has_zone)
		parts.zone = local_minutes;
	if (!to_seconds(&parts, &date_r->seconds, &weekday))
		return false;
	date_r->offset_minutes = parts.zone;
	date_r->well_formed = is_well_formed(&tokens, weekday, parts.weekday);
	return true;
}
