/*
 * disk -- a disk that loses its power, or fails, at a chosen operation.
 *
 * What the code under test does to files below one folder passes here: the
 * calls of relay/ because the program is linked with --wrap for them, those of
 * SQLite through shim_vfs.  Each operation has a number.  Writes are really
 * made, and what they replaced is remembered until a sync of the file makes
 * them last; names that are made or removed last with a sync of their folder.
 * A sync that fails is as Linux has it: what was written before it is lost,
 * however many syncs succeed later, unless it is written again; and likewise
 * the names in bodies/.
 */
#ifndef TESTS_FAULTS_DISK_H
#define TESTS_FAULTS_DISK_H

#include <stdbool.h>
#include <stdint.h>

enum disk_cut {
	DISK_KEEPS, /* all that was written: the process was killed */
	DISK_LOSES, /* all that was not synced: the power was cut */
	DISK_TEARS, /* some of it, by chance */
};

struct disk_plan {
	enum disk_cut cut;
	unsigned cut_at;    /* before this operation; 0: never */
	unsigned fail_from; /* these many operations from here fail; */
	unsigned fail_count;
	int fail_errno;  /* with this, */
	bool only_syncs; /* the syncs of them alone */
	bool no_links;   /* a file has one name */
	uint32_t seed;   /* of chance, not 0 */
};

enum { DISK_CUT_STATUS = 77 }; /* of the process, when the plan ended it */

/* For the rest of the process. */
void disk_begin(const char *folder, const struct disk_plan *plan);
unsigned disk_operations(void); /* so far */
/* End the process as the plan says, now. */
void disk_cut_now(void) __attribute__((noreturn));

#endif
