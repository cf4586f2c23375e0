#include "relay/config/provider_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/xalloc.h"
#include "relay/config/config_folder.h"
#include "relay/config/nearest.h"

extern const char conf_providers_ini[];

/* What is compiled in is tested: what is wrong with it is our fault. */
static struct providers *read_builtin(void)
{
	struct providers *providers = xcalloc(1, sizeof(*providers));
	char *error = NULL;

	if (providers_add(providers, text_of(conf_providers_ini), NULL, &error))
		return providers;
	fprintf(stderr, "lanpost: the built-in presets are broken: %s\n", error);
	abort();
}

static struct providers *builtin(void)
{
	static struct providers *providers;

	if (!providers) {
		providers = read_builtin();
		providers->is_shared = true;
	}
	return providers;
}

const struct providers *providers_builtin(void)
{
	return builtin();
}

char *providers_folder(const char *config_path)
{
	return config_folder_beside(config_path, "providers.d");
}

static bool add_file(void *ctx, struct text bytes, const char *path,
		     char **error_r)
{
	return providers_add(ctx, bytes, path, error_r);
}

struct providers *providers_load(const char *folder, char **error_r)
{
	struct providers *providers;

	*error_r = NULL;
	if (!folder || config_folder_is_empty(folder))
		return builtin();
	providers = read_builtin();
	if (!config_folder_read(folder, add_file, providers, error_r))
		providers_free(&providers);
	return providers;
}

void providers_free(struct providers **providers)
{
	struct providers *list = *providers;

	*providers = NULL;
	if (!list || list->is_shared)
		return;
	for (size_t i = 0; i < list->n; i++)
		provider_free(list->list[i]);
	free(list->list);
	free(list);
}

const struct provider *providers_at(const struct providers *providers,
				    size_t index)
{
	return index < providers->n ? providers->list[index] : NULL;
}

const struct provider *providers_find(const struct providers *providers,
				      const char *name)
{
	for (size_t i = 0; i < providers->n; i++) {
		if (text_is(text_of(name), providers->list[i]->name))
			return providers->list[i];
	}
	return NULL;
}

static bool is_host_of(const struct provider *provider, struct text host)
{
	struct text rest = text_of(provider->other_hosts), pattern;

	if (text_is(host, provider->host))
		return true;
	while (text_token(&rest, ',', &pattern)) {
		if (text_glob(text_trim(pattern), host))
			return true;
	}
	return false;
}

const struct provider *providers_of_host(const struct providers *providers,
					 const char *host)
{
	for (size_t i = 0; i < providers->n; i++) {
		if (is_host_of(providers->list[i], text_of(host)))
			return providers->list[i];
	}
	return NULL;
}

const char *providers_nearest(const struct providers *providers,
			      const char *name)
{
	struct nearest nearest;

	nearest_begin(&nearest, text_of(name));
	for (size_t i = 0; i < providers->n; i++)
		nearest_try(&nearest, providers->list[i]->name);
	return nearest.best;
}

bool provider_is_certain(const struct provider *provider, const char *key)
{
	struct text rest = text_of(provider->uncertain), word;

	while (text_token(&rest, ',', &word)) {
		if (text_is(text_trim(word), key))
			return false;
	}
	return true;
}

const char *provider_source(const struct provider *provider, const char *key)
{
	for (size_t i = provider->n_changes; i > 0; i--) {
		if (strcmp(provider->changes[i - 1].key, key) == 0)
			return provider->changes[i - 1].where;
	}
	if (provider->page)
		return provider->page;
	return provider->file ? provider->file : "built in";
}
