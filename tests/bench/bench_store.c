/*
 * bench_store -- what the spool alone can take: lanes at a time put a message
 * into the store, and its outcome as soon as it is durable, and go on with the
 * next; as clients do while deliveries keep up.
 *
 *     bench_store [MESSAGES [LANES [OCTETS [FOLDER]]]]
 *
 * It measures neither SMTP nor TLS.  CPU is that of the whole process: of the
 * loop, the storage thread and the kernel for both.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include "tests/faults/shim_vfs.h"
#include "tests/relay/store_scene.h"

static _Atomic unsigned syncs;
static _Atomic uint64_t octets_written;

static int count(enum shim_op op, const char *path, uint64_t offset,
		 uint64_t len)
{
	(void)path, (void)offset;
	if (op == SHIM_SYNC)
		atomic_fetch_add(&syncs, 1);
	if (op == SHIM_WRITE)
		atomic_fetch_add(&octets_written, len);
	return 0;
}

struct bench {
	struct scene scene;
	unsigned left, failed;
	unsigned running; /* lanes and outcomes */
	size_t octets;
};

struct lane {
	struct bench *bench;
	struct mail mail;
};

static void lane_start(struct lane *lane);

static void bench_end_one(struct bench *bench)
{
	if (--bench->running == 0)
		loop_stop(bench->scene.loop);
}

static void outcome_told(void *ctx, const char *error, bool full)
{
	struct bench *bench = ctx;

	(void)full;
	bench->failed += error != NULL;
	bench_end_one(bench);
}

static void lane_accepted(void *ctx, const char *error, bool full)
{
	struct lane *lane = ctx;
	struct bench *bench = lane->bench;
	struct outcome *outcome = outcome_delivered(
		lane->mail.envelope->id, lane->mail.envelope->n_recipients);

	(void)full;
	bench->failed += error != NULL;
	bench->running++;
	store_outcome(bench->scene.store, &outcome, outcome_told, bench);
	mail_end(&lane->mail);
	lane_start(lane);
}

static void lane_finished(void *ctx, const char *error, bool full)
{
	struct lane *lane = ctx;
	struct envelope *envelope = lane->mail.envelope;

	(void)full;
	lane->bench->failed += error != NULL;
	envelope->size = body_size(lane->mail.body);
	envelope->checksum = body_checksum(lane->mail.body);
	store_accept(lane->bench->scene.store, &lane->mail.envelope, 1,
		     lane->mail.body, lane_accepted, lane);
}

static void lane_drained(void *ctx)
{
	struct lane *lane = ctx;

	mail_append(&lane->mail);
}

static void lane_start(struct lane *lane)
{
	static const struct body_callbacks callbacks = { lane_drained,
							 lane_finished };
	struct bench *bench = lane->bench;
	struct mail *mail = &lane->mail;

	if (bench->left == 0) {
		bench_end_one(bench);
		return;
	}
	memset(mail, 0, sizeof(*mail));
	mail->bytes = text_make(scene_bytes(0, bench->octets), bench->octets);
	mail->envelope = envelope_new();
	mail->envelope->id = message_id_new(wall_now_ms(), random_u32());
	mail_fill_envelope(mail->envelope, 3 * bench->left--);
	mail->body = body_new(bench->scene.spool, bench->scene.loop,
			      mail->envelope->id, &callbacks, lane);
	mail_append(mail);
}

static double cpu_seconds(void)
{
	struct rusage use;

	getrusage(RUSAGE_SELF, &use);
	return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
	       (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

static double wall_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void print(struct bench *bench, unsigned messages, double wall,
		  double cpu)
{
	struct store_counters counters;
	struct rusage use;

	store_counters(bench->scene.store, &counters);
	getrusage(RUSAGE_SELF, &use);
	printf("%u messages, %u failed\n", messages, bench->failed);
	printf("%10.0f messages/s\n", messages / wall);
	printf("%10.3f CPU seconds per 1000\n", cpu * 1000 / messages);
	printf("%10.3f syncs per message\n", (double)syncs / messages);
	printf("%10.1f jobs per commit\n",
	       (double)counters.jobs / (double)counters.commits);
	printf("%10.1f KiB written per message\n",
	       (double)octets_written / 1024 / messages);
	printf("%10.1f MiB at the peak\n", (double)use.ru_maxrss / 1024);
}

static long argument(int argc, char **argv, int n, long otherwise)
{
	return argc > n ? strtol(argv[n], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
	unsigned messages = (unsigned)argument(argc, argv, 1, 20000);
	unsigned lanes = (unsigned)argument(argc, argv, 2, 20);
	struct bench bench = { .left = messages, .running = lanes };
	struct lane *lane = xcalloc(lanes, sizeof(*lane));
	double wall, cpu;

	bench.octets = (size_t)argument(argc, argv, 3, 4096);
	shim_vfs_install(count, true);
	if (!scene_open(&bench.scene, argc > 4 ? argv[4] : "bench-spool")) {
		fprintf(stderr, "%s\n", bench.scene.error);
		return 1;
	}
	wall = wall_seconds();
	cpu = cpu_seconds();
	syncs = 0;
	octets_written = 0;
	for (unsigned i = 0; i < lanes; i++) {
		lane[i].bench = &bench;
		lane_start(&lane[i]);
	}
	loop_run(bench.scene.loop);
	print(&bench, messages, wall_seconds() - wall, cpu_seconds() - cpu);
	scene_close(&bench.scene);
	free(lane);
	return bench.failed > 0;
}
