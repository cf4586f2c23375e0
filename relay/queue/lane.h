/*
 * lane -- the messages that are ready for one account, and whose turn it is.
 *
 * Turns go round the clients, and within a client round its senders; within a
 * sender the oldest goes first.  So an application that hands over ten thousand
 * messages holds up another device's single page by one delivery, or as many
 * as clients are waiting, not by ten thousand.
 *
 *     add ... next -> take (the turn goes on) -> give_back (it had not)
 *
 * Entries live inside their owners; the lane owns only its own lists, which
 * are as long as there are clients that wait; beyond 64 senders of a client the
 * others share a turn.  Pure.
 */
#ifndef RELAY_QUEUE_LANE_H
#define RELAY_QUEUE_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>
#include "relay/queue/heap.h"

struct lane;
struct lane_sender;

/* In one lane at a time; the lane's own business. */
struct lane_entry {
	struct heap_node age;         /* among its sender's */
	struct lane_sender *sender;   /* NULL: in no lane */
	TAILQ_ENTRY(lane_entry) link; /* of all, as they came */
};

struct lane *lane_new(void);
void lane_free(struct lane **lane); /* entries are let go */

/* client: a device's name or address; sender: the reverse-path; copied.  age:
 * smaller is older; unique. */
void lane_add(struct lane *lane, struct lane_entry *entry, const char *client,
              const char *sender, uint64_t age);
void lane_remove(struct lane *lane, struct lane_entry *entry);
/* Whose turn it is; NULL: nobody waits. */
struct lane_entry *lane_next(const struct lane *lane);
/* The same, and out of the lane; the turn passes on. */
struct lane_entry *lane_take(struct lane *lane);
/* One that was taken is back, and it is its turn again. */
void lane_give_back(struct lane *lane, struct lane_entry *entry,
                    const char *client, const char *sender, uint64_t age);

size_t lane_count(const struct lane *lane);
size_t lane_count_client(const struct lane *lane, const char *client);
size_t lane_clients(const struct lane *lane);
/* The youngest of the client that has most, if that is more than n; NULL: it
 * is not. */
struct lane_entry *lane_crowd(const struct lane *lane, size_t n);
/* In the order of their coming; an entry may be removed once the next one has
 * been asked for. */
struct lane_entry *lane_first(const struct lane *lane);
struct lane_entry *lane_after(struct lane_entry *entry);
struct lane_entry *lane_newest(const struct lane *lane);

#endif
