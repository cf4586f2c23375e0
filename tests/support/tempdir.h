/*
 * tempdir -- a directory for one test program, gone when it ends well.
 */
#ifndef TESTS_SUPPORT_TEMPDIR_H
#define TESTS_SUPPORT_TEMPDIR_H

/* Make it below TMPDIR, or /tmp; ends the process where that fails. */
void tempdir_make(void);
/* "name" inside it; valid for the next fifteen calls. */
const char *tempdir_path(const char *name);
void tempdir_write(const char *name, const char *contents);
void tempdir_remove(void); /* with all that is in it */

#endif
