#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/relay/queue_scene.h"
#include "tests/support/bytes.h"
#include "tests/support/tempdir.h"

#define HOUR_MS INT64_C(3600000)

static struct queue_scene scene;
static const char *folder;

static const struct waiting_mail plain = { 0 };

static void open_scene(void)
{
	if (!queue_scene_open(&scene, folder))
		fail_msg("%s", scene.store.error);
}

static void reopen_scene(void)
{
	queue_scene_close(&scene);
	open_scene();
}

/* A spool for each test. */
static int setup(void **state)
{
	static char path[4096];
	static unsigned number;
	char name[32];

	(void)state;
	snprintf(name, sizeof(name), "spool%u", number++);
	snprintf(path, sizeof(path), "%s", tempdir_path(name));
	folder = path;
	open_scene();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	queue_scene_close(&scene);
	return 0;
}

static struct message *take(const char *account, message_id id)
{
	struct message *message = queue_take(scene.queue, account);

	assert_non_null(message);
	assert_true(message_envelope(message)->id == id);
	return message;
}

/* How much the store holds; all that was asked of it before is done then. */
static size_t stored(void)
{
	struct loaded loaded = scene_load(&scene.store, 100);
	size_t n = loaded.n;

	assert_false(loaded.failed);
	loaded_free(&loaded);
	return n;
}

static bool is_once(struct queue_scene *s)
{
	(void)s;
	return true;
}

static bool is_one_ready(struct queue_scene *s)
{
	return queue_ready(s->queue, "default") == 1;
}

/* --- the way of a message ------------------------------------------------ */

static void test_a_message_goes_its_way(void **state)
{
	message_id id = queue_scene_add(&scene, 3, &plain);
	struct message *message;
	struct text bytes;
	char *expected = scene_bytes(3, 1000);

	(void)state;
	assert_true(scene.heard >= 1);
	assert_string_equal(scene.heard_account, "default");
	assert_int_equal(queue_ready(scene.queue, "default"), 1);
	assert_int_equal(queue_total(scene.queue), 1);
	message = take("default", id);
	assert_int_equal(queue_ready(scene.queue, "default"), 0);
	assert_int_equal(queue_total(scene.queue), 1);
	assert_null(queue_take(scene.queue, "default"));
	assert_string_equal(message_envelope(message)->subject, "Scan 3");
	assert_true(message_bytes(message, &bytes));
	assert_bytes("body", bytes, text_make(expected, 1000));
	assert_int_equal(stored(), 1);
	queue_scene_settle(&scene, message, queue_scene_delivered(message));
	assert_null(queue_take(scene.queue, "default"));
	queue_scene_until(&scene, queue_scene_is_empty);
	assert_int_equal(stored(), 0);
	free(expected);
}

static void note_id(void *ctx, struct message *message)
{
	buf_printf(ctx, "%s ", message_envelope(message)->subject);
}

static void assert_ready(const char *account, const char *subjects)
{
	struct buf seen = BUF_INIT(4096);

	queue_each_ready(scene.queue, account, note_id, &seen);
	assert_bytes(account, buf_text(&seen), text_of(subjects));
	buf_free(&seen);
}

static void test_oldest_first_and_put_back_in_front(void **state)
{
	message_id ids[4];
	struct message *one, *two;

	(void)state;
	for (unsigned i = 0; i < COUNT(ids); i++)
		ids[i] = queue_scene_add(&scene, i, &plain);
	assert_ready("default", "Scan 0 Scan 1 Scan 2 Scan 3 ");
	assert_true(message_envelope(queue_newest_ready(scene.queue,
	                                                "default"))->id ==
	            ids[3]);
	one = take("default", ids[0]);
	two = take("default", ids[1]);
	assert_ready("default", "Scan 2 Scan 3 ");
	queue_put_back(scene.queue, two);
	queue_put_back(scene.queue, one);
	assert_ready("default", "Scan 0 Scan 1 Scan 2 Scan 3 ");
	assert_int_equal(queue_ready(scene.queue, "default"), 4);
	assert_int_equal(message_envelope(take("default", ids[0]))->attempts,
	                 0);
	take("default", ids[1]);
	take("default", ids[2]);
	take("default", ids[3]);
	assert_null(queue_newest_ready(scene.queue, "default"));
	assert_int_equal(queue_total(scene.queue), 4);
}

static void test_each_account_has_a_lane(void **state)
{
	const struct waiting_mail gmail = { .account = "gmail" };
	message_id a, b, c;

	(void)state;
	assert_null(queue_take(scene.queue, "nobody"));
	assert_int_equal(queue_ready(scene.queue, "nobody"), 0);
	a = queue_scene_add(&scene, 0, &plain);
	b = queue_scene_add(&scene, 1, &gmail);
	assert_string_equal(scene.heard_account, "gmail");
	c = queue_scene_add(&scene, 2, &plain);
	assert_int_equal(queue_ready(scene.queue, "default"), 2);
	assert_int_equal(queue_ready(scene.queue, "gmail"), 1);
	assert_int_equal(queue_total(scene.queue), 3);
	assert_ready("gmail", "Scan 1 ");
	assert_ready("nobody", "");
	take("gmail", b);
	assert_null(queue_take(scene.queue, "gmail"));
	take("default", a);
	take("default", c);
}

/* --- lanes change --------------------------------------------------------- */

static void test_ready_messages_change_lanes(void **state)
{
	const struct waiting_mail gmail = { .account = "gmail" };
	message_id ids[5];

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		ids[i] = queue_scene_add(&scene, i, &plain);
	for (unsigned i = 3; i < 5; i++)
		ids[i] = queue_scene_add(&scene, i, &gmail);
	take("default", ids[0]); /* under way: it stays */
	scene.out = "default";
	scene.instead = "gmail";
	assert_ready("default", "Scan 1 Scan 2 "); /* until asked again */
	scene.heard = 0;
	queue_divert(scene.queue);
	assert_int_equal(scene.heard, 1);
	assert_string_equal(scene.heard_account, "gmail");
	assert_ready("default", "");
	assert_ready("gmail", "Scan 3 Scan 4 Scan 1 Scan 2 ");
	assert_int_equal(queue_ready(scene.queue, "default"), 0);
	assert_int_equal(queue_ready(scene.queue, "gmail"), 4);
	queue_divert(scene.queue);
	assert_int_equal(scene.heard, 1);
	scene.out = NULL;
	queue_divert(scene.queue);
	assert_string_equal(scene.heard_account, "default");
	assert_ready("default", "Scan 1 Scan 2 ");
	assert_ready("gmail", "Scan 3 Scan 4 ");
	assert_int_equal(queue_total(scene.queue), 5);
}

static void test_what_comes_meanwhile_takes_the_other_lane(void **state)
{
	message_id id;
	struct message *message;

	(void)state;
	scene.out = "default";
	scene.instead = "gmail";
	id = queue_scene_add(&scene, 0, &plain);
	assert_string_equal(scene.heard_account, "gmail");
	message = take("gmail", id);
	assert_string_equal(message_envelope(message)->account, "default");
	assert_string_equal(queue_route(scene.queue,
	                                message_envelope(message)), "gmail");
	queue_scene_settle(&scene, message,
	                   queue_scene_deferred(message,
	                                        wall_now_ms() + HOUR_MS));
	stored();
	scene.out = NULL;
	queue_hurry(scene.queue, "gmail"); /* no longer for it */
	assert_int_equal(queue_ready(scene.queue, "gmail"), 0);
	queue_hurry(scene.queue, "default");
	take("default", id);
}

static void test_put_back_into_another_lane_is_heard(void **state)
{
	message_id first = queue_scene_add(&scene, 0, &plain);
	struct message *message = take("default", first);

	(void)state;
	scene.heard = 0;
	queue_put_back(scene.queue, message);
	assert_int_equal(scene.heard, 0);
	message = take("default", first);
	scene.out = "default";
	scene.instead = "gmail";
	queue_put_back(scene.queue, message);
	assert_int_equal(scene.heard, 1);
	assert_string_equal(scene.heard_account, "gmail");
	take("gmail", first);
}

static void test_told_once_an_outage(void **state)
{
	message_id id = queue_scene_add(&scene, 0, &plain);
	struct message *message = take("default", id);

	(void)state;
	assert_true(message_tell_once(message, 1));
	assert_false(message_tell_once(message, 1));
	queue_put_back(scene.queue, message);
	assert_false(message_tell_once(message, 1));
	assert_true(message_tell_once(message, 2));
	assert_false(message_tell_once(message, 2));
}

/* --- waiting ------------------------------------------------------------- */

static void test_a_deferred_message_comes_back_in_its_time(void **state)
{
	message_id id = queue_scene_add(&scene, 2, &plain);
	struct message *message = take("default", id);
	int64_t next = wall_now_ms() + 50;
	struct envelope *envelope;

	(void)state;
	queue_scene_settle(&scene, message,
	                   queue_scene_deferred(message, next));
	assert_int_equal(queue_ready(scene.queue, "default"), 0);
	assert_int_equal(queue_total(scene.queue), 1);
	scene.heard = 0;
	queue_scene_until(&scene, is_one_ready);
	assert_int_equal(scene.heard, 1);
	message = take("default", id);
	envelope = message_envelope(message);
	assert_int_equal(envelope->attempts, 1);
	assert_string_equal(envelope->reason, "message-deferred");
	assert_int_equal(envelope->next_attempt_ms, next);
	assert_string_equal(envelope->recipients[0].reply, "451 later");
	queue_scene_settle(&scene, message, queue_scene_delivered(message));
	queue_scene_until(&scene, queue_scene_is_empty);
	assert_int_equal(stored(), 0);
}

static void assert_partly_done(struct message *message)
{
	const struct envelope *envelope = message_envelope(message);

	assert_int_equal(envelope->recipients[0].state, RECIPIENT_DELIVERED);
	assert_int_equal(envelope->recipients[1].state, RECIPIENT_QUEUED);
	assert_int_equal(envelope->recipients[2].state, RECIPIENT_FAILED);
	assert_int_equal(envelope->attempts, 1);
	assert_string_equal(envelope->reason, "message-deferred");
}

static void test_some_recipients_are_done_others_wait(void **state)
{
	message_id id = queue_scene_add(&scene, 2, &plain); /* three of them */
	struct message *message = take("default", id);
	struct outcome *outcome =
		queue_scene_deferred(message, wall_now_ms() - 1);

	(void)state;
	assert_int_equal(outcome->n_recipients, 3);
	outcome->recipients[0].state = RECIPIENT_DELIVERED;
	outcome->recipients[2].state = RECIPIENT_FAILED;
	queue_scene_settle(&scene, message, outcome);
	queue_scene_until(&scene, is_one_ready);
	assert_partly_done(take("default", id));
	reopen_scene(); /* the same is on disk */
	queue_start(scene.queue);
	queue_scene_until(&scene, is_one_ready);
	assert_partly_done(take("default", id));
}

static void test_hurry_ends_the_wait_of_one_account(void **state)
{
	const struct waiting_mail gmail = { .account = "gmail" };
	message_id a = queue_scene_add(&scene, 0, &plain);
	message_id b = queue_scene_add(&scene, 1, &gmail);
	struct message *message = take("default", a);
	int64_t later = wall_now_ms() + HOUR_MS;

	(void)state;
	queue_scene_settle(&scene, message,
	                   queue_scene_deferred(message, later));
	message = take("gmail", b);
	queue_scene_settle(&scene, message,
	                   queue_scene_deferred(message, later));
	stored();
	assert_int_equal(queue_ready(scene.queue, "default"), 0);
	scene.heard = 0;
	queue_hurry(scene.queue, "default");
	queue_scene_until(&scene, is_one_ready);
	assert_true(scene.heard >= 1);
	assert_string_equal(scene.heard_account, "default");
	assert_int_equal(queue_ready(scene.queue, "gmail"), 0);
	take("default", a);
	queue_hurry(scene.queue, "nobody");
	assert_int_equal(queue_ready(scene.queue, "gmail"), 0);
	queue_hurry(scene.queue, "gmail");
	take("gmail", b);
}

static void subject_of(void *ctx, struct message *message)
{
	char **order = ctx;
	char *so_far = *order;

	*order = xasprintf("%s%s ", so_far,
	                   message_envelope(message)->subject);
	free(so_far);
}

static bool is_a_hundred_ready(struct queue_scene *s)
{
	return queue_ready(s->queue, "default") == 100;
}

/* After a start, and after a wait that was cut short: oldest first. */
static void test_the_order_is_kept(void **state)
{
	struct waiting_mail mail = { .next_attempt_ms = 1 };
	int64_t later = wall_now_ms() + HOUR_MS;
	char *before = xstrdup(""), *after = xstrdup(""),
	     *hurried = xstrdup("");
	struct message *message;

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		queue_scene_add(&scene, i, &mail);
	queue_each_ready(scene.queue, "default", subject_of, &before);
	reopen_scene();
	queue_start(scene.queue);
	queue_scene_until(&scene, is_a_hundred_ready);
	queue_each_ready(scene.queue, "default", subject_of, &after);
	assert_string_equal(after, before);
	while ((message = queue_take(scene.queue, "default")))
		queue_scene_settle(
			&scene, message,
			queue_scene_deferred(message, later -= 1000));
	stored();
	queue_hurry(scene.queue, "default");
	queue_each_ready(scene.queue, "default", subject_of, &hurried);
	assert_string_equal(hurried, before);
	free(before);
	free(after);
	free(hurried);
}

/* --- expiry --------------------------------------------------------------- */

static void test_expired_messages_are_taken_out(void **state)
{
	int64_t now = wall_now_ms();
	const struct waiting_mail old = { .expires_ms = now - 5 };
	const struct waiting_mail older = { .account = "gmail",
		                            .expires_ms = now - HOUR_MS };
	message_id fresh = queue_scene_add(&scene, 0, &plain);
	message_id a = queue_scene_add(&scene, 1, &old);
	message_id b = queue_scene_add(&scene, 2, &older);
	bool seen_a = false, seen_b = false;
	struct message *message;

	(void)state;
	for (int i = 0; i < 2; i++) {
		message = queue_take_expired(scene.queue, now);
		assert_non_null(message);
		seen_a |= message_envelope(message)->id == a;
		seen_b |= message_envelope(message)->id == b;
	}
	assert_true(seen_a && seen_b);
	assert_null(queue_take_expired(scene.queue, now));
	assert_int_equal(queue_ready(scene.queue, "gmail"), 0);
	assert_int_equal(queue_ready(scene.queue, "default"), 1);
	message = queue_take_expired(scene.queue, INT64_MAX);
	assert_true(message_envelope(message)->id == fresh);
}

/* --- start ---------------------------------------------------------------- */

static bool is_all_there(struct queue_scene *s)
{
	return queue_total(s->queue) == 3 && queue_ready(s->queue, "gmail") == 1;
}

static void test_what_was_left_is_found_at_the_start(void **state)
{
	const struct waiting_mail gmail = { .account = "gmail" };
	const struct waiting_mail later = {
		.next_attempt_ms = wall_now_ms() + HOUR_MS
	};
	message_id a = queue_scene_add(&scene, 0, &plain);
	message_id b = queue_scene_add(&scene, 1, &gmail);
	message_id c = queue_scene_add(&scene, 2, &later);
	struct message *message;
	struct text bytes;

	(void)state;
	take("default", a); /* as if killed in the middle of an attempt */
	reopen_scene();
	assert_int_equal(scene.store.recovery.queued, 3);
	assert_int_equal(queue_total(scene.queue), 0);
	queue_start(scene.queue);
	queue_scene_until(&scene, is_all_there);
	assert_true(scene.heard >= 2);
	assert_int_equal(queue_ready(scene.queue, "default"), 1);
	message = take("default", a);
	assert_false(message_bytes(message, &bytes));
	assert_int_equal(message_envelope(message)->size, 1000);
	take("gmail", b);
	assert_null(queue_take(scene.queue, "default"));
	queue_hurry(scene.queue, "default");
	take("default", c);
}

static void test_nothing_is_older_for_a_clock_that_jumps(void **state)
{
	message_id id = queue_scene_add(&scene, 0, &plain);
	struct queue_waiting waiting;
	int64_t received_ms;

	(void)state;
	queue_waiting(scene.queue, "default", 0, &waiting);
	received_ms = waiting.received_ms;
	queue_rebase(scene.queue, HOUR_MS);
	queue_waiting(scene.queue, "default", 0, &waiting);
	assert_int_equal(waiting.n, 1);
	assert_int_equal(waiting.received_ms, received_ms + HOUR_MS);
	take("default", id);
}

/* --- bounds --------------------------------------------------------------- */

enum { EXTRA = 700, MANY = QUEUE_RESIDENT_MAX + EXTRA };

static int compare_ids(const void *a, const void *b)
{
	const message_id *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* All of them into the store; into the queue as well, if wished. */
static message_id *add_many(unsigned n, bool queue_them)
{
	struct mail *mails = xcalloc(n, sizeof(*mails));
	message_id *ids = xcalloc(n, sizeof(*ids));

	for (unsigned i = 0; i < n; i++)
		mail_start(&mails[i], &scene.store, i, 50);
	scene_wait(&scene.store);
	for (unsigned i = 0; i < n; i++) {
		ids[i] = mails[i].envelope->id;
		queue_scene_finish(&scene, &mails[i], queue_them);
		assert_true(queue_total(scene.queue) <= QUEUE_RESIDENT_MAX);
	}
	free(mails);
	qsort(ids, n, sizeof(*ids), compare_ids);
	return ids;
}

static bool is_any_ready_or_empty(struct queue_scene *s)
{
	return queue_ready(s->queue, "default") > 0 ||
	       queue_total(s->queue) == 0;
}

/* Each is delivered once, and never more than the bound are held. */
static void drain(const message_id *ids, unsigned n)
{
	bool *seen = xcalloc(n, sizeof(*seen));
	struct message *message;
	unsigned delivered = 0;

	while (delivered < n) {
		queue_scene_until(&scene, is_any_ready_or_empty);
		assert_true(queue_total(scene.queue) <= QUEUE_RESIDENT_MAX);
		while ((message = queue_take(scene.queue, "default"))) {
			message_id id = message_envelope(message)->id;
			const message_id *at = bsearch(&id, ids, n, sizeof(id),
			                               compare_ids);

			assert_non_null(at);
			assert_false(seen[at - ids]);
			seen[at - ids] = true;
			delivered++;
			queue_scene_settle(&scene, message,
			                   queue_scene_delivered(message));
		}
	}
	queue_scene_until(&scene, queue_scene_is_empty);
	assert_int_equal(stored(), 0);
	free(seen);
}

static void test_a_flood_stays_in_the_store(void **state)
{
	message_id *ids = add_many(MANY, true);

	(void)state;
	assert_int_equal(queue_total(scene.queue), QUEUE_RESIDENT_MAX);
	drain(ids, MANY);
	free(ids);
}

static bool is_full(struct queue_scene *s)
{
	return queue_total(s->queue) == QUEUE_RESIDENT_MAX;
}

static void test_a_long_queue_is_loaded_in_parts(void **state)
{
	message_id *ids = add_many(MANY, false);

	(void)state;
	queue_start(scene.queue);
	queue_scene_until(&scene, is_full);
	drain(ids, MANY);
	free(ids);
}

static void defer_all(int64_t until_ms)
{
	struct message *message;

	while ((message = queue_take(scene.queue, "default")))
		queue_scene_settle(&scene, message,
		                   queue_scene_deferred(message, until_ms));
	stored(); /* all is on disk */
}

/* What waits for tomorrow must not keep out what could go now, nor be
 * forgotten for it. */
static void test_new_mail_passes_a_queue_full_of_waiting_mail(void **state)
{
	message_id *ids = add_many(QUEUE_RESIDENT_MAX, true);
	unsigned delivered = 0;
	struct message *message;

	(void)state;
	defer_all(wall_now_ms() + 24 * HOUR_MS);
	for (unsigned i = 0; i < 10; i++) {
		message_id fresh = queue_scene_add(&scene, i, &plain);

		queue_scene_until(&scene, is_one_ready);
		message = take("default", fresh);
		assert_true(queue_total(scene.queue) <= QUEUE_RESIDENT_MAX);
		queue_scene_settle(&scene, message,
		                   queue_scene_delivered(message));
	}
	while (delivered < QUEUE_RESIDENT_MAX) {
		queue_hurry(scene.queue, "default");
		message = queue_take(scene.queue, "default");
		if (message == NULL) {
			queue_scene_until(&scene, is_once);
			continue;
		}
		delivered++;
		queue_scene_settle(&scene, message,
		                   queue_scene_delivered(message));
	}
	queue_scene_until(&scene, queue_scene_is_empty);
	assert_int_equal(stored(), 0);
	free(ids);
}

static void test_bodies_in_memory_are_bounded(void **state)
{
	const struct waiting_mail big = { .len = BODY_INLINE_MAX };
	struct message *message;
	struct text bytes;
	size_t held = 0, octets = 0;

	(void)state;
	for (unsigned i = 0; i < 160; i++) /* 40 MiB */
		queue_scene_add(&scene, i, &big);
	while ((message = queue_take(scene.queue, "default"))) {
		if (!message_bytes(message, &bytes))
			continue;
		held++;
		octets += bytes.len;
	}
	assert_true(held > 0);
	assert_true(octets <= 32 * 1024 * 1024);
}

/* Kept for the first attempt alone. */
static void test_bodies_go_after_the_first_attempt(void **state)
{
	message_id id = queue_scene_add(&scene, 0, &plain);
	struct message *message = take("default", id);
	struct text bytes;

	(void)state;
	assert_true(message_bytes(message, &bytes));
	queue_put_back(scene.queue, message); /* that was none */
	message = take("default", id);
	assert_true(message_bytes(message, &bytes));
	queue_scene_settle(&scene, message,
	                   queue_scene_deferred(message, wall_now_ms()));
	queue_scene_until(&scene, is_one_ready);
	message = take("default", id);
	assert_false(message_bytes(message, &bytes));
}

/* --- a disk that fails ----------------------------------------------------- */

static void limit_files(rlim_t octets)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = octets;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static bool turned_bad(struct queue_scene *s)
{
	return s->store.turned_bad > 0;
}

static bool turned_well(struct queue_scene *s)
{
	return s->store.turned_well > 0 && store_is_healthy(s->services.store);
}

static bool is_one_left(struct queue_scene *s)
{
	return queue_total(s->queue) == 1 && is_one_ready(s);
}

static void test_outcomes_are_saved_again(void **state)
{
	message_id a = queue_scene_add(&scene, 0, &plain);
	message_id b = queue_scene_add(&scene, 1, &plain);
	struct message *gone = take("default", a), *waits = take("default", b);

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	limit_files(0); /* what is written now fails with EFBIG */
	queue_scene_settle(&scene, gone, queue_scene_delivered(gone));
	queue_scene_settle(&scene, waits,
	                   queue_scene_deferred(waits, wall_now_ms()));
	queue_scene_until(&scene, turned_bad);
	/* Nobody gets them meanwhile: they could be sent twice. */
	assert_int_equal(queue_total(scene.queue), 2);
	assert_null(queue_take(scene.queue, "default"));
	queue_hurry(scene.queue, "default");
	assert_null(queue_take(scene.queue, "default"));
	assert_null(queue_take_expired(scene.queue, INT64_MAX));
	limit_files(RLIM_INFINITY);
	queue_scene_until(&scene, turned_well);
	queue_save_again(scene.queue);
	queue_scene_until(&scene, is_one_left);
	waits = take("default", b);
	assert_int_equal(message_envelope(waits)->attempts, 1);
	assert_int_equal(stored(), 1);
	queue_scene_settle(&scene, waits, queue_scene_delivered(waits));
	queue_scene_until(&scene, queue_scene_is_empty);
	assert_int_equal(stored(), 0);
}

/* --- all together ----------------------------------------------------------- */

static const char *const accounts[] = { "default", "gmail", "ses" };

struct walk {
	struct message *active[8];
	size_t n_active;
	unsigned added, delivered;
	uint32_t x;
};

static uint32_t chance(struct walk *walk, uint32_t n)
{
	walk->x ^= walk->x << 13;
	walk->x ^= walk->x >> 17;
	walk->x ^= walk->x << 5;
	return walk->x % n;
}

static void walk_take(struct walk *walk)
{
	const char *account = accounts[chance(walk, COUNT(accounts))];
	struct message *message;

	if (walk->n_active == COUNT(walk->active))
		return;
	message = queue_take(scene.queue, account);
	if (message == NULL)
		return;
	assert_string_equal(message_envelope(message)->account, account);
	walk->active[walk->n_active++] = message;
}

static void walk_end(struct walk *walk)
{
	struct message *message;

	if (walk->n_active == 0)
		return;
	message = walk->active[--walk->n_active];
	switch (chance(walk, 3)) {
	case 0:
		queue_put_back(scene.queue, message);
		break;
	case 1:
		queue_scene_settle(
			&scene, message,
			queue_scene_deferred(message, wall_now_ms() +
		                                              chance(walk, 9)));
		break;
	default:
		walk->delivered++;
		queue_scene_settle(&scene, message,
		                   queue_scene_delivered(message));
	}
}

static size_t all_ready(void)
{
	size_t ready = 0;

	for (size_t i = 0; i < COUNT(accounts); i++)
		ready += queue_ready(scene.queue, accounts[i]);
	return ready;
}

static void walk_step(struct walk *walk)
{
	const struct waiting_mail mail = { .account = accounts[chance(walk, 3)] };

	switch (chance(walk, 8)) {
	case 0:
		queue_scene_add(&scene, walk->added++, &mail);
		break;
	case 1:
		queue_hurry(scene.queue, mail.account);
		break;
	case 2:
		queue_scene_until(&scene, is_once);
		break;
	case 3:
	case 4:
		walk_end(walk);
		break;
	default:
		walk_take(walk);
	}
	assert_true(all_ready() + walk->n_active <= queue_total(scene.queue));
	assert_true(queue_total(scene.queue) + walk->delivered >= walk->added);
}

static bool is_some_ready_or_empty(struct queue_scene *s)
{
	(void)s;
	return all_ready() > 0 || queue_total(scene.queue) == 0;
}

static void test_a_random_walk(void **state)
{
	struct walk walk = { .x = 521288629 };

	(void)state;
	for (unsigned i = 0; i < 4000; i++)
		walk_step(&walk);
	while (walk.n_active > 0)
		queue_put_back(scene.queue, walk.active[--walk.n_active]);
	while (queue_total(scene.queue) > 0) {
		queue_scene_until(&scene, is_some_ready_or_empty);
		walk_take(&walk);
		walk_end(&walk);
	}
	assert_int_equal(walk.delivered, walk.added);
	assert_int_equal(stored(), 0);
}

/* Nothing leaks, whatever state messages are in; see teardown(). */
static void test_the_end_may_come_at_any_time(void **state)
{
	message_id ids[5];
	struct message *message;

	(void)state;
	for (unsigned i = 0; i < COUNT(ids); i++)
		ids[i] = queue_scene_add(&scene, i, &plain);
	take("default", ids[0]);
	message = take("default", ids[1]);
	queue_scene_settle(&scene, message,
	                   queue_scene_deferred(message,
	                                        wall_now_ms() + HOUR_MS));
	queue_scene_until(&scene, is_once);
	message = take("default", ids[2]);
	queue_scene_settle(&scene, message, queue_scene_delivered(message));
	queue_start(scene.queue); /* a load that is under way */
}

#define QUEUE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		QUEUE_TEST(test_a_message_goes_its_way),
		QUEUE_TEST(test_oldest_first_and_put_back_in_front),
		QUEUE_TEST(test_each_account_has_a_lane),
		QUEUE_TEST(test_ready_messages_change_lanes),
		QUEUE_TEST(test_what_comes_meanwhile_takes_the_other_lane),
		QUEUE_TEST(test_put_back_into_another_lane_is_heard),
		QUEUE_TEST(test_told_once_an_outage),
		QUEUE_TEST(test_a_deferred_message_comes_back_in_its_time),
		QUEUE_TEST(test_some_recipients_are_done_others_wait),
		QUEUE_TEST(test_hurry_ends_the_wait_of_one_account),
		QUEUE_TEST(test_the_order_is_kept),
		QUEUE_TEST(test_expired_messages_are_taken_out),
		QUEUE_TEST(test_what_was_left_is_found_at_the_start),
		QUEUE_TEST(test_nothing_is_older_for_a_clock_that_jumps),
		QUEUE_TEST(test_a_flood_stays_in_the_store),
		QUEUE_TEST(test_a_long_queue_is_loaded_in_parts),
		QUEUE_TEST(
			test_new_mail_passes_a_queue_full_of_waiting_mail),
		QUEUE_TEST(test_bodies_in_memory_are_bounded),
		QUEUE_TEST(test_bodies_go_after_the_first_attempt),
		QUEUE_TEST(test_outcomes_are_saved_again),
		QUEUE_TEST(test_a_random_walk),
		QUEUE_TEST(test_the_end_may_come_at_any_time),
	};
	int failed;

	alarm(300);
	tempdir_make();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	tempdir_remove();
	return failed;
}
