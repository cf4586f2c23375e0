#include "relay/inbound/client_pace.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "proto/xalloc.h"
#include "relay/policy/window.h"

enum {
	BUCKETS = 1024,
	SLOT_MS = 1000,
	SLOTS = 60,
	MINUTE_MS = 60000,
	ADDRESS_BITS = 128,  /* of either family: the whole address */
};

struct client_record {
	struct address address; /* of a network: its first */
	unsigned prefix;        /* ADDRESS_BITS, CLIENT_PACE_PREFIX; 0: of all
	                           who found no place */
	unsigned reserved;
	struct window window;
	LIST_ENTRY(client_record) bucket;
	TAILQ_ENTRY(client_record) age;
};

struct client_pace {
	LIST_HEAD(, client_record) buckets[BUCKETS];
	TAILQ_HEAD(ages, client_record) ages; /* longest unused first */
	size_t n;
};

struct client_pace *client_pace_new(void)
{
	struct client_pace *pace = xcalloc(1, sizeof *pace);

	TAILQ_INIT(&pace->ages);
	return pace;
}

/* ---- records ---- */

/* FNV-1a over what names the network.  Neighbours in an IPv6 network meet in
 * one bucket; there are CLIENT_PACE_HOSTS of them and one. */
static size_t bucket_of(const struct address *address)
{
	size_t i, n = address->is_v6 ? CLIENT_PACE_PREFIX / 8 : 4;
	uint32_t hash = 2166136261u;

	for (i = 0; i < n; i++)
		hash = (hash ^ address->bytes[i]) * 16777619u;
	return hash % BUCKETS;
}

static bool same_network(const struct address *a, const struct address *b)
{
	return a->is_v6 && b->is_v6 && a->scope == b->scope &&
	       memcmp(a->bytes, b->bytes, CLIENT_PACE_PREFIX / 8) == 0;
}

static struct client_record *find(struct client_pace *pace,
                                  const struct address *address,
                                  unsigned prefix)
{
	struct client_record *record;

	LIST_FOREACH(record, &pace->buckets[bucket_of(address)], bucket) {
		if (record->prefix == prefix &&
		    address_same_host(&record->address, address))
			return record;
	}
	return NULL;
}

static struct client_record *add(struct client_pace *pace,
                                 const struct address *address, unsigned prefix)
{
	struct client_record *record = xcalloc(1, sizeof *record);

	record->address = *address;
	record->prefix = prefix;
	window_init(&record->window, SLOT_MS, SLOTS);
	LIST_INSERT_HEAD(&pace->buckets[bucket_of(address)], record, bucket);
	TAILQ_INSERT_TAIL(&pace->ages, record, age);
	pace->n++;
	return record;
}

static void drop(struct client_pace *pace, struct client_record *record)
{
	LIST_REMOVE(record, bucket);
	TAILQ_REMOVE(&pace->ages, record, age);
	window_clear(&record->window);
	free(record);
	pace->n--;
}

static bool is_idle(struct client_record *record, uint64_t now_ms)
{
	return record->reserved == 0 &&
	       window_used(&record->window, now_ms) == 0;
}

/* One that is reserved may be old, and keeps nobody else. */
static void forget_idle(struct client_pace *pace, uint64_t now_ms)
{
	struct client_record *record = TAILQ_FIRST(&pace->ages), *next;

	while (record != NULL &&
	       (record->reserved > 0 || is_idle(record, now_ms))) {
		next = TAILQ_NEXT(record, age);
		if (record->reserved == 0)
			drop(pace, record);
		record = next;
	}
}

void client_pace_free(struct client_pace **pace)
{
	if (*pace == NULL)
		return;
	while (!TAILQ_EMPTY(&(*pace)->ages))
		drop(*pace, TAILQ_FIRST(&(*pace)->ages));
	free(*pace);
	*pace = NULL;
}

/* ---- who counts as whom ---- */

static size_t neighbours(struct client_pace *pace,
                         const struct address *address)
{
	struct client_record *record;
	size_t n = 0;

	LIST_FOREACH(record, &pace->buckets[bucket_of(address)], bucket)
		n += same_network(&record->address, address);
	return n;
}

/* Its own, or where there is no room for it, that of all the others. */
static struct client_record *find_or_add(struct client_pace *pace,
                                         const struct address *address,
                                         unsigned prefix)
{
	static const struct address anybody = { 0 };
	struct client_record *record = find(pace, address, prefix);

	if (record == NULL && pace->n < CLIENT_PACE_MAX - 1)
		return add(pace, address, prefix);
	if (record == NULL)
		record = find(pace, &anybody, 0);
	return record != NULL ? record : add(pace, &anybody, 0);
}

static struct client_record *record_of(struct client_pace *pace,
                                       const struct address *address)
{
	struct client_record *record = find(pace, address, ADDRESS_BITS);
	size_t prefix = CLIENT_PACE_PREFIX / 8;
	struct address network = *address;

	if (record != NULL)
		return record;
	if (!address->is_v6 || neighbours(pace, address) < CLIENT_PACE_HOSTS)
		return find_or_add(pace, address, ADDRESS_BITS);
	memset(network.bytes + prefix, 0, sizeof network.bytes - prefix);
	return find_or_add(pace, &network, CLIENT_PACE_PREFIX);
}

/* ---- messages ---- */

static uint64_t wait_of(struct client_record *record, unsigned limit,
                        uint64_t now_ms)
{
	if (record->reserved >= limit)
		return MINUTE_MS;
	return window_wait(&record->window, limit - record->reserved - 1,
	                   now_ms);
}

uint64_t client_pace_reserve(struct client_pace *pace,
                             const struct address *client, unsigned limit,
                             uint64_t now_ms, struct client_hold *hold_r)
{
	struct client_record *record;
	uint64_t wait;

	*hold_r = (struct client_hold){ NULL, NULL };
	forget_idle(pace, now_ms);
	record = record_of(pace, client);
	wait = wait_of(record, limit, now_ms);
	if (wait > 0)
		return wait;
	record->reserved++;
	*hold_r = (struct client_hold){ pace, record };
	return 0;
}

void client_pace_count(struct client_hold *hold, uint64_t now_ms)
{
	struct client_record *record = hold->record;

	if (record == NULL)
		return;
	record->reserved--;
	window_add(&record->window, 1, now_ms);
	TAILQ_REMOVE(&hold->pace->ages, record, age);
	TAILQ_INSERT_TAIL(&hold->pace->ages, record, age);
	*hold = (struct client_hold){ NULL, NULL };
}

/* Its record goes when it is the oldest and idle. */
void client_pace_give_back(struct client_hold *hold)
{
	if (hold->record != NULL)
		hold->record->reserved--;
	*hold = (struct client_hold){ NULL, NULL };
}

size_t client_pace_clients(const struct client_pace *pace)
{
	return pace->n;
}
