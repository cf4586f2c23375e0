#include "relay/queue/body.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include "proto/xalloc.h"

/* A block is written on a worker while the next one gathers. */
struct body {
	struct spool *spool;
	struct loop *loop;
	message_id id;
	struct body_callbacks callbacks;
	void *ctx;
	uint64_t size;
	int code; /* errno of the first failure */
	bool is_file;
	bool finishing;      /* the owner has said body_finish() */
	bool aborted;        /* the owner has said body_abort() */
	bool told_to_wait;   /* body_append() has returned false */
	struct timer *later; /* for an on_finish that waits for no disk */
	char *bytes;         /* what gathers */
	size_t len, room;
	bool block_is_out;
	/* The worker's while block_is_out, the loop's otherwise. */
	struct {
		char *bytes;
		size_t len, room;
		bool is_last;
		int code;
	} block;
	int fd;
	unsigned epoch; /* of the spool, when the file was made */
	uint64_t offset;
	uint32_t checksum;
};

enum { BLOCK_SIZE = BODY_INLINE_MAX, FIRST_ROOM = 4 * 1024 };

static bool code_is_full(int code)
{
	return code == ENOSPC || code == EDQUOT || code == EFBIG;
}

struct body *body_new(struct spool *spool, struct loop *loop, message_id id,
		      const struct body_callbacks *callbacks, void *ctx)
{
	struct body *body = xcalloc(1, sizeof(*body));

	body->spool = spool_hold(spool);
	body->loop = loop;
	body->id = id;
	body->callbacks = *callbacks;
	body->ctx = ctx;
	body->fd = -1;
	return body;
}

static void body_destroy(struct body *body)
{
	timer_free(&body->later);
	spool_close(&body->spool);
	free(body->bytes);
	free(body->block.bytes);
	free(body);
}

/* --- on the worker ------------------------------------------------------ */

static bool create_file(struct body *body)
{
	char name[MESSAGE_ID_TEXT];

	body->epoch = spool_epoch(body->spool);
	body->fd = openat(
		spool_bodies_fd(body->spool), message_id_print(body->id, name),
		O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return body->fd >= 0;
}

static bool write_all(int fd, const char *bytes, size_t len, uint64_t offset)
{
	while (len > 0) {
		ssize_t n = pwrite(fd, bytes, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = ENOSPC;
		if (n <= 0)
			return false;
		bytes += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return true;
}

/* Let the disk begin now, so that the sync at the end finds little to do. */
static bool start_write_back(struct body *body)
{
	if (sync_file_range(body->fd, (off_t)body->offset,
			    (off_t)body->block.len, SYNC_FILE_RANGE_WRITE) == 0)
		return true;
	/* Not every file system knows how, and none has to. */
	return errno == ENOSYS || errno == EINVAL || errno == ESPIPE ||
	       errno == EOPNOTSUPP;
}

static bool close_file(struct body *body)
{
	int fd = body->fd;

	body->fd = -1;
	return close(fd) == 0;
}

static bool store_block(struct body *body)
{
	const char *bytes = body->block.bytes;
	size_t len = body->block.len;

	if (body->fd < 0 && !create_file(body))
		return false;
	if (!write_all(body->fd, bytes, len, body->offset))
		return false;
	if (len > 0)
		body->checksum = (uint32_t)crc32_z(body->checksum,
						   (const Bytef *)bytes, len);
	if (body->block.is_last)
		return fdatasync(body->fd) == 0 && close_file(body);
	if (!start_write_back(body))
		return false;
	body->offset += len;
	return true;
}

static void work_block(void *ctx)
{
	struct body *body = ctx;

	errno = 0;
	body->block.code = store_block(body) ? 0 : errno ? errno : EIO;
}

static void work_discard(void *ctx)
{
	struct body *body = ctx;
	char name[MESSAGE_ID_TEXT];

	if (body->fd >= 0)
		close_file(body);
	unlinkat(spool_bodies_fd(body->spool), message_id_print(body->id, name),
		 0);
}

/* --- on the loop -------------------------------------------------------- */

static void discarded(void *ctx)
{
	body_destroy(ctx);
}

/* A file that was there before us is not ours to remove. */
static void discard(struct body *body)
{
	if (body->is_file && body->code != EEXIST)
		loop_work(body->loop, work_discard, discarded, body);
	else
		body_destroy(body);
}

static void tell_finished(void *ctx)
{
	struct body *body = ctx;
	int code = body->code;

	timer_free(&body->later);
	body->callbacks.on_finish(body->ctx, code ? strerror(code) : NULL,
				  code_is_full(code));
}

static void finish_later(struct body *body)
{
	body->later = timer_new(body->loop, tell_finished, body);
	timer_start(body->later, 0);
}

static void block_done(void *ctx);

/* The gathered bytes go out; the buffer that came back gathers. */
static void send_block(struct body *body)
{
	char *bytes = body->block.bytes;
	size_t room = body->block.room;

	body->block.bytes = body->bytes;
	body->block.len = body->len;
	body->block.room = body->room;
	body->block.is_last = body->finishing;
	body->block_is_out = true;
	body->bytes = bytes;
	body->room = room;
	body->len = 0;
	loop_work(body->loop, work_block, block_done, body);
}

static void tell_drained(struct body *body)
{
	if (!body->told_to_wait)
		return;
	body->told_to_wait = false;
	body->callbacks.on_drain(body->ctx);
}

static void block_done(void *ctx)
{
	struct body *body = ctx;

	body->block_is_out = false;
	body->code = body->block.code;
	if (body->code)
		body->len = 0;
	if (body->aborted) {
		discard(body);
	} else if (body->finishing) {
		if (body->code || body->block.is_last)
			tell_finished(body);
		else
			send_block(body);
	} else {
		if (body->len >= BLOCK_SIZE)
			send_block(body);
		tell_drained(body);
	}
}

/* --- appending ---------------------------------------------------------- */

static void make_room(struct body *body, size_t len)
{
	size_t wanted = body->len + len;
	size_t room = body->room ? body->room : FIRST_ROOM;

	if (wanted <= body->room)
		return;
	if (body->is_file && room < BLOCK_SIZE)
		room = BLOCK_SIZE;
	while (room < wanted)
		room *= 2;
	body->bytes = xrealloc(body->bytes, room);
	body->room = room;
}

/* How much of len may gather: up to a block, or, while the disk has one
 * already, all. */
static size_t may_gather(const struct body *body, size_t len)
{
	size_t left;

	if (body->block_is_out)
		return len;
	left = BLOCK_SIZE - body->len;
	return len < left ? len : left;
}

static void gather(struct body *body, const char *data, size_t len)
{
	make_room(body, len);
	memcpy(body->bytes + body->len, data, len);
	body->len += len;
}

bool body_append(struct body *body, const void *data, size_t len)
{
	const char *at = data;

	body->size += len;
	spool_add(body->spool, len);
	while (len > 0 && !body->code) {
		size_t n = may_gather(body, len);

		if (n == 0) {
			body->is_file = true;
			send_block(body);
			continue;
		}
		gather(body, at, n);
		at += n;
		len -= n;
	}
	body->told_to_wait = body->block_is_out && body->len >= BLOCK_SIZE;
	return !body->told_to_wait;
}

void body_finish(struct body *body)
{
	body->finishing = true;
	if (body->block_is_out)
		return;
	if (body->is_file && !body->code) {
		send_block(body);
		return;
	}
	if (!body->is_file && body->len > 0)
		body->checksum = (uint32_t)crc32_z(
			0, (const Bytef *)body->bytes, body->len);
	finish_later(body);
}

bool body_failed(const struct body *body)
{
	return body->code != 0;
}

void body_abort(struct body **body_ptr)
{
	struct body *body = *body_ptr;

	*body_ptr = NULL;
	if (!body)
		return;
	timer_free(&body->later);
	spool_remove(body->spool, body->size);
	body->aborted = true;
	if (!body->block_is_out)
		discard(body);
}

void body_free(struct body **body)
{
	if (*body)
		body_destroy(*body);
	*body = NULL;
}

/* --- what it holds ------------------------------------------------------ */

uint64_t body_size(const struct body *body)
{
	return body->size;
}

uint32_t body_checksum(const struct body *body)
{
	return body->checksum;
}

bool body_is_file(const struct body *body)
{
	return body->is_file;
}

bool body_is_doubtful(const struct body *body)
{
	return body->is_file && body->epoch != spool_epoch(body->spool);
}

struct text body_bytes(const struct body *body)
{
	return text_make(body->bytes, body->is_file ? 0 : body->len);
}

char *body_take_bytes(struct body *body)
{
	char *bytes = body->bytes;

	if (body->is_file)
		return NULL;
	body->bytes = NULL;
	body->len = body->room = 0;
	return bytes ? bytes : xmemdup0("", 0);
}
