/*
 * client -- a command's questions to the API (admin/api.h): of the server that
 * runs on the configured spool, and where none does, of the database.
 *
 *     client_open -> client_get or client_post -> client_close
 *
 * An answer is JSON that stays valid until the next question.  What goes wrong
 * is said on standard error by client_get() and client_post(), which return an
 * exit code: EX_OK, EX_USAGE for a question that is wrong, EX_UNAVAILABLE for
 * one that has no answer.
 */
#ifndef RELAY_CLI_CLIENT_H
#define RELAY_CLI_CLIENT_H

#include <jansson.h>
#include "relay/cli/cmd.h"

struct client;

/* command: for complaints.  NULL: there is no configuration, which was said;
 * EX_CONFIG. */
struct client *client_open(struct cli *cli, const char *command);
void client_close(struct client **client);

/* An argument of the next question; value NULL: none. */
void client_argument(struct client *client, const char *name,
                     const char *value);
/* path: one of the API's, with subject (may be NULL) for its star. */
int client_get(struct client *client, const char *path, const char *subject,
               json_t **answer_r);
/* Only a running server does what is asked here. */
int client_post(struct client *client, const char *path, const char *subject,
                json_t **answer_r);
/* Whether it was the server that answered last. */
bool client_has_server(const struct client *client);
/* Say nothing on standard error. */
void client_be_quiet(struct client *client);

#endif
