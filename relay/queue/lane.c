#include "relay/queue/lane.h"

#include <stdlib.h>
#include <string.h>

#include "proto/xalloc.h"

enum {
	BUCKETS = 256,    /* of the table of clients */
	SENDERS_MAX = 64  /* of a client; further ones share a turn */
};

TAILQ_HEAD(sender_ring, lane_sender);
TAILQ_HEAD(client_ring, lane_client);
TAILQ_HEAD(entry_list, lane_entry);

/* A ring has whose turn it is in front. */
struct lane_sender {
	struct lane_client *client;
	char *name;
	size_t hash;              /* of the name */
	struct heap entries;
	TAILQ_ENTRY(lane_sender) turn;
};

struct lane_client {
	char *name;
	struct sender_ring senders;
	struct lane_sender *others; /* NULL: nobody shares a turn */
	size_t n, n_senders;
	TAILQ_ENTRY(lane_client) turn;
	struct lane_client *same_bucket;
};

struct lane {
	struct client_ring clients;
	struct lane_client *buckets[BUCKETS];
	struct entry_list entries;
	size_t n, n_clients;
};

/* ---- clients ---- */

/* FNV-1a */
static size_t hash(const char *name)
{
	uint32_t sum = 2166136261u;

	for (; *name != '\0'; name++)
		sum = (sum ^ (unsigned char)*name) * 16777619u;
	return sum;
}

static struct lane_client *find_client(const struct lane *lane,
                                       const char *name)
{
	struct lane_client *client = lane->buckets[hash(name) % BUCKETS];

	while (client != NULL && strcmp(client->name, name) != 0)
		client = client->same_bucket;
	return client;
}

/* Who comes anew waits for one turn of everybody who is there. */
static struct lane_client *client_of(struct lane *lane, const char *name)
{
	struct lane_client *client = find_client(lane, name);
	size_t bucket = hash(name) % BUCKETS;

	if (client != NULL)
		return client;
	client = xcalloc(1, sizeof *client);
	client->name = xstrdup(name);
	TAILQ_INIT(&client->senders);
	client->same_bucket = lane->buckets[bucket];
	lane->buckets[bucket] = client;
	TAILQ_INSERT_TAIL(&lane->clients, client, turn);
	lane->n_clients++;
	return client;
}

static void drop_client(struct lane *lane, struct lane_client *client)
{
	struct lane_client **at = &lane->buckets[hash(client->name) % BUCKETS];

	while (*at != client)
		at = &(*at)->same_bucket;
	*at = client->same_bucket;
	TAILQ_REMOVE(&lane->clients, client, turn);
	lane->n_clients--;
	free(client->name);
	free(client);
}

/* ---- senders ---- */

static struct lane_sender *find_sender(const struct lane_client *client,
                                       const char *name, size_t hash)
{
	struct lane_sender *sender;

	TAILQ_FOREACH(sender, &client->senders, turn) {
		if (sender->hash == hash && strcmp(sender->name, name) == 0)
			return sender;
	}
	return NULL;
}

static struct lane_sender *add_sender(struct lane_client *client,
                                      const char *name, size_t hash)
{
	struct lane_sender *sender = xcalloc(1, sizeof *sender);

	sender->client = client;
	sender->name = xstrdup(name);
	sender->hash = hash;
	TAILQ_INSERT_TAIL(&client->senders, sender, turn);
	client->n_senders++;
	return sender;
}

static struct lane_sender *others_of(struct lane_client *client)
{
	if (client->others == NULL)
		client->others = add_sender(client, "(others)", 0);
	return client->others;
}

static struct lane_sender *sender_of(struct lane_client *client,
                                     const char *name)
{
	size_t its = hash(name);
	struct lane_sender *sender = find_sender(client, name, its);

	if (sender != NULL)
		return sender;
	return client->n_senders >= SENDERS_MAX
	               ? others_of(client) : add_sender(client, name, its);
}

static void drop_sender(struct lane_sender *sender)
{
	sender->client->n_senders--;
	if (sender->client->others == sender)
		sender->client->others = NULL;
	TAILQ_REMOVE(&sender->client->senders, sender, turn);
	heap_free(&sender->entries);
	free(sender->name);
	free(sender);
}

static struct lane_entry *entry_of(struct heap_node *node)
{
	return (struct lane_entry *)((char *)node -
	                             offsetof(struct lane_entry, age));
}

/* ---- entries ---- */

void lane_add(struct lane *lane, struct lane_entry *entry, const char *client,
              const char *sender, uint64_t age)
{
	entry->sender = sender_of(client_of(lane, client), sender);
	entry->age.key = age;
	heap_push(&entry->sender->entries, &entry->age);
	entry->sender->client->n++;
	TAILQ_INSERT_TAIL(&lane->entries, entry, link);
	lane->n++;
}

void lane_remove(struct lane *lane, struct lane_entry *entry)
{
	struct lane_sender *sender = entry->sender;
	struct lane_client *client = sender->client;

	heap_remove(&sender->entries, &entry->age);
	TAILQ_REMOVE(&lane->entries, entry, link);
	entry->sender = NULL;
	lane->n--;
	client->n--;
	if (sender->entries.n == 0)
		drop_sender(sender);
	if (client->n == 0)
		drop_client(lane, client);
}

struct lane_entry *lane_next(const struct lane *lane)
{
	const struct lane_client *client = TAILQ_FIRST(&lane->clients);

	return client == NULL
	               ? NULL
	               : entry_of(heap_top(
				 &TAILQ_FIRST(&client->senders)->entries));
}

static void pass_turn(struct lane *lane, struct lane_sender *sender)
{
	struct lane_client *client = sender->client;

	TAILQ_REMOVE(&client->senders, sender, turn);
	TAILQ_INSERT_TAIL(&client->senders, sender, turn);
	TAILQ_REMOVE(&lane->clients, client, turn);
	TAILQ_INSERT_TAIL(&lane->clients, client, turn);
}

struct lane_entry *lane_take(struct lane *lane)
{
	struct lane_entry *entry = lane_next(lane);

	if (entry == NULL)
		return NULL;
	pass_turn(lane, entry->sender);
	lane_remove(lane, entry);
	return entry;
}

void lane_give_back(struct lane *lane, struct lane_entry *entry,
                    const char *client, const char *sender, uint64_t age)
{
	struct lane_client *owner;

	lane_add(lane, entry, client, sender, age);
	owner = entry->sender->client;
	TAILQ_REMOVE(&owner->senders, entry->sender, turn);
	TAILQ_INSERT_HEAD(&owner->senders, entry->sender, turn);
	TAILQ_REMOVE(&lane->clients, owner, turn);
	TAILQ_INSERT_HEAD(&lane->clients, owner, turn);
	TAILQ_REMOVE(&lane->entries, entry, link);
	TAILQ_INSERT_HEAD(&lane->entries, entry, link);
}

/* ---- what there is ---- */

size_t lane_count(const struct lane *lane)
{
	return lane->n;
}

size_t lane_count_client(const struct lane *lane, const char *name)
{
	const struct lane_client *client = find_client(lane, name);

	return client == NULL ? 0 : client->n;
}

size_t lane_clients(const struct lane *lane)
{
	return lane->n_clients;
}

static struct lane_entry *youngest(const struct lane_client *client)
{
	const struct lane_sender *sender;
	struct heap_node *found = NULL;
	size_t i;

	TAILQ_FOREACH(sender, &client->senders, turn) {
		for (i = 1; i <= sender->entries.n; i++) {
			struct heap_node *node = sender->entries.nodes[i];

			if (found == NULL || node->key > found->key)
				found = node;
		}
	}
	return entry_of(found);
}

struct lane_entry *lane_crowd(const struct lane *lane, size_t n)
{
	const struct lane_client *client, *most = NULL;

	TAILQ_FOREACH(client, &lane->clients, turn) {
		if (most == NULL || client->n > most->n)
			most = client;
	}
	return most == NULL || most->n <= n ? NULL : youngest(most);
}

struct lane_entry *lane_first(const struct lane *lane)
{
	return TAILQ_FIRST(&lane->entries);
}

struct lane_entry *lane_after(struct lane_entry *entry)
{
	return TAILQ_NEXT(entry, link);
}

struct lane_entry *lane_newest(const struct lane *lane)
{
	return TAILQ_LAST(&lane->entries, entry_list);
}

/* ---- life ---- */

struct lane *lane_new(void)
{
	struct lane *lane = xcalloc(1, sizeof *lane);

	TAILQ_INIT(&lane->clients);
	TAILQ_INIT(&lane->entries);
	return lane;
}

void lane_free(struct lane **lane)
{
	struct lane_entry *entry;

	if (*lane == NULL)
		return;
	while ((entry = lane_first(*lane)) != NULL)
		lane_remove(*lane, entry);
	free(*lane);
	*lane = NULL;
}
