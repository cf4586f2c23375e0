/*
 * spool_folder -- making, judging and locking the folders of a spool; for
 * spool.c alone.
 *
 * Each function that fails leaves a sentence in spool_folder_error(), a buffer
 * of the calling thread.
 */
#ifndef RELAY_QUEUE_SPOOL_FOLDER_H
#define RELAY_QUEUE_SPOOL_FOLDER_H

#include <stdbool.h>
#include "relay/queue/spool.h"

/* As mkdir -p: the last with mode 0700, those above it with 0755.  Each new
 * folder is synced into the one that holds it. */
bool spool_folder_make(const char *path);
/* A descriptor of the folder, made with mode 0700 if it is missing; -1 when it
 * is none, belongs to somebody else or can be written to by others.  path is
 * how the sentence names it. */
int spool_folder_open(int parent_fd, const char *name, const char *path);
/* Syncs its directory entries. */
bool spool_folder_sync(int fd, const char *path);
/* An exclusive lock on FOLDER/lock, until *lock_fd_r is closed. */
enum spool_open_result spool_folder_lock(int folder_fd, const char *path,
                                         int *lock_fd_r);

const char *spool_folder_error(void);

#endif
