#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "proto/date.h"
#include "proto/rfc5322.h"
#include "tests/support/bytes.h"
#include "tests/support/guarded.h"

#define NOON 1795262400 /* Sat, 21 Nov 2026 12:00:00 +0000 */
#define H 3600

/* A zone of +0300 is meant where none is told. */
static const struct {
	const char *value;
	int64_t seconds;
	int offset;
	bool well_formed;
} dates[] = {
	{ "Sat, 21 Nov 2026 12:00:00 +0000", NOON, 0, true },
	{ " Sat, 21 Nov 2026 12:00:00 +0000 ", NOON, 0, true },
	{ "21 Nov 2026 12:00:00 +0000", NOON, 0, true },
	{ "21 Nov 2026 12:00 +0000", NOON, 0, true },
	{ "Sat, 21 Nov 2026 13:00:00 +0100", NOON, 60, true },
	{ "Sat, 21 Nov 2026 02:15:00 -0945", NOON, -585, true },
	{ "Sat, 21 Nov 2026 12:00:00 -0000", NOON, 0, true },
	{ "SAT, 21 NOV 2026 12:00:00 +0000", NOON, 0, true },
	{ "Sat,21 Nov 2026 12:00:00 +0000", NOON, 0, true },
	{ "Sat, 21\r\n Nov 2026\r\n\t12:00:00 +0000", NOON, 0, true },
	{ "Sat, 21 Nov 2026 13:00:00 +0100 (CET)", NOON, 60, true },
	{ "Sat, 21 Nov 2026 13:00:00 +0100 (a (b \\) c) d)", NOON, 60, true },
	{ "Thu, 1 Jan 1970 00:00:00 +0000", 0, 0, true },
	{ "Thu, 01 Jan 1970 00:00:00 +0000", 0, 0, true },
	{ "Sat, 31 Dec 2016 23:59:60 +0000", 1483228800, 0, false },
	{ "Tue, 29 Feb 2000 00:00:00 +0000", 951782400, 0, true },
	/* RFC 5322 4.3 */
	{ "Sat, 21 Nov 26 12:00:00 +0000", NOON, 0, false },
	{ "21 Nov 99 12:00:00 +0000", 943185600, 0, false },
	{ "21 Nov 126 12:00:00 +0000", NOON, 0, false },
	{ "Sat, 21 Nov 2026 12:00:00 GMT", NOON, 0, false },
	{ "Sat, 21 Nov 2026 12:00:00 UT", NOON, 0, false },
	{ "Sat, 21 Nov 2026 12:00:00 Z", NOON, 0, false },
	{ "Sat, 21 Nov 2026 07:00:00 EST", NOON, -300, false },
	{ "Sat, 21 Nov 2026 05:00:00 PDT", NOON, -420, false },
	{ "Sat, 21 Nov 2026 13:00:00 MEZ", NOON, 60, false },
	{ "Sat, 21 Nov 2026 12:00:00 XYZ", NOON, 0, false },
	{ "Sat, 21 (x) Nov 2026 12 : 00 +0000", -1, 0, false },
	/* Devices. */
	{ "Sat, 21 Nov 2026 13:00:00 +01:00", NOON, 60, false },
	{ "Sat, 21 Nov 2026 13:00:00 +1", NOON, 60, false },
	{ "Sat, 21 Nov 2026 13:00:00 +01", NOON, 60, false },
	{ "Sat, 21 Nov 2026 13:00:00 GMT+0100", NOON, 60, false },
	{ "Sat, 21 Nov 2026 13:00:00 GMT+1", NOON, 60, false },
	{ "Sat, 21 Nov 2026 11:00:00 UTC-01:00", NOON, -60, false },
	{ "Sat, 21 Nov 2026 13:00:00+0100", NOON, 60, false },
	{ "Sat, 21 Nov 2026 15:00:00", NOON, 180, false },
	{ "Sat 21 Nov 2026 12:00:00 +0000", NOON, 0, false },
	{ "Mon, 21 Nov 2026 12:00:00 +0000", NOON, 0, false },
	{ "Saturday, 21 November 2026 12:00:00 +0000", NOON, 0, false },
	{ "Sat, 21 Nov. 2026 12:00:00 +0000", NOON, 0, false },
	{ "21-Nov-2026 12:00:00 +0000", NOON, 0, false },
	{ "21-Nov-26 12:00:00 +0000", NOON, 0, false },
	{ "21.11.2026 12:00:00 +0000", NOON, 0, false },
	{ "Sat Nov 21 15:00:00 2026", NOON, 180, false },
	{ "Sat Nov 21 13:00:00 CET 2026", NOON, 60, false },
	{ "Nov 21, 2026 12:00 PM +0000", NOON, 0, false },
	{ "Nov 21, 2026 12:00:00 AM +0000", NOON - 12 * H, 0, false },
	{ "Nov 21, 2026 1:00 PM +0000", NOON + H, 0, false },
	{ "2026-11-21T12:00:00Z", NOON, 0, false },
	{ "2026-11-21T13:00:00.123+01:00", NOON, 60, false },
	{ "2026-11-21 15:00:00", NOON, 180, false },
	{ "Sat, 21 Nov 2026 9:00:00 -0300", NOON, -180, false },
	/* What cannot be read. */
	{ "", -1, 0, false },
	{ "now", -1, 0, false },
	{ "Sam., 21 nov. 2026 12:00:00 +0000", -1, 0, false },
	{ "21 novembre 2026 12:00:00 +0000", -1, 0, false },
	{ "s\xe1" "b, 21 Nov 2026 12:00:00 +0000", -1, 0, false },
	{ "21/11/2026 12:00:00 +0000", -1, 0, false },
	{ "Sat, 21 Nov 2026", -1, 0, false },
	{ "12:00:00 +0000", -1, 0, false },
	{ "Sat, 32 Nov 2026 12:00:00 +0000", -1, 0, false },
	{ "Sat, 31 Nov 2026 12:00:00 +0000", -1, 0, false },
	{ "Sat, 00 Nov 2026 12:00:00 +0000", -1, 0, false },
	{ "29 Feb 2026 12:00:00 +0000", -1, 0, false },
	{ "Sat, 21 Nov 2026 24:00:00 +0000", -1, 0, false },
	{ "Sat, 21 Nov 2026 12:60:00 +0000", -1, 0, false },
	{ "Sat, 21 Nov 2026 12:00:61 +0000", -1, 0, false },
	{ "Sat, 21 Nov 2026 12:00:00 +1500", -1, 0, false },
	{ "Sat, 21 Nov 2026 12:00:00 +0160", -1, 0, false },
	{ "Sat, 21 Nov 2026 12:00:00 +000", -1, 0, false },
	{ "Sat, 21 Nov 2026 12:00:00 +00000", -1, 0, false },
	{ "Sat, 21 Nov 2026 12:00:00 +", -1, 0, false },
	{ "Sat, 21 Nov 2026 12:00:00 GMT +0000", -1, 0, false },
	{ "Sat, 21 Nov 2026 12:00:00 +0000 (x", -1, 0, false },
	{ "Sat, 21 Nov 2026 12:00:00 12:00:00", -1, 0, false },
	{ "Sat, 21 21 Nov 2026 12:00:00", -1, 0, false },
	{ "Sat, 21 Nov Dec 2026 12:00:00", -1, 0, false },
	{ "Sat, 21 Nov 2026 2026 12:00:00", -1, 0, false },
	{ "Sat, 21 Nov 20260 12:00:00", -1, 0, false },
	{ "Sat, 21 Nov 2026 13:00 PM", -1, 0, false },
	{ "Sat, 21 Nov 2026 11:00 AM PM", -1, 0, false },
	{ "Sat, 21 Nov 1800 12:00:00 +0000", -1, 0, false },
	{ "Sat, 21 Nov 2026 12: +0000", -1, 0, false },
	{ ":", -1, 0, false },
	{ "(", -1, 0, false },
	{ "+", -1, 0, false },
	{ "1-", -1, 0, false },
	{ "2026-", -1, 0, false },
	{ "2026-1", -1, 0, false },
	{ "Sat, 21 Nov 2026 12:00:00 \xff", -1, 0, false },
};

static void test_reads(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(dates); i++) {
		struct guarded value = guarded_copy(text_of(dates[i].value));
		struct date date = { 0, 0, false };
		bool read = date_parse(value.text, 180, &date);

		if (read != (dates[i].seconds >= 0))
			fail_msg("%s: %s", dates[i].value,
				 read ? "was read" : "was not read");
		if (read && (date.seconds != dates[i].seconds ||
			     date.offset_minutes != dates[i].offset ||
			     date.well_formed != dates[i].well_formed))
			fail_msg("%s: %lld %d %d", dates[i].value,
				 (long long)date.seconds, date.offset_minutes,
				 date.well_formed);
		guarded_free(&value);
	}
}

/* What we write is well-formed, and read as it was meant. */
static void test_reads_what_is_written(void **state)
{
	(void)state;
	for (int64_t seconds = 0; seconds < 4102444800; seconds += 7654321) {
		int offset = (int)(seconds % (24 * 60)) - 12 * 60;
		struct date date;
		char written[40];

		rfc5322_date(written, seconds, offset);
		if (!date_parse(text_of(written), 0, &date) ||
		    date.seconds != seconds || date.offset_minutes != offset ||
		    !date.well_formed)
			fail_msg("%s", written);
	}
}

/* Whatever stands there, it is read in linear time. */
static void test_long_values(void **state)
{
	static const char *const pieces[] = { "(", ")", "1", "1 ", ",", "a",
					      "-", ":", "\\", "(a)", "+" };

	(void)state;
	for (size_t i = 0; i < COUNT(pieces); i++) {
		struct buf value = BUF_INIT(10000000);
		struct date date;

		while (buf_len(&value) < 1000000)
			buf_puts(&value, pieces[i]);
		assert_false(date_parse(buf_text(&value), 0, &date));
		buf_free(&value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads),
		cmocka_unit_test(test_reads_what_is_written),
		cmocka_unit_test(test_long_values),
	};

	return cmocka_run_group_tests_name("date", tests, NULL, NULL);
}
