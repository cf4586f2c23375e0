#include "relay/report/catalogue_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/xalloc.h"

enum { FILE_MAX = 1024 * 1024, PIECE = 16 * 1024 };

static bool complain(char **error_r, const char *path, const char *words)
{
	*error_r = xasprintf("%s: %s", path, words);
	return false;
}

/* ---- a file ---- */

static bool read_bytes(int fd, struct buf *bytes, const char **why)
{
	char *room;
	ssize_t n;

	do {
		room = buf_room(bytes, PIECE);
		if (room == NULL) {
			*why = "the file has more than 1 MiB; is it a "
			       "catalogue?";
			return false;
		}
		n = read(fd, room, PIECE);
		if (n > 0)
			buf_added(bytes, (size_t)n);
	} while (n > 0 || (n < 0 && errno == EINTR));
	*why = n < 0 ? strerror(errno) : NULL;
	return n == 0;
}

/* O_NONBLOCK: a FIFO in a file's place does not hold us up. */
static bool read_whole(const char *path, struct buf *bytes, const char **why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;
	bool good = false;

	if (fd < 0) {
		*why = strerror(errno);
		return false;
	}
	if (fstat(fd, &status) < 0)
		*why = strerror(errno);
	else if (!S_ISREG(status.st_mode))
		*why = "this is not a plain file; move it out of the folder";
	else
		good = read_bytes(fd, bytes, why);
	close(fd);
	return good;
}

/* An entry of an earlier file gives way. */
static void take_all(struct catalogue_list *list, struct catalogue_list *file)
{
	size_t i, k;

	for (i = 0; i < file->n; i++) {
		for (k = 0; k < list->n; k++) {
			if (strcmp(list->items[k]->entry.id,
			           file->items[i]->entry.id) == 0)
				break;
		}
		if (k == list->n) {
			catalogue_list_add(list, file->items[i]);
			continue;
		}
		catalogue_item_free(list->items[k]);
		list->items[k] = file->items[i];
	}
	free(file->items);
	*file = (struct catalogue_list){ NULL, 0 };
}

static bool read_file(const char *path, const struct providers *providers,
                      struct catalogue_list *list, char **error_r)
{
	struct buf bytes = BUF_INIT(FILE_MAX + PIECE);
	struct catalogue_list file = { NULL, 0 };
	const char *why = NULL;
	bool good = read_whole(path, &bytes, &why);

	if (!good)
		complain(error_r, path, why);
	else if ((good = catalogue_read(buf_text(&bytes), path, providers,
	                                &file, error_r)))
		take_all(list, &file);
	catalogue_list_free(&file);
	buf_free(&bytes);
	return good;
}

/* ---- the folder ---- */

static int is_catalogue(const struct dirent *entry)
{
	struct text name = text_of(entry->d_name);

	return name.len > 4 && name.data[0] != '.' &&
	       text_is(text_skip(name, name.len - 4), ".ini");
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

bool catalogue_read_folder(const char *folder,
                           const struct providers *providers,
                           struct catalogue_list *list, char **error_r)
{
	struct dirent **names;
	int i, n = scandir(folder, &names, is_catalogue, by_name);
	bool good = true;

	if (n < 0)
		return errno == ENOENT ||
		       complain(error_r, folder, strerror(errno));
	for (i = 0; i < n; i++) {
		char *path = xasprintf("%s/%s", folder, names[i]->d_name);

		good = good && read_file(path, providers, list, error_r);
		free(path);
		free(names[i]);
	}
	free(names);
	return good;
}
