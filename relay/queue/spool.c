#include "relay/queue/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <linux/magic.h>
#include "proto/xalloc.h"
#include "relay/queue/spool_folder.h"

struct spool {
	unsigned references;
	char *folder;
	char *database;
	int folder_fd, bodies_fd, lock_fd;
	uint64_t max_size, min_free;
	_Atomic uint64_t used;
	_Atomic unsigned epoch;
	/* What the file system said last. */
	bool disk_known, disk_inodes_low;
	uint64_t disk_asked_ms, disk_free;
	uint64_t disk_asked_used; /* spool_used() when the disk was asked */
};

enum {
	DISK_ASK_MS = 1000,
	MIN_FREE_INODES = 100,
};

/* --- opening ------------------------------------------------------------ */

static struct spool *spool_new(const struct spool_settings *settings)
{
	struct spool *spool = xcalloc(1, sizeof(*spool));

	spool->references = 1;
	spool->folder = xstrdup(settings->folder);
	spool->database = xasprintf("%s/lanpost.db", settings->folder);
	spool->folder_fd = spool->bodies_fd = spool->lock_fd = -1;
	spool->max_size = settings->max_size;
	spool->min_free = settings->min_free;
	return spool;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void spool_close(struct spool **spool_ptr)
{
	struct spool *spool = *spool_ptr;

	*spool_ptr = NULL;
	if (!spool || --spool->references > 0)
		return;
	close_fd(&spool->bodies_fd);
	close_fd(&spool->folder_fd);
	close_fd(&spool->lock_fd); /* last: it guards the others */
	free(spool->folder);
	free(spool->database);
	free(spool);
}

struct spool *spool_hold(struct spool *spool)
{
	spool->references++;
	return spool;
}

static bool open_bodies(struct spool *spool)
{
	char *path = xasprintf("%s/bodies", spool->folder);

	spool->bodies_fd = spool_folder_open(spool->folder_fd, "bodies", path);
	free(path);
	return spool->bodies_fd >= 0;
}

enum spool_open_result spool_open(struct spool **spool_r,
				  const struct spool_settings *settings,
				  const char **error_r)
{
	struct spool *spool = spool_new(settings);
	enum spool_open_result result = SPOOL_BROKEN;

	/* A file above the limit of the process is an EFBIG, not the end. */
	signal(SIGXFSZ, SIG_IGN);
	*spool_r = NULL;
	if (!spool_folder_make(spool->folder))
		goto failed;
	spool->folder_fd =
		spool_folder_open(AT_FDCWD, spool->folder, spool->folder);
	if (spool->folder_fd < 0)
		goto failed;
	result = spool_folder_lock(spool->folder_fd, spool->folder,
				   &spool->lock_fd);
	if (result != SPOOL_OPEN)
		goto failed;
	result = SPOOL_BROKEN;
	if (!open_bodies(spool))
		goto failed;
	if (!spool_folder_sync(spool->folder_fd, spool->folder))
		goto failed;
	*spool_r = spool;
	return SPOOL_OPEN;
failed:
	*error_r = spool_folder_error();
	spool_close(&spool);
	return result;
}

void spool_set_limits(struct spool *spool, uint64_t max_size, uint64_t min_free)
{
	spool->max_size = max_size;
	spool->min_free = min_free;
}

const char *spool_folder(const struct spool *spool)
{
	return spool->folder;
}

int spool_folder_fd(const struct spool *spool)
{
	return spool->folder_fd;
}

int spool_bodies_fd(const struct spool *spool)
{
	return spool->bodies_fd;
}

const char *spool_database(const struct spool *spool)
{
	return spool->database;
}

unsigned spool_epoch(const struct spool *spool)
{
	return atomic_load(&spool->epoch);
}

void spool_end_epoch(struct spool *spool)
{
	atomic_fetch_add(&spool->epoch, 1);
}

/* --- room --------------------------------------------------------------- */

/* Octets free for us; bodies/ may be on a disk of its own. */
static void ask_disk(struct spool *spool, int fd)
{
	struct statvfs disk;
	uint64_t octets;

	if (fstatvfs(fd, &disk) != 0)
		return;
	octets = (uint64_t)disk.f_bavail * disk.f_frsize;
	if (octets < spool->disk_free)
		spool->disk_free = octets;
	/* Some file systems make inodes as they go and count none. */
	if (disk.f_files > 0 && disk.f_favail < MIN_FREE_INODES)
		spool->disk_inodes_low = true;
}

static void look_at_disk(struct spool *spool, uint64_t now_ms)
{
	if (spool->disk_known && now_ms - spool->disk_asked_ms < DISK_ASK_MS)
		return;
	spool->disk_known = true;
	spool->disk_asked_ms = now_ms;
	spool->disk_asked_used = spool_used(spool);
	spool->disk_free = UINT64_MAX;
	spool->disk_inodes_low = false;
	ask_disk(spool, spool->folder_fd);
	ask_disk(spool, spool->bodies_fd);
}

/* What came since the disk was asked has taken its room already. */
static uint64_t disk_free_now(const struct spool *spool)
{
	uint64_t used = spool_used(spool), asked = spool->disk_asked_used;
	uint64_t grown = used > asked ? used - asked : 0;

	return spool->disk_free > grown ? spool->disk_free - grown : 0;
}

static bool exceeds(uint64_t a, uint64_t b, uint64_t limit)
{
	return a > limit || b > limit - a;
}

enum spool_room spool_room(struct spool *spool, uint64_t octets,
			   uint64_t now_ms)
{
	if (spool->max_size > 0 &&
	    exceeds(spool_used(spool), octets, spool->max_size))
		return SPOOL_FULL;
	look_at_disk(spool, now_ms);
	if (spool->disk_inodes_low ||
	    exceeds(spool->min_free, octets, disk_free_now(spool)))
		return SPOOL_DISK_LOW;
	return SPOOL_ROOM;
}

bool spool_inodes_low(const struct spool *spool)
{
	return spool->disk_inodes_low;
}

void spool_add(struct spool *spool, uint64_t octets)
{
	atomic_fetch_add(&spool->used, octets);
}

void spool_remove(struct spool *spool, uint64_t octets)
{
	uint64_t used = atomic_load(&spool->used);
	uint64_t left;

	do {
		left = used > octets ? used - octets : 0;
	} while (!atomic_compare_exchange_weak(&spool->used, &used, left));
}

uint64_t spool_used(const struct spool *spool)
{
	return atomic_load(&spool->used);
}

/* --- what it stands on -------------------------------------------------- */

static const struct doubtful {
	unsigned long magic;
	const char *name;
} doubtful[] = {
	{ TMPFS_MAGIC, "tmpfs" },
	{ RAMFS_MAGIC, "ramfs" },
	{ OVERLAYFS_SUPER_MAGIC, "overlayfs" },
	{ NFS_SUPER_MAGIC, "nfs" },
	{ SMB_SUPER_MAGIC, "smb" },
	{ CIFS_SUPER_MAGIC, "cifs" },
	{ SMB2_SUPER_MAGIC, "smb2" },
	{ FUSE_SUPER_MAGIC, "fuse" },
	{ V9FS_MAGIC, "9p" },
	{ CEPH_SUPER_MAGIC, "ceph" },
};

static const char *doubtful_name(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) != 0)
		return NULL;
	for (size_t i = 0; i < sizeof(doubtful) / sizeof(*doubtful); i++)
		if ((uint32_t)fs.f_type == (uint32_t)doubtful[i].magic)
			return doubtful[i].name;
	return NULL;
}

const char *spool_doubtful_filesystem(const struct spool *spool)
{
	const char *name = doubtful_name(spool->folder_fd);

	return name ? name : doubtful_name(spool->bodies_fd);
}

bool spool_has_own_mount(const struct spool *spool)
{
	struct stat root, folder;

	return stat("/", &root) == 0 && fstat(spool->folder_fd, &folder) == 0 &&
	       root.st_dev != folder.st_dev;
}
