/*
 * health_facts -- the facts of a running server for report/health.h, and the
 * alarm when they turn bad.
 */
#ifndef RELAY_HEALTH_FACTS_H
#define RELAY_HEALTH_FACTS_H

#include "relay/outbound/pools.h"
#include "relay/report/health.h"

/* How it is now; clear the report afterwards (health_clear()). */
void health_now(const struct services *services, struct pools *pools,
                size_t listeners, struct health_report *report_r);

/* What has been raised; zero bytes: nothing. */
struct health_watch {
	bool disk_low, queue_old;
};

/* Now and then: raises disk-low, disk-ok, queue-old and queue-ok, once each
 * time it changes.  disk_why, disk_fix: while there is no room, else NULL. */
void health_watch(struct health_watch *watch, const struct services *services,
                  const char *disk_why, const char *disk_fix);

#endif
