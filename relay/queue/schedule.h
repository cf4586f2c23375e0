/*
 * schedule -- when a message is tried again, and when it is given up.
 *
 * Pure: the configuration's waits, the number of attempts and chance go in.
 * The last wait repeats; each has a jitter of ten percent either way, so that
 * what was deferred together does not come back together.
 */
#ifndef RELAY_QUEUE_SCHEDULE_H
#define RELAY_QUEUE_SCHEDULE_H

#include <stdint.h>
#include "relay/config/config.h"

/* Milliseconds to wait after the attempt that was the attempts-th. */
int64_t schedule_wait(const struct duration_list *retry, unsigned attempts,
                      uint32_t random);

#endif
