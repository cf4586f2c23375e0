#include "relay/admin/control_private.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "proto/xalloc.h"
#include "relay/admin/desk.h"
#include "relay/net/local_socket.h"
#include "relay/net/loop.h"

enum {
	SOCKET_MODE = 0660,
	THREADS = 4,
	CONNECTIONS = 32,
	SILENCE_SECONDS = 15,
	CONNECTION_MEMORY = 32 * 1024, /* the head of a request fits, or 4xx */
	LAST_ANSWERS_SECONDS = 2
};

/* ---- the loop's part ---- */

static void resume(struct visit *visit)
{
	TAILQ_REMOVE(&visit->control->asked, visit, link);
	MHD_resume_connection(visit->connection);
}

static void on_done(struct request *request)
{
	resume((struct visit *)request);
}

static void ask(struct control *control, struct visit *visit)
{
	struct request *request = &visit->request;

	TAILQ_INSERT_TAIL(&control->asked, visit, link);
	request->done = on_done;
	request->spool = control->settings.spool;
	request->config = desk_config(control->settings.desk);
	if (request->route->ask != NULL)
		request->route->ask(control->settings.desk, request);
	else
		request->done(request);
}

static void take(struct control *control, struct visit_list *from,
                 struct visit_list *to)
{
	TAILQ_INIT(to);
	pthread_mutex_lock(&control->lock);
	TAILQ_CONCAT(to, from, link);
	pthread_mutex_unlock(&control->lock);
}

static void give_back(struct control *control)
{
	struct visit_list returned;
	struct visit *visit;

	take(control, &control->returned, &returned);
	while ((visit = TAILQ_FIRST(&returned)) != NULL) {
		TAILQ_REMOVE(&returned, visit, link);
		config_unref(&visit->request.config);
		visit_free(visit);
	}
}

static void on_notify(void *ctx)
{
	struct control *control = ctx;
	struct visit_list posted;
	struct visit *visit;

	give_back(control);
	take(control, &control->posted, &posted);
	while ((visit = TAILQ_FIRST(&posted)) != NULL) {
		TAILQ_REMOVE(&posted, visit, link);
		ask(control, visit);
	}
}

/* ---- from the threads ---- */

bool control_post(struct control *control, struct visit *visit)
{
	bool open;

	pthread_mutex_lock(&control->lock);
	open = !control->closing;
	if (open) {
		TAILQ_INSERT_TAIL(&control->posted, visit, link);
		control->owed++;
	}
	pthread_mutex_unlock(&control->lock);
	if (open)
		notifier_notify(control->notifier);
	return open;
}

void control_return(struct control *control, struct visit *visit)
{
	pthread_mutex_lock(&control->lock);
	TAILQ_INSERT_TAIL(&control->returned, visit, link);
	control->owed--;
	pthread_cond_signal(&control->sent);
	pthread_mutex_unlock(&control->lock);
	notifier_notify(control->notifier);
}

/* ---- opening ---- */

/* Signals are the loop's. */
static struct MHD_Daemon *start_threads(struct control *control, int fd)
{
	struct MHD_Daemon *daemon;
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	daemon = MHD_start_daemon(
		MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD |
			MHD_ALLOW_SUSPEND_RESUME,
		0, NULL, NULL, visit_access, control,
		MHD_OPTION_LISTEN_SOCKET, (MHD_socket)fd,
		MHD_OPTION_THREAD_POOL_SIZE, (unsigned)THREADS,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SILENCE_SECONDS,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
		MHD_OPTION_NOTIFY_COMPLETED, visit_completed, control,
		MHD_OPTION_END);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return daemon;
}

static void free_control(struct control *control)
{
	notifier_free(&control->notifier);
	pthread_cond_destroy(&control->sent);
	pthread_mutex_destroy(&control->lock);
	free(control);
}

struct control *control_open(const struct control_settings *settings,
                             const char **error_r)
{
	struct control *control;
	int fd = local_listen(settings->spool, CONTROL_SOCKET, SOCKET_MODE,
	                      error_r);

	if (fd < 0)
		return NULL;
	control = xcalloc(1, sizeof *control);
	control->settings = *settings;
	TAILQ_INIT(&control->asked);
	TAILQ_INIT(&control->posted);
	TAILQ_INIT(&control->returned);
	pthread_mutex_init(&control->lock, NULL);
	pthread_cond_init(&control->sent, NULL);
	control->notifier = notifier_new(settings->loop, on_notify, control);
	control->daemon = start_threads(control, fd);
	if (control->daemon != NULL)
		return control;
	*error_r = "libmicrohttpd does not start its threads";
	close(fd);
	local_unlink(settings->spool, CONTROL_SOCKET);
	free_control(control);
	return NULL;
}

/* ---- closing ---- */

static void answer_closing(struct control *control)
{
	struct visit *visit;

	while ((visit = TAILQ_FIRST(&control->asked)) != NULL) {
		request_fail(&visit->request, ANSWER_NOT_NOW,
		             "ask again when it has started anew",
		             "the server is stopping");
		resume(visit);
	}
}

/* The threads send the last answers by themselves. */
static void wait_for_answers(struct control *control)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += LAST_ANSWERS_SECONDS;
	pthread_mutex_lock(&control->lock);
	while (control->owed > 0 &&
	       pthread_cond_timedwait(&control->sent, &control->lock,
	                              &until) == 0)
		;
	pthread_mutex_unlock(&control->lock);
}

void control_close(struct control **control_p)
{
	struct control *control = *control_p;

	if (control == NULL)
		return;
	*control_p = NULL;
	pthread_mutex_lock(&control->lock);
	control->closing = true;
	TAILQ_CONCAT(&control->asked, &control->posted, link);
	pthread_mutex_unlock(&control->lock);
	local_unlink(control->settings.spool, CONTROL_SOCKET);
	answer_closing(control);
	wait_for_answers(control);
	MHD_stop_daemon(control->daemon);
	give_back(control);
	free_control(control);
}
