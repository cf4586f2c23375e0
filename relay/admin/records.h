/*
 * records -- answers from the database, with a reader of their own: in a
 * thread of the API beside the running server, and in a command without one.
 *
 * request->config and ->spool say where; ->live has what the running server
 * adds (desk_status()), or is NULL.  Each answers its request, with 503 when
 * the database cannot be read.
 */
#ifndef RELAY_ADMIN_RECORDS_H
#define RELAY_ADMIN_RECORDS_H

#include "relay/admin/request.h"
#include "relay/queue/envelope.h"

void records_status(struct request *request);
void records_accounts(struct request *request);
void records_queue(struct request *request);   /* limit */
void records_history(struct request *request); /* since status from to client
                                                  id limit */
void records_message(struct request *request); /* subject: id */
void records_explain(struct request *request); /* reply provider */

/* The id in text; false: it is none, and the request is answered. */
bool records_read_id(struct request *request, const char *text,
                     message_id *id_r);

#endif
