#include "relay/process.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

void process_harden(void)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
}

size_t process_raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 1024;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	getrlimit(RLIMIT_NOFILE, &limit);
	return (size_t)limit.rlim_cur;
}

bool process_is_root(void)
{
	return geteuid() == 0;
}

static bool failed(const char **error_r, const char *what, const char *user)
{
	static char sentence[300];

	snprintf(sentence, sizeof sentence, "%s \"%s\": %s", what, user,
	         errno != 0 ? strerror(errno) : "there is no such user");
	*error_r = sentence;
	return false;
}

bool process_become(const char *user, const char *folder, const char **error_r)
{
	struct passwd *entry;

	errno = 0;
	entry = getpwnam(user);
	if (entry == NULL)
		return failed(error_r, "cannot become user", user);
	if (geteuid() == entry->pw_uid)
		return true;
	if (folder != NULL && mkdir(folder, 0700) == 0 &&
	    chown(folder, entry->pw_uid, entry->pw_gid) != 0)
		return failed(error_r, "cannot give the spool to user", user);
	if (initgroups(user, entry->pw_gid) != 0 ||
	    setgid(entry->pw_gid) != 0 || setuid(entry->pw_uid) != 0)
		return failed(error_r, "cannot become user", user);
	prctl(PR_SET_DUMPABLE, 0); /* setuid has reset it */
	return true;
}

void process_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t len = path == NULL ? 0 : strlen(path);
	int fd;

	if (len == 0 || len >= sizeof address.sun_path)
		return;
	memcpy(address.sun_path, path, len);
	if (address.sun_path[0] == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	sendto(fd, state, strlen(state), MSG_NOSIGNAL,
	       (struct sockaddr *)&address,
	       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	close(fd);
}
