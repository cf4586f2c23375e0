/* control_private -- what control.c (the loop's side) and control_visit.c (the
 * side of libmicrohttpd's threads) share. */
#ifndef RELAY_ADMIN_CONTROL_PRIVATE_H
#define RELAY_ADMIN_CONTROL_PRIVATE_H

#include <microhttpd.h>
#include <pthread.h>
#include <sys/queue.h>
#include "relay/admin/api.h"
#include "relay/admin/control.h"

/* A request on its way; one of the lists of struct control, or none, has it. */
struct visit {
	struct request request;    /* must be first */
	struct control *control;
	struct MHD_Connection *connection;
	bool posted;
	size_t body;               /* octets that came and were thrown away */
	TAILQ_ENTRY(visit) link;
};

TAILQ_HEAD(visit_list, visit);

struct control {
	struct control_settings settings;
	struct notifier *notifier;
	struct MHD_Daemon *daemon;
	struct visit_list asked;   /* the loop's own */
	pthread_mutex_t lock;
	pthread_cond_t sent;
	/* under the lock */
	struct visit_list posted, returned;
	unsigned owed;             /* posted and not yet returned */
	bool closing;
};

/* ---- control.c ---- */

/* From a thread of libmicrohttpd, its connection suspended.  False: closing,
 * and nothing is done. */
bool control_post(struct control *control, struct visit *visit);
void control_return(struct control *control, struct visit *visit);

/* ---- control_visit.c ---- */

enum MHD_Result visit_access(void *control, struct MHD_Connection *connection,
                             const char *url, const char *method,
                             const char *version, const char *upload,
                             size_t *upload_size, void **visit);
void visit_completed(void *control, struct MHD_Connection *connection,
                     void **visit, enum MHD_RequestTerminationCode code);
void visit_free(struct visit *visit);

#endif
