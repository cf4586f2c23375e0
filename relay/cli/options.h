/*
 * options -- the arguments of a command: options with and without a value, in
 * any order, and words.
 */
#ifndef RELAY_CLI_OPTIONS_H
#define RELAY_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

struct option {
	const char *name;      /* "--since"; NULL ends the list */
	const char **value;    /* where its value goes, or NULL: ... */
	bool *flag;            /* ... set when it is given */
};

/* argv[0] is the command.  words: room for max of them; the rest are NULL.
 * EX_OK, or EX_USAGE with a complaint made. */
int options_read(int argc, char **argv, const struct option *options,
                 const char **words, size_t max);

#endif
