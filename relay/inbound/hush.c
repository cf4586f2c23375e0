#include "relay/inbound/hush.h"

static bool is_of(const struct hush_entry *entry, const struct address *client,
                  unsigned kind)
{
	return entry->used && entry->kind == kind &&
	       address_same_host(&entry->client, client);
}

/* Its own, or one that is free, or NULL. */
static struct hush_entry *find(struct hush *hush, const struct address *client,
                               unsigned kind)
{
	struct hush_entry *unused = NULL;
	size_t i;

	for (i = 0; i < HUSH_MAX; i++) {
		struct hush_entry *entry = &hush->entries[i];

		if (is_of(entry, client, kind))
			return entry;
		if (!entry->used)
			unused = entry;
	}
	return unused;
}

bool hush_first(struct hush *hush, const struct address *client, unsigned kind)
{
	struct hush_entry *entry = find(hush, client, kind);

	if (entry == NULL) {
		hush->rest[kind]++;
		return false;
	}
	if (entry->used) {
		entry->more++;
		return false;
	}
	*entry = (struct hush_entry){ true, *client, kind, 0 };
	return true;
}

bool hush_sweep(struct hush *hush,
                void (*tell)(void *ctx, const struct address *client,
                             unsigned kind, uint64_t more),
                void *ctx)
{
	bool left = false;
	size_t i;

	for (i = 0; i < HUSH_MAX; i++) {
		struct hush_entry *entry = &hush->entries[i];

		if (entry->used && entry->more > 0)
			tell(ctx, &entry->client, entry->kind, entry->more);
		entry->used = entry->used && entry->more > 0;
		entry->more = 0;
		left = left || entry->used;
	}
	for (i = 0; i < HUSH_KINDS; i++) {
		if (hush->rest[i] > 0)
			tell(ctx, NULL, (unsigned)i, hush->rest[i]);
		hush->rest[i] = 0;
	}
	return left;
}
