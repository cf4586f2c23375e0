#include "tests/bench/load/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "proto/buf.h"
#include "proto/xalloc.h"

enum { READ = 64 * 1024, LINE_MAX_OCTETS = 256 * 1024 };

struct journal {
	int fd, watch;
	struct buf rest;         /* the beginning of a line */
};

/* A line is Message-ID, X-Token, sender, recipients, octets. */
static bool read_line(struct text line, uint64_t *token_r, uint64_t *octets_r)
{
	struct text columns[5];

	for (int i = 0; i < 5; i++)
		if (!text_token(&line, '\t', &columns[i]))
			return false;
	return text_to_u64(columns[1], token_r) &&
	       text_to_u64(columns[4], octets_r);
}

static void note_line(struct run *run, struct text line, uint64_t now)
{
	uint64_t number, octets;

	if (!read_line(line, &number, &octets) ||
	    number >= run->options.messages)
		return; /* not of this run */
	if (octets < run->options.octets)
		fail("message %llu arrived with %llu octets only",
		     (unsigned long long)number, (unsigned long long)octets);
	if (run->times[number].arrived != 0) {
		run->duplicates++;
		return;
	}
	run->times[number].arrived = now;
	run->arrived++;
}

static void note_lines(struct run *run, uint64_t now)
{
	struct buf *rest = &run->journal->rest;
	const char *end;

	while ((end = memchr(buf_text(rest).data, '\n', buf_len(rest)))) {
		size_t len = (size_t)(end - buf_text(rest).data);

		note_line(run, text_make(buf_text(rest).data, len), now);
		buf_consume(rest, len + 1);
	}
}

static void drain_watch(struct journal *journal)
{
	char events[4096];

	while (read(journal->watch, events, sizeof(events)) > 0)
		;
}

void journal_ready(struct run *run)
{
	struct journal *journal = run->journal;
	uint64_t now = now_ns();
	ssize_t len;

	drain_watch(journal);
	do {
		char *room = buf_room(&journal->rest, READ);

		if (!room)
			fail("the journal has a line without an end");
		len = read(journal->fd, room, READ);
		if (len < 0)
			fail("the journal: %s", strerror(errno));
		buf_added(&journal->rest, (size_t)len);
		if (buf_len(&journal->rest) > 0)
			note_lines(run, now);
	} while (len > 0);
}

/* What stands in it already is of an earlier run. */
void journal_open(struct run *run)
{
	struct journal *journal = xcalloc(1, sizeof(*journal));
	struct epoll_event event = { .events = EPOLLIN,
	                             .data.u64 = (uint64_t)JOURNAL_READY };

	run->journal = journal;
	buf_init(&journal->rest, LINE_MAX_OCTETS);
	journal->fd = open(run->options.journal, O_RDONLY | O_CLOEXEC);
	journal->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (journal->fd < 0 || journal->watch < 0 ||
	    lseek(journal->fd, 0, SEEK_END) < 0 ||
	    inotify_add_watch(journal->watch, run->options.journal,
	                      IN_MODIFY) < 0 ||
	    epoll_ctl(run->epoll, EPOLL_CTL_ADD, journal->watch, &event) != 0)
		fail("%s cannot be watched: %s", run->options.journal,
		     strerror(errno));
}

void journal_close(struct run *run)
{
	struct journal *journal = run->journal;

	if (!journal)
		return;
	close(journal->fd);
	close(journal->watch);
	buf_free(&journal->rest);
	free(journal);
}
