#include "relay/queue/body.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include "proto/xalloc.h"

struct body_file {
	struct spool *spool;
	struct loop *loop;
	int fd;
	bool closed;       /* by the owner, while a read is out */
	body_file_cb done; /* NULL: no read is out */
	void *ctx;
	/* The worker's while a read is out. */
	char *buffer;
	size_t room;
	uint64_t offset;
	size_t wanted, got;
	int code;
};

/* --- opening ------------------------------------------------------------ */

static _Thread_local char error_text[128];

static const char *what_is_wrong(int fd, uint64_t expected_size)
{
	struct stat info;

	if (fstat(fd, &info) != 0)
		return strerror(errno);
	if (!S_ISREG(info.st_mode))
		return "it is not a regular file";
	if (info.st_uid != geteuid())
		return "it belongs to another user";
	if ((uint64_t)info.st_size == expected_size)
		return NULL;
	snprintf(error_text, sizeof(error_text),
		 "it holds %" PRIu64 " octets instead of %" PRIu64,
		 (uint64_t)info.st_size, expected_size);
	return error_text;
}

struct body_file *body_file_open(struct spool *spool, struct loop *loop,
				 message_id id, uint64_t expected_size,
				 const char **error_r)
{
	char name[MESSAGE_ID_TEXT];
	struct body_file *file;
	/* O_NONBLOCK: a FIFO in its place must not hold up the loop. */
	int fd = openat(spool_bodies_fd(spool), message_id_print(id, name),
			O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0) {
		*error_r = strerror(errno);
		return NULL;
	}
	*error_r = what_is_wrong(fd, expected_size);
	if (*error_r) {
		close(fd);
		return NULL;
	}
	posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	file = xcalloc(1, sizeof(*file));
	file->spool = spool_hold(spool);
	file->loop = loop;
	file->fd = fd;
	return file;
}

static void file_destroy(struct body_file *file)
{
	close(file->fd);
	spool_close(&file->spool);
	free(file->buffer);
	free(file);
}

/* --- reading ------------------------------------------------------------ */

static void work_read(void *ctx)
{
	struct body_file *file = ctx;

	file->got = 0;
	file->code = 0;
	while (file->got < file->wanted) {
		ssize_t n = pread(file->fd, file->buffer + file->got,
				  file->wanted - file->got,
				  (off_t)(file->offset + file->got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			file->code = errno;
		if (n <= 0)
			return;
		file->got += (size_t)n;
	}
}

static const char *read_error(const struct body_file *file)
{
	if (file->code)
		return strerror(file->code);
	return file->got < file->wanted ? "the file ends too early" : NULL;
}

static void read_done(void *ctx)
{
	struct body_file *file = ctx;
	body_file_cb done = file->done;
	const char *error = read_error(file);

	file->done = NULL;
	if (file->closed)
		file_destroy(file);
	else
		done(file->ctx, error ? NULL : file->buffer,
		     error ? 0 : file->got, error);
}

static void make_room(struct body_file *file, size_t len)
{
	if (len > file->room) {
		file->buffer = xrealloc(file->buffer, len);
		file->room = len;
	}
}

size_t body_file_try(struct body_file *file, uint64_t offset, size_t len,
		     const void **data_r)
{
	struct iovec vector;
	ssize_t n;

	make_room(file, len);
	vector = (struct iovec){ file->buffer, len };
	n = preadv2(file->fd, &vector, 1, (off_t)offset, RWF_NOWAIT);
	*data_r = file->buffer;
	return n > 0 ? (size_t)n : 0;
}

void body_file_read(struct body_file *file, uint64_t offset, size_t len,
		    body_file_cb done, void *ctx)
{
	make_room(file, len);
	file->offset = offset;
	file->wanted = len;
	file->done = done;
	file->ctx = ctx;
	loop_work(file->loop, work_read, read_done, file);
}

void body_file_close(struct body_file **file_ptr)
{
	struct body_file *file = *file_ptr;

	*file_ptr = NULL;
	if (!file)
		return;
	file->closed = true;
	if (!file->done)
		file_destroy(file);
}

/* --- further names ------------------------------------------------------ */

/* A worker's stack would hold it, the storage thread's does not need to. */
enum { COPY_BLOCK = 128 * 1024 };

static bool copy_block(int from, int to, char *block, off_t *offset, bool *end)
{
	ssize_t n = pread(from, block, COPY_BLOCK, *offset);

	if (n < 0)
		return errno == EINTR;
	*end = n == 0;
	for (ssize_t done = 0, written; done < n; done += written) {
		written = pwrite(to, block + done, (size_t)(n - done),
				 *offset + done);
		if (written < 0 && errno == EINTR)
			written = 0;
		else if (written <= 0)
			return false;
	}
	*offset += n;
	return true;
}

static bool copy_bytes(int from, int to)
{
	char *block = xmalloc(COPY_BLOCK);
	off_t offset = 0;
	bool end = false;

	while (!end && copy_block(from, to, block, &offset, &end))
		;
	free(block);
	return end && fdatasync(to) == 0;
}

static bool copy(int folder, const char *name, const char *new_name)
{
	int from = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int to = from < 0 ? -1
			  : openat(folder, new_name,
				   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
					   O_CLOEXEC,
				   0600);
	bool copied = to >= 0 && copy_bytes(from, to);
	int code = errno;

	if (to >= 0 && close(to) != 0 && copied) {
		copied = false;
		code = errno;
	}
	if (to >= 0 && !copied)
		unlinkat(folder, new_name, 0);
	if (from >= 0)
		close(from);
	errno = code;
	return copied;
}

bool body_file_name(struct spool *spool, message_id id, message_id new_id)
{
	char name[MESSAGE_ID_TEXT], new_name[MESSAGE_ID_TEXT];
	int folder = spool_bodies_fd(spool);

	message_id_print(id, name);
	message_id_print(new_id, new_name);
	if (linkat(folder, name, folder, new_name, 0) == 0)
		return true;
	switch (errno) {
	case EPERM: /* what Linux says of a file system without links */
	case EOPNOTSUPP:
	case ENOSYS:
	case EMLINK:
	case EXDEV:
		return copy(folder, name, new_name);
	default:
		return false;
	}
}

/* --- removing ----------------------------------------------------------- */

struct removal {
	struct spool *spool;
	message_id id;
};

static void work_remove(void *ctx)
{
	struct removal *removal = ctx;
	char name[MESSAGE_ID_TEXT];

	/* What cannot be removed now is an orphan, which the next start
	 * removes. */
	unlinkat(spool_bodies_fd(removal->spool),
		 message_id_print(removal->id, name), 0);
}

static void removal_done(void *ctx)
{
	struct removal *removal = ctx;

	spool_close(&removal->spool);
	free(removal);
}

void body_file_remove(struct spool *spool, struct loop *loop, message_id id)
{
	struct removal *removal = xcalloc(1, sizeof(*removal));

	removal->spool = spool_hold(spool);
	removal->id = id;
	loop_work(loop, work_remove, removal_done, removal);
}
