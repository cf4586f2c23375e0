#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "relay/report/health.h"
#include "tests/support/bytes.h"

#define MINUTES(n) (INT64_C(60000) * (n))

static const struct health_account paused[] = {
	{ "home", "paused", "Wrong password", 3 },
	{ "branch", "unreachable", NULL, 1 },
};

/* All is well, but for what a case says. */
#define WELL                                                              \
	.store_works = true, .has_room = true, .listeners = 1,            \
	.accounts = 2, .queue_age_ms = MINUTES(60)

static const struct {
	const char *name;
	struct health_facts facts;
	enum health health;
	const char *words; /* in one of its sentences; NULL: there is none */
} cases[] = {
	{ "nothing to do", { WELL, .success_ms = -1 }, HEALTH_OK, NULL },
	{ "busy", { WELL, .waiting = 500, .oldest_ms = MINUTES(59),
	            .success_ms = 1000 }, HEALTH_OK, NULL },
	{ "mail that has just come", { WELL, .waiting = 1,
	            .oldest_ms = MINUTES(9), .success_ms = -1 },
	  HEALTH_OK, NULL },
	{ "a paused account with mail",
	  { WELL, .out = paused, .n_out = 1, .success_ms = 10 },
	  HEALTH_DEGRADED,
	  "Account home is paused (Wrong password); 3 messages wait" },
	{ "one of which nobody knows why",
	  { WELL, .out = paused + 1, .n_out = 1, .success_ms = 10 },
	  HEALTH_DEGRADED, "Account branch is unreachable; 1 message waits" },
	{ "all of them, and mail has just come",
	  { WELL, .out = paused, .n_out = 2, .waiting = 4,
	    .oldest_ms = MINUTES(2), .success_ms = 10 },
	  HEALTH_DEGRADED, "Account branch" },
	{ "all of them, for long",
	  { WELL, .out = paused, .n_out = 2, .waiting = 4,
	    .oldest_ms = MINUTES(61), .success_ms = MINUTES(70) },
	  HEALTH_FAILING, "No account can send" },
	{ "one of them, for long",
	  { WELL, .out = paused, .n_out = 1, .waiting = 4,
	    .oldest_ms = MINUTES(61), .success_ms = 10 },
	  HEALTH_DEGRADED, "has been waiting for 61 min" },
	{ "old mail",
	  { WELL, .waiting = 7, .oldest_ms = MINUTES(60 * 5),
	    .success_ms = 10 },
	  HEALTH_DEGRADED, "The oldest of 7 messages has been waiting for 5 h" },
	{ "no success while mail waits",
	  { WELL, .waiting = 1, .oldest_ms = MINUTES(11), .success_ms = -1 },
	  HEALTH_DEGRADED, "none has gone through" },
	{ "none since long ago",
	  { WELL, .waiting = 1, .oldest_ms = MINUTES(11),
	    .success_ms = MINUTES(12) },
	  HEALTH_DEGRADED, "none has gone through" },
	{ "others go through",
	  { WELL, .waiting = 1, .oldest_ms = MINUTES(11),
	    .success_ms = MINUTES(3) }, HEALTH_OK, NULL },
	{ "the disk fails",
	  { .has_room = true, .listeners = 1, .accounts = 1 },
	  HEALTH_FAILING, "The spool cannot be written" },
	{ "the disk is full",
	  { .store_works = true, .listeners = 1, .accounts = 1 },
	  HEALTH_DEGRADED, "no room for new mail" },
	{ "no listener",
	  { .store_works = true, .has_room = true, .accounts = 1 },
	  HEALTH_FAILING, "No listener" },
};

static bool says(const struct health_report *report, const char *words)
{
	for (size_t i = 0; i < report->n; i++) {
		if (strstr(report->sentences[i], words) != NULL)
			return true;
	}
	return false;
}

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct health_report report;

		health_judge(&cases[i].facts, &report);
		if (report.health != cases[i].health)
			fail_msg("%s: %s, not %s", cases[i].name,
				 health_name(report.health),
				 health_name(cases[i].health));
		if (cases[i].words == NULL && report.n > 0)
			fail_msg("%s: %s", cases[i].name, report.sentences[0]);
		if (cases[i].words != NULL && !says(&report, cases[i].words))
			fail_msg("%s: nobody says \"%s\"", cases[i].name,
				 cases[i].words);
		health_clear(&report);
	}
}

static void test_many_accounts(void **state)
{
	static struct health_account out[100];
	struct health_facts facts = { WELL, .out = out, .n_out = 100,
		.success_ms = 1 };
	struct health_report report;

	(void)state;
	for (size_t i = 0; i < COUNT(out); i++)
		out[i] = paused[0];
	health_judge(&facts, &report);
	assert_int_equal(report.n, HEALTH_SENTENCES_MAX);
	assert_string_equal(report.sentences[report.n - 1],
			    "There is more that is wrong.");
	health_clear(&report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_many_accounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
