/* Preloaded: the wall clock of a process is off by as many seconds as stand in
 * the file that CLOCK_SHIM names, from the moment they are written there.  The
 * monotonic clock goes on as it does.  Certificates are looked at by time(),
 * which is right unless CLOCK_SHIM_TIME is set. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long offset(void)
{
	const char *path = getenv("CLOCK_SHIM");
	char text[32] = "";
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof text - 1) < 0)
		text[0] = '\0';
	close(fd);
	return atol(text);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	int code = (int)syscall(SYS_clock_gettime, clock, now);

	if (code == 0 && clock == CLOCK_REALTIME)
		now->tv_sec += offset();
	return code;
}

time_t time(time_t *now_r)
{
	struct timespec now;

	syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
	if (getenv("CLOCK_SHIM_TIME"))
		now.tv_sec += offset();
	if (now_r)
		*now_r = now.tv_sec;
	return now.tv_sec;
}
