#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "relay/outbound/refused.h"
#include "relay/report/log.h"
#include "tests/relay/store_scene.h"
#include "tests/support/bytes.h"
#include "tests/support/tempdir.h"

static struct scene scene;
static struct services services;
static int log_file;

/* --- scenes ----------------------------------------------------------------- */

static struct config *make_config(const char *senders, const char *password)
{
	char *text = xasprintf("[account home]\nhost = 127.0.0.1\n"
	                       "tls = none\nusername = me@example.com\n"
	                       "password = %s\nsenders = %s\n"
	                       "[account other]\nhost = 127.0.0.2\n"
	                       "tls = none\nsender_policy = pass\n",
	                       password, senders);
	static char *const environment[] = { NULL };
	struct config_error error = { NULL };
	struct config *config;

	tempdir_write("lanpost.conf", text);
	assert_int_equal(chmod(tempdir_path("lanpost.conf"), 0600), 0);
	config = config_load(tempdir_path("lanpost.conf"), environment, NULL,
	                     &error);
	if (config == NULL)
		fail_msg("%s", error.message);
	free(text);
	return config;
}

static const struct account_config *account(const char *name)
{
	return config_account(services.config, name);
}

static void configure(const char *senders, const char *password)
{
	config_unref(&services.config);
	services.config = make_config(senders, password);
}

static void start(void)
{
	if (!scene_open(&scene, tempdir_path("spool")))
		fail_msg("%s", scene.error);
	services.loop = scene.loop;
	services.spool = scene.spool;
	services.store = scene.store;
	services.refused = refused_new(&services);
}

static void stop(void)
{
	refused_free(&services.refused);
	scene_close(&scene);
}

static void restart(void)
{
	stop();
	start();
}

static int setup(void **state)
{
	(void)state;
	tempdir_make();
	log_file = open(tempdir_path("log"), O_CREAT | O_RDWR | O_APPEND, 0600);
	log_setup(log_file, LOG_FORMAT_TEXT, LOG_INFO);
	configure("*@example.com", "x");
	start();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stop();
	config_unref(&services.config);
	log_flush();
	close(log_file);
	tempdir_remove();
	return 0;
}

static void learn(const char *name, const char *sender)
{
	refused_learn(services.refused, account(name), sender,
	              "550 5.7.60 SMTP; Client does not have permissions");
}

static bool knows(const char *name, const char *sender)
{
	return refused_knows(services.refused, account(name), sender);
}

static unsigned warnings(void)
{
	static char text[1 << 20];
	const char *at = text;
	unsigned count = 0;
	ssize_t n;

	log_flush();
	n = pread(log_file, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	for (; (at = strstr(at, " warn warning ")) != NULL; at++)
		count++;
	return count;
}

/* --- tests ------------------------------------------------------------------ */

static void test_knows_what_it_learnt(void **state)
{
	(void)state;
	assert_false(knows("home", "copier@example.com"));
	learn("home", "Copier@Example.com");
	assert_true(knows("home", "copier@example.com"));
	assert_true(knows("home", "COPIER@EXAMPLE.COM"));
	assert_false(knows("home", "copier@example.co"));
	assert_false(knows("home", NULL));
	assert_false(knows("other", "copier@example.com"));
}

static void test_says_it_once(void **state)
{
	(void)state;
	learn("home", "copier@example.com");
	learn("home", "COPIER@example.com");
	assert_int_equal(warnings(), 1);
	learn("home", "scanner@example.com");
	assert_int_equal(warnings(), 2);
}

static void test_survives_a_restart(void **state)
{
	(void)state;
	learn("home", "copier@example.com");
	restart();
	assert_true(knows("home", "copier@example.com"));
	learn("home", "copier@example.com");
	assert_int_equal(warnings(), 1);
}

static void test_another_configuration_forgets(void **state)
{
	(void)state;
	learn("home", "copier@example.com");
	learn("other", "copier@example.com");
	configure("*@example.com", "another password");
	refused_review(services.refused);
	assert_true(knows("home", "copier@example.com"));
	configure("*@example.com, *@example.net", "x");
	refused_review(services.refused);
	assert_false(knows("home", "copier@example.com"));
	assert_true(knows("other", "copier@example.com"));
	configure("*@example.com", "x");
	restart(); /* on disk it is forgotten, too */
	assert_false(knows("home", "copier@example.com"));
	assert_true(knows("other", "copier@example.com"));
}

static void test_a_change_while_stopped_forgets(void **state)
{
	(void)state;
	learn("home", "copier@example.com");
	stop();
	configure("copier@example.com", "x");
	start();
	assert_false(knows("home", "copier@example.com"));
}

/* An attempt that began under the old one tells nothing of the new. */
static void test_news_of_an_older_configuration_is_none(void **state)
{
	struct config *old = config_ref(services.config);

	(void)state;
	configure("copier@example.com", "x");
	refused_learn(services.refused, config_account(old, "home"),
	              "copier@example.com", "550 5.7.60 no");
	assert_false(knows("home", "copier@example.com"));
	assert_int_equal(warnings(), 0);
	config_unref(&old);
}

static void test_it_is_bounded(void **state)
{
	enum { MANY = STORE_REFUSED_MAX + 100 };
	char sender[64];

	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(sender, sizeof(sender), "scan%u@example.com", i);
		learn("home", sender);
	}
	assert_false(knows("home", "scan0@example.com"));
	assert_false(knows("home", "scan99@example.com"));
	assert_true(knows("home", "scan100@example.com"));
	assert_true(knows("home", sender));
	restart();
	assert_true(knows("home", sender));
	assert_false(knows("home", "scan0@example.com"));
}

#define REFUSED_TEST(name) \
	cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		REFUSED_TEST(test_knows_what_it_learnt),
		REFUSED_TEST(test_says_it_once),
		REFUSED_TEST(test_survives_a_restart),
		REFUSED_TEST(test_another_configuration_forgets),
		REFUSED_TEST(test_a_change_while_stopped_forgets),
		REFUSED_TEST(test_news_of_an_older_configuration_is_none),
		REFUSED_TEST(test_it_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
