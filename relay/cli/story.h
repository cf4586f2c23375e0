/* story -- all that is known of one message, for a person to read. */
#ifndef RELAY_CLI_STORY_H
#define RELAY_CLI_STORY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct client;

/* story: as /api/v1/messages/ID has it.  now_s: seconds since 1970. */
void story_print(json_t *story, int64_t now_s);
/* Asks for the story of that id and prints it; an exit code. */
int story_tell(struct client *client, const char *id, bool json);

#endif
