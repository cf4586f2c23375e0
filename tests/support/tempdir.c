#include "tests/support/tempdir.h"

#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char directory[PATH_MAX];

void tempdir_make(void)
{
	const char *base = getenv("TMPDIR");

	snprintf(directory, sizeof(directory), "%s/lanpost-test-XXXXXX",
	         base && *base ? base : "/tmp");
	if (mkdtemp(directory))
		return;
	perror(directory);
	exit(1);
}

const char *tempdir_path(const char *name)
{
	static char paths[16][PATH_MAX + 256];
	static unsigned next;
	char *path = paths[next++ % 16];

	snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

void tempdir_write(const char *name, const char *contents)
{
	const char *path = tempdir_path(name);
	FILE *file = fopen(path, "w");

	if (file && fwrite(contents, 1, strlen(contents), file) ==
	            strlen(contents) && fclose(file) == 0)
		return;
	perror(path);
	exit(1);
}

static int remove_one(const char *path, const struct stat *status, int type,
                      struct FTW *ftw)
{
	(void)status, (void)type, (void)ftw;
	return remove(path);
}

void tempdir_remove(void)
{
	nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
