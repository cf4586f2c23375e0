/*
 * mime_walk -- the parts of a body (RFC 2046 5.1), as it streams past.
 *
 *     init -> root... -> begin -> (push -> next... until NONE)... -> finish ->
 *     next... until NONE
 *
 * Parts are numbered as they begin: the message itself is 0.  A message/rfc822
 * is a part, and the message in it the next one.  The raw octets of all items,
 * one behind the other, are the body.
 *
 * A boundary line is one that holds nothing but the boundary and white space;
 * of equal boundaries the outer one counts.  Depth, number of parts, and the
 * size of a part's header are bounded: beyond them nothing is told apart any
 * more.  Linear in the length, bounded in memory.
 */
#ifndef PROTO_MIME_WALK_H
#define PROTO_MIME_WALK_H

#include "proto/mime_field.h"

enum {
	MIME_DEPTH_MAX = 20,
	MIME_PARTS_MAX = 1000,        /* also the number of what lies beyond */
	MIME_HEADER_MAX = 64 * 1024,  /* octets of a part's header */
	MIME_LINE_MAX = 998,          /* RFC 5322 2.1.1, without CRLF */
};

enum mime_item_type {
	MIME_NONE,       /* push more */
	MIME_FIELD,      /* of a part's header: field */
	MIME_HEADER_END, /* raw: the empty line; nothing where it is missing */
	MIME_CONTENT,    /* octets of a part that holds no others */
	MIME_DELIMITER,  /* a boundary line of the multipart, with the line end
	                    before it, which belongs to it */
	MIME_FRAME,      /* what stands before or behind a multipart's parts */
	MIME_BEYOND,     /* octets past the bounds, up to the end */
};

/* Views are valid until the next call. */
struct mime_item {
	enum mime_item_type type;
	unsigned part;
	struct text raw;
	struct rfc5322_field field;
};

struct mime_level {
	unsigned part;
	bool is_digest;
	unsigned depth;
	size_t len;
	char boundary[MIME_BOUNDARY_MAX];
};

struct mime_walk {
	enum {
		MIME_IN_HEADER,
		MIME_AT_HEADER_END, /* what follows depends on the entity */
		MIME_IN_CONTENT, MIME_IN_FRAME, MIME_IN_BEYOND
	} state;
	struct mime_entity entity;  /* whose header is, or was last, read */
	unsigned part, n_parts;
	unsigned depth;             /* of the part, messages counted */
	struct mime_level levels[MIME_DEPTH_MAX]; /* multiparts not closed */
	size_t n_levels;
	struct text input;
	bool finished;
	bool at_line_begin;
	/* Octets not decided upon: in a header, a field and a line; else what
	 * may become a boundary line, from the line end before it on. */
	struct buf held;
	enum { MIME_HOLD_NOTHING, MIME_HOLD_CR, MIME_HOLD_LINE_END,
	       MIME_HOLD_DASH, MIME_HOLD_LINE } hold;
	size_t field_len;           /* of held: whole lines of a field */
	size_t header_seen;
	size_t drop;                /* of held: handed out by the last next() */
};

void mime_walk_init(struct mime_walk *walk);
void mime_walk_free(struct mime_walk *walk);
/* The message's own header, of which nothing is handed out. */
void mime_walk_root(struct mime_walk *walk, const struct rfc5322_field *field);
void mime_walk_begin(struct mime_walk *walk);
/* data stays in place until next() has returned NONE. */
void mime_walk_push(struct mime_walk *walk, struct text data);
void mime_walk_finish(struct mime_walk *walk); /* no more bytes will come */
enum mime_item_type mime_walk_next(struct mime_walk *walk,
                                   struct mime_item *item_r);

#endif
