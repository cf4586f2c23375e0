#include "relay/config/value_kind.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

/* 10 years and 1024 terabytes: more is a slip of the finger. */
static const int64_t duration_max_ms = 3650LL * 86400 * 1000;
static const uint64_t size_max = 1ULL << 50;

enum { COUNT_MAX = 1000000 };

/* 1*DIGIT and what follows it */
static bool split_number(struct text text, uint64_t *number_r,
			 struct text *unit_r)
{
	size_t n = 0;

	while (n < text.len && isdigit((unsigned char)text.data[n]))
		n++;
	*unit_r = text_skip(text, n);
	return text_to_u64(text_make(text.data, n), number_r);
}

bool value_duration(struct text text, int64_t least_ms, int64_t *ms_r,
		    struct buf *why)
{
	static const struct value_choice units[] = {
		{ "s", 1000 },     { "m", 60000 }, { "h", 3600000 },
		{ "d", 86400000 }, { 0 },
	};
	const struct value_choice *unit = units;
	struct text rest;
	uint64_t number;

	if (!split_number(text, &number, &rest))
		return value_refuse(why, text,
				    "is not a duration; write a number and "
				    "s, m, h or d, such as 30s, 5m, 2h or 7d");
	while (unit->name && !text_is(rest, unit->name))
		unit++;
	if (!unit->name && !(number == 0 && rest.len == 0))
		return value_refuse(
			why, text,
			rest.len == 0 ? "has no unit; write a number and s, m, "
					"h or d, "
					"such as 30s, 5m, 2h or 7d"
				      : "is not a duration; write a number and "
					"s, m, h "
					"or d, such as 30s, 5m, 2h or 7d");
	if (number > 0 &&
	    number > (uint64_t)duration_max_ms / (uint64_t)unit->value)
		return value_refuse(why, text,
				    "is too long; 3650d is the most");
	*ms_r = (int64_t)number * (unit->name ? unit->value : 0);
	if (*ms_r < least_ms)
		return value_refuse(why, text, "is too short; 1s is the least");
	return true;
}

bool value_parse_duration(const struct value_kind *kind, struct text text,
			  void *field, struct buf *why)
{
	int64_t ms, *out = field;

	if (!value_duration(text, (int64_t)kind->least, &ms, why))
		return false;
	*out = ms;
	return true;
}

bool value_parse_size(const struct value_kind *kind, struct text text,
		      void *field, struct buf *why)
{
	static const char units[] = "KMGT";
	uint64_t number, *out = field;
	unsigned shift = 0;
	const char *unit;
	struct text rest;

	if (!split_number(text, &number, &rest) || rest.len > 1)
		return value_refuse(why, text,
				    "is not a size; write a number and K, "
				    "M or G, such as 64K, 35M or 2G");
	if (rest.len == 1) {
		unit = strchr(units, toupper((unsigned char)rest.data[0]));
		if (!unit || *unit == '\0')
			return value_refuse(
				why, text,
				"is not a size; write a number "
				"and K, M or G, such as 64K, 35M or 2G");
		shift = 10 * (unsigned)(unit - units + 1);
	}
	if (number > size_max >> shift)
		return value_refuse(why, text,
				    "is too large; 1024T is the most");
	if (number << shift < kind->least)
		return value_refuse(why, text, "is too small; 1K is the least");
	*out = number << shift;
	return true;
}

bool value_parse_count(const struct value_kind *kind, struct text text,
		       void *field, struct buf *why)
{
	uint64_t number;
	unsigned *out = field;

	if (!text_to_u64(text, &number) || number < kind->least ||
	    number > COUNT_MAX) {
		buf_printf(why, "\"%.*s\" is not a number from %u to %d",
			   TEXT_ARG(text), (unsigned)kind->least, COUNT_MAX);
		return false;
	}
	*out = (unsigned)number;
	return true;
}

bool value_parse_port(const struct value_kind *kind, struct text text,
		      void *field, struct buf *why)
{
	uint64_t number;
	uint16_t *out = field;

	(void)kind;
	if (!text_to_u64(text, &number) || number < 1 || number > 65535)
		return value_refuse(why, text,
				    "is not a port; write a number from 1 "
				    "to 65535, such as 587");
	*out = (uint16_t)number;
	return true;
}

void value_put_duration(int64_t ms, struct buf *out)
{
	static const struct value_choice units[] = {
		{ "d", 86400000 },
		{ "h", 3600000 },
		{ "m", 60000 },
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (ms > 0 && ms % units[i].value == 0) {
			buf_printf(out, "%" PRId64 "%s", ms / units[i].value,
				   units[i].name);
			return;
		}
	}
	buf_printf(out, ms == 0 ? "%" PRId64 : "%" PRId64 "s", ms / 1000);
}

void value_print_duration(const struct value_kind *kind, const void *field,
			  struct buf *out)
{
	const int64_t *ms = field;

	(void)kind;
	value_put_duration(*ms, out);
}

void value_print_size(const struct value_kind *kind, const void *field,
		      struct buf *out)
{
	static const char units[] = " KMGT";
	uint64_t size = *(const uint64_t *)field;
	unsigned unit = 0;

	(void)kind;
	while (unit < 4 && size > 0 && size % 1024 == 0) {
		size /= 1024;
		unit++;
	}
	buf_printf(out, "%" PRIu64, size);
	if (unit > 0)
		buf_putc(out, units[unit]);
}

void value_print_count(const struct value_kind *kind, const void *field,
		       struct buf *out)
{
	const unsigned *count = field;

	(void)kind;
	buf_printf(out, "%u", *count);
}

void value_print_port(const struct value_kind *kind, const void *field,
		      struct buf *out)
{
	const uint16_t *port = field;

	(void)kind;
	buf_printf(out, "%u", *port);
}
