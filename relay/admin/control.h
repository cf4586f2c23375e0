/*
 * control -- the HTTP API of the running server, on SPOOL/control.sock.
 *
 * Who may use it: whoever may open the socket, that is the owner of the spool
 * (whose folder nobody else may enter) and root.
 *
 * libmicrohttpd runs in threads of its own, a few, so that one long search
 * holds nobody up.  No thread waits for another: a request is read, put aside
 * and posted to the loop; when the loop has done its part (api.h) it is taken
 * up again, reads the database if it has to, and is answered.
 *
 *     READING --> POSTED --loop--> ASKED --done--> ANSWERED --sent--> RETURNED
 *
 * RETURNED requests go back to the loop, which gives their configuration back.
 * Requests are bounded in size, connections in number and in silence.
 */
#ifndef RELAY_ADMIN_CONTROL_H
#define RELAY_ADMIN_CONTROL_H

#include <stdbool.h>

struct desk;
struct loop;

#define CONTROL_SOCKET "control.sock"

struct control;

struct control_settings {
	struct loop *loop;
	struct desk *desk;       /* answers what is asked on the loop */
	const char *spool;       /* folder; its lock is held */
};

/* As the user who stays.  NULL with a sentence in *error_r. */
struct control *control_open(const struct control_settings *settings,
                             const char **error_r);
/* On the loop: what is open is answered 503, the threads end, the socket's
 * file goes.  The desk is asked no more; of what it has under way it may not
 * tell any longer, so its parts must not call back either. */
void control_close(struct control **control);

#endif
