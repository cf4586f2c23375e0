#include "relay/inbound/login_file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "proto/xalloc.h"
#include "relay/inbound/login_reading.h"
#include "relay/report/log.h"

enum { RUNNING_MAX = 2, WAITING_MAX = 64 };

struct login_file {
	unsigned refs;
	struct loop *loop;
	char *path;
	struct login_reading *reading;
};

struct login_check {
	struct login_file *file;
	struct login_reading *reading; /* as it was when this began */
	struct login_reading *fresh;   /* as the thread has found it; or NULL */
	char *user, *password;
	void (*on_verdict)(void *ctx, enum login_verdict verdict);
	void *ctx;
	enum login_verdict verdict;
	bool running, cancelled;
	STAILQ_ENTRY(login_check) link; /* of those that wait */
};

/* Of all files together: what is bounded is the machine. */
static STAILQ_HEAD(, login_check) waiting = STAILQ_HEAD_INITIALIZER(waiting);
static unsigned n_running, n_waiting;

/* ---- the file ---- */

static void log_faults(struct login_reading *reading)
{
	struct text rest = buf_text(&reading->faults), fault;
	enum log_level level = reading->users == NULL ? LOG_ERROR : LOG_WARN;

	while (text_token(&rest, '\n', &fault))
		log_event(level, EVENT_WARNING, F_TEXT("text", fault));
}

static const char *first_fault(struct login_reading *reading)
{
	static _Thread_local char fault[600];
	struct text faults = buf_text(&reading->faults), line = text_of("");

	text_token(&faults, '\n', &line);
	line.len = line.len < sizeof fault ? line.len : sizeof fault - 1;
	memcpy(fault, line.data, line.len);
	fault[line.len] = '\0';
	return fault;
}

struct login_file *login_file_open(struct loop *loop, const char *path,
                                   const char **error_r)
{
	struct login_reading *reading = login_reading_new(path);
	struct login_file *file;

	if (reading->users == NULL) {
		*error_r = first_fault(reading);
		login_reading_unref(&reading);
		return NULL;
	}
	log_faults(reading);
	file = xcalloc(1, sizeof *file);
	file->refs = 1;
	file->loop = loop;
	file->path = xstrdup(path);
	file->reading = reading;
	return file;
}

struct login_file *login_file_ref(struct login_file *file)
{
	file->refs++;
	return file;
}

void login_file_unref(struct login_file **file_p)
{
	struct login_file *file = *file_p;

	*file_p = NULL;
	if (file == NULL || --file->refs > 0)
		return;
	login_reading_unref(&file->reading);
	free(file->path);
	free(file);
}

size_t login_file_users(const struct login_file *file)
{
	return file->reading->users == NULL
	               ? 0 : login_users_count(file->reading->users);
}

/* Two checks may have read the same change, and one thing is told once. */
static void take_reading(struct login_file *file,
                         struct login_reading **fresh)
{
	if (*fresh == NULL)
		return;
	if (!text_equal(buf_text(&file->reading->faults),
	                buf_text(&(*fresh)->faults)))
		log_faults(*fresh);
	login_reading_unref(&file->reading);
	file->reading = *fresh;
	*fresh = NULL;
}

/* ---- a check ---- */

static void on_thread(void *ctx)
{
	struct login_check *check = ctx;
	const struct login_reading *reading = check->reading;

	if (login_reading_is_stale(reading, check->file->path))
		reading = check->fresh = login_reading_new(check->file->path);
	check->verdict = LOGIN_WRONG;
	if (reading->users == NULL)
		check->verdict = LOGIN_UNREADABLE;
	else if (login_users_match(reading->users, check->user,
	                           check->password))
		check->verdict = LOGIN_RIGHT;
	xfree_secret(&check->password);
}

static void check_free(struct login_check *check)
{
	xfree_secret(&check->password);
	free(check->user);
	login_reading_unref(&check->reading);
	login_reading_unref(&check->fresh);
	login_file_unref(&check->file);
	free(check);
}

static void run_next(void);

static void on_done(void *ctx)
{
	struct login_check *check = ctx;

	n_running--;
	take_reading(check->file, &check->fresh);
	run_next();
	if (!check->cancelled)
		check->on_verdict(check->ctx, check->verdict);
	check_free(check);
}

static void run_next(void)
{
	struct login_check *check;

	while (n_running < RUNNING_MAX &&
	       (check = STAILQ_FIRST(&waiting)) != NULL) {
		STAILQ_REMOVE_HEAD(&waiting, link);
		n_waiting--;
		n_running++;
		check->running = true;
		check->reading = check->file->reading;
		check->reading->refs++;
		loop_work(check->file->loop, on_thread, on_done, check);
	}
}

struct login_check *
login_check_start(struct login_file *file, struct text user,
                  struct text password,
                  void (*on_verdict)(void *ctx, enum login_verdict verdict),
                  void *ctx)
{
	struct login_check *check;

	if (n_waiting >= WAITING_MAX)
		return NULL;
	check = xcalloc(1, sizeof *check);
	check->file = login_file_ref(file);
	check->user = text_dup(user);
	check->password = text_dup(password);
	check->on_verdict = on_verdict;
	check->ctx = ctx;
	STAILQ_INSERT_TAIL(&waiting, check, link);
	n_waiting++;
	run_next();
	return check;
}

void login_check_cancel(struct login_check **check_p)
{
	struct login_check *check = *check_p;

	*check_p = NULL;
	if (check == NULL)
		return;
	check->cancelled = true;
	if (check->running)
		return; /* on_done() frees it */
	STAILQ_REMOVE(&waiting, check, login_check, link);
	n_waiting--;
	check_free(check);
}
