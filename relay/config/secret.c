#include "relay/config/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "proto/xalloc.h"

enum { SECRET_MAX = 4096 };

static bool is_below(const char *path, const char *directory)
{
	size_t len = strlen(directory);

	while (len > 1 && directory[len - 1] == '/')
		len--;
	return len > 1 && strncmp(path, directory, len) == 0 &&
	       path[len] == '/';
}

/* Where it really lies: no link may lead out of the mount. */
bool secret_is_mounted(const char *path, const char *credentials)
{
	static const char *const mounts[] = { "/run/secrets",
					      "/run/credentials" };
	char *real = realpath(path, NULL), *folder = NULL;
	bool mounted = false;

	if (!real)
		return false;
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++)
		mounted |= is_below(real, mounts[i]);
	if (credentials)
		folder = realpath(credentials, NULL);
	if (folder)
		mounted |= is_below(real, folder);
	free(folder);
	free(real);
	return mounted;
}

/* The last part of the name is left out: it may be the secret itself, put
 * where the name of its file belongs. */
static void explain_missing(const char *path, struct buf *why)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		buf_puts(why, "there is no such file in this directory");
	else if (slash == path)
		buf_puts(why, "there is no such file in /");
	else
		buf_printf(why, "there is no such file in %.*s",
			   (int)(slash - path), path);
	buf_puts(why, "; create it with the password as its one line");
}

static bool explain_open(const char *path, int error, struct buf *why)
{
	if (error == ENOENT || error == ENOTDIR)
		explain_missing(path, why);
	else if (error == EACCES)
		buf_printf(why,
			   "this user (uid %u) may not read %s; run \"chown "
			   "%u %s\"",
			   (unsigned)geteuid(), path, (unsigned)geteuid(),
			   path);
	else
		buf_printf(why, "%s cannot be opened: %s", path,
			   strerror(error));
	return false;
}

static bool check_status(const char *path, const char *credentials,
			 const struct stat *status, struct buf *why)
{
	unsigned others = status->st_mode & (S_IRWXG | S_IRWXO) &
			  ~(unsigned)(S_IXGRP | S_IXOTH);

	if (!S_ISREG(status->st_mode)) {
		buf_printf(why, "%s is not a plain file", path);
		return false;
	}
	if (others == 0 || secret_is_mounted(path, credentials))
		return true;
	buf_printf(why,
		   "%s is open to others (mode %03o); run \"chmod 600 "
		   "%s\"",
		   path, (unsigned)status->st_mode & 0777, path);
	return false;
}

bool secret_take(struct text bytes, const char *what, char **secret_r,
		 struct buf *why)
{
	if (bytes.len > 0 && bytes.data[bytes.len - 1] == '\n')
		bytes.len--;
	if (bytes.len > 0 && bytes.data[bytes.len - 1] == '\r')
		bytes.len--;
	if (bytes.len == 0) {
		buf_printf(why, "%s is empty; put the password in", what);
		return false;
	}
	if (bytes.len > SECRET_MAX) {
		buf_printf(why,
			   "%s holds more than %d bytes; a password is all "
			   "that belongs there",
			   what, SECRET_MAX);
		return false;
	}
	for (size_t i = 0; i < bytes.len; i++) {
		if (strchr("\r\n", bytes.data[i])) {
			buf_printf(why,
				   "%s holds more than one line, or a NUL "
				   "byte; the password alone belongs there",
				   what);
			return false;
		}
	}
	xfree_secret(secret_r);
	*secret_r = text_dup(bytes);
	return true;
}

static bool read_secret(int fd, struct buf *bytes)
{
	char *room = buf_room(bytes, SECRET_MAX + 4);
	ssize_t n;

	do {
		n = read(fd, room, SECRET_MAX + 4);
	} while (n < 0 && errno == EINTR);
	if (n > 0)
		buf_added(bytes, (size_t)n);
	return n >= 0;
}

bool secret_read_file(const char *path, const char *credentials,
		      char **secret_r, struct buf *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct buf bytes = BUF_INIT(2 * SECRET_MAX);
	struct stat status;
	bool good;

	if (fd < 0)
		return explain_open(path, errno, why);
	if (fstat(fd, &status) < 0)
		good = explain_open(path, errno, why);
	else
		good = check_status(path, credentials, &status, why);
	if (good && !read_secret(fd, &bytes))
		good = explain_open(path, errno, why);
	good = good && secret_take(buf_text(&bytes), path, secret_r, why);
	close(fd);
	buf_wipe(&bytes);
	return good;
}
