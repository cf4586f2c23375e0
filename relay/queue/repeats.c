#include "relay/queue/repeats.h"

#include <stdlib.h>
#include <string.h>

#include "proto/xalloc.h"

enum { BUCKETS = 1024 };

struct repeat_entry {
	uint8_t digest[DIGEST_SIZE];
	message_id ids[REPEATS_PARTS]; /* 0: none */
	bool pending;          /* its answer is still to come */
	bool unheard;          /* the device cannot have heard it */
	bool forgotten;        /* once it is answered */
	uint64_t accepted_ms;
	LIST_HEAD(, repeat_claim) waiters;
	LIST_ENTRY(repeat_entry) bucket;
	TAILQ_ENTRY(repeat_entry) age; /* of those that are not pending */
};

struct repeats {
	LIST_HEAD(, repeat_entry) buckets[BUCKETS];
	TAILQ_HEAD(, repeat_entry) ages; /* oldest first */
	size_t n;                        /* in ages */
};

struct repeats *repeats_new(void)
{
	struct repeats *repeats = xcalloc(1, sizeof *repeats);

	TAILQ_INIT(&repeats->ages);
	return repeats;
}

size_t repeats_count(const struct repeats *repeats)
{
	return repeats->n;
}

/* ---- entries ---- */

static void drop(struct repeats *repeats, struct repeat_entry *entry)
{
	if (!entry->pending) {
		TAILQ_REMOVE(&repeats->ages, entry, age);
		repeats->n--;
	}
	LIST_REMOVE(entry, bucket);
	free(entry);
}

void repeats_free(struct repeats **repeats)
{
	if (*repeats == NULL)
		return;
	while (!TAILQ_EMPTY(&(*repeats)->ages))
		drop(*repeats, TAILQ_FIRST(&(*repeats)->ages));
	free(*repeats);
	*repeats = NULL;
}

static void drop_old(struct repeats *repeats, uint64_t now_ms)
{
	struct repeat_entry *oldest;

	while ((oldest = TAILQ_FIRST(&repeats->ages)) != NULL &&
	       (oldest->accepted_ms + REPEATS_FOR_MS <= now_ms ||
	        repeats->n > REPEATS_MAX))
		drop(repeats, oldest);
}

static size_t bucket_of(const uint8_t digest[DIGEST_SIZE])
{
	return (size_t)(digest[0] | digest[1] << 8) % BUCKETS;
}

static struct repeat_entry *find(struct repeats *repeats,
                                 const uint8_t digest[DIGEST_SIZE])
{
	struct repeat_entry *entry;

	LIST_FOREACH(entry, &repeats->buckets[bucket_of(digest)], bucket) {
		if (memcmp(entry->digest, digest, DIGEST_SIZE) == 0)
			return entry;
	}
	return NULL;
}

static struct repeat_entry *add(struct repeats *repeats,
                                const uint8_t digest[DIGEST_SIZE])
{
	struct repeat_entry *entry = xcalloc(1, sizeof *entry);

	memcpy(entry->digest, digest, DIGEST_SIZE);
	entry->pending = true;
	LIST_INSERT_HEAD(&repeats->buckets[bucket_of(digest)], entry, bucket);
	return entry;
}

static struct repeat_entry *find_id(struct repeats *repeats, message_id id)
{
	size_t bucket, i;

	for (bucket = 0; bucket < BUCKETS; bucket++) {
		struct repeat_entry *entry;

		LIST_FOREACH(entry, &repeats->buckets[bucket], bucket) {
			for (i = 0; i < REPEATS_PARTS; i++) {
				if (entry->ids[i] == id)
					return entry;
			}
		}
	}
	return NULL;
}

/* ---- the end of a message's data ---- */

static void clear(struct repeat_claim *claim)
{
	claim->repeats = NULL;
	claim->entry = NULL;
	claim->waits = false;
}

static enum repeat_verdict claim_again(struct repeat_claim *claim,
                                       struct repeat_entry *entry)
{
	if (!entry->pending) {
		claim->first = entry->ids[0];
		return REPEAT_ACCEPTED;
	}
	claim->entry = entry;
	claim->waits = true;
	LIST_INSERT_HEAD(&entry->waiters, claim, link);
	return REPEAT_WAITS;
}

enum repeat_verdict repeats_claim(struct repeats *repeats,
                                  struct repeat_claim *claim,
                                  const struct repeat_mark *mark,
                                  uint64_t now_ms)
{
	struct repeat_entry *entry;

	clear(claim);
	if (repeats == NULL || !mark->has_id)
		return REPEAT_NEW;
	drop_old(repeats, now_ms);
	entry = find(repeats, mark->digest);
	if (entry != NULL && (mark->has_date || entry->unheard))
		return claim_again(claim, entry);
	/* Two at a time that are not the same: the first is remembered. */
	if (entry != NULL && entry->pending)
		return REPEAT_NEW;
	if (entry != NULL)
		drop(repeats, entry);
	claim->repeats = repeats;
	claim->entry = add(repeats, mark->digest);
	return REPEAT_NEW;
}

/* ---- of a claim that is new ---- */

static bool is_owner(const struct repeat_claim *claim)
{
	return claim->entry != NULL && !claim->waits;
}

void repeats_name(struct repeat_claim *claim, const message_id *ids, size_t n)
{
	if (!is_owner(claim))
		return;
	claim->entry->forgotten = n > REPEATS_PARTS;
	if (n > REPEATS_PARTS)
		n = REPEATS_PARTS;
	memcpy(claim->entry->ids, ids, n * sizeof *ids);
}

void repeats_unheard(struct repeat_claim *claim)
{
	if (is_owner(claim))
		claim->entry->unheard = true;
}

static void remember(struct repeats *repeats, struct repeat_entry *entry,
                     uint64_t now_ms)
{
	entry->pending = false;
	entry->accepted_ms = now_ms;
	TAILQ_INSERT_TAIL(&repeats->ages, entry, age);
	repeats->n++;
	drop_old(repeats, now_ms);
}

/* What comes of the answers may be the same message once more. */
static void answer_waiters(struct repeat_claim *first, message_id id,
                           const struct smtp_reply *reply)
{
	struct repeat_claim *waiter;

	while ((waiter = first) != NULL) {
		first = LIST_NEXT(waiter, link);
		clear(waiter);
		waiter->on_answer(waiter->ctx, id, reply);
	}
}

void repeats_answer(struct repeat_claim *claim, const struct smtp_reply *reply,
                    uint64_t now_ms)
{
	struct repeat_entry *entry = claim->entry;
	struct repeats *repeats = claim->repeats;
	struct repeat_claim *waiters;
	message_id id;

	if (!is_owner(claim))
		return;
	clear(claim);
	id = entry->ids[0];
	waiters = LIST_FIRST(&entry->waiters);
	LIST_INIT(&entry->waiters);
	if (smtp_reply_positive(reply) && !entry->forgotten)
		remember(repeats, entry, now_ms);
	else
		drop(repeats, entry);
	answer_waiters(waiters, id, reply);
}

void repeats_withdraw(struct repeat_claim *claim)
{
	struct repeat_claim *waiter;

	if (claim->waits) {
		LIST_REMOVE(claim, link);
	} else if (claim->entry != NULL) {
		LIST_FOREACH(waiter, &claim->entry->waiters, link)
			clear(waiter);
		drop(claim->repeats, claim->entry);
	}
	clear(claim);
}

/* ---- of a message ---- */

void repeats_unheard_id(struct repeats *repeats, message_id id)
{
	struct repeat_entry *entry =
		repeats != NULL ? find_id(repeats, id) : NULL;

	if (entry != NULL)
		entry->unheard = true;
}

void repeats_forget(struct repeats *repeats, message_id id)
{
	struct repeat_entry *entry =
		repeats != NULL ? find_id(repeats, id) : NULL;

	if (entry != NULL && entry->pending)
		entry->forgotten = true;
	else if (entry != NULL)
		drop(repeats, entry);
}
