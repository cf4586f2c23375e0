#include "tests/faults/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "proto/xalloc.h"
#include "tests/faults/shim_vfs.h"

/* How to take one operation back. */
struct undo {
	struct undo *older;
	enum { UNDO_WRITE, UNDO_CREATE, UNDO_DELETE } type;
	char *path;
	bool doomed;          /* a sync of it has failed */
	uint64_t offset, len; /* what was written */
	uint64_t size;        /* of the file before */
	char *old;            /* what was there, old_len octets of it */
	uint64_t old_len;
};

static struct disk_plan plan;
static char *folder;
static size_t folder_len;
static struct undo *newest;
static unsigned operations;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

int __real_open(const char *path, int flags, ...);
int __real_openat(int at, const char *path, int flags, ...);
ssize_t __real_pwrite(int fd, const void *data, size_t len, off_t offset);
int __real_fsync(int fd);
int __real_fdatasync(int fd);
int __real_ftruncate(int fd, off_t size);
int __real_unlinkat(int at, const char *name, int flags);
int __real_linkat(int at, const char *name, int new_at, const char *new_name,
		  int flags);
int __real_close(int fd);
int __real_sync_file_range(int fd, off_t offset, off_t len, unsigned flags);

/* --- remembering -------------------------------------------------------- */

static struct undo *remember(int type, const char *path)
{
	struct undo *undo = xcalloc(1, sizeof(*undo));

	undo->type = type;
	undo->path = xstrdup(path);
	undo->older = newest;
	newest = undo;
	return undo;
}

static void forget(struct undo **place)
{
	struct undo *undo = *place;

	*place = undo->older;
	free(undo->path);
	free(undo->old);
	free(undo);
}

static void keep_old(struct undo *undo, uint64_t offset, uint64_t len)
{
	int fd = __real_open(undo->path, O_RDONLY | O_CLOEXEC);
	struct stat info;
	ssize_t n;

	undo->offset = offset;
	undo->len = len;
	if (fd < 0 || fstat(fd, &info) != 0)
		return;
	undo->size = (uint64_t)info.st_size;
	undo->old = xmalloc(len);
	n = pread(fd, undo->old, len, (off_t)offset);
	undo->old_len = n > 0 ? (uint64_t)n : 0;
	__real_close(fd);
}

enum { PIECE = 16 * 1024 }; /* of what a tear keeps or loses at once */

static void remember_write(const char *path, uint64_t offset, uint64_t len)
{
	while (len > 0) {
		uint64_t n = len < PIECE ? len : PIECE;

		keep_old(remember(UNDO_WRITE, path), offset, n);
		offset += n;
		len -= n;
	}
}

static uint64_t size_of(const char *path)
{
	struct stat info;

	return stat(path, &info) == 0 ? (uint64_t)info.st_size : 0;
}

/* As a write of nothing over the end. */
static void remember_truncate(const char *path, uint64_t size)
{
	uint64_t old = size_of(path);

	if (old > size)
		keep_old(remember(UNDO_WRITE, path), size, old - size);
}

static void remember_delete(const char *path)
{
	keep_old(remember(UNDO_DELETE, path), 0, size_of(path));
}

/* --- syncing ------------------------------------------------------------ */

static bool is_in(const char *path, const char *of)
{
	size_t len = strlen(of);

	return strncmp(path, of, len) == 0 && path[len] == '/' &&
	       !strchr(path + len + 1, '/');
}

/* A write that lasts puts an end to the doom of what it covers. */
static void redeem(struct undo *lasting)
{
	uint64_t end = lasting->offset + lasting->len;
	struct undo **place = &lasting->older;

	while (*place) {
		struct undo *undo = *place;

		if (undo->type == UNDO_WRITE && undo->doomed &&
		    strcmp(undo->path, lasting->path) == 0 &&
		    undo->offset >= lasting->offset &&
		    undo->offset + undo->len <= end)
			forget(place);
		else
			place = &undo->older;
	}
}

static void sync_file(const char *path, bool failed)
{
	struct undo **place = &newest;

	while (*place) {
		struct undo *undo = *place;

		if (undo->type != UNDO_WRITE || undo->doomed ||
		    strcmp(undo->path, path) != 0) {
			place = &undo->older;
		} else if (failed) {
			undo->doomed = true;
			place = &undo->older;
		} else {
			redeem(undo);
			forget(place);
		}
	}
}

/* With a file that is gone for good goes all that was done to it. */
static void forget_older(struct undo *removal)
{
	struct undo **place = &removal->older;

	while (*place) {
		if (strcmp((*place)->path, removal->path) == 0)
			forget(place);
		else
			place = &(*place)->older;
	}
}

static void sync_folder(const char *path, bool failed)
{
	struct undo **place = &newest;

	while (*place) {
		struct undo *undo = *place;

		if (undo->type == UNDO_WRITE || undo->doomed ||
		    !is_in(undo->path, path)) {
			place = &undo->older;
			continue;
		}
		if (failed) {
			undo->doomed = true;
			continue;
		}
		if (undo->type == UNDO_DELETE)
			forget_older(undo);
		forget(place);
	}
}

static void sync_folder_of(const char *path)
{
	char *parent = xmemdup0(path, (size_t)(strrchr(path, '/') - path));

	sync_folder(parent, false);
	free(parent);
}

/* --- the end of the power ----------------------------------------------- */

static bool chance(void)
{
	plan.seed ^= plan.seed << 13;
	plan.seed ^= plan.seed >> 17;
	plan.seed ^= plan.seed << 5;
	return plan.seed & 0x100;
}

static void put_back(const struct undo *undo, int flags)
{
	uint64_t end = undo->offset + undo->len;
	int fd = __real_open(undo->path, O_WRONLY | O_CLOEXEC | flags, 0600);
	char *zeros;

	if (fd < 0)
		return;
	if (end > undo->size && size_of(undo->path) <= end &&
	    plan.cut == DISK_LOSES)
		__real_ftruncate(fd, (off_t)undo->size);
	if (undo->old_len > 0)
		__real_pwrite(fd, undo->old, undo->old_len,
			      (off_t)undo->offset);
	if (size_of(undo->path) > undo->offset + undo->old_len) {
		zeros = xcalloc(1, undo->len - undo->old_len + 1);
		__real_pwrite(fd, zeros, undo->len - undo->old_len,
			      (off_t)(undo->offset + undo->old_len));
		free(zeros);
	}
	__real_close(fd);
}

static void take_back(const struct undo *undo)
{
	switch (undo->type) {
	case UNDO_WRITE:
		put_back(undo, 0);
		break;
	case UNDO_CREATE:
		__real_unlinkat(AT_FDCWD, undo->path, 0);
		break;
	case UNDO_DELETE:
		put_back(undo, O_CREAT);
		break;
	}
}

/* With the lock held. */
static void cut(void)
{
	for (struct undo *undo = newest; undo; undo = undo->older)
		if (plan.cut == DISK_LOSES ||
		    (plan.cut == DISK_TEARS && chance()))
			take_back(undo);
	_exit(DISK_CUT_STATUS);
}

void disk_cut_now(void)
{
	pthread_mutex_lock(&lock);
	cut();
	abort();
}

/* --- each operation ----------------------------------------------------- */

enum kind { CHANGE, SYNC };

/* Counts it; 0 or the errno that it fails with, with the lock held. */
static int begin(enum kind kind)
{
	unsigned number;

	pthread_mutex_lock(&lock);
	number = ++operations;
	if (number == plan.cut_at)
		cut();
	if (number < plan.fail_from ||
	    number - plan.fail_from >= plan.fail_count ||
	    (plan.only_syncs && kind != SYNC))
		return 0;
	return plan.fail_errno;
}

static int end(int failure)
{
	pthread_mutex_unlock(&lock);
	if (failure)
		errno = failure;
	return failure;
}

static bool ends_in(const char *path, const char *end_of_it)
{
	size_t len = strlen(path), n = strlen(end_of_it);

	return len > n && strcmp(path + len - n, end_of_it) == 0;
}

static int guard(enum shim_op op, const char *path, uint64_t offset,
		 uint64_t len)
{
	int failure;

	if (strncmp(path, folder, folder_len) != 0)
		return 0;
	failure = begin(op == SHIM_SYNC ? SYNC : CHANGE);
	if (op == SHIM_SYNC)
		sync_file(path, failure != 0);
	/* SQLite makes the name of a log last with its first sync. */
	if (op == SHIM_SYNC && !failure && ends_in(path, "-wal"))
		sync_folder_of(path);
	if (failure)
		return end(failure);
	if (op == SHIM_CREATE)
		remember(UNDO_CREATE, path);
	if (op == SHIM_WRITE)
		remember_write(path, offset, len);
	if (op == SHIM_TRUNCATE)
		remember_truncate(path, offset);
	if (op == SHIM_DELETE)
		remember_delete(path);
	return end(0);
}

/* --- the calls of relay/ ------------------------------------------------ */

static char *path_at(int at, const char *name)
{
	char link[64], path[1024];
	ssize_t n;

	if (at == AT_FDCWD)
		return xstrdup(name);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", at);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	return name ? xasprintf("%s/%s", path, name) : xstrdup(path);
}

/* The path when it is of this disk, else NULL. */
static char *ours(int at, const char *name)
{
	char *path = folder ? path_at(at, name) : NULL;

	if (path && strncmp(path, folder, folder_len) == 0)
		return path;
	free(path);
	return NULL;
}

int __wrap_openat(int at, const char *name, int flags, ...);
int __wrap_openat(int at, const char *name, int flags, ...)
{
	char *path = flags & O_CREAT ? ours(at, name) : NULL;
	va_list args;
	int fd, mode = 0;

	if (flags & O_CREAT) {
		va_start(args, flags);
		mode = va_arg(args, int);
		va_end(args);
	}
	if (!path)
		return __real_openat(at, name, flags, mode);
	if (end(begin(CHANGE))) {
		free(path);
		return -1;
	}
	pthread_mutex_lock(&lock);
	if (access(path, F_OK) != 0)
		remember(UNDO_CREATE, path);
	fd = __real_openat(at, name, flags, mode);
	pthread_mutex_unlock(&lock);
	free(path);
	return fd;
}

int __wrap_open(const char *name, int flags, ...);
int __wrap_open(const char *name, int flags, ...)
{
	va_list args;
	int mode = 0;

	if (flags & O_CREAT) {
		va_start(args, flags);
		mode = va_arg(args, int);
		va_end(args);
	}
	return __wrap_openat(AT_FDCWD, name, flags, mode);
}

ssize_t __wrap_pwrite(int fd, const void *data, size_t len, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *data, size_t len, off_t offset)
{
	char *path = ours(fd, NULL);
	ssize_t n = -1;
	int failure;

	if (!path)
		return __real_pwrite(fd, data, len, offset);
	failure = begin(CHANGE);
	/* What fails may have been half done. */
	if (failure)
		len /= 2;
	remember_write(path, (uint64_t)offset, len);
	n = __real_pwrite(fd, data, len, offset);
	free(path);
	return end(failure) ? -1 : n;
}

static int wrapped_sync(int fd, int (*real)(int fd))
{
	char *path = ours(fd, NULL);
	struct stat info;
	int failure;

	if (!path)
		return real(fd);
	failure = begin(SYNC);
	if (fstat(fd, &info) == 0 && !S_ISDIR(info.st_mode))
		sync_file(path, failure != 0);
	else if (!failure || ends_in(path, "/bodies"))
		sync_folder(path, failure != 0);
	free(path);
	return end(failure) ? -1 : 0;
}

int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
	return wrapped_sync(fd, __real_fsync);
}

int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
	return wrapped_sync(fd, __real_fdatasync);
}

int __wrap_ftruncate(int fd, off_t size);
int __wrap_ftruncate(int fd, off_t size)
{
	char *path = ours(fd, NULL);
	int failure, result = -1;

	if (!path)
		return __real_ftruncate(fd, size);
	failure = begin(CHANGE);
	if (!failure) {
		remember_truncate(path, (uint64_t)size);
		result = __real_ftruncate(fd, size);
	}
	free(path);
	return end(failure) ? -1 : result;
}

int __wrap_unlinkat(int at, const char *name, int flags);
int __wrap_unlinkat(int at, const char *name, int flags)
{
	char *path = ours(at, name);
	int failure, result = -1;

	if (!path)
		return __real_unlinkat(at, name, flags);
	failure = begin(CHANGE);
	if (!failure) {
		if (access(path, F_OK) == 0)
			remember_delete(path);
		result = __real_unlinkat(at, name, flags);
	}
	free(path);
	return end(failure) ? -1 : result;
}

int __wrap_linkat(int at, const char *name, int new_at, const char *new_name,
		  int flags);
int __wrap_linkat(int at, const char *name, int new_at, const char *new_name,
		  int flags)
{
	char *path = ours(new_at, new_name);
	int failure, result = -1;

	if (!path)
		return __real_linkat(at, name, new_at, new_name, flags);
	failure = begin(CHANGE);
	if (!failure && plan.no_links)
		failure = EPERM;
	if (!failure) {
		remember(UNDO_CREATE, path);
		result = __real_linkat(at, name, new_at, new_name, flags);
	}
	free(path);
	return end(failure) ? -1 : result;
}

/* Whatever it says, the descriptor is gone. */
int __wrap_close(int fd);
int __wrap_close(int fd)
{
	char *path = ours(fd, NULL);
	int failure, result;

	if (!path)
		return __real_close(fd);
	failure = begin(CHANGE);
	result = __real_close(fd);
	free(path);
	return end(failure) ? -1 : result;
}

/* It begins what a sync ends, and makes nothing last. */
int __wrap_sync_file_range(int fd, off_t offset, off_t len, unsigned flags);
int __wrap_sync_file_range(int fd, off_t offset, off_t len, unsigned flags)
{
	char *path = ours(fd, NULL);

	if (!path)
		return __real_sync_file_range(fd, offset, len, flags);
	free(path);
	return end(begin(CHANGE)) ? -1 : 0;
}

/* --- beginning ---------------------------------------------------------- */

void disk_begin(const char *new_folder, const struct disk_plan *new_plan)
{
	plan = *new_plan;
	folder = realpath(new_folder, NULL);
	if (!folder) {
		perror(new_folder);
		exit(1);
	}
	folder_len = strlen(folder);
	shim_vfs_install(guard, false);
}

unsigned disk_operations(void)
{
	unsigned count;

	pthread_mutex_lock(&lock);
	count = operations;
	pthread_mutex_unlock(&lock);
	return count;
}
