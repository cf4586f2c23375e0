/*
 * provider_private -- between provider.c, which keeps the presets, and
 * provider_read.c, which reads them.
 *
 * What fails says why in a sentence that the caller frees.
 */
#ifndef RELAY_CONFIG_PROVIDER_PRIVATE_H
#define RELAY_CONFIG_PROVIDER_PRIVATE_H

#include "relay/config/provider.h"

struct providers {
	struct provider **list;
	size_t n;
	bool is_shared; /* compiled in, and nobody's */
};

/* The presets of one file; NULL: it is the one that is compiled in. */
bool providers_add(struct providers *providers, struct text bytes,
                   const char *file, char **error_r);
void provider_free(struct provider *provider);

#endif
