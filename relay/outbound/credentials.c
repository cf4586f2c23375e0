#include "relay/outbound/credentials.h"

#include <string.h>

#include "proto/xalloc.h"
#include "relay/report/log.h"

/* Zeroes: there is no file. */
static struct credentials look(const struct account_config *account)
{
	struct credentials now = { 0 };
	struct stat file;

	if (account->password_file == NULL ||
	    stat(account->password_file, &file) != 0)
		return now;
	now.device = file.st_dev;
	now.inode = file.st_ino;
	now.size = file.st_size;
	now.modified = file.st_mtim;
	now.changed = file.st_ctim;
	return now;
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same(const struct credentials *a, const struct credentials *b)
{
	return a->device == b->device && a->inode == b->inode &&
	       a->size == b->size && same_time(a->modified, b->modified) &&
	       same_time(a->changed, b->changed);
}

/* Looked at before it is read: what is written in between is seen later. */
void credentials_read(struct credentials *credentials,
                      struct account_config *account)
{
	const char *error = NULL;

	*credentials = look(account);
	if (!account_reload_password(account, &error))
		log_event(LOG_WARN, EVENT_CONFIG_ERROR,
		          F_STR("account", account->name),
		          F_STR("error", error),
		          F_STR("fix", "the password read before stays in use"));
}

static bool is_another(const char *before, const char *now)
{
	return before == NULL ? now != NULL
	                      : now == NULL || strcmp(before, now) != 0;
}

bool credentials_changed(struct credentials *credentials,
                         struct account_config *account)
{
	struct credentials now = look(account);
	const char *error = NULL;
	char *before;
	bool changed;

	if (now.inode == 0 || same(credentials, &now))
		return false;
	before = xstrdup(account->password);
	changed = account_reload_password(account, &error) &&
	          is_another(before, account->password);
	xfree_secret(&before);
	*credentials = now;
	return changed;
}
