/*
 * pool_internal -- what the files of a pool share; for them alone.
 *
 *   pool_setup.c       a configuration in use, and what differs between two
 *   pool_work.c        lists of deliveries: preparing, prepared, running
 *   pool_throttle.c      no faster than the budget allows
 *   pool_connection.c  connections: made, lost, retired
 *   pool_turn.c        the turn: which of the three things is done next
 *   pool.c             life, outages, status
 */
#ifndef RELAY_OUTBOUND_POOL_INTERNAL_H
#define RELAY_OUTBOUND_POOL_INTERNAL_H

#include <sys/queue.h>

#include "relay/outbound/allowance.h"
#include "relay/outbound/credentials.h"
#include "relay/outbound/delivery.h"
#include "relay/outbound/outage.h"
#include "relay/outbound/pool.h"
#include "relay/outbound/upstream.h"

/* ---- pool_setup.c ---- */

/* Connections made under it keep it. */
struct setup {
	struct config *config;
	const struct account_config *account;
	struct tls_context *tls;
	unsigned refs;
};

/* NULL with a sentence. */
struct setup *setup_new(struct config *config, const char *account,
                        const char **error_r);
struct setup *setup_ref(struct setup *setup);
void setup_unref(struct setup **setup);

/* ---- pool_work.c ---- */

/* A delivery is PREPARING, PREPARED or RUNNING: its list says which. */
struct work {
	struct pool *pool;
	struct delivery *delivery;
	struct ticket ticket;   /* what it takes of the budget */
	struct work_list *list;
	TAILQ_ENTRY(work) link;
};

TAILQ_HEAD(work_links, work);
struct work_list {
	struct work_links works;
	size_t n;
};

void work_list_init(struct work_list *list);
void work_list_free(struct work_list *list); /* what is in it */
struct work *work_list_first(const struct work_list *list);
void work_move(struct work *work, struct work_list *list, bool in_front);
void work_leave(struct work *work);          /* its list, if it is in one */
void work_free(struct work *work);
/* Begins the next message of the queue, if there is one and it may go. */
bool work_prepare(struct pool *pool);
/* What has been prepared goes back to the queue. */
void work_put_back(struct pool *pool);

/* ---- pool_throttle.c ---- */

/* How the account's budget holds mail up. */
struct throttle {
	struct allowance_watch watch;
	struct allowance *allowance;
	struct timer *timer;    /* until there is budget again */
	bool waits;             /* the message whose turn it is */
	struct allowance_wait wait;
	uint64_t until;         /* monotonic */
	uint64_t since;         /* 0: nothing is held up */
	enum budget_limit told; /* of which the log has heard meanwhile */
};

void throttle_init(struct pool *pool);
void throttle_end(struct pool *pool);
/* Under another configuration. */
void throttle_review(struct pool *pool);
/* May the message go whose turn it is?  With a ticket for its share. */
bool throttle_allows(struct pool *pool, struct message *message,
                     struct ticket *ticket_r);
/* Nothing waits any longer. */
void throttle_rest(struct pool *pool);
/* The provider throttles. */
void throttle_slow_down(struct pool *pool);
size_t throttle_connections(const struct pool *pool);
void throttle_status(const struct pool *pool, struct account_status *status);

/* ---- pool_connection.c ---- */

struct connection {
	struct pool *pool;
	struct setup *setup;
	struct upstream *upstream;
	bool worn;              /* made under an older configuration, or the
	                           account is held */
	unsigned outage;        /* number of the last one when it was made */
	TAILQ_ENTRY(connection) link;
};

TAILQ_HEAD(connection_list, connection);

void connection_open(struct pool *pool);
void connection_free(struct connection *connection);
/* One that takes a message now, the last used first; NULL: none. */
struct connection *connection_with_room(const struct pool *pool);
size_t connections_fresh(const struct pool *pool); /* not worn */
/* Idle ones are closed, busy ones finish what they have. */
void connections_retire(struct pool *pool);

/* ---- the pool ---- */

struct pool {
	struct services *services;
	char *name;
	struct setup *setup;
	struct setup *staged;   /* the next one, until it is committed */
	struct address hint;
	struct outage outage;
	struct throttle throttle;
	struct timer *timer;    /* until the next probe */
	struct timer *watch;    /* looks around while an outage lasts */
	struct credentials credentials; /* as they were read last */
	struct connection_list connections; /* the last used first */
	size_t n_connections, n_connecting;
	size_t ramp;            /* so many connections are enough for now */
	struct work_list preparing, prepared, running;
	bool proven;            /* a login has succeeded under this setup */
	bool dispatching, again, draining, retired;
	uint64_t delivered, failed;
	int64_t last_success_ms;
	void (*on_idle)(void *ctx);
	void *idle_ctx;
};

/* pool_turn.c: as much as goes now. */
void pool_dispatch(struct pool *pool);

/* pool.c */

void pool_meet_trouble(struct pool *pool, const struct disposition *disposition,
                       const char *reply, bool behind_login);
void pool_end_outage(struct pool *pool);
/* Devices that wait for a verdict on their mail. */
void pool_tell_devices(struct pool *pool);
/* What waits, in the queue and here. */
size_t pool_waiting(const struct pool *pool);
void pool_check_idle(struct pool *pool);

#endif
