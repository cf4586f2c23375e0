#include "relay/admin/desk.h"

#include <stdlib.h>
#include <string.h>

#include "proto/xalloc.h"
#include "relay/admin/records.h"
#include "relay/admin/views.h"
#include "relay/health_facts.h"
#include "relay/net/loop.h"
#include "relay/queue/queue.h"
#include "relay/queue/repeats.h"

struct desk {
	struct desk_settings settings;
	uint64_t started_ms;
};

struct desk *desk_new(const struct desk_settings *settings)
{
	struct desk *desk = xcalloc(1, sizeof *desk);

	desk->settings = *settings;
	desk->started_ms = loop_now_ms(settings->services->loop);
	return desk;
}

void desk_free(struct desk **desk)
{
	free(*desk);
	*desk = NULL;
}

struct config *desk_config(struct desk *desk)
{
	return config_ref(desk->settings.services->config);
}

/* ---- health ---- */

void desk_alive(struct desk *desk, struct request *request)
{
	(void)desk;
	request_answer(request, ANSWER_OK,
	               json_pack("{s:s}", "state", "alive"));
	request->done(request);
}

static json_t *health(struct desk *desk)
{
	const struct desk_settings *settings = &desk->settings;
	struct health_report report;
	json_t *view = json_object(), *reasons = json_array();
	size_t i;

	health_now(settings->services, settings->pools,
	           settings->listeners(settings->ctx), &report);
	view_set_text(view, "state", health_name(report.health));
	json_object_set_new(view, "reasons", reasons);
	for (i = 0; i < report.n; i++)
		json_array_append_new(reasons, view_text(report.sentences[i]));
	health_clear(&report);
	return view;
}

void desk_health(struct desk *desk, struct request *request)
{
	json_t *view = health(desk);
	const char *state = json_string_value(json_object_get(view, "state"));

	request_answer(request,
	               strcmp(state, "failing") == 0 ? ANSWER_NOT_NOW
	                                             : ANSWER_OK,
	               view);
	request->done(request);
}

/* ---- status ---- */

static json_t *accounts(struct desk *desk)
{
	json_t *list = json_array();
	size_t i, n = pools_count(desk->settings.pools);

	for (i = 0; i < n; i++) {
		struct account_status status;

		pools_status(desk->settings.pools, i, &status);
		json_array_append_new(list, view_account(&status));
	}
	return list;
}

static int64_t uptime_ms(const struct desk *desk)
{
	return (int64_t)(loop_now_ms(desk->settings.services->loop) -
	                 desk->started_ms);
}

void desk_status(struct desk *desk, struct request *request)
{
	json_t *live = json_object();

	json_object_set_new(live, "health", health(desk));
	view_set_text(live, "version", LANPOST_VERSION);
	view_set_number(live, "uptime_ms", uptime_ms(desk));
	json_object_set_new(live, "accounts", accounts(desk));
	request->live = live;
	request->done(request);
}

/* ---- messages ---- */

static unsigned status_of(enum queue_answer answer)
{
	switch (answer) {
	case QUEUE_CHANGED:
		return ANSWER_OK;
	case QUEUE_UNKNOWN:
		return ANSWER_UNKNOWN;
	case QUEUE_BUSY:
	case QUEUE_UNFIT:
		return ANSWER_UNFIT;
	case QUEUE_DISK:
		break;
	}
	return ANSWER_NOT_NOW;
}

static void on_changed(void *ctx, enum queue_answer answer, const char *words)
{
	struct request *request = ctx;

	if (answer == QUEUE_CHANGED)
		request_answer(request, ANSWER_OK,
		               json_pack("{s:s, s:s}", "id", request->subject,
		                         "result", words));
	else if (answer == QUEUE_UNKNOWN)
		request_fail(request, ANSWER_UNKNOWN,
		             "lanpost queue lists those that wait, lanpost "
		             "history those that have finished",
		             "there is no message %.20s", request->subject);
	else
		request_fail(request, status_of(answer), NULL,
		             "message %.20s: %s", request->subject, words);
	request->done(request);
}

static void change(struct desk *desk, struct request *request,
                   enum queue_change what)
{
	struct services *services = desk->settings.services;
	message_id id;

	if (!records_read_id(request, request->subject, &id)) {
		request->done(request);
		return;
	}
	/* Who sends again what was deleted means it. */
	if (what == QUEUE_DELETE)
		repeats_forget(services->repeats, id);
	queue_change(services->queue, id, what, on_changed, request);
}

void desk_retry(struct desk *desk, struct request *request)
{
	change(desk, request, QUEUE_RETRY);
}

void desk_hold(struct desk *desk, struct request *request)
{
	change(desk, request, QUEUE_HOLD);
}

void desk_release(struct desk *desk, struct request *request)
{
	change(desk, request, QUEUE_RELEASE);
}

void desk_delete(struct desk *desk, struct request *request)
{
	change(desk, request, QUEUE_DELETE);
}

void desk_retry_all(struct desk *desk, struct request *request)
{
	size_t n = queue_retry_all(desk->settings.services->queue);

	request_answer(request, ANSWER_OK,
	               json_pack("{s:I}", "retried", (json_int_t)n));
	request->done(request);
}

/* ---- accounts ---- */

static json_t *account(struct desk *desk, const char *name)
{
	json_t *list = accounts(desk), *row, *found = NULL;
	size_t i;

	json_array_foreach(list, i, row) {
		const char *its =
			json_string_value(json_object_get(row, "name"));

		if (found == NULL && its != NULL && strcmp(its, name) == 0)
			found = json_incref(row);
	}
	json_decref(list);
	return found != NULL ? found : json_object();
}

static void answer_account(struct desk *desk, struct request *request,
                           bool found)
{
	const char *name = request->subject;

	if (found)
		request_answer(request, ANSWER_OK, account(desk, name));
	else
		request_fail(request, ANSWER_UNKNOWN,
		             "lanpost status lists the accounts; one without "
		             "a name is called default",
		             "there is no account \"%.100s\"", name);
	request->done(request);
}

void desk_pause(struct desk *desk, struct request *request)
{
	answer_account(desk, request,
	               pools_pause(desk->settings.pools, request->subject));
}

void desk_resume(struct desk *desk, struct request *request)
{
	answer_account(desk, request,
	               pools_resume(desk->settings.pools, request->subject));
}
