/* story -- all that is known of one message, for a person to read. */
#ifndef RELAY_CLI_STORY_H
#define RELAY_CLI_STORY_H

#include <jansson.h>
#include <stdint.h>

/* story: as /api/v1/messages/ID has it.  now_s: seconds since 1970. */
void story_print(json_t *story, int64_t now_s);

#endif
