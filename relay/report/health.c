#include "relay/report/health.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/xalloc.h"

enum {
	NO_SUCCESS_MS = 10 * 60 * 1000 /* mail may wait for so long, at least */
};

/* The last line is left for those that do not fit. */
static void say(struct health_report *report, enum health health,
                const char *format, ...) __attribute__((format(printf, 3, 4)));

static void say(struct health_report *report, enum health health,
                const char *format, ...)
{
	va_list arguments;
	char *sentence = NULL;

	if (health > report->health)
		report->health = health;
	if (report->n == HEALTH_SENTENCES_MAX)
		return;
	va_start(arguments, format);
	if (report->n == HEALTH_SENTENCES_MAX - 1)
		sentence = xstrdup("There is more that is wrong.");
	else if (vasprintf(&sentence, format, arguments) < 0)
		abort();
	va_end(arguments);
	report->sentences[report->n++] = sentence;
}

/* "3 h", "12 min": for a sentence. */
static const char *print_age(int64_t ms, char out[32])
{
	int64_t minutes = ms / 60000;

	if (minutes < 1)
		snprintf(out, 32, "%d s", (int)(ms / 1000));
	else if (minutes < 120)
		snprintf(out, 32, "%d min", (int)minutes);
	else if (minutes < 48 * 60)
		snprintf(out, 32, "%d h", (int)(minutes / 60));
	else
		snprintf(out, 32, "%d days", (int)(minutes / 60 / 24));
	return out;
}

bool health_queue_is_old(const struct health_facts *facts)
{
	return facts->waiting > 0 && facts->oldest_ms > facts->queue_age_ms;
}

static void judge_service(const struct health_facts *facts,
                          struct health_report *report)
{
	if (!facts->store_works)
		say(report, HEALTH_FAILING,
		    "The spool cannot be written: no mail is taken and none "
		    "is sent.");
	if (facts->listeners == 0)
		say(report, HEALTH_FAILING,
		    "No listener is open: no mail is taken.");
	if (facts->store_works && !facts->has_room)
		say(report, HEALTH_DEGRADED,
		    "There is no room for new mail: devices are told to come "
		    "back later.");
}

static void judge_account(const struct health_account *account,
                          struct health_report *report)
{
	say(report, HEALTH_DEGRADED,
	    "Account %s is %s%s%s%s; %zu message%s wait%s for it.",
	    account->name, account->state, account->why ? " (" : "",
	    account->why ? account->why : "", account->why ? ")" : "",
	    account->waiting, account->waiting == 1 ? "" : "s",
	    account->waiting == 1 ? "s" : "");
}

static void judge_accounts(const struct health_facts *facts,
                           struct health_report *report)
{
	size_t i;

	if (facts->accounts > 0 && facts->n_out == facts->accounts &&
	    health_queue_is_old(facts))
		say(report, HEALTH_FAILING,
		    "No account can send, and mail waits for it.");
	for (i = 0; i < facts->n_out; i++)
		judge_account(&facts->out[i], report);
}

static void judge_queue(const struct health_facts *facts,
                        struct health_report *report)
{
	char age[32];

	if (health_queue_is_old(facts)) {
		say(report, HEALTH_DEGRADED,
		    "The oldest of %zu messages has been waiting for %s.",
		    facts->waiting, print_age(facts->oldest_ms, age));
		return;
	}
	if (facts->waiting > 0 && facts->oldest_ms > NO_SUCCESS_MS &&
	    (facts->success_ms < 0 || facts->success_ms > NO_SUCCESS_MS))
		say(report, HEALTH_DEGRADED,
		    "Mail has been waiting for %s, and none has gone through "
		    "meanwhile.", print_age(facts->oldest_ms, age));
}

void health_judge(const struct health_facts *facts,
                  struct health_report *report_r)
{
	*report_r = (struct health_report){ HEALTH_OK };
	judge_service(facts, report_r);
	judge_accounts(facts, report_r);
	judge_queue(facts, report_r);
}

void health_clear(struct health_report *report)
{
	while (report->n > 0)
		free(report->sentences[--report->n]);
}

const char *health_name(enum health health)
{
	static const char *const names[] = {
#define X(name, text) [HEALTH_##name] = text,
		HEALTH_MAP(X)
#undef X
	};

	return names[health];
}
