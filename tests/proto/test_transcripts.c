#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/xalloc.h"
#include "tests/support/transcript.h"

/* Each file of transcripts/ is a test of its own. */
static const char *const topics[] = { "server", "client" };

enum { TESTS_MAX = 1024 };
static struct CMUnitTest tests[TESTS_MAX];
static size_t n_tests;

static void test_transcript(void **state)
{
	struct transcript *transcript = transcript_read(*state);

	transcript_play(transcript);
	transcript_free(&transcript);
}

static int is_transcript(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot != NULL && strcmp(dot, ".smtp") == 0;
}

static void add(const char *path)
{
	if (n_tests == TESTS_MAX) {
		fprintf(stderr, "more than %d transcripts\n", TESTS_MAX);
		abort();
	}
	tests[n_tests++] = (struct CMUnitTest){
		.name = path,
		.test_func = test_transcript,
		.initial_state = (void *)path,
	};
}

static void add_topic(const char *topic, const char *only)
{
	char *folder = xasprintf("transcripts/%s", topic), *path;
	struct dirent **entries;
	int n = scandir(folder, &entries, is_transcript, alphasort);

	for (int i = 0; i < n; i++) {
		path = xasprintf("%s/%s", folder, entries[i]->d_name);
		if (only == NULL || strstr(path, only) != NULL)
			add(path);
		else
			free(path);
		free(entries[i]);
	}
	if (n <= 0) {
		fprintf(stderr, "no transcripts in %s: run it in tests/\n",
			folder);
		exit(EXIT_FAILURE);
	}
	free(entries);
	free(folder);
}

/* test_transcripts [PART-OF-A-NAME] */
int main(int argc, char **argv)
{
	int failed;

	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++)
		add_topic(topics[i], argc > 1 ? argv[1] : NULL);
	failed = _cmocka_run_group_tests("transcripts", tests, n_tests, NULL,
					 NULL);
	for (size_t i = 0; i < n_tests; i++)
		free((char *)tests[i].name);
	return failed;
}
