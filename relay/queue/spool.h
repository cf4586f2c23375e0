/*
 * spool -- the folder that holds the queue: lanpost.db, bodies/, lock.
 *
 * One server per spool: spool_open() takes an exclusive lock for life and says
 * who holds it otherwise.  The folder is made with mode 0700, and refused when
 * others may write to it.  spool_room() is the one place that decides whether
 * new mail fits: max_spool_size over the bodies held, min_free_disk (octets
 * and inodes) on the file system, looked at once a second at most.
 */
#ifndef RELAY_QUEUE_SPOOL_H
#define RELAY_QUEUE_SPOOL_H

#include <stdbool.h>
#include <stdint.h>
#include "relay/net/loop.h"

struct spool;

struct spool_settings {
	const char *folder;
	uint64_t max_size;      /* octets of all bodies; 0: no limit */
	uint64_t min_free;      /* octets */
};

enum spool_room {
	SPOOL_ROOM,             /* come in */
	SPOOL_FULL,             /* max_spool_size is reached */
	SPOOL_DISK_LOW,         /* less than min_free_disk, or no inodes */
};

enum spool_open_result { SPOOL_OPEN, SPOOL_LOCKED, SPOOL_BROKEN };

/* *error_r: a sentence with the path, and what to do; thread-local. */
enum spool_open_result spool_open(struct spool **spool_r,
                                  const struct spool_settings *settings,
                                  const char **error_r);
void spool_close(struct spool **spool);
/* One more owner, who gives it up with spool_close(): background work keeps
 * the spool open, and locked, until it is done.  On the loop thread. */
struct spool *spool_hold(struct spool *spool);
void spool_set_limits(struct spool *spool, uint64_t max_size,
                      uint64_t min_free);

const char *spool_folder(const struct spool *spool);
int spool_folder_fd(const struct spool *spool);
int spool_bodies_fd(const struct spool *spool); /* of bodies/, for openat() */
const char *spool_database(const struct spool *spool); /* path */

/* A sync of bodies/ that failed is not made good by one that succeeds later:
 * what was made in the folder before belongs to an epoch that is over.  From
 * any thread. */
unsigned spool_epoch(const struct spool *spool);
void spool_end_epoch(struct spool *spool);

enum spool_room spool_room(struct spool *spool, uint64_t octets,
                           uint64_t now_ms);
/* Whether a SPOOL_DISK_LOW of now is about inodes rather than octets. */
bool spool_inodes_low(const struct spool *spool);
/* Bodies come and go: body.c counts octets as they arrive and takes back those
 * of an aborted body, the store counts what recovery finds and takes back what
 * it drops.  From any thread. */
void spool_add(struct spool *spool, uint64_t octets);
void spool_remove(struct spool *spool, uint64_t octets);
uint64_t spool_used(const struct spool *spool);
/* "tmpfs", "nfs", "overlayfs" ... when durability there needs a warning, else
 * NULL. */
const char *spool_doubtful_filesystem(const struct spool *spool);
/* Not on the file system of "/": in a container, what outlives it. */
bool spool_has_own_mount(const struct spool *spool);

#endif
