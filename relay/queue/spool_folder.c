#include "relay/queue/spool_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "proto/xalloc.h"

static _Thread_local char error_text[PATH_MAX + 512];

const char *spool_folder_error(void)
{
	return error_text;
}

static bool fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

static bool fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error_text, sizeof(error_text), format, args);
	va_end(args);
	return false;
}

/* --- making ------------------------------------------------------------- */

/* Cuts the last component off; "" becomes "/" or ".". */
static char *parent_of(const char *path)
{
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	while (len > 0 && path[len - 1] != '/')
		len--;
	while (len > 1 && path[len - 1] == '/')
		len--;
	return len > 0 ? xmemdup0(path, len) : xstrdup(".");
}

bool spool_folder_sync(int fd, const char *path)
{
	if (fsync(fd) == 0)
		return true;
	return fail("the file system cannot sync the folder %s (%s), and "
		    "without that mail would not be safe there: put the spool "
		    "on a local disk",
		    path, strerror(errno));
}

static bool sync_path(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool synced;

	/* A folder we may enter and not read is a system's own business. */
	if (fd < 0)
		return true;
	synced = spool_folder_sync(fd, path);
	close(fd);
	return synced;
}

static bool sync_parent(const char *path)
{
	char *parent = parent_of(path);
	bool synced = sync_path(parent);

	free(parent);
	return synced;
}

static bool make_folder(const char *path, mode_t mode);

static bool make_parent(const char *path)
{
	char *parent = parent_of(path);
	bool made = strcmp(parent, path) != 0 && make_folder(parent, 0755);

	free(parent);
	return made;
}

static bool make_folder(const char *path, mode_t mode)
{
	int result = mkdir(path, mode);

	if (result != 0 && errno == ENOENT) {
		if (!make_parent(path))
			return false;
		result = mkdir(path, mode);
	}
	if (result == 0)
		return sync_parent(path);
	if (errno == EEXIST)
		return true;
	return fail("the folder %s cannot be made: %s; make it with mode 0700 "
		    "for the user that runs lanpost",
		    path, strerror(errno));
}

bool spool_folder_make(const char *path)
{
	struct stat info;

	return stat(path, &info) == 0 || make_folder(path, 0700);
}

/* --- judging ------------------------------------------------------------ */

static bool check_folder(int fd, const char *path)
{
	struct stat info;

	if (fstat(fd, &info) != 0)
		return fail("the folder %s cannot be examined: %s", path,
			    strerror(errno));
	if (info.st_uid != geteuid())
		return fail(
			"the folder %s belongs to user %u, and lanpost runs "
			"as user %u: it must belong to that user and have "
			"mode 0700",
			path, (unsigned)info.st_uid, (unsigned)geteuid());
	if (info.st_mode & (S_IWGRP | S_IWOTH))
		return fail("the folder %s has mode %04o, so that others may "
			    "write to it: it must have mode 0700 "
			    "(chmod 0700 %s)",
			    path, (unsigned)(info.st_mode & 07777), path);
	return true;
}

int spool_folder_open(int parent_fd, const char *name, const char *path)
{
	/* The operator may have linked the spool elsewhere; nobody links what
	 * is inside it. */
	int nofollow = parent_fd == AT_FDCWD ? 0 : O_NOFOLLOW;
	int fd;

	if (parent_fd != AT_FDCWD && mkdirat(parent_fd, name, 0700) != 0 &&
	    errno != EEXIST) {
		fail("the folder %s cannot be made: %s", path, strerror(errno));
		return -1;
	}
	fd = openat(parent_fd, name,
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC | nofollow);
	if (fd < 0) {
		fail("the folder %s cannot be opened: %s; it must be a folder "
		     "with mode 0700 of the user that runs lanpost",
		     path, strerror(errno));
		return -1;
	}
	if (!check_folder(fd, path)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* --- the lock ----------------------------------------------------------- */

static int open_lock(int folder_fd, const char *path)
{
	int fd = openat(folder_fd, "lock",
			O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
			0600);
	struct stat info;

	if (fd < 0) {
		fail("%s/lock cannot be opened: %s", path, strerror(errno));
		return -1;
	}
	if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode))
		return fd;
	fail("%s/lock is not a regular file: remove it", path);
	close(fd);
	return -1;
}

static void say_who_holds(int fd, const char *path)
{
	char pid[16] = "";
	ssize_t len = pread(fd, pid, sizeof(pid) - 1, 0);

	pid[len > 0 ? (size_t)len : 0] = '\0';
	pid[strspn(pid, "0123456789")] = '\0';
	fail("the spool %s is in use by another lanpost%s%s: stop that one "
	     "first, or give this one a spool of its own",
	     path, *pid ? ", process " : "", pid);
}

static bool write_pid(int fd, const char *path)
{
	char pid[16];
	int len = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());

	if (ftruncate(fd, 0) == 0 && pwrite(fd, pid, (size_t)len, 0) == len)
		return true;
	/* The pid is for people; the lock holds without it, and with a full
	 * disk the queue must still be delivered. */
	if (errno == ENOSPC || errno == EDQUOT)
		return true;
	return fail("%s/lock cannot be written: %s", path, strerror(errno));
}

enum spool_open_result spool_folder_lock(int folder_fd, const char *path,
					 int *lock_fd_r)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open_lock(folder_fd, path);

	*lock_fd_r = fd;
	if (fd < 0)
		return SPOOL_BROKEN;
	/* Of the open file, not of the process: a child or a second open in
	 * this process cannot drop it by closing. */
	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return write_pid(fd, path) ? SPOOL_OPEN : SPOOL_BROKEN;
	if (errno == EAGAIN || errno == EACCES) {
		say_who_holds(fd, path);
		return SPOOL_LOCKED;
	}
	fail("%s/lock cannot be locked: %s; put the spool on a local disk",
	     path, strerror(errno));
	return SPOOL_BROKEN;
}
