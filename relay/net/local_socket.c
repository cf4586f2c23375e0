#include "relay/net/local_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BACKLOG = 64 };

static _Thread_local char error_text[512];

bool local_path_open(struct local_path *path, const char *folder,
                     const char *name)
{
	int len = snprintf(path->text, sizeof(path->text), "%s/%s", folder,
	                   name);

	path->folder = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (path->folder < 0)
		return false;
	if (len >= (int)sizeof(path->text))
		len = snprintf(path->text, sizeof(path->text),
		               "/proc/self/fd/%d/%s", path->folder, name);
	if (len < (int)sizeof(path->text))
		return true;
	local_path_close(path);
	errno = ENAMETOOLONG;
	return false;
}

void local_path_close(struct local_path *path)
{
	if (path->folder >= 0)
		close(path->folder);
	path->folder = -1;
}

/* Only a socket: whatever else has the name is somebody's file. */
static bool remove_stale(const struct local_path *path, const char *name)
{
	struct stat status;

	if (fstatat(path->folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT;
	if (!S_ISSOCK(status.st_mode)) {
		errno = EEXIST;
		return false;
	}
	return unlinkat(path->folder, name, 0) == 0;
}

static bool bind_and_listen(int fd, const struct local_path *path,
                            const char *name, unsigned mode)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	memcpy(address.sun_path, path->text, sizeof(path->text));
	return remove_stale(path, name) &&
	       bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	       fchmodat(path->folder, name, mode, 0) == 0 &&
	       listen(fd, BACKLOG) == 0;
}

static int fail(const char *folder, const char *name, const char **error_r)
{
	snprintf(error_text, sizeof(error_text),
	         "the socket %.200s/%s cannot be made: %s%s", folder, name,
	         strerror(errno),
	         errno == EEXIST ? " and is no socket: move it away" : "");
	*error_r = error_text;
	return -1;
}

int local_listen(const char *folder, const char *name, unsigned mode,
                 const char **error_r)
{
	struct local_path path;
	int fd, kept;

	if (!local_path_open(&path, folder, name))
		return fail(folder, name, error_r);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && bind_and_listen(fd, &path, name, mode)) {
		local_path_close(&path);
		return fd;
	}
	kept = errno;
	if (fd >= 0)
		close(fd);
	local_path_close(&path);
	errno = kept;
	return fail(folder, name, error_r);
}

void local_unlink(const char *folder, const char *name)
{
	int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	unlinkat(fd, name, 0);
	close(fd);
}
