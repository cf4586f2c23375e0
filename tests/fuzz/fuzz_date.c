/* A date: read in any form, it is one that can be written, and that reads the
 * same; what is well-formed was read in ASCII. */
#include "proto/date.h"
#include "proto/rfc5322.h"
#include "proto/smtp_syntax.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text value = text_make((const char *)data, size);
	struct date date, again;
	char written[40];

	if (!date_parse(value, 180, &date))
		return 0;
	must(date.offset_minutes > -24 * 60 && date.offset_minutes < 24 * 60);
	rfc5322_date(written, date.seconds, date.offset_minutes);
	must(date_parse(text_of(written), 0, &again) && again.well_formed);
	must(again.seconds == date.seconds &&
	     again.offset_minutes == date.offset_minutes);
	return 0;
}
