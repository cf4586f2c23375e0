#include "tests/support/guarded.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void must(bool done)
{
	if (done)
		return;
	perror("guarded");
	abort();
}

struct guarded guarded_copy(struct text text)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t room = (text.len / page + 1) * page;
	struct guarded guarded = { .size = room + page };
	char *copy;

	guarded.map = mmap(NULL, guarded.size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(guarded.map != MAP_FAILED);
	must(mprotect((char *)guarded.map + room, page, PROT_NONE) == 0);
	copy = (char *)guarded.map + room - text.len;
	if (text.len > 0)
		memcpy(copy, text.data, text.len);
	guarded.text = text_make(copy, text.len);
	return guarded;
}

void guarded_free(struct guarded *guarded)
{
	must(munmap(guarded->map, guarded->size) == 0);
	*guarded = (struct guarded){ 0 };
}

size_t guarded_ways(struct text text)
{
	return text.len + 2;
}

static void feed_piece(struct text piece,
		       void (*feed)(void *ctx, struct text piece), void *ctx)
{
	struct guarded guarded = guarded_copy(piece);

	feed(ctx, guarded.text);
	guarded_free(&guarded);
}

void guarded_feed(struct text text, size_t way,
		  void (*feed)(void *ctx, struct text piece), void *ctx)
{
	if (way <= text.len) {
		feed_piece(text_make(text.data, way), feed, ctx);
		feed_piece(text_skip(text, way), feed, ctx);
		return;
	}
	for (size_t i = 0; i < text.len; i++)
		feed_piece(text_make(text.data + i, 1), feed, ctx);
}
