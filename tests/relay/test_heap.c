#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "relay/queue/heap.h"
#include "tests/support/bytes.h"

enum { MANY = 3000 };

/* A chance that is the same each time. */
static uint32_t next_random(uint32_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	return *x;
}

static uint64_t pop(struct heap *heap)
{
	struct heap_node *top = heap_top(heap);

	assert_non_null(top);
	assert_int_not_equal(top->place, 0);
	heap_remove(heap, top);
	assert_int_equal(top->place, 0);
	return top->key;
}

static void test_an_empty_heap_has_no_top(void **state)
{
	struct heap heap = { 0 };

	(void)state;
	assert_null(heap_top(&heap));
	heap_free(&heap);
	assert_null(heap_top(&heap));
}

static const struct {
	uint64_t keys[6], sorted[6];
	size_t n;
} orders[] = {
	{ .keys = { 7 }, .sorted = { 7 }, .n = 1 },
	{ .keys = { 1, 2, 3 }, .sorted = { 1, 2, 3 }, .n = 3 },
	{ .keys = { 3, 2, 1 }, .sorted = { 1, 2, 3 }, .n = 3 },
	{ .keys = { 5, 5, 5, 1 }, .sorted = { 1, 5, 5, 5 }, .n = 4 },
	{ .keys = { UINT64_MAX, 0, 1 }, .sorted = { 0, 1, UINT64_MAX },
	  .n = 3 },
	{ .keys = { 1ull << 32, 1, (1ull << 32) + 1, 1ull << 63, 2 },
	  .sorted = { 1, 2, 1ull << 32, (1ull << 32) + 1, 1ull << 63 },
	  .n = 5 },
};

static void test_the_smallest_key_is_on_top(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(orders); i++) {
		struct heap_node nodes[6] = { { 0 } };
		struct heap heap = { 0 };

		for (size_t k = 0; k < orders[i].n; k++) {
			nodes[k].key = orders[i].keys[k];
			heap_push(&heap, &nodes[k]);
			assert_int_not_equal(nodes[k].place, 0);
		}
		for (size_t k = 0; k < orders[i].n; k++)
			assert_true(pop(&heap) == orders[i].sorted[k]);
		assert_null(heap_top(&heap));
		heap_free(&heap);
	}
}

/* Every place in a heap of ten, one after the other. */
static void test_removal_from_anywhere_keeps_the_order(void **state)
{
	(void)state;
	for (size_t gone = 0; gone < 10; gone++) {
		struct heap_node nodes[10] = { { 0 } };
		struct heap heap = { 0 };
		uint64_t last = 0;

		for (size_t k = 0; k < 10; k++) {
			nodes[k].key = k * 7 % 10 + 1;
			heap_push(&heap, &nodes[k]);
		}
		heap_remove(&heap, &nodes[gone]);
		assert_int_equal(nodes[gone].place, 0);
		for (size_t k = 0; k < 9; k++) {
			uint64_t key = pop(&heap);

			assert_true(key > last && key != nodes[gone].key);
			last = key;
		}
		assert_null(heap_top(&heap));
		heap_free(&heap);
	}
}

static uint64_t smallest(const struct heap_node *nodes)
{
	uint64_t key = UINT64_MAX;

	for (size_t i = 0; i < MANY; i++)
		if (nodes[i].place != 0 && nodes[i].key < key)
			key = nodes[i].key;
	return key;
}

static void test_a_long_life_of_pushes_and_removals(void **state)
{
	struct heap_node *nodes = calloc(MANY, sizeof(*nodes));
	struct heap heap = { 0 };
	uint32_t x = 88172645;
	size_t held = 0;

	(void)state;
	for (int step = 0; step < 20000; step++) {
		struct heap_node *node = &nodes[next_random(&x) % MANY];

		if (node->place != 0) {
			heap_remove(&heap, node);
			held--;
		} else {
			node->key = next_random(&x) % 500;
			heap_push(&heap, node);
			held++;
		}
		assert_int_equal(heap.n, held);
		if (held > 0 && step % 50 == 0)
			assert_true(heap_top(&heap)->key == smallest(nodes));
	}
	for (uint64_t last = 0; held > 0; held--) {
		uint64_t key = pop(&heap);

		assert_true(key >= last);
		last = key;
	}
	heap_free(&heap);
	free(nodes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_empty_heap_has_no_top),
		cmocka_unit_test(test_the_smallest_key_is_on_top),
		cmocka_unit_test(test_removal_from_anywhere_keeps_the_order),
		cmocka_unit_test(test_a_long_life_of_pushes_and_removals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
