#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <crypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/xalloc.h"
#include "relay/inbound/login_file.h"
#include "relay/inbound/login_hash.h"
#include "relay/inbound/login_users.h"
#include "relay/report/log.h"
#include "tests/support/bytes.h"
#include "tests/support/tempdir.h"

static char sha512[LOGIN_HASH_TEXT]; /* of "secret"; cheap on purpose */

/* ---- hashes ---- */

static void test_made_hashes_match(void **state)
{
	char hash[LOGIN_HASH_TEXT], other[LOGIN_HASH_TEXT];

	(void)state;
	assert_true(login_hash_make("pässword ", hash));
	assert_memory_equal(hash, "$y$", 3);
	assert_null(login_hash_fault(hash));
	assert_true(login_hash_matches(hash, "pässword "));
	assert_false(login_hash_matches(hash, "pässword"));
	assert_false(login_hash_matches(hash, ""));
	assert_true(login_hash_make("pässword ", other));
	assert_string_not_equal(hash, other); /* salted */
}

static void test_hashes_of_other_tools(void **state)
{
	/* bcrypt of "U*U", from crypt_blowfish's test vectors. */
	static const char bcrypt[] = "$2b$05$CCCCCCCCCCCCCCCCCCCCC."
		"E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

	(void)state;
	assert_null(login_hash_fault(bcrypt));
	assert_true(login_hash_matches(bcrypt, "U*U"));
	assert_false(login_hash_matches(bcrypt, "U*V"));
	assert_true(login_hash_matches(sha512, "secret"));
	assert_false(login_hash_matches(sha512, "Secret"));
}

static void test_what_is_no_hash(void **state)
{
	static const char *const hashes[] = {
		"", "*", "!", "x", "secret", "$", "$$", "$apr1$salt$digest",
		"$6$salt", "$6$salt$", "$6$salt$short", "$y$j9T$salt$",
		"$1$salt$qJH7.N4xYta3aEG/dfqo/0", "abJnggxhB/yWI",
		"$6$salt$with spaces in it and long enough to be a digest 1234",
		"{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
	};
	char decoy[LOGIN_HASH_TEXT];

	(void)state;
	for (size_t i = 0; i < COUNT(hashes); i++)
		if (!login_hash_fault(hashes[i]))
			fail_msg("%s is taken", hashes[i]);
	login_hash_decoy(decoy);
	assert_false(login_hash_matches(decoy, ""));
}

static void test_long_passwords(void **state)
{
	char hash[LOGIN_HASH_TEXT], password[2000];

	(void)state;
	memset(password, 'a', sizeof(password));
	password[511] = '\0';
	assert_true(login_hash_make(password, hash));
	assert_true(login_hash_matches(hash, password));
	password[511] = 'a';
	password[1999] = '\0';
	assert_false(login_hash_make(password, hash));
	assert_false(login_hash_matches(sha512, password));
}

/* ---- lines ---- */

/* '^' stands for the hash of "secret". */
static void fill_in(const char *lines, struct buf *out)
{
	for (; *lines; lines++) {
		if (*lines == '^')
			buf_puts(out, sha512);
		else
			buf_putc(out, *lines);
	}
}

struct faults {
	unsigned n, lines[8];
	char text[8][120];
};

static void note_fault(void *ctx, unsigned line, const char *fault)
{
	struct faults *faults = ctx;

	if (faults->n < 8) {
		faults->lines[faults->n] = line;
		snprintf(faults->text[faults->n], 120, "%s", fault);
	}
	faults->n++;
}

static struct login_users *users_of(const char *lines, struct faults *faults)
{
	struct buf contents = BUF_INIT(4096);
	struct login_users *users;

	*faults = (struct faults){ 0 };
	fill_in(lines, &contents);
	users = login_users_parse(buf_text(&contents), note_fault, faults);
	buf_free(&contents);
	return users;
}

static void test_lines(void **state)
{
	struct faults faults;
	struct login_users *users = users_of(
		"# users\n\nscanner:^\r\n  \ncopier 2:^\nlast@x.test:^",
		&faults);

	(void)state;
	assert_int_equal(faults.n, 0);
	assert_int_equal(login_users_count(users), 3);
	assert_true(login_users_match(users, "scanner", "secret"));
	assert_true(login_users_match(users, "copier 2", "secret"));
	assert_true(login_users_match(users, "last@x.test", "secret"));
	assert_false(login_users_match(users, "scanner", "wrong"));
	assert_false(login_users_match(users, "Scanner", "secret"));
	assert_false(login_users_match(users, "nobody", "secret"));
	assert_false(login_users_match(users, "", "secret"));
	login_users_free(&users);
}

static void test_bad_lines_are_named_and_left_out(void **state)
{
	static const char *const words[] = { "no colon", "name is missing",
		"no hash", "further up", "spaces around" };
	static const unsigned lines[] = { 1, 2, 3, 5, 6 };
	struct faults faults;
	struct login_users *users = users_of(
		"scanner\n:^\nscanner:secret\nscanner:^\nscanner:^\n"
		" copier:^\n", &faults);

	(void)state;
	assert_int_equal(faults.n, 5);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(faults.lines[i], lines[i]);
		if (!strstr(faults.text[i], words[i]))
			fail_msg("\"%s\" lacks \"%s\"", faults.text[i],
			         words[i]);
	}
	assert_int_equal(login_users_count(users), 1);
	assert_true(login_users_match(users, "scanner", "secret"));
	login_users_free(&users);
}

static void test_nobody_matches_an_empty_file(void **state)
{
	struct faults faults;
	struct login_users *users = users_of("# nobody\n",
	                                     &faults);

	(void)state;
	assert_int_equal(faults.n, 0);
	assert_false(login_users_match(users, "", ""));
	assert_false(login_users_match(users, "scanner", "secret"));
	login_users_free(&users);
}

static void test_bytes_that_are_no_text(void **state)
{
	struct faults faults = { 0 };
	struct login_users *users = login_users_parse(
		TEXT("a\0b:c\n\x01x:y\n\xff\xfe:\n:::\n"), note_fault, &faults);

	(void)state;
	assert_int_equal(login_users_count(users), 0);
	assert_int_equal(faults.n, 4);
	login_users_free(&users);
}

static void test_too_many_users(void **state)
{
	struct buf contents = BUF_INIT(4 * 1024 * 1024);
	struct faults faults = { 0 };
	struct login_users *users;

	(void)state;
	for (unsigned i = 0; i < LOGIN_USERS_MAX + 3; i++)
		buf_printf(&contents, "user%u:%s\n", i, sha512);
	users = login_users_parse(buf_text(&contents), note_fault, &faults);
	assert_int_equal(login_users_count(users), LOGIN_USERS_MAX);
	assert_int_equal(faults.n, 3);
	assert_int_equal(faults.lines[0], LOGIN_USERS_MAX + 1);
	assert_true(login_users_match(users, "user9999", "secret"));
	assert_false(login_users_match(users, "user10000", "secret"));
	login_users_free(&users);
	buf_free(&contents);
}

/* ---- the file on the loop ---- */

struct scene {
	struct loop *loop;
	struct login_file *file;
	struct login_check *checks[80];
	unsigned n, verdicts[3];
};

static void on_verdict(void *ctx, enum login_verdict verdict)
{
	struct scene *scene = ctx;

	scene->verdicts[verdict]++;
}

static void write_users(const char *lines, mode_t mode)
{
	struct buf contents = BUF_INIT(4096);

	unlink(tempdir_path("users"));
	fill_in(lines, &contents);
	tempdir_write("users", buf_string(&contents));
	buf_free(&contents);
	assert_int_equal(chmod(tempdir_path("users"), mode), 0);
}

static struct scene scene_new(void)
{
	struct scene scene = { .loop = loop_new() };
	const char *error = NULL;

	write_users("scanner:^\n", 0600);
	scene.file = login_file_open(scene.loop, tempdir_path("users"), &error);
	if (!scene.file)
		fail_msg("%s", error);
	return scene;
}

static void scene_free(struct scene *scene)
{
	login_file_unref(&scene->file);
	loop_free(&scene->loop);
}

static bool start(struct scene *scene, const char *user, const char *password)
{
	struct login_check *check =
		login_check_start(scene->file, text_of(user), text_of(password),
	                          on_verdict, scene);

	scene->checks[scene->n] = check;
	scene->n += check != NULL;
	return check != NULL;
}

static enum login_verdict verdict_on(struct scene *scene, const char *user,
                                     const char *password)
{
	memset(scene->verdicts, 0, sizeof(scene->verdicts));
	scene->n = 0;
	assert_true(start(scene, user, password));
	loop_run(scene->loop);
	for (unsigned i = 0; i < 3; i++)
		if (scene->verdicts[i] == 1)
			return (enum login_verdict)i;
	fail_msg("no verdict");
	return LOGIN_UNREADABLE;
}

static void test_verdicts(void **state)
{
	struct scene scene = scene_new();

	(void)state;
	assert_int_equal(login_file_users(scene.file), 1);
	assert_int_equal(verdict_on(&scene, "scanner", "secret"), LOGIN_RIGHT);
	assert_int_equal(verdict_on(&scene, "scanner", "wrong"), LOGIN_WRONG);
	assert_int_equal(verdict_on(&scene, "nobody", "secret"), LOGIN_WRONG);
	scene_free(&scene);
}

static void test_a_changed_file_counts_at_once(void **state)
{
	struct scene scene = scene_new();

	(void)state;
	assert_int_equal(verdict_on(&scene, "copier", "secret"), LOGIN_WRONG);
	write_users("copier:^\nboss:^\n", 0600);
	assert_int_equal(verdict_on(&scene, "copier", "secret"), LOGIN_RIGHT);
	assert_int_equal(verdict_on(&scene, "scanner", "secret"), LOGIN_WRONG);
	assert_int_equal(login_file_users(scene.file), 2);
	unlink(tempdir_path("users"));
	assert_int_equal(verdict_on(&scene, "copier", "secret"),
	                 LOGIN_UNREADABLE);
	write_users("copier:^\n", 0600);
	assert_int_equal(verdict_on(&scene, "copier", "secret"), LOGIN_RIGHT);
	scene_free(&scene);
}

static void test_no_verdict_after_cancelling(void **state)
{
	struct scene scene = scene_new();

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		assert_true(start(&scene, "scanner", "secret"));
	for (unsigned i = 0; i < 5; i++)
		login_check_cancel(&scene.checks[i]); /* running and waiting */
	loop_run(scene.loop);
	assert_int_equal(scene.verdicts[LOGIN_RIGHT], 1);
	scene_free(&scene);
}

static void test_a_crowd_is_put_off(void **state)
{
	struct scene scene = scene_new();
	unsigned taken = 0;

	(void)state;
	while (taken < 80 && start(&scene, "scanner", "secret"))
		taken++;
	assert_in_range(taken, 60, 70);
	loop_run(scene.loop);
	assert_int_equal(scene.verdicts[LOGIN_RIGHT], taken);
	assert_int_equal(verdict_on(&scene, "scanner", "secret"), LOGIN_RIGHT);
	scene_free(&scene);
}

static void test_the_file_may_go_before_its_checks(void **state)
{
	struct scene scene = scene_new();

	(void)state;
	assert_true(start(&scene, "scanner", "secret"));
	login_check_cancel(&scene.checks[0]);
	login_file_unref(&scene.file);
	loop_free(&scene.loop);
	assert_int_equal(scene.verdicts[LOGIN_RIGHT], 0);
}

static void test_no_file(void **state)
{
	struct loop *loop = loop_new();
	const char *error = NULL;

	(void)state;
	assert_null(login_file_open(loop, tempdir_path("none"), &error));
	assert_non_null(strstr(error, "/none: No such file"));
	assert_null(login_file_open(loop, tempdir_path(""), &error));
	assert_non_null(strstr(error, "no file"));
	loop_free(&loop);
}

/* What the log says, without what it says it with. */
static void read_log(int fd, char out[4096])
{
	ssize_t len;

	log_flush();
	len = read(fd, out, 4095);
	out[len > 0 ? len : 0] = '\0';
}

static void test_the_log_names_what_is_wrong_once(void **state)
{
	char said[4096];
	struct scene scene;
	int pipes[2];

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	log_setup(pipes[1], LOG_FORMAT_TEXT, LOG_INFO);
	scene = scene_new();
	write_users("scanner:^\nrubbish\n", 0644);
	assert_int_equal(verdict_on(&scene, "scanner", "secret"), LOGIN_RIGHT);
	read_log(pipes[0], said);
	assert_non_null(strstr(said, "users:2: no colon"));
	assert_non_null(strstr(said, "others may read this file"));
	assert_null(strstr(said, "$6$"));
	assert_int_equal(verdict_on(&scene, "scanner", "secret"), LOGIN_RIGHT);
	log_event(LOG_INFO, EVENT_WARNING, F_STR("text", "end"));
	read_log(pipes[0], said);
	assert_null(strstr(said, "rubbish"));
	assert_null(strstr(said, "no colon"));
	scene_free(&scene);
	log_setup(STDERR_FILENO, LOG_FORMAT_TEXT, LOG_INFO);
	close(pipes[0]);
	close(pipes[1]);
}

static int set_up(void **state)
{
	struct crypt_data *data = xcalloc(1, sizeof(*data));

	(void)state;
	tempdir_make();
	snprintf(sha512, sizeof(sha512), "%s",
	         crypt_rn("secret", "$6$rounds=1000$salt$", data,
	                  (int)sizeof(*data)));
	free(data);
	return 0;
}

static int take_down(void **state)
{
	(void)state;
	tempdir_remove();
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_made_hashes_match),
		cmocka_unit_test(test_hashes_of_other_tools),
		cmocka_unit_test(test_what_is_no_hash),
		cmocka_unit_test(test_long_passwords),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_bad_lines_are_named_and_left_out),
		cmocka_unit_test(test_nobody_matches_an_empty_file),
		cmocka_unit_test(test_bytes_that_are_no_text),
		cmocka_unit_test(test_too_many_users),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_a_changed_file_counts_at_once),
		cmocka_unit_test(test_no_verdict_after_cancelling),
		cmocka_unit_test(test_a_crowd_is_put_off),
		cmocka_unit_test(test_the_file_may_go_before_its_checks),
		cmocka_unit_test(test_no_file),
		cmocka_unit_test(test_the_log_names_what_is_wrong_once),
	};

	return cmocka_run_group_tests(tests, set_up, take_down);
}
