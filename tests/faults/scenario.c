#include "tests/faults/scenario.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/relay/store_scene.h"

enum { SMALL = 3000, INLINE = 20 * 1000, LARGE = 300 * 1000 };
static const int64_t deferred_to_ms = 77000;

static const char *folder;

struct promises *promises_new(void)
{
	struct promises *promises =
		mmap(NULL, sizeof(*promises), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (promises == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return promises;
}

/* --- acting ------------------------------------------------------------- */

/* A message whose promise is in shared memory. */
struct part {
	struct scene *scene;
	struct promises *promises;
	struct promise *promise;
	struct mail mail;
};

static void part_start(struct part *part, struct scene *scene,
		       struct promises *promises, size_t len)
{
	unsigned number = promises->n;
	struct promise *promise = &promises->of[number];

	part->scene = scene;
	part->promises = promises;
	part->promise = promise;
	mail_start(&part->mail, scene, number, len);
	promise->id = part->mail.envelope->id;
	promise->number = promise->first = number;
	promise->len = len;
	part->mail.promise[0] = &promise->accepted;
	promises->n++;
}

/* Right after part_start(of): one more message with its body. */
static void part_share(struct part *part, struct part *of)
{
	struct promises *promises = of->promises;
	unsigned number = promises->n;
	struct promise *promise = &promises->of[number];

	part->scene = of->scene;
	part->promises = promises;
	part->promise = promise;
	of->mail.promise[of->mail.n] = &promise->accepted;
	part->mail.envelope = mail_share(&of->mail, number);
	promise->id = part->mail.envelope->id;
	promise->number = number;
	promise->first = of->promise->number;
	promise->len = of->promise->len;
	promises->n++;
}

static void kept(void *ctx, const char *error, bool full)
{
	struct part *part = ctx;
	struct promise *promise = part->promise;

	(void)full;
	if (error && store_is_healthy(part->scene->store))
		part->promises->broken++; /* nobody would try again */
	if (!error && promise->delivery_asked)
		promise->delivery_kept = true;
	else if (!error)
		promise->deferral_kept = true;
	scene_answered(part->scene);
}

static void part_deliver(struct part *part)
{
	struct outcome *outcome;

	if (!part->promise->accepted)
		return;
	outcome = outcome_delivered(part->promise->id,
				    part->mail.envelope->n_recipients);
	part->promise->delivery_asked = true;
	part->scene->open_questions++;
	store_outcome(part->scene->store, &outcome, kept, part);
}

static void part_defer(struct part *part)
{
	struct outcome *outcome;

	if (!part->promise->accepted)
		return;
	outcome = outcome_new(part->promise->id);
	outcome->state = MESSAGE_QUEUED;
	outcome->next_attempt_ms = deferred_to_ms;
	outcome->attempts = 1;
	outcome_add(outcome, 0, RECIPIENT_QUEUED, "450 4.2.0 Greylisted", NULL, 0);
	part->promise->deferral_asked = true;
	part->scene->open_questions++;
	store_outcome(part->scene->store, &outcome, kept, part);
}

static void changed(void *ctx, enum queue_answer answer, const char *words,
		    struct envelope *envelope)
{
	(void)words;
	envelope_free(&envelope);
	kept(ctx, answer == QUEUE_CHANGED ? NULL : "not changed", false);
}

/* Held or deleted it is not sent, as if it were delivered. */
static void part_change(struct part *part, enum queue_change what)
{
	if (!part->promise->accepted)
		return;
	part->promise->delivery_asked = true;
	part->scene->open_questions++;
	store_change(part->scene->store, part->promise->id, what, 0, changed,
		     part);
}

static void give_up_halfway(struct scene *scene)
{
	static const struct body_callbacks nobody = { scene_drained,
						      scene_finished };
	char *bytes = scene_bytes(0, LARGE);
	struct body *body = body_new(
		scene->spool, scene->loop,
		message_id_new(wall_now_ms(), random_u32()), &nobody, scene);

	body_append(body, bytes, LARGE);
	body_abort(&body);
	free(bytes);
}

static void act_one_start(struct promises *promises, int64_t purge_ms)
{
	enum { TOGETHER = 5, PARTS = 10, SHARES = 3 };
	static const size_t lens[TOGETHER] = { SMALL, LARGE, SMALL, LARGE,
					       INLINE };
	struct part parts[PARTS], shares[SHARES];
	struct scene scene;

	if (!scene_open(&scene, folder))
		return; /* a disk that fails may fail the start */
	promises->opened = true;
	for (unsigned i = 0; i < TOGETHER; i++)
		part_start(&parts[i], &scene, promises, lens[i]);
	part_share(&shares[0], &parts[4]);
	scene_wait(&scene);
	part_deliver(&parts[0]);
	part_deliver(&parts[1]);
	part_defer(&parts[2]);
	part_deliver(&parts[4]); /* but not its share */
	part_start(&parts[5], &scene, promises, LARGE);
	part_share(&shares[1], &parts[5]);
	part_share(&shares[2], &parts[5]);
	give_up_halfway(&scene);
	scene_wait(&scene);
	store_purge(scene.store, purge_ms, purge_ms);
	part_start(&parts[6], &scene, promises, 0);
	scene_wait(&scene);
	part_start(&parts[7], &scene, promises, SMALL);
	part_start(&parts[8], &scene, promises, LARGE);
	part_start(&parts[9], &scene, promises, SMALL);
	scene_wait(&scene);
	part_change(&parts[8], QUEUE_DELETE);
	part_change(&parts[9], QUEUE_HOLD);
	part_deliver(&parts[5]);
	part_deliver(&shares[1]);
	scene_wait(&scene);
	for (unsigned i = 0; i < PARTS; i++)
		mail_end(&parts[i].mail);
	scene_close(&scene);
}

void act_everything(struct promises *promises)
{
	act_one_start(promises, 0);
	act_one_start(promises, wall_now_ms() + 1000);
}

void act_checkpoints(struct promises *promises)
{
	enum { ROUNDS = 12, TOGETHER = 8, NEARLY_LARGE = 200 * 1000 };
	struct part parts[TOGETHER];
	struct scene scene;

	if (!scene_open(&scene, folder))
		return;
	promises->opened = true;
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < TOGETHER; i++)
			part_start(&parts[i], &scene, promises, NEARLY_LARGE);
		scene_wait(&scene);
		for (unsigned i = 0; i < TOGETHER / 2; i++)
			part_deliver(&parts[i]);
		scene_wait(&scene);
		for (unsigned i = 0; i < TOGETHER; i++)
			mail_end(&parts[i].mail);
	}
	scene_close(&scene);
}

static int in_a_child(void (*run)(void *ctx), void *ctx)
{
	int status = 0;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child == 0) {
		run(ctx);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child) {
		perror("a child");
		exit(1);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

struct acting {
	const struct disk_plan *plan;
	struct promises *promises;
	void (*act)(struct promises *);
};

static void run_act(void *ctx)
{
	struct acting *acting = ctx;

	/* Refused outcomes are told to a person, who is not here. */
	if (!freopen("/dev/null", "w", stderr))
		exit(1);
	disk_begin(folder, acting->plan);
	acting->act(acting->promises);
	acting->promises->operations = disk_operations();
	/* What was promised must last although the power goes now. */
	if (acting->plan->fail_count > 0)
		disk_cut_now();
}

int scenario_act(const char *new_folder, const struct disk_plan *plan,
		 struct promises *promises, void (*act)(struct promises *))
{
	struct acting acting = { plan, promises, act };

	folder = new_folder;
	if (mkdir(folder, 0700) != 0) {
		perror(folder);
		exit(1);
	}
	memset(promises, 0, sizeof(*promises));
	return in_a_child(run_act, &acting);
}

/* --- checking ----------------------------------------------------------- */

struct checking {
	struct promises *promises;
	struct scene scene;
	bool may_lose_refused;
};

static void broken(struct checking *checking, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void broken(struct checking *checking, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	checking->promises->broken++;
}

static struct promise *promise_of(struct checking *checking,
				  const struct envelope *envelope)
{
	struct promises *promises = checking->promises;

	for (unsigned i = 0; i < promises->n; i++)
		if (promises->of[i].id == envelope->id)
			return &promises->of[i];
	return NULL;
}

static void check_body(struct checking *checking,
		       const struct envelope *envelope,
		       const struct promise *promise)
{
	struct loaded body = scene_load_body(&checking->scene, envelope);
	char *bytes = scene_bytes(promise->first, promise->len);

	if (body.failed)
		broken(checking, "message %u cannot be read", promise->number);
	else if (body.len != promise->len ||
		 memcmp(body.bytes, bytes, body.len) != 0)
		broken(checking, "message %u has other bytes", promise->number);
	loaded_free(&body);
	free(bytes);
}

static void check_envelope(struct checking *checking, const struct envelope *e,
			   const struct promise *promise)
{
	char subject[32];

	snprintf(subject, sizeof(subject), "Scan %u", promise->number);
	if (!e->subject || strcmp(e->subject, subject) != 0 ||
	    e->n_recipients != promise->number % 3 + 1)
		broken(checking, "message %u has another envelope",
		       promise->number);
	if (promise->deferral_kept && e->next_attempt_ms != deferred_to_ms)
		broken(checking, "message %u forgot that it was deferred",
		       promise->number);
	if (promise->delivery_kept)
		broken(checking, "message %u would be delivered twice",
		       promise->number);
}

static void check_missing(struct checking *checking, const bool *found)
{
	struct promises *promises = checking->promises;

	for (unsigned i = 0; i < promises->n; i++) {
		const struct promise *promise = &promises->of[i];

		if (promise->accepted && !promise->delivery_asked && !found[i])
			broken(checking, "message %u is lost", i);
		if (promise->deferral_kept && !found[i])
			broken(checking, "deferred message %u is lost", i);
		if (found[i] && !promises->of[promise->first].delivery_asked &&
		    !found[promise->first])
			broken(checking, "message %u came without %u", i,
			       promise->first);
	}
}

static void check_queue(struct checking *checking)
{
	struct loaded queue = scene_load(&checking->scene, 1000);
	bool found[PROMISES_MAX] = { false };

	if (queue.failed)
		broken(checking, "the queue cannot be loaded");
	for (size_t i = 0; i < queue.n; i++) {
		const struct envelope *envelope = queue.envelopes[i];
		struct promise *promise = promise_of(checking, envelope);

		if (!promise || found[promise->number]) {
			broken(checking, "a message from nowhere");
			continue;
		}
		found[promise->number] = true;
		check_envelope(checking, envelope, promise);
		check_body(checking, envelope, promise);
	}
	check_missing(checking, found);
	loaded_free(&queue);
}

static bool check_start(struct checking *checking)
{
	if (scene_open(&checking->scene, folder))
		return true;
	broken(checking, "it does not start: %s", checking->scene.error);
	return false;
}

static void run_check(void *ctx)
{
	struct checking *checking = ctx;
	struct store_recovery *again = &checking->scene.recovery;
	struct disk_plan nothing = { .cut = DISK_KEEPS };

	disk_begin(folder, &nothing); /* one that is quick */
	if (!check_start(checking))
		return;
	if (again->lost_bodies > 0 && !checking->may_lose_refused)
		broken(checking, "a body is lost");
	check_queue(checking);
	if (scene_send(&checking->scene, 1000, SMALL) == 0)
		broken(checking, "it takes no new mail");
	scene_close(&checking->scene);
	if (!check_start(checking))
		return;
	if (again->orphans_removed + again->lost_bodies > 0)
		broken(checking, "a second recovery found more to do");
	scene_close(&checking->scene);
}

void scenario_check(const char *new_folder, struct promises *promises,
		    bool may_lose_refused)
{
	struct checking checking = { .promises = promises,
				     .may_lose_refused = may_lose_refused };
	int status;

	folder = new_folder;
	status = in_a_child(run_check, &checking);
	if (status != 0)
		broken(&checking, "the check ended with %d", status);
}
