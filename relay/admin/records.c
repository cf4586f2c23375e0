#include "relay/admin/records.h"

#include <stdlib.h>
#include <string.h>

#include "relay/admin/views.h"
#include "relay/config/value.h"
#include "relay/net/loop.h"
#include "relay/report/catalogue.h"

enum {
	LIMIT_DEFAULT = 1000,
	LIMIT_MAX = 10000,
	LAST_FAILURES = 5
};

struct rows {
	json_t *list;
	size_t limit;
	json_t *accounts;          /* of ->live, or NULL */
	const struct config *config;
	int64_t now_ms;
};

/* ---- the database ---- */

static struct store_reader *open_reader(struct request *request)
{
	const char *error = NULL;
	struct store_reader *reader =
		store_reader_open(request->spool, &error);

	if (reader == NULL)
		request_fail(request, ANSWER_NOT_NOW, NULL, "%s", error);
	return reader;
}

/* ok: all was read; then list is the answer. */
static void answer_rows(struct request *request, json_t *list, bool ok,
                        const char *error)
{
	if (ok) {
		request_answer(request, ANSWER_OK, list);
		return;
	}
	json_decref(list);
	request_fail(request, ANSWER_NOT_NOW, NULL, "%s", error);
}

static json_t *live(const struct request *request, const char *key)
{
	return json_object_get(request->live, key);
}

/* ---- arguments ---- */

static bool read_value(struct request *request, const char *name,
                       enum value_type type, void *value)
{
	const char *text = request_argument(request, name);
	struct buf why = BUF_INIT(1000);
	bool ok = text == NULL ||
	          value_parse(type, text_of(text), NULL, value, &why);

	if (!ok)
		request_fail(request, ANSWER_WRONG, NULL, "%s: %s", name,
		             buf_string(&why));
	buf_free(&why);
	return ok;
}

static bool read_limit(struct request *request, size_t *limit_r)
{
	unsigned limit = LIMIT_DEFAULT;

	if (!read_value(request, "limit", VALUE_COUNT, &limit))
		return false;
	if (limit > LIMIT_MAX) {
		request_fail(request, ANSWER_WRONG,
		             "narrow the search by its other arguments",
		             "limit: %u is more than %u", limit,
		             (unsigned)LIMIT_MAX);
		return false;
	}
	*limit_r = limit;
	return true;
}

static bool read_since(struct request *request, struct history_filter *filter)
{
	int64_t ago = 0;

	if (!read_value(request, "since", VALUE_PERIOD, &ago))
		return false;
	if (ago > 0)
		filter->since_ms = wall_now_ms() - ago;
	return true;
}

static const char *const state_names[] = {
#define X(name, text) text,
	MESSAGE_STATE_MAP(X)
#undef X
};

enum { STATES = sizeof(state_names) / sizeof(*state_names) };

static bool read_status(struct request *request, struct history_filter *filter)
{
	const char *word = request_argument(request, "status");
	struct buf words = BUF_INIT(200);
	int i;

	filter->state = -1;
	if (word == NULL)
		return true;
	for (i = 0; i < STATES; i++) {
		if (strcmp(word, state_names[i]) == 0)
			filter->state = i;
		buf_printf(&words, "%s%s", i > 0 ? ", " : "", state_names[i]);
	}
	if (filter->state < 0)
		request_fail(request, ANSWER_WRONG, NULL,
		             "status: there is no \"%.100s\", but %s", word,
		             buf_string(&words));
	buf_free(&words);
	return filter->state >= 0;
}

bool records_read_id(struct request *request, const char *text,
                     message_id *id_r)
{
	if (message_id_parse(text_of(text), id_r))
		return true;
	request_fail(request, ANSWER_UNKNOWN,
	             "ids have 13 letters and digits, as the log and "
	             "lanpost history show them",
	             "\"%.100s\" is no id of a message", text);
	return false;
}

/* ---- lists ---- */

static bool add_queued(void *ctx, const struct envelope *envelope)
{
	struct rows *rows = ctx;
	json_t *row = view_message(envelope);

	view_set_waits_for(row, envelope, rows->accounts, rows->now_ms);
	json_array_append_new(rows->list, row);
	return json_array_size(rows->list) < rows->limit;
}

void records_queue(struct request *request)
{
	struct rows rows = { .accounts = live(request, "accounts"),
		.now_ms = wall_now_ms() };
	struct store_reader *reader;
	const char *error = NULL;
	bool ok;

	if (!read_limit(request, &rows.limit) ||
	    (reader = open_reader(request)) == NULL)
		return;
	rows.list = json_array();
	ok = store_reader_queue(reader, add_queued, &rows, &error);
	answer_rows(request, rows.list, ok, error);
	store_reader_close(&reader);
}

static bool add_message(void *ctx, const struct envelope *envelope)
{
	struct rows *rows = ctx;

	json_array_append_new(rows->list, view_message(envelope));
	return true;
}

static void search(struct request *request, const struct history_filter *filter)
{
	struct rows rows = { .list = NULL };
	struct store_reader *reader = open_reader(request);
	const char *error = NULL;
	bool ok;

	if (reader == NULL)
		return;
	rows.list = json_array();
	ok = store_reader_history(reader, filter, add_message, &rows, &error);
	answer_rows(request, rows.list, ok, error);
	store_reader_close(&reader);
}

/* ---- one message ---- */

/* NULL: the request is answered. */
static struct story *find_story(struct request *request, const char *text)
{
	struct story *story = NULL;
	struct store_reader *reader;
	const char *error = NULL;
	message_id id;

	if (!records_read_id(request, text, &id) ||
	    (reader = open_reader(request)) == NULL)
		return NULL;
	if (!store_reader_story(reader, id, &story, &error))
		request_fail(request, ANSWER_NOT_NOW, NULL, "%s", error);
	else if (story == NULL)
		request_fail(request, ANSWER_UNKNOWN,
		             "lanpost history lists those that are known; "
		             "older ones are forgotten after `history` days",
		             "there is no message %.20s", text);
	store_reader_close(&reader);
	return story;
}

void records_message(struct request *request)
{
	struct story *story = find_story(request, request->subject);
	json_t *view;

	if (story == NULL)
		return;
	view = view_story(story, request->config);
	view_set_waits_for(view, story->envelope, live(request, "accounts"),
	                   wall_now_ms());
	if (story->envelope->finished_ms != 0)
		json_object_del(view, "waits_for");
	request_answer(request, ANSWER_OK, view);
	story_free(&story);
}

static void search_id(struct request *request, const char *id)
{
	struct story *story = find_story(request, id);
	json_t *list;

	if (story == NULL)
		return;
	list = json_array();
	json_array_append_new(list, view_message(story->envelope));
	request_answer(request, ANSWER_OK, list);
	story_free(&story);
}

void records_history(struct request *request)
{
	const char *id = request_argument(request, "id");
	struct history_filter filter = {
		.from = request_argument(request, "from"),
		.to = request_argument(request, "to"),
		.client = request_argument(request, "client")
	};

	if (!read_limit(request, &filter.limit) ||
	    !read_since(request, &filter) || !read_status(request, &filter))
		return;
	if (id != NULL)
		search_id(request, id);
	else
		search(request, &filter);
}

/* ---- status ---- */

static bool add_failure(void *ctx, const struct envelope *envelope)
{
	struct rows *rows = ctx;
	json_t *row = view_message(envelope);

	view_set_words(row, rows->config, envelope->reason, envelope->account,
	               envelope->reverse_path);
	json_array_append_new(rows->list, row);
	return true;
}

static bool set_failures(json_t *status, struct store_reader *reader,
                         const struct config *config, const char **error_r)
{
	struct history_filter failed = { .state = MESSAGE_FAILED,
		.limit = LAST_FAILURES };
	struct rows rows = { .list = json_array(), .config = config };

	json_object_set_new(status, "failures", rows.list);
	return store_reader_history(reader, &failed, add_failure, &rows,
	                            error_r);
}

static bool set_queue(json_t *status, struct store_reader *reader,
                      const char **error_r)
{
	int64_t now = wall_now_ms();
	struct queue_totals totals;
	json_t *queue = json_object();

	json_object_set_new(status, "queue", queue);
	if (!store_reader_totals(reader, now, &totals, error_r))
		return false;
	view_set_number(queue, "queued", (int64_t)totals.queued);
	view_set_number(queue, "ready", (int64_t)totals.due);
	view_set_number(queue, "waiting", (int64_t)(totals.queued - totals.due));
	view_set_number(queue, "held", (int64_t)totals.held);
	view_set_number(queue, "octets", (int64_t)totals.octets);
	view_set_time(queue, "oldest", totals.oldest_ms);
	view_set_number(queue, "oldest_ms",
	                totals.oldest_ms ? now - totals.oldest_ms : 0);
	return true;
}

/* Of a server that does not run. */
static bool set_resting_accounts(json_t *status, struct store_reader *reader,
                                 const struct config *config,
                                 const char **error_r)
{
	struct account_record *records = NULL;
	json_t *list = json_array();
	size_t i, n = 0;
	bool ok = store_reader_accounts(reader, &records, &n, error_r);

	json_object_set_new(status, "accounts", list);
	for (i = 0; i < config->n_accounts && ok; i++)
		json_array_append_new(
			list, view_resting_account(&config->accounts[i], config,
		                                   records, n));
	for (i = 0; i < n; i++)
		account_record_clear(&records[i]);
	free(records);
	return ok;
}

static json_t *resting(void)
{
	return json_pack("{s:{s:s, s:[s]}, s:s, s:i}", "health", "state",
	                 "stopped", "reasons",
	                 "no server runs on this spool; this is what its "
	                 "database knows",
	                 "version", LANPOST_VERSION, "uptime_ms", 0);
}

/* NULL: the request is answered. */
static json_t *begin_status(struct request *request,
                            struct store_reader *reader)
{
	const char *error = NULL;
	json_t *status;

	if (request->live != NULL)
		return json_incref(request->live);
	status = resting();
	if (set_resting_accounts(status, reader, request->config, &error))
		return status;
	json_decref(status);
	request_fail(request, ANSWER_NOT_NOW, NULL, "%s", error);
	return NULL;
}

void records_status(struct request *request)
{
	struct store_reader *reader = open_reader(request);
	const char *error = NULL;
	json_t *status;
	bool ok;

	if (reader == NULL)
		return;
	status = begin_status(request, reader);
	if (status != NULL) {
		ok = set_queue(status, reader, &error) &&
		     set_failures(status, reader, request->config, &error);
		answer_rows(request, status, ok, error);
	}
	store_reader_close(&reader);
}

void records_accounts(struct request *request)
{
	struct store_reader *reader = open_reader(request);
	json_t *status;

	if (reader == NULL)
		return;
	status = begin_status(request, reader);
	if (status != NULL)
		request_answer(request, ANSWER_OK,
		               json_incref(json_object_get(status,
		                                           "accounts")));
	json_decref(status);
	store_reader_close(&reader);
}

/* ---- explanations ---- */

static json_t *view_entry(const struct catalogue_entry *entry)
{
	struct buf fix = BUF_INIT(8000);
	json_t *view = json_object();

	catalogue_print_fix(&fix, entry, NULL, NULL);
	view_set_text(view, "reason", entry->id);
	view_set_text(view, "title", entry->title);
	view_set_text(view, "explanation", entry->explanation);
	view_set_text(view, "fix", buf_string(&fix));
	view_set_text(view, "page", entry->page);
	view_set_text(view, "disposition",
	              catalogue_disposition_name(entry->disposition));
	buf_free(&fix);
	return view;
}

void records_explain(struct request *request)
{
	const char *reply = request_argument(request, "reply");
	const char *stage = request_argument(request, "stage");
	struct buf text = BUF_INIT(64 * 1024);
	struct catalogue_query query;

	if (reply == NULL ||
	    !catalogue_query_parse(text_of(reply), &text, &query)) {
		request_fail(request, ANSWER_WRONG,
		             "give the provider's words: ?reply=535%%205.7.3",
		             "there is nothing to explain");
	} else {
		query.provider = request_argument(request, "provider");
		if (stage != NULL)
			query.stage = catalogue_stage_find(text_of(stage));
		request_answer(request, ANSWER_OK,
		               view_entry(catalogue_find(
				       request->config->catalogue, &query)));
	}
	buf_free(&text);
}
