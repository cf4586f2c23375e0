#include <stdio.h>
#include <stdlib.h>
#include "proto/xalloc.h"
#include "relay/queue/store_job.h"

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

bool reader_fail(struct store_reader *reader, const char **error_r)
{
	char *sentence = db_error(&reader->db, "read");

	snprintf(error_text, sizeof(error_text), "%s", sentence);
	free(sentence);
	*error_r = error_text;
	return false;
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
	int code = db_read_ids(
		db_statement(&reader->db, SQL_GET_QUEUE_IDS), &ids);
	bool wanted = true;

	for (size_t i = 0; i < ids.n && wanted && code == SQLITE_OK; i++) {
		struct envelope *envelope;

		code = row_find(&reader->db, ids.id[i], &envelope);
		/* It may have been delivered since the ids were read. */
		if (code == SQLITE_OK && is_waiting(envelope))
			wanted = each(ctx, envelope);
		envelope_free(&envelope);
	}
	free(ids.id);
	return code == SQLITE_OK || reader_fail(reader, error_r);
}

bool store_reader_accounts(struct store_reader *reader,
			   struct account_record **records_r, size_t *n_r,
			   const char **error_r)
{
	return accounts_read(&reader->db, records_r, n_r) == SQLITE_OK ||
	       reader_fail(reader, error_r);
}
