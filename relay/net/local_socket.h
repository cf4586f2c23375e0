/*
 * local_socket -- a Unix socket in a folder, however long the folder's path.
 *
 * An address of a Unix socket has room for some 100 octets only; where the
 * path is longer it leads through the open folder, /proc/self/fd/N.
 */
#ifndef RELAY_NET_LOCAL_SOCKET_H
#define RELAY_NET_LOCAL_SOCKET_H

#include <stdbool.h>
#include <sys/un.h>

struct local_path {
	char text[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int folder;             /* held open while the path is used */
};

/* False with errno set: the folder cannot be opened, or the name is too long
 * itself. */
bool local_path_open(struct local_path *path, const char *folder,
                     const char *name);
void local_path_close(struct local_path *path);

/* A listening socket, non-blocking, with that mode.  A socket that is there
 * already is replaced: the caller knows that nobody serves it.  -1 with a
 * sentence in *error_r, a buffer of the calling thread. */
int local_listen(const char *folder, const char *name, unsigned mode,
                 const char **error_r);
/* Take the name away. */
void local_unlink(const char *folder, const char *name);

#endif
