#include "relay/queue/heap.h"

#include <stdlib.h>

#include "proto/xalloc.h"

/* nodes[1..n]; nodes[0] stays unused, so that place 0 means outside. */

static void put(struct heap *heap, size_t place, struct heap_node *node)
{
	heap->nodes[place] = node;
	node->place = place;
}

static void sift_up(struct heap *heap, struct heap_node *node)
{
	size_t place = node->place;

	while (place > 1 && heap->nodes[place / 2]->key > node->key) {
		put(heap, place, heap->nodes[place / 2]);
		place /= 2;
	}
	put(heap, place, node);
}

static void sift_down(struct heap *heap, struct heap_node *node)
{
	size_t place = node->place, child;

	while ((child = place * 2) <= heap->n) {
		if (child < heap->n &&
		    heap->nodes[child + 1]->key < heap->nodes[child]->key)
			child++;
		if (heap->nodes[child]->key >= node->key)
			break;
		put(heap, place, heap->nodes[child]);
		place = child;
	}
	put(heap, place, node);
}

void heap_free(struct heap *heap)
{
	free(heap->nodes);
	*heap = (struct heap){ NULL, 0, 0 };
}

void heap_push(struct heap *heap, struct heap_node *node)
{
	if (heap->n + 2 > heap->size) {
		heap->size = heap->size == 0 ? 64 : heap->size * 2;
		heap->nodes = xrealloc(heap->nodes,
		                       heap->size * sizeof *heap->nodes);
	}
	put(heap, ++heap->n, node);
	sift_up(heap, node);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
	struct heap_node *last = heap->nodes[heap->n--];

	if (last != node) {
		put(heap, node->place, last);
		sift_up(heap, last);
		sift_down(heap, last);
	}
	node->place = 0;
}

struct heap_node *heap_top(const struct heap *heap)
{
	return heap->n == 0 ? NULL : heap->nodes[1];
}
