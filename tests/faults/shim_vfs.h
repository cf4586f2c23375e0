/*
 * shim_vfs -- SQLite's own file system with a guard before each operation that
 * reaches the disk.
 *
 * The guard sees what is about to happen and may refuse it: the operation is
 * then not done, and SQLite is told so.
 */
#ifndef TESTS_FAULTS_SHIM_VFS_H
#define TESTS_FAULTS_SHIM_VFS_H

#include <stdbool.h>
#include <stdint.h>

enum shim_op { SHIM_CREATE, SHIM_WRITE, SHIM_TRUNCATE, SHIM_SYNC, SHIM_DELETE };

/* 0, or the errno to fail with.  offset is the new size for SHIM_TRUNCATE. */
typedef int (*shim_guard)(enum shim_op op, const char *path, uint64_t offset,
			  uint64_t len);

/* From now on for every database that is opened.  When the guard plays the
 * disk, no sync needs to reach a real one. */
void shim_vfs_install(shim_guard guard, bool really_sync);

#endif
