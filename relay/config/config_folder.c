#include "relay/config/config_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "proto/buf.h"
#include "proto/xalloc.h"
#include "relay/config/config.h"

enum { FILE_MAX = 1024 * 1024, PIECE = 16 * 1024, FILES_MAX = 1000 };

char *config_folder_beside(const char *config_path, const char *name)
{
	const char *path = config_path ? config_path : CONFIG_DEFAULT_PATH;
	const char *slash = strrchr(path, '/');

	return xasprintf("%.*s%s", slash ? (int)(slash - path + 1) : 0, path,
			 name);
}

static bool fail(char **error_r, const char *path, const char *why)
{
	*error_r = xasprintf("%s: %s", path, why);
	return false;
}

/* --- a file ------------------------------------------------------------- */

static bool read_bytes(int fd, struct buf *bytes)
{
	ssize_t n;

	do {
		char *room = buf_room(bytes, PIECE);

		if (!room) {
			errno = EFBIG;
			return false;
		}
		n = read(fd, room, PIECE);
		if (n > 0)
			buf_added(bytes, (size_t)n);
	} while (n > 0 || (n < 0 && errno == EINTR));
	return n == 0;
}

/* O_NONBLOCK: a FIFO in a file's place does not hold us up. */
static bool read_file(const char *path, struct buf *bytes, char **error_r)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;
	bool good = true;

	if (fd < 0)
		return fail(error_r, path, strerror(errno));
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		good = fail(error_r, path, "this is not a plain file");
	else if (!read_bytes(fd, bytes))
		good = fail(error_r, path,
			    errno == EFBIG ? "the file has more than 1 MiB"
					   : strerror(errno));
	close(fd);
	return good;
}

/* --- the folder --------------------------------------------------------- */

static int is_ini(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > 4 && entry->d_name[0] != '.' &&
	       strcmp(entry->d_name + len - 4, ".ini") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

bool config_folder_is_empty(const char *folder)
{
	struct dirent **entries;
	int n = scandir(folder, &entries, is_ini, by_name);

	if (n < 0)
		return errno == ENOENT;
	for (int i = 0; i < n; i++)
		free(entries[i]);
	free(entries);
	return n == 0;
}

bool config_folder_read(const char *folder,
			bool (*take)(void *ctx, struct text bytes,
				     const char *path, char **error_r),
			void *ctx, char **error_r)
{
	struct dirent **entries;
	int n = scandir(folder, &entries, is_ini, by_name);
	bool good = true;

	if (n < 0)
		return errno == ENOENT ||
		       fail(error_r, folder, strerror(errno));
	if (n > FILES_MAX)
		good = fail(error_r, folder, "there are more than 1000 files");
	for (int i = 0; i < n; i++) {
		struct buf bytes = BUF_INIT(FILE_MAX + PIECE);
		char *path = xasprintf("%s/%s", folder, entries[i]->d_name);

		good = good && read_file(path, &bytes, error_r) &&
		       take(ctx, buf_text(&bytes), path, error_r);
		buf_free(&bytes);
		free(path);
		free(entries[i]);
	}
	free(entries);
	return good;
}
