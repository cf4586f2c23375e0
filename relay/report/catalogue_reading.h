/*
 * catalogue_reading -- the keys of a catalogue's file, and what their values
 * may be; inside catalogue_read.c and catalogue_values.c.
 */
#ifndef RELAY_REPORT_CATALOGUE_READING_H
#define RELAY_REPORT_CATALOGUE_READING_H

#include "relay/report/catalogue_private.h"

struct reader {
	const char *label;   /* of the file */
	const struct providers *providers; /* that entries may name */
	unsigned line;       /* that is looked at */
	char *error;         /* the first complaint */
};

/* Always false. */
bool catalogue_complain(struct reader *reader, const char *format,
                        ...) __attribute__((format(printf, 2, 3)));

enum {
	CATALOGUE_KEYS = 12,
	CATALOGUE_KEY_MANY = 1,      /* flags: it may stand several times */
	CATALOGUE_KEY_REQUIRED = 2
};

struct catalogue_key {
	const char *name;
	/* value: one paragraph, trimmed.  False after a complaint. */
	bool (*set)(struct reader *reader,
	            struct catalogue_item *item, struct text value);
	unsigned flags;
};

extern const struct catalogue_key catalogue_keys[CATALOGUE_KEYS];

#endif
