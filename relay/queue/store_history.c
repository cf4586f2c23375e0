#include "relay/queue/store_db.h"

#include <stdlib.h>
#include "proto/buf.h"
#include "proto/xalloc.h"
#include "relay/queue/store.h"

enum { LIMIT = 1000, PATTERN_MAX = 4096 };

/* --- which messages ----------------------------------------------------- */

/* The text of a LIKE, whose signs mean themselves but for the star. */
static char *pattern_of(const char *part)
{
	struct buf pattern = BUF_INIT(PATTERN_MAX);

	if (!part)
		return NULL;
	buf_putc(&pattern, '%');
	for (; *part; part++) {
		if (*part == '%' || *part == '_' || *part == '\\')
			buf_putc(&pattern, '\\');
		buf_putc(&pattern, *part == '*' ? '%' : *part);
	}
	buf_putc(&pattern, '%');
	return buf_steal(&pattern);
}

static void bind_pattern(sqlite3_stmt *statement, int column, const char *part)
{
	sqlite3_bind_text(statement, column, pattern_of(part), -1, free);
}

/* Ids carry the time of arrival; the clock may have gone back since, but an id
 * is never older than its message. */
static void bind_filter(sqlite3_stmt *s, const struct history_filter *filter)
{
	sqlite3_bind_int64(s, 1,
			   (int64_t)message_id_oldest_of(filter->since_ms));
	sqlite3_bind_int64(s, 2, filter->since_ms);
	sqlite3_bind_int64(s, 3, filter->state);
	bind_pattern(s, 4, filter->from);
	bind_pattern(s, 5, filter->client);
	bind_pattern(s, 6, filter->to);
	sqlite3_bind_int64(s, 7,
			   (int64_t)(filter->limit ? filter->limit : LIMIT));
}

static int find(struct store_reader *reader,
		const struct history_filter *filter, struct ids *ids)
{
	sqlite3_stmt *s = db_statement(&reader->db,
				       filter->unfinished
					       ? SQL_GET_UNFINISHED_IDS
					       : SQL_GET_HISTORY_IDS);

	bind_filter(s, filter);
	return db_read_ids(s, ids);
}

bool store_reader_history(struct store_reader *reader,
			  const struct history_filter *filter,
			  bool (*each)(void *ctx, const struct envelope *e),
			  void *ctx, const char **error_r)
{
	struct ids ids = { NULL, 0 };
	int code = find(reader, filter, &ids);
	bool wanted = true;

	for (size_t i = 0; i < ids.n && wanted && code == SQLITE_OK; i++) {
		struct envelope *envelope;

		code = row_find(&reader->db, ids.id[i], &envelope);
		if (code == SQLITE_OK && envelope)
			wanted = each(ctx, envelope);
		envelope_free(&envelope);
	}
	free(ids.id);
	return code == SQLITE_OK || reader_fail(reader, error_r);
}

/* --- a message's story -------------------------------------------------- */

static char *read_text(sqlite3_stmt *statement, int column)
{
	return xstrdup((const char *)sqlite3_column_text(statement, column));
}

static void read_attempt(sqlite3_stmt *s, struct story *story)
{
	struct attempt *attempt;

	story->attempts =
		xrealloc(story->attempts,
			 (story->n_attempts + 1) * sizeof(*attempt));
	attempt = &story->attempts[story->n_attempts++];
	attempt->n = (unsigned)sqlite3_column_int64(s, 0);
	attempt->started_ms = sqlite3_column_int64(s, 1);
	attempt->ended_ms = sqlite3_column_int64(s, 2);
	attempt->account = read_text(s, 3);
	attempt->host = read_text(s, 4);
	attempt->stage = read_text(s, 5);
	attempt->reply = read_text(s, 6);
	attempt->reason = read_text(s, 7);
	attempt->summary = read_text(s, 8);
	attempt->dialogue = read_text(s, 9);
	attempt->sent_as = read_text(s, 10);
}

static int read_attempts(struct store_db *db, struct story *story)
{
	sqlite3_stmt *s = db_statement(db, SQL_GET_ATTEMPTS);
	int code;

	sqlite3_bind_int64(s, 1, (int64_t)story->envelope->id);
	while ((code = sqlite3_step(s)) == SQLITE_ROW)
		read_attempt(s, story);
	sqlite3_reset(s);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

bool store_reader_story(struct store_reader *reader, message_id id,
			struct story **story_r, const char **error_r)
{
	struct story *story = xcalloc(1, sizeof(*story));
	int code = row_find(&reader->db, id, &story->envelope);

	if (code == SQLITE_OK && story->envelope)
		code = read_attempts(&reader->db, story);
	if (code != SQLITE_OK || !story->envelope)
		story_free(&story);
	*story_r = story;
	return code == SQLITE_OK || reader_fail(reader, error_r);
}

void story_free(struct story **story_ptr)
{
	struct story *story = *story_ptr;

	if (!story)
		return;
	*story_ptr = NULL;
	envelope_free(&story->envelope);
	for (size_t i = 0; i < story->n_attempts; i++) {
		free(story->attempts[i].account);
		free(story->attempts[i].host);
		free(story->attempts[i].stage);
		free(story->attempts[i].reply);
		free(story->attempts[i].reason);
		free(story->attempts[i].summary);
		free(story->attempts[i].sent_as);
		free(story->attempts[i].dialogue);
	}
	free(story->attempts);
	free(story);
}
