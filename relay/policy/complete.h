/*
 * complete -- addresses without a domain, as machines write them: "root",
 * "scanner", "postmaster".
 */
#ifndef RELAY_POLICY_COMPLETE_H
#define RELAY_POLICY_COMPLETE_H

#include "proto/text.h"

/* Is it a local part alone? */
bool address_lacks_domain(struct text address);
/* address@domain as a new string; NULL: it has a domain, or is none that could
 * be completed, or domain is empty. */
char *address_complete(struct text address, struct text domain);

#endif
