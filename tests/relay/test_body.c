#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include "proto/xalloc.h"
#include "relay/queue/body.h"
#include "tests/relay/store_scene.h"
#include "tests/support/bytes.h"
#include "tests/support/tempdir.h"

enum { BLOCK = BODY_INLINE_MAX };

/* A body that is written, without a store. */
struct writing {
	struct body *body;
	unsigned drained, finished;
	bool failed, full;
	char error[128];
};

static struct scene scene;

static void on_drain(void *ctx)
{
	struct writing *writing = ctx;

	writing->drained++;
	loop_stop(scene.loop);
}

static void on_finish(void *ctx, const char *error, bool full)
{
	struct writing *writing = ctx;

	writing->finished++;
	writing->failed = error != NULL;
	writing->full = full;
	snprintf(writing->error, sizeof(writing->error), "%s",
		 error ? error : "");
	scene_answered(&scene);
}

static void begin(struct writing *writing, message_id id)
{
	static const struct body_callbacks callbacks = { on_drain, on_finish };

	memset(writing, 0, sizeof(*writing));
	writing->body =
		body_new(scene.spool, scene.loop, id, &callbacks, writing);
}

static void finish(struct writing *writing)
{
	scene.open_questions++;
	body_finish(writing->body);
	assert_int_equal(writing->finished, 0); /* never from inside */
	scene_wait(&scene);
	assert_int_equal(writing->finished, 1);
}

/* As a session does, in pieces of this size. */
static void append(struct writing *writing, const char *bytes, size_t len,
		   size_t piece)
{
	for (size_t at = 0; at < len; at += piece) {
		size_t n = len - at < piece ? len - at : piece;
		unsigned drained = writing->drained;

		if (body_append(writing->body, bytes + at, n))
			continue;
		while (writing->drained == drained)
			loop_run(scene.loop);
	}
}

static const char *path_of(message_id id)
{
	char name[MESSAGE_ID_TEXT + 16];
	char text[MESSAGE_ID_TEXT];

	snprintf(name, sizeof(name), "spool/bodies/%s",
		 message_id_print(id, text));
	return tempdir_path(name);
}

static bool exists(message_id id)
{
	struct stat info;

	return lstat(path_of(id), &info) == 0;
}

static message_id new_id(void)
{
	return message_id_new(wall_now_ms(), random_u32());
}

static void assert_file(message_id id, const char *bytes, size_t len)
{
	char *found = xmalloc(len + 1);
	FILE *file = fopen(path_of(id), "r");

	assert_non_null(file);
	assert_int_equal(fread(found, 1, len + 1, file), len);
	assert_memory_equal(found, bytes, len);
	fclose(file);
	free(found);
}

/* --- writing ------------------------------------------------------------ */

static void write_and_check(size_t len, size_t piece)
{
	char *bytes = scene_bytes((unsigned)len, len);
	struct writing w;
	message_id id = new_id();
	bool is_file = len > BLOCK;

	begin(&w, id);
	append(&w, bytes, len, piece);
	finish(&w);
	assert_false(w.failed);
	assert_int_equal(body_size(w.body), len);
	assert_int_equal(body_is_file(w.body), is_file);
	assert_int_equal(body_checksum(w.body),
			 crc32_z(0, (const Bytef *)bytes, len));
	assert_int_equal(exists(id), is_file);
	if (is_file)
		assert_file(id, bytes, len);
	else
		assert_bytes("kept", body_bytes(w.body), text_make(bytes, len));
	body_free(&w.body);
	assert_null(w.body);
	assert_int_equal(exists(id), is_file);
	unlink(path_of(id));
	free(bytes);
}

static void test_sizes_around_a_block(void **state)
{
	static const size_t sizes[] = {
		0,
		1,
		4096,
		BLOCK - 1,
		BLOCK,
		BLOCK + 1,
		2 * BLOCK - 1,
		2 * BLOCK,
		2 * BLOCK + 1,
		5 * BLOCK + 77,
	};
	static const size_t pieces[] = { 1000, 65536, BLOCK, 3 * BLOCK + 5 };

	(void)state;
	for (unsigned i = 0; i < COUNT(sizes); i++)
		for (unsigned j = 0; j < COUNT(pieces); j++)
			write_and_check(sizes[i], pieces[j]);
}

static void test_a_device_that_is_faster_must_wait(void **state)
{
	char *bytes = scene_bytes(1, BLOCK);
	struct writing w;
	message_id id = new_id();

	(void)state;
	begin(&w, id);
	assert_true(body_append(w.body, bytes, BLOCK));
	/* Now the first block is on its way, and the second gathers. */
	assert_true(body_append(w.body, bytes, BLOCK - 1));
	assert_false(body_append(w.body, bytes, 1));
	assert_false(body_append(w.body, bytes, 10));
	assert_int_equal(w.drained, 0);
	while (w.drained == 0)
		loop_run(scene.loop);
	assert_int_equal(w.drained, 1);
	finish(&w);
	assert_false(w.failed);
	assert_int_equal(body_size(w.body), 2 * BLOCK + 10);
	body_free(&w.body);
	unlink(path_of(id));
	free(bytes);
}

static void test_finish_while_a_block_is_out(void **state)
{
	char *bytes = scene_bytes(2, 2 * BLOCK);
	struct writing w;
	message_id id = new_id();

	(void)state;
	begin(&w, id);
	body_append(w.body, bytes, 2 * BLOCK);
	finish(&w);
	assert_false(w.failed);
	assert_int_equal(w.drained, 0);
	assert_file(id, bytes, 2 * BLOCK);
	body_free(&w.body);
	unlink(path_of(id));
	free(bytes);
}

static void test_bytes_can_be_taken(void **state)
{
	struct writing w;
	char *bytes;

	(void)state;
	begin(&w, new_id());
	body_append(w.body, "some mail", 9);
	finish(&w);
	bytes = body_take_bytes(w.body);
	body_free(&w.body);
	assert_memory_equal(bytes, "some mail", 9);
	free(bytes);
	begin(&w, new_id());
	finish(&w);
	bytes = body_take_bytes(w.body);
	assert_non_null(bytes);
	free(bytes);
	body_free(&w.body);
}

/* --- giving up ---------------------------------------------------------- */

static void abort_after(size_t len, bool finishing, bool wait)
{
	char *bytes = scene_bytes(3, len);
	uint64_t used = spool_used(scene.spool);
	struct writing w;
	message_id id = new_id();

	begin(&w, id);
	body_append(w.body, bytes, len);
	assert_int_equal(spool_used(scene.spool), used + len);
	if (finishing && wait)
		finish(&w);
	else if (finishing)
		body_finish(w.body);
	body_abort(&w.body);
	assert_null(w.body);
	loop_run(scene.loop); /* ends when the work is done */
	assert_false(exists(id));
	assert_int_equal(w.finished, wait ? 1 : 0);
	assert_int_equal(spool_used(scene.spool), used);
	free(bytes);
}

static void test_an_aborted_body_leaves_nothing(void **state)
{
	static const size_t sizes[] = { 0, 10, BLOCK, BLOCK + 1, 3 * BLOCK };

	(void)state;
	store_close(&scene.store); /* so that the loop can run out of work */
	for (unsigned i = 0; i < COUNT(sizes); i++) {
		abort_after(sizes[i], false, false);
		abort_after(sizes[i], true, false);
		abort_after(sizes[i], true, true);
	}
}

static void test_a_file_that_is_there_is_not_touched(void **state)
{
	char *bytes = scene_bytes(4, BLOCK + 1);
	struct writing w;
	message_id id = new_id();
	FILE *file = fopen(path_of(id), "w");

	(void)state;
	fputs("precious", file);
	fclose(file);
	begin(&w, id);
	body_append(w.body, bytes, BLOCK + 1);
	finish(&w);
	assert_true(w.failed);
	assert_false(w.full);
	assert_true(body_failed(w.body));
	assert_string_equal(w.error, "File exists");
	body_abort(&w.body);
	loop_run(scene.loop);
	assert_file(id, "precious", 8);
	unlink(path_of(id));
	free(bytes);
}

static void test_a_link_is_not_followed(void **state)
{
	char *bytes = scene_bytes(5, BLOCK + 1);
	struct writing w;
	message_id id = new_id();

	(void)state;
	assert_int_equal(symlink(tempdir_path("elsewhere"), path_of(id)), 0);
	begin(&w, id);
	body_append(w.body, bytes, BLOCK + 1);
	finish(&w);
	assert_true(w.failed);
	body_abort(&w.body);
	loop_run(scene.loop);
	assert_int_not_equal(access(tempdir_path("elsewhere"), F_OK), 0);
	unlink(path_of(id));
	free(bytes);
}

static void limit_files(rlim_t octets)
{
	struct rlimit limit;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = octets;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_a_full_disk_is_told_as_full(void **state)
{
	char *bytes = scene_bytes(6, 4 * BLOCK);
	struct writing w;
	message_id id = new_id();

	(void)state;
	limit_files(BLOCK + 10);
	begin(&w, id);
	append(&w, bytes, 4 * BLOCK, 60000);
	finish(&w);
	limit_files(RLIM_INFINITY);
	assert_true(w.failed);
	assert_true(w.full);
	assert_string_equal(w.error, "File too large");
	assert_true(body_failed(w.body));
	body_abort(&w.body);
	loop_run(scene.loop);
	assert_false(exists(id));
	free(bytes);
}

/* --- reading back ------------------------------------------------------- */

struct reading {
	unsigned came;
	size_t len;
	char *bytes;
	char error[64];
};

static void on_read(void *ctx, const void *data, size_t len, const char *error)
{
	struct reading *reading = ctx;

	reading->came++;
	reading->len = len;
	reading->bytes = error ? NULL : xmemdup0(data, len);
	snprintf(reading->error, sizeof(reading->error), "%s",
		 error ? error : "");
	scene_answered(&scene);
}

static struct reading read_at(struct body_file *file, uint64_t offset,
			      size_t len)
{
	struct reading reading = { 0 };

	scene.open_questions++;
	body_file_read(file, offset, len, on_read, &reading);
	assert_int_equal(reading.came, 0);
	scene_wait(&scene);
	return reading;
}

static message_id new_file(const char *contents)
{
	message_id id = new_id();
	FILE *file = fopen(path_of(id), "w");

	assert_non_null(file);
	fputs(contents, file);
	fclose(file);
	return id;
}

static void test_a_file_is_read_where_asked(void **state)
{
	message_id id = new_file("0123456789");
	struct reading reading;
	struct body_file *file;
	const char *error;

	(void)state;
	file = body_file_open(scene.spool, scene.loop, id, 10, &error);
	assert_non_null(file);
	reading = read_at(file, 3, 4);
	assert_bytes("middle", text_make(reading.bytes, reading.len),
		     TEXT("3456"));
	free(reading.bytes);
	reading = read_at(file, 0, 10);
	assert_bytes("all", text_make(reading.bytes, reading.len),
		     TEXT("0123456789"));
	free(reading.bytes);
	body_file_close(&file);
	assert_null(file);
}

static void test_a_file_that_shrinks_is_an_error(void **state)
{
	message_id id = new_file("0123456789");
	struct reading reading;
	struct body_file *file;
	const char *error;

	(void)state;
	file = body_file_open(scene.spool, scene.loop, id, 10, &error);
	assert_non_null(file);
	assert_int_equal(truncate(path_of(id), 5), 0);
	reading = read_at(file, 3, 4);
	assert_string_equal(reading.error, "the file ends too early");
	assert_int_equal(reading.len, 0);
	body_file_close(&file);
}

static void test_no_callback_after_close(void **state)
{
	message_id id = new_file("0123456789");
	struct reading reading = { 0 };
	struct body_file *file;
	const char *error;

	(void)state;
	file = body_file_open(scene.spool, scene.loop, id, 10, &error);
	body_file_read(file, 0, 10, on_read, &reading);
	body_file_close(&file);
	loop_run(scene.loop);
	assert_int_equal(reading.came, 0);
}

static void assert_not_opened(message_id id, uint64_t size, const char *words)
{
	const char *error = NULL;

	assert_null(body_file_open(scene.spool, scene.loop, id, size, &error));
	assert_string_equal(error, words);
	unlink(path_of(id));
}

static void test_what_is_no_body_is_not_opened(void **state)
{
	message_id id = new_id();

	(void)state;
	assert_not_opened(id, 1, "No such file or directory");
	id = new_file("0123456789");
	assert_not_opened(id, 11, "it holds 10 octets instead of 11");
	id = new_file("");
	assert_not_opened(id, 11, "it holds 0 octets instead of 11");
	id = new_id();
	assert_int_equal(mkfifo(path_of(id), 0600), 0);
	assert_not_opened(id, 0, "it is not a regular file");
	tempdir_write("outside", "0123456789");
	assert_int_equal(symlink(tempdir_path("outside"), path_of(id)), 0);
	assert_not_opened(id, 10, "Too many levels of symbolic links");
	assert_int_equal(mkdir(path_of(id), 0700), 0);
	assert_null(body_file_open(scene.spool, scene.loop, id, 4096,
				   &scene.error));
	rmdir(path_of(id));
}

static void test_a_file_can_be_removed(void **state)
{
	message_id id = new_file("0123456789");

	(void)state;
	body_file_remove(scene.spool, scene.loop, id);
	body_file_remove(scene.spool, scene.loop, new_id()); /* no matter */
	loop_run(scene.loop);
	assert_false(exists(id));
}

static int setup(void **state)
{
	(void)state;
	tempdir_make();
	return scene_open(&scene, tempdir_path("spool")) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	scene_close(&scene);
	tempdir_remove();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes_around_a_block),
		cmocka_unit_test(test_a_device_that_is_faster_must_wait),
		cmocka_unit_test(test_finish_while_a_block_is_out),
		cmocka_unit_test(test_bytes_can_be_taken),
		cmocka_unit_test(test_an_aborted_body_leaves_nothing),
		cmocka_unit_test(test_a_file_that_is_there_is_not_touched),
		cmocka_unit_test(test_a_link_is_not_followed),
		cmocka_unit_test(test_a_full_disk_is_told_as_full),
		cmocka_unit_test(test_a_file_is_read_where_asked),
		cmocka_unit_test(test_a_file_that_shrinks_is_an_error),
		cmocka_unit_test(test_no_callback_after_close),
		cmocka_unit_test(test_what_is_no_body_is_not_opened),
		cmocka_unit_test(test_a_file_can_be_removed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
