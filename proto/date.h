/*
 * date -- the time that a Date field tells (RFC 5322 3.3), as devices write it.
 *
 * Beside the form of today it reads what else has one meaning only: two- and
 * three-digit years and names of zones (4.3), a colon in the zone, no zone, no
 * day of the week, the output of asctime() and date(1), ISO 8601, 12-hour
 * clocks, full English names.  Names in other languages and dates that could be
 * read in two ways (03/04/2026) are not guessed at.
 */
#ifndef PROTO_DATE_H
#define PROTO_DATE_H

#include "proto/text.h"

struct date {
	int64_t seconds;    /* since 1970, UTC */
	int offset_minutes; /* of its zone */
	bool well_formed;   /* as RFC 5322 3.3 wants it written, the day of the
	                       week right; else it should be written anew */
};

/* value: folded or not.  local_minutes: the zone of a date that has none.
 * False: it cannot be read. */
bool date_parse(struct text value, int local_minutes, struct date *date_r);

#endif
