#include "relay/queue/store_job.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "proto/xalloc.h"
#include "relay/net/loop.h"

static const char damaged_reason[] = "body-damaged";
static const char damaged_reply[] =
	"the stored message is missing or damaged, so it cannot be sent";

static _Thread_local char error_text[512];

/* --- files without a row ------------------------------------------------ */

/* Only a regular file of ours under a name we would have given it. */
static bool is_body(int bodies_fd, const char *name, message_id *id_r)
{
	char canonical[MESSAGE_ID_TEXT];
	struct stat info;

	return message_id_parse(text_of(name), id_r) &&
	       strcmp(message_id_print(*id_r, canonical), name) == 0 &&
	       fstatat(bodies_fd, name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(info.st_mode) && info.st_uid == geteuid();
}

/* The file may go when no row says that its body is there. */
static int is_orphan(struct store_db *db, message_id id, bool *orphan_r)
{
	sqlite3_stmt *s = db_statement(db, SQL_GET_BODY_PLACE);
	int64_t place = BODY_GONE;
	int code;

	sqlite3_bind_int64(s, 1, (int64_t)id);
	code = db_number(s, &place);
	*orphan_r = place != BODY_IN_FILE;
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int sweep(struct store_db *db, DIR *folder,
		 struct store_recovery *recovery)
{
	struct dirent *entry;
	message_id id;
	bool orphan;
	int code;

	while ((entry = readdir(folder)) != NULL) {
		if (!is_body(dirfd(folder), entry->d_name, &id))
			continue;
		code = is_orphan(db, id, &orphan);
		if (code != SQLITE_OK)
			return code;
		if (orphan && unlinkat(dirfd(folder), entry->d_name, 0) == 0)
			recovery->orphans_removed++;
	}
	return SQLITE_OK;
}

static DIR *open_bodies(struct spool *spool, const char **error_r)
{
	int fd = openat(spool_bodies_fd(spool), ".",
			O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;

	if (folder)
		return folder;
	snprintf(error_text, sizeof(error_text),
		 "the folder %s/bodies cannot be read: %s", spool_folder(spool),
		 strerror(errno));
	*error_r = error_text;
	if (fd >= 0)
		close(fd);
	return NULL;
}

static int remove_orphans(struct store_db *db, struct spool *spool,
			  struct store_recovery *recovery, const char **error_r)
{
	DIR *folder = open_bodies(spool, error_r);
	int code;

	if (!folder)
		return SQLITE_ERROR;
	code = sweep(db, folder, recovery);
	closedir(folder);
	return code;
}

/* --- rows without their body -------------------------------------------- */

static bool file_is_whole(struct spool *spool, message_id id, int64_t size)
{
	char name[MESSAGE_ID_TEXT];
	struct stat info;

	return fstatat(spool_bodies_fd(spool), message_id_print(id, name),
		       &info, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(info.st_mode) && info.st_size == size;
}

static int find_lost_files(struct store_db *db, struct spool *spool,
			   struct ids *lost)
{
	sqlite3_stmt *s = db_statement(db, SQL_GET_FILES);
	int code;

	while ((code = sqlite3_step(s)) == SQLITE_ROW) {
		message_id id = (message_id)sqlite3_column_int64(s, 0);

		if (!file_is_whole(spool, id, sqlite3_column_int64(s, 1)))
			ids_add(lost, id);
	}
	sqlite3_reset(s);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int find_broken(struct store_db *db, enum message_state state,
		       struct ids *lost)
{
	sqlite3_stmt *s = db_statement(db, SQL_GET_BROKEN);

	sqlite3_bind_int64(s, 1, state);
	return db_read_ids(s, lost);
}

/* What is left of its body stays until the purge: somebody may want to look at
 * it. */
static int fail_message(struct store_db *db, message_id id)
{
	sqlite3_stmt *s = db_statement(db, SQL_FAIL_MESSAGE);
	int64_t now_ms = wall_now_ms();
	int code;

	sqlite3_bind_int64(s, 1, (int64_t)id);
	sqlite3_bind_int64(s, 2, now_ms);
	db_bind_text(s, 3, damaged_reason);
	code = db_run(s);
	if (code != SQLITE_OK)
		return code;
	s = db_statement(db, SQL_FAIL_RECIPIENTS);
	sqlite3_bind_int64(s, 1, (int64_t)id);
	db_bind_text(s, 2, damaged_reply);
	sqlite3_bind_int64(s, 3, now_ms);
	return db_run(s);
}

static int fail_all(struct store_db *db, const struct ids *lost)
{
	int code = db_run(db_statement(db, SQL_BEGIN));

	for (size_t i = 0; i < lost->n && code == SQLITE_OK; i++)
		code = fail_message(db, lost->id[i]);
	return code == SQLITE_OK ? db_run(db_statement(db, SQL_COMMIT)) : code;
}

static int fail_lost(struct store_db *db, struct spool *spool,
		     struct store_recovery *recovery)
{
	struct ids lost = { NULL, 0 };
	int code = find_lost_files(db, spool, &lost);

	if (code == SQLITE_OK)
		code = find_broken(db, MESSAGE_QUEUED, &lost);
	if (code == SQLITE_OK)
		code = find_broken(db, MESSAGE_HELD, &lost);
	if (code == SQLITE_OK && lost.n > 0)
		code = fail_all(db, &lost);
	recovery->lost_bodies = lost.n;
	free(lost.id);
	return code;
}

/* --- what there is ------------------------------------------------------ */

static int add_up(struct store_db *db, enum store_sql sql, uint64_t *count_r,
		  uint64_t *octets)
{
	sqlite3_stmt *s = db_statement(db, sql);
	int code = sqlite3_step(s);

	if (code == SQLITE_ROW) {
		*count_r = (uint64_t)sqlite3_column_int64(s, 0);
		*octets += (uint64_t)sqlite3_column_int64(s, 1);
		code = SQLITE_OK;
	}
	sqlite3_reset(s);
	return code;
}

static int count(struct store_db *db, struct store_recovery *recovery)
{
	uint64_t held, failed;
	int code = add_up(db, SQL_GET_QUEUED_SUM, &recovery->queued,
			  &recovery->octets);

	if (code == SQLITE_OK)
		code = add_up(db, SQL_GET_HELD_SUM, &held, &recovery->octets);
	if (code == SQLITE_OK)
		code = add_up(db, SQL_GET_FAILED_SUM, &failed,
			      &recovery->octets);
	return code;
}

static int continue_ids(struct store_db *db)
{
	int64_t newest = 0;
	int code = db_number(db_statement(db, SQL_GET_NEWEST), &newest);

	message_id_seen((message_id)newest);
	return code;
}

int recover(struct store_db *db, struct spool *spool,
	    struct store_recovery *recovery, const char **error_r)
{
	int code = continue_ids(db);

	memset(recovery, 0, sizeof(*recovery));
	*error_r = NULL;
	if (code == SQLITE_OK)
		code = remove_orphans(db, spool, recovery, error_r);
	if (code == SQLITE_OK)
		code = fail_lost(db, spool, recovery);
	if (code == SQLITE_OK)
		code = rebase_at_start(db, recovery);
	if (code == SQLITE_OK)
		code = count(db, recovery);
	if (code == SQLITE_OK)
		spool_add(spool, recovery->octets);
	return code;
}
