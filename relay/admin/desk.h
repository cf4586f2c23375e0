/*
 * desk -- where the running server answers: on the loop, by asking its parts.
 *
 * Each question of the API that is about more than the database has a function
 * here; it ends with request->done(), at once or when the disk has answered.
 */
#ifndef RELAY_ADMIN_DESK_H
#define RELAY_ADMIN_DESK_H

#include "relay/admin/request.h"
#include "relay/services.h"

struct pools;

struct desk_settings {
	struct services *services;
	struct pools *pools;
	/* What only the composition root knows, and health asks for. */
	size_t (*listeners)(void *ctx);   /* that are open */
	void *ctx;
};

struct desk;
struct desk *desk_new(const struct desk_settings *settings);
void desk_free(struct desk **desk);

/* One more reference to the configuration in force. */
struct config *desk_config(struct desk *desk);

void desk_alive(struct desk *desk, struct request *request);
/* 503 when it is failing. */
void desk_health(struct desk *desk, struct request *request);
/* Not answered, but made ready for records.h: ->live has version, uptime_ms,
 * health and accounts. */
void desk_status(struct desk *desk, struct request *request);

/* subject: the id of a message */
void desk_retry(struct desk *desk, struct request *request);
void desk_hold(struct desk *desk, struct request *request);
void desk_release(struct desk *desk, struct request *request);
void desk_delete(struct desk *desk, struct request *request);
void desk_retry_all(struct desk *desk, struct request *request);

/* subject: the name of an account */
void desk_pause(struct desk *desk, struct request *request);
void desk_resume(struct desk *desk, struct request *request);

#endif
