/*
 * loop -- the event loop: timers, signals, wake-ups, background work.
 *
 * One thread runs it, and everything else in lanpost runs there too, except
 * the storage thread and what is given to loop_work().  net/ is the only
 * folder that includes uv.h; owners elsewhere hold opaque pointers, close them
 * with pointer to pointer, and no callback follows.
 */
#ifndef RELAY_NET_LOOP_H
#define RELAY_NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;

struct loop *loop_new(void);
/* Runs until loop_stop(), or until nothing is left to wait for; signal
 * watches and turn-end hooks alone are nothing to wait for, notifiers are. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
/* Everything on it must have been closed; runs the last close callbacks, and
 * waits for background work and for what closed streams have still to send. */
void loop_free(struct loop **loop);

/* Monotonic milliseconds, cached per turn: for deadlines, never for dates. */
uint64_t loop_now_ms(const struct loop *loop);
/* Wall clock, milliseconds since 1970: for dates, never for deadlines. */
int64_t wall_now_ms(void);
/* Of the local time zone at that time, east of UTC. */
int wall_offset_minutes(int64_t ms);
/* The same without its jumps (steady.h): for ages, and deadlines that are
 * stored.  On the loop thread. */
int64_t steady_now_ms(void);
/* Now and then: by how much the wall clock has jumped; or 0. */
int64_t steady_jump_ms(void);
/* Random bytes from the system. */
void random_bytes(void *data, unsigned len);
uint32_t random_u32(void);

/* A one-shot timer.  Starting it again moves it. */
struct timer;
struct timer *timer_new(struct loop *loop, void (*on_fire)(void *ctx),
                        void *ctx);
void timer_start(struct timer *timer, uint64_t ms);
void timer_stop(struct timer *timer);
bool timer_is_armed(const struct timer *timer);
void timer_free(struct timer **timer);

/* Called on the loop whenever the process receives the signal. */
struct signal_watch;
struct signal_watch *signal_watch_new(struct loop *loop, int signum,
                                      void (*on_signal)(void *ctx, int signum),
                                      void *ctx);
void signal_watch_free(struct signal_watch **watch);

/* Wake the loop from another thread; several wake-ups may become one call. */
struct notifier;
struct notifier *notifier_new(struct loop *loop, void (*on_notify)(void *ctx),
                              void *ctx);
void notifier_notify(struct notifier *notifier); /* from any thread */
void notifier_free(struct notifier **notifier);

/* Called once before the loop goes to sleep: where batches are flushed. */
struct turn_end;
struct turn_end *turn_end_new(struct loop *loop, void (*on_turn_end)(void *ctx),
                              void *ctx);
void turn_end_free(struct turn_end **hook);

/* Run work on a thread of the pool, then done on the loop. */
void loop_work(struct loop *loop, void (*work)(void *ctx),
               void (*done)(void *ctx), void *ctx);

#endif
