#include "tests/faults/shim_vfs.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct shim_file {
	sqlite3_file base; /* first: what SQLite sees */
	char *path;
	sqlite3_file *real;
};

static sqlite3_vfs *real_vfs;
static sqlite3_vfs shim;
static shim_guard guard;
static bool really_sync;
static _Thread_local int last_errno;

static sqlite3_file *real_of(sqlite3_file *file)
{
	return ((struct shim_file *)file)->real;
}

static int ask(sqlite3_file *file, enum shim_op op, uint64_t offset,
	       uint64_t len, int failure)
{
	int code = guard(op, ((struct shim_file *)file)->path, offset, len);

	if (code == 0)
		return SQLITE_OK;
	last_errno = code;
	return code == ENOSPC ? SQLITE_FULL : failure;
}

/* --- guarded ------------------------------------------------------------ */

static int shim_write(sqlite3_file *file, const void *data, int len,
		      sqlite3_int64 offset)
{
	int code = ask(file, SHIM_WRITE, (uint64_t)offset, (uint64_t)len,
		       SQLITE_IOERR_WRITE);

	return code ? code
		    : real_of(file)->pMethods->xWrite(real_of(file), data, len,
						      offset);
}

static int shim_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	int code = ask(file, SHIM_TRUNCATE, (uint64_t)size, 0,
		       SQLITE_IOERR_TRUNCATE);

	return code ? code
		    : real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int shim_sync(sqlite3_file *file, int flags)
{
	int code = ask(file, SHIM_SYNC, 0, 0, SQLITE_IOERR_FSYNC);

	if (code || !really_sync)
		return code;
	return real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int shim_close(sqlite3_file *file)
{
	int code = real_of(file)->pMethods->xClose(real_of(file));

	free(real_of(file));
	free(((struct shim_file *)file)->path);
	return code;
}

/* --- handed through ----------------------------------------------------- */

static int shim_read(sqlite3_file *file, void *data, int len,
		     sqlite3_int64 offset)
{
	return real_of(file)->pMethods->xRead(real_of(file), data, len, offset);
}

static int shim_size(sqlite3_file *file, sqlite3_int64 *size)
{
	return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int shim_lock(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int shim_unlock(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int shim_check_lock(sqlite3_file *file, int *reserved)
{
	return real_of(file)->pMethods->xCheckReservedLock(real_of(file),
							   reserved);
}

static int shim_control(sqlite3_file *file, int op, void *arg)
{
	return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}

static int shim_sector_size(sqlite3_file *file)
{
	return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int shim_characteristics(sqlite3_file *file)
{
	return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int shim_shm_map(sqlite3_file *file, int page, int size, int extend,
			void volatile **memory)
{
	return real_of(file)->pMethods->xShmMap(real_of(file), page, size,
						extend, memory);
}

static int shim_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
	return real_of(file)->pMethods->xShmLock(real_of(file), offset, n,
						 flags);
}

static void shim_shm_barrier(sqlite3_file *file)
{
	real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int shim_shm_unmap(sqlite3_file *file, int remove)
{
	return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
}

static const sqlite3_io_methods shim_methods = {
	.iVersion = 2,
	.xClose = shim_close,
	.xRead = shim_read,
	.xWrite = shim_write,
	.xTruncate = shim_truncate,
	.xSync = shim_sync,
	.xFileSize = shim_size,
	.xLock = shim_lock,
	.xUnlock = shim_unlock,
	.xCheckReservedLock = shim_check_lock,
	.xFileControl = shim_control,
	.xSectorSize = shim_sector_size,
	.xDeviceCharacteristics = shim_characteristics,
	.xShmMap = shim_shm_map,
	.xShmLock = shim_shm_lock,
	.xShmBarrier = shim_shm_barrier,
	.xShmUnmap = shim_shm_unmap,
};

/* --- the file system ---------------------------------------------------- */

static int open_real(const char *name, struct shim_file *file, int flags,
		     int *flags_r)
{
	int code;

	file->real = calloc(1, (size_t)real_vfs->szOsFile);
	code = real_vfs->xOpen(real_vfs, name, file->real, flags, flags_r);
	if (code != SQLITE_OK) {
		free(file->real);
		return code;
	}
	file->path = strdup(name ? name : "");
	file->base.pMethods = &shim_methods;
	return SQLITE_OK;
}

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base,
		     int flags, int *flags_r)
{
	struct shim_file *file = (struct shim_file *)base;

	(void)vfs;
	memset(file, 0, sizeof(*file));
	if (name && (flags & SQLITE_OPEN_CREATE) && access(name, F_OK) != 0) {
		last_errno = guard(SHIM_CREATE, name, 0, 0);
		if (last_errno)
			return SQLITE_CANTOPEN;
	}
	return open_real(name, file, flags, flags_r);
}

static int shim_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	(void)vfs;
	if (access(name, F_OK) == 0)
		last_errno = guard(SHIM_DELETE, name, 0, 0);
	else
		last_errno = 0;
	return last_errno ? SQLITE_IOERR_DELETE
			  : real_vfs->xDelete(real_vfs, name, sync);
}

static int shim_last_error(sqlite3_vfs *vfs, int len, char *text)
{
	int code = last_errno;

	(void)vfs;
	last_errno = 0;
	return code ? code : real_vfs->xGetLastError(real_vfs, len, text);
}

void shim_vfs_install(shim_guard new_guard, bool sync)
{
	guard = new_guard;
	really_sync = sync;
	if (real_vfs)
		return;
	sqlite3_initialize();
	real_vfs = sqlite3_vfs_find(NULL);
	/* The other functions of the system's own do not look at the vfs. */
	shim = *real_vfs;
	shim.zName = "shim";
	shim.szOsFile = sizeof(struct shim_file);
	shim.xOpen = shim_open;
	shim.xDelete = shim_delete;
	shim.xGetLastError = shim_last_error;
	sqlite3_vfs_register(&shim, 1);
}
