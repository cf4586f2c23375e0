/* Loops, as the header shows them: what intake writes, intake must know. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "relay/inbound/hops.h"
#include "tests/relay/intake_play.h"

#define OURS(host)                                                       \
	"Received: from copier ([192.0.2.7])\r\n\tby " host              \
	" (lanpost) with ESMTP id 1m7y1t68wxm5b;\r\n\t" DATE_UTC "\r\n"
#define THEIRS                                                           \
	"Received: from relay.contoso.com (relay.contoso.com [192.0.2.1])" \
	"\r\n\tby mx.example (Postfix) with ESMTPS id 4XyzAB;\r\n\t"     \
	DATE_UTC "\r\n"

static const struct {
	const char *trace;
	bool is_loop;
} traces[] = {
	{ "", false },
	{ OURS(HOST), false },
	{ OURS(HOST) OURS(HOST), true },
	{ OURS(HOST) THEIRS THEIRS OURS("RELAY.Contoso.COM"), true },
	/* As another server folds it. */
	{ OURS(HOST) "received: from a ([192.0.2.7]) by " HOST " (lanpost)"
	  "\r\n with\r\n ESMTP id\r\n 1m7y1t68wxm5b; " DATE_UTC "\r\n", true },
	/* Another lanpost, another server of this name, and look-alikes. */
	{ OURS(HOST) OURS("sidecar.example") OURS("x." HOST), false },
	{ OURS(HOST) OURS(HOST ".example"), false },
	{ OURS(HOST) "Received: from a by " HOST " (Postfix) with ESMTP id "
	  "1m7y1t68wxm5b; " DATE_UTC "\r\n", false },
	{ OURS(HOST) "Received: from a by " HOST "; " DATE_UTC "\r\n", false },
	{ OURS(HOST) "Received: from a by " HOST " (lanpost) with ESMTP id "
	  "4XyzAB; " DATE_UTC "\r\n", false },
	{ OURS(HOST) "Received: from a by " HOST " (lanpost) with\r\n",
	  false },
	{ OURS(HOST) "Received:\r\n" "Received: by \r\n", false },
	{ OURS(HOST) "X-Received: from a by " HOST " (lanpost) with ESMTP id "
	  "1m7y1t68wxm5b; " DATE_UTC "\r\n", false },
};

static void assert_verdict(struct play *play, bool is_loop, const char *what)
{
	bool taken = play->pushed && intake_finish(play->intake);
	const char *error = intake_error(play->intake);

	assert_true(taken == (error == NULL));
	if ((error != NULL) != is_loop)
		fail_msg("%s: %s", what, error ? error : "taken");
	if (is_loop)
		assert_string_equal(intake_error_status(play->intake),
		                    "5.4.6");
	intake_free(&play->intake);
}

static void test_our_own_field_twice(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(traces) / sizeof(traces[0]); i++) {
		char *mail = xasprintf("%s" GOOD "\r\nx\r\n", traces[i].trace);
		struct play play;

		play_begin(&play, "192.0.2.7", "scanner.example");
		push(&play, text_of(mail));
		assert_verdict(&play, traces[i].is_loop, traces[i].trace);
		play_free(&play);
		free(mail);
	}
}

/* Through intake again and again: the third time is the last. */
static void test_what_goes_in_a_circle(void **state)
{
	struct buf mail = BUF_INIT(ROOM);

	(void)state;
	buf_puts(&mail, GOOD "\r\nx\r\n");
	for (unsigned round = 1; round <= 3; round++) {
		struct play play;

		play_begin(&play, "192.0.2.7", "scanner.example");
		push(&play, buf_text(&mail));
		assert_verdict(&play, round == 3, "a circle");
		buf_clear(&mail);
		buf_text_append(&mail, buf_text(&play.out));
		play_free(&play);
	}
	buf_free(&mail);
}

static void test_a_hundred_servers(void **state)
{
	(void)state;
	for (unsigned n = HOPS_MAX - 1; n <= HOPS_MAX + 1; n++) {
		struct buf mail = BUF_INIT(ROOM);
		struct play play;

		for (unsigned i = 0; i < n; i++)
			buf_puts(&mail, THEIRS);
		buf_puts(&mail, GOOD "\r\n");
		/* What an attached message has been through is its own. */
		for (unsigned i = 0; i < 200; i++)
			buf_puts(&mail, OURS(HOST));
		play_begin(&play, "192.0.2.7", "scanner.example");
		push(&play, buf_text(&mail));
		assert_verdict(&play, n > HOPS_MAX, "many");
		play_free(&play);
		buf_free(&mail);
	}
}

/* A header that is refused for something else is no loop. */
static void test_another_fault(void **state)
{
	struct buf mail = BUF_INIT(ROOM);
	struct play play;

	(void)state;
	for (unsigned i = 0; i <= INTAKE_FIELDS_MAX; i++)
		buf_puts(&mail, "X-A: b\r\n");
	buf_puts(&mail, "\r\n");
	play_begin(&play, "192.0.2.7", "scanner.example");
	push(&play, buf_text(&mail));
	assert_false(play.pushed);
	assert_non_null(intake_error(play.intake));
	assert_string_equal(intake_error_status(play.intake), "5.6.0");
	intake_free(&play.intake);
	play_free(&play);
	buf_free(&mail);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_our_own_field_twice),
		cmocka_unit_test(test_what_goes_in_a_circle),
		cmocka_unit_test(test_a_hundred_servers),
		cmocka_unit_test(test_another_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
