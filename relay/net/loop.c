#include "relay/net/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "proto/xalloc.h"
#include "relay/net/loop_internal.h"
#include "relay/net/steady.h"

/* --- the loop ----------------------------------------------------------- */

void loop_check_failed(const char *what)
{
	fprintf(stderr, "lanpost: this is a bug: %s\n", what);
	abort();
}

static void check(int status, const char *what)
{
	if (status != 0) {
		fprintf(stderr, "lanpost: %s: %s\n", what, uv_strerror(status));
		abort();
	}
}

struct loop *loop_new(void)
{
	struct loop *loop = xcalloc(1, sizeof(*loop));

	signal(SIGPIPE, SIG_IGN);
	check(uv_loop_init(&loop->uv), "the event loop cannot start");
	loop->uv.data = loop;
	ring_init(&loop->deferred);
	ring_init(&loop->lingering);
	uv_idle_init(&loop->uv, &loop->idle);
	loop->idle.data = loop;
	uv_timer_init(&loop->uv, &loop->linger_timer);
	loop->linger_timer.data = loop;
	return loop;
}

void loop_run(struct loop *loop)
{
	uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *loop)
{
	uv_stop(&loop->uv);
}

static void count_open(uv_handle_t *handle, void *count)
{
	if (!uv_is_closing(handle))
		++*(unsigned *)count;
}

enum { LOOP_OWN_HANDLES = 2 }; /* idle, linger_timer */

/* A handle nobody closed would keep loop_free() waiting for ever. */
static void check_all_closed(struct loop *loop)
{
	unsigned open = 0;

	uv_walk(&loop->uv, count_open, &open);
	if (open == loop->lingering_count + LOOP_OWN_HANDLES)
		return;
	uv_print_all_handles(&loop->uv, stderr);
	loop_check_failed("the loop is freed while handles are open");
}

/* Whatever loop_stop() says meanwhile, or said too late for loop_run(). */
static void run_out(struct loop *loop)
{
	while (uv_run(&loop->uv, UV_RUN_DEFAULT) != 0)
		;
}

void loop_free(struct loop **loop_ptr)
{
	struct loop *loop = *loop_ptr;

	if (!loop)
		return;
	*loop_ptr = NULL;
	check_all_closed(loop);
	uv_close((uv_handle_t *)&loop->idle, NULL);
	if (loop->linger_hurry)
		loop->linger_hurry(loop);
	run_out(loop);
	uv_close((uv_handle_t *)&loop->linger_timer, NULL);
	run_out(loop);
	check(uv_loop_close(&loop->uv), "the event loop cannot be closed");
	free(loop->wire_buffer);
	free(loop->plain_buffer);
	free(loop);
}

/* --- deferred calls and the shared buffers ------------------------------ */

void ring_init(struct ring *ring)
{
	ring->next = ring->prev = ring;
}

void ring_append(struct ring *ring, struct ring *member)
{
	member->next = ring;
	member->prev = ring->prev;
	ring->prev->next = member;
	ring->prev = member;
}

void ring_remove(struct ring *member)
{
	if (!member->next)
		return;
	member->next->prev = member->prev;
	member->prev->next = member->next;
	member->next = member->prev = NULL;
}

bool ring_is_empty(const struct ring *ring)
{
	return ring->next == ring;
}

static void run_deferred(uv_idle_t *idle)
{
	struct loop *loop = idle->data;
	struct ring marker = { NULL, NULL };

	/* What is deferred meanwhile belongs to the next turn. */
	ring_append(&loop->deferred, &marker);
	while (loop->deferred.next != &marker) {
		struct deferred *first = (void *)loop->deferred.next;

		ring_remove(&first->ring);
		first->run(first->ctx);
	}
	ring_remove(&marker);
	if (ring_is_empty(&loop->deferred))
		uv_idle_stop(idle);
}

void loop_defer(struct loop *loop, struct deferred *deferred)
{
	if (deferred->ring.next)
		return;
	ring_append(&loop->deferred, &deferred->ring);
	uv_idle_start(&loop->idle, run_deferred);
}

void loop_undefer(struct deferred *deferred)
{
	ring_remove(&deferred->ring);
}

char *loop_wire_buffer(struct loop *loop)
{
	if (!loop->wire_buffer)
		loop->wire_buffer = xmalloc(LOOP_BUFFER_SIZE);
	return loop->wire_buffer;
}

char *loop_plain_buffer(struct loop *loop)
{
	if (!loop->plain_buffer)
		loop->plain_buffer = xmalloc(LOOP_BUFFER_SIZE);
	return loop->plain_buffer;
}

/* --- time and chance ---------------------------------------------------- */

uint64_t loop_now_ms(const struct loop *loop)
{
	return uv_now(&loop->uv);
}

int64_t wall_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int wall_offset_minutes(int64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm local;

	localtime_r(&seconds, &local);
	return (int)(local.tm_gmtoff / 60);
}

static int64_t mono_now_ms(void)
{
	return (int64_t)(uv_hrtime() / 1000000);
}

static struct steady *steady(void)
{
	static struct steady clock;
	static bool started;

	if (!started)
		steady_start(&clock, wall_now_ms(), mono_now_ms());
	started = true;
	return &clock;
}

int64_t steady_now_ms(void)
{
	return steady_at(steady(), mono_now_ms());
}

int64_t steady_jump_ms(void)
{
	return steady_follow(steady(), wall_now_ms(), mono_now_ms());
}

void random_bytes(void *data, unsigned len)
{
	char *at = data;

	while (len > 0) {
		ssize_t got = getrandom(at, len, 0);

		if (got < 0) {
			if (errno == EINTR)
				continue;
			loop_check_failed("the system gives no random bytes");
		}
		at += got;
		len -= (unsigned)got;
	}
}

uint32_t random_u32(void)
{
	uint32_t value;

	random_bytes(&value, sizeof(value));
	return value;
}

/* --- timers ------------------------------------------------------------- */

struct timer {
	uv_timer_t uv;
	void (*on_fire)(void *ctx);
	void *ctx;
};

static void free_handle(uv_handle_t *handle)
{
	free(handle->data);
}

struct timer *timer_new(struct loop *loop, void (*on_fire)(void *ctx),
                        void *ctx)
{
	struct timer *timer = xcalloc(1, sizeof(*timer));

	uv_timer_init(&loop->uv, &timer->uv);
	timer->uv.data = timer;
	timer->on_fire = on_fire;
	timer->ctx = ctx;
	return timer;
}

static void timer_fired(uv_timer_t *uv)
{
	struct timer *timer = uv->data;

	timer->on_fire(timer->ctx);
}

void timer_start(struct timer *timer, uint64_t ms)
{
	uv_timer_start(&timer->uv, timer_fired, ms, 0);
}

void timer_stop(struct timer *timer)
{
	uv_timer_stop(&timer->uv);
}

bool timer_is_armed(const struct timer *timer)
{
	return uv_is_active((const uv_handle_t *)&timer->uv);
}

void timer_free(struct timer **timer)
{
	if (*timer)
		uv_close((uv_handle_t *)&(*timer)->uv, free_handle);
	*timer = NULL;
}

/* --- signals ------------------------------------------------------------ */

struct signal_watch {
	uv_signal_t uv;
	void (*on_signal)(void *ctx, int signum);
	void *ctx;
};

static void signal_came(uv_signal_t *uv, int signum)
{
	struct signal_watch *watch = uv->data;

	watch->on_signal(watch->ctx, signum);
}

struct signal_watch *signal_watch_new(struct loop *loop, int signum,
                                      void (*on_signal)(void *ctx, int signum),
                                      void *ctx)
{
	struct signal_watch *watch = xcalloc(1, sizeof(*watch));

	uv_signal_init(&loop->uv, &watch->uv);
	watch->uv.data = watch;
	watch->on_signal = on_signal;
	watch->ctx = ctx;
	check(uv_signal_start(&watch->uv, signal_came, signum),
	      "a signal cannot be watched");
	uv_unref((uv_handle_t *)&watch->uv);
	return watch;
}

void signal_watch_free(struct signal_watch **watch)
{
	if (*watch)
		uv_close((uv_handle_t *)&(*watch)->uv, free_handle);
	*watch = NULL;
}

/* --- wake-ups from other threads ---------------------------------------- */

struct notifier {
	uv_async_t uv;
	void (*on_notify)(void *ctx);
	void *ctx;
};

static void notified(uv_async_t *uv)
{
	struct notifier *notifier = uv->data;

	notifier->on_notify(notifier->ctx);
}

struct notifier *notifier_new(struct loop *loop, void (*on_notify)(void *ctx),
                              void *ctx)
{
	struct notifier *notifier = xcalloc(1, sizeof(*notifier));

	check(uv_async_init(&loop->uv, &notifier->uv, notified),
	      "the event loop cannot be woken");
	notifier->uv.data = notifier;
	notifier->on_notify = on_notify;
	notifier->ctx = ctx;
	return notifier;
}

void notifier_notify(struct notifier *notifier)
{
	uv_async_send(&notifier->uv);
}

void notifier_free(struct notifier **notifier)
{
	if (*notifier)
		uv_close((uv_handle_t *)&(*notifier)->uv, free_handle);
	*notifier = NULL;
}

/* --- the end of a turn -------------------------------------------------- */

struct turn_end {
	uv_prepare_t uv;
	void (*on_turn_end)(void *ctx);
	void *ctx;
};

static void turn_ended(uv_prepare_t *uv)
{
	struct turn_end *hook = uv->data;

	hook->on_turn_end(hook->ctx);
}

struct turn_end *turn_end_new(struct loop *loop, void (*on_turn_end)(void *ctx),
                              void *ctx)
{
	struct turn_end *hook = xcalloc(1, sizeof(*hook));

	uv_prepare_init(&loop->uv, &hook->uv);
	hook->uv.data = hook;
	hook->on_turn_end = on_turn_end;
	hook->ctx = ctx;
	uv_prepare_start(&hook->uv, turn_ended);
	uv_unref((uv_handle_t *)&hook->uv);
	return hook;
}

void turn_end_free(struct turn_end **hook)
{
	if (*hook)
		uv_close((uv_handle_t *)&(*hook)->uv, free_handle);
	*hook = NULL;
}

/* --- background work ---------------------------------------------------- */

struct job {
	uv_work_t uv;
	void (*work)(void *ctx);
	void (*done)(void *ctx);
	void *ctx;
};

static void job_work(uv_work_t *uv)
{
	struct job *job = uv->data;

	job->work(job->ctx);
}

static void job_done(uv_work_t *uv, int status)
{
	struct job *job = uv->data;
	void (*done)(void *ctx) = job->done;
	void *ctx = job->ctx;

	(void)status; /* never cancelled */
	free(job);
	done(ctx);
}

void loop_work(struct loop *loop, void (*work)(void *ctx),
               void (*done)(void *ctx), void *ctx)
{
	struct job *job = xcalloc(1, sizeof(*job));

	job->uv.data = job;
	job->work = work;
	job->done = done;
	job->ctx = ctx;
	check(uv_queue_work(&loop->uv, &job->uv, job_work, job_done),
	      "work cannot be queued");
}
