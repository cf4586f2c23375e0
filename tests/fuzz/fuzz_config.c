/*
 * Any file and any environment give a configuration, or one line that says why
 * not.  The input is the file; behind a line "%%" come variables, one a line.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/xalloc.h"
#include "relay/config/config.h"
#include "relay/config/config_print.h"
#include "tests/fuzz/fuzz.h"

enum { VARIABLES = 16 };

static int write_file(struct text bytes, char path[64])
{
	int fd = memfd_create("config", MFD_CLOEXEC);

	must(fd >= 0);
	fchmod(fd, 0600);
	must(write(fd, bytes.data, bytes.len) == (ssize_t)bytes.len);
	snprintf(path, 64, "/proc/self/fd/%d", fd);
	return fd;
}

/* Without them each look at the machine would make the run another one. */
static size_t split_variables(struct text *rest, char **environment)
{
	size_t n = 0;
	struct text line;

	environment[n++] = xstrdup("LANPOST_RELAY_HOSTNAME=r.example.com");
	while (n < VARIABLES && text_token(rest, '\n', &line))
		environment[n++] = text_dup(line);
	environment[n] = NULL;
	return n;
}

static void check_config(struct config *config)
{
	FILE *out = fopen("/dev/null", "w");
	json_t *json = config_to_json(config);
	char *text = json_dumps(json, 0);

	must(out != NULL);
	must(text != NULL);
	config_print(out, config);
	fclose(out);
	must(config_needs_restart(config, config) == NULL);
	free(text);
	json_decref(json);
	config_unref(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text bytes = text_make((const char *)data, size), rest = { 0 };
	ptrdiff_t mark = text_find_nocase(bytes, text_of("\n%%\n"));
	char *environment[VARIABLES + 1], path[64];
	struct config_warnings warnings;
	struct config_error error;
	struct config *config;
	size_t n;
	int fd;

	if (mark >= 0) {
		rest = text_skip(bytes, (size_t)mark + 4);
		bytes.len = (size_t)mark + 1;
	}
	n = split_variables(&rest, environment);
	fd = write_file(bytes, path);
	config = config_load(path, environment, &warnings, &error);
	must((config == NULL) == (error.message != NULL));
	if (config)
		check_config(config);
	else
		must(!strpbrk(error.message, "\n\r\033"));
	config_warnings_free(&warnings);
	config_error_free(&error);
	close(fd);
	while (n > 0)
		free(environment[--n]);
	return 0;
}
