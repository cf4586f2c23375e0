/*
 * body -- the bytes of one message, written once and read by each attempt.
 *
 * Up to 256 KiB stay in memory and go into the database with the commit.  A
 * larger body streams to bodies/ID, block by block on a worker thread, and is
 * synced by body_finish(); its directory entry is synced by the store, once a
 * group, before the commit that makes the message exist.  So:
 *
 *   state of a message | body                          | row       | client was told
 *   receiving          | memory, or bodies/ID unsynced | none      | nothing
 *   finished           | memory, or bodies/ID synced   | none      | nothing
 *   committing         | the same, folder synced       | in group  | nothing
 *   queued             | blob, or bodies/ID            | committed | 250
 *
 * Messages that were accepted together share one body: each has a blob, or a
 * name of the file, of its own, so that none depends on another's life.
 *
 * A file without a row was never promised to anybody: recovery deletes it.
 * Whatever fails (open, write, sync, close) makes the body bad for good: it is
 * never synced a second time and believed.
 *
 * All calls are made on the loop; callbacks come on the loop, never from
 * inside a call.
 */
#ifndef RELAY_QUEUE_BODY_H
#define RELAY_QUEUE_BODY_H

#include "relay/queue/envelope.h"
#include "relay/queue/spool.h"

enum { BODY_INLINE_MAX = 256 * 1024 };

struct body;

/* ---- writing ---- */

struct body_callbacks {
	void (*on_drain)(void *ctx);           /* room to append again */
	/* error NULL: durable as far as the file goes.  Else the system's
	 * words, and full says that the disk is (ENOSPC, EDQUOT, EFBIG). */
	void (*on_finish)(void *ctx, const char *error, bool full);
};

struct body *body_new(struct spool *spool, struct loop *loop, message_id id,
                      const struct body_callbacks *callbacks, void *ctx);
/* Returns false when one block waits for the disk already: stop reading from
 * the device until on_drain.  The bytes are taken all the same. */
bool body_append(struct body *body, const void *data, size_t len);
void body_finish(struct body *body);
bool body_failed(const struct body *body); /* a write failed already */
/* Gone without a trace, the file too, whatever is under way. */
void body_abort(struct body **body);
/* Finished and committed: give the object up, keep what is stored. */
void body_free(struct body **body);

uint64_t body_size(const struct body *body);
uint32_t body_checksum(const struct body *body);   /* CRC-32 */
bool body_is_file(const struct body *body);
/* A file whose name may be lost: a sync of the folder has failed since it was
 * made.  For the store. */
bool body_is_doubtful(const struct body *body);
/* The bytes of one that is not a file; valid as long as the body. */
struct text body_bytes(const struct body *body);
/* Take those bytes out as a C allocation (NULL for a file): the queue keeps
 * them for the first attempt, so that fresh mail is not read back. */
char *body_take_bytes(struct body *body);

/* ---- files: reading back and removing ---- */

struct body_file;

typedef void (*body_file_cb)(void *ctx, const void *data, size_t len,
                             const char *error);

/* Open bodies/ID, on the loop thread.  NULL with the system's words; a file of
 * another size than expected, a link or no regular file is refused. */
struct body_file *body_file_open(struct spool *spool, struct loop *loop,
                                 message_id id, uint64_t expected_size,
                                 const char **error_r);
/* Read on a worker thread; done comes on the loop with a view valid during the
 * call.  One read at a time. */
void body_file_read(struct body_file *file, uint64_t offset, size_t len,
                    body_file_cb done, void *ctx);
/* The same at once, as far as the system has the bytes in memory: how many,
 * 0 when the disk would have to be waited for.  Valid until the next call. */
size_t body_file_try(struct body_file *file, uint64_t offset, size_t len,
                     const void **data_r);
void body_file_close(struct body_file **file); /* no callback follows */
/* Give bodies/ID, which is finished, a further name, that of another message:
 * a link, or a copy where the file system knows no links.  It lasts once the
 * folder is synced.  False with errno; there is then no such name of ours, but
 * for EEXIST nor of anybody.  At once, on any thread. */
bool body_file_name(struct spool *spool, message_id id, message_id new_id);
/* Remove bodies/ID on a worker thread; nobody waits for it. */
void body_file_remove(struct spool *spool, struct loop *loop, message_id id);

#endif
