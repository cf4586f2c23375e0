/* Whatever is pasted becomes a query within its bounds, and finds an entry; so
 * does what a server says.  The first byte chooses what else is known. */
#include <stdlib.h>
#include <string.h>

#include "relay/config/provider.h"
#include "relay/report/catalogue.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct catalogue *catalogue;

static void look_up(const struct catalogue_query *query)
{
	const struct catalogue_entry *entry = catalogue_find(catalogue, query);
	const struct catalogue_entry *matched =
		catalogue_match(catalogue, query);

	must(entry != NULL && entry->title != NULL && entry->fix != NULL);
	must(matched == NULL || matched == entry);
	must(catalogue_by_id(catalogue, entry->id) == entry);
}

static void paste(struct text text, enum catalogue_stage stage,
                  const char *provider)
{
	struct buf words = BUF_INIT(1 << 20);
	struct catalogue_query query;

	if (catalogue_query_parse(text, &words, &query)) {
		must(query.text.len <= text.len);
		must(query.code == 0 || query.code == 4 || query.code == 5 ||
		     query.code == 2 || (query.code >= 100 && query.code < 600));
		look_up(&query);
		query.stage = stage;
		query.provider = provider;
		look_up(&query);
	}
	buf_free(&words);
}

/* As the engine hears it, on a connection. */
static void hear(struct text text, enum catalogue_stage stage,
                 const char *provider)
{
	static const int codes[] = { 535, 550, 451, CATALOGUE_LOCAL };
	struct catalogue_query query = { provider, stage, 0, { 0 }, text };
	size_t i;

	for (i = 0; i < sizeof codes / sizeof *codes; i++) {
		query.code = codes[i];
		look_up(&query);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct provider *provider;
	enum catalogue_stage stage;
	struct text text;
	char *error = NULL;

	if (catalogue == NULL)
		catalogue = catalogue_load(NULL, NULL, &error);
	if (size == 0)
		return 0;
	stage = (enum catalogue_stage)(data[0] % (CATALOGUE_STAGE_GRAPH + 1));
	provider = providers_at(providers_builtin(), data[0] / 8);
	text = text_make((const char *)data + 1, size - 1);
	paste(text, stage, provider ? provider->name : NULL);
	hear(text, stage, provider ? provider->name : NULL);
	return 0;
}
