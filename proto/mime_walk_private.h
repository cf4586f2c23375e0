/*
 * mime_walk_private -- what the files of the walker share, and nobody else
 * includes: mime_walk.c (boundaries, parts), mime_walk_header.c (the header of
 * a part).
 */
#ifndef PROTO_MIME_WALK_PRIVATE_H
#define PROTO_MIME_WALK_PRIVATE_H

#include "proto/mime_walk.h"

/* Which open multipart the line is a boundary line of; -1: none. */
int walk_level_of(const struct mime_walk *walk, struct text line,
                  bool *closes_r);
enum mime_item_type walk_next_of_header(struct mime_walk *walk,
                                        struct mime_item *item);

#endif
