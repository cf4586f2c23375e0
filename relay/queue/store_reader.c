#include "relay/queue/store_db.h"

#include <stdio.h>
#include <stdlib.h>
#include "proto/xalloc.h"
#include "relay/queue/store.h"

/*
 * Each step reads to its end before the caller is asked, so that a reader that
 * waits at its terminal holds up no checkpoint of the server.
 */
struct store_reader {
	struct store_db db;
};

static _Thread_local char error_text[1024];

struct store_reader *store_reader_open(const char *spool_folder,
				       const char **error_r)
{
	struct store_reader *reader = xcalloc(1, sizeof(*reader));
	char *path = xasprintf("%s/lanpost.db", spool_folder);

	if (!db_open_reader(&reader->db, path, error_r)) {
		free(reader);
		reader = NULL;
	}
	free(path);
	return reader;
}

void store_reader_close(struct store_reader **reader)
{
	if (*reader)
		db_close(&(*reader)->db);
	free(*reader);
	*reader = NULL;
}

static bool fail(struct store_reader *reader, const char **error_r)
{
	char *sentence = db_error(&reader->db, "read");

	snprintf(error_text, sizeof(error_text), "%s", sentence);
	free(sentence);
	*error_r = error_text;
	return false;
}

struct ids {
	message_id *id;
	size_t n;
};

static int read_ids(struct store_reader *reader, struct ids *ids)
{
	sqlite3_stmt *s = db_statement(&reader->db, SQL_GET_QUEUE_IDS);
	int code;

	while ((code = sqlite3_step(s)) == SQLITE_ROW) {
		if ((ids->n & (ids->n - 1)) == 0)
			ids->id = xrealloc(ids->id, (ids->n ? 2 * ids->n : 1) *
							    sizeof(*ids->id));
		ids->id[ids->n++] = (message_id)sqlite3_column_int64(s, 0);
	}
	sqlite3_reset(s);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int read_message(struct store_reader *reader, message_id id,
			struct envelope **envelope_r)
{
	sqlite3_stmt *s = db_statement(&reader->db, SQL_GET_MESSAGE);
	int code;

	*envelope_r = NULL;
	sqlite3_bind_int64(s, 1, (int64_t)id);
	code = sqlite3_step(s);
	if (code == SQLITE_ROW)
		*envelope_r = row_read(s);
	sqlite3_reset(s);
	if (*envelope_r)
		return row_read_recipients(&reader->db, *envelope_r);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

static bool is_waiting(const struct envelope *envelope)
{
	return envelope && (envelope->state == MESSAGE_QUEUED ||
			    envelope->state == MESSAGE_HELD);
}

bool store_reader_queue(struct store_reader *reader,
			bool (*each)(void *ctx, const struct envelope *e),
			void *ctx, const char **error_r)
{
	struct ids ids = { NULL, 0 };
	int code = read_ids(reader, &ids);
	bool wanted = true;

	for (size_t i = 0; i < ids.n && wanted && code == SQLITE_OK; i++) {
		struct envelope *envelope;

		code = read_message(reader, ids.id[i], &envelope);
		/* It may have been delivered since the ids were read. */
		if (code == SQLITE_OK && is_waiting(envelope))
			wanted = each(ctx, envelope);
		envelope_free(&envelope);
	}
	free(ids.id);
	return code == SQLITE_OK || fail(reader, error_r);
}
