/*
 * config_ini -- an INI file as a list of sections and entries, read with inih
 * and kept from inih's limits.
 *
 * inih, as it is packaged, cuts a line at 199 bytes and takes the rest for a
 * line of its own, cuts a section's name at 49 bytes, and then counts lines
 * wrongly.  So the lines are handed to it one by one by a reader of ours,
 * which counts them itself and refuses, with a sentence, what inih would cut.
 *
 *     [kind]  [kind name]      a section
 *     key = value              " ;" begins a comment; '#' only at line start
 *         more                 an indented line continues the value above
 *
 * A line that is indented although it is no continuation (it begins with a
 * word the caller knows, and '=') is read as if it were not.
 */
#ifndef RELAY_CONFIG_CONFIG_INI_H
#define RELAY_CONFIG_CONFIG_INI_H

#include <stdbool.h>
#include <stddef.h>
#include "proto/text.h"

enum {
	CONFIG_INI_LINE_MAX = 197,    /* bytes, without the line end */
	CONFIG_INI_NAME_MAX = 49,     /* of a section or a key */
};

struct config_ini_section {
	char *kind;
	char *name;          /* NULL: the unnamed one */
	unsigned line;
};

struct config_ini_entry {
	const struct config_ini_section *section; /* NULL: before any */
	char *key;
	char *value;         /* continuation lines follow, each behind '\n' */
	unsigned line;
	unsigned continued;  /* the first continuation line, 0: none */
	bool cut;            /* a comment was taken off behind the value */
};

struct config_ini {
	struct config_ini_section **sections;
	size_t n_sections;
	struct config_ini_entry *entries;
	size_t n_entries;
};

/* Read the bytes of a file; label names it in messages.  knows: is this a kind
 * of section or a key?  NULL with a sentence, "label:line: ...", which the
 * caller frees. */
struct config_ini *config_ini_read(struct text bytes, const char *label,
                                   bool (*knows)(struct text word),
                                   char **error_r);
void config_ini_free(struct config_ini **ini); /* wipes the values */

#endif
