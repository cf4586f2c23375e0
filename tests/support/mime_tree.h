/*
 * mime_tree -- a message as a mail reader sees it: its parts, decoded.  Not a
 * stream, and nothing of proto's walker or coders, so that it can judge them.
 */
#ifndef TESTS_SUPPORT_MIME_TREE_H
#define TESTS_SUPPORT_MIME_TREE_H

#include "proto/buf.h"

/* Append "[kind:content]" for a part, "(kind" its parts ")" for a container.
 * Signed parts stand there with every octet of theirs. */
void mime_tree_print(struct buf *out, struct text message);

#endif
