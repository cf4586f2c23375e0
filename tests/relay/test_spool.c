#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "relay/queue/spool.h"
#include "tests/support/tempdir.h"

static struct spool *spool;
static const char *error;

static enum spool_open_result open_spool(const char *folder)
{
	struct spool_settings settings = { .folder = folder };

	error = NULL;
	return spool_open(&spool, &settings, &error);
}

static mode_t mode_of(const char *path)
{
	struct stat info;

	assert_int_equal(stat(path, &info), 0);
	return info.st_mode & 07777;
}

static void assert_refused(const char *folder, const char *word,
			   const char *other_word)
{
	assert_int_equal(open_spool(folder), SPOOL_BROKEN);
	assert_null(spool);
	assert_non_null(strstr(error, folder));
	assert_non_null(strstr(error, word));
	assert_non_null(strstr(error, other_word));
}

/* --- the folder --------------------------------------------------------- */

static void test_makes_the_folder_and_those_above(void **state)
{
	const char *folder = tempdir_path("a/b/spool");

	(void)state;
	umask(0);
	assert_int_equal(open_spool(folder), SPOOL_OPEN);
	umask(022);
	assert_int_equal(mode_of(folder), 0700);
	assert_int_equal(mode_of(tempdir_path("a/b/spool/bodies")), 0700);
	assert_int_equal(mode_of(tempdir_path("a/b")), 0755);
	assert_int_equal(mode_of(tempdir_path("a/b/spool/lock")), 0600);
	assert_string_equal(spool_folder(spool), folder);
	assert_string_equal(spool_database(spool),
			    tempdir_path("a/b/spool/lanpost.db"));
	spool_close(&spool);
	assert_null(spool);
	assert_int_equal(open_spool(folder), SPOOL_OPEN);
	spool_close(&spool);
}

static void test_slashes_at_the_end_are_nothing(void **state)
{
	(void)state;
	assert_int_equal(open_spool(tempdir_path("c//d///")), SPOOL_OPEN);
	spool_close(&spool);
}

static void test_a_link_to_the_folder_is_followed(void **state)
{
	(void)state;
	assert_int_equal(mkdir(tempdir_path("target"), 0700), 0);
	assert_int_equal(symlink(tempdir_path("target"), tempdir_path("link")),
			 0);
	assert_int_equal(open_spool(tempdir_path("link")), SPOOL_OPEN);
	spool_close(&spool);
}

static void test_a_folder_that_others_write_is_refused(void **state)
{
	const char *folder = tempdir_path("open");

	(void)state;
	mkdir(folder, 0700);
	chmod(folder, 01777);
	assert_refused(folder, "1777", "0700");
	chmod(folder, 0770);
	assert_refused(folder, "0770", "0700");
	chmod(folder, 0755);
	assert_int_equal(open_spool(folder), SPOOL_OPEN);
	spool_close(&spool);
}

static void test_bodies_that_others_write_are_refused(void **state)
{
	const char *folder = tempdir_path("open-bodies");

	(void)state;
	mkdir(folder, 0700);
	mkdir(tempdir_path("open-bodies/bodies"), 0700);
	chmod(tempdir_path("open-bodies/bodies"), 0777);
	assert_refused(folder, "/bodies", "0700");
}

static void test_a_folder_of_another_user_is_refused(void **state)
{
	const char *folder = tempdir_path("foreign");

	(void)state;
	mkdir(folder, 0700);
	if (chown(folder, 12345, (gid_t)-1) != 0)
		skip(); /* only root can give it away */
	assert_refused(folder, "12345", "0700");
}

static void test_what_is_no_folder_is_refused(void **state)
{
	(void)state;
	tempdir_write("file", "");
	assert_refused(tempdir_path("file"), "folder", "0700");
	assert_int_equal(open_spool(tempdir_path("file/below")), SPOOL_BROKEN);
	assert_non_null(strstr(error, "Not a directory"));
}

static void test_a_link_in_place_of_bodies_is_refused(void **state)
{
	const char *folder = tempdir_path("linked");

	(void)state;
	mkdir(folder, 0700);
	assert_int_equal(symlink("/tmp", tempdir_path("linked/bodies")), 0);
	assert_refused(folder, "/bodies", "cannot be opened");
}

/* --- the lock ----------------------------------------------------------- */

static void test_one_server_a_spool(void **state)
{
	const char *folder = tempdir_path("locked");
	struct spool *first;
	char pid[32];

	(void)state;
	assert_int_equal(open_spool(folder), SPOOL_OPEN);
	first = spool;
	assert_int_equal(open_spool(folder), SPOOL_LOCKED);
	snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
	assert_non_null(strstr(error, pid));
	assert_non_null(strstr(error, folder));
	spool_close(&first);
	assert_int_equal(open_spool(folder), SPOOL_OPEN);
	spool_close(&spool);
}

static void test_background_work_keeps_the_lock(void **state)
{
	const char *folder = tempdir_path("held");
	struct spool *work;

	(void)state;
	assert_int_equal(open_spool(folder), SPOOL_OPEN);
	work = spool_hold(spool);
	spool_close(&spool);
	assert_int_equal(open_spool(folder), SPOOL_LOCKED);
	spool_close(&work);
	assert_int_equal(open_spool(folder), SPOOL_OPEN);
	spool_close(&spool);
}

static void test_the_lock_of_the_dead_is_no_lock(void **state)
{
	const char *folder = tempdir_path("stale");
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0) {
		bool opened = open_spool(folder) == SPOOL_OPEN;

		_exit(opened ? 0 : 1); /* without closing */
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(open_spool(folder), SPOOL_OPEN);
	spool_close(&spool);
}

static void test_a_fifo_in_place_of_the_lock_does_not_block(void **state)
{
	(void)state;
	mkdir(tempdir_path("fifo"), 0700);
	assert_int_equal(mkfifo(tempdir_path("fifo/lock"), 0600), 0);
	assert_refused(tempdir_path("fifo"), "/lock", "regular file");
}

static void test_a_link_in_place_of_the_lock_is_refused(void **state)
{
	(void)state;
	mkdir(tempdir_path("linklock"), 0700);
	tempdir_write("precious", "precious");
	assert_int_equal(symlink(tempdir_path("precious"),
				 tempdir_path("linklock/lock")),
			 0);
	assert_refused(tempdir_path("linklock"), "/lock", "cannot be opened");
}

/* --- room --------------------------------------------------------------- */

static void test_room_up_to_the_size(void **state)
{
	(void)state;
	assert_int_equal(open_spool(tempdir_path("room")), SPOOL_OPEN);
	assert_int_equal(spool_room(spool, UINT64_C(1) << 20, 0), SPOOL_ROOM);
	spool_set_limits(spool, 1000, 0);
	spool_add(spool, 600);
	assert_int_equal(spool_room(spool, 400, 0), SPOOL_ROOM);
	assert_int_equal(spool_room(spool, 401, 0), SPOOL_FULL);
	assert_int_equal(spool_room(spool, UINT64_MAX, 0), SPOOL_FULL);
	spool_add(spool, 600);
	assert_int_equal(spool_room(spool, 0, 0), SPOOL_FULL);
	spool_remove(spool, 1100);
	assert_int_equal(spool_used(spool), 100);
	assert_int_equal(spool_room(spool, 900, 0), SPOOL_ROOM);
	spool_remove(spool, 200);
	assert_int_equal(spool_used(spool), 0);
	spool_close(&spool);
}

static void test_room_while_the_disk_has_some(void **state)
{
	(void)state;
	assert_int_equal(open_spool(tempdir_path("disk")), SPOOL_OPEN);
	assert_int_equal(spool_room(spool, 1, 0), SPOOL_ROOM);
	spool_set_limits(spool, 0, UINT64_C(1) << 60);
	assert_int_equal(spool_room(spool, 0, 0), SPOOL_DISK_LOW);
	assert_false(spool_inodes_low(spool));
	spool_set_limits(spool, 0, 0);
	assert_int_equal(spool_room(spool, UINT64_C(1) << 60, 5000),
			 SPOOL_DISK_LOW);
	assert_int_equal(spool_room(spool, 1, 5000), SPOOL_ROOM);
	/* A burst counts before the disk is asked again. */
	spool_add(spool, UINT64_C(1) << 60);
	assert_int_equal(spool_room(spool, 1, 5000), SPOOL_DISK_LOW);
	assert_int_equal(spool_room(spool, 1, 10000), SPOOL_ROOM);
	spool_close(&spool);
}

static void test_says_what_it_stands_on(void **state)
{
	char folder[] = "/dev/shm/lanpost-test-XXXXXX";
	char path[64];

	(void)state;
	if (!mkdtemp(folder))
		skip(); /* no tmpfs here */
	assert_int_equal(open_spool(folder), SPOOL_OPEN);
	assert_string_equal(spool_doubtful_filesystem(spool), "tmpfs");
	assert_true(spool_has_own_mount(spool));
	spool_close(&spool);
	snprintf(path, sizeof(path), "%s/bodies", folder);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/lock", folder);
	unlink(path);
	rmdir(folder);
}

static int setup(void **state)
{
	(void)state;
	tempdir_make();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tempdir_remove();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_makes_the_folder_and_those_above),
		cmocka_unit_test(test_slashes_at_the_end_are_nothing),
		cmocka_unit_test(test_a_link_to_the_folder_is_followed),
		cmocka_unit_test(test_a_folder_that_others_write_is_refused),
		cmocka_unit_test(test_bodies_that_others_write_are_refused),
		cmocka_unit_test(test_a_folder_of_another_user_is_refused),
		cmocka_unit_test(test_what_is_no_folder_is_refused),
		cmocka_unit_test(test_a_link_in_place_of_bodies_is_refused),
		cmocka_unit_test(test_one_server_a_spool),
		cmocka_unit_test(test_background_work_keeps_the_lock),
		cmocka_unit_test(test_the_lock_of_the_dead_is_no_lock),
		cmocka_unit_test(
			test_a_fifo_in_place_of_the_lock_does_not_block),
		cmocka_unit_test(test_a_link_in_place_of_the_lock_is_refused),
		cmocka_unit_test(test_room_up_to_the_size),
		cmocka_unit_test(test_room_while_the_disk_has_some),
		cmocka_unit_test(test_says_what_it_stands_on),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
