/*
 * heap -- a binary heap of nodes that live inside their owners; the smallest
 * key is on top.  Removal from the middle is O(log n): a node knows its place.
 */
#ifndef RELAY_QUEUE_HEAP_H
#define RELAY_QUEUE_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct heap_node {
	uint64_t key;
	size_t place;     /* 1 and up while in a heap, 0 outside */
};

struct heap {
	struct heap_node **nodes;
	size_t n, size;
};

void heap_free(struct heap *heap);
void heap_push(struct heap *heap, struct heap_node *node);
void heap_remove(struct heap *heap, struct heap_node *node);
struct heap_node *heap_top(const struct heap *heap); /* NULL when empty */

#endif
