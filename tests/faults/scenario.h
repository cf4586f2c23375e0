/*
 * scenario -- a day of a store in a fifth of a second, on a disk that may fail
 * it, and the check of what is left.
 *
 * The process that acts it out writes into shared memory what it was promised;
 * another one opens the folder afterwards and holds the store to it.
 */
#ifndef TESTS_FAULTS_SCENARIO_H
#define TESTS_FAULTS_SCENARIO_H

#include <stdbool.h>
#include "relay/queue/envelope.h"
#include "tests/faults/disk.h"

enum { PROMISES_MAX = 128 };

struct promise {
	message_id id;
	unsigned number; /* of the envelope */
	unsigned first;  /* the one that it shares its body with, or its own */
	size_t len;      /* scene_bytes(first, len) */
	bool accepted; /* a done said durable */
	bool delivery_asked, delivery_kept;
	bool deferral_asked, deferral_kept;
};

struct promises {
	unsigned n;
	bool opened;         /* the store was */
	unsigned operations; /* all that there were */
	unsigned broken;     /* what the check found wrong */
	struct promise of[PROMISES_MAX];
};

/* Shared between this process and its children. */
struct promises *promises_new(void);

/* In a process of its own, in a folder to be made under a path without links
 * or dots.  Returns how it ended: DISK_CUT_STATUS, or 0 when the plan never
 * came to it. */
int scenario_act(const char *folder, const struct disk_plan *plan,
		 struct promises *promises, void (*act)(struct promises *));
/* Likewise; whatever is wrong is printed and counted in promises->broken.
 * may_lose_refused: a message that was refused may have left a row without its
 * body. */
void scenario_check(const char *folder, struct promises *promises,
		    bool may_lose_refused);

/* Two starts; mail small and large, at once and one by one, delivered,
 * deferred, purged and given up. */
void act_everything(struct promises *promises);
/* One start; enough mail for the log to be moved to the database twice. */
void act_checkpoints(struct promises *promises);

#endif
