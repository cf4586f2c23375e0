#include "relay/cli/options.h"

#include <string.h>

#include "relay/cli/cmd.h"

static const struct option *find(const struct option *options,
                                 const char *name)
{
	for (; options->name != NULL; options++) {
		if (strcmp(options->name, name) == 0)
			return options;
	}
	return NULL;
}

/* Returns how many arguments it took; 0: a complaint was made. */
static int read_option(int argc, char **argv, int i,
                       const struct option *options)
{
	const struct option *option = find(options, argv[i]);

	if (option == NULL) {
		cli_usage(argv[0], "unknown option %s", argv[i]);
		return 0;
	}
	if (option->value == NULL) {
		*option->flag = true;
		return 1;
	}
	if (i + 1 == argc) {
		cli_usage(argv[0], "%s wants a value", argv[i]);
		return 0;
	}
	*option->value = argv[i + 1];
	return 2;
}

int options_read(int argc, char **argv, const struct option *options,
                 const char **words, size_t max)
{
	size_t n = 0;
	int i, took;

	if (max > 0)
		memset(words, 0, max * sizeof *words);
	for (i = 1; i < argc; i += took) {
		took = 1;
		if (argv[i][0] == '-') {
			took = read_option(argc, argv, i, options);
			if (took == 0)
				return EX_USAGE;
		} else if (n == max) {
			return cli_usage(argv[0], "unknown argument \"%s\"",
			                 argv[i]);
		} else {
			words[n++] = argv[i];
		}
	}
	return EX_OK;
}
