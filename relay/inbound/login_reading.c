#include "relay/inbound/login_reading.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/xalloc.h"
#include "relay/config/secret.h"
#include "relay/net/loop.h"

enum {
	FILE_MAX = 4 * 1024 * 1024,
	FAULTS_TOLD = 20,
	FAULTS_MAX = 64 * 1024,
	YOUNG_S = 2  /* coarser is no clock of a file system in use */
};

struct naming {
	struct login_reading *reading;
	const char *path;
};

static void on_fault(void *ctx, unsigned line, const char *fault)
{
	struct naming *naming = ctx;
	struct login_reading *reading = naming->reading;

	if (reading->n_faults++ < FAULTS_TOLD)
		buf_printf(&reading->faults, "%s:%u: %s\n", naming->path, line,
		           fault);
}

static void add_fault(struct login_reading *reading, const char *path,
                      const char *fault)
{
	reading->n_faults++;
	buf_printf(&reading->faults, "%s: %s\n", path, fault);
}

/* Who is not the owner reads by the group, or by being everybody. */
static bool is_exposed(const struct stat *stamp)
{
	return (stamp->st_mode & S_IRWXO) != 0 ||
	       ((stamp->st_mode & S_IRWXG) != 0 && stamp->st_uid == geteuid());
}

static void look_at_mode(struct login_reading *reading, const char *path)
{
	if (is_exposed(&reading->stamp) &&
	    !secret_is_mounted(path, getenv("CREDENTIALS_DIRECTORY")))
		add_fault(reading, path,
		          "others may read this file, and could try to guess "
		          "the passwords: chmod 600");
}

static bool read_all(int fd, struct buf *contents)
{
	for (;;) {
		char *room = buf_room(contents, 64 * 1024);
		ssize_t n = room == NULL ? -1 : read(fd, room, 64 * 1024);

		if (room == NULL)
			errno = EFBIG;
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0;
		buf_added(contents, (size_t)n);
	}
}

static void parse(struct login_reading *reading, const char *path,
                  struct text contents)
{
	struct naming naming = { reading, path };

	reading->users = login_users_parse(contents, on_fault, &naming);
	if (reading->n_faults > FAULTS_TOLD)
		buf_printf(&reading->faults, "%s: %u more lines cannot be "
		           "used\n", path, reading->n_faults - FAULTS_TOLD);
	look_at_mode(reading, path);
	if (login_users_count(reading->users) == 0)
		add_fault(reading, path, "nobody can log in by it; `lanpost "
		          "password USER` prints a line for it");
}

/* Two changes may bear the same time: what has just changed is read again. */
static bool is_young(const struct stat *stamp)
{
	return wall_now_ms() / 1000 - (int64_t)stamp->st_mtim.tv_sec <= YOUNG_S;
}

static void add_error(struct login_reading *reading, const char *path,
                      int error)
{
	add_fault(reading, path, error != EACCES ? strerror(error)
	          : "Permission denied; it is read as the user that lanpost "
	            "runs as");
}

struct login_reading *login_reading_new(const char *path)
{
	struct login_reading *reading = xcalloc(1, sizeof *reading);
	struct buf contents = BUF_INIT(FILE_MAX);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	reading->refs = 1;
	buf_init(&reading->faults, FAULTS_MAX);
	if (fd < 0)
		add_error(reading, path, errno);
	/* Before it is read: a change in between shows next time. */
	if (fd < 0 ? stat(path, &reading->stamp) != 0
	           : fstat(fd, &reading->stamp) != 0)
		memset(&reading->stamp, 0, sizeof reading->stamp);
	reading->young = is_young(&reading->stamp);
	if (fd >= 0 && !S_ISREG(reading->stamp.st_mode))
		add_fault(reading, path, "this is no file");
	else if (fd >= 0 && !read_all(fd, &contents))
		add_error(reading, path, errno);
	else if (fd >= 0)
		parse(reading, path, buf_text(&contents));
	if (fd >= 0)
		close(fd);
	buf_wipe(&contents);
	return reading;
}

void login_reading_unref(struct login_reading **reading_p)
{
	struct login_reading *reading = *reading_p;

	*reading_p = NULL;
	if (reading == NULL || --reading->refs > 0)
		return;
	login_users_free(&reading->users);
	buf_free(&reading->faults);
	free(reading);
}

bool login_reading_is_stale(const struct login_reading *reading,
                            const char *path)
{
	const struct stat *then = &reading->stamp;
	struct stat now = { 0 };

	if (stat(path, &now) != 0)
		memset(&now, 0, sizeof now);
	return reading->young || now.st_dev != then->st_dev || now.st_ino != then->st_ino ||
	       now.st_size != then->st_size ||
	       now.st_mtim.tv_sec != then->st_mtim.tv_sec ||
	       now.st_mtim.tv_nsec != then->st_mtim.tv_nsec ||
	       now.st_ctim.tv_sec != then->st_ctim.tv_sec ||
	       now.st_ctim.tv_nsec != then->st_ctim.tv_nsec;
}
