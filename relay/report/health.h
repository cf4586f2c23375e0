/*
 * health -- does lanpost do its work, which is to deliver?
 *
 *   ok        mail goes out
 *   degraded  it is safe, but some of it does not go out: an account cannot
 *             send, mail has been waiting for long, or none goes through
 *   failing   mail cannot be taken, or none of it goes out
 *
 * Pure: facts go in, a verdict and its sentences come out.
 */
#ifndef RELAY_REPORT_HEALTH_H
#define RELAY_REPORT_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEALTH_MAP(X) X(OK, "ok") X(DEGRADED, "degraded") X(FAILING, "failing")

enum health {
#define X(name, text) HEALTH_##name,
	HEALTH_MAP(X)
#undef X
};

/* An account that cannot send now; what it is, in a word: "paused". */
struct health_account {
	const char *name, *state;
	const char *why;           /* a title or a reason; NULL: not known */
	size_t waiting;
};

struct health_facts {
	bool store_works;          /* what is written reaches the disk */
	bool has_room;             /* for new mail */
	size_t listeners;          /* that listen */
	size_t accounts;           /* in the configuration */
	const struct health_account *out; /* those that cannot send */
	size_t n_out;
	size_t waiting;            /* messages, held ones aside */
	int64_t oldest_ms;         /* how long the oldest has been waiting */
	int64_t success_ms;        /* since one was delivered; -1: none yet */
	int64_t queue_age_ms;      /* `alert_queue_age` */
};

enum { HEALTH_SENTENCES_MAX = 16 };

struct health_report {
	enum health health;
	char *sentences[HEALTH_SENTENCES_MAX]; /* why it is not ok */
	size_t n;
};

/* Filled in; clear it afterwards. */
void health_judge(const struct health_facts *facts,
                  struct health_report *report_r);
void health_clear(struct health_report *report);
const char *health_name(enum health health);

/* The oldest message has been waiting for longer than it may. */
bool health_queue_is_old(const struct health_facts *facts);

#endif
