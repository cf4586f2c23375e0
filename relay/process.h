/*
 * process -- what lanpost asks of the system for itself: no core dumps with
 * secrets in them, enough descriptors, another user than root, and a word to
 * the service manager.
 */
#ifndef RELAY_PROCESS_H
#define RELAY_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

/* Core dumps off, and no reading of our memory by other processes. */
void process_harden(void);
/* Raise the soft limit of descriptors to the hard one; returns it. */
size_t process_raise_descriptors(void);
/* Become user for good; folder (may be NULL) is made and given to it first.
 * False with a sentence in *error_r. */
bool process_become(const char *user, const char *folder, const char **error_r);
bool process_is_root(void);
/* sd_notify(3): "READY=1", "RELOADING=1", "STOPPING=1", "STATUS=..."; nothing
 * happens without NOTIFY_SOCKET. */
void process_notify(const char *state);

#endif
